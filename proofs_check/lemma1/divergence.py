"""What ρ(Q) > 1 means: the workflow simulated, its error growing by ρ(Q) a generation."""

import math

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from crossfeed.errors import InvalidInput

from ...sim import make_moment_sampler, simulate
from ...theory import Ecosystem, Weights, mse, trajectory

_GROWTH = math.log(1e5)  # of the error over the whole run, when the largest eigenvalue alone is left
_FEWEST, _MOST = 20, 400  # generations


class Divergence(eqx.Module):
    """Root mean squared errors of all entities together, at generations 0..T, and their growth a generation.

    Attributes:
        spectral_radius: ρ(Q).
        simulated: by Monte Carlo.
        simulated_se: its standard error.
        exact: by Theorem 2.
        growth: factor a generation of `simulated`, over the last half.
        exact_growth: of `exact`, likewise.
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
    """Simulate an unstable ecosystem for as many generations as its growth takes to show.

    Raises:
        InvalidInput: ρ(Q) ≤ 1.
    """
    if not spectral_radius > 1:
        raise InvalidInput(f"spectral_radius is {spectral_radius:.6g}, but an error that grows needs more than 1")
    generations = min(_MOST, max(_FEWEST, math.ceil(_GROWTH / math.log(spectral_radius))))
    return Divergence(spectral_radius, *_run(key, ecosystem, weights, generations, replicates))


@eqx.filter_jit
def _run(key, ecosystem, weights, generations, replicates):
    drawn = simulate(make_moment_sampler(ecosystem), weights, generations, replicates, key)
    simulated = jnp.sqrt(drawn.mse.sum(1))
    # Entities' errors are correlated: adding up their standard errors is on the safe side.
    error = drawn.mse_se.sum(1) / (2 * simulated)
    exact = jnp.sqrt(trajectory(ecosystem, weights, generations, mse).sum(1))
    return simulated, error, exact, _growth(simulated), _growth(exact)


def _growth(errors: Float[Array, " generation"]) -> Float[Array, ""]:
    """exp of the slope of log error against generation, by least squares over the last half."""
    last = errors[len(errors) // 2 :]
    time = jnp.arange(len(last)) - (len(last) - 1) / 2
    return jnp.exp((time * jnp.log(last)).sum() / (time**2).sum())
