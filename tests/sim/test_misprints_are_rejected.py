"""The agreement test has teeth: each misprint of the paper (`2-errata.md`), put back into the theory, is rejected.

The formulas are written here in lifted form, as printed and as corrected, and share nothing with the consensus form.
"""

from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from crossfeed.sim import Prediction, family_wise_test, make_moment_sampler, predict_estimates, simulate, z_scores
from crossfeed.theory import Ecosystem, Weights, random_gaussian
from crossfeed.theory.lifted import block_diagonal, operators

from crossfeed.formulas.linear_algebra import pseudo_inverse

ENTITIES, DIMENSION, RANK, GENERATIONS, REPLICATES = 2, 3, 2, 60, 100_000
NOISE_VARIANCE = 3.0
COMPARED = [0, 1, 2, 5, GENERATIONS]
FALSE_ALARM = 1e-3


class Formulas(NamedTuple):
    """The places where the paper misprints a covariance."""

    last_factor: Callable[[jax.Array], jax.Array]  # of Q (σ² S⁺ + C) Q'
    real_noise: float  # the factor before M diag(S~⁺, S_*⁺) M'


CORRECT = Formulas(jnp.transpose, NOISE_VARIANCE)
E1_AND_E4 = CORRECT._replace(last_factor=lambda recursive: recursive)
E3 = CORRECT._replace(real_noise=1.0)


@pytest.fixture(scope="module")
def ecosystem() -> Ecosystem:
    """Everything that a misprint touches is switched on: heterogeneous features make Q asymmetric, and σ² ≠ 1."""
    return random_gaussian(jax.random.key(0), ENTITIES, DIMENSION, RANK, noise_variance=NOISE_VARIANCE)


@pytest.fixture(scope="module")
def weights() -> Weights:
    return Weights(0.9, 0.7)


@pytest.fixture(scope="module")
def simulation(ecosystem, weights):
    # One fixed key for all: the corrected and the printed formulas must differ on the very same draws.
    full = eqx.filter_jit(simulate)(
        make_moment_sampler(ecosystem), weights, GENERATIONS, REPLICATES, jax.random.key(7), joint=True
    )
    return at_generations(full, COMPARED)


def at_generations(record, generations):
    return jax.tree.map(lambda a: a[np.asarray(generations)] if a.ndim else a, record)


def blocks(matrices):
    shape = matrices.shape[0], ENTITIES, DIMENSION, ENTITIES, DIMENSION
    return matrices.reshape(shape).swapaxes(2, 3)


def total_covariance(ecosystem, mean_map, conditional, formulas: Formulas):
    real = block_diagonal(
        jnp.concatenate([pseudo_inverse(ecosystem.private.gram), pseudo_inverse(ecosystem.public.gram)[None]])
    )
    return formulas.real_noise * mean_map @ real @ mean_map.T + conditional


@eqx.filter_jit
def by_recursion(ecosystem, weights, formulas: Formulas) -> Prediction:
    """Theorems 1 and 2, with C_t = Q (σ² S⁺ + C_{t-1}) times the last factor."""
    alpha, beta = weights.per_generation(ENTITIES, GENERATIONS)
    noise = NOISE_VARIANCE * pseudo_inverse(block_diagonal(ecosystem.synthetic.gram))
    later = operators(ecosystem, alpha[1], beta[1])

    def step(state, _):
        mean_map, conditional = state
        following = (
            later.real + later.recursive @ mean_map,
            later.recursive @ (noise + conditional) @ formulas.last_factor(later.recursive),
        )
        return following, total_covariance(ecosystem, mean_map, conditional, formulas)

    start = operators(ecosystem, alpha[0], beta[0]).real, jnp.zeros_like(noise)
    _, covariances = jax.lax.scan(step, start, length=GENERATIONS + 1)
    mean = jnp.broadcast_to(ecosystem.public.truth, (len(COMPARED), ENTITIES, DIMENSION))
    return Prediction(mean, blocks(covariances[np.asarray(COMPARED)]))


@eqx.filter_jit
def by_limit(ecosystem, weights, formulas: Formulas) -> Prediction:
    """Theorem 3, with vec(C) = σ² (I - Q⊗Q)⁻¹ vec(Q S⁺ times the last factor)."""
    now = operators(ecosystem, *weights.per_entity(ENTITIES))
    size = ENTITIES * DIMENSION
    inverse = pseudo_inverse(block_diagonal(ecosystem.synthetic.gram))
    source = NOISE_VARIANCE * now.recursive @ inverse @ formulas.last_factor(now.recursive)
    series = jnp.eye(size**2) - jnp.kron(now.recursive, now.recursive)
    conditional = jnp.linalg.solve(series, source.ravel()).reshape(size, size)
    mean_map = jnp.linalg.solve(jnp.eye(size) - now.recursive, now.real)
    mean = jnp.broadcast_to(ecosystem.public.truth, (1, ENTITIES, DIMENSION))
    return Prediction(mean, blocks(total_covariance(ecosystem, mean_map, conditional, formulas)[None]))


MISPRINTS = {
    "E1: C_t = Q(σ²S⁺ + C)Q": (by_recursion, E1_AND_E4),
    "E3: no σ² before M": (by_recursion, E3),
    "E4: vec(QS⁺Q)": (by_limit, E1_AND_E4),
}
SHARE = FALSE_ALARM / len(MISPRINTS)


@pytest.mark.parametrize("name", MISPRINTS)
def test_printed_formula_is_rejected_where_the_corrected_passes(name, ecosystem, weights, simulation):
    formula, misprint = MISPRINTS[name]
    corrected, printed = formula(ecosystem, weights, CORRECT), formula(ecosystem, weights, misprint)
    drawn = simulation if formula is by_recursion else at_generations(simulation, [-1])

    accepted = family_wise_test([z_scores(corrected, drawn)], SHARE)
    rejected = family_wise_test([z_scores(printed, drawn)], SHARE)

    effect = effect_in_standard_errors(corrected, printed)
    assert effect > 3 * accepted.threshold, f"no power: {name} moves an entry by only {effect:.1f} standard errors"
    assert accepted.agrees, f"|z| = {accepted.largest:.2f} > {accepted.threshold:.2f}"
    assert not rejected.agrees


def effect_in_standard_errors(corrected: Prediction, printed: Prediction) -> float:
    """Largest gap between the two covariances, in standard errors of the simulation."""
    covariance = corrected.joint_covariance
    variances = jnp.einsum("tkkaa->tka", covariance)
    product = variances[:, :, None, :, None] * variances[:, None, :, None, :]
    error = jnp.sqrt((product + covariance**2) / (REPLICATES - 1))
    return float((jnp.abs(printed.joint_covariance - covariance) / error).max())


def test_corrected_formulas_are_the_theory(ecosystem, weights):
    exact = at_generations(eqx.filter_jit(predict_estimates)(ecosystem, weights, GENERATIONS), COMPARED)
    recursion = by_recursion(ecosystem, weights, CORRECT)
    np.testing.assert_allclose(recursion.joint_covariance, exact.joint_covariance, rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(recursion.mean, exact.mean, rtol=1e-9)
    limit = by_limit(ecosystem, weights, CORRECT)
    # The simulation compared with the limit has reached it, far below its standard errors.
    np.testing.assert_allclose(limit.joint_covariance[0], exact.joint_covariance[-1], rtol=1e-5, atol=1e-6)
