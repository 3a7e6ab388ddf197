"""What a population generates: each text from its own prompt, up to its own end of the context."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from crossfeed.sim.lm.data.tokenizer import train_tokenizer
from crossfeed.sim.lm.model.config import llama_config, opt_config
from crossfeed.sim.lm.model.transformer import Transformer
from crossfeed.sim.lm.study.study import PoolSettings
from crossfeed.sim.lm.train.population import Population
from flax import nnx

CONTEXT = 40
SETTINGS = PoolSettings(new_tokens=24, temperature=1.0)


@pytest.fixture(scope="module", params=["learned", "rotary"])
def population(request) -> Population:
    sizes = {"vocabulary": 260, "hidden": 8, "layers": 1, "heads": 2, "feed_forward": 8, "context": CONTEXT}
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
