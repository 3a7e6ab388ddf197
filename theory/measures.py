"""Means, covariances and errors of a law of the estimates (Theorems 1-3 and the error measures of §5)."""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from crossfeed.errors import CrossfeedError, DependsOnTheta

from .consensus import Law
from .ecosystem import Ecosystem
from .linear_algebra import kernel_projector
from .tracing import is_concrete

NEGLIGIBLE_BIAS = 1e-12
"""Largest Frobenius norm of a bias map that counts as rounding, so that the estimate counts as unbiased."""


def mean_map(law: Law) -> Float[Array, "entity dataset d d"]:
    """Blocks of M_t, the map from every dataset's own estimate to the mean of each entity's estimate (Theorem 1).

    The mean is that given the initial data. Meant for up to some hundred entities, since there are K (K+1) d² numbers;
    `transfer` needs fewer.

    Args:
        law: joint law of the estimates.

    Returns:
        Array of shape (K, K+1, d, d) without unit: block (k, j) maps the least-squares estimate from entity j's private
        data to its contribution to entity k's mean, and the last block that from the public data. NaN where there is no
        limit.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.theory import Weights, limit, mean_map, symmetric_ecosystem
        >>> law = limit(symmetric_ecosystem(2, jnp.eye(3)), Weights(0.5, 0.5))
        >>> blocks = mean_map(law)
        >>> print(blocks.shape, f"{blocks[0, 0, 0, 0]:.4f}")
        (2, 3, 3, 3) 0.3750
    """
    entities = law.ecosystem.entities
    heard = law.training.from_pool
    private = jnp.einsum("kab,jbc,jcd->kjad", heard, law.pool.from_private, law.ecosystem.private)
    own = law.training.private_weight[:, None, None] * (law.training.inverse @ law.ecosystem.private)
    everyone = jnp.arange(entities)
    private = private.at[everyone, everyone].add(own)
    known = law.training.public_weight[:, None, None] * law.training.inverse + heard @ law.pool.from_public
    return _where_exists(law, jnp.concatenate([private, (known @ law.ecosystem.public)[:, None]], axis=1), jnp.nan)


def bias_map(law: Law) -> Float[Array, "entity d d"]:
    """Matrices E_k with E[θ̂_k] = (I + E_k) θ (Theorem 2, extended to data of any rank in `docs/theory.md`, section 2).

    Args:
        law: joint law of the estimates.

    Returns:
        Array of shape (K, d, d) without unit; zero for unbiased estimates. NaN where there is no limit.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.theory import Weights, bias_map, limit, symmetric_ecosystem
        >>> law = limit(symmetric_ecosystem(2, jnp.eye(3)), Weights(0.5, 0.5))
        >>> print(bias_map(law).shape, f"{abs(bias_map(law)).max():.4f}")
        (2, 3, 3) 0.0000
    """
    heard = law.training.from_pool
    return _where_exists(law, heard @ law.pool.bias_map - law.training.kernel, jnp.nan)


def bias_map_norm(law: Law) -> Float[Array, " entity"]:
    """Largest bias of each entity over all θ of length one: the operator norm of its `bias_map`.

    Args:
        law: joint law of the estimates.

    Returns:
        Array of shape (K) without unit; zero for unbiased estimates. NaN where there is no limit.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.theory import Weights, bias_map_norm, limit, symmetric_ecosystem
        >>> law = limit(symmetric_ecosystem(2, jnp.eye(3)), Weights(0.5, 0.5))
        >>> print(f"{bias_map_norm(law)[0]:.4f}")
        0.0000
    """
    maps = bias_map(law)
    return jnp.sqrt(jnp.linalg.eigvalsh(maps @ maps.mT)[..., -1])


def biased(law: Law) -> Bool[Array, " entity"]:
    """Whether the estimate of each entity is biased for some θ, beyond rounding.

    Args:
        law: joint law of the estimates.

    Returns:
        Boolean array of shape (K). False where there is no limit.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.theory import Weights, biased, limit, symmetric_ecosystem
        >>> law = limit(symmetric_ecosystem(2, jnp.eye(3)), Weights(0.5, 0.5))
        >>> print(biased(law))
        [False False]
    """
    return jnp.linalg.norm(bias_map(law), axis=(-2, -1)) > NEGLIGIBLE_BIAS


def bias(law: Law) -> Float[Array, "entity d"]:
    """Bias E[θ̂_k] - θ of each entity's estimate (Theorem 2).

    Args:
        law: joint law of the estimates.

    Returns:
        Array of shape (K, d) in units of θ; zero for unbiased estimates. NaN where there is no limit.

    Raises:
        DependsOnTheta: an estimate is biased and the ecosystem has no θ. While traced, the value is NaN instead.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.theory import Weights, bias, limit, symmetric_ecosystem
        >>> law = limit(symmetric_ecosystem(2, jnp.eye(3)), Weights(0.5, 0.5))
        >>> print(bias(law).shape, f"{abs(bias(law)).max():.4f}")
        (2, 3) 0.0000
    """
    if (theta := law.ecosystem.theta) is not None:
        heard = law.training.synthetic_weight[:, None] * (law.training.inverse @ (law.pool.bias_map @ theta))
        return _where_exists(law, heard - law.training.kernel @ theta, jnp.nan)
    unknown = biased(law)
    if is_concrete(unknown) and unknown.any():
        raise DependsOnTheta(
            f"the estimate of entity {int(jnp.argmax(unknown))} is biased, so its error depends on theta, which is not given"
        )
    return jnp.where(unknown[:, None], jnp.nan, jnp.zeros_like(law.training.inverse[..., 0]))


def conditional_covariance(law: Law) -> Float[Array, "entity d d"]:
    """Covariance of each entity's estimate given the initial data: the diagonal blocks of C_t (Theorem 1).

    It is due to the label noise of synthetic data alone.

    Args:
        law: joint law of the estimates.

    Returns:
        Array of shape (K, d, d) in squared units of θ. `inf` where there is no limit.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.theory import Weights, conditional_covariance, limit, symmetric_ecosystem
        >>> law = limit(symmetric_ecosystem(2, jnp.eye(3)), Weights(0.5, 0.5))
        >>> print(f"{conditional_covariance(law)[0, 0, 0]:.4f}")
        0.1667
    """
    heard = law.training.from_pool
    return _where_exists(law, heard @ law.pool.sampling_covariance @ heard.mT, jnp.inf)


def covariance(law: Law) -> Float[Array, "entity d d"]:
    """Covariance of each entity's estimate: the diagonal blocks of σ² M diag(S~⁺, S_*⁺) Mᵀ + C (Theorems 2 and 3).

    Args:
        law: joint law of the estimates.

    Returns:
        Array of shape (K, d, d) in squared units of θ, proportional to σ². `inf` where there is no limit.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.theory import Weights, covariance, limit, symmetric_ecosystem
        >>> law = limit(symmetric_ecosystem(2, jnp.eye(3)), Weights(0.5, 0.5))
        >>> print(f"{covariance(law)[0, 0, 0]:.4f}")
        0.5729
    """
    ecosystem, training = law.ecosystem, law.training
    private, public, synthetic = (
        w[:, None, None] for w in (training.private_weight, training.public_weight, training.synthetic_weight)
    )
    own, common, received = _pool_moments(law)
    crossed = private * own + public * common[None]  # Cov(m, entity k's own real moments)
    real = ecosystem.noise_variance * (private**2 * ecosystem.private + public**2 * ecosystem.public[None])
    moment = real + synthetic * (crossed + crossed.mT) + synthetic**2 * received[None]
    return _where_exists(law, training.inverse @ moment @ training.inverse, jnp.inf)


def joint_covariance(law: Law) -> Float[Array, "entity entity d d"]:
    """Covariance Cov(θ̂_k, θ̂_l) of the estimates of every two entities (Theorems 2 and 3).

    Args:
        law: joint law of the estimates.

    Returns:
        Array of shape (K, K, d, d) in squared units of θ, proportional to σ². `inf` where there is no limit.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.theory import Weights, joint_covariance, limit, symmetric_ecosystem
        >>> law = limit(symmetric_ecosystem(2, jnp.eye(3)), Weights(0.5, 0.5))
        >>> print(joint_covariance(law).shape, f"{joint_covariance(law)[0, 1, 0, 0]:.4f}")
        (2, 2, 3, 3) 0.5104
    """
    ecosystem, training = law.ecosystem, law.training
    private, public, synthetic = training.private_weight, training.public_weight, training.synthetic_weight
    own, common, received = _pool_moments(law)
    crossed = private[:, None, None] * own + public[:, None, None] * common[None]
    everyone = jnp.arange(ecosystem.entities)
    moment = (
        jnp.einsum("k,l,ab->klab", public, public, ecosystem.noise_variance * ecosystem.public)
        + jnp.einsum("l,kba->klab", synthetic, crossed)
        + jnp.einsum("k,lab->klab", synthetic, crossed)
        + jnp.einsum("k,l,ab->klab", synthetic, synthetic, received)
    )
    moment = moment.at[everyone, everyone].add(
        ecosystem.noise_variance * private[:, None, None] ** 2 * ecosystem.private
    )
    return _where_exists(law, jnp.einsum("kab,klbc,lcd->klad", training.inverse, moment, training.inverse), jnp.inf)


def mse(law: Law) -> Float[Array, " entity"]:
    """Mean squared error E‖θ̂_k - θ‖² of each entity's estimate (§5).

    Args:
        law: joint law of the estimates.

    Returns:
        Array of shape (K) in squared units of θ, proportional to σ² where no estimate is biased. `inf` where there is
        no limit.

    Raises:
        DependsOnTheta: an estimate is biased and the ecosystem has no θ. While traced, the value is NaN instead.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.theory import Weights, limit, mse, symmetric_ecosystem
        >>> law = limit(symmetric_ecosystem(2, jnp.eye(3)), Weights(0.5, 0.5))
        >>> print(f"{mse(law)[0]:.4f}")
        1.7188
    """
    spread = jnp.trace(covariance(law), axis1=-2, axis2=-1)
    return _where_exists(law, spread + (bias(law) ** 2).sum(-1), jnp.inf)


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
    offset = bias(law)
    second_moment = covariance(law) + jnp.einsum("ka,kb->kab", offset, offset)
    return _where_exists(law, jnp.einsum("mab,kab->km", law.ecosystem.private, second_moment), jnp.inf)


def minimum_variance(ecosystem: Ecosystem) -> Float[Array, ""]:
    """Mean squared error σ² tr((Σ_k S~_k + S_*)⁻¹) of the best unbiased estimator that sees all real data (§5).

    Args:
        ecosystem: the ecosystem.

    Returns:
        A positive number in squared units of θ, proportional to σ².

    Raises:
        CrossfeedError: all real data together do not span the features, so there is no unbiased estimator. While
            traced, the value is NaN instead.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.theory import minimum_variance, symmetric_ecosystem
        >>> print(f"{minimum_variance(symmetric_ecosystem(2, jnp.eye(3))):.4f}")
        1.0000
    """
    total = ecosystem.private.sum(0) + ecosystem.public
    unseen = jnp.trace(kernel_projector(total)) > 0.5
    if is_concrete(unseen) and unseen:
        raise CrossfeedError("private and public data together do not span all features: no unbiased estimator exists")
    identity = jnp.eye(ecosystem.dimension)
    inverse = jnp.linalg.inv(jnp.where(unseen, identity, total))
    return jnp.where(unseen, jnp.nan, ecosystem.noise_variance * jnp.trace(inverse))


def relative_efficiency(law: Law) -> Float[Array, " entity"]:
    """Relative efficiency of each entity: `minimum_variance` over its mean squared error (§5).

    Args:
        law: joint law of the estimates.

    Returns:
        Array of shape (K) without unit; 1 is as good as the best unbiased estimator from all real data. NaN where there
        is no limit.

    Raises:
        CrossfeedError: all real data together do not span the features. While traced, the value is NaN instead.
        DependsOnTheta: an estimate is biased and the ecosystem has no θ. While traced, the value is NaN instead.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.theory import Weights, limit, relative_efficiency, symmetric_ecosystem
        >>> law = limit(symmetric_ecosystem(2, jnp.eye(3)), Weights(0.5, 0.5))
        >>> print(f"{relative_efficiency(law)[0]:.4f}")
        0.5818
    """
    return _where_exists(law, minimum_variance(law.ecosystem) / mse(law), jnp.nan)


def _pool_moments(law: Law) -> tuple[Float[Array, "entity d d"], Float[Array, "d d"], Float[Array, "d d"]]:
    """Covariances Cov(m, X~_k'ỹ_k), Cov(m, X_*'y_*) and Cov(m) of the pool's moment m."""
    ecosystem, pool = law.ecosystem, law.pool
    own = ecosystem.noise_variance * (pool.from_private @ ecosystem.private)
    common = ecosystem.noise_variance * (pool.from_public @ ecosystem.public)
    received = (
        jnp.einsum("jab,jcb->ac", own, pool.from_private) + common @ pool.from_public.T + pool.sampling_covariance
    )
    return own, common, received


def _where_exists(law: Law, value: Array, otherwise: float) -> Array:
    return jnp.where(law.exists, value, otherwise)
