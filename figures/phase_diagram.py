"""Phase diagram over α and β: spectral radius and mean efficiency of one random ecosystem."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from matplotlib.figure import Figure

from crossfeed.random_keys import seeded_key

from ..decide import MeanEfficiency, best_weights
from ..sim import sharded_grid
from ..theory import Weights, limit, random_gaussian, relative_efficiency
from .report import Report, Request, save
from .settings import Dimension, Entities, Points, Seed, check_rank
from .style import grid_of_axes, heat_map, styled


@dataclass(frozen=True)
class Settings:
    """Settings of the figure; phase_diagram.toml says what they are and holds the shipped ones."""

    seed: Seed
    entities: Entities
    dimension: Dimension
    rank: Dimension
    points: Points

    def __post_init__(self) -> None:
        check_rank(self.rank, self.dimension)


@dataclass(frozen=True)
class Plane:
    """Spectral radius and mean efficiency over the plane of constant weights.

    Attributes:
        weights: values of α, and of β.
        spectral_radius: ρ(Q).
        efficiency: mean relative efficiency in the limit.
        at_half: mean relative efficiency at α = β = 0.5.
        best: (α, β, mean efficiency) at the best constant weights.
    """

    weights: Float[np.ndarray, " weight"]
    spectral_radius: Float[np.ndarray, "beta alpha"]
    efficiency: Float[np.ndarray, "beta alpha"]
    at_half: float
    best: tuple[float, float, float]


def compute(settings: Settings) -> Plane:
    """Exact phase diagram of one random ecosystem."""
    key = jax.random.split(seeded_key(settings.seed))[0]
    ecosystem = random_gaussian(key, settings.entities, settings.dimension, settings.rank)
    weights = jnp.linspace(0.005, 0.995, settings.points)

    def both(beta: Float[Array, ""], alpha: Float[Array, ""]) -> tuple[Float[Array, ""], Float[Array, ""]]:
        law = limit(ecosystem, Weights(alpha, beta))
        assert law.spectral_radius is not None  # a limit always has one
        return law.spectral_radius, relative_efficiency(law).mean()

    over_grid = jax.jit(lambda *axes: sharded_grid(both, *axes))
    radius, efficiency = (np.asarray(x) for x in over_grid(weights, weights))
    at_half = float(both(jnp.array(0.5), jnp.array(0.5))[1])
    best = best_weights(ecosystem, MeanEfficiency())
    place = float(best.weights.alpha), float(best.weights.beta), -float(best.value)
    return Plane(np.asarray(weights), radius, efficiency, at_half, place)


def draw(request: Request, settings: Settings) -> Report:
    """Compute and write the figure."""
    found = compute(settings)
    columns = {
        "beta": found.weights[:, None],
        "alpha": found.weights,
        "spectral_radius": found.spectral_radius,
        "mean_relative_efficiency": found.efficiency,
    }
    return save(request, _report(found, settings), _figure(found), columns)


def _figure(found: Plane) -> Figure:
    """Heat maps with contours; the best constant weights and the paper's α = β = 0.5 are marked."""
    alpha, beta, _ = found.best
    maps = {"spectral radius ρ(Q)": found.spectral_radius, "mean relative efficiency": found.efficiency}
    with styled():
        figure, (axes,) = grid_of_axes(1, 2, (9.5, 4))
        levels = np.linspace(0.1, 0.9, 9)
        for panel, (label, values) in zip(axes, maps.items(), strict=True):
            image = heat_map(panel, found.weights, found.weights, values, levels)
            figure.colorbar(image, ax=panel, label=label)
        axes[1].plot(
            alpha, beta, "*", color="white", markersize=11, markeredgecolor="black", label="best constant weights"
        )
        axes[1].plot(0.5, 0.5, "o", color="white", markersize=6, markeredgecolor="black", label="α = β = 0.5")
        figure.legend(loc="outside upper right", ncols=2)
        for panel in axes:
            panel.set(
                xlabel="α, weight of synthetic data", ylabel="β, weight of private data", xlim=(0, 1), ylim=(0, 1)
            )
    return figure


def _report(found: Plane, settings: Settings) -> Report:
    alpha, beta, efficiency = found.best
    return Report(
        "phase_diagram",
        "Phase diagram over α and β",
        f"The best constant weights are α = {alpha:.2f}, β = {beta:.2f} with mean relative efficiency {efficiency:.3f}; "
        f"α = β = 0.5 reaches {found.at_half:.3f}.",
        f"K = {settings.entities}, d = {settings.dimension}, private features of rank {settings.rank}, S = S~, one random "
        f"ecosystem (seed {settings.seed}); {settings.points} × {settings.points} grid, exact.",
        {
            "best_alpha": alpha,
            "best_beta": beta,
            "best_mean_efficiency": efficiency,
            "mean_efficiency_at_half": found.at_half,
            "largest_spectral_radius": float(found.spectral_radius.max()),
        },
    )
