"""Which of several completions is published."""

from dataclasses import replace

import jax
import numpy as np
import pytest
from crossfeed.sim.lm import parse_study
from crossfeed.sim.lm.data.tasks import answer_of
from crossfeed.sim.lm.data.texts import Texts, pack_all
from crossfeed.sim.lm.data.tokenizer import train_tokenizer
from crossfeed.sim.lm.exchange.curation import best_candidates, likelihoods, make_completer
from crossfeed.sim.lm.exchange.pool import Published
from crossfeed.sim.lm.model.config import llama_config
from crossfeed.sim.lm.model.transformer import Transformer
from crossfeed.sim.lm.train.population import Population
from flax import nnx

STUDY = parse_study("""
[study]
alpha = [1]
beta = [0.5]
[[entity]]
task = "science"
[[entity]]
task = "arithmetic"
[training]
length = 32
[pool]
new_tokens = 8
candidates = 5
""")
LIKELY = np.array([[-1.0, -9.0, -3.0], [-5.0, -2.0, -2.0], [-2.0, -3.0, -1.0]])
"""Of three candidates for each of three prompts."""


def test_the_likeliest_is_best_where_answers_are_not_judged_or_all_wrong():
    assert best_candidates(LIKELY, np.zeros((3, 3), bool)).tolist() == [0, 1, 2]


def test_a_right_answer_is_best_however_unlikely_and_the_likeliest_of_several():
    right = np.array([[False, True, True], [True, False, True], [False, False, False]])
    assert best_candidates(LIKELY, right).tolist() == [1, 0, 1]
    assert best_candidates(LIKELY * 1e9, right).tolist() == [1, 0, 1]


@pytest.fixture(scope="module")
def writers() -> Population:
    sizes = llama_config(vocabulary=260, hidden=16, layers=1, heads=2, feed_forward=16, context=64)
    models = [Transformer(sizes, rngs=nnx.Rngs(i)) for i in range(2)]
    louder = [jax.tree.map(lambda leaf: leaf * 4 if leaf.ndim > 1 else leaf, model) for model in models]
    return Population.of(louder, train_tokenizer(["some text"], 260))


def test_likelihoods_are_means_over_the_completion_under_its_own_writer(writers):
    random = np.random.default_rng(0)
    # So many texts for one entity and so few for the other that rows are added to one of them.
    texts = [
        Texts.join([random.integers(0, 260, size) for size in sizes], [3] * len(sizes))
        for sizes in ([9, 14, 30, 21], [12])
    ]
    found = likelihoods(writers, texts, 32)
    assert [len(own) for own in found] == [4, 1]
    for k, own in enumerate(texts):
        for i in range(len(own)):
            rows = pack_all(own.select([i]), 32)
            expected = -writers.losses(rows)[k].sum() / (len(own[i]) - 3)
            assert found[k][i] == pytest.approx(expected, rel=1e-4)


def write(writers: Population, published: list[Published], **pool) -> list[list[np.ndarray]]:
    study = replace(STUDY, pool=replace(STUDY.pool, **pool))
    complete = make_completer(writers, study, published, jax.random.key(0), lambda what, tokens: None)
    return complete([np.arange(8)] * 2)


def test_the_judge_decides_what_is_published(writers):
    prompts = np.random.default_rng(1).integers(1, 260, (8, 4)).astype(np.int32)
    shelf = lambda texts: Published(Texts.join(texts, [4] * 8), np.arange(8), 8, 32)  # noqa: E731
    one = write(writers, [shelf(list(prompts))] * 2, candidates=1)
    # The first candidate's texts are made the references, so that it is right and the others, as a rule, wrong.
    published = [shelf(texts) for texts in one]
    right = write(writers, published, judge="answer")
    likely = write(writers, published, judge="likelihood")
    joined = lambda texts: [Texts.join(own, [4] * 8) for own in texts]  # noqa: E731
    scores = [np.stack(likelihoods(writers, joined(texts), 32)) for texts in (one, right, likely)]
    judged = 0
    for k in range(2):
        for i in range(8):
            answers = [answer_of(writers.tokenizer.decode(texts[k][i][4:].tolist())) for texts in (one, right, likely)]
            if answers[0]:
                assert answers[0] == answers[1]
                judged += answers[1] != answers[2]
    assert judged >= 4
    assert (scores[2] >= scores[0] - 1e-6).all()
    assert (scores[2] >= scores[1] - 1e-6).all()
    assert (scores[2] > scores[0] + 0.1).sum() >= 8
