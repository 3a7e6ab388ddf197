"""Running moments of the estimates, in memory that does not grow with the number of replicates."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .samplers import Estimates


class RunningMoments(eqx.Module):
    """Count, mean and scatter of the estimates seen so far, from which means and covariances follow.

    Mean squared errors on any task follow too, since E‖Xe‖² = tr(X'X E[ee']). Further leading axes, such as generations, are
    allowed.

    Attributes:
        count: number of replicates.
        mean: sample mean of θ̂.
        scatter: Σ (θ̂ - mean)(θ̂ - mean)', of shape (K, d, d) within entities or (K, K, d, d) between all pairs.
        joint: whether the scatter is that of all pairs of entities.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.sim import RunningMoments
        >>> RunningMoments(jnp.array(2.0), jnp.zeros((1, 3)), jnp.ones((1, 3, 3)), joint=False).mean.shape
        (1, 3)
    """

    count: Float[Array, "..."]
    mean: Float[Array, "... entity d"]
    scatter: Float[Array, "... d d"]
    joint: bool = eqx.field(static=True)


def batch_moments(estimates: Estimates, joint: bool) -> RunningMoments:
    """Moments of one batch of replicates; joint ones hold all pairs of entities."""
    entities, size, replicates = estimates.shape
    mean = estimates.mean(-1)
    deviation = estimates - mean[..., None]
    if joint:
        flat = deviation.reshape(-1, replicates)  # one matrix product is far faster than an einsum over four axes
        scatter = (flat @ flat.T).reshape(entities, size, entities, size).swapaxes(1, 2)
    else:
        scatter = deviation @ deviation.mT
    return RunningMoments(jnp.asarray(float(replicates)), mean, scatter, joint)


def merge_moments(left: RunningMoments, right: RunningMoments) -> RunningMoments:
    """Moments of the union of two disjoint sets of replicates (Chan, Golub and LeVeque 1979); associative.

    Args:
        left: of one set, with any leading axes.
        right: of the other, with the same shapes.

    Returns:
        The moments of all replicates, with the same shapes.

    Raises:
        ValueError: one holds pairs of entities and the other does not.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.sim import RunningMoments, merge_moments
        >>> one, other = (RunningMoments(jnp.array(1.0), jnp.full((1, 1), x), jnp.zeros((1, 1, 1)), False) for x in (1.0, 3.0))
        >>> both = merge_moments(one, other)
        >>> both.count.item(), both.mean.item(), round(both.scatter.item(), 6)
        (2.0, 2.0, 2.0)
    """
    if left.joint != right.joint:
        raise ValueError("moments of pairs of entities cannot be merged with moments of single entities")
    products = "...ka,...lb->...klab" if left.joint else "...ka,...kb->...kab"
    count = left.count + right.count
    gap = right.mean - left.mean
    mean = left.mean + (right.count / count)[..., None, None] * gap
    weight = jnp.sqrt(left.count * right.count / count)[..., None, None]
    return RunningMoments(
        count, mean, left.scatter + right.scatter + jnp.einsum(products, weight * gap, weight * gap), left.joint
    )


def merge_moment_stack(parts: RunningMoments) -> RunningMoments:
    """Moments of the union of several disjoint sets of replicates.

    Args:
        parts: moments whose arrays have one more leading axis, over the sets; at least one set.

    Returns:
        The moments of all replicates, without that axis.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.sim import RunningMoments, merge_moment_stack
        >>> parts = RunningMoments(jnp.ones(3), jnp.arange(3.0)[:, None, None], jnp.zeros((3, 1, 1, 1)), False)
        >>> total = merge_moment_stack(parts)
        >>> total.count.item(), total.mean.item()
        (3.0, 1.0)
    """
    first, rest = jax.tree.map(lambda leaf: leaf[0], parts), jax.tree.map(lambda leaf: leaf[1:], parts)
    return jax.lax.scan(lambda seen, moments: (merge_moments(seen, moments), None), first, rest)[0]


def empty_like(moments: RunningMoments) -> RunningMoments:
    """Moments of no replicates, with the shapes of the given ones: the neutral element of `merge_moments`."""
    return jax.tree.map(jnp.zeros_like, moments)
