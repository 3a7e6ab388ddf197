"""Streaming moments: means, covariances and squared errors of replicates, in memory that does not grow with their number."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .workflow import Estimates, Sampler


class Moments(eqx.Module):
    """Count, mean and sum of squared deviations (or of their products) of what has been seen."""

    count: Float[Array, "..."]
    mean: Float[Array, "..."]
    scatter: Float[Array, "..."]


class Tally(eqx.Module):
    """What is remembered of all replicates at one generation.

    Attributes:
        estimates: moments of θ̂; the scatter holds products within each entity (K, d, d), or of all pairs of entities
            (K, K, d, d) for a joint tally.
        squared_error: moments of ‖θ̂_k - θ‖², shape (K).
        prediction_error: moments of ‖X~_m (θ̂_k - θ)‖², shape (K, K): entity k on task m.
    """

    estimates: Moments
    squared_error: Moments
    prediction_error: Moments


def tally_batch(sampler: Sampler, estimates: Estimates, joint: bool) -> Tally:
    """The tally of one batch of replicates."""
    count = jnp.asarray(float(estimates.shape[0]))
    mean = estimates.mean(0)
    deviation = estimates - mean
    error = estimates - sampler.theta
    squared = (error**2).sum(-1)
    prediction = jnp.einsum("rkma,rka->rkm", jnp.einsum("rkb,mba->rkma", error, sampler.ecosystem.private), error)
    return Tally(
        Moments(count, mean, _joint_products(deviation) if joint else jnp.einsum("rka,rkb->kab", deviation, deviation)),
        _elementwise(count, squared),
        _elementwise(count, prediction),
    )


def merge(left: Tally, right: Tally, joint: bool) -> Tally:
    """The tally of two disjoint sets of replicates; associative (Chan, Golub and LeVeque 1979)."""
    products = "...ka,...lb->...klab" if joint else "...ka,...kb->...kab"

    def pair(a: Moments, b: Moments, outer) -> Moments:
        count = a.count + b.count
        share = (b.count / count)[(...,) + (None,) * (a.mean.ndim - a.count.ndim)]
        gap = b.mean - a.mean
        weight = (a.count * b.count / count)[(...,) + (None,) * (a.scatter.ndim - a.count.ndim)]
        return Moments(count, a.mean + share * gap, a.scatter + b.scatter + weight * outer(gap))

    return Tally(
        pair(left.estimates, right.estimates, lambda gap: jnp.einsum(products, gap, gap)),
        pair(left.squared_error, right.squared_error, jnp.square),
        pair(left.prediction_error, right.prediction_error, jnp.square),
    )


def empty_like(tally: Tally) -> Tally:
    """The tally of no replicate, in the shape of another's."""
    return jax.tree.map(jnp.zeros_like, tally)


def _joint_products(deviation: Estimates) -> Float[Array, "entity entity d d"]:
    replicates, entities, size = deviation.shape
    flat = deviation.reshape(replicates, -1)  # one matrix product is far faster than the einsum over four axes
    return (flat.T @ flat).reshape(entities, size, entities, size).swapaxes(1, 2)


def _elementwise(count, values) -> Moments:
    mean = values.mean(0)
    return Moments(count, mean, ((values - mean) ** 2).sum(0))
