"""Covariances of a law of the estimates (Theorems 1-3)."""

from math import inf, nan

from .arrays import einsum, namespace, unless_cancelled
from .law import Law
from .linear_algebra import product
from .shapes import Array, Float


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
    maps = law.from_state
    return law.where_settled(maps @ law.state.sampling_covariance @ maps.mT, inf)


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
    gain, (apart, mixed), xp = law.fit.gain, _moment_covariance_parts(law), namespace(law.fit.gain)
    spread = gain @ (apart + mixed + mixed.mT) @ gain
    spread = xp.where(xp.isnan(_variance(law, apart, mixed))[:, None, None], nan, spread)
    if law.fit.carry is not None:
        crossed, previous = _carried(law)
        mixed = gain @ crossed @ law.fit.carry.mT
        spread = spread + mixed + mixed.mT + law.fit.carry @ previous @ law.fit.carry.mT
    return law.where_settled(spread, inf)


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
    ecosystem, maps, xp = law.ecosystem, law.from_state, namespace(law.fit.gain)
    own, common, received = _state_moments(law)
    crossed = law.from_own @ own.mT + law.from_public @ common.T[None]  # Cov(own real data's part, state)
    mixed = einsum("kas,lbs->klab", crossed, maps)
    public = einsum("kab,bc,ldc->klad", law.from_public, ecosystem.public.moment_covariance, law.from_public)
    joint = public + mixed + mixed.swapaxes(0, 1).mT + einsum("kas,st,lbt->klab", maps, received, maps)
    private = law.from_own @ ecosystem.private.moment_covariance @ law.from_own.mT
    joint = joint + xp.eye(ecosystem.entities)[..., None, None] * private[:, None]
    pairs = law.settled[:, None] & law.settled[None]
    return xp.where(pairs[..., None, None], joint, inf)


def total_variance(law: Law) -> Float[Array, " entity"]:
    """Trace of the covariance of each entity's estimate, whether or not there is such a law.

    Returns:
        Array of shape (K) in squared units of θ. NaN where float64 leaves no digit of it.
    """
    if law.fit.carry is not None:
        return namespace(law.fit.gain).trace(covariance(law), axis1=-2, axis2=-1)
    return _variance(law, *_moment_covariance_parts(law))


def _variance(
    law: Law, apart: Float[Array, "entity d d"], mixed: Float[Array, "entity d d"]
) -> Float[Array, " entity"]:
    """Trace of the covariance of what each estimate takes from its moment, from the parts of the moment's covariance."""
    terms = product(law.fit.gain, law.fit.gain) * (apart + 2 * mixed)
    return unless_cancelled(terms.sum((-2, -1)), abs(terms).sum((-2, -1)))


def _state_moments(
    law: Law,
) -> tuple[Float[Array, "entity state d"], Float[Array, "state d"], Float[Array, "state state"]]:
    """Covariances Cov(s, u_k), Cov(s, u_*) and Cov(s) of the state s with the moments of real data."""
    ecosystem, state = law.ecosystem, law.state
    own = product(state.from_private, ecosystem.private.moment_covariance)
    common = product(state.from_public, ecosystem.public.moment_covariance)
    received = einsum("jsb,jtb->st", own, state.from_private)
    received = received + product(common, state.from_public.T) + state.sampling_covariance
    return own, common, received


def _moment_covariance_parts(law: Law) -> tuple[Float[Array, "entity d d"], Float[Array, "entity d d"]]:
    """Parts A and B of the covariance A + B + B' of each entity's weighted moment p_k u_k + q_k u_* + α_k Σ_c read[k, c] z_c.

    A is that of the real data and that of the pool, and symmetric; B is the covariance of the real data with the pool. For a
    symmetric M, tr(M (A + B + B')) = tr(M (A + 2B)).
    """
    ecosystem, fit, read = law.ecosystem, law.fit, law.exchange.read
    private, public, synthetic = (
        weight[:, None, None] for weight in (fit.private_weight, fit.public_weight, fit.synthetic_weight)
    )
    own, common, received = _state_moments(law)
    channels, size = read.shape[1], ecosystem.dimension
    of_channels = own[:, : channels * size].reshape(-1, channels, size, size)
    crossed = private * einsum("kc,kcab->kab", read, of_channels)
    crossed = crossed + public * einsum("kc,cab->kab", read, common[: channels * size].reshape(-1, size, size))
    joint = received[: channels * size, : channels * size].reshape(channels, size, channels, size)
    pool = einsum("kc,caeb,ke->kab", read, joint, read)
    real = private**2 * ecosystem.private.moment_covariance + public**2 * ecosystem.public.moment_covariance[None]
    return real + synthetic**2 * pool, synthetic * crossed


def _carried(law: Law) -> tuple[Float[Array, "entity d d"], Float[Array, "entity d d"]]:
    """Covariance of each entity's weighted moment with its previous estimate, and of the latter."""
    ecosystem, fit, read, xp = law.ecosystem, law.fit, law.exchange.read, namespace(law.fit.gain)
    own, common, received = _state_moments(law)
    entities, size = ecosystem.entities, ecosystem.dimension
    first = read.shape[1] * size
    everyone = xp.arange(entities)
    with_own = own[:, first:].reshape(entities, entities, size, size)[everyone, everyone]
    with_public = common[first:].reshape(entities, size, size)
    with_channels = received[:first, first:].reshape(-1, size, entities, size)
    previous = received[first:, first:].reshape(entities, size, entities, size)[everyone, :, everyone]
    private, public, synthetic = (
        weight[:, None, None] for weight in (fit.private_weight, fit.public_weight, fit.synthetic_weight)
    )
    pool = einsum("kc,cakb->kab", read, with_channels)
    return private * with_own.mT + public * with_public.mT + synthetic * pool, previous
