"""The ecosystem: K entities, what each knows, what each publishes about, and how the pool is shared."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from crossfeed.errors import InvalidInput

from .tracing import is_concrete

SYMMETRY_TOLERANCE = 1e-10  # relative to the largest entry: above the rounding of files and of X'X
SHARE_TOLERANCE = 1e-9


def as_array(value) -> Array:
    """Convert to a JAX array of floats; text, ragged lists and the like become `InvalidInput`."""
    try:
        array = jnp.asarray(value)
        kind = float if jnp.issubdtype(array.dtype, jnp.integer) else array.dtype
        return jnp.asarray(array, dtype=kind)  # a Python number would stay weakly typed, and recompile its users
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"expected an array of numbers, got {value!r}") from error


def require_float64(name: str, array: Array) -> None:
    """Raise unless the array is float64, saying how to get there."""
    if array.dtype != jnp.float64:
        raise InvalidInput(
            f"{name} has type {array.dtype}, but the exact theory needs float64: give floating-point numbers, and call "
            "jax.config.update('jax_enable_x64', True) before making arrays"
        )


class Ecosystem(eqx.Module):
    """K entities in the linear model of §5: Gram matrices X'X, pool shares and label noise.

    Attributes:
        private: S~_k, Gram matrix of entity k's private features; symmetric, positive semi-definite.
        public: S_*, Gram matrix of the public features.
        synthetic: S_k, Gram matrix of the features entity k publishes labels for.
        shares: w_k ≥ 0 with Σ w_k = 1, entity k's part of the pool (1/K each in the paper).
        noise_variance: σ² > 0, the variance of every real and synthetic label.
        theta: the true parameter of all real data, needed only where an estimate is biased; or None.

    Raises:
        InvalidInput: at construction, when shapes or types disagree, and, for values that are not traced, when one is
            not finite, a Gram matrix is asymmetric or indefinite, or shares are negative or do not sum to 1.
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
        """S̲ = Σ_k w_k S_k, the Gram matrix of the pool."""
        return jnp.einsum("k,kij->ij", self.shares, self.synthetic)

    @property
    def pool_noise(self) -> Float[Array, "d d"]:
        """N = σ² Σ_k w_k² S_k, the covariance that fresh label noise gives the pool's moment X'y."""
        return self.noise_variance * jnp.einsum("k,kij->ij", self.shares**2, self.synthetic)

    def __check_init__(self):
        check_shapes(self)
        if is_concrete(self):
            for name in ("private", "public", "synthetic"):
                check_gram(name, np.asarray(getattr(self, name)))
            check_shares(np.asarray(self.shares))
            check_noise_variance(np.asarray(self.noise_variance))
            if self.theta is not None:
                check_finite("theta", np.asarray(self.theta))


def equal_shares(entities: int) -> Float[Array, " entity"]:
    """The paper's pool: every entity holds 1/K of it."""
    return jnp.full(entities, 1 / entities)


def check_shapes(ecosystem: Ecosystem) -> None:
    """Static checks: they hold for traced values too."""
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
    """Raise at the first entry that is NaN or infinite."""
    bad = np.argwhere(~np.isfinite(array))
    if len(bad):
        place = tuple(int(i) for i in bad[0])
        raise InvalidInput(f"{name}{list(place) if place else ''} is {array[place]}, but must be a finite number")


def check_gram(name: str, grams: np.ndarray) -> None:
    """Raise unless every matrix in the stack is symmetric and positive semi-definite."""
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
    """Raise unless the shares are finite, non-negative and sum to one."""
    check_finite("shares", shares)
    if shares.min() < 0:
        raise InvalidInput(f"shares[{int(shares.argmin())}] is {shares.min():.6g}, but must not be negative")
    if abs(shares.sum() - 1) > SHARE_TOLERANCE:
        raise InvalidInput(f"shares must sum to 1, but sum to {shares.sum():.9g}")


def check_noise_variance(value: np.ndarray) -> None:
    """Raise unless the variance is a positive finite number."""
    check_finite("noise_variance", value)
    if value <= 0:
        raise InvalidInput(f"noise_variance is {float(value):.6g}, but must be positive")
