"""Test for values that are known while a function runs, as opposed to those that JAX traces."""

from typing import Any

import jax
from jax.core import Tracer


def is_concrete(*values: Any) -> bool:
    """Whether no array in any of the values, which may be pytrees, is traced by jit, vmap or grad."""
    return not any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(values))
