"""Similarity of the entities: the mean correlation of their errors."""

from math import nan

from .arrays import einsum, namespace
from .biases import bias
from .law import Law
from .measures import mse_of_biases
from .shapes import Array, Float


def homogenization(law: Law) -> Float[Array, ""]:
    """Average correlation between the errors e = θ̂ - θ of two entities, Σ_{k≠l} E⟨e_k, e_l⟩ / ((K-1) Σ_k E‖e_k‖²).

    Takes O(K d³) operations.

    Args:
        law: joint law of the estimates.

    Returns:
        A number from -1/(K-1) to 1: one if all estimates coincide, zero if their errors are uncorrelated. NaN for a
        single entity, which has none to compare with, and where there is no limit.

    Raises:
        DependsOnTheta: an estimate is biased and the ecosystem has no θ. While traced, the value is NaN instead.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.theory import Weights, homogenization, limit, symmetric_ecosystem
        >>> ecosystem = symmetric_ecosystem(2, jnp.eye(3))
        >>> print(f"{homogenization(limit(ecosystem, Weights(0.5, 0.0))):.4f}")  # no private data
        1.0000
        >>> print(f"{homogenization(limit(ecosystem, Weights(0.0, 1.0))):.4f}")  # private data only
        0.0000
    """
    biases = bias(law)
    return homogenization_of_errors(law, biases, mse_of_biases(law, biases))


def homogenization_of_errors(
    law: Law, biases: Float[Array, "entity d"], errors: Float[Array, " entity"]
) -> Float[Array, ""]:
    """Homogenization, from the law's `bias` and `mse`."""
    ecosystem, state, xp = law.ecosystem, law.state, namespace(law.fit.gain)
    counted = ecosystem.present.astype(float)
    entities = counted.sum()
    average = counted / entities
    heard = (average[:, None, None] * law.from_state).sum(0)
    private = average[:, None, None] * law.from_own + heard[None] @ state.from_private
    public = (average[:, None, None] * law.from_public).sum(0) + heard @ state.from_public
    of_average = (
        einsum("kab,kbc,kac->", private, ecosystem.private.moment_covariance, private)
        + xp.trace(public @ ecosystem.public.moment_covariance @ public.T)
        + xp.trace(heard @ state.sampling_covariance @ heard.T)
        + ((average @ xp.where(ecosystem.present[:, None], biases, 0)) ** 2).sum()
    )  # E‖ē‖² of the error ē of the average estimate
    total = xp.where(ecosystem.present, errors, 0).sum()
    pairs = xp.where(entities > 1, entities - 1, 1)
    defined = law.exists & (entities > 1)
    return xp.where(defined, (entities**2 * of_average - total) / (pairs * total), nan)
