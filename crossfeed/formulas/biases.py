"""Means and biases of a law of the estimates (Theorem 1)."""

from math import nan

from crossfeed.errors import DependsOnTheta

from .arrays import einsum, is_refused, namespace
from .law import Law
from .linear_algebra import product, product_unless_zero
from .shapes import Array, Bool, Float

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
    entities, xp = law.ecosystem.entities, namespace(law.fit.gain)
    private = einsum("kas,jsc,jcd->kjad", law.from_state, law.state.from_private, law.ecosystem.private.gram)
    everyone = xp.eye(entities)[..., None, None]
    private = private + everyone * (law.from_own @ law.ecosystem.private.gram)[:, None]
    known = law.from_public + law.from_state @ law.state.from_public
    blocks = xp.concatenate([private, (known @ law.ecosystem.public.gram)[:, None]], axis=1)
    return law.where_settled(blocks, nan)


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
    return law.where_settled(_reached(law, law.state.from_truth) - law.fit.unseen_or_zero, nan)


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
    # As sums, since XLA takes long to compile a product of a matrix and a vector; here and in other measures.
    state = law.state.from_truth @ truth + (law.state.from_private * moments[:, None]).sum((0, 2))
    own = einsum("kab,kb->ka", law.from_own, moments)
    return law.where_settled(_reached(law, state[:, None])[..., 0] + own - law.fit.unseen_or_zero @ truth, nan)


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


def _reached(law: Law, values: Float[Array, "state n"]) -> Float[Array, "entity d n"]:
    """`law.from_state @ values`, without forming these maps if nothing is carried."""
    if law.fit.carry is not None:
        return law.from_state @ values
    channels = values.reshape(law.exchange.read.shape[1], law.ecosystem.dimension, -1)
    received = einsum("k,kc,can->kan", law.fit.synthetic_weight, law.exchange.read, channels)
    if law.fit.unseen is None:  # without a decision, which would take longer to compile than it saves
        return product(law.fit.gain, received)
    return product_unless_zero(law.fit.gain, received)  # most often nothing published is biased
