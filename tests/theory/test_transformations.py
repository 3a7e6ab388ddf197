"""Exact results under jit, vmap and grad."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from crossfeed import theory

from .derivatives import assert_derivatives
from .ecosystems import random_ecosystem, relative_gap

ECOSYSTEM = random_ecosystem(1, rank=2, theta=True)
MEASURES = [
    theory.mse,
    theory.mspe,
    theory.relative_efficiency,
    theory.homogenisation,
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
    grid = jax.jit(jax.vmap(jax.vmap(compute, (None, 0)), (0, None)))(alphas, betas)
    loop = np.array([[compute(alpha, beta) for beta in betas] for alpha in alphas])
    np.testing.assert_allclose(grid, loop, rtol=1e-11)


def test_no_limit_spares_the_rest_of_the_grid():
    compute = jax.jit(jax.vmap(limit_of(theory.mse), (0, None)))
    values = compute(jnp.array([0.2, 1.0, 0.7]), 0.5)
    assert np.isposinf(values[1]).all()
    np.testing.assert_allclose(
        values[::2], [limit_of(theory.mse)(0.2, 0.5), limit_of(theory.mse)(0.7, 0.5)], rtol=1e-11
    )


@pytest.mark.parametrize("mode", [jax.jacfwd, jax.jacrev])
def test_no_limit_spares_the_other_gradients(mode):
    slope = mode(lambda alpha: limit_of(theory.mse)(alpha, 0.5).sum())
    slopes = jax.jit(jax.vmap(slope))(jnp.array([0.2, 1.0, 0.7]))
    np.testing.assert_allclose(slopes[::2], [jax.jit(slope)(0.2), jax.jit(slope)(0.7)], rtol=1e-10)
    assert np.isfinite(slopes[::2]).all()


@pytest.mark.parametrize("measure", [theory.mse, theory.mspe, theory.relative_efficiency, theory.homogenisation])
def test_gradients_of_the_limit_by_weights(measure):
    assert_derivatives(lambda weights: limit_of(measure)(*weights), (jnp.array(0.4), jnp.array(0.7)))


def test_gradients_by_every_entity_s_weights():
    weights = jnp.array([0.3, 0.5, 0.7]), jnp.array([0.6, 0.2, 0.4])
    assert_derivatives(lambda weights: limit_of(theory.mse)(*weights), weights)


def test_gradients_of_a_trajectory_by_its_schedule():
    schedule = jnp.array([[0.0], [0.3], [0.6]]), jnp.array([[0.2], [0.5], [0.7]])

    def error(schedule):
        return theory.trajectory(ECOSYSTEM, theory.Weights(*schedule), 2, theory.mse)[1:]

    assert_derivatives(error, schedule)


def error_by_features(private):
    """MSE where entities publish on their private inputs and there are no public data."""
    features = theory.Features(private, jnp.zeros((1, private.shape[-1])), private)
    ecosystem = theory.ecosystem_from_features(features, theta=jnp.arange(1.0, private.shape[-1] + 1))
    return theory.mse(theory.limit(ecosystem, theory.Weights(0.4, 1.0)))


@pytest.mark.parametrize("rows", [1, 3])
def test_gradients_by_private_features(rows):
    """With one row each, G has rank 2 in 5 dimensions and its range turns with the features."""
    private = jnp.asarray(np.random.default_rng(0).normal(size=(2, rows, 5)))
    assert_derivatives(error_by_features, private)


def test_gradients_by_noise_and_shares():
    def error(point):
        noise_variance, share = point
        shares = jnp.stack([share, 0.5 - share, jnp.array(0.5)])
        arrays = ECOSYSTEM.private, ECOSYSTEM.public, ECOSYSTEM.synthetic
        ecosystem = theory.Ecosystem(*arrays, shares, noise_variance, ECOSYSTEM.theta)
        return theory.mse(theory.limit(ecosystem, theory.Weights(0.6, 0.4)))

    assert_derivatives(error, (jnp.array(0.8), jnp.array(0.2)))


@pytest.mark.parametrize("alpha", [0.0, 1e-9])
def test_gradients_at_the_edge_of_the_weights(alpha):
    """At α = 0 the limit is smooth only where private and public data span; random ones of full rank do."""
    ecosystem = random_ecosystem(1)
    error = lambda alpha: theory.mse(theory.limit(ecosystem, theory.Weights(alpha, 0.5))).sum()  # noqa: E731
    slope = jax.jit(jax.grad(error))(alpha)
    step = 1e-6
    assert float(slope) == pytest.approx(float(error(alpha + step) - error(alpha)) / step, rel=1e-4)


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


@pytest.mark.parametrize("values", [(0.1, 0.9), (0.1, np.float64(0.9)), (0.1, 1), (0.1, jnp.array(0.9))], ids=str)
def test_numbers_of_any_kind_compile_once(values):
    traces = []

    @jax.jit
    def radius(weights):
        traces.append(None)
        return theory.spectral_radius(ECOSYSTEM, weights)

    for value in values:
        radius(theory.Weights(value, 0.5))
    assert len(traces) == 1
