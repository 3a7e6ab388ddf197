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
from crossfeed.sim.lm.run.inputs import Inputs, make_tokenizer, read_inputs
from crossfeed.sim.lm.study.study import Study
from crossfeed.sim.lm.train.population import Population
from crossfeed.sim.text_measures import Embedding, coordinates, distinct_n, similarity, vendi_score
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


def test_a_new_tokenizer_has_the_size_that_the_study_asks_for(study, inputs):
    assert inputs.tokenizer.size == study.vocabulary == 512
    assert make_tokenizer(replace(study, vocabulary=300), inputs.material, {}).size == 300


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

    def generate_text(self, prompts, settings, longest, key, report):
        return self._written


def test_measures_are_those_of_the_texts_of_their_entity_and_dataset(study, inputs):
    """Every entity and dataset has texts of its own, so that exchanged axes show."""
    measurer = Measurer(study, inputs.corpus, inputs.tokenizer)
    sizes = measurer.sizes
    shape = (sizes.entity, sizes.dataset, sizes.item)
    assert (shape[0], shape[1], measurer.empty()["distinct"].shape[-1]) == (2, 3, 3)
    words = np.random.default_rng(0).integers(0, 20, (*shape, 12))
    few = np.arange(1, 7).reshape(2, 3, 1, 1) * 3  # different words: 3 to 18
    texts = [[[" ".join(f"word{w}" for w in text) for text in one] for one in own] for own in words % few]
    references = [
        inputs.tokenizer.decode(own.select([i]).tokens[own.prompts[i] :])
        for own in (*inputs.corpus.tests, inputs.corpus.public_test)
        for i in range(sizes.item)
    ]
    writers = Writers([[text for one in own for text in one] for own in texts], inputs)
    found = measurer.texts(writers, jax.random.key(0), lambda what, tokens: None)
    embed = Embedding("builtin", references)
    for m in range(sizes.dataset):
        embedded = np.stack([embed(texts[k][m]) for k in range(sizes.entity)])
        np.testing.assert_allclose(found["similarity"][m], similarity(embedded), rtol=1e-6)
        drawn = coordinates(embedded.reshape(-1, embedded.shape[-1])).reshape(*embedded.shape[:2], -1)
        for k in range(sizes.entity):
            assert found["vendi"][k, m] == pytest.approx(vendi_score(embedded[k]), rel=1e-6)
            assert found["distinct"][k, m].tolist() == [distinct_n(texts[k][m], n) for n in (1, 2, 3)]
            np.testing.assert_allclose(found["coordinates"][k, m], drawn[k], rtol=1e-4, atol=1e-6)
    for name in ("similarity", "vendi", "distinct", "coordinates"):
        assert found[name].shape == measurer.empty()[name].shape[1:]


def test_as_many_prompts_are_completed_as_asked_in_the_generations_asked(study, inputs):
    for asked, had in ((1, 1), (2, 2), (99, 2)):  # there are only two passages of public text
        measures = replace(study.measures, text_items=asked, text_every=3)
        measurer = Measurer(replace(study, measures=measures, generations=8), inputs.corpus, inputs.tokenizer)
        assert measurer.sizes.item == had
    assert [generation for generation in range(9) if measurer.generates_text(generation)] == [0, 3, 6, 8]


def test_who_writes_the_references_is_right(study, inputs):
    measurer = Measurer(study, inputs.corpus, inputs.tokenizer)
    items = measurer.sizes.item
    assert items > 1
    right = [text for own in inputs.corpus.references for text in own[:items]] + ["some public text"] * items
    wrong = [*right[1:items], right[0], *right[items:]]
    found = measurer.texts(Writers([right, wrong], inputs), jax.random.key(0), lambda what, tokens: None)
    assert len(set(right[:items])) == items
    np.testing.assert_array_equal(found["accuracy"], [[1, 1], [0, 1]])
