"""Figure 2: relative efficiency of every entity against α for three β, exact and by Monte Carlo."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from matplotlib.figure import Figure

from crossfeed.random_keys import seeded_key

from ..sim import Decision, family_wise_test, make_moment_sampler, sharded_grid, simulate
from ..theory import Ecosystem, Weights, limit, minimum_variance, mse, random_gaussian, relative_efficiency, trajectory
from .report import Report, Request, save, save_table
from .style import grid_of_axes, line, points, styled

BETAS = (0.1, 0.5, 0.9)
ENTITIES, DIMENSION, RANK = 4, 15, 5
_SAMPLED = (0.05, 0.2, 0.35, 0.5, 0.65, 0.8, 0.95)  # values of α with Monte Carlo points
_GENERATIONS = 100  # of Monte Carlo, late enough to stand for the limit


@dataclass(frozen=True)
class Efficiencies:
    """Relative efficiencies of one random ecosystem over α and β.

    Attributes:
        alphas: values of α.
        exact: exact relative efficiencies in the limit.
        estimate: Monte Carlo estimates at generation `_GENERATIONS`, for α in `_SAMPLED`.
        standard_error: standard errors of `estimate`.
        replicates: number of Monte Carlo replicates.
        agreement: test of the simulated MSE against the exact MSE of the same generation.
    """

    alphas: Float[np.ndarray, " alpha"]
    exact: Float[np.ndarray, "beta alpha entity"]
    estimate: Float[np.ndarray, "beta sampled entity"]
    standard_error: Float[np.ndarray, "beta sampled entity"]
    replicates: int
    agreement: Decision


def efficiency_curves(
    ecosystem: Ecosystem, alphas: Float[Array, " alpha"], betas: Float[Array, " beta"]
) -> Float[Array, "beta alpha entity"]:
    """Exact relative efficiency of every entity in the limit, over a grid of constant weights (Theorem 3)."""

    def efficiency(beta: Float[Array, ""], alpha: Float[Array, ""]) -> Float[Array, " entity"]:
        return relative_efficiency(limit(ecosystem, Weights(alpha, beta)))

    return jax.vmap(jax.vmap(efficiency, in_axes=(None, 0)), in_axes=(0, None))(betas, alphas)


def compute(seed: int, points: int, replicates: int) -> Efficiencies:
    """Exact and simulated relative efficiencies of one random ecosystem, with this number of values of α and of replicates."""
    key_ecosystem, key_replicates = jax.random.split(seeded_key(seed))
    ecosystem = random_gaussian(key_ecosystem, ENTITIES, DIMENSION, RANK)
    betas, alphas = jnp.array(BETAS), jnp.linspace(0.001, 0.99, points)
    curves = jax.jit(efficiency_curves)(ecosystem, alphas, betas)
    sampler = make_moment_sampler(ecosystem)

    def monte_carlo(
        beta: Float[Array, ""], alpha: Float[Array, ""]
    ) -> tuple[Float[Array, " entity"], Float[Array, " entity"], Float[Array, " entity"]]:
        weights = Weights(alpha, beta)
        drawn = simulate(sampler, weights, _GENERATIONS, replicates, key_replicates)
        return drawn.mse[-1], drawn.mse_se[-1], trajectory(ecosystem, weights, _GENERATIONS, mse)[-1]

    over_grid = jax.jit(lambda *axes: sharded_grid(monte_carlo, *axes, tile=1))
    error, error_se, exact = (np.asarray(x) for x in over_grid(betas, jnp.array(_SAMPLED)))
    best = float(minimum_variance(ecosystem))
    agreement = family_wise_test([(error - exact) / error_se])
    return Efficiencies(
        np.asarray(alphas), np.asarray(curves), best / error, best / error**2 * error_se, replicates, agreement
    )


def draw(request: Request) -> Report:
    """Compute and write the figure, with a table of its Monte Carlo points."""
    found = compute(request.seed, *((30, 300) if request.quick else (200, 3000)))
    axes = {"beta": np.array(BETAS)[:, None, None], "entity": np.arange(1, ENTITIES + 1)}
    exact = {"beta": axes["beta"], "alpha": found.alphas[:, None], "entity": axes["entity"]}
    sampled = exact | {"alpha": np.array(_SAMPLED)[:, None]}
    simulated = {"relative_efficiency": found.estimate, "standard_error": found.standard_error}
    save_table(request.folder / "fig2_monte_carlo.csv", sampled | simulated)
    return save(request, _report(found, request.seed), _figure(found), exact | {"relative_efficiency": found.exact})


def _figure(found: Efficiencies) -> Figure:
    """One panel per entity, with a line and Monte Carlo points for each β."""
    with styled():
        figure, axes = grid_of_axes(1, ENTITIES, (10, 2.8), sharey=True)
        for entity, panel in enumerate(axes[0]):
            for b, beta in enumerate(BETAS):
                line(panel, b, found.alphas, found.exact[b, :, entity], f"β = {beta}")
                points(panel, b, _SAMPLED, found.estimate[b, :, entity], found.standard_error[b, :, entity])
            panel.set(title=f"entity {entity + 1}", xlabel="α, weight of synthetic data", xlim=(0, 1))
        axes[0][0].set(ylabel="relative efficiency", ylim=(0, None))  # last, since it fixes the upper end of all panels
        axes[0][0].legend()
    return figure


def _report(found: Efficiencies, seed: int) -> Report:
    mean = found.exact.mean(axis=2)
    top = np.unravel_index(mean.argmax(), mean.shape)
    return Report(
        "fig2",
        "Figure 2: relative efficiency against α",
        "Every entity gains from some synthetic data and loses from too much, and the best α depends on β: "
        f"here β = {BETAS[top[0]]} with α = {found.alphas[top[1]]:.2f} is best of these three on average.",
        f"K = {ENTITIES}, d = {DIMENSION}, private features of rank {RANK}, S = S~, one random ecosystem (seed {seed}); lines: "
        f"exact limit (t → ∞); points: {found.replicates} Monte Carlo replicates at t = {_GENERATIONS}; bars: two standard errors.",
        {
            "best_mean_efficiency": float(mean[top]),
            "at_alpha": float(found.alphas[top[1]]),
            "at_beta": BETAS[top[0]],
            "monte_carlo": vars(found.agreement),
        },
        ["fig2_monte_carlo.csv"],
    )
