"""Phase diagram over α and β: spectral radius and mean efficiency of one random ecosystem."""

import jax
import jax.numpy as jnp
import numpy as np

from ..sim import sharded_grid
from ..theory import Weights, limit, random_gaussian, relative_efficiency
from .relative_efficiency import DIMENSION, ENTITIES, RANK
from .report import Report, Request, save
from .style import grid_of_axes, heat_map, styled


def draw(request: Request) -> Report:
    """Heat maps with contours; the best constant weights and the paper's (0.5, 0.5) are marked."""
    ecosystem = random_gaussian(jax.random.split(jax.random.key(request.seed))[0], ENTITIES, DIMENSION, RANK)
    points = 41 if request.quick else 101
    alphas, betas = jnp.linspace(0.005, 0.995, points), jnp.linspace(0.005, 0.995, points)

    def both(beta, alpha):
        law = limit(ecosystem, Weights(alpha, beta))
        return law.spectral_radius, relative_efficiency(law).mean()

    over_grid = jax.jit(lambda *axes: sharded_grid(both, *axes))
    radius, efficiency = (np.asarray(x) for x in over_grid(betas, alphas))
    at_half = float(both(jnp.array(0.5), jnp.array(0.5))[1])
    row, column = np.unravel_index(np.nanargmax(efficiency), efficiency.shape)
    best = (float(alphas[column]), float(betas[row]))

    with styled():
        figure, (axes,) = grid_of_axes(1, 2, (9.5, 4))
        levels = np.linspace(0.1, 0.9, 9)
        for panel, values, label in zip(
            axes, (radius, efficiency), ("spectral radius ρ(Q)", "mean relative efficiency"), strict=True
        ):
            figure.colorbar(heat_map(panel, alphas, betas, values, levels), ax=panel, label=label)
        axes[1].plot(*best, "*", color="white", markersize=11, markeredgecolor="black", label="best constant weights")
        axes[1].plot(0.5, 0.5, "o", color="white", markersize=6, markeredgecolor="black", label="α = β = 0.5")
        figure.legend(loc="outside lower right", ncols=2)
        for panel in axes:
            panel.set(
                xlabel="α, weight of synthetic data", ylabel="β, weight of private data", xlim=(0, 1), ylim=(0, 1)
            )
        report = Report(
            "phase_diagram",
            "Phase diagram over α and β",
            f"The best constant weights are α = {best[0]:.2f}, β = {best[1]:.2f} with mean efficiency "
            f"{efficiency[row, column]:.3f}; α = β = 0.5 reaches {at_half:.3f}.",
            f"K = {ENTITIES}, d = {DIMENSION}, private features of rank {RANK}, S = S~, one random draw (seed "
            f"{request.seed}); {points} × {points} grid, exact.",
            {
                "best_alpha": best[0],
                "best_beta": best[1],
                "best_mean_efficiency": float(efficiency[row, column]),
                "mean_efficiency_at_half": at_half,
                "largest_spectral_radius": float(radius.max()),
            },
        )
        return save(
            request,
            report,
            figure,
            {
                "beta": betas[:, None],
                "alpha": alphas,
                "spectral_radius": radius,
                "mean_relative_efficiency": efficiency,
            },
        )
