"""Errors, distances and efficiencies are what their definitions say of the joint law."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import sqrtm

from crossfeed import theory

from .ecosystems import SEEDS, random_ecosystem, relative_gap

WEIGHTS = theory.Weights(jnp.array([0.3, 0.6, 0.4]), jnp.array([0.5, 0.2, 0.8]))
# Without θ these raise or become NaN where an estimate is biased.
NEED_THETA = [
    theory.bias,
    theory.mse,
    theory.mspe,
    theory.relative_efficiency,
    theory.homogenisation,
    theory.disagreement,
    theory.mean_distance,
    theory.distribution_distance,
]
PAIRWISE = [theory.disagreement, theory.mean_distance, theory.distribution_distance]


@pytest.fixture(scope="module", params=["unbiased", "biased"])
def law(request):
    """A limit with bias if nobody ever sees one of the directions, else without."""
    ecosystem = random_ecosystem(2, theta=True)
    if request.param == "biased":
        blind = jnp.diag(jnp.array([1.0, 1.0, 1.0, 0.0]))
        seen = lambda gram: blind @ gram @ blind  # noqa: E731
        ecosystem = theory.Ecosystem(
            seen(ecosystem.private),
            ecosystem.public * 0,
            seen(ecosystem.synthetic),
            ecosystem.shares,
            0.7,
            ecosystem.theta,
        )
    return jax.jit(theory.limit)(ecosystem, WEIGHTS)


def inner_products(law):
    """E⟨e_k, e_l⟩ of two entities' errors, from the joint law."""
    offset = np.asarray(theory.bias(law))
    return np.trace(theory.joint_covariance(law), axis1=-2, axis2=-1) + offset @ offset.T


def test_bias_is_the_map_of_theta(law):
    np.testing.assert_allclose(theory.bias(law), theory.bias_map(law) @ law.ecosystem.theta, atol=1e-14)
    norms = [np.linalg.svd(entity)[1][0] for entity in np.asarray(theory.bias_map(law))]
    np.testing.assert_allclose(theory.bias_map_norm(law), norms, atol=1e-12)


def test_covariance_is_the_diagonal_of_the_joint(law):
    joint = np.asarray(theory.joint_covariance(law))
    np.testing.assert_allclose(theory.covariance(law), joint[range(3), range(3)], rtol=0, atol=1e-13)
    np.testing.assert_allclose(joint, joint.transpose(1, 0, 3, 2), rtol=0, atol=1e-13)
    assert np.linalg.eigvalsh(joint.transpose(0, 2, 1, 3).reshape(12, 12))[0] > -1e-12


def test_mse(law):
    np.testing.assert_allclose(theory.mse(law), np.diag(inner_products(law)), rtol=1e-12)


def test_mspe(law):
    joint, offset = np.asarray(theory.joint_covariance(law)), np.asarray(theory.bias(law))
    for entity in range(3):
        for task, gram in enumerate(np.asarray(law.ecosystem.private)):
            wanted = np.trace(gram @ joint[entity, entity]) + offset[entity] @ gram @ offset[entity]
            assert float(theory.mspe(law)[entity, task]) == pytest.approx(wanted, rel=1e-12)


def test_homogenisation(law):
    inner = inner_products(law)
    wanted = (inner.sum() - np.trace(inner)) / (2 * np.trace(inner))
    assert float(theory.homogenisation(law)) == pytest.approx(wanted, rel=1e-12)


def test_disagreement(law):
    inner = inner_products(law)
    wanted = np.sqrt(np.maximum(np.diag(inner)[:, None] + np.diag(inner) - inner - inner.T, 0))
    np.testing.assert_allclose(theory.disagreement(law), wanted, atol=1e-7)


def test_mean_distance_comes_from_the_mean_map(law):
    """Initial data j is θ plus noise of covariance σ² S⁺ on what it sees; the means differ by (M_k - M_l) of it."""
    blocks, ecosystem = np.asarray(theory.mean_map(law)), law.ecosystem
    grams = np.concatenate([ecosystem.private, ecosystem.public[None]])
    noise = [0.7 * np.linalg.pinv(gram, rcond=1e-12, hermitian=True) for gram in grams]
    for k, l in [(0, 1), (0, 2), (1, 2)]:
        difference = blocks[k] - blocks[l]
        spread = sum(np.trace(m @ n @ m.T) for m, n in zip(difference, noise, strict=True))
        offset = np.asarray(theory.bias(law)[k] - theory.bias(law)[l])
        assert float(theory.mean_distance(law)[k, l]) == pytest.approx(np.sqrt(spread + offset @ offset), rel=1e-8)


def test_distribution_distance(law):
    spread, offset = np.asarray(theory.covariance(law)), np.asarray(theory.bias(law))
    # SciPy's root of a singular matrix is inexact; lifting both by one tiny multiple of I keeps the distance.
    spread = spread + 1e-11 * np.eye(4)
    for k, l in [(0, 1), (2, 0)]:
        root = sqrtm(spread[k])
        overlap = np.trace(sqrtm(root @ spread[l] @ root)).real
        squared = np.trace(spread[k] + spread[l]) - 2 * overlap + ((offset[k] - offset[l]) ** 2).sum()
        assert float(theory.distribution_distance(law)[k, l]) == pytest.approx(np.sqrt(squared), abs=1e-5)


@pytest.mark.parametrize("distance", PAIRWISE)
def test_distances_are_symmetric_with_zero_diagonal(distance, law):
    values = np.asarray(distance(law))
    np.testing.assert_allclose(values, values.T, atol=1e-7)
    assert (np.abs(np.diag(values)) < 1e-7).all()
    assert (values[~np.eye(3, dtype=bool)] > 1e-3).all()


def test_relative_efficiency_is_against_all_real_data():
    ecosystem = random_ecosystem(2)
    total = np.asarray(ecosystem.private.sum(0) + ecosystem.public)
    best = 0.7 * np.trace(np.linalg.inv(total))
    law = theory.limit(ecosystem, WEIGHTS)
    assert float(theory.minimum_variance(ecosystem)) == pytest.approx(best, rel=1e-12)
    np.testing.assert_allclose(theory.relative_efficiency(law), best / np.asarray(theory.mse(law)), rtol=1e-12)


def test_transfer_rows_sum_to_one_where_unbiased():
    law = theory.limit(random_ecosystem(2), WEIGHTS)
    blocks = np.asarray(theory.mean_map(law))
    np.testing.assert_allclose(theory.transfer(law), np.trace(blocks, axis1=-2, axis2=-1) / 4, rtol=1e-12)
    np.testing.assert_allclose(theory.transfer(law).sum(1), 1, atol=1e-12)


def test_row_block_spread_definition():
    law = theory.limit(random_ecosystem(2), WEIGHTS)
    blocks = np.asarray(theory.mean_map(law))
    wanted = ((blocks - blocks.mean(0)) ** 2).sum() / (blocks**2).sum()
    assert float(theory.row_block_spread(law)) == pytest.approx(wanted, rel=1e-12)


def test_pure_recursion_makes_all_models_one():
    everything = lambda law: (theory.row_block_spread(law), theory.homogenisation(law), theory.disagreement(law))  # noqa: E731
    spread, alike, apart = theory.trajectory(random_ecosystem(2), theory.Weights(1.0, 0.5), 2, everything)
    assert spread[0] > 0.01
    np.testing.assert_allclose(spread[1:], 0, atol=1e-12)
    np.testing.assert_allclose(alike[1:], 1, atol=1e-12)
    np.testing.assert_allclose(apart[1:], 0, atol=1e-7)


def test_a_lone_model_has_nobody_to_resemble():
    assert np.isnan(theory.homogenisation(theory.limit(random_ecosystem(2, 1), theory.Weights(0.5, 0.5))))


def test_trajectory_tends_to_the_limit():
    ecosystem = random_ecosystem(4, rank=2, theta=True)
    measure = lambda law: (theory.mse(law), theory.mspe(law), theory.mean_map(law), theory.homogenisation(law))  # noqa: E731
    late = theory.trajectory(ecosystem, WEIGHTS, 300, measure)
    for found, wanted in zip(late, measure(theory.limit(ecosystem, WEIGHTS)), strict=True):
        assert relative_gap(found[0], wanted) > 0.01
        assert relative_gap(found[-1], wanted) < 1e-10


def test_pure_recursion_adds_the_same_variance_every_generation():
    """At α = 1 everybody fits the pool: the covariance grows by S̲⁻¹ N S̲⁻¹ a generation (errata E12)."""
    ecosystem = random_ecosystem(6)
    error = np.asarray(theory.trajectory(ecosystem, theory.Weights(1.0, 0.5), 30, theory.mse))
    inverse = np.linalg.inv(ecosystem.pool_gram)
    growth = np.trace(inverse @ np.asarray(ecosystem.pool_noise) @ inverse)
    np.testing.assert_allclose(np.diff(error[1:], axis=0), growth, rtol=1e-10)


def biased_ecosystem(theta):
    """Each dataset sees one of 4 dimensions: biased at first, and for ever where α = 0."""
    return random_ecosystem(3, rank=1, theta=theta)


BLIND = theory.Weights(0.0, 1.0)


@pytest.mark.parametrize("measure", NEED_THETA)
def test_a_biased_error_needs_theta(measure):
    law = theory.limit(biased_ecosystem(theta=False), BLIND)
    with pytest.raises(theory.DependsOnTheta, match="theta"):
        measure(law)


@pytest.mark.parametrize("measure", NEED_THETA)
def test_a_biased_error_is_nan_while_traced(measure):
    result = jax.jit(lambda ecosystem: measure(theory.limit(ecosystem, BLIND)))(biased_ecosystem(theta=False))
    off_diagonal = ~np.eye(3, dtype=bool) if measure in PAIRWISE else ...
    assert np.isnan(np.asarray(result)[off_diagonal]).all()


@pytest.mark.parametrize("measure", NEED_THETA)
def test_a_biased_error_is_a_number_with_theta(measure):
    assert np.isfinite(measure(theory.limit(random_ecosystem(3, rank=2, theta=True), BLIND))).all()


def test_only_biased_entities_are_nan():
    ecosystem = random_ecosystem(3)
    blind = theory.Ecosystem(
        ecosystem.private.at[1].set(jnp.diag(jnp.array([1.0, 1.0, 0.0, 0.0]))), *list(vars(ecosystem).values())[1:5]
    )
    error = jax.jit(lambda e: theory.mse(theory.limit(e, BLIND)))(blind)
    assert np.isnan(error).tolist() == [False, True, False]


def test_theta_plays_no_part_where_unbiased():
    with_theta, without = (theory.limit(random_ecosystem(3, theta=theta), WEIGHTS) for theta in (True, False))
    np.testing.assert_allclose(theory.mse(with_theta), theory.mse(without), rtol=1e-12)


def test_the_first_generation_of_a_trajectory_needs_theta_too():
    with pytest.raises(theory.DependsOnTheta):
        theory.trajectory(biased_ecosystem(theta=False), theory.Weights(0.5, 1.0), 2, theory.mse)


def test_minimum_variance_needs_data_that_span():
    ecosystem = random_ecosystem(3, rank=1, entities=2)
    with pytest.raises(theory.CrossfeedError, match="do not span"):
        theory.minimum_variance(ecosystem)
    assert np.isnan(jax.jit(theory.minimum_variance)(ecosystem))


NO_LIMIT = {
    theory.mse: np.inf,
    theory.mspe: np.inf,
    theory.covariance: np.inf,
    theory.joint_covariance: np.inf,
    theory.conditional_covariance: np.inf,
    theory.mean_map: np.nan,
    theory.bias_map: np.nan,
    theory.relative_efficiency: np.nan,
    theory.homogenisation: np.nan,
}


@pytest.mark.parametrize("measure", NO_LIMIT)
def test_results_where_there_is_no_limit(measure):
    ecosystem, weights = theory.worst_case(3, 10.0), theory.Weights(0.5, 1.0)
    with pytest.raises(theory.NoLimit):
        theory.limit(ecosystem, weights)
    law = jax.jit(theory.limit)(ecosystem, weights)
    assert not law.exists
    np.testing.assert_array_equal(jax.jit(measure)(law), NO_LIMIT[measure])


@jax.jit
def error_and_task_error(ecosystem, weights):
    law = theory.limit(ecosystem, weights)
    return theory.mse(law), theory.mspe(law), theory.homogenisation(law)


@settings(max_examples=20)
@given(SEEDS, st.permutations(range(3)))
def test_names_of_entities_do_not_matter(seed, order):
    ecosystem, order = random_ecosystem(seed, theta=True), jnp.array(order)
    renamed = theory.Ecosystem(
        ecosystem.private[order],
        ecosystem.public,
        ecosystem.synthetic[order],
        ecosystem.shares[order],
        0.7,
        ecosystem.theta,
    )
    error, task_error, alike = error_and_task_error(ecosystem, WEIGHTS)
    moved = error_and_task_error(renamed, theory.Weights(WEIGHTS.alpha[order], WEIGHTS.beta[order]))
    assert relative_gap(moved[0], error[order]) < 1e-10
    assert relative_gap(moved[1], task_error[order][:, order]) < 1e-10
    assert relative_gap(moved[2], alike) < 1e-10


@settings(max_examples=20)
@given(SEEDS)
def test_rotating_the_features_changes_no_error(seed):
    ecosystem = random_ecosystem(seed, rank=2, theta=True)
    turn = np.linalg.qr(np.random.default_rng(seed).normal(size=(4, 4)))[0]
    grams = [turn @ np.asarray(gram) @ turn.T for gram in (ecosystem.private, ecosystem.public, ecosystem.synthetic)]
    turned = theory.Ecosystem(*grams, ecosystem.shares, 0.7, turn @ np.asarray(ecosystem.theta))
    for found, wanted in zip(
        error_and_task_error(turned, WEIGHTS), error_and_task_error(ecosystem, WEIGHTS), strict=True
    ):
        assert relative_gap(found, wanted) < 1e-9


@settings(max_examples=20)
@given(SEEDS, st.floats(0.01, 100))
def test_errors_scale_with_the_noise_variance(seed, factor):
    ecosystem = random_ecosystem(seed, theta=True)
    arrays = ecosystem.private, ecosystem.public, ecosystem.synthetic, ecosystem.shares
    louder = theory.Ecosystem(*arrays, 0.7 * factor, ecosystem.theta)
    error, task_error, alike = error_and_task_error(ecosystem, WEIGHTS)
    found = error_and_task_error(louder, WEIGHTS)
    assert relative_gap(found[0], factor * error) < 1e-10
    assert relative_gap(found[1], factor * task_error) < 1e-10
    assert relative_gap(found[2], alike) < 1e-10
