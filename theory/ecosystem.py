"""The ecosystem: K entities, their data, the inputs they publish labels for, and their shares of the pool."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from crossfeed.errors import InvalidInput

from .tracing import is_concrete

SYMMETRY_TOLERANCE = 1e-10
"""Largest asymmetry or negative eigenvalue that counts as rounding, relative to the largest entry of the matrix."""

SHARE_TOLERANCE = 1e-9
"""Largest deviation of the sum of the shares from 1 that counts as rounding."""


def as_array(value: Any) -> Array:
    """JAX array of numbers, of which integers become floats.

    Args:
        value: a number, an array, or nested sequences of numbers.

    Raises:
        InvalidInput: it is none of these, such as text or a ragged list.
    """
    try:
        array = jnp.asarray(value)
        kind = float if jnp.issubdtype(array.dtype, jnp.integer) else array.dtype
        return jnp.asarray(array, dtype=kind)  # without dtype, a Python number stays weakly typed: one more compilation
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"expected an array of numbers, got {value!r}") from error


def require_float64(name: str, array: Array) -> None:
    """Refuse an array of another type than float64, with a message that says how to get that type."""
    if array.dtype != jnp.float64:
        raise InvalidInput(
            f"{name} has type {array.dtype}, but the exact theory needs float64: give floating-point numbers, and call "
            "jax.config.update('jax_enable_x64', True) before making arrays"
        )


class Ecosystem(eqx.Module):
    """Data of K entities in the linear model of §5: Gram matrices X'X, shares of the pool and label noise.

    Everything may be given as float64 arrays, NumPy arrays or nested lists.

    Attributes:
        private: S~_k, the Gram matrix of entity k's private data; symmetric and positive semi-definite.
        public: S_*, the Gram matrix of the public data.
        synthetic: S_k, the Gram matrix of the inputs that entity k publishes labels for at every generation.
        shares: w_k ≥ 0 with Σ_k w_k = 1, the share of entity k in the pool; 1/K each in the paper.
        noise_variance: σ² > 0, the variance of the noise of every label, real or synthetic.
        theta: θ, the true parameter of all real data; needed only where an estimate is biased, otherwise None.

    Raises:
        InvalidInput: at construction, if shapes or types do not fit; and, unless traced, if a value is not finite, a
            Gram matrix is asymmetric or indefinite, or shares are negative or do not sum to 1.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.theory import Ecosystem, equal_shares
        >>> gram = jnp.diag(jnp.array([3.0, 2.0, 1.0]))
        >>> grams = jnp.stack([gram, gram])
        >>> ecosystem = Ecosystem(private=grams, public=gram, synthetic=grams, shares=equal_shares(2))
        >>> ecosystem.entities, ecosystem.dimension
        (2, 3)
    """

    private: Float[Array, "entity d d"] = eqx.field(converter=as_array)
    public: Float[Array, "d d"] = eqx.field(converter=as_array)
    synthetic: Float[Array, "entity d d"] = eqx.field(converter=as_array)
    shares: Float[Array, " entity"] = eqx.field(converter=as_array)
    noise_variance: Float[Array, ""] = eqx.field(converter=as_array, default=1.0)
    theta: Float[Array, " d"] | None = eqx.field(converter=lambda x: None if x is None else as_array(x), default=None)

    @property
    def entities(self) -> int:
        """K, the number of entities."""
        return self.private.shape[0]

    @property
    def dimension(self) -> int:
        """d, the number of features."""
        return self.private.shape[-1]

    @property
    def pool_gram(self) -> Float[Array, "d d"]:
        """S̲ = Σ_k w_k S_k, the Gram matrix of the pool's inputs."""
        return jnp.einsum("k,kij->ij", self.shares, self.synthetic)

    @property
    def pool_noise(self) -> Float[Array, "d d"]:
        """N = σ² Σ_k w_k² S_k, the covariance of the pool's moment that is due to the label noise of one generation."""
        return self.noise_variance * jnp.einsum("k,kij->ij", self.shares**2, self.synthetic)

    def __check_init__(self) -> None:
        check_shapes(self)
        if is_concrete(self):
            for name in ("private", "public", "synthetic"):
                check_gram(name, np.asarray(getattr(self, name)))
            check_shares(np.asarray(self.shares))
            check_noise_variance(np.asarray(self.noise_variance))
            if self.theta is not None:
                check_finite("theta", np.asarray(self.theta))


def equal_shares(entities: int) -> Float[Array, " entity"]:
    """Equal shares of the pool, 1/K for every entity, as in the paper.

    Args:
        entities: K, at least 1.

    Returns:
        Array of shape (K); its entries sum to 1.

    Example:
        >>> from crossfeed.theory import equal_shares
        >>> print(equal_shares(4))
        [0.25 0.25 0.25 0.25]
    """
    return jnp.full(entities, 1 / entities)


def check_shapes(ecosystem: Ecosystem) -> None:
    """Refuse arrays whose shapes or types do not fit together; their values may be traced."""
    shape = ecosystem.private.shape
    if len(shape) != 3 or 0 in shape or shape[1] != shape[2]:
        raise InvalidInput(f"private must have shape (K, d, d) with K ≥ 1 and d ≥ 1, but has shape {shape}")
    entities, size = shape[:2]
    expected = {
        "public": (size, size),
        "synthetic": shape,
        "shares": (entities,),
        "noise_variance": (),
        "theta": (size,),
    }
    for name, wanted in expected.items():
        array = getattr(ecosystem, name)
        if array is not None and array.shape != wanted:
            raise InvalidInput(
                f"{name} must have shape {wanted} where private has {shape}, but has shape {array.shape}"
            )
    for name in ("private", *expected):
        array = getattr(ecosystem, name)
        if array is not None:
            require_float64(name, array)


def check_finite(name: str, array: np.ndarray) -> None:
    """Refuse an array with a NaN or infinite entry, and name the first one."""
    bad = np.argwhere(~np.isfinite(array))
    if len(bad):
        place = tuple(int(i) for i in bad[0])
        raise InvalidInput(f"{name}{list(place) if place else ''} is {array[place]}, but must be a finite number")


def check_gram(name: str, grams: np.ndarray) -> None:
    """Refuse a matrix, or a stack of matrices, that is not symmetric and positive semi-definite up to rounding."""
    check_finite(name, grams)
    stack = grams.reshape(-1, *grams.shape[-2:])
    largest = np.abs(stack).max(axis=(1, 2), initial=0)
    label = [name] if grams.ndim == 2 else [f"{name}[{k}]" for k in range(len(stack))]
    skew = np.abs(stack - stack.transpose(0, 2, 1))
    k, i, j = np.unravel_index(np.argmax(skew - SYMMETRY_TOLERANCE * largest[:, None, None]), skew.shape)
    if skew[k, i, j] > SYMMETRY_TOLERANCE * largest[k]:
        raise InvalidInput(
            f"{label[k]} is not symmetric: entry ({i}, {j}) is {stack[k, i, j]:.6g}, and ({j}, {i}) differs by {skew[k, i, j]:.3g}"
        )
    lowest = np.linalg.eigvalsh(stack)[:, 0]
    k = int(np.argmin(lowest + SYMMETRY_TOLERANCE * largest))
    if lowest[k] < -SYMMETRY_TOLERANCE * largest[k]:
        raise InvalidInput(f"{label[k]} is not positive semi-definite: its smallest eigenvalue is {lowest[k]:.6g}")


def check_shares(shares: np.ndarray) -> None:
    """Refuse shares that are not finite, are negative, or do not sum to one."""
    check_finite("shares", shares)
    if shares.min() < 0:
        raise InvalidInput(f"shares[{int(shares.argmin())}] is {shares.min():.6g}, but must not be negative")
    if abs(shares.sum() - 1) > SHARE_TOLERANCE:
        raise InvalidInput(f"shares must sum to 1, but sum to {shares.sum():.9g}")


def check_noise_variance(value: np.ndarray) -> None:
    """Refuse a variance that is not positive and finite."""
    check_finite("noise_variance", value)
    if value <= 0:
        raise InvalidInput(f"noise_variance is {float(value):.6g}, but must be positive")
