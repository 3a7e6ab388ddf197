"""One model against many: noise that averages out, transfer, and instability, which only several models have."""

from dataclasses import dataclass
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from crossfeed.random_keys import seeded_key

from ...sim import sharded_grid, sharded_vmap
from ...theory import (
    Dataset,
    Ecosystem,
    Weights,
    ecosystem_from_grams,
    limit,
    mse,
    random_gaussian,
    spectral_radius,
    trajectory,
    transfer,
    worst_case,
)
from ..report import Report, Request, save
from ..settings import (
    Dimension,
    Draws,
    EntitySeries,
    Generations,
    InnerWeight,
    Points,
    Seed,
    Weight,
    Within,
    check_rank,
)
from ..style import DASHES, MARKERS, SERIES, color, crosses, grid_of_axes, line, styled, wide_line
from .table import table_of_panels

_MARKED = np.array([0, 1, 2, 5, 10, 20, 40])  # generations with the closed form


_TICKS = (1, 2, 5, 10, 20, 50, 100, 200)
_Sizes = Annotated[tuple[int, ...], Within(2, 200, longest=50)]


@dataclass(frozen=True)
class Settings:
    """Settings of the figure; one_and_many.toml says what they are and holds the shipped ones."""

    seed: Seed
    entities: EntitySeries
    alpha: InnerWeight
    generations: Generations
    dimension: Dimension
    rank: Dimension
    beta: Weight
    points: Points
    strengths: Annotated[tuple[float, ...], Within(1e-6, 1e9, longest=SERIES - 1)]
    misaligned: _Sizes
    random_entities: _Sizes
    draws: Draws

    def __post_init__(self) -> None:
        check_rank(self.rank, self.dimension)

    @property
    def sizes(self) -> tuple[int, ...]:
        """K of the first two panels: one, and those that are compared with it."""
        return (1, *self.entities)

    @property
    def random_sizes(self) -> tuple[int, ...]:
        """K = d of random ecosystems: one, and those that are compared with it."""
        return (1, *self.random_entities)

    @property
    def marked(self) -> np.ndarray:
        """Generations with the closed form."""
        return _MARKED[self.generations >= _MARKED]


@dataclass(frozen=True)
class OneAndMany:
    """The numbers of the figure; rows are in the order of the sizes.

    Attributes:
        error: MSE by generation, in units of V.
        alpha: values of α of the transfer.
        transfer: weight on the private data of all other models, averaged over models.
        radius: ρ(Q) of the worst case, for each strength.
        random_radius: largest ρ(Q) of random misaligned ecosystems.
    """

    error: Float[np.ndarray, "size generation"]
    alpha: Float[np.ndarray, " alpha"]
    transfer: Float[np.ndarray, "size alpha"]
    radius: Float[np.ndarray, "misaligned strength"]
    random_radius: Float[np.ndarray, " random_size"]


def closed_error(entities: int, generations: np.ndarray, alpha: float) -> Float[np.ndarray, " generation"]:
    """MSE of K models with equal features and β = 1, in units of V: 1 at generation 0, and then

    1/K + ā²(1-1/K) + α²(1-α²ᵗ)/(K(1-α²)): the error of all private data, what is left of the differences of the models' own,
    and the noise of t generations of labels, each averaged over K models.
    """
    real = 1 / entities + (1 - alpha) ** 2 * (1 - 1 / entities)
    noise = alpha**2 * (1 - alpha ** (2.0 * generations)) / (entities * (1 - alpha**2))
    return np.where(generations == 0, 1.0, real + noise)


def compute(settings: Settings) -> OneAndMany:
    """Exact numbers of all panels."""
    room, key = max(settings.sizes), seeded_key(settings.seed)
    sizes = jnp.array(settings.sizes, float)
    alpha = jnp.linspace(0, 0.99, settings.points)
    features = random_gaussian(key, room, settings.dimension, settings.rank)

    def error(entities: Float[Array, ""]) -> Float[Array, " generation"]:
        law = trajectory(_alike(_first(entities, room)), Weights(settings.alpha, 1.0), settings.generations, mse)
        return law[:, 0]

    def heard(entities: Float[Array, ""], alpha: Float[Array, ""]) -> Float[Array, ""]:
        ecosystem = Ecosystem(
            private=features.private,
            public=features.public,
            synthetic=features.synthetic,
            present=_first(entities, room),
        )
        weights = transfer(limit(ecosystem, Weights(alpha, settings.beta), throw=False))[:, :-1]
        others = weights.sum(1) - jnp.diagonal(weights)
        return others @ ecosystem.present.astype(float) / entities

    keys = jax.random.split(key, settings.draws)
    return OneAndMany(
        error=np.asarray(jax.jit(jax.vmap(error))(sizes)),
        alpha=np.asarray(alpha),
        transfer=np.asarray(jax.jit(lambda *axes: sharded_grid(heard, *axes))(sizes, alpha)),
        radius=np.stack([_worst_radii(entities, settings.strengths) for entities in settings.misaligned]),
        random_radius=np.array([float(_random_radii(entities, keys).max()) for entities in settings.random_sizes]),
    )


def _first(entities: Float[Array, ""], room: int) -> Bool[Array, " entity"]:
    """The first K of the models that there is room for, so that one program computes all sizes."""
    return jnp.arange(room, dtype=float) < entities


def _alike(present: Bool[Array, " entity"]) -> Ecosystem:
    """Models whose data all have the Gram matrix 1; one feature is enough, as errors in units of V do not depend on d."""
    data = Dataset(jnp.ones((len(present), 1, 1)))
    return Ecosystem(private=data, public=Dataset(jnp.ones((1, 1))), synthetic=data, present=present)


def _worst_radii(entities: int, strengths: tuple[float, ...]) -> Float[np.ndarray, " strength"]:
    """ρ(Q) of the worst case at α = 1/2 and β = 1, where ℓ is the strength of the private data."""

    def radius(strength: Float[Array, ""]) -> Float[Array, ""]:
        return spectral_radius(worst_case(entities, strength), Weights(0.5, 1.0))

    return np.asarray(jax.jit(jax.vmap(radius))(jnp.array(strengths)))


def _random_radii(entities: int, keys: Array) -> Float[np.ndarray, " draw"]:
    """ρ(Q) of random ecosystems, K = d, in which every model knows one direction and publishes on one other."""

    def radius(key: Array) -> Float[Array, ""]:
        known, asked = jax.random.normal(key, (2, entities, entities), dtype=float)
        private, synthetic = (jnp.einsum("ka,kb->kab", rows, rows) for rows in (known, asked))
        ecosystem = ecosystem_from_grams(1000 * private, jnp.zeros((entities, entities)), synthetic)
        return spectral_radius(ecosystem, Weights(0.5, 1.0))

    return np.asarray(jax.jit(lambda keys: sharded_vmap(radius, keys))(keys))


def draw(request: Request, settings: Settings) -> Report:
    """Compute and write the figure."""
    found = compute(settings)
    sizes = np.array(settings.sizes)[:, None]
    misaligned, strengths = np.array(settings.misaligned)[:, None], np.array(settings.strengths)
    generation = np.arange(settings.generations + 1)
    closed = np.stack([closed_error(size, generation, settings.alpha) for size in settings.sizes])
    columns = table_of_panels(
        {
            "error": {
                "entities": sizes,
                "generation": generation,
                "mse": found.error,
                "closed_form": closed,
            },
            "transfer": {
                "entities": sizes,
                "alpha": found.alpha,
                "transfer": found.transfer,
                "equal_features": found.alpha * settings.beta * (1 - 1 / sizes),
            },
            "worst_case": {
                "entities": misaligned,
                "strength": strengths,
                "spectral_radius": found.radius,
                "closed_form": worst_radius(misaligned, strengths),
            },
            "random": {"entities": np.array(settings.random_sizes), "spectral_radius": found.random_radius},
        }
    )
    return save(request, _report(found, settings), _figure(found, settings), columns)


def worst_radius(entities: np.ndarray, strength: float | np.ndarray) -> np.ndarray:
    """ρ(Q) of the worst case in closed form."""
    return 1 + strength / (1 + strength) * (np.sqrt(entities) - 1) / 2


def _report(found: OneAndMany, settings: Settings) -> Report:
    last, gained = found.error[:, -1], found.transfer.max(1)
    lone, several = found.random_radius[0], found.random_radius[1:].max()
    many, few, most = settings.entities[-1], settings.misaligned[0], settings.misaligned[-1]
    grows = f"grows {last[0]:.2f}-fold" if last[0] > 1 else f"ends at {last[0]:.3f} of the first"
    falls = f"falls to {last[-1]:.3f}" if last[-1] < 1 else f"ends at {last[-1]:.2f}"
    return Report(
        "one_and_many",
        "One model and many",
        f"With equal features and α = {settings.alpha}, the error of a lone model {grows}, and that of {many} models {falls} "
        f"of the first: noise averages out by 1/K. Up to {gained[-1]:.0%} of what each of {many} knows comes from the "
        f"others' private data. Only several models can diverge: ρ(Q) reaches {found.radius[0, -1]:.3f} for "
        f"{'two' if few == 2 else few} and {found.radius[-1, -1]:.2f} for {most}; no lone model exceeds 1.",
        f"Exact. Left: S = S~, any d, α = {settings.alpha}, β = 1. Middle: private features of rank {settings.rank} in "
        f"d = {settings.dimension}, S = S~, β = {settings.beta}, one random ecosystem. "
        "Right: worst-case family, K = d, α = 1/2, β = 1, private data of strength ℓ; random: "
        f"one known and one published direction each, K = d, no public data, largest of {settings.draws} ecosystems "
        f"(seed {settings.seed}).",
        {
            "last_error": {str(k): float(e) for k, e in zip(settings.sizes, last, strict=True)},
            "largest_transfer": {str(k): float(t) for k, t in zip(settings.sizes, gained, strict=True)},
            "worst_radius": {str(k): float(r[-1]) for k, r in zip(settings.misaligned, found.radius, strict=True)},
            "largest_random_radius": {"1": float(lone), "more": float(several)},
        },
    )


def _figure(found: OneAndMany, settings: Settings) -> Figure:
    """Three panels: errors by generation, transfer against α, and ρ(Q) against K."""
    with styled():
        figure, (axes,) = grid_of_axes(1, 3, (10.5, 3.7))
        errors, heard, radii = axes
        generation, ends = np.arange(settings.generations + 1), np.array([0.0, 1.0])
        wide_line(errors, generation, found.error[0], "K = 1")
        wide_line(heard, found.alpha, found.transfer[0])
        for number, size in enumerate(settings.entities):
            line(errors, number, generation, found.error[number + 1], f"K = {size}")
            line(heard, number, found.alpha, found.transfer[number + 1])
            heard.plot(ends, ends * settings.beta * (1 - 1 / size), DASHES[number], color=color(number), linewidth=0.6)
        for size in settings.sizes:
            crosses(errors, settings.marked, closed_error(size, settings.marked, settings.alpha))
        errors.lines[-1].set_label("closed form")
        errors.set(title="noise", yscale="log", xlabel="generation", ylabel="MSE (units of V = σ² tr S⁻¹)")
        heard.set(title="transfer (thin: equal features)", xlabel="α, weight of synthetic data")
        heard.set_ylabel("weight on others' private data")
        _draw_radii(radii, found, settings)
        figure.legend(*errors.get_legend_handles_labels(), loc="outside upper center", ncols=6)
    return figure


def _draw_radii(panel: Axes, found: OneAndMany, settings: Settings) -> None:
    """ρ(Q) against K: the bound, the worst case below it, and random ecosystems."""
    largest = max(*settings.sizes, *settings.misaligned, *settings.random_sizes)
    sizes = np.geomspace(1, largest, 60)
    panel.axhline(1, color="#888888", linewidth=0.8)
    wide_line(panel, sizes, (1 + np.sqrt(sizes)) / 2, "bound of Theorem U, (1+√K)/2")
    for number, (strength, radius) in enumerate(zip(settings.strengths, found.radius.T, strict=True), 1):
        name = "10⁶" if strength == 1e6 else f"{strength:g}"
        look: dict[str, Any] = {"color": color(number), "linewidth": 0.9}
        panel.plot(settings.misaligned, radius, MARKERS[number], markersize=4, label=f"worst case, ℓ = {name}", **look)
        panel.plot(sizes[sizes >= 2], worst_radius(sizes[sizes >= 2], strength), DASHES[number], **look)
    panel.plot(
        settings.random_sizes,
        found.random_radius,
        "x",
        color=color(0),
        markersize=5,
        label="random ecosystems, largest",
    )
    panel.set(title="instability", xscale="log", xlabel="number of models K", ylabel="spectral radius ρ(Q)")
    ticks = [tick for tick in _TICKS if tick <= largest]
    panel.set_xticks(ticks, [*map(str, ticks)])
    panel.minorticks_off()
    panel.legend(loc="upper left")
