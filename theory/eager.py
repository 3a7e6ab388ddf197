"""Calls outside of functions that JAX compiles: one program each, instead of one for every operation within.

A first call then takes a fraction of the time. The program is compiled with few optimizations, unless its arrays are large.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from crossfeed.formulas.arrays import is_concrete

_F = TypeVar("_F", bound=Callable[..., Any])

_LARGE = 10**5
"""Entries of all arrays together from which on a program runs for longer than optimizations take."""

_VERSION = tuple(int(part) for part in jax.__version__.split(".")[:2])
_FEW_OPTIMIZATIONS: dict[str, int | bool] = {
    name: value
    for name, value, unknown_from in (
        ("xla_backend_optimization_level", 0, (0, 13)),  # or not tried with that version
        ("xla_cpu_use_fusion_emitters", False, (0, 11)),
    )
    if unknown_from > _VERSION
}


def as_one_program(refuses: bool = False) -> Callable[[_F], _F]:
    """Decorator for functions of JAX's arrays that are pure but for refusals.

    Args:
        refuses: whether it raises an error where a traced value would be NaN. Then it runs once more, operation by operation,
            if an entry of its result is NaN.
    """

    def decorate(function: _F) -> _F:
        optimized = eqx.filter_jit(function)
        quick = eqx.filter_jit(function, compiler_options=_FEW_OPTIMIZATIONS)  # pyright: ignore[reportCallIssue]

        @wraps(function)
        def called(*arguments: Any, **named: Any) -> Any:
            arrays = [one for one in jax.tree.leaves((arguments, named)) if isinstance(one, jax.Array | Tracer)]
            if not arrays or isinstance(jnp.zeros(()), Tracer):  # that is, within a function that is being compiled
                return function(*arguments, **named)
            small = sum(array.size for array in arrays) < _LARGE and jax.default_backend() == "cpu"
            # JAX takes no options for what it differentiates or maps.
            found = (quick if small and is_concrete(arrays) else optimized)(*arguments, **named)
            return function(*arguments, **named) if refuses and _holds_nan(found) else found

        return cast(_F, called)

    return decorate


def _holds_nan(found: Any) -> bool:
    """Whether an entry is NaN, which nobody can tell while JAX differentiates or maps."""
    arrays = [one for one in jax.tree.leaves(found) if eqx.is_inexact_array(one) and is_concrete(one)]
    return any(np.isnan(one).any() for one in arrays)  # by NumPy, for which JAX need not compile anything
