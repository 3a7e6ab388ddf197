"""Gradient ascent finds growth near Theorem U's bound, never beyond it, and its result can be certified."""

import jax
import numpy as np
import pytest
from crossfeed.proofs_check.certified import certify
from crossfeed.proofs_check.rational import rational_ecosystem
from crossfeed.proofs_check.worst_case import ascend, snap

from crossfeed import theory

BOUND = (1 + np.sqrt(2)) / 2


@pytest.fixture(scope="module")
def ascents():
    return jax.jit(lambda key: ascend(key, 2, 8, 250))(jax.random.key(0))


def test_ascent_approaches_the_bound_and_never_passes_it(ascents):
    assert float(ascents.spectral_radius.max()) > 0.999 * BOUND
    assert float(ascents.highest.max()) <= BOUND + 1e-9
    assert (ascents.highest >= ascents.spectral_radius).all()


def test_starts_know_nothing_of_the_answer():
    """Without a step, random starts are far from the bound: the ascent does the work."""
    start = jax.jit(lambda key: ascend(key, 2, 64, 1))(jax.random.key(0))
    assert float(start.spectral_radius.max()) < 0.95 * BOUND


def test_best_is_certified_after_rounding(ascents):
    ecosystem, weights = snap(*ascents.best())
    found = certify(ecosystem, weights)
    assert found.verdict == "unstable"
    assert 1.2 < found.lower <= found.upper < BOUND
    assert float(weights.alpha) == 0.5
    exact = rational_ecosystem(ecosystem, weights)
    assert all(exact.training_gram(k).rank() == 2 for k in range(2))
    assert all(int(entry.q) <= 2**40 for gram in (*exact.private, *exact.synthetic) for entry in gram.entries())


def test_snapping_changes_little_but_the_rounding():
    """Unequal weights, shares and public data turn into α = 1/2, β = 1, S_* = 0 with nearly the same ρ."""
    plain = theory.random_gaussian(jax.random.key(3), 3, 3, 2)
    ecosystem = theory.ecosystem_from_grams(
        plain.private.gram, plain.public.gram, plain.synthetic.gram, np.array([0.5, 0.3, 0.2])
    )
    weights = theory.Weights(np.array([0.3, 0.6, 0.8]), np.array([0.2, 0.7, 1.0]))
    snapped, simple = snap(ecosystem, weights)
    assert not snapped.public.gram.any()
    before, after = (jax.jit(theory.spectral_radius)(*pair) for pair in ((ecosystem, weights), (snapped, simple)))
    assert float(after) == pytest.approx(float(before), rel=1e-2)
    assert abs(float(after) - float(before)) > 0


@pytest.mark.parametrize(("name", "sizes"), [("size", (0, 1, 1)), ("starts", (2, 0, 1)), ("steps", (2, 1, 0))])
def test_nothing_to_search_is_refused(name, sizes):
    with pytest.raises(theory.InvalidInput, match=f"{name} is 0"):
        ascend(jax.random.key(0), *sizes)
