"""Rows packed with texts: every token once, in its place, and counted as asked."""

import numpy as np
import pytest
from crossfeed.sim.lm.data.texts import Texts, first_fit, pack, pack_all
from hypothesis import given
from hypothesis import strategies as st

pytestmark = pytest.mark.optimized

LENGTHS = st.lists(st.integers(1, 9), min_size=1, max_size=30)


def texts_of(lengths: list[int]) -> list[np.ndarray]:
    """Texts in which every token is another number."""
    ends = np.cumsum(lengths)
    return [np.arange(end - length, end, dtype=np.int32) + 1 for end, length in zip(ends, lengths, strict=True)]


@given(LENGTHS, st.integers(1, 6))
def test_texts_do_not_overlap_and_only_a_full_pool_stops(lengths, rows):
    row, column = first_fit(lengths, rows, 9)
    taken = np.zeros((rows, 9), int)
    for r, c, length in zip(row, column, lengths, strict=False):
        taken[r, c : c + length] += 1
    assert taken.max() <= 1
    if len(row) < len(lengths):
        assert (9 - taken.sum(axis=1)).max() < lengths[len(row)]


@given(LENGTHS, st.integers(1, 6))
def test_rows_hold_each_text_in_one_segment(lengths, rows):
    texts = texts_of(lengths)
    packed = pack(texts, np.ones(len(texts), int), rows, 9, np.zeros(len(texts), bool))
    used = int(packed.segments.max())
    for number, text in enumerate(texts[:used], 1):
        np.testing.assert_array_equal(packed.tokens[packed.segments == number], text)
    assert (packed.tokens[packed.segments == 0] == 0).all()


def test_the_loss_counts_completions_or_all_but_the_first_token():
    texts = texts_of([4, 4])
    packed = pack(texts, np.array([3, 3]), 1, 9, np.array([True, False]))
    assert packed.counted.tolist() == [[False, True, True, True, False, False, False, True, False]]


@given(LENGTHS)
def test_all_texts_fit_in_their_rows(lengths):
    texts = Texts.join(texts_of(lengths), np.ones(len(lengths), int))
    packed = pack_all(texts, 9)
    assert sorted(packed.tokens[packed.segments > 0].tolist()) == list(range(1, sum(lengths) + 1))
    assert (packed.segments > 0).any(axis=1).all()


def test_texts_select_and_concatenate():
    texts = Texts.join(texts_of([2, 3, 1]), [1, 2, 1])
    both = Texts.concatenate([texts.select([2, 0]), texts])
    assert [len(both[i]) for i in range(len(both))] == [1, 2, 2, 3, 1]
    assert both.prompt(3).tolist() == [3, 4]
