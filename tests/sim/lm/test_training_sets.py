"""Training sets: weights as asked, only texts that are read are generated, and prompts come from where they should."""

from dataclasses import replace
from itertools import count

import numpy as np
import pytest
from crossfeed.sim.lm import parse_study
from crossfeed.sim.lm.data.texts import Texts
from crossfeed.sim.lm.exchange.prompts import draw_prompts
from crossfeed.sim.lm.exchange.sources import SOURCES
from crossfeed.sim.lm.exchange.training_sets import draw_texts, generate_texts_read, pack_training_sets
from crossfeed.sim.lm.study.corpus import Corpus

STUDY = parse_study("""
[study]
alpha = [0.5]
beta = [0.5]
generations = 4
samples = 4000
[[entity]]
task = "science"
[[entity]]
task = "arithmetic"
[[entity]]
task = "arithmetic:work"
[training]
steps = 5
batch = 4
length = 32
[pool]
new_tokens = 8
shares = [0.5, 0.25, 0.25]
""")
_END, _NUMBERED = 9, 10_000


def source(first: int, count: int, length: int) -> Texts:
    """Texts whose tokens tell which source they belong to."""
    return Texts.join([np.full(length, first) for _ in range(count)], [3] * count)


CORPUS = Corpus(
    names=("a", "b", "c"),
    private=(source(100, 50, 10), source(200, 60, 11), source(300, 70, 12)),
    public=source(400, 80, 16),
    fresh=source(500, 40, 7),
    all_private=source(600, 180, 10),
    tests=(),
    public_test=source(0, 1, 5),
    references=(),
    fitting=(1.0, 1.0, 1.0),
    tests_too_long=(0, 0, 0),
)


def parts(alpha: float, beta: float, study=STUDY) -> np.ndarray:
    published = draw_prompts(study, CORPUS, seed=1, generation=2)
    draws = draw_texts(study, CORPUS, published, alpha, beta, seed=1, generation=2)
    return np.array([np.bincount(draw.source, minlength=6) for draw in draws]) / study.samples


@pytest.mark.parametrize(("alpha", "beta"), [(0.0, 1.0), (0.3, 0.6), (1.0, 0.5)])
def test_weights_of_the_draw(alpha, beta):
    pooled = alpha * STUDY.shares
    expected = np.array([(1 - alpha) * beta, (1 - alpha) * (1 - beta), 0, *pooled])
    error = np.sqrt(expected * (1 - expected) / STUDY.samples)
    assert (abs(parts(alpha, beta) - expected) <= 4.5 * error).all()


def test_fresh_human_text_replaces_its_part_and_is_never_seen_twice():
    study = replace(STUDY, pool=replace(STUDY.pool, fresh=0.5))
    found = parts(0.8, 0.5, study).mean(axis=0)
    assert found[2] == pytest.approx(0.4, abs=0.03)
    assert found[3:].sum() == pytest.approx(0.4, abs=0.03)
    seen = [
        {
            i
            for d in draw_texts(study, CORPUS, draw_prompts(study, CORPUS, 1, t), 0.8, 0.5, 1, t)
            for i in d.index[d.source == 2].tolist()
        }
        for t in (1, 2, 3, 4)
    ]
    assert all(not a & b for n, a in enumerate(seen) for b in seen[:n])
    assert set.union(*seen) <= set(range(40))


def run(study, alpha: float, beta: float, completion: int = 4):
    """Training sets, what is published, and the texts that were generated, as entity and number.

    The first token after a prompt says which text it is: `_NUMBERED` an entity, and the number; the others say whose it is.
    """
    published = draw_prompts(study, CORPUS, seed=0, generation=1)
    draws = draw_texts(study, CORPUS, published, alpha, beta, seed=0, generation=1)
    generated, rounds = set(), count()

    def complete(indices, round_number):
        assert round_number == next(rounds)  # or rounds would repeat their random numbers
        generated.update((k, int(i)) for k, own in enumerate(indices) for i in own)
        return [
            [
                np.concatenate(
                    [published[k].prompt(i), [_NUMBERED * (k + 1) + i], np.full(completion - 1, 10 + k), [_END]]
                )
                for i in own
            ]
            for k, own in enumerate(indices)
        ]

    generate_texts_read(draws, published, study.training, complete)
    return pack_training_sets(study, draws, seed=0, generation=1), published, generated


def test_without_synthetic_weight_nothing_is_generated():
    sets, _, generated = run(STUDY, 0.0, 1.0)
    assert not generated
    for first, own in zip((100, 200, 300), sets, strict=True):
        assert set(np.unique(own.rows.tokens)) <= {0, first}
        assert own.tokens[SOURCES.index("private")] == (own.rows.segments > 0).sum()


@pytest.mark.parametrize("completion", [1, 4, 20])
def test_only_what_is_read_is_generated_and_rows_are_full(completion):
    sets, published, generated = run(STUDY, 1.0, 0.5, completion)
    numbers = np.concatenate([one.rows.tokens[one.rows.tokens >= _NUMBERED] for one in sets])
    read = {(int(number) // _NUMBERED - 1, int(number) % _NUMBERED) for number in numbers}
    assert read <= generated
    room = STUDY.training.steps * STUDY.training.batch * STUDY.training.length
    for own in sets:
        assert own.tokens[SOURCES.index("synthetic")] == (own.rows.segments > 0).sum() > 0.7 * room
    # Where completions turn out longer than the first round took them for, fewer find room than were generated.
    assert len(generated - read) <= (0.7 if completion == 20 else 0.05) * len(generated)
    assert [one.generated.sum() for one in published] == [sum(k == own for k, _ in generated) for own in range(3)]


def test_the_loss_counts_the_completion_of_what_has_a_prompt():
    whole, _, _ = run(STUDY, 1.0, 0.5)
    only, _, _ = run(replace(STUDY, training=replace(STUDY.training, loss="completion")), 1.0, 0.5)
    for a, b in zip(whole, only, strict=True):
        of_completions = b.rows.tokens[b.rows.counted]
        assert set(np.unique(of_completions[of_completions < _NUMBERED])) == {_END, 10, 11, 12}
        assert a.counted > b.counted == b.rows.counted.sum()


def test_the_loss_counts_public_text_whole():
    whole, _, _ = run(STUDY, 0.0, 0.0)
    only, _, _ = run(replace(STUDY, training=replace(STUDY.training, loss="completion")), 0.0, 0.0)
    for a, b in zip(whole, only, strict=True):
        assert b.counted == a.counted == (a.rows.tokens == 400).sum() * 15 / 16


@pytest.mark.parametrize(
    ("prompts", "expected"),
    [("own", (100, 200, 300)), ("other", (200, 300, 100)), ("common", (600,) * 3), ("public", (400,) * 3)],
)
def test_prompts_come_from_where_they_should(prompts, expected):
    published = draw_prompts(replace(STUDY, pool=replace(STUDY.pool, prompts=prompts)), CORPUS, seed=3, generation=1)
    assert tuple(int(own.prompt(0)[0]) for own in published) == expected
    assert all(len(own.prompt(0)) == 3 for own in published)


def test_common_prompts_are_the_same_ones():
    study = replace(STUDY, pool=replace(STUDY.pool, prompts="common"))
    varied = replace(CORPUS, all_private=Texts.join([np.full(5, i) for i in range(180)], [3] * 180))
    first, *others = draw_prompts(study, varied, seed=3, generation=1)
    for other in others:
        assert [int(first.prompt(i)[0]) for i in range(50)] == [int(other.prompt(i)[0]) for i in range(50)]


NUMBERED = Texts.join([np.full(6, number) for number in range(60)], [3] * 60)
EQUAL_SOURCES = replace(CORPUS, private=(NUMBERED,) * 3, public=NUMBERED, all_private=NUMBERED)
"""All sources hold the same texts, so that draws from one random stream are equal."""
CHANCE = 4.5
"""Standard errors within which estimates stay by chance: 20 comparisons leave them for one seed in 7,000."""


@pytest.mark.parametrize("apart", ["entity", "generation", "seed"])
def test_draws_are_independent(apart):
    """Two draws agree as often as chance makes them."""

    def draw(entity: int = 0, generation: int = 2, seed: int = 1):
        published = draw_prompts(STUDY, EQUAL_SOURCES, seed, generation)
        return draw_texts(STUDY, EQUAL_SOURCES, published, 0.5, 0.5, seed, generation)[entity]

    first, second = draw(), draw(**{apart: {"entity": 1, "generation": 3, "seed": 2}[apart]})
    weights = np.array([0.25, 0.25, *0.5 * STUDY.shares])
    expected = (weights**2).sum()
    agree = first.source == second.source
    assert abs(agree.mean() - expected) < CHANCE * np.sqrt(expected * (1 - expected) / STUDY.samples)
    same_text = (first.index == second.index)[agree & (first.source < 2)]  # private or public
    assert abs(same_text.mean() - 1 / 60) < CHANCE * np.sqrt(1 / 60 / len(same_text))


def prompt_numbers(prompts: str = "own", entity: int = 0, seed: int = 1, generation: int = 1) -> np.ndarray:
    """Which text of the source each prompt of an entity comes from."""
    study = replace(STUDY, pool=replace(STUDY.pool, prompts=prompts))
    published = draw_prompts(study, EQUAL_SOURCES, seed, generation)[entity]
    return np.array([published.prompt(i)[0] for i in range(study.samples)])


@pytest.mark.parametrize("prompts", ["own", "other", "public", "common"])
def test_prompts_are_independent(prompts):
    """Except that entities have common prompts where the study says so."""
    first = prompt_numbers(prompts)
    apart = [{"seed": 2}, {"generation": 2}, *([] if prompts == "common" else [{"entity": 1}, {"entity": 2}])]
    for changed in apart:
        same_prompt = (first == prompt_numbers(prompts, **changed)).mean()
        assert abs(same_prompt - 1 / 60) < CHANCE * np.sqrt(1 / 60 / STUDY.samples), changed


def test_prompts_are_independent_of_the_texts_drawn_for_training():
    """From one stream NumPy would make each fraction of 64 bits, and two whole numbers."""
    published = draw_prompts(STUDY, EQUAL_SOURCES, 1, 1)
    draw, numbers = draw_texts(STUDY, EQUAL_SOURCES, published, 0.5, 0.5, 1, 1)[0], prompt_numbers()
    half = STUDY.samples // 2
    for aligned in (numbers[:half], numbers[::2], numbers[1::2]):
        assert abs(np.corrcoef(draw.source[:half], aligned)[0, 1]) < CHANCE / np.sqrt(half)


def test_rows_are_shuffled_over_the_steps():
    """Segments number the texts as they were drawn, and rows are filled one after the other."""
    study = replace(STUDY, training=replace(STUDY.training, steps=50, batch=8))
    draws = draw_texts(study, CORPUS, draw_prompts(study, CORPUS, 1, 1), 0.0, 1.0, seed=1, generation=1)

    def first_texts(seed: int, generation: int) -> np.ndarray:
        return pack_training_sets(study, draws, seed, generation)[0].rows.segments[:, 0]

    orders = [first_texts(1, 1), first_texts(1, 2), first_texts(2, 1)]
    unshuffled = np.sort(orders[0])
    assert all((np.sort(order) == unshuffled).all() for order in orders)
    correlations = np.corrcoef([unshuffled, *orders])[np.triu_indices(4, 1)]
    assert abs(correlations).max() < CHANCE / np.sqrt(study.training.rows)
