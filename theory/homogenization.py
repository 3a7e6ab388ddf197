"""Similarity of the entities: correlation of their errors (homogenization), and distances of their estimates."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from .consensus import Law
from .linear_algebra import square_root
from .measures import bias, covariance, joint_covariance, mse


def homogenization(law: Law, present: Bool[Array, " entity"] | None = None) -> Float[Array, ""]:
    """Average correlation between the errors e = θ̂ - θ of two entities, Σ_{k≠l} E⟨e_k, e_l⟩ / ((K-1) Σ_k E‖e_k‖²).

    Takes O(K d³) operations.

    Args:
        law: joint law of the estimates.
        present: True for entities that count, False for those that only pad the arrays; all count if None.

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
    ecosystem, training, pool = law.ecosystem, law.training, law.pool
    counted = jnp.ones(ecosystem.entities) if present is None else present.astype(float)
    entities = counted.sum()
    weighted = (counted / entities)[:, None, None] * training.inverse
    heard = jnp.einsum("k,kab->ab", training.synthetic_weight, weighted)
    private = training.private_weight[:, None, None] * weighted + heard @ pool.from_private
    public = jnp.einsum("k,kab->ab", training.public_weight, weighted) + heard @ pool.from_public
    average = (
        ecosystem.noise_variance
        * (
            jnp.einsum("kab,kbc,kac->", private, ecosystem.private, private)
            + jnp.trace(public @ ecosystem.public @ public.T)
        )
        + jnp.trace(heard @ pool.sampling_covariance @ heard.T)
        + ((counted @ bias(law) / entities) ** 2).sum()
    )  # E‖ē‖² of the error ē of the average estimate
    total = jnp.where(counted > 0, mse(law), 0).sum()
    pairs = jnp.where(entities > 1, entities - 1, 1)
    defined = law.exists & (entities > 1)
    return jnp.where(defined, (entities**2 * average - total) / (pairs * total), jnp.nan)


def disagreement(law: Law) -> Float[Array, "entity entity"]:
    """Root mean square distance between the estimates of every two entities, √E‖θ̂_k - θ̂_l‖².

    Args:
        law: joint law of the estimates.

    Returns:
        Symmetric matrix of shape (K, K) in units of θ, zero on the diagonal. NaN or `inf` where there is no limit.

    Raises:
        DependsOnTheta: an estimate is biased and the ecosystem has no θ. While traced, the value is NaN instead.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.theory import Weights, disagreement, limit, symmetric_ecosystem
        >>> law = limit(symmetric_ecosystem(2, jnp.eye(3)), Weights(0.0, 1.0))  # two independent estimates
        >>> print(f"{disagreement(law)[0, 1]:.4f}")
        2.4495
    """
    return _pair_distance(_pairwise_trace(joint_covariance(law)), bias(law))


def mean_distance(law: Law) -> Float[Array, "entity entity"]:
    """Root mean square distance between the conditional means of every two entities' estimates, given the initial data.

    The expectation is over the initial data. The noise of synthetic labels is left out, so the distance is zero where
    the row blocks of M_t coincide, that is where both entities use all data in the same way (Theorem 1).

    Args:
        law: joint law of the estimates.

    Returns:
        Symmetric matrix of shape (K, K) in units of θ, zero on the diagonal. NaN or `inf` where there is no limit.

    Raises:
        DependsOnTheta: an estimate is biased and the ecosystem has no θ. While traced, the value is NaN instead.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.theory import Weights, limit, mean_distance, symmetric_ecosystem
        >>> law = limit(symmetric_ecosystem(2, jnp.eye(3)), Weights(0.5, 1.0))
        >>> print(f"{mean_distance(law)[0, 1]:.4f}")
        1.2247
    """
    heard = law.training.from_pool
    sampling = jnp.einsum("kab,bc,lac->kl", heard, law.pool.sampling_covariance, heard)
    return _pair_distance(_pairwise_trace(joint_covariance(law)) - sampling, bias(law))


def distribution_distance(law: Law) -> Float[Array, "entity entity"]:
    """2-Wasserstein distance between the Gaussian laws of every two entities' estimates.

    Args:
        law: joint law of the estimates; only the law of each entity by itself counts.

    Returns:
        Symmetric matrix of shape (K, K) in units of θ, zero on the diagonal. NaN or `inf` where there is no limit.

    Raises:
        DependsOnTheta: an estimate is biased and the ecosystem has no θ. While traced, the value is NaN instead.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.theory import Weights, distribution_distance, limit, symmetric_ecosystem
        >>> law = limit(symmetric_ecosystem(2, jnp.eye(3)), Weights(0.0, jnp.array([1.0, 0.5])))
        >>> print(f"{distribution_distance(law)[0, 1]:.4f}")
        0.5073
    """
    spread = covariance(law)
    roots = jax.vmap(square_root)(jnp.where(law.exists, spread, 0))
    size = jnp.trace(spread, axis1=-2, axis2=-1)
    between = roots[:, None] @ spread[None, :] @ roots[:, None]
    overlap = jnp.sqrt(jnp.maximum(jnp.linalg.eigvalsh(between), 0)).sum(-1)
    gap = ((bias(law)[:, None] - bias(law)[None]) ** 2).sum(-1)
    squared = jnp.maximum(size[:, None] + size[None] - 2 * overlap + gap, 0)
    return jnp.sqrt(squared) * (1 - jnp.eye(law.ecosystem.entities))  # rounding would leave 1e-8 on the diagonal


def _pairwise_trace(joint: Float[Array, "entity entity d d"]) -> Float[Array, "entity entity"]:
    return jnp.trace(joint, axis1=-2, axis2=-1)


def _pair_distance(
    inner: Float[Array, "entity entity"], offset: Float[Array, "entity d"]
) -> Float[Array, "entity entity"]:
    own = jnp.diagonal(inner)
    gap = ((offset[:, None] - offset[None]) ** 2).sum(-1)
    return jnp.sqrt(jnp.maximum(own[:, None] + own[None] - inner - inner.T + gap, 0))
