"""Text generation by a population: one compiled program that loops over tokens, with a key-value cache."""

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from crossfeed.errors import InvalidInput

from .placement import each_entity
from .transformer import Cache, Transformer, empty_cache

_BLOCK = 64
"""Probabilities that one row of a matrix product sums."""


_State = tuple[
    Int[Array, ""],
    Float[Array, "batch vocabulary"],
    Cache,
    Int[Array, "batch new"],
    Bool[Array, " batch"],
]
"""State of generation: the step, logits of the next token, the cache, tokens generated so far, and which rows have ended."""


@partial(jax.jit, static_argnames=("new_tokens", "temperature", "top_p", "stop"))
def complete(
    models: Transformer,
    tokens: Int[Array, "entity batch prompt"],
    lengths: Int[Array, "entity batch"],
    keys: Key[Array, "entity batch"],
    *,
    new_tokens: int,
    stop: int,
    temperature: float = 1.0,
    top_p: float = 1.0,
) -> Int[Array, "entity batch {new_tokens}"]:
    """Completions of prompts by each model of a population, which run until all have generated `stop`.

    A row depends on its own prompt and key only, up to rounding: not on the other rows, nor on the padding.

    Args:
        models: a population: every parameter has a leading entity axis.
        tokens: prompts, padded on the right.
        lengths: number of tokens of each prompt; where it is 0 there is no prompt, and the completion is `stop` throughout.
        keys: random key of each row.
        new_tokens: greatest number of tokens of a completion.
        stop: end token, which fills a completion after it first occurs.
        temperature: divisor of the logits; 0 selects the likeliest token.
        top_p: nucleus sampling: only the likeliest tokens whose probabilities reach this sum are sampled; in (0, 1].

    Raises:
        InvalidInput: a setting outside its range, or a prompt and completion longer than the model's context.
    """
    if not temperature >= 0:
        raise InvalidInput(f"temperature is {temperature}, but must not be negative")
    if not 0 < top_p <= 1:
        raise InvalidInput(f"top_p is {top_p}, but must be above 0 and at most 1")
    if new_tokens < 1:
        raise InvalidInput(f"new_tokens is {new_tokens}, but must be at least 1")
    complete_one = partial(_complete, new_tokens=new_tokens, stop=stop, temperature=temperature, top_p=top_p)
    return each_entity(complete_one, models, tokens, lengths, keys)


def _complete(
    model: Transformer,
    tokens: Int[Array, "batch prompt"],
    lengths: Int[Array, " batch"],
    keys: Key[Array, " batch"],
    *,
    new_tokens: int,
    stop: int,
    temperature: float,
    top_p: float,
) -> Int[Array, "batch {new_tokens}"]:
    batch, prompt = tokens.shape
    begun = jnp.maximum(lengths, 1)
    read = jnp.arange(prompt, dtype=begun.dtype)[None] < begun[:, None]
    hidden, cache = model.read(tokens, empty_cache(model.config, batch, prompt + new_tokens), 0, read)
    last = jnp.take_along_axis(hidden, begun[:, None, None] - 1, axis=1)[:, 0]
    choose = jax.vmap(partial(_choose, temperature=temperature, top_p=top_p))
    uniforms = jax.vmap(jax.vmap(_uniform, (0, None)), (None, 0))(keys, jnp.arange(new_tokens, dtype=jnp.int32))

    def unfinished(state: _State) -> Bool[Array, ""]:
        step, _, _, _, ended = state
        return (step < new_tokens) & ~_all_ended(ended)

    def generate_token(state: _State) -> _State:
        step, logits, cache, generated, ended = state
        chosen = jnp.where(ended, stop, choose(logits, uniforms[step])).astype(generated.dtype)
        generated = jax.lax.dynamic_update_slice_in_dim(generated, chosen[:, None], step, axis=1)
        following, cache = model.step(chosen[:, None], cache, prompt + step)
        return step + 1, following[:, 0], cache, generated, ended | (chosen == stop)

    generated = jnp.full((batch, new_tokens), stop, tokens.dtype)
    state = (jnp.int32(0), model.head(last), cache, generated, lengths == 0)
    return jax.lax.while_loop(unfinished, generate_token, state)[3]


def _uniform(key: Key[Array, ""], step: Int[Array, ""]) -> Float[Array, ""]:
    return jax.random.uniform(jax.random.fold_in(key, step), dtype=jnp.float32)


@jax.custom_batching.custom_vmap
def _all_ended(ended: Bool[Array, " batch"]) -> Bool[Array, ""]:
    return ended.all()


@_all_ended.def_vmap
def _all_together(
    _count: int, _batched: list[bool], ended: Bool[Array, "entity batch"]
) -> tuple[Bool[Array, ""], bool]:
    """Whether all entities have ended: a condition for each would make the loop copy all caches in every step."""
    return _all_ended(ended.reshape(-1)), False


def _choose(
    logits: Float[Array, " vocabulary"], uniform: Float[Array, ""], temperature: float, top_p: float
) -> Int[Array, ""]:
    if temperature == 0:
        return jnp.argmax(logits)
    logits = logits / temperature
    if top_p < 1:
        ordered = jnp.sort(logits, descending=True)
        probabilities = jax.nn.softmax(ordered)
        kept = _running_sums(probabilities) - probabilities < top_p  # the first is always kept
        logits = jnp.where(logits < jnp.where(kept, ordered, jnp.inf).min(), -jnp.inf, logits)
    # Inverse transform sampling: `jax.random.categorical` would draw a random number for every token of the vocabulary.
    probabilities = jax.nn.softmax(logits)
    # By rounding, the sum may grow at an excluded token or fall at another. The former must never be chosen; the latter
    # changes the probabilities by rounding only.
    sums = jnp.where(probabilities > 0, _running_sums(probabilities), 0)
    return jnp.argmax(sums > uniform * sums.max())


def _running_sums(values: Float[Array, " count"]) -> Float[Array, " count"]:
    """Cumulative sums: sums within blocks by one matrix product, plus the sums of earlier blocks.

    For 512 probabilities this takes a tenth of the time of `jnp.cumsum` on CPU. The default precision of accelerators would
    round the sums.
    """
    blocks = jnp.pad(values, (0, -len(values) % _BLOCK)).reshape(-1, _BLOCK)
    triangle = jnp.triu(jnp.ones((_BLOCK, _BLOCK), values.dtype))
    within = jnp.dot(blocks, triangle, precision=jax.lax.Precision.HIGHEST)
    before = jnp.cumsum(within[:, -1]) - within[:, -1]
    return (before[:, None] + within).reshape(-1)[: len(values)]
