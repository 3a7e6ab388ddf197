"""Completions of a whole population at once: one compiled loop over tokens, with a cache of keys and values."""

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from ...theory.failures import InvalidInput
from .transformer import Transformer, empty_cache

_BLOCK = 64
"""Probabilities summed by one row of a matrix product."""


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
    """Each model completes its own prompts; the loop ends when all have written `stop`.

    A row depends on its own prompt and key only, up to rounding: not on the other rows, nor on the padding.

    Args:
        models: a population: every parameter has a leading entity axis.
        tokens: prompts, padded on the right.
        lengths: tokens of each prompt; 0 where a place holds none, and nothing but `stop` comes out.
        keys: one for each row.
        new_tokens: longest completion.
        stop: the token after which a completion holds nothing but `stop`.
        temperature: divides the logits; 0 takes the likeliest token.
        top_p: sample from the likeliest tokens whose probabilities reach this sum, in (0, 1].

    Raises:
        InvalidInput: a setting outside its range, or a prompt and completion longer than the model's context.
    """
    if not temperature >= 0:
        raise InvalidInput(f"temperature is {temperature}, but must not be negative")
    if not 0 < top_p <= 1:
        raise InvalidInput(f"top_p is {top_p}, but must be above 0 and at most 1")
    if new_tokens < 1:
        raise InvalidInput(f"new_tokens is {new_tokens}, but must be at least 1")
    entities, batch, prompt = tokens.shape
    cache = empty_cache(models.config, batch, prompt + new_tokens)
    begun = jnp.maximum(lengths, 1)
    read = jnp.arange(prompt) < begun[..., None]
    hidden, cache = jax.vmap(lambda model, new, mask: model.read(new, cache, 0, mask))(models, tokens, read)
    last = jnp.take_along_axis(hidden, begun[..., None, None] - 1, axis=2)[:, :, 0]
    choose = partial(_choose, temperature=temperature, top_p=top_p)

    def unfinished(state):
        step, _, _, _, ended = state
        return (step < new_tokens) & ~ended.all()

    def write(state):
        step, logits, cache, written, ended = state
        chosen = jax.vmap(jax.vmap(choose, (0, 0, None)), (0, 0, None))(logits, keys, step)
        chosen = jnp.where(ended, stop, chosen).astype(written.dtype)
        written = jax.lax.dynamic_update_slice_in_dim(written, chosen[..., None], step, axis=2)
        following, cache = jax.vmap(lambda model, new, cache: model.step(new, cache, prompt + step))(
            models, chosen[..., None], cache
        )
        return step + 1, following[:, :, 0], cache, written, ended | (chosen == stop)

    written = jnp.full((entities, batch, new_tokens), stop, tokens.dtype)
    first = jax.vmap(lambda model, hidden: model.head(hidden))(models, last)
    state = (jnp.int32(0), first, cache, written, lengths == 0)
    return jax.lax.while_loop(unfinished, write, state)[3]


def _choose(
    logits: Float[Array, " vocabulary"], key: Key[Array, ""], step: Int[Array, ""], temperature: float, top_p: float
) -> Int[Array, ""]:
    if temperature == 0:
        return jnp.argmax(logits)
    logits = logits / temperature
    if top_p < 1:
        ordered = jnp.sort(logits, descending=True)
        probabilities = jax.nn.softmax(ordered)
        kept = _running_sums(probabilities) - probabilities < top_p  # the first is always kept
        logits = jnp.where(logits < jnp.where(kept, ordered, jnp.inf).min(), -jnp.inf, logits)
    # One uniform number, not one for each token of the vocabulary as `jax.random.categorical` takes.
    uniform = jax.random.uniform(jax.random.fold_in(key, step), dtype=logits.dtype)
    probabilities = jax.nn.softmax(logits)
    # Rounding lets sums grow at excluded tokens and fall elsewhere: the former are never chosen, the latter shift little.
    sums = jnp.where(probabilities > 0, _running_sums(probabilities), 0)
    return jnp.argmax(sums > uniform * sums.max())


def _running_sums(values: Float[Array, " count"]) -> Float[Array, " count"]:
    """`jnp.cumsum`: sums within blocks by one matrix product, and those of the blocks before.

    For 512 probabilities it takes a tenth of the time on CPU. An accelerator's default precision would round the sums.
    """
    blocks = jnp.pad(values, (0, -len(values) % _BLOCK)).reshape(-1, _BLOCK)
    triangle = jnp.triu(jnp.ones((_BLOCK, _BLOCK), values.dtype))
    within = jnp.dot(blocks, triangle, precision=jax.lax.Precision.HIGHEST)
    before = jnp.cumsum(within[:, -1]) - within[:, -1]
    return (before[:, None] + within).reshape(-1)[: len(values)]
