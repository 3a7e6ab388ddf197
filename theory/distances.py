"""Distances of the entities' estimates."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from crossfeed.formulas.biases import mean_error
from crossfeed.formulas.covariances import covariance, joint_covariance
from crossfeed.formulas.law import Law
from crossfeed.formulas.linear_algebra import square_root

from .eager import any_nan, as_one_program
from .linear_algebra import singular_values


@as_one_program(any_nan)
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


@as_one_program(any_nan)
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


@as_one_program(any_nan)
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
    roots = square_root(jnp.where(law.exists, covariance(law), 0))
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
