"""Figure 2: relative efficiency of every entity against α for three β, exact and by Monte Carlo."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..sim import decide, make_moment_sampler, sharded_grid, simulate
from ..theory import Ecosystem, Weights, limit, minimum_variance, mse, random_gaussian, relative_efficiency, trajectory
from .report import Report, Request, save, save_table
from .style import grid_of_axes, line, points, styled

BETAS = (0.1, 0.5, 0.9)
ENTITIES, DIMENSION, RANK = 4, 15, 5


def efficiency_curves(
    ecosystem: Ecosystem, alphas: Float[Array, " alpha"], betas: Float[Array, " beta"]
) -> Float[Array, "beta alpha entity"]:
    """Exact relative efficiency of every entity in the limit, over a grid of constant weights (Theorem 3)."""
    efficiency = lambda beta, alpha: relative_efficiency(limit(ecosystem, Weights(alpha, beta)))  # noqa: E731
    return jax.vmap(jax.vmap(efficiency, in_axes=(None, 0)), in_axes=(0, None))(betas, alphas)


def draw(request: Request) -> Report:
    """Draw the figure, its Monte Carlo points taken late enough to stand for the limit."""
    key_ecosystem, key_replicates = jax.random.split(jax.random.key(request.seed))
    ecosystem = random_gaussian(key_ecosystem, ENTITIES, DIMENSION, RANK)
    betas = jnp.array(BETAS)
    alphas = jnp.linspace(0.001, 0.99, 30 if request.quick else 200)
    curves = np.asarray(jax.jit(efficiency_curves)(ecosystem, alphas, betas))

    sampled = jnp.array([0.05, 0.2, 0.35, 0.5, 0.65, 0.8, 0.95])
    generations, replicates = 100, 300 if request.quick else 3000
    sampler = make_moment_sampler(ecosystem)

    def monte_carlo(beta, alpha):
        weights = Weights(alpha, beta)
        drawn = simulate(sampler, weights, generations, replicates, key_replicates)
        return drawn.mse[-1], drawn.mse_se[-1], trajectory(ecosystem, weights, generations, mse)[-1]

    over_grid = jax.jit(lambda *axes: sharded_grid(monte_carlo, *axes, tile=1))
    error, error_se, exact = (np.asarray(x) for x in over_grid(betas, sampled))
    best = float(minimum_variance(ecosystem))
    estimate, estimate_se = best / error, best / error**2 * error_se

    with styled():
        figure, axes = grid_of_axes(1, ENTITIES, (10, 2.8), sharey=True)
        for entity, panel in enumerate(axes[0]):
            for b, beta in enumerate(BETAS):
                line(panel, b, alphas, curves[b, :, entity], f"β = {beta}")
                points(panel, b, sampled, estimate[b, :, entity], estimate_se[b, :, entity])
            panel.set(title=f"entity {entity + 1}", xlabel="α, weight of synthetic data", xlim=(0, 1), ylim=(0, None))
        axes[0][0].set_ylabel("relative efficiency")
        axes[0][0].legend()
        mean = curves.mean(axis=2)
        top = np.unravel_index(mean.argmax(), mean.shape)
        report = Report(
            "fig2",
            "Figure 2: relative efficiency against α",
            "Every entity gains from some synthetic data and loses from too much, and the best α depends on β: "
            f"here β = {BETAS[top[0]]} with α = {alphas[top[1]]:.2f} is best of these three on average.",
            f"K = {ENTITIES}, d = {DIMENSION}, private features of rank {RANK}, S = S~, one random draw (seed "
            f"{request.seed}); lines exact (t → ∞), points {replicates} replicates at t = {generations}, bars ± 2 standard errors.",
            {
                "best_mean_efficiency": float(mean[top]),
                "at_alpha": float(alphas[top[1]]),
                "at_beta": BETAS[top[0]],
                "monte_carlo": vars(decide([(error - exact) / error_se])),
            },
            ["fig2_monte_carlo.csv"],
        )
        save_table(
            request.folder / "fig2_monte_carlo.csv",
            {
                "beta": betas[:, None, None],
                "alpha": sampled[:, None],
                "entity": np.arange(1, ENTITIES + 1),
                "relative_efficiency": estimate,
                "standard_error": estimate_se,
            },
        )
        return save(
            request,
            report,
            figure,
            {
                "beta": betas[:, None, None],
                "alpha": alphas[:, None],
                "entity": np.arange(1, ENTITIES + 1),
                "relative_efficiency": curves,
            },
        )
