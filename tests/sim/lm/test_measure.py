"""What a study reads and measures: nothing twice, and each measure against its definition."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from crossfeed.sim.lm import parse_study
from crossfeed.sim.lm.data.texts import Texts
from crossfeed.sim.lm.evaluation.measure import Measurer, completion_losses
from crossfeed.sim.lm.model.config import llama_config
from crossfeed.sim.lm.model.transformer import Transformer
from crossfeed.sim.lm.run.inputs import Inputs, read_inputs
from crossfeed.sim.lm.study.study import Study
from crossfeed.sim.lm.train.population import Population
from flax import nnx

from .tiny_study import TINY, write_texts


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Study:
    folder = tmp_path_factory.mktemp("text")
    write_texts(folder)
    return parse_study(TINY.replace("[pool]", "[pool]\nfresh = 0.2"), folder=folder)


@pytest.fixture(scope="module")
def inputs(study) -> Inputs:
    return read_inputs(study)


def contents(texts: Texts) -> set[bytes]:
    return {texts[i].tobytes() for i in range(len(texts))}


def test_fresh_text_and_tests_are_not_trained_on(study, inputs):
    corpus = inputs.corpus
    private, fresh = contents(corpus.all_private), contents(corpus.fresh)
    tests = set.union(*map(contents, corpus.tests))
    assert min(map(len, (private, fresh, tests))) > 0
    for one, other in ((private, fresh), (private, tests), (fresh, tests)):
        assert not one & other
    plain = replace(study, pool=replace(study.pool, fresh=0.0))
    assert contents(read_inputs(plain).corpus.all_private) == private | fresh


def test_the_loss_of_a_dataset_is_the_mean_over_its_completions_tokens(inputs):
    config = llama_config(vocabulary=inputs.tokenizer.size, hidden=8, layers=1, heads=2, feed_forward=8, context=128)
    population = Population.of([Transformer(config, rngs=nnx.Rngs(i)) for i in range(2)], inputs.tokenizer)
    datasets = [inputs.corpus.tests[0], inputs.corpus.tests[1].select(range(3))]
    found = completion_losses(population, datasets, 128)
    scores = jax.jit(lambda model, tokens: jax.nn.log_softmax(model(tokens)))
    for k in range(2):
        for m, texts in enumerate(datasets):
            losses = []
            for i in range(len(texts)):
                alone = np.pad(texts[i], (0, 128 - len(texts[i])))  # what comes after a text does not change it
                logits = np.asarray(scores(population.model(k), jnp.asarray(alone[None])))[0]
                losses += [-logits[at - 1, texts[i][at]] for at in range(texts.prompts[i], len(texts[i]))]
            assert found[k, m] == pytest.approx(np.mean(losses), rel=1e-5)


class Writers(Population):
    """Entities that write these texts, whatever the prompts."""

    def __init__(self, written: list[list[str]], inputs: Inputs):
        super().__init__([], inputs.tokenizer)
        self._written = written

    def generate_text(self, *asked):
        return self._written


def test_who_writes_the_references_is_right(study, inputs):
    measurer = Measurer(study, inputs.corpus, inputs.tokenizer)
    items = measurer.sizes.item
    assert items > 1
    right = [text for own in inputs.corpus.references for text in own[:items]] + ["some public text"] * items
    wrong = [*right[1:items], right[0], *right[items:]]
    found = measurer.texts(Writers([right, wrong], inputs), jax.random.key(0), lambda what, tokens: None)
    assert len(set(right[:items])) == items
    np.testing.assert_array_equal(found["accuracy"], [[1, 1], [0, 1]])
