"""Demonstration that ρ(Q) > 1 means divergence: the simulated error grows by a factor of ρ(Q) per generation."""

import math

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from crossfeed.errors import InvalidInput

from ...sim import make_moment_sampler, simulate
from ...theory import Ecosystem, Weights, mse, trajectory

_GROWTH = math.log(1e5)  # log growth of the error over the run, as the largest eigenvalue predicts it
_FEWEST, _MOST = 20, 400  # numbers of generations


class Divergence(eqx.Module):
    """Root mean squared error of all entities together at generations 0..T, and its growth per generation.

    Attributes:
        spectral_radius: ρ(Q).
        simulated: error by Monte Carlo simulation.
        simulated_se: standard error of `simulated`.
        exact: error by Theorem 2.
        growth: growth factor of `simulated` per generation, over the last half of the run.
        exact_growth: growth factor of `exact`, likewise.
    """

    spectral_radius: float
    simulated: Float[Array, " generation"]
    simulated_se: Float[Array, " generation"]
    exact: Float[Array, " generation"]
    growth: Float[Array, ""]
    exact_growth: Float[Array, ""]


def simulate_divergence(
    key: PRNGKeyArray, ecosystem: Ecosystem, weights: Weights, spectral_radius: float, replicates: int = 2000
) -> Divergence:
    """Simulation of an unstable ecosystem, long enough for its asymptotic growth to show.

    Raises:
        InvalidInput: ρ(Q) ≤ 1.
    """
    if not spectral_radius > 1:
        raise InvalidInput(f"spectral_radius is {spectral_radius:.6g}, but must exceed 1 for the error to grow")
    generations = min(_MOST, max(_FEWEST, math.ceil(_GROWTH / math.log(spectral_radius))))
    return Divergence(spectral_radius, *_run(key, ecosystem, weights, generations, replicates))


@eqx.filter_jit
def _run(
    key: PRNGKeyArray, ecosystem: Ecosystem, weights: Weights, generations: int, replicates: int
) -> tuple[Array, Array, Array, Array, Array]:
    """The array fields of `Divergence`, in order."""
    drawn = simulate(make_moment_sampler(ecosystem), weights, generations, replicates, key)
    simulated = jnp.sqrt(drawn.mse.sum(1))
    # The entities' errors are correlated; the sum of their standard errors is an upper bound in any case.
    error = drawn.mse_se.sum(1) / (2 * simulated)
    exact = jnp.sqrt(trajectory(ecosystem, weights, generations, mse).sum(1))
    return simulated, error, exact, _growth(simulated), _growth(exact)


def _growth(errors: Float[Array, " generation"]) -> Float[Array, ""]:
    """Growth factor per generation: the exponential of the least-squares slope of the log error over the last half."""
    last = errors[len(errors) // 2 :]
    time = jnp.arange(len(last), dtype=float) - (len(last) - 1) / 2
    return jnp.exp((time * jnp.log(last)).sum() / (time**2).sum())
