"""Means, covariances and errors of a law (Theorems 1-3 and the error measures of §5)."""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from crossfeed.errors import CrossfeedError, DependsOnTheta

from .consensus import Law
from .ecosystem import Ecosystem
from .linear_algebra import kernel_projector
from .tracing import is_concrete

NEGLIGIBLE_BIAS = 1e-12
"""A bias map of smaller norm is rounding: the error then counts as independent of θ."""


def mean_map(law: Law) -> Float[Array, "entity dataset d d"]:
    """M_t of Theorem 1: block (k, j) is the weight entity k gives dataset j's own least squares; the last is public.

    K (K+1) d² numbers: meant for ecosystems of up to some hundred entities.
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
    """E_k with E[θ̂_k] = (I + E_k) θ (eq. of Theorem 2, extended to G_t of any rank); zero where G_0 has full rank."""
    heard = law.training.from_pool
    return _where_exists(law, heard @ law.pool.bias_map - law.training.kernel, jnp.nan)


def bias_map_norm(law: Law) -> Float[Array, " entity"]:
    """Largest bias of each entity over all θ of length one (operator norm of `bias_map`)."""
    maps = bias_map(law)
    return jnp.sqrt(jnp.linalg.eigvalsh(maps @ maps.mT)[..., -1])


def biased(law: Law) -> Bool[Array, " entity"]:
    """Whether the estimate of each entity is biased for some θ."""
    return jnp.linalg.norm(bias_map(law), axis=(-2, -1)) > NEGLIGIBLE_BIAS


def bias(law: Law) -> Float[Array, "entity d"]:
    """E[θ̂_k] - θ (Theorem 2).

    Raises:
        DependsOnTheta: an estimate is biased, the ecosystem has no θ, and the law is concrete; traced, NaN.
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
    """Diagonal blocks of C_t (Theorem 1): what the sampling of synthetic labels adds, given the initial data."""
    heard = law.training.from_pool
    return _where_exists(law, heard @ law.pool.sampling_covariance @ heard.mT, jnp.inf)


def covariance(law: Law) -> Float[Array, "entity d d"]:
    """Cov(θ̂_k) of every entity (Theorems 2 and 3): diagonal blocks of σ² M diag(S~⁺, S_*⁺) Mᵀ + C."""
    ecosystem, training = law.ecosystem, law.training
    private, public, synthetic = (
        w[:, None, None] for w in (training.private_weight, training.public_weight, training.synthetic_weight)
    )
    own, common, received = _pool_moments(law)
    crossed = private * own + public * common  # Cov(m, entity k's own real moments)
    real = ecosystem.noise_variance * (private**2 * ecosystem.private + public**2 * ecosystem.public)
    moment = real + synthetic * (crossed + crossed.mT) + synthetic**2 * received
    return _where_exists(law, training.inverse @ moment @ training.inverse, jnp.inf)


def joint_covariance(law: Law) -> Float[Array, "entity entity d d"]:
    """Cov(θ̂_k, θ̂_l) for every pair of entities; K² d² numbers."""
    ecosystem, training = law.ecosystem, law.training
    private, public, synthetic = training.private_weight, training.public_weight, training.synthetic_weight
    own, common, received = _pool_moments(law)
    crossed = private[:, None, None] * own + public[:, None, None] * common
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
    """E‖θ̂_k - θ‖² of every entity; `inf` where there is no limit.

    Raises:
        DependsOnTheta: as `bias`.
    """
    spread = jnp.trace(covariance(law), axis1=-2, axis2=-1)
    return _where_exists(law, spread + (bias(law) ** 2).sum(-1), jnp.inf)


def mspe(law: Law) -> Float[Array, "entity task"]:
    """E‖X~_m (θ̂_k - θ)‖² of entity k on entity m's task; `inf` where there is no limit.

    Raises:
        DependsOnTheta: as `bias`.
    """
    offset = bias(law)
    second_moment = covariance(law) + jnp.einsum("ka,kb->kab", offset, offset)
    return _where_exists(law, jnp.einsum("mab,kab->km", law.ecosystem.private, second_moment), jnp.inf)


def minimum_variance(ecosystem: Ecosystem) -> Float[Array, ""]:
    """σ² tr((Σ_k S~_k + S_*)⁻¹), the MSE of the best unbiased estimator that sees all real data (§5).

    Raises:
        CrossfeedError: all real data together do not span the features, so no unbiased estimator exists; traced, NaN.
    """
    total = ecosystem.private.sum(0) + ecosystem.public
    unseen = jnp.trace(kernel_projector(total)) > 0.5
    if is_concrete(unseen) and unseen:
        raise CrossfeedError("private and public data together do not span all features: no unbiased estimator exists")
    identity = jnp.eye(ecosystem.dimension)
    inverse = jnp.linalg.inv(jnp.where(unseen, identity, total))
    return jnp.where(unseen, jnp.nan, ecosystem.noise_variance * jnp.trace(inverse))


def relative_efficiency(law: Law) -> Float[Array, " entity"]:
    """`minimum_variance` over the MSE of every entity: 1 is optimal (§5). NaN where there is no limit.

    Raises:
        CrossfeedError: as `minimum_variance` and `bias`.
    """
    return _where_exists(law, minimum_variance(law.ecosystem) / mse(law), jnp.nan)


def _pool_moments(law: Law):
    """Cov(m, X~_k'ỹ_k), Cov(m, X_*'y_*) and Cov(m)."""
    ecosystem, pool = law.ecosystem, law.pool
    own = ecosystem.noise_variance * (pool.from_private @ ecosystem.private)
    common = ecosystem.noise_variance * (pool.from_public @ ecosystem.public)
    received = (
        jnp.einsum("jab,jcb->ac", own, pool.from_private) + common @ pool.from_public.T + pool.sampling_covariance
    )
    return own, common, received


def _where_exists(law: Law, value: Array, otherwise: float) -> Array:
    return jnp.where(law.exists, value, otherwise)
