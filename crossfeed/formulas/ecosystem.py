"""The ecosystem: K entities, their data, the inputs they publish labels for, and their shares of the pool; and what is refused."""

from dataclasses import dataclass
from types import ModuleType
from typing import ClassVar

import numpy as np

from crossfeed.errors import InvalidInput

from .arrays import as_array, einsum, is_concrete, namespace, require_float64
from .shapes import Array, Bool, Float, Numbers

SYMMETRY_TOLERANCE = 1e-10
"""Largest asymmetry or negative eigenvalue that counts as rounding, relative to the largest entry of the matrix."""

SHARE_TOLERANCE = 1e-9
"""Largest deviation of the sum of the shares from 1 that counts as rounding."""

_SINGLE_PRECISION = 1e-5  # as SYMMETRY_TOLERANCE, of a matrix that was formed or stored in float32


@dataclass(init=False, eq=False, repr=False)
class Dataset:
    """Data as the theory sees them, in NumPy's arrays; `crossfeed.theory.Dataset` is the same in JAX's."""

    library: ClassVar[ModuleType] = np

    gram: Float[Array, "*dataset d d"]
    noise_variance: Float[Array, "*dataset"]
    truth: Float[Array, "*dataset d"] | None

    def __init__(self, gram: Numbers, noise_variance: Numbers = 1.0, truth: Numbers | None = None):
        self.gram = as_array("gram", gram, self.library)
        if self.gram.ndim < 2 or self.gram.shape[-2] != self.gram.shape[-1] or 0 in self.gram.shape:
            raise InvalidInput(f"gram must have shape (…, d, d) with d ≥ 1, but has shape {self.gram.shape}")
        *stack, size = self.gram.shape[:-1]
        self.noise_variance = _stacked(
            "noise_variance", as_array("noise_variance", noise_variance, self.library), tuple(stack)
        )
        self.truth = (
            None if truth is None else _stacked("truth", as_array("truth", truth, self.library), (*stack, size))
        )
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
    if array.shape == shape:
        return array
    if is_concrete(array):  # by NumPy, for which JAX need not compile anything
        return as_array(name, np.broadcast_to(np.asarray(array), shape), namespace(array))
    return namespace(array).broadcast_to(array, shape)


@dataclass(init=False, eq=False, repr=False)
class Ecosystem:
    """Data of K entities and the shares of the pool, in NumPy's arrays; `crossfeed.theory.Ecosystem` is the same in JAX's."""

    library: ClassVar[ModuleType] = np

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
        stack, xp = private.gram.shape[:1], self.library
        self.present = xp.asarray(np.ones(stack, bool) if present is None else present, bool)
        if shares is None:
            here = np.ones(stack, bool) if present is None else self.present
            shares = here.astype(float) / namespace(here).maximum(here.sum(), 1).astype(float)
        self.shares = as_array("shares", shares, xp)
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
        return einsum("k,kij->ij", self.shares, self.synthetic.gram)

    @property
    def deviations(self) -> Float[Array, "entity d"]:
        """θ_k - θ_*, by how much the truth of each entity differs from that of the public data; zero where none is given."""
        if self.private.truth is None or self.public.truth is None:
            return namespace(self.shares).zeros((self.entities, self.dimension))
        return self.private.truth - self.public.truth[None]

    @property
    def truths_differ(self) -> Bool[Array, ""]:
        """Whether the truth of some entity that is present differs from that of the public data."""
        return (self.present[:, None] & (self.deviations != 0)).any()

    @property
    def information(self) -> Float[Array, "d d"]:
        """Σ_k S~_k/σ_k² + S_*/σ_*² from the real data of present entities; singular if they do not span."""
        counted = self.present.astype(float) / self.private.noise_variance
        return einsum("k,kab->ab", counted, self.private.gram) + self.public.gram / self.public.noise_variance


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
            f"{label[k]} is not symmetric: entry ({i}, {j}) is {stack[k, i, j]:.6g}, and ({j}, {i}) differs by "
            f"{skew[k, i, j]:.3g}{_advice_on_float32(skew[k, i, j] / largest[k])}"
        )
    scale = np.where(largest > 0, largest, 1)
    lowest = np.linalg.eigvalsh(stack / scale[:, None, None])[:, 0]  # scaled, as large entries would overflow
    k = int(np.argmin(lowest))
    if lowest[k] < -SYMMETRY_TOLERANCE:
        raise InvalidInput(
            f"{label[k]} is not positive semi-definite: its smallest eigenvalue is "
            f"{lowest[k] * scale[k]:.6g}{_advice_on_float32(-lowest[k])}"
        )


def _advice_on_float32(deviation: float) -> str:
    """What to do about a deviation, relative to the largest entry, that single precision explains; empty if it does not."""
    if deviation > _SINGLE_PRECISION:
        return ""
    return f", as float32 rounds ({SYMMETRY_TOLERANCE:g} of the largest entry is allowed): form X'X from X in float64"


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
