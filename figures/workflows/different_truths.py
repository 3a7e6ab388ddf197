"""Entities whose truths differ: the price of sharing a pool, and estimates that leave the hull of all truths."""

from dataclasses import dataclass
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from crossfeed.errors import InvalidInput

from ...decide.minimization import minimize, spread_starts
from ...sim import sharded_grid
from ...theory import Dataset, Ecosystem, Weights, baselines, limit, mean_error, mse, symmetric, worst_case
from ..report import Report, Request, save
from ..settings import Entities, EntitySeries, Points, Positive, WeightSeries, Within
from ..style import MARKERS, color, crosses, grid_of_axes, line, small_font, styled
from .table import table_of_panels

TRUTHS = ((1.0, -1.0), (-1.0, 1.0))  # of the third panel

_ALONE = 1.0  # error of an entity that reads no pool, in units of V
_MARKED = np.array([0.0, 0.5, 1.0, 1.5, 2.0, 2.5])  # distances with the closed form
_STARTS = 4  # of the search for the best α
_TOLD = (2, 7, 9, 11)  # places of the sizes of public data whose ρ(Q) is written


@dataclass(frozen=True)
class Settings:
    """Settings of the figure; different_truths.toml says what they are and holds the shipped ones."""

    entities: Entities
    alpha: WeightSeries
    sizes: EntitySeries
    points: Points
    strength: Positive
    public_sizes: Annotated[tuple[float, ...], Within(1e-6, 1e6, longest=50)]

    def __post_init__(self) -> None:
        for name, counts in (("entities", (self.entities,)), ("sizes", self.sizes)):
            if odd := [count for count in counts if count % 2]:
                raise InvalidInput(
                    f"{name} holds {odd[0]}, but must be even, since half of the entities have the opposite truth"
                )

    @property
    def room(self) -> int:
        """Number of entities that arrays have room for."""
        return max(self.entities, *self.sizes)


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


def compute(settings: Settings) -> DifferentTruths:
    """Exact numbers of all panels."""
    distance = jnp.linspace(0, 2.5, settings.points)

    def error(entities: Float[Array, ""], alpha: Float[Array, ""], distance: Float[Array, ""]) -> Float[Array, ""]:
        return mse(limit(_opposed(settings.room, entities, distance), Weights(alpha, 1.0), throw=False))[0]

    def best(entities: Float[Array, ""], distance: Float[Array, ""]) -> Float[Array, ""]:
        def log_error(point: Float[Array, "1"]) -> tuple[Float[Array, ""], None]:
            return jnp.log(error(entities, point[0], distance)), None

        return minimize(log_error, spread_starts(_STARTS, 1)).point[0]

    def means(anchor: Float[Array, ""]) -> tuple[Float[Array, "2 2"], Float[Array, ""]]:
        law = limit(anchored(anchor, settings.strength), Weights(0.5, 0.5), throw=False)
        assert law.spectral_radius is not None  # a limit always has one
        return mean_error(law), law.spectral_radius  # the truth of the public data is 0

    over_grid = jax.jit(lambda *axes: sharded_grid(error, *axes, tile=512))
    errors = over_grid(jnp.array([settings.entities], float), jnp.array(settings.alpha), distance)[0]
    over_sizes = jax.jit(jax.vmap(jax.vmap(best, (None, 0)), (0, None)))
    best_alpha = over_sizes(jnp.array(settings.sizes, float), distance)
    mean, radius = jax.jit(jax.vmap(means))(jnp.array(settings.public_sizes))
    return DifferentTruths(*map(np.asarray, (distance, errors, best_alpha, mean, radius)))


def _opposed(room: int, entities: Float[Array, ""], distance: Float[Array, ""]) -> Ecosystem:
    """Entities with equal features of which half have the truth δ and half -δ, and public data with the mean truth 0.

    One feature is enough: in units of V, errors do not depend on d. There is room for more entities.
    """
    place = jnp.arange(room, dtype=float)
    grams = jnp.ones((room, 1, 1))
    truth = jnp.where(place % 2 == 0, distance, -distance)[:, None]
    return Ecosystem(
        private=Dataset(grams, truth=truth),
        public=Dataset(jnp.ones((1, 1)), truth=jnp.zeros(1)),
        synthetic=Dataset(grams),
        present=place < entities,
    )


def anchored(anchor: Float[Array, ""] | float, strength: float) -> Ecosystem:
    """The worst case of two entities with truths of their own, and public data s I, whose truth is 0."""
    plain = worst_case(2, strength)
    return Ecosystem(
        private=Dataset(plain.private.gram, truth=TRUTHS),
        public=Dataset(anchor * jnp.eye(2), truth=jnp.zeros(2)),
        synthetic=plain.synthetic,
    )


def closed_error(entities: int, alpha: float, distance: np.ndarray) -> Float[np.ndarray, " distance"]:
    """Error with equal features and β = 1, in units of V: that of one truth for all, and the price of homogenization."""
    price = baselines.homogenization_price(alpha, 1.0, tuple(distance**2))
    return float(symmetric.relative_error(alpha, 1.0, entities)) + price


def draw(request: Request, settings: Settings) -> Report:
    """Compute and write the figure."""
    found = compute(settings)
    closed = np.stack([closed_error(settings.entities, alpha, found.distance) for alpha in settings.alpha])
    columns = table_of_panels(
        {
            "price": {
                "entities": settings.entities,
                "alpha": np.array(settings.alpha)[:, None],
                "distance": found.distance,
                "mse": found.error,
                "closed_form": closed,
            },
            "best weight": {
                "entities": np.array(settings.sizes)[:, None],
                "distance": found.distance,
                "best_alpha": found.best_alpha,
            },
            "means": {
                "public_size": np.array(settings.public_sizes)[:, None],
                "entity": [0, 1],
                "mean_1": found.mean[..., 0],
                "mean_2": found.mean[..., 1],
                "spectral_radius": found.radius[:, None],
            },
        }
    )
    return save(request, _report(found, settings), _figure(found, settings), columns)


def _report(found: DifferentTruths, settings: Settings) -> Report:
    pays = {
        alpha: found.distance[errors < _ALONE].max()
        for alpha, errors in zip(settings.alpha, found.error, strict=True)
        if alpha > 0 and (errors < _ALONE).any()
    }
    last = found.mean[-1, 0]
    radius = float(found.radius[-1])
    told = ", ".join(f"{distance:.2f} √V at α = {alpha}" for alpha, distance in pays.items())
    lowers = f"it lowers the error of {settings.entities} entities as long as their truths are no farther from it than {told}"
    if not pays:
        lowers = f"it lowers the error of {settings.entities} entities at none of these weights"
    ends = f"end at means ({last[0]:.0f}, {last[1]:.0f}) and ({last[1]:.0f}, {last[0]:.0f})"
    if abs(last).max() > 2:
        ends += ", far from the hull of all truths"
    if not np.isfinite(last).all():
        ends = "have no limit"
    return Report(
        "different_truths",
        "Entities with different truths",
        f"A pool pulls estimates to the mean truth; {lowers}; the best α falls as they part. With misaligned data a pool "
        f"amplifies: at ρ(Q) = {radius:.3f} two entities with truths (1, -1) and (-1, 1) {ends}.",
        f"Exact limits. Left and middle: S = S~, β = 1, any d, truths at equal distances from their mean; left "
        f"K = {settings.entities}. Right: worst-case family, K = d = 2, L = {settings.strength:g}, with public data "
        "S_* = sI of truth 0, α = β = 1/2, "
        f"s from {settings.public_sizes[0]:g} to {settings.public_sizes[-1]:g}.",
        {
            "sharing_pays_up_to": {str(alpha): float(distance) for alpha, distance in pays.items()},
            "spectral_radius": radius,
            "limit_means": [[mean if np.isfinite(mean) else None for mean in one] for one in found.mean[-1].tolist()],
        },
    )


def _figure(found: DifferentTruths, settings: Settings) -> Figure:
    """Three panels: the error, the best α, and the limit means in the plane."""
    with styled():
        figure, (axes,) = grid_of_axes(1, 3, (10.5, 3.7))
        errors, best, plane = axes
        for number, alpha in enumerate(settings.alpha):
            line(errors, number, found.distance, found.error[number], f"α = {alpha:g}")
            crosses(errors, _MARKED, closed_error(settings.entities, alpha, _MARKED))
        errors.lines[-1].set_label("closed form")
        errors.set(title=f"price of homogenization, K = {settings.entities}", ylabel="MSE (units of V = σ² tr S⁻¹)")
        for number, size in enumerate(settings.sizes):
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
            "color": color(entity),
            "markersize": 3.5,
            "linewidth": 0.9,
            "markerfacecolor": "white",
        }
        panel.plot(x, y, "-" + MARKERS[entity], label=f"mean of entity {entity + 1}", **look)
    truths = np.array(TRUTHS)
    panel.plot(*truths.T, "-x", color=color(2), markersize=6, label="truths and their hull")
    limits = np.array([np.isfinite(means).all() for means in found.mean])
    for place in _TOLD:
        if place >= len(limits) or not limits[place]:
            continue
        x, y = found.mean[place, 0]
        panel.annotate(
            f"ρ = {found.radius[place]:.3f}", (x, y), (4, -9), textcoords="offset points", fontsize=small_font()
        )
    panel.set(title="limit means, worst case", xlabel="first coordinate", ylabel="second coordinate")
    farthest = float(found.mean[limits].max(initial=0))
    ends = min(-4.0, float(found.mean[limits].min(initial=0))), max(68.0, 1.4 * farthest)
    panel.set(xlim=ends, ylim=ends, aspect="equal")
    panel.legend(loc="upper right")
