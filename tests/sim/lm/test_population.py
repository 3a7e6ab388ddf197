"""What a population generates: each text from its own prompt, up to its own end of the context."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from crossfeed.sim.lm.data.tokenizer import train_tokenizer
from crossfeed.sim.lm.model.config import llama_config, opt_config
from crossfeed.sim.lm.model.transformer import Transformer
from crossfeed.sim.lm.study.study import PoolSettings
from crossfeed.sim.lm.train.population import Population, check_finite
from flax import nnx

from crossfeed.errors import CrossfeedError

CONTEXT = 40
SETTINGS = PoolSettings(new_tokens=24, temperature=1.0)


@pytest.fixture(scope="module", params=["learned", "rotary"])
def population(request) -> Population:
    sizes: dict[str, Any] = {
        "vocabulary": 260,
        "hidden": 8,
        "layers": 1,
        "heads": 2,
        "feed_forward": 8,
        "context": CONTEXT,
    }
    config = opt_config(**sizes) if request.param == "learned" else llama_config(**sizes)
    return Population.of([Transformer(config, rngs=nnx.Rngs(0))], train_tokenizer(["some text"], 260))


def generate(population: Population, prompts: list[np.ndarray]) -> list[list[int]]:
    (generated,) = population.generate([prompts], SETTINGS, CONTEXT, jax.random.key(1), lambda what, tokens: None)
    return [text.tolist() for text in generated]


def test_a_long_neighbor_takes_no_room_from_a_completion(population):
    short, long = np.arange(1, 6, dtype=np.int32), np.arange(1, 36, dtype=np.int32)
    (alone,) = generate(population, [short])
    beside, other = generate(population, [short, long])
    assert len(alone) == 5 + SETTINGS.new_tokens  # nothing that ends a text was drawn
    assert beside == alone
    assert other[:35] == long.tolist()
    assert len(other) == CONTEXT
    assert max(other) < 260


@pytest.mark.parametrize("settings", [{"temperature": 0.0}, {"top_p": 1e-6}])
def test_the_likeliest_tokens_are_those_of_the_logits(settings, population):
    prompt = np.arange(1, 6, dtype=np.int32)
    plain = PoolSettings(new_tokens=12, **settings)
    ((found,),) = population.generate([[prompt]], plain, CONTEXT, jax.random.key(1), lambda what, tokens: None)
    logits = jax.jit(lambda model, tokens: model(tokens))(population.model(0), jnp.asarray(found[None]))[0]
    np.testing.assert_array_equal(found[5:], logits[4:-1].argmax(-1))


def test_reported_tokens_are_those_generated(population):
    heard = []
    prompts = [np.arange(1, 6, dtype=np.int32), np.arange(1, 36, dtype=np.int32)]
    population.generate([prompts], SETTINGS, CONTEXT, jax.random.key(1), lambda what, tokens: heard.append(tokens))
    assert heard == [SETTINGS.new_tokens + CONTEXT - 35]


def config(width: int):
    return llama_config(vocabulary=260, hidden=width, layers=1, heads=2, feed_forward=8, context=CONTEXT)


def test_every_completion_is_sampled_independently():
    """For every entity, size of model, place among the prompts, and key.

    All tokens are equally likely under these models, so that equal random numbers would give equal texts.
    """
    models = [jax.tree.map(jnp.zeros_like, Transformer(config(width), rngs=nnx.Rngs(0))) for width in (8, 8, 16)]
    uniform = Population.of(models, train_tokenizer(["some text"], 260))
    prompts, settings = [[np.arange(1, 4, dtype=np.int32)] * 80] * 3, PoolSettings(new_tokens=6)
    texts = [
        tuple(text.tolist())
        for key in (1, 2)
        for own in uniform.generate(prompts, settings, CONTEXT, jax.random.key(key), lambda what, tokens: None)
        for text in own
    ]
    assert len(set(texts)) >= len(texts) - 3  # a few end at once


def test_models_of_different_sizes_generate_as_each_alone():
    models = [Transformer(config(width), rngs=nnx.Rngs(number)) for number, width in enumerate((8, 16, 8))]
    louder = [jax.tree.map(lambda leaf: leaf * 20 if leaf.ndim > 1 else leaf, model) for model in models]
    tokenizer, greedy = train_tokenizer(["some text"], 260), PoolSettings(new_tokens=12, temperature=0.0)
    prompts = [[np.arange(first, first + 4, dtype=np.int32)] for first in (1, 30, 60)]

    def generate_greedily(models, prompts):
        population = Population.of(models, tokenizer)
        return population.generate(prompts, greedy, CONTEXT, jax.random.key(0), lambda what, tokens: None)

    together = [own[0].tolist() for own in generate_greedily(louder, prompts)]
    for text, model, own in zip(together, louder, prompts, strict=True):
        assert text == generate_greedily([model], [own])[0][0].tolist()
    assert len({tuple(text[4:]) for text in together}) == 3


def test_a_loss_that_is_not_finite_before_training_is_no_matter_of_the_learning_rate():
    losses = np.array([[1.0, 2.0], [np.nan, np.nan]])
    with pytest.raises(CrossfeedError, match="here: the loss of entity 2 is not finite even before the first step"):
        check_finite(losses, "here", of_steps=True)
    for measured, of_steps in ((losses[:, ::-1], False), (np.array([[1.0, np.inf]]), True)):
        with pytest.raises(CrossfeedError, match="is not finite; lower the learning rate"):
            check_finite(measured, "here", of_steps)
