"""Mixture weights: the maximum of a concave likelihood, intervals that cover, and shares of texts of known sources."""

import numpy as np
import pytest
from crossfeed.decide import NGramModel, corpus_shares, mixture_weights
from scipy.optimize import minimize

from crossfeed.errors import InvalidInput


def test_weights_maximize_the_likelihood():
    logs = np.random.default_rng(0).normal(size=(300, 3)) * 2
    found = mixture_weights(logs)
    loss = lambda free: -np.log(np.exp(logs) @ (np.exp(free) / np.exp(free).sum())).mean()  # noqa: E731
    best = minimize(loss, np.zeros(3), tol=1e-12)
    np.testing.assert_allclose(found.weights, np.exp(best.x) / np.exp(best.x).sum(), atol=1e-4)
    assert found.log_likelihood == pytest.approx(-best.fun, abs=1e-8)


def test_a_source_that_wrote_nothing_gets_nothing():
    logs = np.log([[0.5, 0.4, 0.01]] * 5 + [[0.1, 0.6, 0.02]] * 5)
    assert mixture_weights(logs).weights[2] < 1e-6
    assert mixture_weights(np.array([[0.0, -np.inf]] * 4)).weights.tolist() == [1.0, 0.0]


def test_intervals_cover():
    """Categories with known probabilities per source: 95 % intervals hold the true share in about 95 % of 100 corpora."""
    rng = np.random.default_rng(1)
    sources, truth = np.array([[0.6, 0.3, 0.1], [0.1, 0.4, 0.5]]), np.array([0.3, 0.7])
    held = 0
    for _ in range(100):
        texts = rng.choice(3, 200, p=truth @ sources)
        low, high = mixture_weights(np.log(sources[:, texts].T)).interval[0]
        held += low <= truth[0] <= high
    assert 88 <= held <= 100


def test_shares_of_texts_of_known_sources():
    rng = np.random.default_rng(2)
    topics = ("cat kitten whisker purr paw tail fur mouse", "bank rate bond yield loan price debt tax")
    words = [topic.split() for topic in topics]
    write = lambda kind, count: [" ".join(rng.choice([*words[kind], "the", "of"], 8)) for _ in range(count)]  # noqa: E731
    found = corpus_shares([write(0, 60), write(1, 60)], write(0, 30) + write(1, 90))
    np.testing.assert_allclose(found.weights, [0.25, 0.75], atol=0.01)


def test_probabilities_of_the_next_character_sum_to_at_most_one():
    model = NGramModel(["abracadabra"])
    seen = sum(np.exp(model.log_likelihood("abra" + c) - model.log_likelihood("abra")) for c in "abcdr")
    assert 0.9 < seen < 1


def test_bad_input_is_refused():
    for wrong, sentence in (
        (np.zeros((0, 2)), "must have shape"),
        (np.array([[0.0, np.nan]]), r"log_likelihoods\[0, 1\] is nan"),
        (np.array([[0.0, 0.0], [-np.inf, -np.inf]]), "no source can have written text 1"),
    ):
        with pytest.raises(InvalidInput, match=sentence):
            mixture_weights(wrong)
    with pytest.raises(InvalidInput, match="at least two sources"):
        corpus_shares([["a"]], ["a"])
    with pytest.raises(InvalidInput, match="needs texts"):
        corpus_shares([["a"], []], ["a"])
    with pytest.raises(InvalidInput, match="holds no text"):
        corpus_shares([["a"], ["b"]], [])
