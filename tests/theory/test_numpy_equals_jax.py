"""The formulas in NumPy's arrays give the same numbers as in JAX's, compiled: with any ranks, laws that do not exist among them."""

import equinox as eqx
import jax
import numpy as np
import pytest
from hypothesis import given, settings

from crossfeed import theory
from crossfeed.formulas.ecosystem import Dataset, Ecosystem
from crossfeed.formulas.trajectory import trajectory
from crossfeed.formulas.weights import Weights

from .ecosystems import SEEDS, random_gram, random_shares
from .test_workflows import WORKFLOWS

ENTITIES, SIZE, GENERATIONS = 3, 4, 3
TOLERANCE = 1e-12
EXACT = ("spectral radius", "reason", "gain")
"""What does not lose digits near ρ = 1."""
QUICK = {"the paper": False, "all at once": True}
LONG = [(name, "forg" in name) for name in WORKFLOWS if name not in QUICK and "accumulation" not in name]
WITH_LIMITS = [*QUICK.items(), *(pytest.param(*case, marks=pytest.mark.long) for case in LONG)]


def random_ecosystem(rng, known: bool) -> Ecosystem:
    """Data of any rank, also none, and of unequal noise and truths.

    Data that do not span share a basis, since the kernel that nearly dependent data have is known to few digits.
    """
    basis = np.linalg.qr(rng.normal(size=(SIZE, SIZE)))[0]
    grams = [random_gram(rng, SIZE, SIZE) for _ in range(2 * ENTITIES + 1)]
    for low in np.flatnonzero(rng.random(len(grams)) < 0.7):
        grams[low] = basis * rng.uniform(0.5, 3, SIZE) * rng.integers(0, 2, SIZE) @ basis.T
        grams[low] = (grams[low] + grams[low].T) / 2
    truths = rng.normal(size=(ENTITIES + 1, SIZE)) * (rng.random() < 0.5) + rng.normal(size=SIZE)
    return Ecosystem(
        private=Dataset(np.stack(grams[:ENTITIES]), rng.uniform(0.5, 2, ENTITIES), truths[1:] if known else None),
        public=Dataset(grams[-1], 0.7, truths[0] if known else None),
        synthetic=Dataset(np.stack(grams[ENTITIES:-1]), rng.uniform(0.5, 2, ENTITIES)),
        shares=random_shares(rng, ENTITIES),
    )


def random_weights(rng) -> Weights:
    """Weights of every entity, now and then all of them 0 or 1, with which there may be no limit."""
    inside, corner = rng.uniform(0.05, 0.95, (2, ENTITIES)), rng.integers(0, 2, (2, ENTITIES)).astype(float)
    return Weights(*np.where(rng.random((2, 1)) < 0.2, corner, inside))


def errors(law: theory.Law):
    return {
        "mse": theory.mse(law),
        "mspe": theory.mspe(law),
        "relative efficiency": theory.relative_efficiency(law),
        "homogenization": theory.homogenization(law),
        "bias": theory.bias_map(law),
        "reason": theory.reason(law),
        "gain": law.fit.gain,
    }


def of_limit(ecosystem, weights, workflow):
    law = theory.limit(ecosystem, weights, workflow, throw=False)
    assert law.spectral_radius is not None  # which every limit has
    return errors(law) | {"spectral radius": law.spectral_radius}


def assert_same(found, expected, growth: float = 1) -> None:
    """Equal up to rounding, which grows with the inverse of the data, and by a factor in what depends on the limit."""
    assert found.keys() == expected.keys()
    rounding = TOLERANCE * max(1, np.abs(expected["gain"]).max())
    for name, values in expected.items():
        tolerance = rounding * (1 if name in EXACT else growth)
        one, other = np.asarray(found[name], float), np.asarray(values, float)
        assert one.shape == other.shape, name
        assert (np.isnan(one) == np.isnan(other)).all(), name
        assert (np.isinf(one) == np.isinf(other)).all(), name
        one, other = one[np.isfinite(one)], other[np.isfinite(one)]
        assert np.abs(one - other).max(initial=0) <= tolerance * max(1, np.abs(one).max(initial=0)), name


@pytest.mark.parametrize(("name", "known"), WITH_LIMITS)
def test_limits_agree(name, known):
    compiled = eqx.filter_jit(of_limit)

    @given(SEEDS)
    @settings(max_examples=40)
    def check(seed):
        rng = np.random.default_rng(seed)
        arguments = random_ecosystem(rng, known), random_weights(rng), WORKFLOWS[name](rng, ENTITIES)
        expected = compiled(*arguments)
        with np.errstate(all="ignore"):
            found = of_limit(*arguments)
        distance = max(1 - float(found["spectral radius"]), 1e-10)
        assert_same(found, expected, growth=1 / distance**2)

    check()


@pytest.mark.parametrize(("name", "known"), QUICK.items())
def test_trajectories_agree(name, known):
    compiled = eqx.filter_jit(theory.trajectory)

    @given(SEEDS)
    @settings(max_examples=40)
    def check(seed):
        rng = np.random.default_rng(seed)
        arguments = random_ecosystem(rng, known), random_weights(rng), GENERATIONS, errors
        workflow = WORKFLOWS[name](rng, ENTITIES)
        expected = compiled(*arguments, workflow)
        with np.errstate(all="ignore"):
            found = trajectory(*arguments, workflow)
        assert_same(found, expected)

    check()


def test_stability_agrees():
    compiled = eqx.filter_jit(theory.summarize_stability)

    def numbers(summary: theory.StabilitySummary):
        return {jax.tree_util.keystr(path): value for path, value in jax.tree.leaves_with_path(summary)}

    @given(SEEDS)
    @settings(max_examples=30)
    def check(seed):
        rng = np.random.default_rng(seed)
        arguments = random_ecosystem(rng, known=False), random_weights(rng)
        expected = compiled(*arguments)
        with np.errstate(all="ignore"):
            found = theory.summarize_stability(*arguments)
        for name, value in numbers(expected).items():
            np.testing.assert_allclose(numbers(found)[name], value, rtol=1e-9, atol=1e-12, err_msg=name)
        assert [bound.verdict for bound in found.bounds().values()] == [
            bound.verdict for bound in expected.bounds().values()
        ]

    check()
