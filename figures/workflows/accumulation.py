"""Replacement against accumulation for one model and several: noise, transfer, and the growth of errors."""

from collections.abc import Callable
from dataclasses import dataclass

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

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
from ..style import COLORS, DASHES, crosses, grid_of_axes, line, styled, wide_line
from .table import table_of_panels

GENERATIONS = 200  # of all panels; the fit to real data is the first
EQUAL = ((1.0,), (0.5, 0.5), (0.25, 0.25, 0.25, 0.25))
UNEQUAL = ((0.9, 0.1), (0.7, 0.1, 0.1, 0.1))
RANK, RATIOS = 4, (10.0, 100.0, 1000.0)  # of the worst case: K = d, and λ = ā L/α

_ROOM = 4  # entities that arrays have room for
_MARKED = np.array([1, 2, 3, 5, 10, 20, 50, 100, 200])  # generations with the closed form


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


def compute() -> Accumulation:
    """Exact numbers of all panels."""
    replaced, accumulated = _errors(1.0, Replace()), _errors(0.5, Accumulate())
    equal = jnp.array([_padded(shares) for shares in EQUAL])
    unequal = jnp.array([_padded(shares) for shares in UNEQUAL])
    ends = np.asarray(accumulated(unequal))[:, :, :2]
    return Accumulation(
        {"replace": np.asarray(replaced(equal))[..., 0], "accumulate": np.asarray(accumulated(equal))[..., 0]},
        ends,
        {"replace": _growth(Replace()), "accumulate": _growth(Accumulate())},
    )


def _padded(shares: tuple[float, ...]) -> list[float]:
    return [*shares, *[0.0] * (_ROOM - len(shares))]


def _errors(alpha: float, memory: Memory) -> Callable[[Array], Array]:
    """Program for the MSE by generation and entity of several shares, with equal features and no public data.

    One feature is enough: in units of V, errors do not depend on d.
    """

    def error(shares: Float[Array, " entity"]) -> Float[Array, "generation entity"]:
        data = Dataset(jnp.ones((_ROOM, 1, 1)))
        ecosystem = Ecosystem(
            private=data, public=Dataset(jnp.ones((1, 1))), synthetic=data, shares=shares, present=shares > 0
        )
        return trajectory(ecosystem, Weights(alpha, 1.0), GENERATIONS - 1, mse, Workflow(memory=memory))

    return jax.jit(jax.vmap(error))


def _growth(memory: Memory) -> Float[np.ndarray, "ratio generation"]:
    """How much of an error of the first estimates, which all entities share, is in the average of what is remembered.

    The first estimates are fitted to public data alone, and later ones to private data and pools. So the public data's part in
    what is remembered is that of the first estimates.
    """
    weights = Weights(0.5, jnp.ones((GENERATIONS + 1, 1)).at[0].set(0.0))

    def remembered(law: Law) -> Float[Array, ""]:
        return jnp.linalg.norm(law.state.from_public @ law.ecosystem.public.gram, 2)

    def amplification(ratio: Float[Array, ""]) -> Float[Array, " generation"]:
        public = Dataset(jnp.eye(RANK))
        ecosystem = eqx.tree_at(lambda e: e.public, worst_case(RANK, ratio), public)
        return trajectory(ecosystem, weights, GENERATIONS, remembered, Workflow(memory=memory))[1:]

    pools = np.arange(1, GENERATIONS + 1) if isinstance(memory, Accumulate) else 1
    return np.asarray(jax.jit(jax.vmap(amplification))(jnp.array(RATIOS))) / pools


def closed_growth(ratio: float, memory: str, generations: np.ndarray) -> Float[np.ndarray, " generation"]:
    """Growth in closed form: a power of ρ(Q), or the product behind `baselines.pool_accumulate_amplification` up to here."""
    excess = (np.sqrt(RANK) - 1) / 2
    if memory == "replace":
        return (1 + ratio / (1 + ratio) * excess) ** (generations - 1.0)
    step = np.arange(2, generations.max() + 1)
    product = np.cumprod(np.append(1.0, 1 + excess * ratio / (step * (step - 1 + ratio))))
    return product[generations - 1]


def draw(request: Request) -> Report:
    """Compute and write the figure."""
    found = compute()
    generation = np.arange(1, GENERATIONS + 1)
    panels = {}
    for memory, errors in found.equal.items():
        columns = {"entities": np.array([len(s) for s in EQUAL])[:, None], "generation": generation, "mse": errors}
        panels[f"equal shares, {memory}"] = columns | {"closed_form": _closed_equal(memory)}
    for shares, errors in zip(UNEQUAL, found.unequal, strict=True):
        closed = baselines.pool_accumulate_shares(shares, GENERATIONS)[:, :2]
        columns = {"entities": len(shares), "share": shares[:2], "generation": generation[:, None]}
        panels[f"shares {shares}"] = columns | {"mse": errors, "closed_form": closed}
    for memory, growth in found.growth.items():
        columns = {"ratio": np.array(RATIOS)[:, None], "generation": generation, "amplification": growth}
        closed = np.stack([closed_growth(ratio, memory, generation) for ratio in RATIOS])
        panels[f"growth, {memory}"] = columns | {"closed_form": closed}
    return save(request, _report(found), _figure(found), table_of_panels(panels))


def _closed_equal(memory: str) -> Float[np.ndarray, "case generation"]:
    if memory == "replace":
        return np.stack([baselines.pool_recursion_shares(shares, GENERATIONS - 1) for shares in EQUAL])
    return np.stack([baselines.pool_accumulate_shares(shares, GENERATIONS)[:, 0] for shares in EQUAL])


def _report(found: Accumulation) -> Report:
    four = found.equal["accumulate"][2]
    end = baselines.pool_accumulate_shares_limit(EQUAL[2])
    bound = baselines.pool_accumulate_amplification(RANK, RATIOS[-1])
    exploded = found.growth["replace"][-1][19]
    return Report(
        "accumulation",
        "Replace or accumulate",
        f"If all pools are kept, the error ends at π²/6 Σw² V instead of growing for ever: at {end:.3f} V for four models with "
        f"equal shares, after a dip to {four.min():.3f} V at generation {1 + four.argmin()}: transfer first, then noise. "
        f"Where replacement multiplies an error by {exploded:.0f} within 20 generations, accumulation lets it grow like a power of "
        f"the generation, to {bound:.1f} at most.",
        "Exact. Left and middle: S = S~, β = 1, any d; a pool weighs as much as one entity's private data (α = 1/2), which "
        f"replacement drops after the first generation (α = 1). Right: worst-case family, K = d = {RANK}, α = 1/2, β = 1; the "
        "first estimates of all entities have the same error; λ: largest weight of private data, relative to one pool.",
        {
            "dip_of_four": float(four.min()),
            "limit_of_four": end,
            "amplification_bound": bound,
            "amplification_of_replacement_at_20": float(exploded),
        },
    )


def _figure(found: Accumulation) -> Figure:
    """Three panels: equal shares, unequal shares, and the growth of errors."""
    with styled():
        figure, (axes,) = grid_of_axes(1, 3, (10.5, 3.9))
        equal, unequal, growth = axes
        _draw_equal(equal, found)
        _draw_unequal(unequal, found)
        _draw_growth(growth, found)
        equal.set_yscale("log")
        growth.set_yscale("log")
        for panel in axes:
            panel.set(xscale="log", xlabel="generation (1: real data)")
            panel.set_xticks([1, 2, 5, 10, 20, 50, 100, 200], ["1", "2", "5", "10", "20", "50", "100", "200"])
            panel.minorticks_off()
    return figure


def _draw_equal(panel: Axes, found: Accumulation) -> None:
    """Errors with equal shares, of both memories, with closed forms."""
    generation = np.arange(1, GENERATIONS + 1)
    for number, shares in enumerate(EQUAL):
        kept, replaced = (found.equal[memory][number] for memory in ("accumulate", "replace"))
        line(panel, number, generation, kept, f"K = {len(shares)}")
        panel.plot(generation, replaced, DASHES[number], color=COLORS[number], linewidth=0.6)
        for memory in found.equal:
            crosses(panel, _MARKED, _closed_equal(memory)[number, _MARKED - 1])
    panel.lines[-1].set_label("closed form")
    panel.set(title="equal shares (thin: replacement)", ylabel="MSE (units of V = σ² tr S⁻¹)", ylim=(0.3, 250))
    panel.legend(loc="upper left")


def _draw_unequal(panel: Axes, found: Accumulation) -> None:
    """Errors of the entities with the largest and the smallest share, with closed forms and limits."""
    generation, number = np.arange(1, GENERATIONS + 1), 0
    for shares, errors in zip(UNEQUAL, found.unequal, strict=True):
        closed = baselines.pool_accumulate_shares(shares, GENERATIONS)
        for entity, share in enumerate(shares[:2]):
            line(panel, number, generation, errors[:, entity], f"share {share:g} of K = {len(shares)}")
            crosses(panel, _MARKED, closed[_MARKED - 1, entity])
            number += 1
        panel.axhline(baselines.pool_accumulate_shares_limit(shares), color="#888888", linewidth=0.8)
    panel.set(title="unequal shares, accumulated (gray: limits)", ylabel="MSE (units of V)", ylim=(0, 2.2))
    panel.legend(loc="upper left")


def _draw_growth(panel: Axes, found: Accumulation) -> None:
    """Growth of an error, exponential or like a power, with the bounds of the latter."""
    generation = np.arange(1, GENERATIONS + 1)
    wide_line(panel, generation, found.growth["replace"][-1], f"replaced, λ = {RATIOS[-1]:g}")
    for number, (ratio, growth) in enumerate(zip(RATIOS, found.growth["accumulate"], strict=True)):
        line(panel, number, generation, growth, f"accumulated, λ = {ratio:g}")
        crosses(panel, _MARKED, closed_growth(ratio, "accumulate", _MARKED))
        panel.axhline(baselines.pool_accumulate_amplification(RANK, ratio), color=COLORS[number], linewidth=0.5)
    panel.set(title="worst case (thin: bounds)", ylabel="size of an error of the first estimates", ylim=(0.06, 400))
    panel.legend(loc="lower right")
