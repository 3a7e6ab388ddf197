"""Streaming moments of the estimates, in memory that does not grow with the number of replicates."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .workflow import Estimates


class Tally(eqx.Module):
    """Count, mean, and summed products of deviations of the estimates that have been seen.

    Mean squared errors on any task follow from these exactly, since E‖Xe‖² = tr(X'X E[ee']).

    Attributes:
        count: replicates.
        mean: mean of θ̂.
        scatter: Σ (θ̂ - mean)(θ̂ - mean)' within each entity (K, d, d), or for every pair of entities (K, K, d, d) in a joint
            tally.
        joint: whether the scatter holds pairs of entities.
    """

    count: Float[Array, "..."]
    mean: Float[Array, "... entity d"]
    scatter: Float[Array, "... d d"]
    joint: bool = eqx.field(static=True)


def tally_batch(estimates: Estimates, joint: bool) -> Tally:
    """The tally of one batch of replicates."""
    mean = estimates.mean(0)
    deviation = estimates - mean
    scatter = _joint_products(deviation) if joint else jnp.einsum("rka,rkb->kab", deviation, deviation)
    return Tally(jnp.asarray(float(estimates.shape[0])), mean, scatter, joint)


def merge(left: Tally, right: Tally) -> Tally:
    """The tally of two disjoint sets of replicates; associative (Chan, Golub and LeVeque 1979).

    Raises:
        ValueError: one is joint and the other is not.
    """
    if left.joint != right.joint:
        raise ValueError("a joint tally cannot be merged with one that is not")
    products = "...ka,...lb->...klab" if left.joint else "...ka,...kb->...kab"
    count = left.count + right.count
    gap = right.mean - left.mean
    mean = left.mean + (right.count / count)[..., None, None] * gap
    weight = jnp.sqrt(left.count * right.count / count)[..., None, None]
    return Tally(
        count, mean, left.scatter + right.scatter + jnp.einsum(products, weight * gap, weight * gap), left.joint
    )


def empty_like(tally: Tally) -> Tally:
    """The tally of no replicate, in the shape of another's."""
    return jax.tree.map(jnp.zeros_like, tally)


def _joint_products(deviation: Estimates) -> Float[Array, "entity entity d d"]:
    replicates, entities, size = deviation.shape
    flat = deviation.reshape(replicates, -1)  # one matrix product is far faster than the einsum over four axes
    return (flat.T @ flat).reshape(entities, size, entities, size).swapaxes(1, 2)
