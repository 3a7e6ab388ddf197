"""Similarity of the entities: correlation of their errors (homogenization), and distances of their estimates."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .law import Law
from .linear_algebra import singular_values, square_root
from .measures import bias, covariance, joint_covariance, mean_error, mse


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
    ecosystem, state = law.ecosystem, law.state
    counted = ecosystem.present.astype(float)
    entities = counted.sum()
    average = counted / entities
    heard = jnp.einsum("k,kas->as", average, law.from_state)
    private = average[:, None, None] * law.from_own + heard[None] @ state.from_private
    public = jnp.einsum("k,kab->ab", average, law.from_public) + heard @ state.from_public
    of_average = (
        jnp.einsum("kab,kbc,kac->", private, ecosystem.private.moment_covariance, private)
        + jnp.trace(public @ ecosystem.public.moment_covariance @ public.T)
        + jnp.trace(heard @ state.sampling_covariance @ heard.T)
        + ((average @ jnp.where(ecosystem.present[:, None], bias(law), 0)) ** 2).sum()
    )  # E‖ē‖² of the error ē of the average estimate
    total = jnp.where(ecosystem.present, mse(law), 0).sum()
    pairs = jnp.where(entities > 1, entities - 1, 1)
    defined = law.exists & (entities > 1)
    return jnp.where(defined, (entities**2 * of_average - total) / (pairs * total), jnp.nan)


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
    return _pair_distance(_pairwise_trace(joint_covariance(law)), mean_error(law))


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
    maps = law.from_state
    sampling = jnp.einsum("kas,st,lat->kl", maps, law.state.sampling_covariance, maps)
    return _pair_distance(_pairwise_trace(joint_covariance(law)) - sampling, mean_error(law))


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
    roots = jax.vmap(square_root)(jnp.where(law.exists, covariance(law), 0))
    products = roots[:, None] @ roots[None, :]
    # ‖A - B‖² + 2 (tr AB - ‖AB‖_*) for the roots A and B: the sum of traces minus an overlap would cancel for similar laws.
    apart = ((roots[:, None] - roots[None, :]) ** 2).sum((-2, -1))
    overlap = singular_values(products).sum(-1) - jnp.trace(products, axis1=-2, axis2=-1)
    offset = mean_error(law)
    gap = ((offset[:, None] - offset[None]) ** 2).sum(-1)
    return jnp.where(law.exists, _distance(apart - 2 * overlap + gap), jnp.inf)


def _pairwise_trace(joint: Float[Array, "entity entity d d"]) -> Float[Array, "entity entity"]:
    return jnp.trace(joint, axis1=-2, axis2=-1)


def _pair_distance(
    inner: Float[Array, "entity entity"], offset: Float[Array, "entity d"]
) -> Float[Array, "entity entity"]:
    own = jnp.diagonal(inner)
    gap = ((offset[:, None] - offset[None]) ** 2).sum(-1)
    return _distance(own[:, None] + own[None] - inner - inner.T + gap)


def _distance(squared: Float[Array, "entity entity"]) -> Float[Array, "entity entity"]:
    """Square roots; zero on the diagonal and where rounding leaves a negative number, with derivatives of zero there."""
    apart = (squared > 0) & ~jnp.eye(len(squared), dtype=bool)
    return jnp.where(apart, jnp.sqrt(jnp.where(apart, squared, 1)), jnp.where(jnp.isnan(squared), squared, 0))
