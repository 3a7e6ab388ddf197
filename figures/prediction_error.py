"""Figure 4: prediction error of two entities on both tasks against generation, exact and by Monte Carlo."""

import jax
import jax.numpy as jnp
import numpy as np

from ..sim import decide, make_moment_sampler, sharded_grid, simulate
from ..theory import Weights, mspe, random_gaussian, trajectory
from .report import Report, Request, save
from .style import grid_of_axes, line, plain_log_axis, points, styled

VALUES = (0.1, 0.5, 0.9)
ENTITIES, DIMENSION, RANK, GENERATIONS = 2, 50, 15, 14
_COLUMNS = ((0, 0), (1, 0), (1, 1), (0, 1))  # (entity, task), in the paper's order


def draw(request: Request) -> Report:
    """Draw the 3 × 4 panels: β by row, entity and task by column, one line for each α."""
    key_ecosystem, key_replicates = jax.random.split(jax.random.key(request.seed))
    ecosystem = random_gaussian(key_ecosystem, ENTITIES, DIMENSION, RANK)
    replicates = 200 if request.quick else 2000
    sampler = make_moment_sampler(ecosystem)

    def both(beta, alpha):
        weights = Weights(alpha, beta)
        drawn = simulate(sampler, weights, GENERATIONS, replicates, key_replicates)
        return trajectory(ecosystem, weights, GENERATIONS, mspe), drawn.mspe, drawn.mspe_se

    grid = jnp.array(VALUES)
    over_grid = jax.jit(lambda *axes: sharded_grid(both, *axes, tile=1))
    exact, estimate, error = (np.asarray(x) for x in over_grid(grid, grid))
    generations = np.arange(GENERATIONS + 1)

    with styled():
        figure, axes = grid_of_axes(3, 4, (10, 6.5), sharex=True, sharey=True)
        for b, beta in enumerate(VALUES):
            for (entity, task), panel in zip(_COLUMNS, axes[b], strict=True):
                for a, alpha in enumerate(VALUES):
                    line(panel, a, generations, exact[b, a, :, entity, task], f"α = {alpha}")
                    points(panel, a, generations, estimate[b, a, :, entity, task], error[b, a, :, entity, task])
                plain_log_axis(panel)
            axes[b][0].set_ylabel(f"β = {beta}\nMSPE (units of σ²)")
        for (entity, task), top, bottom in zip(_COLUMNS, axes[0], axes[-1], strict=True):
            top.set_title(f"entity {entity + 1} on task {task + 1}")
            bottom.set_xlabel("generation")
        figure.legend(*axes[0][0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
        foreign = exact[:, :, :, [1, 0], [0, 1]].mean(axis=(0, 3))  # (α, generation), each entity on the other's task
        drop, climb = 1 - foreign[:, 1] / foreign[:, 0], foreign[-1, -1] / foreign[-1].min()
        report = Report(
            "fig4",
            "Figure 4: prediction error against generation",
            f"On the other entity's task the error drops after one generation (by {drop[0]:.0%} on average at α = 0.1); then "
            f"it stays for small α, while at α = 0.9 it climbs to {climb:.1f} times its lowest value within 14 generations.",
            f"K = {ENTITIES}, d = {DIMENSION}, private features of rank {RANK}, S = S~, σ² = 1, one random draw (seed "
            f"{request.seed}); lines exact, points {replicates} replicates, bars ± 2 standard errors; MSPE on a log axis.",
            {
                "first_drop_on_other_task_at_alpha_0.1": float(drop[0]),
                "climb_on_other_task_at_alpha_0.9": float(climb),
                "monte_carlo": vars(decide([(estimate - exact) / error])),
            },
        )
        return save(
            request,
            report,
            figure,
            {
                "beta": grid[:, None, None, None, None],
                "alpha": grid[:, None, None, None],
                "generation": generations[:, None, None],
                "entity": np.arange(1, 3)[:, None],
                "task": np.arange(1, 3),
                "mspe_exact": exact,
                "mspe_monte_carlo": estimate,
                "mspe_standard_error": error,
            },
        )
