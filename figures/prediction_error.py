"""Figure 4: prediction error of two entities on both tasks against generation, exact and by Monte Carlo."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from matplotlib.figure import Figure

from crossfeed.random_keys import seeded_key

from ..sim import Decision, family_wise_test, make_moment_sampler, sharded_grid, simulate
from ..theory import Weights, mspe, random_gaussian, trajectory
from .report import Report, Request, save
from .style import grid_of_axes, line, plain_log_axis, points, styled

VALUES = (0.1, 0.5, 0.9)
ENTITIES, DIMENSION, RANK, GENERATIONS = 2, 50, 15, 14
_COLUMNS = ((0, 0), (1, 0), (1, 1), (0, 1))  # (entity, task), in the paper's order


@dataclass(frozen=True)
class PredictionErrors:
    """MSPE of one random ecosystem by generation, for all α and β in `VALUES`.

    Attributes:
        exact: exact MSPE of every entity on every task.
        estimate: its Monte Carlo estimate.
        standard_error: standard error of `estimate`.
        replicates: number of Monte Carlo replicates.
        agreement: test of the estimates against the exact values.
    """

    exact: Float[np.ndarray, "beta alpha generation entity task"]
    estimate: Float[np.ndarray, "beta alpha generation entity task"]
    standard_error: Float[np.ndarray, "beta alpha generation entity task"]
    replicates: int
    agreement: Decision


def compute(seed: int, replicates: int) -> PredictionErrors:
    """Exact and simulated MSPE of one random ecosystem."""
    key_ecosystem, key_replicates = jax.random.split(seeded_key(seed))
    ecosystem = random_gaussian(key_ecosystem, ENTITIES, DIMENSION, RANK)
    sampler = make_moment_sampler(ecosystem)

    def both(beta: Float[Array, ""], alpha: Float[Array, ""]) -> tuple[Array, Array, Array]:
        weights = Weights(alpha, beta)
        drawn = simulate(sampler, weights, GENERATIONS, replicates, key_replicates)
        return trajectory(ecosystem, weights, GENERATIONS, mspe), drawn.mspe, drawn.mspe_se

    grid = jnp.array(VALUES)
    over_grid = jax.jit(lambda *axes: sharded_grid(both, *axes, tile=1))
    exact, estimate, error = (np.asarray(x) for x in over_grid(grid, grid))
    return PredictionErrors(exact, estimate, error, replicates, family_wise_test([(estimate - exact) / error]))


def draw(request: Request) -> Report:
    """Compute and write the figure."""
    found = compute(request.seed, 200 if request.quick else 2000)
    values = np.array(VALUES)
    columns = {
        "beta": values[:, None, None, None, None],
        "alpha": values[:, None, None, None],
        "generation": np.arange(GENERATIONS + 1)[:, None, None],
        "entity": np.arange(1, ENTITIES + 1)[:, None],
        "task": np.arange(1, ENTITIES + 1),
        "mspe_exact": found.exact,
        "mspe_monte_carlo": found.estimate,
        "mspe_standard_error": found.standard_error,
    }
    return save(request, _report(found, request.seed), _figure(found), columns)


def _figure(found: PredictionErrors) -> Figure:
    """Panels for each β by row, and entity and task by column, with one line and Monte Carlo points per α."""
    generations = np.arange(GENERATIONS + 1)
    with styled():
        figure, axes = grid_of_axes(3, 4, (10, 6.5), sharex=True, sharey=True)
        for b, beta in enumerate(VALUES):
            for (entity, task), panel in zip(_COLUMNS, axes[b], strict=True):
                for a, alpha in enumerate(VALUES):
                    at = (b, a, slice(None), entity, task)
                    line(panel, a, generations, found.exact[at], f"α = {alpha}")
                    points(panel, a, generations, found.estimate[at], found.standard_error[at])
                plain_log_axis(panel)
            axes[b][0].set_ylabel(f"β = {beta}\nMSPE (units of σ²)")
        for (entity, task), top, bottom in zip(_COLUMNS, axes[0], axes[-1], strict=True):
            top.set_title(f"entity {entity + 1} on task {task + 1}")
            bottom.set_xlabel("generation")
        figure.legend(*axes[0][0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return figure


def _report(found: PredictionErrors, seed: int) -> Report:
    foreign = found.exact[:, :, :, [1, 0], [0, 1]].mean(axis=(0, 3))  # (α, generation), each entity on the other's task
    drop, climb = float(1 - foreign[0, 1] / foreign[0, 0]), float(foreign[-1, -1] / foreign[-1].min())
    return Report(
        "fig4",
        "Figure 4: prediction error against generation",
        f"On the other entity's task the error drops after one generation (by {drop:.0%} on average at α = {VALUES[0]}); it then "
        f"stays low for small α, but at α = {VALUES[-1]} rises to {climb:.1f} times its lowest value within {GENERATIONS} "
        "generations.",
        f"K = {ENTITIES}, d = {DIMENSION}, private features of rank {RANK}, S = S~, σ² = 1, one random ecosystem (seed {seed}); "
        f"lines: exact; points: {found.replicates} Monte Carlo replicates; bars: two standard errors; MSPE on a log axis.",
        {
            "first_drop_on_other_task_at_alpha_0.1": drop,
            "climb_on_other_task_at_alpha_0.9": climb,
            "monte_carlo": vars(found.agreement),
        },
    )
