"""Test for values that are known while a function runs, as opposed to those that JAX traces."""

from typing import Any

import jax
from jax.core import Tracer
from jaxtyping import Array, Float

Scalar = float | Float[Array, ""]
"""A number that may be traced. A Python float is part of the program that `eqx.filter_jit` compiles."""


def is_concrete(*values: Any) -> bool:
    """Whether no array in any of the values, which may be pytrees, is traced by jit, vmap or grad."""
    return not any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(values))


def is_zero(value: Scalar) -> bool:
    """Whether a number is the Python number 0, which leaves a part out of the compiled program."""
    return isinstance(value, (int, float)) and value == 0
