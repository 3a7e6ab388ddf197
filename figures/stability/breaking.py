"""What breaks an ecosystem: random misalignment, networks without real data, and a small ridge penalty."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from crossfeed.random_keys import seeded_key

from ...theory import (
    Ecosystem,
    Network,
    Ridge,
    Weights,
    Workflow,
    ecosystem_from_grams,
    random_growth,
    random_misaligned,
    random_threshold,
    spectral_radius,
)
from ..report import Report, Request, save
from ..style import COLORS, DASHES, MARKERS, grid_of_axes, line, styled
from ..workflows.programs import COMPILER_OPTIONS
from ..workflows.table import table_of_panels

PROMPTS = 0.5  # φ
SIZES = (10, 20, 50, 100)  # K
DRAWS = (80, 40, 8, 4)  # random ecosystems of each size
COVERAGES = (0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5)  # y
GENERATIONS = 12
DIRECTIONS = ((-746, -1001), (1085, -1682), (2264, 1201))
READERS = ((1, 619, 381), (865, 0, 135), (989, 11, 0))
PENALTIES = np.geomspace(0.05, 100, 200)


@dataclass(frozen=True)
class Breaking:
    """The numbers of the figure.

    Attributes:
        growth: mean of K(ρ - 1) over random ecosystems.
        error: standard error of it.
        unstable: fraction of random ecosystems with ρ(Q) > 1.
        spread: by generation, the size of a perturbation of a network and of one pool, both without real data.
        ridge: ρ(Q) by penalty.
    """

    growth: Float[np.ndarray, "size coverage"]
    error: Float[np.ndarray, "size coverage"]
    unstable: Float[np.ndarray, "size coverage"]
    spread: Float[np.ndarray, "2 generation"]
    ridge: Float[np.ndarray, " penalty"]


def compute(seed: int, quick: bool) -> Breaking:
    """Exact numbers, of random ecosystems for the first two panels."""
    draws = (8, 8, 0, 0) if quick else DRAWS
    radii = np.full((len(SIZES), len(COVERAGES), max(draws)), np.nan)
    for row, (count, number) in enumerate(zip(SIZES, draws, strict=True)):
        ranks = np.array(COVERAGES) * _features(count) / count
        whole = ranks == np.round(ranks)
        if number:
            radii[row, whole, :number] = _radii(seed, count, ranks[whole].astype(int), number)
    known = (~np.isnan(radii)).sum(-1)
    some = np.maximum(known, 1)
    scaled = np.array(SIZES)[:, None, None] * (radii - 1)
    mean = np.where(known > 0, np.nansum(scaled, -1) / some, np.nan)
    variance = np.nansum((scaled - mean[..., None]) ** 2, -1) / np.maximum(known - 1, 1)
    return Breaking(
        growth=mean,
        error=np.where(known > 0, np.sqrt(variance / some), np.nan),
        unstable=np.where(known > 0, (radii > 1 + 1e-9).sum(-1) / some, np.nan),
        spread=np.stack([perturbation(np.array(READERS)), perturbation(np.ones((3, 3)))]),
        ridge=_ridge(),
    )


def _features(count: int) -> int:
    """d: twice the number of entities, so that every coverage is that of a whole rank, but only as many for the largest."""
    return 2 * count if count < max(SIZES) else count


def _radii(seed: int, count: int, ranks: np.ndarray, draws: int) -> Float[np.ndarray, "rank draw"]:
    """ρ(Q) of random ecosystems, one by one, as they are large."""
    size = _features(count)

    def of(case: tuple[Array, Array]) -> Float[Array, ""]:
        ecosystem = random_misaligned(case[0], count, size, case[1], round(PROMPTS * size))
        return spectral_radius(ecosystem, Weights(0.5, 1.0))

    keys = jnp.tile(jax.random.split(seeded_key(seed), draws), len(ranks))
    cases = keys, jnp.repeat(jnp.asarray(ranks), draws)
    program = jax.jit(lambda cases: jax.lax.map(of, cases), compiler_options=COMPILER_OPTIONS)
    return np.asarray(program(cases)).reshape(len(ranks), draws)


def perturbation(readers: np.ndarray) -> Float[np.ndarray, " generation"]:
    """Size of the estimates by generation at α = 1, from one entity that is off by one unit, without noise."""
    weights = readers / readers.sum(1, keepdims=True)
    published = np.einsum("ki,kj->kij", DIRECTIONS, DIRECTIONS) / 1e6
    read = np.einsum("kj,jab->kab", weights, published)
    recursion = np.einsum("kj,kab,jbc->kajc", weights, np.linalg.inv(read), published)
    estimates, sizes = np.zeros((3, 2)), []
    estimates[0, 0] = 1
    for _ in range(GENERATIONS + 1):
        sizes.append(np.linalg.norm(estimates))
        estimates = np.einsum("kajc,jc->ka", recursion, estimates)
    return np.array(sizes)


def ridge_ecosystem() -> Ecosystem:
    """Two entities that are stable without a penalty, and with a large one."""

    def outer(*rows: tuple[int, int]) -> np.ndarray:
        return np.einsum("ki,kj->kij", rows, rows).astype(float)

    return ecosystem_from_grams(outer((1, -1), (40, -90)), np.zeros((2, 2)), outer((12, -11), (11, -4)))


def _ridge() -> Float[np.ndarray, " penalty"]:
    """ρ(Q) at α = 1/2 and β = 1."""
    ecosystem = ridge_ecosystem()

    def of(penalty: Float[Array, ""]) -> Float[Array, ""]:
        return spectral_radius(ecosystem, Weights(0.5, 1.0), Workflow(Ridge(penalty)))

    return np.asarray(jax.jit(jax.vmap(of))(jnp.asarray(PENALTIES)))


def network_radius() -> float:
    """ρ(Q) of the network without real data."""
    published = np.einsum("ki,kj->kij", DIRECTIONS, DIRECTIONS) / 1e6
    ecosystem = ecosystem_from_grams(published, np.zeros((2, 2)), published)
    readers = np.array(READERS) / np.array(READERS).sum(1, keepdims=True)
    return float(spectral_radius(ecosystem, Weights(1.0, 1.0), Workflow(pool=Network(readers))))


def draw(request: Request) -> Report:
    """Write the growth of random ecosystems, the fraction that is unstable, a network that explodes, and ridge regression."""
    found = compute(request.seed, request.quick)
    sizes, coverages = np.array(SIZES)[:, None], np.array(COVERAGES)
    predicted = np.asarray(jax.vmap(lambda y: random_growth(y, PROMPTS, 1.0))(jnp.asarray(coverages))) - 1
    columns = table_of_panels(
        {
            "random": {
                "entities": sizes,
                "coverage": coverages,
                "scaled_growth": found.growth,
                "standard_error": found.error,
                "unstable": found.unstable,
                "conjecture": predicted,
            },
            "network": {
                "generation": np.arange(GENERATIONS + 1),
                "network": found.spread[0],
                "one_pool": found.spread[1],
            },
            "ridge": {"penalty": PENALTIES, "spectral_radius": found.ridge},
        }
    )
    low, high = (float(end) for end in random_threshold(PROMPTS))
    radius, worst = network_radius(), int(found.ridge.argmax())
    report = Report(
        "stability_breaking",
        "What breaks an ecosystem",
        "Random ecosystems without public data diverge, slowly for many entities, where their knowledge covers "
        f"{low:.2f} to {high:.0f} times the features (a conjecture, supported by these draws). A network of three readers "
        f"without real data grows by {radius:.3f} per generation, where one pool cannot. A ridge penalty of "
        f"{PENALTIES[worst]:.1f} lifts ρ(Q) from {found.ridge[0]:.3f} to {found.ridge[worst]:.3f}; a large one is safe.",
        f"Exact. Random: r directions known, n = {PROMPTS:g} d inputs, d = 2K ({max(SIZES)} for K = {max(SIZES)}), α = 1/2, β = 1, "
        f"up to {max(DRAWS)} draws (seed {request.seed}), bars: two standard errors. Network: K = 3, d = 2, α = 1. Ridge: "
        "K = d = 2, integer data, α = 1/2, β = 1.",
        {"network_radius": radius, "ridge_radius": float(found.ridge.max()), "threshold": [low, high]},
    )
    return save(request, report, _figure(found), columns)


def _figure(found: Breaking) -> Figure:
    with styled():
        figure, ((growth, unstable, network, ridge),) = grid_of_axes(1, 4, (13.5, 3.7))
        _draw_random(growth, unstable, found)
        generations = np.arange(GENERATIONS + 1)
        line(network, 1, generations, found.spread[0], "network of three")
        line(network, 0, generations, found.spread[1], "one pool")
        network.set(yscale="log", xlabel="generation", ylabel="size of a perturbation", title="no real data")
        network.legend()
        line(ridge, 0, PENALTIES, found.ridge)
        ridge.axhline(1, color="#888888", linewidth=0.8)
        ridge.set(
            xscale="log", xlabel="ridge penalty μ", ylabel="spectral radius ρ(Q)", title="ridge", ylim=(0.6, 1.05)
        )
    return figure


def _draw_random(growth: Axes, unstable: Axes, found: Breaking) -> None:
    """Growth and fraction of unstable ecosystems against coverage."""
    low, high = (float(end) for end in random_threshold(PROMPTS))
    fine = np.linspace(low + 1e-3, high - 1e-3, 200)
    curve = np.asarray(jax.vmap(lambda y: random_growth(y, PROMPTS, 1.0))(jnp.asarray(fine))) - 1
    growth.plot(fine, curve, color="#bbbbbb", linewidth=4, label="conjecture, K → ∞", zorder=1.5)
    for number, count in enumerate(SIZES):
        look: dict[str, Any] = {"color": COLORS[number], "linewidth": 0.9, "markersize": 3.5}
        growth.errorbar(
            COVERAGES,
            found.growth[number],
            2 * found.error[number],
            fmt=MARKERS[number] + DASHES[number],
            label=f"K = {count}",
            **look,
        )
        unstable.plot(COVERAGES, found.unstable[number], MARKERS[number] + DASHES[number], **look)
    growth.axhline(0, color="#888888", linewidth=0.8)
    growth.set(
        xlabel="y = Kr/d, joint coverage", ylabel="K (ρ(Q) - 1)", title="random ecosystems: growth", ylim=(-1, 0.5)
    )
    growth.legend(fontsize=7)
    unstable.axvspan(low, high, color="#eeeeee", label="conjecture: unstable")
    unstable.set(
        xlabel="y = Kr/d, joint coverage", ylabel="fraction with ρ(Q) > 1", title="random ecosystems: unstable"
    )
    unstable.legend(fontsize=7)
