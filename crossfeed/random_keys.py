"""Random-number keys whose meaning no setting of JAX changes: one seed gives the same numbers everywhere."""

from contextlib import AbstractContextManager

import jax
import jax.numpy as jnp
from jaxtyping import PRNGKeyArray

GENERATOR = "threefry2x32, partitionable"
"""Name of the generator that every seed of crossfeed belongs to."""


def seeded_key(seed: int) -> PRNGKeyArray:
    """Key of Threefry's generator for a seed, whatever JAX's default generator and seed offset are.

    Args:
        seed: whole number of at most 64 bits, with or without sign.

    Returns:
        The key that `jax.random.key(seed)` gives with 64-bit numbers and the default settings of JAX.

    Example:
        >>> import jax
        >>> from crossfeed.random_keys import seeded_key
        >>> bool(seeded_key(7) == jax.random.key(7, impl="threefry2x32"))
        True
    """
    high, low = divmod(seed % 2**64, 2**32)
    return jax.random.wrap_key_data(jnp.array([high, low], dtype=jnp.uint32), impl="threefry2x32")


def pinned_generator() -> AbstractContextManager[None]:
    """Context manager inside which splits of a key, and numbers drawn from it, are those of `GENERATOR`.

    JAX 0.5 changed what Threefry draws, and keeps the earlier law behind the setting `jax_threefry_partitionable`.

    Example:
        >>> import jax
        >>> from crossfeed.random_keys import pinned_generator, seeded_key
        >>> with pinned_generator():
        ...     print(jax.random.bits(seeded_key(7), dtype="uint32"))
        2895194379
    """
    return jax.threefry_partitionable(True)
