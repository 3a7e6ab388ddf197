"""Which of several completions is published."""

from dataclasses import replace
from functools import partial

import jax
import numpy as np
import pytest
from crossfeed.sim.lm import parse_study
from crossfeed.sim.lm.data.tasks import answer_of
from crossfeed.sim.lm.data.texts import Texts, pack_all
from crossfeed.sim.lm.data.tokenizer import train_tokenizer
from crossfeed.sim.lm.exchange.curation import best_candidates, best_completions, completion_likelihoods
from crossfeed.sim.lm.exchange.published import PublishedTexts
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
def authors() -> Population:
    sizes = llama_config(vocabulary=260, hidden=16, layers=1, heads=2, feed_forward=16, context=64)
    models = [Transformer(sizes, rngs=nnx.Rngs(i)) for i in range(2)]
    louder = [jax.tree.map(lambda leaf: leaf * 4 if leaf.ndim > 1 else leaf, model) for model in models]
    return Population.of(louder, train_tokenizer(["some text"], 260))


def test_likelihoods_are_means_over_the_completion_under_its_own_author(authors):
    random = np.random.default_rng(0)
    # So many texts for one entity and so few for the other that rows are added to one of them.
    texts = [
        Texts.join([random.integers(0, 260, size) for size in sizes], [3] * len(sizes))
        for sizes in ([9, 14, 30, 21], [12])
    ]
    found = completion_likelihoods(authors, texts, 32)
    assert [len(own) for own in found] == [4, 1]
    for k, own in enumerate(texts):
        for i in range(len(own)):
            rows = pack_all(own.select([i]), 32)
            expected = -authors.losses(rows)[k].sum() / (len(own[i]) - 3)
            assert found[k][i] == pytest.approx(expected, rel=1e-4)


def generate(
    authors: Population, published: list[PublishedTexts], counts: tuple[int, int] = (8, 8), **pool
) -> list[list[np.ndarray]]:
    study = replace(STUDY, pool=replace(STUDY.pool, **pool))
    indices = [np.arange(count) for count in counts]
    return best_completions(authors, study, published, jax.random.key(0), lambda what, tokens: None, indices, 0)


def publishing(texts: list[np.ndarray]) -> PublishedTexts:
    """Prompts of four tokens, of texts that hold the references."""
    return PublishedTexts(Texts.join(texts, [4] * 8), np.arange(8), 8, 32)


def joined(texts: list[list[np.ndarray]]) -> list[Texts]:
    return [Texts.join(own, [4] * len(own)) for own in texts]


def test_the_judge_decides_what_is_published(authors):
    prompts = np.random.default_rng(1).integers(1, 260, (8, 4)).astype(np.int32)
    one = generate(authors, [publishing(list(prompts))] * 2, candidates=1)
    # The first candidate's texts are made the references, so that it is right and the others, as a rule, wrong.
    published = [publishing(texts) for texts in one]
    right = generate(authors, published, judge="answer")
    likely = generate(authors, published, judge="likelihood")
    scores = [np.stack(completion_likelihoods(authors, joined(texts), 32)) for texts in (one, right, likely)]
    judged = 0
    for k in range(2):
        for i in range(8):
            answers = [answer_of(authors.tokenizer.decode(texts[k][i][4:].tolist())) for texts in (one, right, likely)]
            if answers[0]:
                assert answers[0] == answers[1]
                judged += answers[1] != answers[2]
    assert judged >= 4
    assert (scores[2] >= scores[0] - 1e-6).all()
    assert (scores[2] >= scores[1] - 1e-6).all()
    assert (scores[2] > scores[0] + 0.1).sum() >= 8


@pytest.mark.parametrize("judge", ["answer", "likelihood"])
def test_an_entity_that_has_nothing_to_generate_changes_nothing_for_the_other(judge, authors):
    prompts = list(np.random.default_rng(1).integers(1, 260, (8, 4)).astype(np.int32))
    published = [publishing(prompts)] * 2
    alone = generate(authors, published, (8, 0), judge=judge)
    both = generate(authors, published, judge=judge)
    assert [len(own) for own in alone] == [8, 0]
    assert all(np.array_equal(a, b) for a, b in zip(alone[0], both[0], strict=True))


def test_every_round_samples_anew(authors):
    """Completions of one prompt in two rounds all differ."""
    prompts = PublishedTexts(Texts.join([np.arange(1, 5)], [4]), np.zeros(8, np.int64), 8, 32)
    study = replace(STUDY, pool=replace(STUDY.pool, candidates=1))
    complete = partial(best_completions, authors, study, [prompts] * 2, jax.random.key(0), lambda what, tokens: None)
    rounds = [complete([np.arange(8)] * 2, round_number) for round_number in (0, 1)]
    texts = [text.tobytes() for generated in rounds for own in generated for text in own]
    assert len(set(texts)) == len(texts) == 2 * 2 * 8
