"""Regimes without an exact law, held against exact laws wherever a setting has one, and against published numbers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from crossfeed.sim.regression import (
    Bernoulli,
    Gaussian,
    KeepBest,
    Poisson,
    Regression,
    Robust,
    StochasticGradient,
    fisher_ecosystem,
    simulate_regression,
)
from crossfeed.theory import (
    Accumulate,
    Dataset,
    Ecosystem,
    Features,
    Forget,
    GradientSteps,
    Shared,
    Weights,
    Workflow,
    baselines,
    ecosystem_from_features,
    mean_error,
    mse,
    stack_features,
    trajectory,
)

from crossfeed.errors import InvalidInput

RNG = np.random.default_rng(0)
TRUTH = jnp.array([1.0, -0.5])
FALSE_ALARM_Z = 4.9  # 1e-6 two-sided; fewer than a thousand comparisons in this file


def rows(count: int) -> np.ndarray:
    return RNG.normal(size=(count, 2))


FEATURES = stack_features([rows(6), rows(6)], rows(8), [rows(7), rows(7)])
WEIGHTS = Weights([0.4, 0.7], [0.5, 0.8])


def assert_agrees(found, error, wanted):
    z = (np.asarray(found) - np.asarray(wanted)) / np.asarray(error)
    assert np.abs(z).max() < FALSE_ALARM_Z, z


def orthonormal(count: int, size: int) -> np.ndarray:
    """Rows with X'X = n I."""
    return np.sqrt(count) * np.linalg.qr(RNG.normal(size=(count, size)))[0]


@pytest.mark.parametrize(
    ("settings", "workflow"),
    [
        ({}, Workflow()),
        ({"memory": Accumulate()}, Workflow(memory=Accumulate())),
        ({"memory": Forget(0.3)}, Workflow(memory=Forget(0.3))),
    ],
    ids=["replace", "accumulate", "forget"],
)
def test_linear_regimes_follow_the_exact_theory(settings, workflow):
    found = simulate_regression(
        Regression(FEATURES, TRUTH, labels=Gaussian(0.7), **settings), WEIGHTS, 3, 1500, jax.random.key(1)
    )
    ecosystem = ecosystem_from_features(FEATURES, noise_variance=0.7, theta=TRUTH)
    assert_agrees(found.mse, found.mse_se, trajectory(ecosystem, WEIGHTS, 3, mse, workflow))
    wrong = trajectory(ecosystem, WEIGHTS, 3, mse, Workflow(pool=Shared(0.5), memory=workflow.memory))
    assert np.abs((np.asarray(found.mse) - wrong)[-1] / found.mse_se[-1]).max() > 2 * FALSE_ALARM_Z
    assert all((count == 0).all() for count in found.failed.values())


def test_random_human_labels_have_the_mean_of_their_fraction():
    """Which rows people label is random, so only the mean of the estimates has the exact law: with other truths it shows."""
    truths, people = jnp.array([[1.0, -0.5], [0.0, 2.0]]), jnp.array([3.0, 3.0])
    regression = Regression(FEATURES, truths, people, human=0.3)
    found = simulate_regression(regression, WEIGHTS, 2, 1500, jax.random.key(2), lambda estimates: estimates)
    ecosystem = ecosystem_from_features(FEATURES)
    ecosystem = Ecosystem(
        private=Dataset(ecosystem.private.gram, truth=truths),
        public=Dataset(ecosystem.public.gram, truth=people),
        synthetic=ecosystem.synthetic,
    )
    wanted = trajectory(ecosystem, WEIGHTS, 2, mean_error, Workflow(pool=Shared(0.3))) + people[None, None]
    assert_agrees(found.measured, found.measured_se, wanted)


@pytest.mark.long
def test_stochastic_gradient_has_the_mean_of_gradient_steps():
    ecosystem = ecosystem_from_features(FEATURES, theta=TRUTH)
    fitting = StochasticGradient(steps=5, batch=1, rate=0.01)
    regression = Regression(FEATURES, jnp.array([[1.0, -0.5], [0.0, 2.0]]), TRUTH, fitting=fitting)
    found = simulate_regression(regression, WEIGHTS, 2, 2000, jax.random.key(3), lambda estimates: estimates)
    ecosystem = Ecosystem(
        private=Dataset(ecosystem.private.gram, truth=regression.truth),
        public=Dataset(ecosystem.public.gram, truth=TRUTH),
        synthetic=ecosystem.synthetic,
    )
    workflow = Workflow(GradientSteps(5, 0.01))
    wanted = trajectory(ecosystem, WEIGHTS, 2, mean_error, workflow) + TRUTH[None, None]
    assert_agrees(found.measured, found.measured_se, wanted)
    assert (found.mse[1:] > 1.1 * trajectory(ecosystem, WEIGHTS, 2, mse, workflow)[1:]).all()


def test_fresh_inputs_alone_follow_the_law_of_replacement():
    """One model, α = 1: the error grows by σ²d/(n-d-1) a generation."""
    data = Features(orthonormal(12, 2)[None], np.zeros((1, 2)), orthonormal(12, 2)[None])
    regression = Regression(data, TRUTH, inputs="fresh", real="fresh")
    found = simulate_regression(regression, Weights(1.0, 1.0), 2, 2000, jax.random.key(4))
    wanted = baselines.replace(features=2, rows=12, generations=3)
    assert_agrees(found.mse[:, 0], found.mse_se[:, 0], wanted)


@pytest.mark.parametrize(
    ("labels", "published", "error"),
    [
        pytest.param(Gaussian(), 0.01350, 0.00023, id="linear"),
        pytest.param(Bernoulli(), 0.1155, 0.0031, id="logistic"),
        pytest.param(Poisson(), 0.00409, 0.00008, id="Poisson", marks=pytest.mark.long),
    ],
)
def test_published_errors_with_fresh_real_data(labels, published, error):
    """n = 100 real and 100 synthetic rows a generation, weight ½: runs of He et al. 2025 (MukaiCodes/Model_Collapse_Codes)."""
    data = Features(orthonormal(100, 2)[None], np.zeros((1, 2)), orthonormal(100, 2)[None])
    regression = Regression(data, jnp.ones(2), labels=labels, inputs="fresh", real="fresh")
    found = simulate_regression(regression, Weights(0.5, 1.0), 8, 400, jax.random.key(5))
    z = (float(found.mse[-1, 0]) - published) / np.hypot(float(found.mse_se[-1, 0]), error)
    assert abs(z) < FALSE_ALARM_Z


def test_counts_die_out_as_the_law_says():
    data = Features(np.ones((1, 10, 1)), np.zeros((1, 1)), np.ones((1, 10, 1)))
    regression = Regression(data, jnp.zeros(1), labels=Poisson())  # nλ = 10
    found = simulate_regression(regression, Weights(1.0, 1.0), 49, 500, jax.random.key(6))
    alive = 1 - np.sum([np.asarray(count) for count in found.failed.values()], axis=0)[:, 0] / 500
    wanted = np.asarray(baselines.poisson_survival(expected_count=10.0, generations=50))
    error = np.sqrt(np.maximum(wanted * (1 - wanted), 1e-3) / 500)
    assert_agrees(alive, error, wanted)
    assert np.isnan(found.mse[-1, 0]), "a mean over estimates of which some do not exist is no number"


@pytest.mark.long
def test_fisher_information_stands_for_the_gram_matrix_where_rows_are_many():
    many = np.concatenate([np.asarray(FEATURES.public)] * 20)
    data = stack_features([many, many], many, [many, many])
    found = simulate_regression(Regression(data, TRUTH, labels=Poisson()), WEIGHTS, 1, 800, jax.random.key(7))

    def gap(ecosystem, weights):
        """In standard errors, after an allowance of 5 % for terms of order 1/n."""
        linear = trajectory(ecosystem, weights, 1, mse)
        return (np.maximum(np.abs(found.mse - linear) - 0.05 * linear, 0) / np.asarray(found.mse_se)).max()

    assert gap(fisher_ecosystem(data, Poisson(), TRUTH), WEIGHTS) < FALSE_ALARM_Z
    assert gap(fisher_ecosystem(data, Bernoulli(), TRUTH), WEIGHTS) > FALSE_ALARM_Z
    assert gap(fisher_ecosystem(data, Poisson(), 3 * TRUTH), WEIGHTS) > FALSE_ALARM_Z


def test_curation_that_keeps_all_changes_nothing():
    plain = simulate_regression(Regression(FEATURES, TRUTH), WEIGHTS, 2, 50, jax.random.key(8))
    same = simulate_regression(
        Regression(FEATURES, TRUTH, curation=KeepBest(1.0, "reader")), WEIGHTS, 2, 50, jax.random.key(8)
    )
    np.testing.assert_allclose(same.mse, plain.mse, rtol=1e-9)


def test_what_is_kept_is_what_the_judge_likes():
    labels, label = Gaussian(), jnp.array([[0.0, 5.0, 1.0, 9.0]])
    inputs = jnp.ones((1, 4, 1))
    estimates, truth = jnp.array([[8.0], [0.0]]), jnp.array([4.0])
    by = {
        "reader": KeepBest(0.5, "reader").weights(labels, inputs, label, estimates, truth),
        "oracle": KeepBest(0.5, "oracle").weights(labels, inputs, label, estimates, truth),
        "point": KeepBest(0.5, "point", jnp.array([20.0])).weights(labels, inputs, label, estimates, truth),
    }
    assert by["reader"][:, 0].tolist() == [[0, 2, 0, 2], [2, 0, 2, 0]]
    assert by["oracle"][:, 0].tolist() == [[0, 2, 2, 0]] * 2
    assert by["point"][:, 0].tolist() == [[0, 2, 0, 2]] * 2


def test_curation_to_a_point_pulls_there_and_narrows():
    point = jnp.array([3.0, 3.0])
    regression = Regression(FEATURES, TRUTH, curation=KeepBest(0.5, "point", point))
    drawn = simulate_regression(regression, Weights(0.9, 0.5), 3, 500, jax.random.key(9), lambda e: e)
    away = np.linalg.norm(np.asarray(drawn.measured) - np.asarray(point), axis=-1)
    assert (away[-1] < away[0] - 10 * np.asarray(drawn.measured_se[-1]).max()).all()


def test_robust_fits_are_unbiased_and_less_efficient():
    robust = simulate_regression(
        Regression(FEATURES, TRUTH, fitting=Robust(0.5)), WEIGHTS, 1, 1500, jax.random.key(10), lambda e: e
    )
    assert_agrees(robust.measured, robust.measured_se, jnp.broadcast_to(TRUTH, (2, 2, 2)))
    plain = trajectory(ecosystem_from_features(FEATURES, theta=TRUTH), WEIGHTS, 1, mse)
    assert (robust.mse > plain).all()


def test_one_that_failed_spoils_those_that_read_it():
    """Rows of entity 0 lie on a line; entity 1 knows enough, and reads entity 0 from generation 1 on."""
    line = np.outer(RNG.normal(size=6), [1.0, 2.0])
    data = stack_features([line, rows(6)], 0 * rows(1), [rows(5), rows(5)])
    found = simulate_regression(Regression(data, TRUTH), Weights([0.5, 0.5], 1.0), 2, 10, jax.random.key(11))
    assert found.failed["no_data"][:, 0].tolist() == [10, 0, 0]
    assert found.failed["earlier"].tolist() == [[0, 0], [10, 10], [10, 10]]
    assert np.isfinite(found.mse[0, 1])
    assert np.isnan(found.mse[1:]).all()


def test_same_key_same_numbers_other_key_other_numbers():
    first, again, other = (
        simulate_regression(Regression(FEATURES, TRUTH), WEIGHTS, 1, 20, jax.random.key(seed)) for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first.mse, again.mse)
    assert (first.mse != other.mse).all()


BAD = {
    "truth": (lambda: Regression(FEATURES, jnp.ones(3)), r"truth must have shape \(2,\) or \(2, 2\)"),
    "no public truth": (lambda: Regression(FEATURES, jnp.ones((2, 2))), "public_truth is needed"),
    "human": (lambda: Regression(FEATURES, TRUTH, human=1.2), "human is 1.2"),
    "shares": (lambda: Regression(FEATURES, TRUTH, shares=jnp.array([0.5, 0.6])), "shares must sum to 1"),
    "fraction": (lambda: KeepBest(0.0, "reader"), "fraction is 0.0"),
    "no point": (lambda: KeepBest(0.5, "point"), "judge is 'point', but point is None"),
    "threshold": (lambda: Robust(0.0), "threshold is 0.0"),
    "steps": (lambda: StochasticGradient(0, 1, 0.1), "steps is 0"),
    "variance": (lambda: Gaussian(-1.0), "noise_variance is -1"),
    "observed": (
        lambda: Regression(FEATURES, TRUTH, observed=(jnp.zeros((2, 5)), jnp.zeros(8))),
        r"observed private labels must have shape \(2, 6\)",
    ),
    "shares of others": (lambda: Regression(FEATURES, TRUTH, shares=jnp.ones(1)), r"shares must have shape \(2,\)"),
    "NaN": (lambda: Regression(FEATURES, TRUTH.at[0].set(jnp.nan)), r"truth\[0, 0\] is nan"),
    "padding": (lambda: Regression(stack_features([rows(2), rows(3)], rows(2)), TRUTH), "private holds a row of zeros"),
    "no probability": (
        lambda: Regression(FEATURES, TRUTH, labels=Bernoulli(), observed=(jnp.full((2, 6), 7.0), jnp.zeros(8))),
        "observed private labels hold 7, but must be 0 or 1",
    ),
    "replicates": (
        lambda: simulate_regression(Regression(FEATURES, TRUTH), WEIGHTS, 1, 1, jax.random.key(0)),
        "replicates is 1",
    ),
}


@pytest.mark.parametrize(("make", "message"), BAD.values(), ids=BAD)
def test_bad_input(make, message):
    with pytest.raises(InvalidInput, match=message):
        make()
