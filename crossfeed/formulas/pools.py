"""Pools: what of the published data each entity reads."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from crossfeed.errors import InvalidInput

from .arrays import as_array, is_concrete, namespace, require_float64
from .ecosystem import SHARE_TOLERANCE, Ecosystem
from .shapes import Array, Float, Numbers, Scalar

_RANK_TOLERANCE = 1e-12  # of readers, relative to the largest singular value


class Pool(ABC):
    """Channels that entities write into and read from; the base class of all pools.

    Attributes:
        fresh: fraction of everybody's published rows whose labels come from people instead of models, in [0, 1].
    """

    fresh: Scalar

    @abstractmethod
    def write(self, ecosystem: Ecosystem) -> Float[Array, "channel entity"]:
        """Weight of the data of every entity in every channel."""

    @abstractmethod
    def read(self, ecosystem: Ecosystem) -> Float[Array, "entity channel"]:
        """Weight of every channel in what every entity reads."""


@dataclass(frozen=True)
class Shared(Pool):
    """One pool, of which all entities read the same: the paper's, with the ecosystem's shares (§4).

    Attributes:
        fresh: fraction of the published rows with fresh human labels; 0 in the paper.

    Raises:
        InvalidInput: `fresh` lies outside [0, 1]; unless traced.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.theory import Shared, symmetric_ecosystem
        >>> print(Shared().write(symmetric_ecosystem(2, jnp.eye(3))))
        [[0.5 0.5]]
    """

    fresh: Scalar = 0.0

    def __post_init__(self) -> None:
        _check_fraction("fresh", self.fresh)

    def write(self, ecosystem: Ecosystem) -> Float[Array, "channel entity"]:
        """The shares."""
        return ecosystem.shares[None]

    def read(self, ecosystem: Ecosystem) -> Float[Array, "entity channel"]:
        """Ones."""
        return namespace(ecosystem.shares).ones((ecosystem.entities, 1))


@dataclass(frozen=True, init=False)
class Network(Pool):
    """Who reads whom: entity k reads W[k, j] of what entity j publishes. Shares of the ecosystem play no part.

    Readers of one entity see the same labels. A matrix W of rank r < K takes r channels instead of K, which is as many times
    cheaper.

    Args:
        readers: W of shape (K, K), with rows that sum to 1 and no negative entry.
        fresh: fraction of the published rows with fresh human labels.

    Raises:
        InvalidInput: W is not square, has a negative entry, or a row that does not sum to 1; `fresh` lies outside [0, 1]. All
            but the shape unless traced.

    Example:
        >>> from crossfeed.theory import Network
        >>> network = Network([[0.5, 0.5, 0.0], [0.0, 0.5, 0.5], [0.5, 0.0, 0.5]])
        >>> print(network.channels)
        3
    """

    fresh: Scalar
    _write: Float[Array, "channel entity"]
    _read: Float[Array, "entity channel"]

    def __init__(self, readers: Numbers, fresh: Scalar = 0.0):
        matrix = as_array("readers", readers)
        require_float64("readers", matrix)
        if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
            raise InvalidInput(f"readers must have shape (K, K), but has shape {matrix.shape}")
        read, write = matrix, np.eye(len(matrix))
        if is_concrete(matrix):
            _check_readers(np.asarray(matrix))
            left, values, right = np.linalg.svd(np.asarray(matrix))
            rank = int((values > _RANK_TOLERANCE * values[0]).sum())
            if rank < len(matrix):
                read, write = left[:, :rank] * values[:rank], right[:rank]
        _check_fraction("fresh", fresh)
        xp = namespace(matrix)
        for name, value in (("fresh", fresh), ("_read", xp.asarray(read)), ("_write", xp.asarray(write))):
            object.__setattr__(self, name, value)

    @property
    def channels(self) -> int:
        """Rank of W, if it was known at construction; else K."""
        return self._write.shape[0]

    def write(self, ecosystem: Ecosystem) -> Float[Array, "channel entity"]:
        """A factor of W."""
        if self._write.shape[1] != ecosystem.entities:
            raise InvalidInput(f"readers is for {self._write.shape[1]} entities, but there are {ecosystem.entities}")
        return self._write

    def read(self, ecosystem: Ecosystem) -> Float[Array, "entity channel"]:
        """The other factor of W."""
        return self._read


def _check_readers(readers: np.ndarray) -> None:
    if not (readers >= 0).all():
        row, column = np.argwhere(~(readers >= 0))[0]
        raise InvalidInput(f"readers[{row}, {column}] is {readers[row, column]:.6g}, but must not be negative")
    sums = readers.sum(1)
    row = int(np.argmax(np.abs(sums - 1)))
    if abs(sums[row] - 1) > SHARE_TOLERANCE:
        raise InvalidInput(f"readers[{row}] sums to {sums[row]:.9g}, but every row must sum to 1")


def _check_fraction(name: str, value: Scalar) -> None:
    if is_concrete(value) and not 0 <= value <= 1:
        raise InvalidInput(f"{name} is {float(value):.6g}, but must lie in [0, 1]")
