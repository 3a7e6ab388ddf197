"""Enclosures hold the spectral radius, decide on which side of one it lies, and say so where they cannot."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from crossfeed.proofs_check.certified import certify, enclose_spectral_radius
from crossfeed.proofs_check.exact import operators
from crossfeed.proofs_check.rational import pseudo_inverse, rational_ecosystem, rational_matrix
from flint import fmpq, fmpq_mat
from hypothesis import given, settings
from hypothesis import strategies as st

from crossfeed import theory

TINY = fmpq(1, 2**80)  # far below float64's resolution at one

MATRICES = {
    "rotation": ([[fmpq(3, 5), fmpq(-4, 5)], [fmpq(4, 5), fmpq(3, 5)]], "unit"),
    "defective": ([[1, 1], [0, 1]], "unit"),
    "one among smaller": ([[1, 0], [0, 1 - TINY]], "unit"),
    "minus one": ([[-1, 0], [0, fmpq(1, 2)]], "unit"),
    "reciprocal pair": ([[2, 0], [0, fmpq(1, 2)]], "unstable"),
    "barely above": ([[1 + TINY, 5], [0, fmpq(1, 2)]], "unstable"),
    "barely below": ([[1 - TINY, 5], [0, fmpq(1, 2)]], "stable"),
    "nilpotent": ([[0, 7, 1], [0, 0, 1], [0, 0, 0]], "stable"),
    "unit and beyond": ([[1, 0], [0, 3]], "unstable"),
}


@pytest.mark.parametrize(("rows", "verdict"), MATRICES.values(), ids=MATRICES)
def test_decides_where_float64_cannot(rows, verdict):
    assert enclose_spectral_radius(fmpq_mat(rows)).verdict == verdict


def test_unit_roots_beside_a_reciprocal_pair_are_told_apart():
    blocks = fmpq_mat([[0, -1, 0, 0], [1, 0, 0, 0], [0, 0, 3, 0], [0, 0, 0, fmpq(1, 3)]])
    assert enclose_spectral_radius(blocks).verdict == "unstable"


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6))
def test_encloses_the_floats_eigenvalues(seed, size):
    matrix = np.random.default_rng(seed).normal(size=(size, size))
    found = enclose_spectral_radius(rational_matrix(matrix))
    radius = np.abs(np.linalg.eigvals(matrix)).max()
    assert found.lower <= found.upper
    assert found.upper - found.lower <= 1e-12
    assert found.lower - 1e-9 <= radius <= found.upper + 1e-9


@pytest.mark.parametrize(("alpha", "beta"), [(0.5, 1.0), (0.3, 0.7)])
def test_consensus_and_lifted_enclosures_agree(alpha, beta):
    ecosystem, weights = theory.worst_case(3, 50.0), theory.Weights(alpha, beta)
    short = certify(ecosystem, weights)
    long = enclose_spectral_radius(operators(rational_ecosystem(ecosystem, weights)).recursive)
    assert max(short.lower, long.lower) <= min(short.upper, long.upper)
    assert short.verdict == long.verdict
    assert float(jax.jit(theory.spectral_radius)(ecosystem, weights)) == pytest.approx(short.lower, abs=1e-11)


def test_singular_training_data_drift_for_ever():
    """β = 0 and S_* singular on what is published (errata E8): ρ is one, exactly."""
    private = jnp.stack([jnp.eye(2)] * 2)
    ecosystem = theory.ecosystem_from_grams(private, jnp.diag(jnp.array([1.0, 0.0])), private, theory.equal_shares(2))
    assert certify(ecosystem, theory.Weights(0.5, 0.0)).verdict == "unit"


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.integers(0, 4))
def test_pseudo_inverse_is_moore_penrose(seed, rank):
    rows = np.random.default_rng(seed).integers(-3, 4, size=(rank, 4)).tolist() or [[0] * 4]
    features = fmpq_mat(rows)
    gram = features.transpose() * features
    inverse = pseudo_inverse(gram)
    assert gram * inverse * gram == gram
    assert inverse * gram * inverse == inverse
    assert (gram * inverse).transpose() == gram * inverse


def test_floats_stay_what_they_are():
    ecosystem = theory.ecosystem_from_grams(
        jnp.full((3, 1, 1), 0.1), jnp.eye(1), jnp.eye(1)[None].repeat(3, 0), jnp.full(3, 1 / 3)
    )
    exact = rational_ecosystem(ecosystem, theory.Weights(0.1, 0.5))
    assert exact.private[0][0, 0] == fmpq(*(0.1).as_integer_ratio()) != fmpq(1, 10)
    assert sum(exact.shares, fmpq(0)) == 1


@pytest.mark.parametrize("weights", [theory.Weights(jnp.full((3, 1), 0.5), 0.5), theory.Weights(jnp.full(3, 0.5), 0.5)])
def test_weights_that_do_not_fit_are_refused(weights):
    with pytest.raises(theory.InvalidInput, match="alpha"):
        certify(theory.worst_case(2, 1.0), weights)
