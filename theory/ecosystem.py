"""The ecosystem: K entities, their data, the inputs they publish labels for, and their shares of the pool."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float

from crossfeed.errors import InvalidInput, naming

from .tracing import is_concrete

Numbers: TypeAlias = ArrayLike | Sequence[Any]
"""A number, an array, or nested sequences of numbers."""

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
        if array.dtype == bool:
            raise TypeError
        kind = float if jnp.issubdtype(array.dtype, jnp.integer) else array.dtype
        return jnp.asarray(array, dtype=kind)  # without dtype, a Python number stays weakly typed: one more compilation
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidInput(f"expected an array of numbers, got {value!r}") from error


def require_float64(name: str, array: Array) -> None:
    """Refuse an array of another type than float64, with a message that says how to get that type."""
    if array.dtype != jnp.float64:
        raise InvalidInput(
            f"{name} has type {array.dtype}, but the exact theory needs float64: give floating-point numbers, and call "
            "jax.config.update('jax_enable_x64', True) before making arrays"
        )


class Dataset(eqx.Module):
    """Data as the theory sees them: the Gram matrix of their features, their label noise, and the truth behind the labels.

    Labels follow y | x ~ N(x'θ, σ²). All arrays may have the same leading axes, one entry per dataset. Everything may be given
    as float64 arrays, NumPy arrays or nested lists.

    Args:
        gram: X'X, symmetric and positive semi-definite.
        noise_variance: σ² > 0 of one label; one number for all datasets, or one per dataset.
        truth: θ; one for all datasets, or one per dataset. None where it is not known, or where there is none, as for the
            labels that models write.

    Raises:
        InvalidInput: at construction, if shapes or types do not fit; `Ecosystem` checks the values.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.theory import Dataset
        >>> data = Dataset(jnp.stack([jnp.eye(3), 2 * jnp.eye(3)]), noise_variance=0.5)
        >>> print(data.gram.shape, data.noise_variance)
        (2, 3, 3) [0.5 0.5]
    """

    gram: Float[Array, "*dataset d d"]
    noise_variance: Float[Array, "*dataset"]
    truth: Float[Array, "*dataset d"] | None

    def __init__(self, gram: Numbers, noise_variance: Numbers = 1.0, truth: Numbers | None = None):
        self.gram = as_array(gram)
        if self.gram.ndim < 2 or self.gram.shape[-2] != self.gram.shape[-1] or 0 in self.gram.shape:
            raise InvalidInput(f"gram must have shape (…, d, d) with d ≥ 1, but has shape {self.gram.shape}")
        *stack, size = self.gram.shape[:-1]
        self.noise_variance = _stacked("noise_variance", as_array(noise_variance), tuple(stack))
        self.truth = None if truth is None else _stacked("truth", as_array(truth), (*stack, size))
        for name, array in (("gram", self.gram), ("noise_variance", self.noise_variance), ("truth", self.truth)):
            if array is not None:
                require_float64(name, array)

    @property
    def moment_covariance(self) -> Float[Array, "*dataset d d"]:
        """σ² X'X, the covariance of the moment X'y that is due to label noise."""
        return self.noise_variance[..., None, None] * self.gram


def _stacked(name: str, array: Array, shape: tuple[int, ...]) -> Array:
    """An array with one entry per dataset; one for all is repeated."""
    if array.ndim > len(shape) or array.shape != shape[len(shape) - array.ndim :]:
        raise InvalidInput(f"{name} must have shape {shape}, or that of one dataset, but has shape {array.shape}")
    return jnp.broadcast_to(array, shape)


class Ecosystem(eqx.Module):
    """Data of K entities in the linear model of §5, and the shares of the pool.

    Args:
        private: the private data of every entity, S~_k; arrays have a leading axis of length K.
        public: the public data of all entities, S_*.
        synthetic: the inputs that every entity publishes labels for at every generation, S_k, and the variance of the noise of
            these labels. Without a truth: entities label by their own estimates.
        shares: w_k ≥ 0 with Σ_k w_k = 1, the share of entity k in the pool; 1/K each if None, as in the paper.
        present: which entities there are, where arrays have room for more; all if None. An absent entity has no share, and no
            measure counts it.

    Raises:
        InvalidInput: at construction, if shapes or types do not fit, or only some data have a truth; and, unless traced, if a
            value is not finite, a Gram matrix is asymmetric or indefinite, or shares are negative or do not sum to 1.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.theory import Dataset, Ecosystem
        >>> gram = jnp.diag(jnp.array([3.0, 2.0, 1.0]))
        >>> both = Dataset(jnp.stack([gram, gram]))
        >>> ecosystem = Ecosystem(private=both, public=Dataset(gram), synthetic=both)
        >>> ecosystem.entities, ecosystem.dimension
        (2, 3)
    """

    private: Dataset
    public: Dataset
    synthetic: Dataset
    shares: Float[Array, " entity"]
    present: Bool[Array, " entity"]

    def __init__(
        self,
        *,
        private: Dataset,
        public: Dataset,
        synthetic: Dataset,
        shares: Numbers | None = None,
        present: Numbers | None = None,
    ):
        self.private, self.public, self.synthetic = private, public, synthetic
        stack = private.gram.shape[:1]
        self.present = jnp.ones(stack, bool) if present is None else jnp.asarray(present, bool)
        count = jnp.maximum(self.present.sum(), 1).astype(float)
        self.shares = self.present.astype(float) / count if shares is None else as_array(shares)
        check_shapes(self)
        if is_concrete(self):
            check_values(self)

    @property
    def entities(self) -> int:
        """K, the number of entities that arrays have room for."""
        return self.private.gram.shape[0]

    @property
    def dimension(self) -> int:
        """d, the number of features."""
        return self.private.gram.shape[-1]

    @property
    def pool_gram(self) -> Float[Array, "d d"]:
        """S̲ = Σ_k w_k S_k, the Gram matrix of the inputs in a pool that all entities share."""
        return jnp.einsum("k,kij->ij", self.shares, self.synthetic.gram)

    @property
    def deviations(self) -> Float[Array, "entity d"]:
        """θ_k - θ_*, by how much the truth of each entity differs from that of the public data; zero where none is given."""
        if self.private.truth is None or self.public.truth is None:
            return jnp.zeros((self.entities, self.dimension))
        return self.private.truth - self.public.truth[None]


def ecosystem_from_grams(
    private: Numbers,
    public: Numbers,
    synthetic: Numbers,
    shares: Numbers | None = None,
    noise_variance: Numbers = 1.0,
    theta: Numbers | None = None,
) -> Ecosystem:
    """Ecosystem of the paper, in which all data have the same label noise and the same truth (§5).

    Args:
        private: S~_k, of shape (K, d, d).
        public: S_*, of shape (d, d).
        synthetic: S_k, of shape (K, d, d).
        shares: w_k, of shape (K); equal if None.
        noise_variance: σ² > 0, the variance of the noise of one label.
        theta: θ, the true parameter, of shape (d); None if it is unknown.

    Raises:
        InvalidInput: `Dataset` or `Ecosystem` refuses a value.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.theory import ecosystem_from_grams
        >>> grams = jnp.stack([jnp.eye(3), jnp.diag(jnp.array([2.0, 1.0, 0.0]))])
        >>> ecosystem_from_grams(grams, jnp.eye(3), grams, noise_variance=0.5).entities
        2
    """

    def dataset(name: str, gram: Numbers, truth: Numbers | None) -> Dataset:
        with naming(name):
            return Dataset(gram, noise_variance, truth)

    return Ecosystem(
        private=dataset("private", private, theta),
        public=dataset("public", public, theta),
        synthetic=dataset("synthetic", synthetic, None),
        shares=shares,
    )


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
    """Refuse data whose shapes do not fit together; their values may be traced."""
    shape = ecosystem.private.gram.shape
    if len(shape) != 3:
        raise InvalidInput(f"private must have shape (K, d, d), but has shape {shape}")
    expected = {
        "public": (ecosystem.public.gram, shape[1:]),
        "synthetic": (ecosystem.synthetic.gram, shape),
        "shares": (ecosystem.shares, shape[:1]),
        "present": (ecosystem.present, shape[:1]),
    }
    for name, (array, wanted) in expected.items():
        if array.shape != wanted:
            raise InvalidInput(
                f"{name} must have shape {wanted} where private has {shape}, but has shape {array.shape}"
            )
    require_float64("shares", ecosystem.shares)
    if ecosystem.synthetic.truth is not None:
        raise InvalidInput("synthetic has a truth, but its labels are written by the models")
    if (ecosystem.private.truth is None) != (ecosystem.public.truth is None):
        with_truth, without = ("public", "private") if ecosystem.private.truth is None else ("private", "public")
        raise InvalidInput(f"{with_truth} data have a truth, so {without} data need one too")


def check_values(ecosystem: Ecosystem) -> None:
    """Refuse values that no ecosystem can have; they must not be traced."""
    for name in ("private", "public", "synthetic"):
        data: Dataset = getattr(ecosystem, name)
        check_gram(name, np.asarray(data.gram))
        check_noise_variance(f"{name}.noise_variance", np.asarray(data.noise_variance))
        if data.truth is not None:
            check_finite(f"{name}.truth", np.asarray(data.truth))
    check_shares(np.asarray(ecosystem.shares))
    absent = np.flatnonzero(~np.asarray(ecosystem.present) & (np.asarray(ecosystem.shares) > 0))
    if len(absent):
        raise InvalidInput(f"shares[{absent[0]}] is {ecosystem.shares[absent[0]]:.6g}, but that entity is absent")


def check_all_present(ecosystem: Ecosystem) -> None:
    """Refuse room for entities that are absent, for computations that do not know of it; unless traced."""
    if is_concrete(ecosystem.present) and not np.asarray(ecosystem.present).all():
        absent = int(np.flatnonzero(~np.asarray(ecosystem.present))[0])
        raise InvalidInput(f"present[{absent}] is False: give an ecosystem of those entities that are there")


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
    scale = np.where(largest > 0, largest, 1)
    lowest = np.linalg.eigvalsh(stack / scale[:, None, None])[:, 0]  # scaled, as large entries would overflow
    k = int(np.argmin(lowest))
    if lowest[k] < -SYMMETRY_TOLERANCE:
        raise InvalidInput(
            f"{label[k]} is not positive semi-definite: its smallest eigenvalue is {lowest[k] * scale[k]:.6g}"
        )


def check_shares(shares: np.ndarray) -> None:
    """Refuse shares that are not finite, are negative, or do not sum to one."""
    check_finite("shares", shares)
    if shares.min() < 0:
        raise InvalidInput(f"shares[{int(shares.argmin())}] is {shares.min():.6g}, but must not be negative")
    if abs(shares.sum() - 1) > SHARE_TOLERANCE:
        raise InvalidInput(f"shares must sum to 1, but sum to {shares.sum():.9g}")


def check_noise_variance(name: str, values: np.ndarray) -> None:
    """Refuse variances that are not positive and finite."""
    check_finite(name, values)
    bad = np.argwhere(values <= 0)
    if len(bad):
        place = tuple(int(i) for i in bad[0])
        raise InvalidInput(f"{name}{list(place) if place else ''} is {float(values[place]):.6g}, but must be positive")
