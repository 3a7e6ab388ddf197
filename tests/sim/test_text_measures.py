"""Likeness and diversity of texts, on texts where they are known."""

import sys

import numpy as np
import pytest
from crossfeed.sim.lm.data.tasks import accuracy
from crossfeed.sim.text_measures import Embedding, distinct_n, similarity, vendi_score

from crossfeed.errors import InvalidInput

TEXTS = ["the cat sat on the mat", "water boils at a hundred degrees", "six apples cost nine dollars", ""]


@pytest.fixture(scope="module")
def embedding() -> Embedding:
    return Embedding("builtin", TEXTS)


def test_embeddings_are_unit_vectors_that_follow_spelling(embedding):
    vectors = embedding([*TEXTS, "the cats sat on the mats"])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), [1, 1, 1, 0, 1])
    likeness = vectors @ vectors[-1]
    assert likeness[0] > 0.6 > 0.3 > likeness[1]


def test_similarity_is_the_mean_cosine_of_the_same_item(embedding):
    own = embedding(TEXTS)
    found = similarity(np.stack([own, own, own[[0, 2, 1, 3]]]))
    np.testing.assert_allclose(np.diag(found), 1)
    np.testing.assert_allclose(found[0, 1], 1)
    np.testing.assert_allclose(found[0, 2], (1 + 2 * own[1] @ own[2] + 1) / 4)


def test_vendi_score_counts_different_texts():
    unit = np.eye(5)
    assert vendi_score(unit) == pytest.approx(5)
    assert vendi_score(unit[[0, 0, 0]]) == pytest.approx(1)
    assert vendi_score(unit[[0, 0, 1, 1]]) == pytest.approx(2)


def test_texts_without_words_are_one_text_to_the_vendi_score():
    assert vendi_score(np.zeros((5, 3))) == pytest.approx(1)
    assert vendi_score(np.vstack([np.zeros((2, 3)), np.eye(3)[[0, 0]]])) == pytest.approx(2)


def test_distinct_n():
    assert distinct_n(["a b a b"], 1) == pytest.approx(0.5)
    assert distinct_n(["a b a b", "a b"], 2) == pytest.approx(2 / 4)
    assert np.isnan(distinct_n(["a"], 2))


def test_accuracy():
    assert accuracy([" yes", " no"], [" Yes.", " yes"]) == 0.5


def test_an_embedding_that_is_not_installed_is_refused(monkeypatch):
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(InvalidInput, match="sentence-transformers is not installed"):
        Embedding("all-MiniLM-L6-v2", TEXTS)
