"""Domains of the parameters of the laws, written as annotations: `rows: Count` is a whole number and at least 1."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from crossfeed.errors import InvalidInput

MOST_GENERATIONS = 10**6  # an array holds all of them
_LARGEST_WHOLE = 2**53  # whole numbers beyond are not exact in float64
_LARGEST = 1e100  # powers of numbers beyond may overflow


@dataclass(frozen=True)
class Interval:
    """Interval of the numbers that a parameter may take.

    Attributes:
        least: lower end.
        most: upper end.
        open: whether the lower end itself is excluded.
    """

    least: float | int
    most: float | int = math.inf
    open: bool = False

    def __contains__(self, value: float | int) -> bool:
        return (self.least < value if self.open else self.least <= value) and value <= self.most

    def __str__(self) -> str:
        if math.isfinite(self.most):
            return f"in {'(' if self.open else '['}{self.least}, {self.most}]"
        return ("positive" if self.least == 0 else f"above {self.least}") if self.open else f"at least {self.least}"


Count = Annotated[int, Interval(1)]
Generations = Annotated[int, Interval(1, MOST_GENERATIONS)]
GenerationsFromZero = Annotated[int, Interval(0, MOST_GENERATIONS)]
Positive = Annotated[float, Interval(0, open=True)]
NotNegative = Annotated[float, Interval(0)]
Fraction = Annotated[float, Interval(0, 1)]
PositiveFraction = Annotated[float, Interval(0, 1, open=True)]
Counts = Annotated[Sequence[int], Interval(1)]
Fractions = Annotated[Sequence[float], Interval(0, 1)]
NotNegatives = Annotated[Sequence[float], Interval(0)]


def checked_number(name: str, value: object, interval: Interval, whole: bool) -> float | int:
    """Python number that a value stands for.

    Args:
        name: name of the parameter, for the message.
        value: number of Python or NumPy.
        interval: interval that it must lie in.
        whole: whether it must be a whole number.

    Raises:
        InvalidInput: it is no such number, or lies outside the interval.
    """
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidInput(f"{name} is {value}, but must be a number")
    if whole and value != value // 1:
        raise InvalidInput(f"{name} is {value}, but must be a whole number")
    if value not in interval:
        raise InvalidInput(f"{name} is {value}, but must {'lie' if math.isfinite(interval.most) else 'be'} {interval}")
    if value > (most := _LARGEST_WHOLE if whole else _LARGEST):
        raise InvalidInput(f"{name} is {value}, but must be at most {most}")
    return int(value) if whole else float(value)


def check_regression(features: int, rows: int, name: str = "rows") -> None:
    """Check that least squares on Gaussian features has a finite expected error.

    Args:
        features: number of features d.
        rows: number of rows, which must be at least d + 2: E tr (X'X)⁻¹ is infinite for d and d + 1, and with fewer
            rows than features X'X has no inverse.
        name: name of the parameter with the number of rows, for the message.

    Raises:
        InvalidInput: there are too few rows.
    """
    if rows < features + 2:
        raise InvalidInput(
            f"{name} is {rows}, but must be at least {features + 2}, which is features + 2: with fewer rows the expected "
            "error of least squares on Gaussian features is not finite"
        )


def check_sum(name: str, shares: Sequence[float]) -> None:
    """Check that shares sum to one.

    Raises:
        InvalidInput: they do not.
    """
    if abs((total := math.fsum(shares)) - 1) > 1e-9:
        raise InvalidInput(f"{name} sum to {total:.12g}, but must sum to 1")
