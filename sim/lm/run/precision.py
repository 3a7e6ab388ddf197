"""Precision and random-number generator that models compute with, whatever the settings of JAX are."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import jax

from crossfeed.random_keys import pinned_generator

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


def in_single_precision(action: Callable[_Arguments, _Result]) -> Callable[_Arguments, _Result]:
    """Decorate a function so that it runs without JAX's float64 mode and with one generator of random numbers.

    Otherwise models would sample other tokens.
    """

    @wraps(action)
    def wrapped(*arguments: _Arguments.args, **named: _Arguments.kwargs) -> _Result:
        # As decorators they do not nest.
        with jax.enable_x64(False), pinned_generator():
            return action(*arguments, **named)

    return wrapped
