"""Whether values are known while a function runs, or stand for others because JAX traces it."""

from typing import Any

import jax
from jax.core import Tracer


def is_concrete(*values: Any) -> bool:
    """Whether no value is traced by jit, vmap or grad, so that all of them can be looked at now."""
    return not any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(values))
