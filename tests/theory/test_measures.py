"""Errors, distances and efficiencies are what their definitions say of the joint law."""

import equinox as eqx
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
    theory.homogenization,
    theory.disagreement,
    theory.mean_distance,
    theory.distribution_distance,
]
OTHERS = [
    theory.mean_map,
    theory.bias_map,
    theory.bias_map_norm,
    theory.covariance,
    theory.joint_covariance,
    theory.conditional_covariance,
    theory.transfer,
    theory.row_block_spread,
]
PAIRWISE = [theory.disagreement, theory.mean_distance, theory.distribution_distance]
limit = jax.jit(theory.limit)


@jax.jit
def every_measure(law):
    return {measure.__name__: measure(law) for measure in NEED_THETA + OTHERS}


def measured(ecosystem, weights):
    """All measures of a limit by name, and the ecosystem, as NumPy arrays."""
    law = limit(ecosystem, weights)
    data = {name: getattr(ecosystem, name).gram for name in ("private", "public", "synthetic")}
    return jax.tree.map(np.asarray, every_measure(law) | data | {"theta": ecosystem.public.truth})


@pytest.fixture(scope="module", params=["unbiased", "biased"])
def found(request):
    """Measures of a limit with bias if nobody ever sees one of the directions, else without."""
    ecosystem = random_ecosystem(2, theta=True)
    if request.param == "biased":
        seen = jnp.diag(jnp.array([1.0, 1.0, 1.0, 0.0]))
        private, synthetic = seen @ ecosystem.private.gram @ seen, seen @ ecosystem.synthetic.gram @ seen
        ecosystem = theory.ecosystem_from_grams(
            private, 0 * seen, synthetic, ecosystem.shares, 0.7, ecosystem.public.truth
        )
    return measured(ecosystem, WEIGHTS)


def inner_products(found):
    """E⟨e_k, e_l⟩ of two entities' errors, from the joint law."""
    return np.trace(found["joint_covariance"], axis1=-2, axis2=-1) + found["bias"] @ found["bias"].T


def test_bias_is_the_map_of_theta(found):
    np.testing.assert_allclose(found["bias"], found["bias_map"] @ found["theta"], atol=1e-14)
    norms = [np.linalg.svd(entity)[1][0] for entity in found["bias_map"]]
    np.testing.assert_allclose(found["bias_map_norm"], norms, atol=1e-12)


def test_joint_covariance(found):
    joint = found["joint_covariance"]
    np.testing.assert_allclose(found["covariance"], joint[range(3), range(3)], rtol=0, atol=1e-13)
    np.testing.assert_allclose(joint, joint.transpose(1, 0, 3, 2), rtol=0, atol=1e-13)
    assert np.linalg.eigvalsh(joint.transpose(0, 2, 1, 3).reshape(12, 12))[0] > -1e-12


def test_mse(found):
    np.testing.assert_allclose(found["mse"], np.diag(inner_products(found)), rtol=1e-12)


def test_mspe(found):
    for entity, task in np.ndindex(3, 3):
        gram, offset = found["private"][task], found["bias"][entity]
        wanted = np.trace(gram @ found["joint_covariance"][entity, entity]) + offset @ gram @ offset
        assert found["mspe"][entity, task] == pytest.approx(wanted, rel=1e-12)


def test_homogenization(found):
    inner = inner_products(found)
    wanted = (inner.sum() - np.trace(inner)) / (2 * np.trace(inner))
    assert found["homogenization"] == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize("unseen", [False, True])
def test_entities_that_only_pad_the_arrays_are_not_counted(unseen):
    """Also where nobody ever sees a direction, so that the bias stays, and those that pad have it too."""
    ecosystem = random_ecosystem(2, theta=True)
    seen = jnp.diag(jnp.array([1.0, 1.0, 1.0, 0.0 if unseen else 1.0]))
    private, synthetic = seen @ ecosystem.private.gram @ seen, seen @ ecosystem.synthetic.gram @ seen

    def made(*by_entity):
        private, synthetic, shares = by_entity
        return theory.ecosystem_from_grams(private, 0.3 * seen, synthetic, shares, 0.7, ecosystem.public.truth)

    by_entity = private, synthetic, ecosystem.shares
    alone = made(*by_entity)
    counted = made(*(jnp.concatenate([each, jnp.zeros((2, *each.shape[1:]))]) for each in by_entity))
    padded = eqx.tree_at(lambda e: e.present, counted, jnp.arange(5) < 3)
    weights = theory.Weights(0.4, 0.3)
    found = theory.homogenization(limit(padded, weights))
    assert float(found) == pytest.approx(float(theory.homogenization(limit(alone, weights))), rel=1e-10)
    assert float(found) != pytest.approx(float(theory.homogenization(limit(counted, weights))), rel=1e-3)


def test_disagreement(found):
    inner = inner_products(found)
    wanted = np.sqrt(np.maximum(np.diag(inner)[:, None] + np.diag(inner) - inner - inner.T, 0))
    np.testing.assert_allclose(found["disagreement"], wanted, atol=1e-7)


def test_mean_distance_comes_from_the_mean_map(found):
    """Initial data j is θ plus noise of covariance σ² S⁺ on what it sees; the means differ by (M_k - M_l) of it."""
    grams = np.concatenate([found["private"], found["public"][None]])
    noise = 0.7 * np.linalg.pinv(grams, rcond=1e-12, hermitian=True)
    for k, other in [(0, 1), (0, 2), (1, 2)]:
        difference = found["mean_map"][k] - found["mean_map"][other]
        spread = np.einsum("jab,jbc,jac->", difference, noise, difference)
        offset = found["bias"][k] - found["bias"][other]
        assert found["mean_distance"][k, other] == pytest.approx(np.sqrt(spread + offset @ offset), rel=1e-8)


def test_distribution_distance(found):
    # SciPy's root of a singular matrix is inexact; adding one tiny multiple of I to both hardly moves the distance.
    spread = found["covariance"] + 1e-11 * np.eye(4)
    for k, other in [(0, 1), (2, 0)]:
        root = sqrtm(spread[k])
        overlap = np.trace(sqrtm(root @ spread[other] @ root)).real
        gap = ((found["bias"][k] - found["bias"][other]) ** 2).sum()
        squared = np.trace(spread[k] + spread[other]) - 2 * overlap + gap
        assert found["distribution_distance"][k, other] == pytest.approx(np.sqrt(squared), abs=1e-5)


@pytest.mark.parametrize("distance", [measure.__name__ for measure in PAIRWISE])
def test_distances_are_symmetric_with_zero_diagonal(distance, found):
    values = found[distance]
    np.testing.assert_allclose(values, values.T, atol=1e-7)
    assert (np.abs(np.diag(values)) < 1e-7).all()
    assert (values[~np.eye(3, dtype=bool)] > 1e-3).all()


def test_row_block_spread(found):
    blocks = found["mean_map"]
    wanted = ((blocks - blocks.mean(0)) ** 2).sum() / (blocks**2).sum()
    assert found["row_block_spread"] == pytest.approx(wanted, rel=1e-12)


def test_transfer(found):
    """The trace of each block over d; rows sum to one less the mean bias."""
    np.testing.assert_allclose(found["transfer"], np.trace(found["mean_map"], axis1=-2, axis2=-1) / 4, rtol=1e-12)
    unseen = np.trace(found["bias_map"], axis1=-2, axis2=-1) / 4
    np.testing.assert_allclose(found["transfer"].sum(1), 1 + unseen, atol=1e-12)


def test_transfer_rows_sum_to_one_where_unbiased():
    found = measured(random_ecosystem(2, theta=True), WEIGHTS)
    np.testing.assert_allclose(found["transfer"].sum(1), 1, atol=1e-12)


def test_relative_efficiency_is_against_all_real_data():
    found = measured(random_ecosystem(2, theta=True), WEIGHTS)
    best = 0.7 * np.trace(np.linalg.inv(found["private"].sum(0) + found["public"]))
    assert float(theory.minimum_variance(random_ecosystem(2))) == pytest.approx(best, rel=1e-12)
    np.testing.assert_allclose(found["relative_efficiency"], best / found["mse"], rtol=1e-12)


GENERATIONS = 300


def test_no_error_is_negative_where_no_digit_is_left():
    """Private data of rank 2 and next to no weight on what fills the other directions: terms of 1/α² cancel."""
    rng = np.random.default_rng(0)
    # integers, whose ranks float64 holds exactly
    rows = [rng.integers(-3, 4, (number, 6)).astype(float) for number in (2, 2, 2, 12)]
    *private, public = (x.T @ x for x in rows)
    ecosystem = theory.Ecosystem(
        private=theory.Dataset(jnp.array(private), jnp.ones(3), jnp.zeros((3, 6))),
        public=theory.Dataset(jnp.array(public), jnp.ones(()), jnp.zeros(6)),
        synthetic=theory.Dataset(jnp.array([public] * 3), jnp.ones(3)),
        shares=jnp.full(3, 1 / 3),
    )
    measured = {alpha: measured_errors(ecosystem, alpha) for alpha in (1e-4, 1e-5, 1e-10)}
    errors = {alpha: values for alpha, (values, _) in measured.items()}
    for some, others in zip(errors[1e-4], errors[1e-5], strict=True):
        assert jnp.abs(some - others).max() < 1e-2 * jnp.abs(some).max()
    assert measured[1e-4][1] == theory.RESULTS.successful
    assert measured[1e-10][1] == theory.RESULTS.ill_conditioned
    squared, *_, later = errors[1e-10]
    for lost in (squared, later):  # which once was negative
        assert jnp.isnan(lost).any()
        assert not (lost < 0).any()


@jax.jit
def measured_errors(ecosystem, alpha):
    weights = theory.Weights(alpha, 1.0)
    law = theory.limit(ecosystem, weights)
    steps = theory.trajectory(ecosystem, weights, 2, theory.mse)[1:]
    return (theory.mse(law), theory.mspe(law), theory.covariance(law), steps), theory.reason(law)


@jax.jit
def trajectory(ecosystem, weights):
    """Some measures at generations 0..T by name."""
    measures = theory.mse, theory.mspe, theory.mean_map, theory.homogenization, theory.row_block_spread
    report = lambda law: {measure.__name__: measure(law) for measure in measures}  # noqa: E731
    return theory.trajectory(ecosystem, weights, GENERATIONS, report)


def test_trajectory_tends_to_the_limit():
    ecosystem = random_ecosystem(4, rank=2, theta=True)
    late = trajectory(ecosystem, WEIGHTS)
    wanted = measured(ecosystem, WEIGHTS)
    for name in ("mse", "mspe", "mean_map", "homogenization"):
        assert relative_gap(late[name][0], wanted[name]) > 0.01
        assert relative_gap(late[name][-1], wanted[name]) < 1e-10


def test_pure_recursion():
    """At α = 1 everybody fits the pool: all are one model, whose covariance grows by S̲⁻¹ N S̲⁻¹ (errata E12)."""
    ecosystem = random_ecosystem(6, theta=True)
    found = trajectory(ecosystem, theory.Weights(jnp.ones(3), jnp.full(3, 0.5)))
    inverse = np.linalg.inv(ecosystem.pool_gram)
    growth = np.trace(
        inverse @ np.einsum("k,kab->ab", ecosystem.shares**2, ecosystem.synthetic.moment_covariance) @ inverse
    )
    np.testing.assert_allclose(np.diff(found["mse"][1:], axis=0), growth, rtol=1e-9)
    assert found["row_block_spread"][0] > 0.01
    np.testing.assert_allclose(found["row_block_spread"][1:], 0, atol=1e-12)
    np.testing.assert_allclose(found["homogenization"][1:], 1, atol=1e-12)


def test_a_lone_model_has_nobody_to_resemble():
    assert np.isnan(theory.homogenization(limit(random_ecosystem(2, 1), theory.Weights(0.5, 0.5))))


def biased_ecosystem(theta):
    """Each dataset sees one of 4 dimensions: biased at first, and for ever where α = 0."""
    return random_ecosystem(3, rank=1, theta=theta)


BLIND = theory.Weights(0.0, 1.0)


@pytest.mark.parametrize("measure", NEED_THETA)
def test_a_biased_error_needs_theta(measure):
    law = limit(biased_ecosystem(theta=False), BLIND)
    with pytest.raises(theory.DependsOnTheta, match="theta"):
        measure(law)


def test_a_biased_error_is_nan_while_traced():
    found = measured(biased_ecosystem(theta=False), BLIND)
    for measure in NEED_THETA:
        asked = ~np.eye(3, dtype=bool) if measure in PAIRWISE else ...
        assert np.isnan(found[measure.__name__][asked]).all(), measure
    for measure in OTHERS:
        assert np.isfinite(found[measure.__name__]).all(), measure


def test_a_biased_error_is_a_number_with_theta():
    found = measured(random_ecosystem(3, rank=2, theta=True), BLIND)
    assert (found["bias_map_norm"] > 0.9).all()
    assert all(np.isfinite(found[measure.__name__]).all() for measure in NEED_THETA)


def test_only_biased_entities_are_nan():
    ecosystem = random_ecosystem(3)
    private = ecosystem.private.gram.at[1].set(jnp.diag(jnp.array([1.0, 1.0, 0.0, 0.0])))
    blind = theory.ecosystem_from_grams(private, ecosystem.public.gram, ecosystem.synthetic.gram, ecosystem.shares, 0.7)
    assert np.isnan(measured(blind, BLIND)["mse"]).tolist() == [False, True, False]


def test_theta_plays_no_part_where_unbiased():
    with_theta, without = (measured(random_ecosystem(3, theta=theta), WEIGHTS) for theta in (True, False))
    np.testing.assert_allclose(with_theta["mse"], without["mse"], rtol=1e-12)


def test_a_bias_counts_until_it_is_rounding():
    """Entity 0 knows nothing, entity 1 all: the pool's bias starts at a half and is three quarters of the last one's."""
    private = jnp.array([0.0, 1.0]).reshape(2, 1, 1)
    ecosystem = theory.ecosystem_from_grams(private, jnp.zeros((1, 1)), jnp.ones((2, 1, 1)), theory.equal_shares(2))

    def measure(law):
        return theory.bias_map_norm(law), theory.biased(law), theory.mse(law)

    traced = jax.jit(lambda weights: theory.trajectory(ecosystem, weights, 120, measure))
    norm, biased, error = (np.asarray(value)[:, 0] for value in traced(theory.Weights(0.5, 1.0)))
    closed = 0.5 * 0.75 ** (np.arange(1, 121) - 1)
    np.testing.assert_allclose(norm[1:], closed, rtol=1e-3, atol=1e-15)
    assert biased[1:][closed > 1e-11].all()
    assert np.isnan(error[1:][closed > 1e-11]).all()
    assert not biased[1:][closed < 1e-13].any()
    assert np.isfinite(error[1:][closed < 1e-13]).all()


def test_the_first_generation_of_a_trajectory_needs_theta_too():
    with pytest.raises(theory.DependsOnTheta):
        theory.trajectory(biased_ecosystem(theta=False), theory.Weights(0.5, 1.0), 2, theory.mse)


def test_minimum_variance_needs_data_that_span():
    ecosystem = random_ecosystem(3, rank=1, entities=2)
    with pytest.raises(theory.CrossfeedError, match="do not span"):
        theory.minimum_variance(ecosystem)
    assert np.isnan(jax.jit(theory.minimum_variance)(ecosystem))


NO_LIMIT = {
    "mse": np.inf,
    "mspe": np.inf,
    "covariance": np.inf,
    "joint_covariance": np.inf,
    "conditional_covariance": np.inf,
    "mean_map": np.nan,
    "bias_map": np.nan,
    "relative_efficiency": np.nan,
    "homogenization": np.nan,
}


def test_results_where_there_is_no_limit():
    ecosystem, weights = theory.worst_case(3, 10.0), theory.Weights(0.5, 1.0)
    with pytest.raises(theory.NoLimit):
        theory.limit(ecosystem, weights)
    assert not limit(ecosystem, weights).exists
    found = measured(ecosystem, weights)
    for name, value in NO_LIMIT.items():
        np.testing.assert_array_equal(found[name], np.full(found[name].shape, value), name)


@jax.jit
def error_and_task_error(ecosystem, weights):
    law = theory.limit(ecosystem, weights)
    return theory.mse(law), theory.mspe(law), theory.homogenization(law)


@settings(max_examples=20)
@given(SEEDS, st.permutations(range(3)))
def test_names_of_entities_do_not_matter(seed, order):
    ecosystem, order = random_ecosystem(seed, theta=True), jnp.array(order)
    renamed = theory.ecosystem_from_grams(
        ecosystem.private.gram[order],
        ecosystem.public.gram,
        ecosystem.synthetic.gram[order],
        ecosystem.shares[order],
        0.7,
        ecosystem.public.truth,
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
    private, public, synthetic = (
        turn @ np.asarray(gram) @ turn.T
        for gram in (ecosystem.private.gram, ecosystem.public.gram, ecosystem.synthetic.gram)
    )
    turned = theory.ecosystem_from_grams(
        private, public, synthetic, ecosystem.shares, 0.7, turn @ np.asarray(ecosystem.public.truth)
    )
    for found, wanted in zip(
        error_and_task_error(turned, WEIGHTS), error_and_task_error(ecosystem, WEIGHTS), strict=True
    ):
        assert relative_gap(found, wanted) < 1e-9


@settings(max_examples=20)
@given(SEEDS, st.floats(0.01, 100))
def test_errors_scale_with_the_noise_variance(seed, factor):
    ecosystem = random_ecosystem(seed, theta=True)
    arrays = ecosystem.private.gram, ecosystem.public.gram, ecosystem.synthetic.gram, ecosystem.shares
    louder = theory.ecosystem_from_grams(*arrays, 0.7 * factor, ecosystem.public.truth)
    error, task_error, alike = error_and_task_error(ecosystem, WEIGHTS)
    found = error_and_task_error(louder, WEIGHTS)
    assert relative_gap(found[0], factor * error) < 1e-10
    assert relative_gap(found[1], factor * task_error) < 1e-10
    assert relative_gap(found[2], alike) < 1e-10
