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
from .settings import Dimension, Entities, Generations, Replicates, Seed, WeightSeries, check_rank
from .style import grid_of_axes, line, mean_and_band, plain_log_axis, points, styled

_PAIRS = ((0, 0), (1, 0), (1, 1), (0, 1))  # (entity, task), in the paper's order
_STAYS_LOW = 1.5  # most that an error which stays low is above its lowest value

_Errors = Float[np.ndarray, "beta alpha generation entity task"]


@dataclass(frozen=True)
class Settings:
    """Settings of the figure; prediction_error.toml says what they are and holds the paper's."""

    seed: Seed
    entities: Entities
    dimension: Dimension
    rank: Dimension
    alpha: WeightSeries
    beta: WeightSeries
    generations: Generations
    replicates: Replicates

    def __post_init__(self) -> None:
        check_rank(self.rank, self.dimension)


@dataclass(frozen=True)
class PredictionErrors:
    """MSPE of one random ecosystem by generation, for all α and β.

    Attributes:
        exact: exact MSPE of every entity on every task.
        estimate: its Monte Carlo estimate.
        standard_error: standard error of `estimate`.
        agreement: test of the estimates against the exact values.
    """

    exact: _Errors
    estimate: _Errors
    standard_error: _Errors
    agreement: Decision


def compute(settings: Settings) -> PredictionErrors:
    """Exact and simulated MSPE of one random ecosystem."""
    key_ecosystem, key_replicates = jax.random.split(seeded_key(settings.seed))
    ecosystem = random_gaussian(key_ecosystem, settings.entities, settings.dimension, settings.rank)
    sampler = make_moment_sampler(ecosystem)

    def both(beta: Float[Array, ""], alpha: Float[Array, ""]) -> tuple[Array, Array, Array]:
        weights = Weights(alpha, beta)
        drawn = simulate(sampler, weights, settings.generations, settings.replicates, key_replicates)
        return trajectory(ecosystem, weights, settings.generations, mspe), drawn.mspe, drawn.mspe_se

    over_grid = jax.jit(lambda *axes: sharded_grid(both, *axes, tile=1))
    exact, estimate, error = (np.asarray(x) for x in over_grid(jnp.array(settings.beta), jnp.array(settings.alpha)))
    return PredictionErrors(exact, estimate, error, family_wise_test([(estimate - exact) / error]))


def draw(request: Request, settings: Settings) -> Report:
    """Compute and write the figure."""
    found = compute(settings)
    everyone = np.arange(1, settings.entities + 1)
    columns = {
        "beta": np.array(settings.beta)[:, None, None, None, None],
        "alpha": np.array(settings.alpha)[:, None, None, None],
        "generation": np.arange(settings.generations + 1)[:, None, None],
        "entity": everyone[:, None],
        "task": everyone,
        "mspe_exact": found.exact,
        "mspe_monte_carlo": found.estimate,
        "mspe_standard_error": found.standard_error,
    }
    return save(request, _report(found, settings), _figure(found, settings), columns)


def _columns(settings: Settings) -> dict[str, np.ndarray]:
    """Masks of entity and task for each column of panels, by title: pairs, or own and others' tasks of many entities."""
    own = np.eye(settings.entities, dtype=bool)
    if settings.entities > 2:
        return {"own tasks": own, "others' tasks": ~own}
    masks = {}
    for entity, task in _PAIRS[: settings.entities**2]:
        mask = np.zeros_like(own)
        mask[entity, task] = True
        masks[f"entity {entity + 1} on task {task + 1}"] = mask
    return masks


def _figure(found: PredictionErrors, settings: Settings) -> Figure:
    """Panels for each β by row, and entity and task by column, with one line and Monte Carlo points per α."""
    generations, masks = np.arange(settings.generations + 1), _columns(settings)
    rows, columns = len(settings.beta), len(masks)
    size = (max(2.35 * columns + 0.6, 5), 2 * rows + 0.5)
    with styled():
        figure, axes = grid_of_axes(rows, columns, size, sharex=True, sharey=True)
        for b, beta in enumerate(settings.beta):
            for mask, panel in zip(masks.values(), axes[b], strict=True):
                for a, alpha in enumerate(settings.alpha):
                    exact, estimate, error = (
                        values[b, a][:, mask] for values in (found.exact, found.estimate, found.standard_error)
                    )
                    (line if mask.sum() == 1 else mean_and_band)(
                        panel, a, generations, exact[:, 0] if mask.sum() == 1 else exact, f"α = {alpha}"
                    )
                    points(panel, a, generations, estimate.mean(1), error[:, 0] if mask.sum() == 1 else None)
                plain_log_axis(panel)
            axes[b][0].set_ylabel(f"β = {beta}\nMSPE (units of σ²)")
        for title, top, bottom in zip(masks, axes[0], axes[-1], strict=True):
            top.set_title(title)
            bottom.set_xlabel("generation")
        figure.legend(*axes[0][0].get_legend_handles_labels(), loc="outside upper center", ncols=len(settings.alpha))
    return figure


def _report(found: PredictionErrors, settings: Settings) -> Report:
    foreign = ~np.eye(settings.entities, dtype=bool) if settings.entities > 1 else np.ones((1, 1), bool)
    mean = found.exact[..., foreign].mean(axis=(0, 3))  # (α, generation), of every entity on the others' tasks
    drop, climb, low = float(1 - mean[0, 1] / mean[0, 0]), *(float(one[-1] / one.min()) for one in (mean[-1], mean[0]))
    whose = {1: "its own task", 2: "the other entity's task"}.get(settings.entities, "the others' tasks")
    first, last = settings.alpha[0], settings.alpha[-1]
    if drop > 0 and low < _STAYS_LOW and first < last:
        says = (
            f"On {whose} the error drops after one generation (by {drop:.0%} on average at α = {first}); it then "
            f"stays low for small α, but at α = {last} rises to {climb:.1f} times its lowest value within "
            f"{settings.generations} generations."
        )
    else:
        says = (
            f"On {whose} the error after one generation is {1 - drop:.2f} times the first on average at α = {first}; after "
            f"{settings.generations} generations it is {climb:.1f} times its lowest value at α = {last}."
        )
    drawn = "" if settings.entities <= 2 else "means over entities and tasks, bands: the middle 80 %; "
    bars = "bars: two standard errors; " if settings.entities <= 2 else ""
    return Report(
        "fig4",
        "Figure 4: prediction error against generation",
        says,
        f"K = {settings.entities}, d = {settings.dimension}, private features of rank {settings.rank}, S = S~, σ² = 1, one random "
        f"ecosystem (seed {settings.seed}); {drawn}lines: exact; points: {settings.replicates} Monte Carlo replicates; {bars}"
        "MSPE on a log axis.",
        {
            f"first_drop_on_other_task_at_alpha_{first}": drop,
            f"climb_on_other_task_at_alpha_{last}": climb,
            "monte_carlo": vars(found.agreement),
        },
    )
