"""What breaks an ecosystem: random misalignment, networks without real data, and a small ridge penalty."""

from dataclasses import dataclass
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from crossfeed.errors import InvalidInput
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
from ..settings import Seed, Within
from ..style import DASHES, MARKERS, SERIES, color, grid_of_axes, line, small_font, styled
from ..workflows.programs import COMPILER_OPTIONS
from ..workflows.table import table_of_panels

DIRECTIONS = ((-746, -1001), (1085, -1682), (2264, 1201))
READERS = ((1, 619, 381), (865, 0, 135), (989, 11, 0))
PENALTIES = np.geomspace(0.05, 100, 200)

_LARGE = 100  # K from which random ecosystems have as many features as entities


@dataclass(frozen=True)
class Settings:
    """Settings of the figure; breaking.toml says what they are and holds the shipped ones."""

    seed: Seed
    prompts: Annotated[float, Within(0.01, 1)]
    entities: Annotated[tuple[int, ...], Within(2, 200, longest=SERIES)]
    draws_by_size: Annotated[tuple[int, ...], Within(0, 10_000, longest=SERIES)]
    coverages: Annotated[tuple[float, ...], Within(0.01, 100, longest=50)]
    generations: Annotated[int, Within(1, 50)]

    def __post_init__(self) -> None:
        if len(self.draws_by_size) != len(self.entities):
            raise InvalidInput(
                f"draws_by_size is {list(self.draws_by_size)}, but must hold a number for each K in {list(self.entities)}"
            )


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


def compute(settings: Settings) -> Breaking:
    """Exact numbers, of random ecosystems for the first two panels."""
    sizes, coverages, draws = settings.entities, np.array(settings.coverages), settings.draws_by_size
    radii = np.full((len(sizes), len(coverages), max(draws)), np.nan)
    for row, (count, number) in enumerate(zip(sizes, draws, strict=True)):
        ranks = coverages * _features(count) / count
        whole = ranks == np.round(ranks)
        if number:
            radii[row, whole, :number] = _radii(settings, count, ranks[whole].astype(int), number)
    known = (~np.isnan(radii)).sum(-1)
    some = np.maximum(known, 1)
    scaled = np.array(sizes)[:, None, None] * (radii - 1)
    mean = np.where(known > 0, np.nansum(scaled, -1) / some, np.nan)
    variance = np.nansum((scaled - mean[..., None]) ** 2, -1) / np.maximum(known - 1, 1)
    return Breaking(
        growth=mean,
        error=np.where(known > 0, np.sqrt(variance / some), np.nan),
        unstable=np.where(known > 0, (radii > 1 + 1e-9).sum(-1) / some, np.nan),
        spread=np.stack(
            [perturbation(readers, settings.generations) for readers in (np.array(READERS), np.ones((3, 3)))]
        ),
        ridge=_ridge(),
    )


def _features(count: int) -> int:
    """d: twice the number of entities, so that every coverage is that of a whole rank, but only as many for 100 and more."""
    return 2 * count if count < _LARGE else count


def _radii(settings: Settings, count: int, ranks: np.ndarray, draws: int) -> Float[np.ndarray, "rank draw"]:
    """ρ(Q) of random ecosystems, one by one, as they are large."""
    size = _features(count)

    def of(case: tuple[Array, Array]) -> Float[Array, ""]:
        ecosystem = random_misaligned(case[0], count, size, case[1], round(settings.prompts * size))
        return spectral_radius(ecosystem, Weights(0.5, 1.0))

    keys = jnp.tile(jax.random.split(seeded_key(settings.seed), draws), len(ranks))
    cases = keys, jnp.repeat(jnp.asarray(ranks), draws)
    program = jax.jit(lambda cases: jax.lax.map(of, cases), compiler_options=COMPILER_OPTIONS)
    return np.asarray(program(cases)).reshape(len(ranks), draws)


def perturbation(readers: np.ndarray, generations: int) -> Float[np.ndarray, " generation"]:
    """Size of the estimates by generation at α = 1, from one entity that is off by one unit, without noise."""
    weights = readers / readers.sum(1, keepdims=True)
    published = np.einsum("ki,kj->kij", DIRECTIONS, DIRECTIONS) / 1e6
    read = np.einsum("kj,jab->kab", weights, published)
    recursion = np.einsum("kj,kab,jbc->kajc", weights, np.linalg.inv(read), published)
    estimates, sizes = np.zeros((3, 2)), []
    estimates[0, 0] = 1
    for _ in range(generations + 1):
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


def draw(request: Request, settings: Settings) -> Report:
    """Write the growth of random ecosystems, the fraction that is unstable, a network that explodes, and ridge regression."""
    found = compute(settings)
    sizes, coverages = np.array(settings.entities)[:, None], np.array(settings.coverages)
    predicted = np.asarray(jax.vmap(lambda y: random_growth(y, settings.prompts, 1.0))(jnp.asarray(coverages))) - 1
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
                "generation": np.arange(settings.generations + 1),
                "network": found.spread[0],
                "one_pool": found.spread[1],
            },
            "ridge": {"penalty": PENALTIES, "spectral_radius": found.ridge},
        }
    )
    low, high = (float(end) for end in random_threshold(settings.prompts))
    large = "".join(f" ({count} for K = {count})" for count in settings.entities if count >= _LARGE)
    radius, worst = network_radius(), int(found.ridge.argmax())
    supported = "a conjecture" if request.changed else "a conjecture, supported by these draws"
    report = Report(
        "stability_breaking",
        "What breaks an ecosystem",
        "Random ecosystems without public data diverge, slowly for many entities, where their knowledge covers "
        f"{low:.2f} to {high:.0f} times the features ({supported}). A network of three readers "
        f"without real data grows by {radius:.3f} per generation, where one pool cannot. A ridge penalty of "
        f"{PENALTIES[worst]:.1f} lifts ρ(Q) from {found.ridge[0]:.3f} to {found.ridge[worst]:.3f}; a large one is safe.",
        f"Exact. Random: r directions known, n = {settings.prompts:g} d inputs, d = 2K{large}, α = 1/2, β = 1, "
        f"up to {max(settings.draws_by_size)} draws (seed {settings.seed}), bars: two standard errors. Network: K = 3, d = 2, "
        "α = 1. Ridge: K = d = 2, integer data, α = 1/2, β = 1.",
        {"network_radius": radius, "ridge_radius": float(found.ridge.max()), "threshold": [low, high]},
    )
    return save(request, report, _figure(found, settings), columns)


def _figure(found: Breaking, settings: Settings) -> Figure:
    with styled():
        figure, ((growth, unstable, network, ridge),) = grid_of_axes(1, 4, (13.5, 3.7))
        _draw_random(growth, unstable, found, settings)
        generations = np.arange(settings.generations + 1)
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


def _draw_random(growth: Axes, unstable: Axes, found: Breaking, settings: Settings) -> None:
    """Growth and fraction of unstable ecosystems against coverage."""
    low, high = (float(end) for end in random_threshold(settings.prompts))
    fine = np.linspace(low + 1e-3, high - 1e-3, 200)
    curve = np.asarray(jax.vmap(lambda y: random_growth(y, settings.prompts, 1.0))(jnp.asarray(fine))) - 1
    growth.plot(fine, curve, color="#bbbbbb", linewidth=4, label="conjecture, K → ∞", zorder=1.5)
    for number, count in enumerate(settings.entities):
        look: dict[str, Any] = {"color": color(number), "linewidth": 0.9, "markersize": 3.5}
        growth.errorbar(
            settings.coverages,
            found.growth[number],
            2 * found.error[number],
            fmt=MARKERS[number] + DASHES[number],
            label=f"K = {count}",
            **look,
        )
        unstable.plot(settings.coverages, found.unstable[number], MARKERS[number] + DASHES[number], **look)
    growth.axhline(0, color="#888888", linewidth=0.8)
    growth.set(
        xlabel="y = Kr/d, joint coverage", ylabel="K (ρ(Q) - 1)", title="random ecosystems: growth", ylim=(-1, 0.5)
    )
    growth.legend(fontsize=small_font())
    unstable.axvspan(low, high, color="#eeeeee", label="conjecture: unstable")
    unstable.set(
        xlabel="y = Kr/d, joint coverage", ylabel="fraction with ρ(Q) > 1", title="random ecosystems: unstable"
    )
    unstable.legend(fontsize=small_font())
