"""A decoder-only transformer for two families: OPT (learned positions) and Llama (rotary positions).

A `Transformer` is a pytree, which `jax.jit`, `jax.grad` and `jax.vmap` accept directly. A population of K models is a
Transformer whose every parameter has a leading entity axis. The parameters of the layers are stacked too, and scanned over.
"""

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Bool, Float, Int

from crossfeed.errors import InvalidInput

from .attention import LANES, attend, attend_filled
from .config import TransformerConfig
from .matmul import linear_product, product
from .rotary import POSITION_OFFSET, positions_in_segments, rotate, rotation

_INITIAL_SCALE = 0.02

Rotation = tuple[Float[Array, "#batch length 1 pairs"], Float[Array, "#batch length 1 pairs"]]
"""Cosines and sines of rotary positions, from `rotation`."""


_KeysAndValues = tuple[Float[Array, "batch kv_heads slots head_size"], Float[Array, "batch kv_heads slots head_size"]]


class Cache(eqx.Module):
    """Key-value cache of the tokens read so far. All rows of a batch use the same slots.

    Slots are the last axis, which is fastest for a single query (see `attend`).

    Attributes:
        keys: keys after rotation.
        values: values.
        mask: whether a slot holds a token that later tokens may attend to.
    """

    keys: Float[Array, "layers batch kv_heads head_size slots"]
    values: Float[Array, "layers batch kv_heads head_size slots"]
    mask: Bool[Array, "batch slots"]


def empty_cache(config: TransformerConfig, batch: int, slots: int) -> Cache:
    """An empty cache with room for `slots` tokens per row, rounded up to a multiple of `LANES`.

    Raises:
        InvalidInput: more slots, before rounding, than the model has positions.
    """
    _check_length(config, slots)
    slots += -slots % LANES
    zeros = jnp.zeros((config.layers, batch, config.kv_heads, config.head_size, slots), config.dtype)
    return Cache(zeros, zeros, jnp.zeros((batch, slots), jnp.bool_))


class Attention(nnx.Module):
    """Attention with grouped keys and values, and rotary positions where the model has them."""

    def __init__(self, config: TransformerConfig, *, rngs: nnx.Rngs):
        linear = _linear(config, config.attention_bias, rngs)
        self.query = linear(config.hidden, config.heads * config.head_size)
        self.key = linear(config.hidden, config.kv_heads * config.head_size)
        self.value = linear(config.hidden, config.kv_heads * config.head_size)
        self.output = linear(config.heads * config.head_size, config.hidden)
        self.head_size = config.head_size

    def heads(
        self, x: Float[Array, "batch length hidden"], turn: Rotation | None
    ) -> tuple[
        Float[Array, "batch length heads head_size"],
        Float[Array, "batch kv_heads length head_size"],
        Float[Array, "batch kv_heads length head_size"],
    ]:
        """Queries [batch, length, heads, head_size], and keys and values [batch, kv_heads, length, head_size]."""
        query, key, value = (
            part(x).reshape(*x.shape[:2], -1, self.head_size) for part in (self.query, self.key, self.value)
        )
        if turn is not None:
            query, key = rotate(query, turn), rotate(key, turn)
        return query, key.swapaxes(1, 2), value.swapaxes(1, 2)

    def mix(self, attended: Float[Array, "batch length heads head_size"]) -> Float[Array, "batch length hidden"]:
        """Outputs of the heads, projected back to the residual stream."""
        return self.output(attended.reshape(*attended.shape[:2], -1))


class FeedForward(nnx.Module):
    """Feed-forward part: two projections with ReLU between them, or the three of SwiGLU."""

    def __init__(self, config: TransformerConfig, *, rngs: nnx.Rngs):
        linear = _linear(config, config.feed_forward_bias, rngs)
        self.gate = linear(config.hidden, config.feed_forward) if config.activation == "swiglu" else None
        self.up = linear(config.hidden, config.feed_forward)
        self.down = linear(config.feed_forward, config.hidden)

    def __call__(self, x: Float[Array, "batch length hidden"]) -> Float[Array, "batch length hidden"]:
        """Output at each position."""
        inner = jax.nn.relu(self.up(x)) if self.gate is None else _gated(self.gate(x), self.up(x))
        return self.down(inner)


@partial(jax.checkpoint, prevent_cse=False)  # safe within a scan
def _gated(
    gate: Float[Array, "batch length inner"], up: Float[Array, "batch length inner"]
) -> Float[Array, "batch length inner"]:
    """Product of SwiGLU; the backward pass recomputes the SiLU, which is cheaper than keeping it."""
    return jax.nn.silu(gate) * up


class Block(nnx.Module):
    """Block of the decoder: attention, then feed-forward, each added to the residual stream."""

    def __init__(self, config: TransformerConfig, *, rngs: nnx.Rngs):
        self.attention = Attention(config, rngs=rngs)
        self.attention_norm = _norm(config, rngs)
        self.feed_forward = FeedForward(config, rngs=rngs)
        self.feed_forward_norm = _norm(config, rngs)
        self.norm_first = config.norm_first

    def before_attention(self, x: Float[Array, "batch length hidden"]) -> Float[Array, "batch length hidden"]:
        """Input of the attention."""
        return _normalized(self.attention_norm, x) if self.norm_first else x

    def after_attention(
        self, x: Float[Array, "batch length hidden"], attended: Float[Array, "batch length hidden"]
    ) -> Float[Array, "batch length hidden"]:
        """Output of the block.

        Args:
            x: input of the block.
            attended: output of its attention.
        """
        if self.norm_first:
            x = x + attended
            return x + self.feed_forward(_normalized(self.feed_forward_norm, x))
        x = _normalized(self.attention_norm, x + attended)
        return _normalized(self.feed_forward_norm, x + self.feed_forward(x))

    def __call__(
        self, x: Float[Array, "batch length hidden"], turn: Rotation | None, mask: Bool[Array, "batch length length"]
    ) -> Float[Array, "batch length hidden"]:
        """Output of the block for whole sequences.

        Args:
            x: input of the block.
            turn: rotation of queries and keys, if the model has rotary positions.
            mask: whether a token may attend to another; it must be causal.
        """
        attended = attend(*self.attention.heads(self.before_attention(x), turn), mask, causal=True)
        return self.after_attention(x, self.attention.mix(attended))


class Transformer(nnx.Module):
    """A decoder, from token ids to logits of the next token.

    Args:
        config: sizes and choices.
        rngs: random keys of the initial parameters.
    """

    def __init__(self, config: TransformerConfig, *, rngs: nnx.Rngs):
        table = partial(
            nnx.Embed,
            embedding_init=nnx.initializers.normal(_INITIAL_SCALE),
            dtype=config.dtype,
            param_dtype=config.parameter_dtype,
            rngs=rngs,
        )
        linear = _linear(config, False, rngs)
        projected = config.word_embedding != config.hidden
        self.config = config
        self.embedding = table(config.vocabulary, config.word_embedding)
        learned = config.positions == "learned"
        self.position_embedding = table(config.context + POSITION_OFFSET, config.hidden) if learned else None
        self.project_in = linear(config.word_embedding, config.hidden) if projected else None
        self.project_out = linear(config.hidden, config.word_embedding) if projected else None
        self.final_norm = _norm(config, rngs) if config.final_norm else None
        self.output = None if config.tied_head else linear(config.hidden, config.vocabulary)

        @nnx.split_rngs(splits=config.layers)
        @nnx.vmap
        def stack(rngs: nnx.Rngs) -> Block:
            return Block(config, rngs=rngs)

        self.layers = stack(rngs)

    def __call__(
        self,
        tokens: Int[Array, "batch length"],
        segments: Int[Array, "batch length"] | Bool[Array, "batch length"] | None = None,
    ) -> Float[Array, "batch length vocabulary"]:
        """Logits of the next token, float32; those at token i depend on tokens 0 to i only.

        Args:
            tokens: token ids.
            segments: number of the document that each token belongs to (or True), and 0 (or False) at padding, on either side.
                Tokens attend to their own document only, and their positions count from its start. Without it, each row is
                one document.
        """
        return self.head(self.hidden(tokens, segments))

    def hidden(
        self,
        tokens: Int[Array, "batch length"],
        segments: Int[Array, "batch length"] | Bool[Array, "batch length"] | None = None,
    ) -> Float[Array, "batch length hidden"]:
        """Last hidden states, from which `head` computes logits. Arguments are those of `__call__`."""
        length = tokens.shape[1]
        _check_length(self.config, length)
        mask = jnp.broadcast_to(jnp.tril(jnp.ones((length, length), bool)), (len(tokens), length, length))
        if segments is None:
            positions = jnp.arange(length, dtype=jnp.int32)[None]
        else:
            segments = segments.astype(jnp.int32)
            positions = positions_in_segments(segments)
            mask &= (segments[:, :, None] == segments[:, None]) & (segments != 0)[:, None]
        turn = self._turn(positions)

        def apply(
            x: Float[Array, "batch length hidden"], block: Block
        ) -> tuple[Float[Array, "batch length hidden"], None]:
            return block(x, turn, mask), None

        x, _ = jax.lax.scan(
            jax.checkpoint(apply) if self.config.remat else apply, self._embed(tokens, positions), self.layers
        )
        return x if self.final_norm is None else _normalized(self.final_norm, x)

    def step(
        self,
        tokens: Int[Array, "batch length"],
        cache: Cache,
        start: int | Int[Array, ""],
        mask: Bool[Array, "batch length"] | None = None,
    ) -> tuple[Float[Array, "batch length vocabulary"], Cache]:
        """Logits of one or several more tokens, float32, and the cache with these tokens in it.

        Args:
            tokens: token ids.
            cache: cache of the tokens before.
            start: slot of the first of these tokens; the slots from there on must be free.
            mask: False at padding, whose logits are meaningless.
        """
        hidden, cache = self.read(tokens, cache, start, mask)
        return self.head(hidden), cache

    def read(
        self,
        tokens: Int[Array, "batch length"],
        cache: Cache,
        start: int | Int[Array, ""],
        mask: Bool[Array, "batch length"] | None = None,
    ) -> tuple[Float[Array, "batch length hidden"], Cache]:
        """Last hidden states of one or several more tokens, and the cache. Arguments are those of `step`."""
        new = jnp.ones(tokens.shape, bool) if mask is None else mask
        positions = (
            cache.mask.sum(axis=1, dtype=jnp.int32, keepdims=True) + jnp.cumsum(new, axis=1, dtype=jnp.int32) - 1
        )
        turn = self._turn(positions)
        length = tokens.shape[1]
        from_start = isinstance(start, int) and start == 0  # then slot i holds token i
        filled = jax.lax.dynamic_update_slice_in_dim(cache.mask, new, start, axis=1)
        slots, read = (jnp.arange(count, dtype=jnp.int32) for count in (filled.shape[1], length))
        visible = filled[:, None] & (slots[None, None] <= start + read[None, :, None])

        zero = jnp.int32(0)

        def apply(
            carry: tuple[Array, Array, Array], layer: tuple[Array, Block]
        ) -> tuple[tuple[Array, Array, Array], None]:
            x, keys, values = carry
            index, block = layer
            query, key, value = block.attention.heads(block.before_attention(x), turn)
            position = (index, zero, zero, zero, jnp.asarray(start, jnp.int32))
            keys = jax.lax.dynamic_update_slice(keys, key.swapaxes(-1, -2)[None], position)
            values = jax.lax.dynamic_update_slice(values, value.swapaxes(-1, -2)[None], position)

            def held(count: int) -> _KeysAndValues:
                return keys[index, ..., :count].swapaxes(-1, -2), values[index, ..., :count].swapaxes(-1, -2)

            if length == 1:
                attended = attend_filled(query, held, visible, start + 1)
            else:
                attended = attend(query, *held(visible.shape[-1]), visible, causal=from_start)
            return (block.after_attention(x, block.attention.mix(attended)), keys, values), None

        carry = (self._embed(tokens, positions), cache.keys, cache.values)
        (x, keys, values), _ = jax.lax.scan(
            apply, carry, (jnp.arange(self.config.layers, dtype=jnp.int32), self.layers)
        )
        return x if self.final_norm is None else _normalized(self.final_norm, x), Cache(keys, values, filled)

    def head(self, hidden: Float[Array, "*batch hidden"]) -> Float[Array, "*batch vocabulary"]:
        """Logits of last hidden states, float32."""
        if self.project_out is not None:
            hidden = self.project_out(hidden)
        table = self.embedding.embedding[...].T if self.output is None else self.output.kernel[...]
        return product(hidden, table.astype(hidden.dtype), jnp.float32)

    def _embed(
        self, tokens: Int[Array, "batch length"], positions: Int[Array, "#batch length"]
    ) -> Float[Array, "batch length hidden"]:
        x = self.embedding(tokens)
        if self.project_in is not None:
            x = self.project_in(x)
        return x if self.position_embedding is None else x + self.position_embedding(positions + POSITION_OFFSET)

    def _turn(self, positions: Int[Array, "#batch length"]) -> Rotation | None:
        return rotation(self.config, positions) if self.config.positions == "rotary" else None


def _linear(config: TransformerConfig, bias: bool, rngs: nnx.Rngs) -> Callable[[int, int], nnx.Linear]:
    return partial(
        nnx.Linear,
        use_bias=bias,
        kernel_init=nnx.initializers.normal(_INITIAL_SCALE),
        dtype=config.dtype,
        param_dtype=config.parameter_dtype,
        dot_general=linear_product,
        rngs=rngs,
    )


def _norm(config: TransformerConfig, rngs: nnx.Rngs) -> nnx.LayerNorm | nnx.RMSNorm:
    options: dict[str, Any] = {
        "epsilon": config.norm_epsilon,
        "use_fast_variance": False,  # E[x²] - E[x]² loses digits
        "dtype": config.dtype,
        "param_dtype": config.parameter_dtype,
        "rngs": rngs,
    }
    return (nnx.LayerNorm if config.norm == "layer" else nnx.RMSNorm)(config.hidden, **options)


def _normalized(
    norm: nnx.LayerNorm | nnx.RMSNorm, x: Float[Array, "batch length hidden"]
) -> Float[Array, "batch length hidden"]:
    with jax.numpy_dtype_promotion("standard"):  # Flax promotes half precision for the mean and the variance
        return norm(x)


def _check_length(config: TransformerConfig, length: int) -> None:
    if length > config.context:
        raise InvalidInput(f"a sequence is {length} tokens long, but the model's context is {config.context}")


def abstract_transformer(config: TransformerConfig) -> Transformer:
    """Transformer of this configuration with shapes and dtypes in the place of arrays."""
    return nnx.merge(*_structure(config), copy=True)


@lru_cache(maxsize=32)  # tracing the initial parameters takes tenths of a second
def _structure(config: TransformerConfig) -> tuple[Any, Any]:
    return nnx.split(nnx.eval_shape(lambda: Transformer(config, rngs=nnx.Rngs(0))))
