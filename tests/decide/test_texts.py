"""Homogenization of given texts, on texts where it is known."""

import json

import numpy as np
import pytest
from crossfeed.decide import Written, compare_texts, read_written

from crossfeed.errors import InvalidInput

RNG = np.random.default_rng(0)
CATS = ["cat", "kitten", "whisker", "purr", "paw", "tail", "fur", "mouse", "nap", "claw"]
RATES = ["bank", "rate", "bond", "yield", "loan", "price", "debt", "market", "share", "tax"]


def texts(words, count, prompts=None, generation=None):
    drawn = [" ".join(RNG.choice(words, 12)) for _ in range(count)]
    return [Written(text, None if prompts is None else prompts[i], generation) for i, text in enumerate(drawn)]


def test_one_source_in_two_halves_is_as_alike_as_shuffled_sources():
    found = compare_texts([texts(CATS, 150), texts(CATS, 150), texts(RATES, 150)], texts(CATS, 100))
    assert not found.paired
    assert found.interval[0, 1, 0] < found.baseline[0, 1] < found.interval[0, 1, 1]
    assert found.interval[0, 2, 1] < found.baseline[0, 2]  # different topics are less alike than shuffled
    np.testing.assert_array_equal(found.similarity, found.similarity.T)
    assert found.distance is not None
    assert found.distance_interval is not None
    assert found.distance_interval[0, 0] <= 0.005  # the same writers as the reference
    assert found.distance_interval[2, 0] > 0.3
    assert np.isnan(found.slope)


def test_similarity_is_the_mean_cosine_over_all_pairs():
    sources = [texts(CATS, 5), texts(CATS + RATES, 4)]
    found = compare_texts(sources)
    from crossfeed.sim.text_measures import Embedding

    embedding = Embedding("builtin", [item.text for items in sources for item in items])
    left, right = (embedding([item.text for item in items]) for items in sources)
    np.testing.assert_allclose(found.similarity[0, 1], (left @ right.T).mean(), rtol=1e-12)
    own = left @ left.T
    np.testing.assert_allclose(found.similarity[0, 0], (own.sum() - np.trace(own)) / 20, rtol=1e-12)
    both = np.vstack([left, right])
    np.testing.assert_allclose(found.baseline[0, 1], ((both @ both.T).sum() - 9) / 72, rtol=1e-12)


def test_answers_to_the_same_prompt_are_paired_in_any_order():
    prompts = [f"question {i}" for i in range(40)]
    own = [Written(" ".join([CATS[i % 10], RATES[i // 4]]), prompts[i]) for i in range(40)]
    found = compare_texts([own, own[::-1]])
    assert found.paired
    np.testing.assert_allclose(found.similarity[0, 1], 1)
    assert found.baseline[0, 1] < 0.5
    assert found.baseline[0, 1] == pytest.approx(found.similarity[0, 0])


def test_sources_that_copy_each_other_more_and_more_have_a_trend():
    def generation(t):
        own, other = texts(CATS, 60, None, t), texts(RATES, 60, None, t)
        copied = own[: 20 * t] + other[20 * t :]
        return own, [Written(item.text, None, t) for item in copied]

    pairs = [generation(t) for t in range(4)]
    found = compare_texts([[item for pair in pairs for item in pair[side]] for side in (0, 1)])
    assert found.generations == (0, 1, 2, 3)
    assert (np.diff(found.by_generation) > 0).all()
    assert found.slope_interval[0] > 0
    still = compare_texts([[item for t in range(4) for item in texts(CATS, 60, None, t)] for _ in range(2)])
    assert still.slope_interval[0] < 0 < still.slope_interval[1]


def test_diversity_is_compared_at_equal_length():
    long, short = [Written("a b c d " * 50)] * 4, [Written("a b c d")] * 4
    found = compare_texts([long, short])
    assert found.words == 16
    np.testing.assert_allclose(found.distinct, [[4 / 16, 4 / 15, 4 / 14], [4 / 16, 3 / 12, 2 / 8]])
    np.testing.assert_allclose(found.vendi, 1, atol=1e-9)


def test_records_are_read_and_bad_ones_refused(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('"plain"\n' + json.dumps({"question": "q", "answer": "x", "generation": 2}) + "\n")
    assert read_written(path) == [Written("plain"), Written("x", "q", 2)]
    for bad, sentence in (('{"prompt": "q"}', "line 1 holds no text"), ('{"text": "a", "generation": "two"}', "whole")):
        path.write_text(bad)
        with pytest.raises(InvalidInput, match=sentence):
            read_written(path)
    with pytest.raises(InvalidInput, match="at least two sources"):
        compare_texts([[Written("a")] * 3])
    with pytest.raises(InvalidInput, match="source 2 has 1 text,"):
        compare_texts([[Written("a")] * 3, [Written("a")]])
    assert not compare_texts([[Written("a", "1"), Written("b", "2")], [Written("a", "3"), Written("b", "4")]]).paired
