"""Completions: of each row by itself, by the law that temperature and top_p define."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from crossfeed.sim.lm.model.config import TransformerConfig, llama_config
from crossfeed.sim.lm.model.generate import complete
from crossfeed.sim.lm.model.placement import select
from crossfeed.sim.lm.model.transformer import Transformer
from flax import nnx

from crossfeed.errors import InvalidInput

VOCABULARY = 11
CONFIG = llama_config(vocabulary=VOCABULARY, hidden=12, layers=2, heads=3, feed_forward=20, context=40)
NONE = VOCABULARY
PROMPTS = jnp.array([[[3, 1, 4, 1], [5, 9, 0, 0]], [[2, 6, 5, 0], [8, 0, 0, 0]]])
LENGTHS = jnp.array([[4, 2], [3, 1]])


def make(config: TransformerConfig) -> Transformer:
    """Two models whose parameters are large enough to matter."""
    made = jax.vmap(lambda key: Transformer(config, rngs=nnx.Rngs(key)))(jax.random.split(jax.random.key(0), 2))
    return jax.tree.map(lambda leaf: leaf * 10 if leaf.ndim > 2 else leaf, made)


@pytest.fixture(scope="module")
def models():
    return make(CONFIG)


def keys(*shape: int) -> jax.Array:
    return jax.random.split(jax.random.key(7), shape)


def test_a_row_depends_on_its_own_prompt_and_key_alone(models):
    settings = {"new_tokens": 12, "stop": NONE, "temperature": 1.3, "top_p": 0.9}
    together = complete(models, PROMPTS, LENGTHS, keys(2, 2), **settings)
    alone = complete(
        jax.tree.map(lambda leaf: leaf[1:], models),
        jnp.array([[[8, 7, 7, 7, 7, 7]]]),  # more padding, of another token
        jnp.array([[1]]),
        keys(2, 2)[1:, 1:],
        **settings,
    )
    assert alone[0, 0].tolist() == together[1, 1].tolist()
    assert len({tuple(row) for row in together.reshape(4, -1).tolist()}) == 4


def test_nothing_but_stop_follows_stop(models):
    free = complete(models, PROMPTS, LENGTHS, keys(2, 2), new_tokens=12, stop=NONE)
    stop = int(free[0, 0, 3])
    stopped = complete(models, PROMPTS, LENGTHS, keys(2, 2), new_tokens=12, stop=stop)
    for before, after in zip(free.reshape(4, -1).tolist(), stopped.reshape(4, -1).tolist(), strict=True):
        cut = before.index(stop) if stop in before else len(before)
        assert after == before[:cut] + [stop] * (len(before) - cut)


def test_populations_generate_together_as_each_by_itself(models):
    """Under `jax.vmap` the loop goes on until the last has ended; here the first has nothing to generate."""
    both = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf[::-1]]), models)
    lengths = jnp.stack([jnp.zeros_like(LENGTHS), LENGTHS])
    stop = int(complete(models, PROMPTS, LENGTHS, keys(2, 2), new_tokens=12, stop=NONE)[0, 0, 3])
    generate = partial(complete, new_tokens=12, stop=stop)
    together = jax.vmap(generate, (0, None, 0, None))(both, PROMPTS, lengths, keys(2, 2))
    assert (together[0] == stop).all()
    assert together[1].tolist() == generate(select(both, 1), PROMPTS, LENGTHS, keys(2, 2)).tolist()


def test_a_place_without_a_prompt_stays_empty_and_changes_no_other(models):
    generated = complete(models, PROMPTS, LENGTHS.at[0, 1].set(0), keys(2, 2), new_tokens=12, stop=NONE)
    expected = complete(models, PROMPTS, LENGTHS, keys(2, 2), new_tokens=12, stop=NONE)
    assert generated.tolist() == expected.at[0, 1].set(NONE).tolist()


@pytest.mark.parametrize("vocabulary", [VOCABULARY, 150])
def test_sampling_follows_the_softmax_of_the_most_likely_tokens(vocabulary):
    """Also where probabilities are summed in several blocks, as those of 150 tokens are."""
    rows, temperature, top_p = 4000, 1.7, 0.7
    first = jax.tree.map(lambda leaf: leaf[:1], make(replace(CONFIG, vocabulary=vocabulary)))
    prompt = PROMPTS[:1, :1]
    generated = complete(
        first,
        jnp.repeat(prompt, rows, axis=1),
        jnp.full((1, rows), 4),
        keys(1, rows),
        new_tokens=1,
        stop=vocabulary,
        temperature=temperature,
        top_p=top_p,
    )
    logits = jax.tree.map(lambda leaf: leaf[0], first)(prompt[0])[0, -1]
    law = np.asarray(jax.nn.softmax(logits / temperature))
    order = np.argsort(-law)
    kept = order[: 1 + int(np.searchsorted(np.cumsum(law[order]), top_p))]
    assert 2 < len(kept) < vocabulary  # or top_p would not be tested
    law = np.where(np.isin(np.arange(vocabulary), kept), law, 0)
    law /= law.sum()
    counts = np.bincount(np.asarray(generated).ravel(), minlength=vocabulary)
    assert counts[law == 0].sum() == 0
    z = (counts - rows * law)[law > 0] / np.sqrt(rows * law * (1 - law))[law > 0]
    assert abs(z).max() < 4.5  # at most 161 comparisons: a false alarm in 1,000 runs; the key is fixed
    uniform = (counts - rows / len(kept))[law > 0] / np.sqrt(rows / len(kept))
    assert abs(uniform).max() > 4.5  # the test tells laws apart


def test_tokens_are_sampled_independently_of_those_before(models):
    """All tokens are equally likely under these models, so that they show the random numbers."""
    rows = 1000
    uniform = jax.tree.map(jnp.zeros_like, models)
    prompts = jnp.ones((2, rows, 1), int)
    written = complete(uniform, prompts, prompts[..., 0], keys(2, rows), new_tokens=5, stop=NONE)
    correlations = np.corrcoef(np.moveaxis(written, -1, 1).reshape(-1, rows))[np.triu_indices(10, 1)]
    assert abs(correlations).max() * np.sqrt(rows) < 4.5  # of 45: a false alarm for one key in 3,000


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"temperature": -1.0}, "temperature is -1.0, but must not be negative"),
        ({"top_p": 0.0}, "top_p is 0.0, but must be above 0 and at most 1"),
        ({"new_tokens": 37}, "41 tokens long, but the model's context is 40"),
    ],
)
def test_impossible_settings_are_named(models, settings, message):
    with pytest.raises(InvalidInput, match=message):
        complete(models, PROMPTS, LENGTHS, keys(2, 2), **{"new_tokens": 5, "stop": NONE} | settings)
