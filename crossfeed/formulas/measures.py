"""Means, covariances and errors of a law of the estimates (Theorems 1-3 and the error measures of §5)."""

from math import inf, nan

from crossfeed.errors import CrossfeedError, DependsOnTheta

from .arrays import einsum, is_refused, namespace
from .ecosystem import Ecosystem
from .law import Law
from .linear_algebra import kernel_projector, product, product_unless_zero
from .shapes import Array, Bool, Float

NEGLIGIBLE_BIAS = 1e-12
"""Largest Frobenius norm of a bias map that counts as rounding, so that the estimate counts as unbiased."""


_LEAST_SUM = 5e-13
"""Least sum, relative to that of its terms' sizes, of which rounding leaves digits."""


def cancelled(total: Float[Array, "*batch"], sizes: Float[Array, "*batch"]) -> Bool[Array, "*batch"]:
    """Whether the terms of a sum cancel so far that rounding leaves no digit of it; `sizes` is the sum of their sizes."""
    return ~(total >= _LEAST_SUM * sizes)


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
    entities, xp = law.ecosystem.entities, namespace(law.fit.gain)
    private = einsum("kas,jsc,jcd->kjad", law.from_state, law.state.from_private, law.ecosystem.private.gram)
    everyone = xp.eye(entities)[..., None, None]
    private = private + everyone * (law.from_own @ law.ecosystem.private.gram)[:, None]
    known = law.from_public + law.from_state @ law.state.from_public
    blocks = xp.concatenate([private, (known @ law.ecosystem.public.gram)[:, None]], axis=1)
    return _where_settled(law, blocks, nan)


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
    return _where_settled(law, _reached(law, law.state.from_truth) - law.fit.unseen, nan)


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
    maps, xp = bias_map(law), namespace(law.fit.gain)
    return xp.sqrt(xp.linalg.eigvalsh(maps @ maps.mT)[..., -1])


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
    return namespace(law.fit.gain).linalg.norm(bias_map(law), axis=(-2, -1)) > NEGLIGIBLE_BIAS


def mean_error(law: Law) -> Float[Array, "entity d"]:
    """Mean of each entity's estimate, as a difference from the truth of the public data: E[θ̂_k] - θ_*.

    Args:
        law: joint law of the estimates.

    Returns:
        Array of shape (K, d) in units of θ. NaN where there is no limit.

    Raises:
        DependsOnTheta: an estimate is biased and the ecosystem has no truth. While traced, the value is NaN instead.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.theory import Weights, limit, mean_error, symmetric_ecosystem
        >>> errors = mean_error(limit(symmetric_ecosystem(2, jnp.eye(3)), Weights(0.5, 0.5)))
        >>> print(errors.shape, f"{jnp.abs(errors).max():.4f}")
        (2, 3) 0.0000
    """
    ecosystem, xp = law.ecosystem, namespace(law.fit.gain)
    if (truth := ecosystem.public.truth) is None:
        unknown = biased(law)
        if is_refused(unknown.any()):
            raise DependsOnTheta(
                f"the estimate of entity {int(xp.argmax(unknown))} is biased, so its error depends on theta, which is not given"
            )
        return xp.where(unknown[:, None], nan, xp.zeros_like(law.fit.gain[..., 0]))
    moments = einsum("jab,jb->ja", ecosystem.private.gram, ecosystem.deviations)
    state = law.state.from_truth @ truth + einsum("jsa,ja->s", law.state.from_private, moments)
    own = einsum("kab,kb->ka", law.from_own, moments)
    return _where_settled(law, _reached(law, state[:, None])[..., 0] + own - law.fit.unseen @ truth, nan)


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
    return mean_error(law) - law.ecosystem.deviations


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
    return _where_settled(law, maps @ law.state.sampling_covariance @ maps.mT, inf)


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
    gain, (apart, mixed) = law.fit.gain, _moment_covariance_parts(law)
    moments, xp = apart + mixed + mixed.mT, namespace(gain)
    spread = gain @ moments @ gain
    lost = cancelled(xp.trace(spread, axis1=-2, axis2=-1), abs(product(gain, gain) * moments).sum((-2, -1)))
    spread = xp.where(lost[:, None, None], nan, spread)
    if law.fit.carry is not None:
        crossed, previous = _carried(law)
        mixed = gain @ crossed @ law.fit.carry.mT
        spread = spread + mixed + mixed.mT + law.fit.carry @ previous @ law.fit.carry.mT
    return _where_settled(law, spread, inf)


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
    if law.fit.carry is None:
        apart, mixed = _moment_covariance_parts(law)
        terms = product(law.fit.gain, law.fit.gain) * (apart + 2 * mixed)
        spread = terms.sum((-2, -1))
        spread = namespace(spread).where(cancelled(spread, abs(terms).sum((-2, -1))), nan, spread)
    else:
        spread = namespace(law.fit.gain).trace(covariance(law), axis1=-2, axis2=-1)
    return _where_settled(law, spread + (bias(law) ** 2).sum(-1), inf)


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
    ecosystem, _xp = law.ecosystem, namespace(law.fit.gain)
    spread = einsum("mab,kab->km", ecosystem.private.gram, covariance(law))
    offset = mean_error(law)[:, None] - ecosystem.deviations[None]
    return _where_settled(law, spread + einsum("kma,mab,kmb->km", offset, ecosystem.private.gram, offset), inf)


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
    counted = ecosystem.present.astype(float) / ecosystem.private.noise_variance
    total = einsum("k,kab->ab", counted, ecosystem.private.gram)
    total = total + ecosystem.public.gram / ecosystem.public.noise_variance
    unseen = xp.trace(kernel_projector(total)) > 0.5
    differ = (ecosystem.present[:, None] & (ecosystem.deviations != 0)).any()
    if is_refused(differ):
        raise CrossfeedError(
            "the truths of the data differ, so no estimator from all of them is unbiased for every entity"
        )
    if is_refused(unseen):
        raise CrossfeedError("private and public data together do not span all features: no unbiased estimator exists")
    inverse = xp.linalg.inv(xp.where(unseen, xp.eye(ecosystem.dimension), total))
    return xp.where(unseen | differ, nan, xp.trace(inverse))


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
    return _where_settled(law, minimum_variance(law.ecosystem) / mse(law), nan)


def _reached(law: Law, values: Float[Array, "state n"]) -> Float[Array, "entity d n"]:
    """`law.from_state @ values`, without forming these maps if nothing is carried."""
    if law.fit.carry is not None:
        return law.from_state @ values
    channels = values.reshape(law.exchange.read.shape[1], law.ecosystem.dimension, -1)
    received = einsum("k,kc,can->kan", law.fit.synthetic_weight, law.exchange.read, channels)
    return product_unless_zero(law.fit.gain, received)  # most often nothing published is biased


def _state_moments(
    law: Law,
) -> tuple[Float[Array, "entity state d"], Float[Array, "state d"], Float[Array, "state state"]]:
    """Covariances Cov(s, u_k), Cov(s, u_*) and Cov(s) of the state s with the moments of real data."""
    ecosystem, state, _xp = law.ecosystem, law.state, namespace(law.fit.gain)
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
    ecosystem, fit, read, _xp = law.ecosystem, law.fit, law.exchange.read, namespace(law.fit.gain)
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


def _where_settled(law: Law, value: Array, otherwise: float) -> Array:
    """The value, whose leading axis is that of the entities, where these have a law."""
    return namespace(value).where(law.settled.reshape(-1, *[1] * (value.ndim - 1)), value, otherwise)
