"""Curation of a pool that is replaced or accumulates: how far estimates drift, and how much their spread narrows."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from crossfeed.errors import InvalidInput
from crossfeed.formulas.memories import Memory
from crossfeed.random_keys import seeded_key

from ...sim.regression import AbstractCuration, Gaussian, KeepAll, KeepBest, Regression, simulate_regression
from ...sim.regression.labels import AbstractLabels
from ...sim.regression.simulation import NO_EXACT_LAW
from ...theory import Accumulate, Features, Replace, Weights
from ..report import Report, Request, save
from ..settings import Replicates, Seed, Weight, Within
from ..style import DASHES, MARKERS, color, grid_of_axes, line, points, styled
from .programs import COMPILER_OPTIONS
from .table import table_of_panels

JUDGES = ("none", "reader", "oracle", "point")
MEMORIES: dict[str, Memory] = {"replace": Replace(), "accumulate": Accumulate()}

_MARKED = np.array([0, 1, 2, 3, 5, 7, 10, 15, 20])  # generations with error bars
_QUANTILES = 20  # of the noise, of labels whose variance is measured
_NAMES = {"none": "none", "reader": "reader's own loss", "oracle": "oracle", "point": "biased point"}


@dataclass(frozen=True)
class Settings:
    """Settings of the figure; curation.toml says what they are and holds the shipped ones."""

    seed: Seed
    entities: Annotated[int, Within(2, 50)]
    rows: Annotated[int, Within(1, 10_000)]
    truth: Annotated[tuple[float, ...], Within(-1e6, 1e6, longest=100)]
    point: Annotated[tuple[float, ...], Within(-1e6, 1e6, longest=100)]
    fraction: Annotated[float, Within(0.01, 1)]
    alpha: Weight
    beta: Weight
    generations: Annotated[int, Within(1, 1000)]
    replicates: Replicates

    def __post_init__(self) -> None:
        if len(self.point) != len(self.truth):
            raise InvalidInput(
                f"point is {list(self.point)}, but must be as long as truth, which is {list(self.truth)}"
            )

    @property
    def marked(self) -> Int[np.ndarray, " marked"]:
        """Generations with error bars."""
        return _MARKED[self.generations >= _MARKED]


@dataclass(frozen=True)
class Curation:
    """Measurements at generations 0, 1, …, means over the entities.

    Attributes:
        mse: mean squared error, by memory.
        mse_se: its standard error.
        bias: squared distance of the mean estimate from the truth.
        spread: trace of the covariance of the estimates; with `bias` it makes up the MSE.
        apart: trace of the covariance of the entities' estimates within a replicate, mean over replicates.
        kept: variance of the noise in the labels that are kept, in units of σ².
    """

    mse: dict[str, Float[np.ndarray, "judge generation"]]
    mse_se: dict[str, Float[np.ndarray, "judge generation"]]
    bias: dict[str, Float[np.ndarray, "judge generation"]]
    spread: dict[str, Float[np.ndarray, "judge generation"]]
    apart: dict[str, Float[np.ndarray, "judge generation"]]
    kept: dict[str, Float[np.ndarray, "judge generation"]]


class OneOf(AbstractCuration):
    """One of the curations of the figure, so that one program serves them all.

    Attributes:
        which: index into `JUDGES`.
        settings: settings of the figure.
    """

    which: Int[Array, ""]
    settings: Settings = eqx.field(static=True)

    def weights(
        self,
        labels: AbstractLabels,
        rows: Float[Array, "publisher rows d"],
        published: Float[Array, "publisher rows"],
        estimates: Float[Array, "entity d"],
        truth: Float[Array, " d"],
    ) -> Float[Array, "entity publisher rows"]:
        """Weights by that curation, alone of all computed, since the index is the same for all replicates."""

        def by(judge: str) -> Callable[[Array, Array, Array, Array], Array]:
            return lambda *data: curation(judge, self.settings).weights(labels, *data)

        return jax.lax.switch(self.which, [by(judge) for judge in JUDGES], rows, published, estimates, truth)


def curation(judge: str, settings: Settings) -> AbstractCuration:
    """The curation of this name."""
    if judge == "none":
        return KeepAll()
    point = jnp.array(settings.point) if judge == "point" else None
    return KeepBest(settings.fraction, judge, point)  # pyright: ignore[reportArgumentType]


def inputs(settings: Settings) -> Features:
    """Gaussian rows of all datasets."""
    count = settings.entities
    size = (2 * count + 1, settings.rows, len(settings.truth))
    rows = np.random.default_rng(settings.seed).normal(size=size)
    return Features(rows[:count], rows[count], rows[count + 1 :])


def compute(settings: Settings) -> Curation:
    """Numbers of all panels, with the same random numbers for all curations."""
    features, truth, replicates = inputs(settings), np.array(settings.truth), settings.replicates
    found: dict[str, list[np.ndarray]] = {}
    for name, memory in MEMORIES.items():

        def of_judge(which: Array, memory: Memory = memory) -> tuple[Array, ...]:
            return _simulated(features, memory, OneOf(which, settings), settings)

        program = jax.jit(of_judge, compiler_options=COMPILER_OPTIONS)
        by_judge = [program(jnp.asarray(which)) for which in range(len(JUDGES))]
        error, se, mean, mean_se, apart, kept = (np.stack(values) for values in zip(*by_judge, strict=True))
        spread = replicates * (mean_se**2).sum(-1)
        bias = ((mean - truth) ** 2).sum(-1) - spread / replicates
        found[name] = [error, se, bias.mean(-1), spread.mean(-1), apart, kept]
    error, se, bias, spread, apart, kept = ({name: values[i] for name, values in found.items()} for i in range(6))
    return Curation(error, se, bias, spread, apart, kept)


def _simulated(
    features: Features,
    memory: Memory,
    curation: AbstractCuration,
    settings: Settings,
) -> tuple[Array, ...]:
    """Simulated MSE of the mean entity with its standard error, mean estimates with theirs, and what else is measured."""
    truth, labels = jnp.array(settings.truth), Gaussian()
    regression = Regression(features, truth, labels=labels, curation=curation, memory=memory)
    noise = jax.scipy.stats.norm.ppf((jnp.arange(float(_QUANTILES)) + 0.5) / _QUANTILES)
    rows = jnp.repeat(jnp.asarray(features.synthetic), _QUANTILES, axis=1)
    noise = jnp.tile(noise, (len(rows), settings.rows))

    def measure(estimates: Float[Array, "entity d"]) -> tuple[Array, ...]:
        published = jnp.einsum("jna,ja->jn", rows, estimates) + noise
        weights = curation.weights(labels, rows, published, estimates, truth) / published.size
        mean = (weights * noise[None]).sum((1, 2))
        kept = ((weights * noise[None] ** 2).sum((1, 2)) - mean**2) / (noise**2).mean()
        error = ((estimates - truth[None]) ** 2).sum(1).mean()
        apart = ((estimates - estimates.mean(0)[None]) ** 2).sum() / (len(estimates) - 1)
        return error, estimates, apart, kept.mean()

    weights, key = Weights(settings.alpha, settings.beta), seeded_key(settings.seed)
    found = simulate_regression(regression, weights, settings.generations, settings.replicates, key, measure)
    (error, mean, apart, kept), (error_se, mean_se, _, _) = found.measured, found.measured_se
    return error, error_se, mean, mean_se, apart, kept


def draw(request: Request, settings: Settings) -> Report:
    """Compute and write the figure."""
    found = compute(settings)
    panels = {
        memory: {
            "judge": np.array(JUDGES)[:, None],
            "generation": np.arange(settings.generations + 1),
            "mse": found.mse[memory],
            "standard_error": found.mse_se[memory],
            "squared_bias": found.bias[memory],
            "spread": found.spread[memory],
            "apart": found.apart[memory],
            "kept_label_variance": found.kept[memory],
        }
        for memory in MEMORIES
    }
    return save(request, _report(request, found, settings), _figure(found, settings), table_of_panels(panels))


def _report(request: Request, found: Curation, settings: Settings) -> Report:
    last = {memory: dict(zip(JUDGES, found.mse[memory][:, -1].tolist(), strict=True)) for memory in MEMORIES}
    kept, replaced = last["accumulate"], last["replace"]
    point = JUDGES.index("point")
    spread = {memory: values[:, -1] for memory, values in found.spread.items()}
    away = sum((a - b) ** 2 for a, b in zip(settings.truth, settings.point, strict=True))
    halved = found.kept["accumulate"][JUDGES.index("reader"), -1]
    parts = ", ".join(
        f"{name} {values['accumulate'][point, -1]:.3g} (accumulated) and {values['replace'][point, -1]:.3g} (replaced)"
        for name, values in (("squared bias", found.bias), ("spread", found.spread))
    )
    measured = (
        f"A judge with a biased point leaves estimates with {parts}; without a judge, the mean MSE is {kept['none']:.3g} "
        f"(accumulated) and {replaced['none']:.3g} (replaced)."
    )
    return Report(
        "curation",
        "Curation of the pool",
        measured
        if request.changed
        else "Accumulation does not save from selection: a judge with a biased point pulls estimates to a squared bias of "
        f"{found.bias['accumulate'][point, -1]:.2f} (the point: {away:g}; replacement, where real data keep their weight: "
        f"{found.bias['replace'][point, -1]:.2f}), while their spread narrows to {spread['accumulate'][point]:.3f} (uncurated "
        f"{spread['accumulate'][0]:.2f}): they agree on what is wrong. Readers that keep what fits themselves see about "
        f"{halved:.0%} of the noise variance: less noise, but errors of their own that stay, {kept['reader']:.2f} (uncurated "
        f"{kept['none']:.2f}). An oracle helps: {kept['oracle']:.4f}, and {replaced['oracle']:.3f} if the pool is replaced.",
        f"{NO_EXACT_LAW[0].upper()}{NO_EXACT_LAW[1:]}. K = {settings.entities}, d = {len(settings.truth)}, σ² = 1, "
        f"{settings.rows} "
        f"fixed Gaussian rows per dataset, α = {settings.alpha}, "
        f"β = {settings.beta}, truth {settings.truth}, biased point {settings.point}; "
        f"each time the {settings.fraction:.0%} with the smallest loss are kept, with the weight of all; "
        f"{settings.replicates} replicates; bars: 2 standard errors (seed {settings.seed}).",
        {
            "last_mse": last,
            "last_squared_bias_of_point": {memory: float(values[point, -1]) for memory, values in found.bias.items()},
            "last_spread": {
                memory: dict(zip(JUDGES, values.tolist(), strict=True)) for memory, values in spread.items()
            },
            "kept_label_variance_of_reader": float(halved),
        },
    )


def _figure(found: Curation, settings: Settings) -> Figure:
    """Three panels: the MSE for both memories, and bias and spread of the estimates that a biased point pulls."""
    with styled():
        figure, (axes,) = grid_of_axes(1, 3, (10.5, 3.9), sharex=True)
        for panel, memory in zip(axes, MEMORIES, strict=False):
            _draw_errors(panel, found, settings, memory)
        axes[1].sharey(axes[0])
        _draw_parts(axes[2], found, settings)
        for panel in axes:
            panel.set(yscale="log", xlabel="generation (0: real data)")
            panel.set_xticks(range(0, settings.generations + 1, max(1, settings.generations // 4)))
    return figure


def _draw_errors(panel: Axes, found: Curation, settings: Settings, memory: str) -> None:
    """MSE by generation for all curations."""
    generation = np.arange(settings.generations + 1)
    for number, judge in enumerate(JUDGES):
        error, se = found.mse[memory][number], found.mse_se[memory][number]
        _series(panel, number, _NAMES[judge])
        line(panel, number, generation, error)
        points(panel, number, settings.marked, error[settings.marked], se[settings.marked])
    past = {"replace": "replaced", "accumulate": "accumulated"}[memory]
    panel.set(title=f"pool {past}", ylabel="mean MSE")
    if memory == "replace":
        panel.legend(loc="lower left", title="curation")


def _draw_parts(panel: Axes, found: Curation, settings: Settings) -> None:
    """Squared bias and spread of the estimates that a biased point pulls, from generation 1 on."""
    point, generation, number = JUDGES.index("point"), np.arange(settings.generations + 1), 0
    for name, values in (("squared bias", found.bias), ("spread", found.spread)):
        for memory in MEMORIES:
            shown = (
                np.where(generation > 0, values[memory][point], np.nan)
                if name == "squared bias"
                else values[memory][point]
            )
            _series(panel, number, f"{name}, {memory}")
            line(panel, number, generation, shown)
            points(panel, number, settings.marked, shown[settings.marked])
            number += 1
    top = max(3, 1.5 * float(np.sum(np.subtract(settings.truth, settings.point) ** 2)))
    panel.set(title="biased point: drift and narrowing", ylabel="part of the MSE", ylim=(2e-4, top))
    panel.legend(loc="lower left")


def _series(panel: Axes, number: int, label: str) -> None:
    """Entry of the legend for a line with points."""
    look: dict[str, Any] = {"color": color(number), "markersize": 3.5, "markerfacecolor": "white"}
    panel.plot([], [], DASHES[number] + MARKERS[number], label=label, **look)
