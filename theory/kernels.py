"""Kernels of the training data of entities under JAX: decided only where they are needed, and once for a whole grid of weights."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax.custom_batching import custom_vmap
from jaxtyping import Array, Bool, Float

from crossfeed.formulas.kernels import kernels_of, may_lack_data, training_kernels
from crossfeed.formulas.linear_algebra import RANK_TOLERANCE
from crossfeed.formulas.state_space import missed, published_bias

from .pytrees import for_jax
from .small_matrices import unless_zero

# Every set of data that an entity may train on, as ones for (private, public, synthetic): the bits of 1 to 7.
_PATTERNS = [[bool((code >> bit) & 1) for bit in range(3)] for code in range(1, 8)]


@for_jax(training_kernels)
def _training_kernels(
    private: Float[Array, "entity d d"],
    public: Float[Array, "d d"],
    pool: Float[Array, "entity d d"],
    weights: Float[Array, "entity 3"],
) -> Float[Array, "entity d d"]:
    # The rank is locally constant wherever derivatives exist; `inverse_on_range` differentiates how the kernel turns.
    grams = jax.lax.stop_gradient((private, public, pool))
    return _kernels(*grams, jax.lax.stop_gradient(weights) > RANK_TOLERANCE)


@custom_vmap
def _kernels(
    private: Float[Array, "entity d d"],
    public: Float[Array, "d d"],
    pool: Float[Array, "entity d d"],
    used: Bool[Array, "entity 3"],
) -> Float[Array, "entity d d"]:
    return jax.lax.cond(
        may_lack_data(public, used), lambda: kernels_of(private, public, pool, used), lambda: jnp.zeros_like(private)
    )


@_kernels.def_vmap
def _kernels_batch(
    size: int,
    batched: Sequence[bool],
    private: Float[Array, "... entity d d"],
    public: Float[Array, "... d d"],
    pool: Float[Array, "... entity d d"],
    used: Bool[Array, "... entity 3"],
) -> tuple[Float[Array, "batch entity d d"], bool]:
    grams = (private, public, pool)
    axes = [0 if one else None for one in batched]
    every = (axes[1], axes[3])
    needed = may_lack_data(public, used) if every == (None, None) else jax.vmap(may_lack_data, every)(public, used)
    shape = (size, *private.shape[-3:])
    if any(batched[:3]):
        return jax.lax.cond(
            needed.any(), lambda: jax.vmap(kernels_of, axes)(*grams, used), lambda: jnp.zeros(shape, private.dtype)
        ), True

    def from_table() -> Float[Array, "batch entity d d"]:
        entities = private.shape[0]
        patterns = jnp.repeat(jnp.array(_PATTERNS)[:, None], entities, axis=1)
        table = jax.vmap(kernels_of, (None, None, None, 0))(*grams, patterns)
        code = jnp.where(used, jnp.array([1, 2, 4])[None, None], 0).sum(-1) - 1
        return table[code, jnp.arange(entities)[None]]

    return jax.lax.cond(needed.any(), from_table, lambda: jnp.zeros(shape, private.dtype)), True


for_jax(published_bias)(unless_zero(missed))
