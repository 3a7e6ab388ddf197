"""What any decoder must do: see the past only, remember it in a cache, keep documents and models apart."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from crossfeed.sim.lm.model.config import TransformerConfig, llama_config, opt_config
from crossfeed.sim.lm.model.transformer import Transformer, empty_cache
from flax import nnx

from crossfeed.errors import InvalidInput

# Odd and different sizes: swapped axes cannot pass.
LLAMA = llama_config(vocabulary=53, hidden=20, layers=3, heads=6, feed_forward=28, context=300, kv_heads=3, head_size=4)
OPT = opt_config(
    vocabulary=53, hidden=20, layers=3, heads=5, feed_forward=28, context=300, word_embedding=12, norm_first=False
)


def make(config: TransformerConfig, seed: int = 0) -> Transformer:
    """A model with parameters large enough to matter."""
    model = jax.jit(lambda: Transformer(config, rngs=nnx.Rngs(seed)))()
    return jax.tree.map(lambda leaf: leaf * 8 if leaf.ndim > 2 else leaf, model)


def tokens(*shape: int) -> jax.Array:
    return jax.random.randint(jax.random.key(1), shape, 0, 53, jnp.int32)


@jax.jit
def logits(model, tokens, segments=None):
    return model(tokens, segments)


@pytest.fixture(scope="module", params=[LLAMA, OPT], ids=["llama", "opt"])
def model(request):
    return make(request.param)


def test_logits_depend_on_no_later_token(model):
    length, at = 7, 4
    text = jnp.arange(length, dtype=jnp.int32)[None]  # no token twice, so that its embedding stands for it

    weights = jax.random.normal(jax.random.key(2), (20,), jnp.float32)  # a plain sum of LayerNorm's output is constant

    def logit(table):
        changed = nnx.clone(model)
        changed.embedding.embedding[...] = table
        return changed.hidden(text)[0, at] @ weights

    reach = np.abs(jax.jit(jax.grad(logit))(model.embedding.embedding[...]))[:length].max(axis=1)
    assert (reach[: at + 1] > 0).all()
    assert (reach[at + 1 :] == 0).all()


def test_long_sequences_are_causal_across_blocks(model):
    text = tokens(1, 290)
    changed = text.at[0, 200].add(1) % 53
    before, after = logits(model, text)[0], logits(model, changed)[0]
    change = abs(before - after).max(axis=-1) / abs(before).max()
    assert change[:200].max() < 1e-5
    assert change[200] > 1e-2
    assert change[256:].max() > 1e-4  # the next block sees it


def test_documents_of_a_row_do_not_see_each_other(model):
    first, second = tokens(1, 5), tokens(2, 6)[1:]
    row = jnp.concatenate([jnp.zeros((1, 2), jnp.int32), first, second, jnp.zeros((1, 3), jnp.int32)], axis=1)
    segments = jnp.array([[0] * 2 + [1] * 5 + [2] * 6 + [0] * 3])
    together = logits(model, row, segments)
    np.testing.assert_allclose(together[:, 2:7], logits(model, first), atol=1e-5)
    np.testing.assert_allclose(together[:, 7:13], logits(model, second), atol=1e-5)


def test_reading_step_by_step_equals_reading_at_once(model):
    """A prompt padded on the left or on the right, then one token after another."""
    text = tokens(2, 9)
    whole = logits(model, text)
    first = jax.jit(lambda model, tokens, mask: model.step(tokens, empty_cache(model.config, 2, 11), 0, mask))
    step = jax.jit(lambda model, tokens, cache, start: model.step(tokens, cache, start))
    for padded, mask in (
        (jnp.pad(text[:, :5], ((0, 0), (2, 0))), [[False] * 2 + [True] * 5] * 2),
        (jnp.pad(text[:, :5], ((0, 0), (0, 2))), [[True] * 5 + [False] * 2] * 2),
    ):
        mask = jnp.array(mask)
        got, cache = first(model, padded, mask)
        np.testing.assert_allclose(got[mask].reshape(2, 5, -1), whole[:, :5], atol=1e-5)
        for at in range(5, 9):
            got, cache = step(model, text[:, at : at + 1], cache, jnp.int32(at + 2))
            np.testing.assert_allclose(got[:, 0], whole[:, at], atol=1e-5)


def test_a_population_is_its_models(model):
    other = make(model.config, seed=5)
    population = jax.tree.map(lambda *leaves: jnp.stack(leaves), model, other)
    text = tokens(2, 3, 6)

    def loss(model, text):
        return jax.nn.logsumexp(model(text), axis=-1).sum()

    gradients = jax.jit(jax.vmap(jax.grad(loss)))(population, text)
    alone = jax.jit(jax.grad(loss))
    for k, member in enumerate((model, other)):
        jax.tree.map(
            lambda got, want, k=k: np.testing.assert_allclose(got[k], want, rtol=1e-3, atol=1e-3),
            gradients,
            alone(member, text[k]),
        )


@pytest.mark.long
def test_recomputation_changes_memory_only(model):
    again = make(replace(model.config, remat=True))
    gradient = jax.jit(jax.grad(lambda model: logits(model, tokens(2, 200)).std()))
    kept, less = (gradient.lower(each).compile().memory_analysis() for each in (model, again))
    assert kept is not None
    assert less is not None
    assert less.temp_size_in_bytes < 0.8 * kept.temp_size_in_bytes
    pairs = zip(jax.tree.leaves(gradient(model)), jax.tree.leaves(gradient(again)), strict=True)
    assert all(np.allclose(a, b, atol=1e-6) for a, b in pairs)


def test_bfloat16_is_close_to_float32(model):
    rough = make(replace(model.config, dtype="bfloat16"))
    exact, got = logits(model, tokens(2, 9)), logits(rough, tokens(2, 9))
    assert got.dtype == jnp.float32
    gap = jnp.sqrt(jnp.mean((exact - got) ** 2) / jnp.mean(exact**2))
    assert 1e-4 < gap < 0.05


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kv_heads": 4}, "heads is 6, but must be a multiple of kv_heads, 4"),
        ({"layers": 0}, "layers is 0, but must be a positive whole number"),
        ({"head_size": 5}, "head_size is 5, but rotary positions need an even one"),
    ],
)
def test_impossible_configurations_are_named(change, message):
    with pytest.raises(InvalidInput, match=message):
        replace(LLAMA, **change)


def test_too_long_a_sequence_is_refused(model):
    with pytest.raises(InvalidInput, match="301 tokens long, but the model's context is 300"):
        model(tokens(1, 301))
