"""Memories: what entities keep of the pools of earlier generations."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from crossfeed.errors import InvalidInput

from .arrays import is_concrete
from .shapes import Scalar


class Memory(ABC):
    """What is kept of earlier pools, m̄_t = kept m̄_{t-1} + m_t; the base class of all memories."""

    @property
    @abstractmethod
    def kept(self) -> Scalar:
        """The factor, in [0, 1]: 0 forgets all, 1 keeps all."""


@dataclass(frozen=True)
class Replace(Memory):
    """Entities read the newest pool alone: the paper's memory (§4).

    Example:
        >>> from crossfeed.theory import Replace
        >>> print(Replace().kept)
        0.0
    """

    @property
    def kept(self) -> Scalar:
        """0."""
        return 0.0


@dataclass(frozen=True)
class Accumulate(Memory):
    """Entities read all pools so far, each with weight α (Gerstgrasser et al. 2024, arXiv 2404.01413).

    The synthetic data that an entity reads grow with the generations, and no limit has a fixed feedback.

    Example:
        >>> from crossfeed.theory import Accumulate
        >>> print(Accumulate().kept)
        1.0
    """

    @property
    def kept(self) -> Scalar:
        """1."""
        return 1.0


@dataclass(frozen=True)
class Forget(Memory):
    """Entities read all pools so far, and weigh those of earlier generations less: between `Replace` and `Accumulate`.

    Attributes:
        rate: r in [0, 1]; a pool that is s generations old has weight α (1 - r)ˢ. 1 is `Replace`, 0 `Accumulate`.

    Raises:
        InvalidInput: the rate lies outside [0, 1]; unless traced.

    Example:
        >>> from crossfeed.theory import Forget
        >>> print(Forget(0.25).kept)
        0.75
    """

    rate: Scalar

    def __post_init__(self) -> None:
        if is_concrete(self.rate) and not 0 <= self.rate <= 1:
            raise InvalidInput(f"rate is {float(self.rate):.6g}, but must lie in [0, 1]")

    @property
    def kept(self) -> Scalar:
        """1 - r."""
        return 1 - self.rate
