"""The closed forms for S_k = S~_k = S_* agree with the exact limit and with the tabulated optima."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from crossfeed.theory import symmetric
from scipy.optimize import minimize

from crossfeed import theory

from .ecosystems import random_gram

pytestmark = pytest.mark.optimized

# K: best α, best β, efficiency there (`3-beyond.md` §4)
OPTIMA = {
    2: (0.2177, 0.5537, 0.7075),
    3: (0.3687, 0.6254, 0.5854),
    4: (0.4628, 0.6819, 0.5178),
    10: (0.6623, 0.8315, 0.3686),
    20: (0.7487, 0.9009, 0.2924),
    50: (0.8226, 0.9516, 0.2173),
}
AT_ONE_HALF = {2: 0.5818, 4: 0.4518, 10: 0.2494, 50: 0.0607}
HALF_A_DIGIT = 0.5001e-4


def gram():
    return jnp.asarray(random_gram(np.random.default_rng(3), 3, 3))


@pytest.mark.parametrize("entities", [1, 2, 5])
def test_closed_forms_of_the_limit(entities):
    ecosystem = theory.symmetric_ecosystem(entities, gram(), 0.6)
    one_dataset = 0.6 * np.trace(np.linalg.inv(gram()))

    @jax.jit
    def exact(alpha, beta):
        law = theory.limit(ecosystem, theory.Weights(alpha, beta))
        return (
            theory.mse(law),
            theory.relative_efficiency(law),
            theory.spectral_radius(ecosystem, theory.Weights(alpha, beta)),
        )

    for alpha, beta in itertools.product([0.0, 0.3, 0.95], [0.0, 0.4, 1.0]):
        error, efficiency, radius = exact(alpha, beta)
        closed = symmetric.relative_error(alpha, beta, float(entities))
        np.testing.assert_allclose(error, one_dataset * closed, rtol=1e-12)
        np.testing.assert_allclose(efficiency, symmetric.relative_efficiency(alpha, beta, float(entities)), rtol=1e-12)
        assert float(radius) == pytest.approx(alpha, abs=1e-12)


@jax.jit
@jax.value_and_grad
def loss(point, present):
    """Minus the efficiency of the first entity; absent ones know nothing and publish nothing, so one size does for all K."""
    grams = present[:, None, None]
    ecosystem = theory.ecosystem_from_grams(grams, jnp.eye(1), grams, present / present.sum())
    return -theory.relative_efficiency(theory.limit(ecosystem, theory.Weights(*point)))[0]


@pytest.mark.parametrize("entities", OPTIMA)
def test_optimum_of_the_exact_theory(entities):
    present = (np.arange(50) < entities).astype(float)
    settings = {"jac": True, "bounds": [(0.01, 0.97)] * 2, "options": {"ftol": 1e-15, "gtol": 1e-9}}
    best = minimize(loss, [0.5, 0.7], (present,), **settings)
    assert np.abs(np.array([*best.x, -best.fun]) - OPTIMA[entities]).max() < HALF_A_DIGIT


@pytest.mark.parametrize("entities", AT_ONE_HALF)
def test_efficiency_at_one_half(entities):
    found = symmetric.relative_efficiency(0.5, 0.5, float(entities))
    assert abs(found - AT_ONE_HALF[entities]) < HALF_A_DIGIT


@pytest.mark.parametrize("entities", [1, 2, 6])
def test_efficiency_without_public_data(entities):
    base = theory.symmetric_ecosystem(entities, gram())
    ecosystem = theory.ecosystem_from_grams(base.private.gram, 0 * base.public.gram, base.synthetic.gram, base.shares)
    exact = jax.jit(lambda alpha: theory.relative_efficiency(theory.limit(ecosystem, theory.Weights(alpha, 1.0))))
    for alpha in (0.0, 0.4, 0.9):
        closed = symmetric.relative_efficiency_without_public(alpha, float(entities))
        np.testing.assert_allclose(exact(alpha), closed, rtol=1e-12)


@pytest.mark.parametrize("alpha", [0.0, 0.5, 0.9])
def test_lone_model(alpha):
    assert symmetric.relative_efficiency_without_public(alpha, 1.0) == pytest.approx(1 - alpha**2, rel=1e-14)


def test_number_of_entities_may_be_an_integer():
    assert symmetric.relative_efficiency(0.5, 0.5, 4) == symmetric.relative_efficiency(0.5, 0.5, 4.0)
