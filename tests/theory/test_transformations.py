"""Exact results under jit, vmap and grad."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from crossfeed import theory

from .derivatives import assert_derivatives
from .ecosystems import random_ecosystem, relative_gap

NAMES = "private", "public", "synthetic"
ECOSYSTEM = random_ecosystem(1, rank=2, theta=True)
MEASURES = [
    theory.mse,
    theory.mspe,
    theory.relative_efficiency,
    theory.homogenization,
    theory.disagreement,
    theory.distribution_distance,
    theory.transfer,
    theory.bias_map_norm,
]


def limit_of(measure):
    return lambda alpha, beta: measure(theory.limit(ECOSYSTEM, theory.Weights(alpha, beta)))


def all_measures(law):
    return [measure(law) for measure in MEASURES]


def test_jit_changes_nothing():
    compute = limit_of(all_measures)
    for traced, plain in zip(jax.jit(compute)(0.4, 0.3), compute(0.4, 0.3), strict=True):
        assert relative_gap(traced, plain) < 1e-7  # distances are roots of differences


def test_trajectory_under_jit():
    compute = lambda alpha, beta: theory.trajectory(ECOSYSTEM, theory.Weights(alpha, beta), 4, theory.mse)  # noqa: E731
    np.testing.assert_allclose(jax.jit(compute)(0.4, 0.3), compute(0.4, 0.3), rtol=1e-11)


def test_grid_of_weights_is_a_loop():
    alphas, betas = jnp.linspace(0, 0.9, 4), jnp.linspace(0.1, 1, 3)
    compute = jax.jit(limit_of(theory.mse))
    grid = jax.vmap(jax.vmap(compute, (None, 0)), (0, None))(alphas, betas)
    loop = np.array([[compute(alpha, beta) for beta in betas] for alpha in alphas])
    np.testing.assert_allclose(grid, loop, rtol=1e-11)


def test_no_limit_spares_the_rest_of_the_grid():
    compute = jax.jit(jax.vmap(limit_of(theory.mse), (0, None)))
    values, plain = compute(jnp.array([0.2, 1.0, 0.7]), 0.5), compute(jnp.array([0.2, 0.5, 0.7]), 0.5)
    assert np.isposinf(values[1]).all()
    np.testing.assert_array_equal(values[::2], plain[::2])


@pytest.mark.parametrize("mode", [jax.jacfwd, jax.jacrev])
def test_no_limit_spares_the_other_gradients(mode):
    slope = jax.jit(jax.vmap(mode(lambda alpha: limit_of(theory.mse)(alpha, 0.5))))
    slopes, plain = slope(jnp.array([0.2, 1.0, 0.7])), slope(jnp.array([0.2, 0.5, 0.7]))
    np.testing.assert_array_equal(slopes[::2], plain[::2])
    assert np.isfinite(plain).all()


def test_gradients_of_the_limit():
    """By every entity's weights, its private features, the shares and the noise."""

    def errors(point):
        alpha, beta, private, share, noise_variance = point
        features = theory.Features(private, jnp.eye(4)[:3], jnp.stack([jnp.eye(4)] * 3))
        shares = jnp.stack([share, 0.5 - share, jnp.array(0.5)])
        ecosystem = theory.ecosystem_from_features(features, shares, 1.0, jnp.arange(4.0))
        noise = [noise_variance * getattr(ecosystem, name).noise_variance for name in NAMES]
        ecosystem = eqx.tree_at(lambda e: [getattr(e, name).noise_variance for name in NAMES], ecosystem, noise)
        law = theory.limit(ecosystem, theory.Weights(alpha, beta))
        measures = theory.mse, theory.mspe, theory.relative_efficiency, theory.homogenization
        return jnp.concatenate([measure(law).ravel() for measure in measures])

    private = np.random.default_rng(0).normal(size=(3, 2, 4))
    weights = [0.3, 0.5, 0.7], [0.6, 0.2, 0.4]
    assert_derivatives(errors, jax.tree.map(jnp.asarray, (*map(np.array, weights), private, 0.2, 0.8)))


def test_gradients_of_a_trajectory_by_its_schedule():
    schedule = jnp.array([[0.0], [0.3], [0.6]]), jnp.array([[0.2], [0.5], [0.7]])

    def error(schedule):
        return theory.trajectory(ECOSYSTEM, theory.Weights(*schedule), 2, theory.mse)[1:]

    assert_derivatives(error, schedule)


def test_gradients_where_the_range_turns():
    """One row each and no public data: G has rank 2 in 5 dimensions, and its range turns with the features."""

    def results(private):
        features = theory.Features(private, jnp.zeros((1, 5)), private)
        ecosystem = theory.ecosystem_from_features(features, theta=jnp.arange(1.0, 6))
        law = theory.limit(ecosystem, theory.Weights(0.4, 1.0))
        return jnp.concatenate([theory.mse(law), theory.covariance(law).ravel(), theory.mean_map(law).ravel()])

    assert_derivatives(results, jnp.asarray(np.random.default_rng(0).normal(size=(2, 1, 5))))


def test_gradients_at_the_edge_of_the_weights():
    """With real data of full rank the limit is smooth up to α = 0."""
    ecosystem = random_ecosystem(1)
    error = jax.jit(lambda alpha: theory.mse(theory.limit(ecosystem, theory.Weights(alpha, 0.5))).sum())
    slope, step = jax.jit(jax.grad(error)), 1e-6
    for alpha in (0.0, 1e-9):
        assert float(slope(alpha)) == pytest.approx(float(error(alpha + step) - error(alpha)) / step, rel=1e-4)


def test_a_sweep_over_weights_compiles_once():
    traces = []

    @jax.jit
    def error(ecosystem, weights):
        traces.append(None)
        return theory.mse(theory.limit(ecosystem, weights))

    for alpha in (0.0, 0.1, 0.7):
        error(ECOSYSTEM, theory.Weights(alpha, 0.3))
        error(random_ecosystem(2, theta=True), theory.Weights(0.2, alpha))
    assert len(traces) == 1


def test_numbers_of_any_kind_compile_once():
    traces = []

    @jax.jit
    def sizes(weights):
        traces.append(None)
        return weights.alpha + weights.beta

    for value in (0.1, 1, np.float64(0.9), np.array(0.9), jnp.linspace(0, 1, 3)[1]):
        sizes(theory.Weights(value, 0.5))
    assert len(traces) == 1


def test_a_batch_in_which_only_private_data_differ():
    """Nor public data nor weights have an axis of the batch."""
    radius = lambda strength: theory.spectral_radius(theory.worst_case(3, strength), theory.Weights(0.5, 1.0))  # noqa: E731
    strengths = jnp.array([1.0, 10.0])
    found = jax.jit(jax.vmap(radius))(strengths)
    np.testing.assert_allclose(found, 1 + strengths / (1 + strengths) * (np.sqrt(3) - 1) / 2, rtol=1e-12)
