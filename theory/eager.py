"""Calls outside of functions that JAX compiles: one program each, instead of one for every operation within.

A first call then takes a fraction of the time. The program is compiled with few optimizations, unless it has much to do.
"""

from collections.abc import Callable
from functools import wraps
from math import prod
from typing import Any, TypeVar, cast

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Bool

from crossfeed.formulas.arrays import is_concrete
from crossfeed.xla_options import known_options

_F = TypeVar("_F", bound=Callable[..., Any])

_MUCH = 10**6
"""Entries of all arrays, times the whole numbers among the arguments, from which on optimizations take less than they save."""

QUICK, _OPTIMIZED = (
    known_options({"xla_backend_optimization_level": level, "xla_cpu_use_fusion_emitters": False}) for level in (0, 1)
)
"""Options for programs of a CPU that run for a moment, and for others."""


def any_nan(found: Any, *_: Any, **__: Any) -> Bool[Array, ""]:
    """Whether some entry is NaN: the errors that a refusal stands for, where a function is traced."""
    nan = [jnp.isnan(one).any() for one in jax.tree.leaves(found) if eqx.is_inexact_array(one)]
    return jnp.array(nan, bool).any()


def as_one_program(
    doubtful: Callable[..., Bool[Array, ""]] | None = None, runs_long: bool = False, module: str | None = None
) -> Callable[[_F], _F]:
    """Decorator for pure functions of JAX's arrays, which may also raise an error at values they refuse.

    Functions among the arguments have to be pure too: what is compiled with them is used again.

    Args:
        doubtful: function of the result and all arguments, whether these may have to be refused. Then the function runs once
            more, operation by operation.
        runs_long: whether optimizations pay always.
        module: name of the module that offers the result, if that is not the function's own.
    """

    def decorate(function: _F) -> _F:
        @wraps(function)
        def with_doubt(*arguments: Any, **named: Any) -> tuple[Any, Bool[Array, ""] | bool]:
            found = function(*arguments, **named)
            return found, doubtful(found, *arguments, **named) if doubtful else False

        quick, optimized = (
            eqx.filter_jit(with_doubt, compiler_options=options)  # pyright: ignore[reportCallIssue]
            for options in (QUICK, _OPTIMIZED)
        )
        transformed = eqx.filter_jit(with_doubt)  # JAX takes no options for what it differentiates or maps

        @wraps(function)
        def called(*arguments: Any, **named: Any) -> Any:
            arrays = [one for one in jax.tree.leaves((arguments, named)) if isinstance(one, jax.Array | Tracer)]
            compiling = isinstance(jnp.zeros(()), Tracer)
            if compiling or not arrays:  # or all are NumPy's
                return function(*arguments, **named)
            if not is_concrete(arrays) or jax.default_backend() != "cpu":
                program = transformed
            else:
                sizes = [one for one in (*arguments, *named.values()) if type(one) is int]
                much = sum(array.size for array in arrays) * prod(map(abs, sizes)) >= _MUCH
                program = optimized if runs_long or much else quick
            found, doubt = program(*map(_traceable, arguments), **{k: _traceable(one) for k, one in named.items()})
            return function(*arguments, **named) if is_concrete(doubt) and doubt else found

        if module is not None:
            called.__module__ = module
        return cast(_F, called)

    return decorate


def _traceable(argument: Any) -> Any:
    """An argument with arrays for the floats in it, each value of which would be compiled by itself.

    But 0 and 1 leave parts of a formula out.
    """
    if isinstance(argument, float):  # where a whole number belongs
        return argument
    return jax.tree.map(
        lambda leaf: jnp.asarray(np.asarray(leaf)) if isinstance(leaf, float) and leaf not in (0.0, 1.0) else leaf,
        argument,
    )
