"""X = H X Hᵀ + N: solved, differentiated, and refused where there is no solution."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import solve_discrete_lyapunov

from crossfeed import theory

from .derivatives import assert_derivatives
from .ecosystems import SEEDS, random_gram

pytestmark = pytest.mark.optimized

RADII = [0.0, 0.3, 0.9, 0.99, 0.999]
solve_stein = jax.jit(theory.solve_stein)


def random_problem(seed, radius, size=4):
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(size, size))
    matrix *= radius / np.abs(np.linalg.eigvals(matrix)).max()
    return jnp.asarray(matrix), jnp.asarray(random_gram(rng, size, int(rng.integers(1, size + 1))))


@given(SEEDS, st.sampled_from(RADII))
def test_agrees_with_scipy(seed, radius):
    contraction, noise = random_problem(seed, radius)
    solution = solve_stein(contraction, noise)
    wanted = solve_discrete_lyapunov(np.asarray(contraction), np.asarray(noise))
    np.testing.assert_allclose(solution.value, wanted, rtol=0, atol=1e-10 * np.abs(wanted).max())
    assert solution.spectral_radius == pytest.approx(radius, abs=1e-12)
    assert solution.converged


@given(SEEDS, st.sampled_from(RADII))
def test_symmetric_and_positive(seed, radius):
    value = np.asarray(solve_stein(*random_problem(seed, radius)).value)
    assert (value == value.T).all()
    assert np.linalg.eigvalsh(value)[0] > -1e-12 * np.abs(value).max()


@pytest.mark.parametrize("radius", [1 - 1e-6, 1 - 1e-9])
def test_close_to_a_unit_root(radius):
    value = theory.solve_stein(jnp.array([[radius]]), jnp.eye(1)).value
    assert value[0, 0] == pytest.approx(1 / ((1 - radius) * (1 + radius)), rel=1e-6)


def test_nilpotent_matrix():
    contraction = 100 * jnp.eye(3, k=1)
    wanted = solve_discrete_lyapunov(np.asarray(contraction), np.eye(3))
    np.testing.assert_allclose(theory.solve_stein(contraction, jnp.eye(3)).value, wanted, rtol=1e-12)


def test_vmap_is_a_loop():
    problems = [random_problem(seed, radius) for seed, radius in enumerate(RADII)]
    batch = jax.vmap(theory.solve_stein)(*map(jnp.stack, zip(*problems, strict=True)))
    for k, problem in enumerate(problems):
        alone = solve_stein(*problem).value
        np.testing.assert_allclose(batch.value[k], alone, rtol=0, atol=1e-12 * np.abs(alone).max())


def test_gradients_are_finite_differences():
    assert_derivatives(lambda problem: theory.solve_stein(*problem).value, random_problem(1, 0.95))


@pytest.mark.parametrize("radius", [1.0, 1.2])
def test_no_limit_is_raised(radius):
    with pytest.raises(theory.NoLimit, match=f"spectral radius is {radius:g}"):
        theory.solve_stein(radius * jnp.eye(2), jnp.eye(2))


@pytest.mark.parametrize("radius", [1.0, 1.2])
def test_no_limit_is_marked_while_traced(radius):
    solution = solve_stein(radius * jnp.eye(2), jnp.eye(2))
    assert not solution.converged
    assert np.isposinf(solution.value).all()


def test_one_unstable_element_leaves_the_batch_alone():
    stable, noise = random_problem(4, 0.8)
    batch = jnp.stack([stable, 1.5 * jnp.eye(4), stable.T])
    solution = jax.vmap(lambda h: theory.solve_stein(h, noise))(batch)
    assert solution.converged.tolist() == [True, False, True]
    np.testing.assert_allclose(solution.value[0], solve_stein(stable, noise).value, rtol=1e-12)
    np.testing.assert_allclose(solution.value[2], solve_stein(stable.T, noise).value, rtol=1e-12)


@pytest.mark.parametrize("derivative", [jax.jacfwd, jax.jacrev])
def test_gradients_beside_an_unstable_element(derivative):
    stable, noise = random_problem(4, 0.8)
    size = lambda h: jnp.trace(theory.solve_stein(h, noise).value)  # noqa: E731
    slopes = jax.vmap(derivative(size))(jnp.stack([stable, 1.5 * jnp.eye(4)]))
    np.testing.assert_allclose(slopes[0], derivative(size)(stable), rtol=1e-10)
    assert np.isfinite(slopes).all()
