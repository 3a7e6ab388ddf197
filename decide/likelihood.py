"""Likelihood of observed estimates under the exact law, by a Kalman filter."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from crossfeed.formulas.estimators import Fit
from crossfeed.formulas.law import law_of_generation
from crossfeed.formulas.shapes import Scalar
from crossfeed.formulas.state_space import Exchange, exchange, nothing_published, transition

from ..theory import Ecosystem, Weights, Workflow
from ..theory.schedule import fits_of_generations

_DIFFUSE = 100.0  # standard deviation of the prior of θ, in units of the size of the estimates


class _Hidden(eqx.Module):
    """Gaussian law of what is not seen: the state, the moments of all real data, and θ, one after another."""

    mean: Float[Array, " n"]
    covariance: Float[Array, "n n"]


def log_likelihood(
    ecosystem: Ecosystem,
    weights: Weights,
    workflow: Workflow,
    estimates: Float[Array, "generation entity d"],
    probe_noise: Scalar,
) -> Float[Array, ""]:
    """Log density of estimates of all entities at generations 0..T, each seen with independent Gaussian noise.

    The real data's moments and the truth, which is one for all, are integrated out; the truth has a wide Gaussian prior. Takes
    O(T (K d)³) operations.

    Args:
        ecosystem: the ecosystem; its truth is not used.
        weights: weights of all entities, constant over generations.
        workflow: estimator, pool and memory.
        estimates: what was observed.
        probe_noise: variance of the noise of each number observed, positive.
    """
    generations = len(estimates) - 1
    shared = exchange(ecosystem, workflow)
    fits = fits_of_generations(workflow, shared, weights, generations)
    size = jnp.sqrt((estimates**2).mean())
    first, before = _see(shared, fits.first, _start(shared, workflow, size), estimates[0], probe_noise, workflow)
    if not generations:
        return first

    def generation(hidden: _Hidden, fitted: Fit, seen: Float[Array, "entity d"]) -> tuple[_Hidden, Float[Array, ""]]:
        density, hidden = _see(shared, fitted, hidden, seen, probe_noise, workflow)
        return _publish(shared, fitted, hidden), density

    return first + fits.scan(generation, _publish(shared, fits.first, before), estimates[1:]).sum()


def _start(shared: Exchange, workflow: Workflow, size: Float[Array, ""]) -> _Hidden:
    """Before anything is published: an empty state, and the moments' own noise."""
    ecosystem = shared.ecosystem
    states = len(nothing_published(workflow, shared).sampling_covariance)
    blocks = [jnp.zeros((states, states)), *ecosystem.private.moment_covariance, ecosystem.public.moment_covariance]
    prior = (_DIFFUSE * size) ** 2 * jnp.eye(ecosystem.dimension)
    covariance = jax.scipy.linalg.block_diag(*blocks, prior)
    return _Hidden(jnp.zeros(len(covariance)), covariance)


def _see(
    shared: Exchange,
    fitted: Fit,
    hidden: _Hidden,
    seen: Float[Array, "entity d"],
    probe_noise: Scalar,
    workflow: Workflow,
) -> tuple[Float[Array, ""], _Hidden]:
    """Log density of one generation's estimates given the earlier ones, and what is then known."""
    law = law_of_generation(shared, fitted, nothing_published(workflow, shared))
    entities, size = seen.shape
    own = jnp.einsum("kl,kab->kalb", jnp.eye(entities), law.from_own).reshape(entities, size, -1)
    truth = jnp.eye(size)[None] - fitted.unseen_or_zero
    observe = jnp.concatenate([law.from_state, own, law.from_public, truth], axis=2).reshape(entities * size, -1)
    crossed = hidden.covariance @ observe.T
    total = observe @ crossed + probe_noise * jnp.eye(entities * size)
    factor = jnp.linalg.cholesky(total)
    surprise = jax.scipy.linalg.solve_triangular(factor, seen.reshape(-1) - observe @ hidden.mean, lower=True)
    whitened = jax.scipy.linalg.solve_triangular(factor, crossed.T, lower=True)
    scale = jnp.log(jnp.diagonal(factor)).sum() + entities * size * jnp.log(2 * jnp.pi) / 2
    mean = hidden.mean + whitened.T @ surprise
    return -(surprise**2).sum() / 2 - scale, _Hidden(mean, hidden.covariance - whitened.T @ whitened)


def _publish(shared: Exchange, fitted: Fit, hidden: _Hidden) -> _Hidden:
    """What is known of the next generation's state."""
    step = transition(shared, fitted)
    states = len(step.feedback)
    moved = jnp.concatenate([step.feedback, jnp.concatenate([*step.private], axis=1), step.public, step.truth], axis=1)
    # Only the state moves: the rest of the covariance stays.
    crossed = moved @ hidden.covariance
    within = crossed @ moved.T + step.noise
    covariance = hidden.covariance.at[:states, states:].set(crossed[:, states:])
    covariance = covariance.at[states:, :states].set(crossed[:, states:].T)
    covariance = covariance.at[:states, :states].set((within + within.T) / 2)
    return _Hidden(hidden.mean.at[:states].set(moved @ hidden.mean), covariance)
