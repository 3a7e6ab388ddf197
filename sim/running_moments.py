"""Streaming moments of the estimates, in memory that does not grow with the number of replicates."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .samplers import Estimates


class RunningMoments(eqx.Module):
    """Count, mean, and summed products of deviations of the estimates that have been seen.

    Mean squared errors on any task follow from these exactly, since E‖Xe‖² = tr(X'X E[ee']).

    Attributes:
        count: replicates.
        mean: mean of θ̂.
        scatter: Σ (θ̂ - mean)(θ̂ - mean)' within each entity (K, d, d), or for every pair of entities (K, K, d, d) in a joint
            moments.
        joint: whether the scatter holds pairs of entities.
    """

    count: Float[Array, "..."]
    mean: Float[Array, "... entity d"]
    scatter: Float[Array, "... d d"]
    joint: bool = eqx.field(static=True)


def batch_moments(estimates: Estimates, joint: bool) -> RunningMoments:
    """The moments of one batch of replicates."""
    entities, size, replicates = estimates.shape
    mean = estimates.mean(-1)
    deviation = estimates - mean[..., None]
    if joint:
        flat = deviation.reshape(-1, replicates)  # one matrix product is far faster than an einsum over four axes
        scatter = (flat @ flat.T).reshape(entities, size, entities, size).swapaxes(1, 2)
    else:
        scatter = deviation @ deviation.mT
    return RunningMoments(jnp.asarray(float(replicates)), mean, scatter, joint)


def merge(left: RunningMoments, right: RunningMoments) -> RunningMoments:
    """The moments of two disjoint sets of replicates; associative (Chan, Golub and LeVeque 1979).

    Raises:
        ValueError: one is joint and the other is not.
    """
    if left.joint != right.joint:
        raise ValueError("a joint moments cannot be merged with one that is not")
    products = "...ka,...lb->...klab" if left.joint else "...ka,...kb->...kab"
    count = left.count + right.count
    gap = right.mean - left.mean
    mean = left.mean + (right.count / count)[..., None, None] * gap
    weight = jnp.sqrt(left.count * right.count / count)[..., None, None]
    return RunningMoments(
        count, mean, left.scatter + right.scatter + jnp.einsum(products, weight * gap, weight * gap), left.joint
    )


def merge_stack(parts: RunningMoments) -> RunningMoments:
    """The moments of a stack of disjoint ones, with their index as leading axis."""
    first, rest = jax.tree.map(lambda leaf: leaf[0], parts), jax.tree.map(lambda leaf: leaf[1:], parts)
    return jax.lax.scan(lambda seen, moments: (merge(seen, moments), None), first, rest)[0]


def empty_like(moments: RunningMoments) -> RunningMoments:
    """The moments of no replicate, in the shape of another's."""
    return jax.tree.map(jnp.zeros_like, moments)
