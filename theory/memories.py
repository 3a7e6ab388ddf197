"""Memories: what entities keep of the pools of earlier generations."""

from abc import abstractmethod

import equinox as eqx

from crossfeed.errors import InvalidInput

from .tracing import Scalar, is_concrete


class AbstractMemory(eqx.Module):
    """Base class of memories. What is read at generation t is the sum of all pools so far, of which those of earlier
    generations have been multiplied by `kept` once per generation: m̄_t = kept m̄_{t-1} + m_t.

    Example:
        >>> from crossfeed.theory import AbstractMemory, Forget
        >>> isinstance(Forget(0.5), AbstractMemory)
        True
    """

    @property
    @abstractmethod
    def kept(self) -> Scalar:
        """The factor, in [0, 1]: 0 forgets all, 1 keeps all."""


class Replace(AbstractMemory):
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


class Accumulate(AbstractMemory):
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


class Forget(AbstractMemory):
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

    def __check_init__(self) -> None:
        if is_concrete(self.rate) and not 0 <= self.rate <= 1:
            raise InvalidInput(f"rate is {float(self.rate):.6g}, but must lie in [0, 1]")

    @property
    def kept(self) -> Scalar:
        """1 - r."""
        return 1 - self.rate
