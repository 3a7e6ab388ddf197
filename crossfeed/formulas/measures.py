"""Errors of a law of the estimates (§5)."""

from math import inf, nan

from crossfeed.errors import CrossfeedError

from .arrays import einsum, is_refused, namespace
from .biases import bias, mean_error
from .covariances import covariance, total_variance
from .ecosystem import Ecosystem
from .law import Law
from .linear_algebra import full_rank_by_eigenvalues, inverse_root
from .shapes import Array, Float


def mse(law: Law) -> Float[Array, " entity"]:
    """Mean squared error E‖θ̂_k - θ‖² of each entity's estimate (§5).

    Args:
        law: joint law of the estimates.

    Returns:
        Array of shape (K) in squared units of θ, proportional to σ² where no estimate is biased. `inf` where there is
        no limit, NaN where float64 leaves no digit of it: data that alone fill some direction have next to no weight.

    Raises:
        DependsOnTheta: an estimate is biased and the ecosystem has no θ. While traced, the value is NaN instead.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.theory import Weights, limit, mse, symmetric_ecosystem
        >>> law = limit(symmetric_ecosystem(2, jnp.eye(3)), Weights(0.5, 0.5))
        >>> print(f"{mse(law)[0]:.4f}")
        1.7188
    """
    return mse_of_biases(law, bias(law))


def mse_of_biases(law: Law, biases: Float[Array, "entity d"]) -> Float[Array, " entity"]:
    """Mean squared error, from the law's `bias`."""
    return law.where_settled(total_variance(law) + (biases**2).sum(-1), inf)


def mspe(law: Law) -> Float[Array, "entity task"]:
    """Mean squared prediction error E‖X~_m (θ̂_k - θ)‖² of each entity k on the private data of each entity m (§5).

    Args:
        law: joint law of the estimates.

    Returns:
        Array of shape (K, K), entity k by task m, in units of σ², that is squared units of a label, and summed over the
        rows of X~_m. `inf` where there is no limit.

    Raises:
        DependsOnTheta: an estimate is biased and the ecosystem has no θ. While traced, the value is NaN instead.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.theory import Weights, limit, mspe, symmetric_ecosystem
        >>> law = limit(symmetric_ecosystem(2, jnp.eye(3)), Weights(0.5, 0.5))
        >>> print(mspe(law).shape, f"{mspe(law)[0, 1]:.4f}")
        (2, 2) 1.7188
    """
    ecosystem = law.ecosystem
    spread = einsum("mab,kab->km", ecosystem.private.gram, covariance(law))
    offset = mean_error(law)[:, None] - ecosystem.deviations[None]
    return law.where_settled(spread + einsum("kma,mab,kmb->km", offset, ecosystem.private.gram, offset), inf)


def minimum_variance(ecosystem: Ecosystem) -> Float[Array, ""]:
    """Mean squared error σ² tr((Σ_k S~_k + S_*)⁻¹) of the best unbiased estimator that sees all real data (§5).

    Args:
        ecosystem: the ecosystem.

    Returns:
        A positive number in squared units of θ, proportional to σ².

    Raises:
        CrossfeedError: all real data together do not span the features, or their truths differ, so there is no such
            estimator. While traced, the value is NaN instead.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.theory import minimum_variance, symmetric_ecosystem
        >>> print(f"{minimum_variance(symmetric_ecosystem(2, jnp.eye(3))):.4f}")
        1.0000
    """
    xp = namespace(ecosystem.private.gram)
    total, differ = ecosystem.information, ecosystem.truths_differ
    unseen = ~full_rank_by_eigenvalues(total)
    if is_refused(differ):
        raise CrossfeedError(
            "the truths of the data differ, so no estimator from all of them is unbiased for every entity"
        )
    if is_refused(unseen):
        raise CrossfeedError("private and public data together do not span all features: no unbiased estimator exists")
    root = inverse_root(xp.where(unseen, xp.eye(ecosystem.dimension), total))
    return xp.where(unseen | differ, nan, (root**2).sum())


def relative_efficiency(law: Law) -> Float[Array, " entity"]:
    """Relative efficiency of each entity: `minimum_variance` over its mean squared error (§5).

    Args:
        law: joint law of the estimates.

    Returns:
        Array of shape (K) without unit; 1 is as good as the best unbiased estimator from all real data. NaN where there
        is no limit.

    Raises:
        CrossfeedError: as `minimum_variance`. While traced, the value is NaN instead.
        DependsOnTheta: an estimate is biased and the ecosystem has no θ. While traced, the value is NaN instead.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.theory import Weights, limit, relative_efficiency, symmetric_ecosystem
        >>> law = limit(symmetric_ecosystem(2, jnp.eye(3)), Weights(0.5, 0.5))
        >>> print(f"{relative_efficiency(law)[0]:.4f}")
        0.5818
    """
    return efficiency_of_errors(law, mse(law))


def efficiency_of_errors(law: Law, errors: Float[Array, " entity"]) -> Float[Array, " entity"]:
    """Relative efficiency, from the law's `mse`."""
    return law.where_settled(minimum_variance(law.ecosystem) / errors, nan)
