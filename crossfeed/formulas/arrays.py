"""Arrays of NumPy or JAX: the library that an array belongs to, and whether its values are known while a function runs."""

import math
import sys
from functools import singledispatch
from types import ModuleType
from typing import Any

import numpy as np

from crossfeed.errors import InvalidInput

from .shapes import Array, Float, Scalar

_MANY_PRODUCTS = 10**5

_LEAST_SUM = 5e-13
"""Least sum, relative to that of its terms' sizes, of which rounding leaves digits."""


def namespace(array: Any) -> Any:
    """The library of an array: `numpy`, or `jax.numpy` if it is JAX's or traced by it."""
    return array.__array_namespace__()


def einsum(formula: str, *operands: Any) -> Array:
    """Sum of products in Einstein's notation, without ellipsis; JAX's if one operand is.

    NumPy looks for the cheapest order of many products only, as the search takes longer than few of them; JAX always does.
    """
    library = next((namespace(operand) for operand in operands if not isinstance(operand, np.ndarray)), np)
    if library is not np:
        return library.einsum(formula, *operands)
    indices = "".join(formula.partition("->")[0].split(","))
    sizes = dict(zip(indices, (size for operand in operands for size in operand.shape), strict=True))
    return np.einsum(formula, *operands, optimize=math.prod(sizes.values()) > _MANY_PRODUCTS)


def is_concrete(*values: Any) -> bool:
    """Whether no array in any of the values, which may be pytrees, is traced by jit, vmap or grad."""
    jax = sys.modules.get("jax")  # nothing is traced by a library that nobody has imported
    return jax is None or not any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(values))


def is_refused(condition: Any) -> bool:
    """Whether a condition that calls for an error is known to hold.

    Never in NumPy's arrays, where values are missing as in traced ones, and `reason` says why.
    """
    return is_concrete(condition) and not isinstance(condition, np.ndarray | np.generic) and bool(condition)


@singledispatch
def constant(array: Array) -> Array:
    """The array, of which no derivative is taken."""
    return array


def is_zero(value: Scalar) -> bool:
    """Whether a number is the Python number 0, which leaves a part out of the compiled program."""
    return isinstance(value, (int, float)) and value == 0


def as_array(name: str, value: Any, library: ModuleType | Any = None) -> Array:
    """Array of numbers, of which integers become floats.

    Args:
        name: what a refusal calls it.
        value: a number, an array, or nested sequences of numbers.
        library: `numpy` or `jax.numpy`; if None, that of the arrays in `value`.

    Raises:
        InvalidInput: it is none of these, such as text or a ragged list.
    """
    xp, plain = library or _library_of(value), type(value) in (int, float)
    try:
        array = np.asarray(value, float) if plain else xp.asarray(value)  # NumPy, since JAX would compile something
        if array.dtype.kind in "bUSO":
            raise TypeError
        kind = float if array.dtype.kind in "iu" or plain else array.dtype
        return xp.asarray(array, dtype=kind)  # without dtype, JAX types a Python number weakly: one more compilation
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidInput(f"{name} is {value!r}, but must be a number or an array of numbers") from error


def require_float64(name: str, array: Array) -> None:
    """Refuse an array of another type than float64, with a message that says how to get that type."""
    if array.dtype != np.float64:
        raise InvalidInput(
            f"{name} has type {array.dtype}, but the exact theory needs float64: give floating-point numbers, and call "
            "jax.config.update('jax_enable_x64', True) before making arrays"
        )


def require_whole(name: str, value: Any) -> None:
    """Refuse what is no whole number."""
    if not isinstance(value, int | np.integer) or isinstance(value, bool):
        raise InvalidInput(f"{name} is {value!r}, but must be a whole number")


def _library_of(value: Any) -> Any:
    jax = sys.modules.get("jax")
    if jax is not None and any(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(value)):
        return jax.numpy
    return np


def unless_cancelled(total: Float[Array, "*batch"], sizes: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
    """A sum, but NaN where its terms cancel so far that rounding leaves no digit of it; `sizes` is the sum of their sizes."""
    return namespace(total).where(total >= _LEAST_SUM * sizes, total, math.nan)
