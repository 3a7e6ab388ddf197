"""Scaled dot-product attention with grouped heads.

On CPU, the scores of all heads together are far larger than the caches, and repeated passes over them take most of the time
of a small model. There, rows and heads are computed one after another, in blocks of queries that see only the keys before
them, and the backward pass recomputes the scores. A single query, as in generation, multiplies and sums elementwise: its
matrix products are too small to be worth the calls. On accelerators it is JAX's own attention.
"""

from collections.abc import Callable
from math import gcd

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

_BLOCK = 64
"""Queries per block: smaller blocks skip more masked keys, but each block is compiled by itself."""

LANES = 16
"""float32 numbers per vector register (AVX-512): sums and maxima are fastest over a multiple of this many slots."""


def attend(
    query: Float[Array, "batch length heads head_size"],
    keys: Float[Array, "batch kv_heads slots head_size"],
    values: Float[Array, "batch kv_heads slots head_size"],
    mask: Bool[Array, "batch length slots"],
    causal: bool,
) -> Float[Array, "batch length heads head_size"]:
    """Attention output of each query: the values, weighted by the softmax of its scaled scores.

    Args:
        query: queries; head h attends to the keys of head h // (heads / kv_heads).
        keys: keys, of as many heads or fewer.
        values: values, shaped as the keys.
        mask: whether a query may attend to a slot.
        causal: promise that slot j is masked for every query before the j-th, so that it need not be read.
    """
    if jax.default_backend() != "cpu":
        keys, values = keys.swapaxes(1, 2), values.swapaxes(1, 2)
        return jax.nn.dot_product_attention(query, keys, values, mask=mask[:, None])
    batch, length, heads, head_size = query.shape
    kv_heads = keys.shape[1]
    grouped = (query * head_size**-0.5).reshape(batch, length, kv_heads, heads // kv_heads, head_size)
    if length == 1:
        return _one_query(grouped[:, 0], keys, values, mask[:, 0]).reshape(query.shape)

    def one_row(row: tuple[Array, Array, Array, Array]) -> Float[Array, "kv_heads group length head_size"]:
        *heads, row_mask = row
        return jax.lax.map(lambda head: _one_head(head, row_mask, causal), tuple(heads))

    output = jax.lax.map(one_row, (grouped.transpose(0, 2, 3, 1, 4), keys, values, mask))
    return output.transpose(0, 3, 1, 2, 4).reshape(query.shape)


def attend_filled(
    query: Float[Array, "batch 1 heads head_size"],
    held: Callable[[int], tuple[Array, Array]],
    mask: Bool[Array, "batch 1 slots"],
    filled: int | Int[Array, ""],
) -> Float[Array, "batch 1 heads head_size"]:
    """`attend` for a single query, which on CPU reads only those quarters of the cache that have filled slots.

    Args:
        query: the query of each row.
        held: function from a number of slots to the keys and values of the first slots, that many.
        mask: whether the query may attend to a slot.
        filled: number of filled slots; all later ones are masked.
    """
    slots = mask.shape[-1]
    if jax.default_backend() != "cpu":
        return attend(query, *held(slots), mask, causal=False)
    bounds = sorted({min(-(-slots * quarters // (4 * LANES)) * LANES, slots) for quarters in range(1, 5)})
    branches = [lambda end=end: attend(query, *held(end), mask[..., :end], causal=False) for end in bounds]
    return jax.lax.switch((jnp.array(bounds, jnp.int32) < filled).sum(), branches)


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
    blocks = []
    for start in range(0, query.shape[1], _BLOCK):
        stop = min(start + _BLOCK, query.shape[1])
        blocks.append(_one_block(query[:, start:stop], keys[:stop], values[:stop], mask[start:stop, :stop]))
    return jnp.concatenate(blocks, axis=1)


def _one_query(
    query: Float[Array, "batch kv_heads group head_size"],
    keys: Float[Array, "batch kv_heads slots head_size"],
    values: Float[Array, "batch kv_heads slots head_size"],
    mask: Bool[Array, "batch slots"],
) -> Float[Array, "batch kv_heads group head_size"]:
    keys, values = keys.swapaxes(-1, -2), values.swapaxes(-1, -2)  # the layout of the cache
    scores = (query[..., None] * keys[:, :, None]).sum(axis=-2, dtype=jnp.float32)
    weights, _ = _exponentials(scores, mask[:, None, None])
    sums = _side_by_side(jnp.sum, weights[:, :, :, None] * values[:, :, None].astype(weights.dtype))[..., 0]
    return (sums / _side_by_side(jnp.sum, weights)).astype(query.dtype)


@jax.custom_vjp
def _one_block(
    query: Float[Array, "group length head_size"],
    keys: Float[Array, "slots head_size"],
    values: Float[Array, "slots head_size"],
    mask: Bool[Array, "length slots"],
) -> Float[Array, "group length head_size"]:
    return _forward(query, keys, values, mask)[0]


_Residuals = tuple[Array, Array, Array, Array, Array, Array, Array]
"""Query, keys, values, mask, output, highest score of each query, and sum of its weights."""


def _forward(query: Array, keys: Array, values: Array, mask: Array) -> tuple[Array, _Residuals]:
    weights, peak = _exponentials(_scores(query, keys), mask[None])
    total = _side_by_side(jnp.sum, weights)
    output = (jnp.dot(weights.astype(values.dtype), values).astype(total.dtype) / total).astype(query.dtype)
    return output, (query, keys, values, mask, output, peak, total)


def _backward(saved: _Residuals, cotangent: Array) -> tuple[Array, Array, Array, None]:
    query, keys, values, mask, output, peak, total = saved
    weights, _ = _exponentials(_scores(query, keys), mask[None], peak)
    # Dividing the cotangent, not the weights, takes far fewer divisions.
    cotangent = (cotangent.astype(total.dtype) / total).astype(query.dtype)
    along = (cotangent * output).sum(axis=-1, keepdims=True, dtype=jnp.float32)
    of_scores = (weights * (_scores(cotangent, values) - along)).astype(query.dtype)
    of_keys = _sum_of_products(query, of_scores)
    of_values = _sum_of_products(cotangent, weights.astype(query.dtype))
    return jnp.dot(of_scores, keys), of_keys.astype(keys.dtype), of_values.astype(values.dtype), None


_one_block.defvjp(_forward, _backward)


def _scores(query: Array, keys: Array) -> Array:
    return jnp.dot(query, keys.T, preferred_element_type=jnp.float32)


def _exponentials(scores: Array, mask: Array, peak: Array | None = None) -> tuple[Array, Array]:
    """Unnormalized weights, relative to the highest score of each query, and these scores."""
    scores = jnp.where(mask, scores, jnp.finfo(scores.dtype).min)
    peak = _side_by_side(jnp.max, scores) if peak is None else peak
    return jnp.exp(scores - peak), peak


def _side_by_side(reduce: Callable[..., Array], values: Float[Array, "*rest slots"]) -> Float[Array, "*rest 1"]:
    """`reduce` along the last axis, vectorized.

    XLA for CPU reduces the last axis one number after another. Here many parts of the axis are reduced side by side; the
    barrier keeps XLA from merging them back into that loop.
    """
    lanes = gcd(values.shape[-1], LANES)
    parts = reduce(values.reshape(*values.shape[:-1], -1, lanes), axis=-2)
    return reduce(jax.lax.optimization_barrier(parts), axis=-1, keepdims=True)


def _sum_of_products(
    vectors: Float[Array, "group length head_size"], weights: Float[Array, "group length slots"]
) -> Float[Array, "slots head_size"]:
    """Weighted sum of the vectors, for each slot.

    The barrier keeps the narrow matrix on the left. XLA would swap the operands, and transposing the wide one costs as much
    as everything else.
    """
    product = jnp.einsum("glh,gls->hs", vectors, weights, preferred_element_type=jnp.float32)
    return jax.lax.optimization_barrier(product).T
