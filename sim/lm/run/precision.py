"""Precision and random-number generator that models compute with, whatever the settings of JAX are."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Key

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


def in_single_precision(action: Callable[_Arguments, _Result]) -> Callable[_Arguments, _Result]:
    """Decorate a function so that it runs without JAX's float64 mode and with one generator of random numbers.

    Otherwise models would sample other tokens.
    """

    @wraps(action)
    def wrapped(*arguments: _Arguments.args, **named: _Arguments.kwargs) -> _Result:
        # As decorators they do not nest.
        with jax.enable_x64(False), jax.default_prng_impl("threefry2x32"), jax.threefry_partitionable(True):
            return action(*arguments, **named)

    return wrapped


def key_of(seed: int) -> Key[jax.Array, ""]:
    """Random key of a seed, that of `jax.random.key` unless `jax_random_seed_offset` is set.

    Args:
        seed: from 0 to 2³² - 1.
    """
    return jax.random.wrap_key_data(jnp.asarray(np.array([0, seed], np.uint32)), impl="threefry2x32")
