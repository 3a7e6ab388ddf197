"""Feature matrices: padding, the Gram matrices they give, and random ones."""

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossfeed import theory

from .ecosystems import SEEDS, random_ecosystem, relative_gap

KEY = jax.random.key(0)


def ragged(seed, rows, size=3):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(n, size)) for n in rows]


@settings(max_examples=20)
@given(SEEDS, st.lists(st.integers(0, 6), min_size=1, max_size=4), st.integers(1, 5))
def test_padding_is_exact(seed, rows, public_rows):
    private, (public,) = ragged(seed, rows), ragged(seed + 1, [public_rows])
    ecosystem = theory.ecosystem_from_features(theory.stack_features(private, public))
    grams = np.stack([x.T @ x for x in private])
    np.testing.assert_allclose(ecosystem.private.gram, grams, rtol=0, atol=1e-13)
    np.testing.assert_allclose(ecosystem.synthetic.gram, grams, rtol=0, atol=1e-13)
    np.testing.assert_allclose(ecosystem.public.gram, public.T @ public, rtol=0, atol=1e-13)
    np.testing.assert_allclose(ecosystem.shares, np.full(len(rows), 1 / len(rows)))


def test_stacked_rows_are_the_data_then_zeros():
    private, (public,) = ragged(0, [2, 4]), ragged(1, [3])
    synthetic = ragged(2, [5, 1])
    features = theory.stack_features(private, public, synthetic)
    assert features.private.shape == (2, 4, 3)
    assert features.synthetic.shape == (2, 5, 3)
    assert (features.private[0, :2] == private[0]).all()
    assert (features.private[0, 2:] == 0).all()
    assert (features.synthetic[1, :1] == synthetic[1]).all()
    assert (features.public == public).all()


def test_settings_reach_the_ecosystem():
    features = theory.stack_features(ragged(0, [2, 4]), ragged(1, [3])[0])
    ecosystem = theory.ecosystem_from_features(features, np.array([0.2, 0.8]), 0.5, np.arange(3.0))
    assert ecosystem.shares.tolist() == [0.2, 0.8]
    assert float(ecosystem.public.noise_variance) == 0.5
    assert ecosystem.public.truth is not None
    assert ecosystem.public.truth.tolist() == [0, 1, 2]


TWO = [np.ones((2, 3)), np.ones((1, 3))]
BAD_FEATURES = {
    "no entity": (([], np.ones((2, 3))), "private holds no feature matrix"),
    "columns": (([np.ones((2, 3)), np.ones((2, 4))], np.ones((2, 3))), r"private\[1\] .* 3 columns.* \(2, 4\)"),
    "public columns": ((TWO, np.ones((2, 2))), r"public .* 3 columns.* \(2, 2\)"),
    "vector": (
        ([np.ones(3)], np.ones((2, 3))),
        r"private\[0\] must be a matrix, one row per sample, but has shape \(3,\)",
    ),
    "too few synthetic": ((TWO, np.ones((2, 3)), TWO[:1]), "synthetic holds 1 .* private holds 2"),
    "synthetic columns": ((TWO, np.ones((2, 3)), [np.ones((2, 3)), np.ones((2, 5))]), r"synthetic\[1\] .* \(2, 5\)"),
    "NaN": (([np.ones((2, 3)), np.array([[1, np.nan, 1]])], np.ones((2, 3))), r"private\[1\]\[0, 1\] is nan"),
}


@pytest.mark.parametrize(("arguments", "message"), BAD_FEATURES.values(), ids=BAD_FEATURES)
def test_bad_features(arguments, message):
    with pytest.raises(theory.InvalidInput, match=message):
        theory.stack_features(*arguments)


@pytest.mark.parametrize("rank", [1, 3, 5])
def test_smallest_features_reproduce_grams(rank):
    ecosystem = random_ecosystem(1, 3, 5, rank)
    features = theory.smallest_features(ecosystem)
    assert features.private.shape == (3, 5, 5)
    again = theory.ecosystem_from_features(features, ecosystem.shares)
    for name in ("private", "public", "synthetic"):
        assert relative_gap(getattr(again, name).gram, getattr(ecosystem, name).gram) < 1e-13


@pytest.mark.parametrize(
    ("rank", "rows", "public_rows"), [(1, None, None), (3, 3, 2), (3, 20, 1), (5, None, 40), (5, 30, 3)]
)
def test_random_gaussian_ranks(rank, rows, public_rows):
    ecosystem = theory.random_gaussian(KEY, 4, 5, rank, rows, public_rows)
    assert (np.linalg.matrix_rank(ecosystem.private.gram) == rank).all()
    assert np.linalg.matrix_rank(ecosystem.public.gram) == min(5, 10 if public_rows is None else public_rows)
    assert (ecosystem.synthetic.gram == ecosystem.private.gram).all()
    assert ecosystem.public.truth is not None
    assert (ecosystem.entities, ecosystem.dimension, ecosystem.public.truth.shape) == (4, 5, (5,))


@pytest.mark.parametrize(("rank", "rows"), [(4, 4), (4, 50), (2, 50)])
def test_random_gaussian_entries_have_unit_variance(rank, rows):
    """tr S~_k has mean rows·d; over 400 entities its average lies within a few percent."""
    ecosystem = theory.random_gaussian(KEY, 400, 4, rank, rows)
    average = np.trace(ecosystem.private.gram, axis1=1, axis2=2).mean() / (4 * rows)
    assert average == pytest.approx(1, abs=0.06)


def test_random_gaussian_follows_its_key():
    same = [theory.random_gaussian(key, 2, 3, 2) for key in (KEY, KEY, jax.random.key(1))]
    assert (same[0].private.gram == same[1].private.gram).all()
    assert not np.allclose(same[0].private.gram, same[2].private.gram)
    assert not np.allclose(same[0].private.gram[0], same[0].private.gram[1])


def test_there_are_as_many_public_rows_as_features_unless_told():
    plain, told, more = (theory.random_gaussian(KEY, 2, 5, 3, public_rows=rows) for rows in (None, 5, 6))
    np.testing.assert_array_equal(plain.public.gram, told.public.gram)
    assert not np.allclose(plain.public.gram, more.public.gram)


def test_no_two_data_sets_are_drawn_with_the_same_numbers():
    """With one feature and one row a Gram matrix is the square of one normal number, and so is θ²."""
    made = [theory.random_gaussian(jax.random.key(seed), 3, 1, 1, public_rows=1) for seed in range(3)]
    numbers = [
        np.ravel(field)
        for each in made
        for field in (each.private.gram, each.public.gram, np.asarray(each.public.truth) ** 2)
    ]
    assert np.diff(np.sort(np.concatenate(numbers))).min() > 1e-9


@pytest.mark.parametrize("field", ["entities", "dimension", "rank", "rows", "public_rows"])
@pytest.mark.parametrize("size", [0, -1])
def test_sizes_must_be_positive(field, size):
    sizes = {"entities": 2, "dimension": 3, "rank": 1, "rows": 4, "public_rows": 5}
    with pytest.raises(theory.InvalidInput, match=f"{field} is {size}"):
        theory.random_gaussian(KEY, **sizes | {field: size})


@pytest.mark.parametrize(("rank", "rows"), [(4, None), (4, 9), (3, 2)])
def test_rank_cannot_exceed_the_matrix(rank, rows):
    with pytest.raises(theory.InvalidInput, match=f"rank is {rank}"):
        theory.random_gaussian(KEY, 2, 3, rank, rows)
