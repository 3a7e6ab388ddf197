"""Scaled dot-product attention with grouped heads.

On CPU, the scores of all heads at once are far larger than the caches, and passing over them again and again takes most of
the time of a small model. There, one row and head is taken at a time, in blocks of queries that see only the keys before
them; in the backward pass the scores are made again. Elsewhere it is JAX's own attention.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

_BLOCK = 128
"""Queries at a time: smaller ones skip more masked keys, but each block is compiled by itself."""


def attend(
    query: Float[Array, "batch length heads head_size"],
    keys: Float[Array, "batch kv_heads slots head_size"],
    values: Float[Array, "batch kv_heads slots head_size"],
    mask: Bool[Array, "batch length slots"],
    causal: bool,
) -> Float[Array, "batch length heads head_size"]:
    """What each query finds: the values, weighted by the softmax of its scaled scores.

    Args:
        query: head h looks at keys of head h // (heads / kv_heads).
        keys: as many heads or fewer.
        values: as keys.
        mask: which slots a query may look at.
        causal: promises that slot j is masked for every query before the j-th, so that it need not be looked at.
    """
    if query.shape[1] == 1 or jax.default_backend() != "cpu":
        keys, values = keys.swapaxes(1, 2), values.swapaxes(1, 2)
        return jax.nn.dot_product_attention(query, keys, values, mask=mask[:, None])
    batch, length, heads, head_size = query.shape
    kv_heads = keys.shape[1]
    grouped = (query * head_size**-0.5).reshape(batch, length, kv_heads, heads // kv_heads, head_size)

    def one_row(row):
        *own, row_mask = row
        return jax.lax.map(lambda head: _one_head(head, row_mask, causal), tuple(own))

    found = jax.lax.map(one_row, (grouped.transpose(0, 2, 3, 1, 4), keys, values, mask))
    return found.transpose(0, 3, 1, 2, 4).reshape(query.shape)


def _one_head(
    head: tuple[
        Float[Array, "group length head_size"], Float[Array, "slots head_size"], Float[Array, "slots head_size"]
    ],
    mask: Bool[Array, "length slots"],
    causal: bool,
) -> Float[Array, "group length head_size"]:
    query, keys, values = head
    if not causal:
        return _one_block(query, keys, values, mask)
    found = []
    for start in range(0, query.shape[1], _BLOCK):
        stop = start + _BLOCK
        found.append(_one_block(query[:, start:stop], keys[:stop], values[:stop], mask[start:stop, :stop]))
    return jnp.concatenate(found, axis=1)


@jax.checkpoint
def _one_block(query, keys, values, mask):
    flat = query.reshape(-1, query.shape[-1])
    scores = jnp.dot(flat, keys.T, preferred_element_type=jnp.float32).reshape(*query.shape[:2], -1)
    scores = jnp.where(mask, scores, jnp.finfo(scores.dtype).min)
    weights = jnp.exp(scores - jax.lax.stop_gradient(scores.max(axis=-1, keepdims=True)))
    found = jnp.dot(weights.reshape(len(flat), -1).astype(values.dtype), values).reshape(query.shape)
    return (found / weights.sum(axis=-1, keepdims=True)).astype(query.dtype)
