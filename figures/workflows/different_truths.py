"""Entities whose truths differ: the price of sharing a pool, and estimates that leave the hull of all truths."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ...decide.minimization import minimize, spread_starts
from ...sim import sharded_grid
from ...theory import Dataset, Ecosystem, Weights, baselines, limit, mean_error, mse, symmetric, worst_case
from ..report import Report, Request, save
from ..style import COLORS, MARKERS, crosses, grid_of_axes, line, styled
from .table import table_of_panels

ENTITIES, ALPHAS = 10, (0.0, 0.3, 0.6, 0.9)  # of the first panel
SIZES = (2, 4, 10, 50)  # of the second
STRENGTH = 1000.0  # of private data in the third
TRUTHS = ((1.0, -1.0), (-1.0, 1.0))
_STARTS = 4  # of the search for the best α
ANCHORS = (3.0, 1.5, 1.0, 0.8, 0.7, 0.6, 0.55, 0.5, 0.48, 0.46, 0.45, 0.4392)  # s, the size of the public data
TOLD = (2, 7, 9, 11)  # places of the anchors whose ρ(Q) is written

_MARKED = np.array([0.0, 0.5, 1.0, 1.5, 2.0, 2.5])  # distances with the closed form


@dataclass(frozen=True)
class DifferentTruths:
    """The numbers of the figure.

    Attributes:
        distance: distance of every truth from the mean truth, in units of √V.
        error: MSE at each α, in units of V.
        best_alpha: α with the smallest error, by number of entities.
        mean: means of both estimates for each size of the public data.
        radius: ρ(Q) there.
    """

    distance: Float[np.ndarray, " distance"]
    error: Float[np.ndarray, "alpha distance"]
    best_alpha: Float[np.ndarray, "size distance"]
    mean: Float[np.ndarray, "anchor 2 2"]
    radius: Float[np.ndarray, " anchor"]


def compute(quick: bool) -> DifferentTruths:
    """Exact numbers of all panels."""
    distance = jnp.linspace(0, 2.5, 26 if quick else 51)

    def error(entities: Float[Array, ""], alpha: Float[Array, ""], distance: Float[Array, ""]) -> Float[Array, ""]:
        return mse(limit(_opposed(entities, distance), Weights(alpha, 1.0), throw=False))[0]

    def best(entities: Float[Array, ""], distance: Float[Array, ""]) -> Float[Array, ""]:
        def log_error(point: Float[Array, "1"]) -> tuple[Float[Array, ""], None]:
            return jnp.log(error(entities, point[0], distance)), None

        return minimize(log_error, spread_starts(_STARTS, 1)).point[0]

    def means(anchor: Float[Array, ""]) -> tuple[Float[Array, "2 2"], Float[Array, ""]]:
        law = limit(anchored(anchor), Weights(0.5, 0.5), throw=False)
        assert law.spectral_radius is not None  # a limit always has one
        return mean_error(law), law.spectral_radius  # the truth of the public data is 0

    over_grid = jax.jit(lambda *axes: sharded_grid(error, *axes, tile=512))
    errors = over_grid(jnp.array([ENTITIES], float), jnp.array(ALPHAS), distance)[0]
    best_alpha = jax.jit(jax.vmap(jax.vmap(best, (None, 0)), (0, None)))(jnp.array(SIZES, float), distance)
    mean, radius = jax.jit(jax.vmap(means))(jnp.array(ANCHORS))
    return DifferentTruths(*map(np.asarray, (distance, errors, best_alpha, mean, radius)))


def _opposed(entities: Float[Array, ""], distance: Float[Array, ""]) -> Ecosystem:
    """Entities with equal features of which half have the truth δ and half -δ, and public data with the mean truth 0.

    One feature is enough: in units of V, errors do not depend on d. There is room for the largest number of entities.
    """
    room = jnp.arange(max(SIZES), dtype=float)
    grams = jnp.ones((max(SIZES), 1, 1))
    truth = jnp.where(room % 2 == 0, distance, -distance)[:, None]
    return Ecosystem(
        private=Dataset(grams, truth=truth),
        public=Dataset(jnp.ones((1, 1)), truth=jnp.zeros(1)),
        synthetic=Dataset(grams),
        present=room < entities,
    )


def anchored(anchor: Float[Array, ""] | float) -> Ecosystem:
    """The worst case of two entities with truths of their own, and public data s I, whose truth is 0."""
    plain = worst_case(2, STRENGTH)
    return Ecosystem(
        private=Dataset(plain.private.gram, truth=TRUTHS),
        public=Dataset(anchor * jnp.eye(2), truth=jnp.zeros(2)),
        synthetic=plain.synthetic,
    )


def closed_error(alpha: float, distance: np.ndarray) -> Float[np.ndarray, " distance"]:
    """Error with equal features and β = 1, in units of V: that of one truth for all, and the price of homogenization."""
    price = baselines.homogenization_price(alpha, 1.0, tuple(distance**2))
    return float(symmetric.relative_error(alpha, 1.0, ENTITIES)) + price


def draw(request: Request) -> Report:
    """Compute and write the figure."""
    found = compute(request.quick)
    closed = np.stack([closed_error(alpha, found.distance) for alpha in ALPHAS])
    columns = table_of_panels(
        {
            "price": {
                "entities": ENTITIES,
                "alpha": np.array(ALPHAS)[:, None],
                "distance": found.distance,
                "mse": found.error,
                "closed_form": closed,
            },
            "best weight": {
                "entities": np.array(SIZES)[:, None],
                "distance": found.distance,
                "best_alpha": found.best_alpha,
            },
            "means": {
                "public_size": np.array(ANCHORS)[:, None],
                "entity": [0, 1],
                "mean_1": found.mean[..., 0],
                "mean_2": found.mean[..., 1],
                "spectral_radius": found.radius[:, None],
            },
        }
    )
    return save(request, _report(found), _figure(found), columns)


def _report(found: DifferentTruths) -> Report:
    pays = {
        alpha: found.distance[errors < found.error[0]].max()
        for alpha, errors in zip(ALPHAS[1:], found.error[1:], strict=True)
    }
    last = found.mean[-1, 0]
    radius = float(found.radius[-1])
    told = ", ".join(f"{distance:.2f} √V at α = {alpha}" for alpha, distance in pays.items())
    return Report(
        "different_truths",
        "Entities with different truths",
        f"A pool pulls estimates to the mean truth; it lowers the error of {ENTITIES} entities as long as their truths are no "
        f"farther from it than {told}; the best α falls as they part. With misaligned data a pool amplifies: at "
        f"ρ(Q) = {radius:.3f} two entities with truths (1, -1) and (-1, 1) end at means ({last[0]:.0f}, {last[1]:.0f}) and "
        f"({last[1]:.0f}, {last[0]:.0f}), "
        "far from the hull of all truths.",
        f"Exact limits. Left and middle: S = S~, β = 1, any d, truths at equal distances from their mean; left K = {ENTITIES}. "
        f"Right: worst-case family, K = d = 2, L = {STRENGTH:g}, with public data S_* = sI of truth 0, α = β = 1/2, "
        f"s from {ANCHORS[0]:g} to {ANCHORS[-1]:g}.",
        {
            "sharing_pays_up_to": {str(alpha): float(distance) for alpha, distance in pays.items()},
            "spectral_radius": radius,
            "limit_means": found.mean[-1].tolist(),
        },
    )


def _figure(found: DifferentTruths) -> Figure:
    """Three panels: the error, the best α, and the limit means in the plane."""
    with styled():
        figure, (axes,) = grid_of_axes(1, 3, (10.5, 3.7))
        errors, best, plane = axes
        for number, alpha in enumerate(ALPHAS):
            line(errors, number, found.distance, found.error[number], f"α = {alpha:g}")
            crosses(errors, _MARKED, closed_error(alpha, _MARKED))
        errors.lines[-1].set_label("closed form")
        errors.set(title=f"price of homogenization, K = {ENTITIES}", ylabel="MSE (units of V = σ² tr S⁻¹)")
        for number, size in enumerate(SIZES):
            line(best, number, found.distance, found.best_alpha[number], f"K = {size}")
        best.set(title="best weight", ylabel="α with the smallest MSE", ylim=(0, 1))
        for panel in (errors, best):
            panel.set_xlabel("distance of truths from their mean (√V)")
        errors.legend(loc="upper left")
        best.legend(loc="upper right")
        _draw_means(plane, found)
    return figure


def _draw_means(panel: Axes, found: DifferentTruths) -> None:
    """Limit means of both entities as the public data shrink, and the truths."""
    for entity in range(2):
        x, y = found.mean[:, entity].T
        look: dict[str, Any] = {
            "color": COLORS[entity],
            "markersize": 3.5,
            "linewidth": 0.9,
            "markerfacecolor": "white",
        }
        panel.plot(x, y, "-" + MARKERS[entity], label=f"mean of entity {entity + 1}", **look)
    truths = np.array(TRUTHS)
    panel.plot(*truths.T, "-x", color=COLORS[2], markersize=6, label="truths and their hull")
    for place in TOLD:
        x, y = found.mean[place, 0]
        panel.annotate(f"ρ = {found.radius[place]:.3f}", (x, y), (4, -9), textcoords="offset points", fontsize=7)
    panel.set(title="limit means, worst case", xlabel="first coordinate", ylabel="second coordinate")
    panel.set(xlim=(-4, 68), ylim=(-4, 68), aspect="equal")
    panel.legend(loc="upper right")
