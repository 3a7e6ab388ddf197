"""Kernels of the training data of entities: on which directions an entity has no data.

The kernel of G is the intersection of the kernels of the data that carry weight, whatever their weights. So ranks are decided
from the data alone, where this is well conditioned, and only where they are needed: not at all where public data of full
rank carry weight everywhere, and once for a whole grid of weights.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax.custom_batching import custom_vmap
from jaxtyping import Array, Bool, Float

from .linear_algebra import RANK_TOLERANCE, kernel_projector

# Every set of data that an entity may train on, as ones for (private, public, synthetic): the bits of 1 to 7.
_PATTERNS = [[bool((code >> bit) & 1) for bit in range(3)] for code in range(1, 8)]


def training_kernels(
    private: Float[Array, "entity d d"],
    public: Float[Array, "d d"],
    pool: Float[Array, "entity d d"],
    weights: Float[Array, "entity 3"],
) -> Float[Array, "entity d d"]:
    """Orthogonal projectors onto the kernels of all entities' training data; exactly zero at full rank.

    Args:
        private: Gram matrices of the private data.
        public: Gram matrix of the public data.
        pool: Gram matrices of what each entity reads of the pool.
        weights: weights of private, public and synthetic data of each entity; at most `RANK_TOLERANCE` counts as none.
    """
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
        _needed(public, used), lambda: _of_entities(private, public, pool, used), lambda: jnp.zeros_like(private)
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
    needed = _needed(public, used) if every == (None, None) else jax.vmap(_needed, every)(public, used)
    shape = (size, *private.shape[-3:])
    if any(batched[:3]):
        return jax.lax.cond(
            needed.any(), lambda: jax.vmap(_of_entities, axes)(*grams, used), lambda: jnp.zeros(shape, private.dtype)
        ), True

    def from_table() -> Float[Array, "batch entity d d"]:
        entities = private.shape[0]
        patterns = jnp.repeat(jnp.array(_PATTERNS)[:, None], entities, axis=1)
        table = jax.vmap(_of_entities, (None, None, None, 0))(*grams, patterns)
        code = jnp.where(used, jnp.array([1, 2, 4])[None, None], 0).sum(-1) - 1
        return table[code, jnp.arange(entities)[None]]

    return jax.lax.cond(needed.any(), from_table, lambda: jnp.zeros(shape, private.dtype)), True


def _needed(public: Float[Array, "d d"], used: Bool[Array, "entity 3"]) -> Bool[Array, ""]:
    """Whether an entity may have a kernel: not if all train on public data, and these have full rank."""
    return ~(used[:, 1].all() & (jnp.trace(_kernel(public[None], jnp.ones(1, bool))) < 0.5))


def _of_entities(
    private: Float[Array, "entity d d"],
    public: Float[Array, "d d"],
    pool: Float[Array, "entity d d"],
    used: Bool[Array, "entity 3"],
) -> Float[Array, "entity d d"]:
    def of(own: Float[Array, "d d"], read: Float[Array, "d d"], used: Bool[Array, " 3"]) -> Float[Array, "d d"]:
        return _kernel(jnp.stack([own, public, read]), used)

    return jax.vmap(of)(private, pool, used)


def _kernel(grams: Float[Array, "set d d"], used: Bool[Array, " set"]) -> Float[Array, "d d"]:
    """Projector onto the intersection of the kernels of the used Gram matrices, which says nothing of their sizes."""
    grams = used.astype(grams.dtype)[:, None, None] * grams
    sizes = jnp.diagonal(grams.sum(0))
    sizes = sizes + (sizes == 0).astype(sizes.dtype)  # one where there is no data
    traces = jnp.diagonal(grams, axis1=1, axis2=2) @ (1 / sizes)  # in features of one size
    traces = traces + (traces == 0).astype(traces.dtype)
    return kernel_projector(jnp.einsum("s,sab->ab", 1 / traces, grams))
