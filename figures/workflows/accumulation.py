"""Replacement against accumulation for one model and several: noise, transfer, and the growth of errors."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from crossfeed.errors import InvalidInput
from crossfeed.formulas.memories import Memory

from ...theory import (
    Accumulate,
    Dataset,
    Ecosystem,
    Law,
    Replace,
    Weights,
    Workflow,
    baselines,
    mse,
    trajectory,
    worst_case,
)
from ..report import Report, Request, save
from ..settings import EntitySeries, Within
from ..style import DASHES, SERIES, color, crosses, grid_of_axes, line, styled, wide_line
from .table import table_of_panels

_MARKED = np.array([1, 2, 3, 5, 10, 20, 50, 100, 200])  # generations with the closed form
_NUMBERS = {4: "four"}
_TOLD = 20  # generation whose error after replacement is told


@dataclass(frozen=True)
class Settings:
    """Settings of the figure; accumulation.toml says what they are and holds the shipped ones."""

    entities: EntitySeries
    shares: Annotated[tuple[tuple[float, ...], ...], Within(0, 1, longest=2)]
    generations: Annotated[int, Within(2, 2000)]
    rank: Annotated[int, Within(2, 50)]
    ratios: Annotated[tuple[float, ...], Within(1e-6, 1e9, longest=SERIES)]

    def __post_init__(self) -> None:
        for shares in self.shares:
            if len(shares) < 2 or abs(sum(shares) - 1) > 1e-9:
                raise InvalidInput(
                    f"shares holds {list(shares)}, but must hold lists of two or more numbers that sum to 1"
                )

    @property
    def equal(self) -> tuple[tuple[float, ...], ...]:
        """Equal shares of each number of entities."""
        return tuple((1 / count,) * count for count in self.entities)

    @property
    def generation(self) -> Int[np.ndarray, " generation"]:
        """Generations 1, 2, …"""
        return np.arange(1, self.generations + 1)

    @property
    def marked(self) -> Int[np.ndarray, " marked"]:
        """Generations with the closed form."""
        return _MARKED[self.generations >= _MARKED]


@dataclass(frozen=True)
class Accumulation:
    """The numbers of the figure, at generations 1, 2, …

    Attributes:
        equal: MSE with equal shares, in units of V, where pools are replaced and where they accumulate.
        unequal: MSE of the entities with the largest and the smallest share, where pools accumulate.
        growth: size of an error of the first estimates in what is remembered, for both memories and each λ.
    """

    equal: dict[str, Float[np.ndarray, "case generation"]]
    unequal: Float[np.ndarray, "case generation 2"]
    growth: dict[str, Float[np.ndarray, "ratio generation"]]


def compute(settings: Settings) -> Accumulation:
    """Exact numbers of all panels."""
    room = max(map(len, settings.equal + settings.shares))

    def padded(lists: tuple[tuple[float, ...], ...]) -> Float[Array, "case entity"]:
        return jnp.array([[*shares, *[0.0] * (room - len(shares))] for shares in lists])

    replaced = _errors(1.0, Replace(), settings.generations)
    accumulated = _errors(0.5, Accumulate(), settings.generations)
    equal, ends = padded(settings.equal), np.asarray(accumulated(padded(settings.shares)))[:, :, :2]
    return Accumulation(
        {"replace": np.asarray(replaced(equal))[..., 0], "accumulate": np.asarray(accumulated(equal))[..., 0]},
        ends,
        {"replace": _growth(Replace(), settings), "accumulate": _growth(Accumulate(), settings)},
    )


def _errors(alpha: float, memory: Memory, generations: int) -> Callable[[Array], Array]:
    """Program for the MSE by generation and entity of several shares, with equal features and no public data.

    One feature is enough: in units of V, errors do not depend on d.
    """

    def error(shares: Float[Array, " entity"]) -> Float[Array, "generation entity"]:
        data = Dataset(jnp.ones((len(shares), 1, 1)))
        ecosystem = Ecosystem(
            private=data, public=Dataset(jnp.ones((1, 1))), synthetic=data, shares=shares, present=shares > 0
        )
        return trajectory(ecosystem, Weights(alpha, 1.0), generations - 1, mse, Workflow(memory=memory))

    return jax.jit(jax.vmap(error))


def _growth(memory: Memory, settings: Settings) -> Float[np.ndarray, "ratio generation"]:
    """How much of an error of the first estimates, which all entities share, is in the average of what is remembered.

    The first estimates are fitted to public data alone, and later ones to private data and pools. So the public data's part in
    what is remembered is that of the first estimates.
    """
    last, rank = settings.generations, settings.rank
    weights = Weights(0.5, jnp.ones((last + 1, 1)).at[0].set(0.0))

    def remembered(law: Law) -> Float[Array, ""]:
        return jnp.linalg.norm(law.state.from_public @ law.ecosystem.public.gram, 2)

    def amplification(ratio: Float[Array, ""]) -> Float[Array, " generation"]:
        public = Dataset(jnp.eye(rank))
        ecosystem = eqx.tree_at(lambda e: e.public, worst_case(rank, ratio), public)
        return trajectory(ecosystem, weights, last, remembered, Workflow(memory=memory))[1:]

    pools = settings.generation if isinstance(memory, Accumulate) else 1
    return np.asarray(jax.jit(jax.vmap(amplification))(jnp.array(settings.ratios))) / pools


def closed_growth(rank: int, ratio: float, memory: str, generations: np.ndarray) -> Float[np.ndarray, " generation"]:
    """Growth in closed form: a power of ρ(Q), or the product behind `baselines.pool_accumulate_amplification` up to here."""
    excess = (np.sqrt(rank) - 1) / 2
    if memory == "replace":
        return (1 + ratio / (1 + ratio) * excess) ** (generations - 1.0)
    step = np.arange(2, generations.max() + 1)
    product = np.cumprod(np.append(1.0, 1 + excess * ratio / (step * (step - 1 + ratio))))
    return product[generations - 1]


def draw(request: Request, settings: Settings) -> Report:
    """Compute and write the figure."""
    found, generation = compute(settings), settings.generation
    panels = {}
    for memory, errors in found.equal.items():
        columns = {"entities": np.array(settings.entities)[:, None], "generation": generation, "mse": errors}
        panels[f"equal shares, {memory}"] = columns | {"closed_form": _closed_equal(memory, settings)}
    for shares, errors in zip(settings.shares, found.unequal, strict=True):
        closed = baselines.pool_accumulate_shares(shares, settings.generations)[:, :2]
        columns = {"entities": len(shares), "share": shares[:2], "generation": generation[:, None]}
        panels[f"shares {shares}"] = columns | {"mse": errors, "closed_form": closed}
    for memory, growth in found.growth.items():
        columns = {"ratio": np.array(settings.ratios)[:, None], "generation": generation, "amplification": growth}
        closed = np.stack([closed_growth(settings.rank, ratio, memory, generation) for ratio in settings.ratios])
        panels[f"growth, {memory}"] = columns | {"closed_form": closed}
    return save(request, _report(found, settings), _figure(found, settings), table_of_panels(panels))


def _closed_equal(memory: str, settings: Settings) -> Float[np.ndarray, "case generation"]:
    last = settings.generations
    if memory == "replace":
        return np.stack([baselines.pool_recursion_shares(shares, last - 1) for shares in settings.equal])
    return np.stack([baselines.pool_accumulate_shares(shares, last)[:, 0] for shares in settings.equal])


def _report(found: Accumulation, settings: Settings) -> Report:
    count, errors = settings.entities[-1], found.equal["accumulate"][-1]
    end, lowest = baselines.pool_accumulate_shares_limit(settings.equal[-1]), int(errors.argmin())
    bound = baselines.pool_accumulate_amplification(settings.rank, settings.ratios[-1])
    told = min(_TOLD, settings.generations)
    exploded = found.growth["replace"][-1][told - 1]
    who = "one model" if count == 1 else f"{_NUMBERS.get(count, count)} models with equal shares"
    dip = (
        f", after a dip to {errors[lowest]:.3f} V at generation {1 + lowest}: transfer first, then noise"
        if lowest
        else ""
    )
    return Report(
        "accumulation",
        "Replace or accumulate",
        f"If all pools are kept, the error ends at π²/6 Σw² V instead of growing for ever: at {end:.3f} V for {who}{dip}. "
        f"Where replacement multiplies an error by {exploded:.0f} within {told} generations, accumulation lets it grow like a "
        f"power of the generation, to {bound:.1f} at most.",
        "Exact. Left and middle: S = S~, β = 1, any d; a pool weighs as much as one entity's private data (α = 1/2), which "
        f"replacement drops after the first generation (α = 1). Right: worst-case family, K = d = {settings.rank}, α = 1/2, β = 1; "
        "the first estimates of all entities have the same error; λ: largest weight of private data, relative to one pool.",
        {
            "dip": float(errors[lowest]),
            "limit": end,
            "amplification_bound": bound,
            "amplification_of_replacement": float(exploded),
        },
    )


def _figure(found: Accumulation, settings: Settings) -> Figure:
    """Three panels: equal shares, unequal shares, and the growth of errors."""
    with styled():
        figure, (axes,) = grid_of_axes(1, 3, (10.5, 3.9))
        equal, unequal, growth = axes
        _draw_equal(equal, found, settings)
        _draw_unequal(unequal, found, settings)
        _draw_growth(growth, found, settings)
        equal.set_yscale("log")
        growth.set_yscale("log")
        ticks = [1, *(tick for tick in settings.marked if tick not in (1, 3))]
        for panel in axes:
            panel.set(xscale="log", xlabel="generation (1: real data)")
            panel.set_xticks(ticks, [*map(str, ticks)])
            panel.minorticks_off()
    return figure


def _draw_equal(panel: Axes, found: Accumulation, settings: Settings) -> None:
    """Errors with equal shares, of both memories, with closed forms."""
    generation, marked = settings.generation, settings.marked
    for number, shares in enumerate(settings.equal):
        kept, replaced = (found.equal[memory][number] for memory in ("accumulate", "replace"))
        line(panel, number, generation, kept, f"K = {len(shares)}")
        panel.plot(generation, replaced, DASHES[number], color=color(number), linewidth=0.6)
        for memory in found.equal:
            crosses(panel, marked, _closed_equal(memory, settings)[number, marked - 1])
    panel.lines[-1].set_label("closed form")
    ends = min(0.3, 0.75 * found.equal["accumulate"].min()), 1.25 * settings.generations
    panel.set(title="equal shares (thin: replacement)", ylabel="MSE (units of V = σ² tr S⁻¹)", ylim=ends)
    panel.legend(loc="upper left")


def _draw_unequal(panel: Axes, found: Accumulation, settings: Settings) -> None:
    """Errors of the entities with the largest and the smallest share, with closed forms and limits."""
    generation, marked, number = settings.generation, settings.marked, 0
    for shares, errors in zip(settings.shares, found.unequal, strict=True):
        closed = baselines.pool_accumulate_shares(shares, settings.generations)
        for entity, share in enumerate(shares[:2]):
            line(panel, number, generation, errors[:, entity], f"share {share:g} of K = {len(shares)}")
            crosses(panel, marked, closed[marked - 1, entity])
            number += 1
        panel.axhline(baselines.pool_accumulate_shares_limit(shares), color="#888888", linewidth=0.8)
    panel.set(
        title="unequal shares, accumulated (gray: limits)",
        ylabel="MSE (units of V)",
        ylim=(0, max(2.2, 1.1 * found.unequal.max())),
    )
    panel.legend(loc="upper left")


def _draw_growth(panel: Axes, found: Accumulation, settings: Settings) -> None:
    """Growth of an error, exponential or like a power, with the bounds of the latter."""
    generation, marked = settings.generation, settings.marked
    wide_line(panel, generation, found.growth["replace"][-1], f"replaced, λ = {settings.ratios[-1]:g}")
    for number, (ratio, growth) in enumerate(zip(settings.ratios, found.growth["accumulate"], strict=True)):
        line(panel, number, generation, growth, f"accumulated, λ = {ratio:g}")
        crosses(panel, marked, closed_growth(settings.rank, ratio, "accumulate", marked))
        panel.axhline(baselines.pool_accumulate_amplification(settings.rank, ratio), color=color(number), linewidth=0.5)
    panel.set(title="worst case (thin: bounds)", ylabel="size of an error of the first estimates")
    panel.set_ylim(0.06, max(400, 2 * found.growth["accumulate"].max()))
    panel.legend(loc="lower right")
