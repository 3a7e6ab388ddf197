"""The precision that models compute in."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import jax

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


def in_single_precision(action: Callable[_Arguments, _Result]) -> Callable[_Arguments, _Result]:
    """Decorate a function so that it runs without JAX's float64 mode, in which models would sample other tokens."""

    @wraps(action)
    def wrapped(*arguments: _Arguments.args, **named: _Arguments.kwargs) -> _Result:
        with jax.enable_x64(False):  # as a decorator it does not nest
            return action(*arguments, **named)

    return wrapped
