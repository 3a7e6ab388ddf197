"""One model against many: noise that averages out, transfer, and instability, which only several models have."""

from dataclasses import dataclass
from typing import Any

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
from ..style import COLORS, DASHES, MARKERS, crosses, grid_of_axes, line, styled, wide_line
from .table import table_of_panels

SIZES = (1, 2, 4, 10, 50)
GENERATIONS, ALPHA = 40, 0.9  # of the first panel
DIMENSION, RANK, BETA = 15, 5, 0.5  # of the second
STRENGTHS, MISALIGNED = (1.0, 1e6), (2, 4, 10, 50)  # of the third: ℓ, and K = d of the worst case
RANDOM_SIZES = (1, 2, 4, 10)  # K = d of random ecosystems

_MARKED = np.array([0, 1, 2, 5, 10, 20, 40])  # generations with the closed form


@dataclass(frozen=True)
class OneAndMany:
    """The numbers of the figure; rows are in the order of the sizes.

    Attributes:
        error: MSE by generation, in units of V.
        alpha: values of α of the transfer.
        transfer: weight on the private data of all other models, averaged over models.
        radius: ρ(Q) of the worst case, for each strength.
        random_radius: largest ρ(Q) of random misaligned ecosystems.
        seed: seed of these, and of the features of the transfer.
        draws: how many there are of each size.
    """

    error: Float[np.ndarray, "size generation"]
    alpha: Float[np.ndarray, " alpha"]
    transfer: Float[np.ndarray, "size alpha"]
    radius: Float[np.ndarray, "misaligned strength"]
    random_radius: Float[np.ndarray, " random_size"]
    seed: int
    draws: int


def closed_error(entities: int, generations: np.ndarray, alpha: float = ALPHA) -> Float[np.ndarray, " generation"]:
    """MSE of K models with equal features and β = 1, in units of V: 1 at generation 0, and then

    1/K + ā²(1-1/K) + α²(1-α²ᵗ)/(K(1-α²)): the error of all private data, what is left of the differences of the models' own,
    and the noise of t generations of labels, each averaged over K models.
    """
    real = 1 / entities + (1 - alpha) ** 2 * (1 - 1 / entities)
    noise = alpha**2 * (1 - alpha ** (2.0 * generations)) / (entities * (1 - alpha**2))
    return np.where(generations == 0, 1.0, real + noise)


def compute(seed: int, quick: bool) -> OneAndMany:
    """Exact numbers of all panels."""
    points, draws = (12, 100) if quick else (33, 400)
    sizes = jnp.array(SIZES, float)
    alpha = jnp.linspace(0, 0.99, points)
    features = random_gaussian(seeded_key(seed), max(SIZES), DIMENSION, RANK)

    def error(entities: Float[Array, ""]) -> Float[Array, " generation"]:
        law = trajectory(_alike(_first(entities)), Weights(ALPHA, 1.0), GENERATIONS, mse)
        return law[:, 0]

    def heard(entities: Float[Array, ""], alpha: Float[Array, ""]) -> Float[Array, ""]:
        ecosystem = Ecosystem(
            private=features.private, public=features.public, synthetic=features.synthetic, present=_first(entities)
        )
        weights = transfer(limit(ecosystem, Weights(alpha, BETA), throw=False))[:, :-1]
        others = weights.sum(1) - jnp.diagonal(weights)
        return others @ ecosystem.present.astype(float) / entities

    keys = jax.random.split(seeded_key(seed), draws)
    return OneAndMany(
        error=np.asarray(jax.jit(jax.vmap(error))(sizes)),
        alpha=np.asarray(alpha),
        transfer=np.asarray(jax.jit(lambda *axes: sharded_grid(heard, *axes))(sizes, alpha)),
        radius=np.stack([_worst_radii(entities) for entities in MISALIGNED]),
        random_radius=np.array([float(_random_radii(entities, keys).max()) for entities in RANDOM_SIZES]),
        seed=seed,
        draws=draws,
    )


def _first(entities: Float[Array, ""]) -> Bool[Array, " entity"]:
    """The first K of the models that there is room for, so that one program computes all sizes."""
    return jnp.arange(max(SIZES), dtype=float) < entities


def _alike(present: Bool[Array, " entity"]) -> Ecosystem:
    """Models whose data all have the Gram matrix 1; one feature is enough, as errors in units of V do not depend on d."""
    data = Dataset(jnp.ones((len(present), 1, 1)))
    return Ecosystem(private=data, public=Dataset(jnp.ones((1, 1))), synthetic=data, present=present)


def _worst_radii(entities: int) -> Float[np.ndarray, " strength"]:
    """ρ(Q) of the worst case at α = 1/2 and β = 1, where ℓ is the strength of the private data."""

    def radius(strength: Float[Array, ""]) -> Float[Array, ""]:
        return spectral_radius(worst_case(entities, strength), Weights(0.5, 1.0))

    return np.asarray(jax.jit(jax.vmap(radius))(jnp.array(STRENGTHS)))


def _random_radii(entities: int, keys: Array) -> Float[np.ndarray, " draw"]:
    """ρ(Q) of random ecosystems, K = d, in which every model knows one direction and publishes on one other."""

    def radius(key: Array) -> Float[Array, ""]:
        known, asked = jax.random.normal(key, (2, entities, entities), dtype=float)
        private, synthetic = (jnp.einsum("ka,kb->kab", rows, rows) for rows in (known, asked))
        ecosystem = ecosystem_from_grams(1000 * private, jnp.zeros((entities, entities)), synthetic)
        return spectral_radius(ecosystem, Weights(0.5, 1.0))

    return np.asarray(jax.jit(lambda keys: sharded_vmap(radius, keys))(keys))


def draw(request: Request) -> Report:
    """Compute and write the figure."""
    found = compute(request.seed, request.quick)
    sizes = np.array(SIZES)[:, None]
    generation = np.arange(GENERATIONS + 1)
    closed = np.stack([closed_error(size, generation) for size in SIZES])
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
                "equal_features": found.alpha * BETA * (1 - 1 / sizes),
            },
            "worst_case": {
                "entities": np.array(MISALIGNED)[:, None],
                "strength": np.array(STRENGTHS),
                "spectral_radius": found.radius,
                "closed_form": worst_radius(np.array(MISALIGNED)[:, None], np.array(STRENGTHS)),
            },
            "random": {"entities": np.array(RANDOM_SIZES), "spectral_radius": found.random_radius},
        }
    )
    return save(request, _report(found), _figure(found), columns)


def worst_radius(entities: np.ndarray, strength: float | np.ndarray) -> np.ndarray:
    """ρ(Q) of the worst case in closed form."""
    return 1 + strength / (1 + strength) * (np.sqrt(entities) - 1) / 2


def _report(found: OneAndMany) -> Report:
    last, gained = found.error[:, -1], found.transfer.max(1)
    lone, several = found.random_radius[0], found.random_radius[1:].max()
    return Report(
        "one_and_many",
        "One model and many",
        f"With equal features and α = {ALPHA}, the error of a lone model grows {last[0]:.2f}-fold, and that of 50 models falls to "
        f"{last[-1]:.3f} of the first: noise averages out by 1/K. Up to {gained[-1]:.0%} of what each of 50 knows comes from the "
        f"others' private data. Only several models can diverge: ρ(Q) reaches {found.radius[0, -1]:.3f} for two and "
        f"{found.radius[-1, -1]:.2f} for 50; no lone model exceeds 1.",
        f"Exact. Left: S = S~, any d, α = {ALPHA}, β = 1. Middle: private features of rank {RANK} in d = {DIMENSION}, S = S~, "
        f"β = {BETA}, one random ecosystem. Right: worst-case family, K = d, α = 1/2, β = 1, private data of strength ℓ; random: "
        f"one known and one published direction each, K = d, no public data, largest of {found.draws} ecosystems "
        f"(seed {found.seed}).",
        {
            "last_error": {str(k): float(e) for k, e in zip(SIZES, last, strict=True)},
            "largest_transfer": {str(k): float(t) for k, t in zip(SIZES, gained, strict=True)},
            "worst_radius": {str(k): float(r[-1]) for k, r in zip(MISALIGNED, found.radius, strict=True)},
            "largest_random_radius": {"1": float(lone), "more": float(several)},
        },
    )


def _figure(found: OneAndMany) -> Figure:
    """Three panels: errors by generation, transfer against α, and ρ(Q) against K."""
    with styled():
        figure, (axes,) = grid_of_axes(1, 3, (10.5, 3.7))
        errors, heard, radii = axes
        generation, ends = np.arange(GENERATIONS + 1), np.array([0.0, 1.0])
        wide_line(errors, generation, found.error[0], "K = 1")
        wide_line(heard, found.alpha, found.transfer[0])
        for number, size in enumerate(SIZES[1:]):
            line(errors, number, generation, found.error[number + 1], f"K = {size}")
            line(heard, number, found.alpha, found.transfer[number + 1])
            heard.plot(ends, ends * BETA * (1 - 1 / size), DASHES[number], color=COLORS[number], linewidth=0.6)
        for size in SIZES:
            crosses(errors, _MARKED, closed_error(size, _MARKED))
        errors.lines[-1].set_label("closed form")
        errors.set(title="noise", yscale="log", xlabel="generation", ylabel="MSE (units of V = σ² tr S⁻¹)")
        heard.set(title="transfer (thin: equal features)", xlabel="α, weight of synthetic data")
        heard.set_ylabel("weight on others' private data")
        _draw_radii(radii, found)
        figure.legend(*errors.get_legend_handles_labels(), loc="outside upper center", ncols=6)
    return figure


def _draw_radii(panel: Axes, found: OneAndMany) -> None:
    """ρ(Q) against K: the bound, the worst case below it, and random ecosystems."""
    sizes = np.geomspace(1, max(SIZES), 60)
    panel.axhline(1, color="#888888", linewidth=0.8)
    wide_line(panel, sizes, (1 + np.sqrt(sizes)) / 2, "bound of Theorem U, (1+√K)/2")
    for number, (strength, radius) in enumerate(zip(STRENGTHS, found.radius.T, strict=True), 1):
        name = "10⁶" if strength == 1e6 else f"{strength:g}"
        look: dict[str, Any] = {"color": COLORS[number], "linewidth": 0.9}
        panel.plot(MISALIGNED, radius, MARKERS[number], markersize=4, label=f"worst case, ℓ = {name}", **look)
        panel.plot(sizes[sizes >= 2], worst_radius(sizes[sizes >= 2], strength), DASHES[number], **look)
    panel.plot(
        RANDOM_SIZES, found.random_radius, "x", color=COLORS[0], markersize=5, label="random ecosystems, largest"
    )
    panel.set(title="instability", xscale="log", xlabel="number of models K", ylabel="spectral radius ρ(Q)")
    panel.set_xticks([1, 2, 5, 10, 20, 50], ["1", "2", "5", "10", "20", "50"])
    panel.minorticks_off()
    panel.legend(loc="upper left")
