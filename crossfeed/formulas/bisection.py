"""Bisection with a fixed number of steps: the step that NumPy and JAX share, and NumPy's loop."""

from collections.abc import Callable
from functools import singledispatch

from .arrays import namespace
from .shapes import Array, Bool, Float

_Ends = tuple[Float[Array, "*shape"], Float[Array, "*shape"]]


@singledispatch
def bisect(
    low: Float[Array, "*shape"],
    high: Float[Array, "*shape"],
    lies_above: Callable[[Float[Array, "*shape"]], Bool[Array, "*shape"]],
    steps: int,
) -> Float[Array, "*shape"]:
    """Point up to which a condition holds.

    Args:
        low: lower end, where it holds.
        high: upper end, where it does not.
        lies_above: whether it holds at a number, so that the point lies above.
        steps: how often the interval is halved.
    """
    ends = low, high
    for _ in range(steps):
        ends = halve(ends, lies_above)
    return middle(ends)


def halve(ends: _Ends, lies_above: Callable[[Float[Array, "*shape"]], Bool[Array, "*shape"]]) -> _Ends:
    """The half of an interval in which the condition changes."""
    low, high = ends
    half = middle(ends)
    above, xp = lies_above(half), namespace(low)
    return xp.where(above, half, low), xp.where(above, high, half)


def middle(ends: _Ends) -> Float[Array, "*shape"]:
    """Middle of an interval."""
    return (ends[0] + ends[1]) / 2
