"""Inverses in batches of small matrices: as accurate as LAPACK's, the same as one by one, and safe beside hard members."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

from crossfeed import theory
from crossfeed.formulas.kernels import training_kernels
from crossfeed.formulas.stein import geometric_sums

SIZES = [3, 5, 8, 11, 12, 16]
MEMBERS = 24


@jax.jit
def inverse(gram: jax.Array) -> jax.Array:
    return theory.LeastSquares().solve(gram, jnp.zeros_like(gram)).gain


def definite(rng: np.random.Generator, size: int, condition: float) -> np.ndarray:
    vectors = np.linalg.qr(rng.normal(size=(size, size)))[0]
    values = np.geomspace(1, 1 / condition, size)
    matrix = (vectors * values) @ vectors.T
    return (matrix + matrix.T) / 2


def exact_inverses(matrices: np.ndarray) -> np.ndarray:
    with mpmath.workdps(50):
        return np.array([np.array((mpmath.matrix(one.tolist()) ** -1).tolist(), float) for one in matrices])


def median_error(found: np.ndarray, exact: np.ndarray) -> float:
    return float(np.median(np.linalg.norm(found - exact, axis=(-2, -1)) / np.linalg.norm(exact, axis=(-2, -1))))


@pytest.mark.parametrize("condition", [1e2, 1e7, 1e12])
@pytest.mark.parametrize("size", SIZES)
def test_inverses_of_gram_matrices_are_as_accurate_as_lapack(size, condition):
    rng = np.random.default_rng(size)
    grams = np.stack([definite(rng, size, condition) for _ in range(MEMBERS)])
    found, exact = np.asarray(jax.vmap(inverse)(jnp.asarray(grams))), exact_inverses(grams)
    by_lapack = np.stack([inverse(gram) for gram in grams])
    factor = 3 if condition < 1e12 else 4  # 3.4 at 11 rows in JAX 0.12
    assert median_error(found, exact) <= factor * median_error(by_lapack, exact)


@pytest.mark.parametrize("size", [2, 12])
@pytest.mark.parametrize("last", [0.0, -1.0])
def test_a_matrix_that_is_not_definite_has_no_inverse_and_harms_no_other(size, last):
    hopeless = jnp.eye(size).at[-1, -1].set(last)
    others = [(1.0 + number) * jnp.eye(size) for number in range(8)]  # enough to be eliminated together
    gains = jax.vmap(inverse)(jnp.stack([hopeless, *others]))
    assert jnp.isnan(gains[0]).any()
    assert not jnp.isinf(gains[0]).any()
    np.testing.assert_allclose(gains[1:], [np.eye(size) / (1 + number) for number in range(8)], rtol=1e-15)


@pytest.mark.parametrize("size", [5, 14])
@pytest.mark.parametrize("radius", [0.0, 0.9, 1 - 1e-6, 1 - 2e-10])
def test_sums_over_generations_are_as_accurate_as_their_condition_allows(radius, size):
    """(I - H)⁻¹ against exact inverses, and the Stein equation's residual; with the largest eigenvalue positive or not."""
    contractions = np.random.default_rng(size).normal(size=(8, size, size))
    contractions[:4] = np.abs(contractions[:4])
    contractions *= radius / np.abs(np.linalg.eigvals(contractions)).max(-1)[:, None, None]
    noise = np.broadcast_to(np.eye(size), contractions.shape)
    inverses, sums = (np.asarray(values) for values in jax.jit(jax.vmap(geometric_sums))(contractions, noise))
    exact = exact_inverses(np.eye(size) - contractions)
    errors = np.linalg.norm(inverses - exact, axis=(1, 2)) / np.linalg.norm(exact, axis=(1, 2))
    assert (errors < 3e-16 * np.linalg.cond(np.eye(size) - contractions)).all()
    residuals = sums - contractions @ sums @ contractions.swapaxes(1, 2) - np.eye(size)
    assert (np.abs(residuals).max((1, 2)) < 1e-13 * np.abs(sums).max((1, 2))).all()


@pytest.mark.parametrize("size", [3, 12])
@pytest.mark.parametrize("nearest", [0.99, 1 - 1e-8, 1.0])
def test_a_batch_of_limits_is_what_each_is_alone(size, nearest):
    """Also beside a member so close to a unit root that sums of powers do not invert I - H, or one without a limit."""
    ecosystem = theory.random_gaussian(jax.random.key(size), 3, size, size // 2)
    alphas = [0.0, 0.5, 0.9, nearest]

    def transfers(alpha):
        return theory.mean_map(theory.limit(ecosystem, theory.Weights(alpha, 0.6), throw=False))

    found, one = jax.jit(jax.vmap(transfers))(jnp.asarray(alphas)), jax.jit(transfers)
    for alpha, value in zip(alphas, found, strict=True):
        alone = one(alpha)
        assert jnp.isfinite(alone).all() == (alpha < 1)
        np.testing.assert_allclose(value, alone, rtol=0, atol=1e-12 + 1e-14 / max(1 - alpha, 1e-15))


@pytest.mark.parametrize("size", [4, 12])
def test_gradients_of_a_batch_are_those_of_each(size):
    ecosystem = theory.random_gaussian(jax.random.key(size), 3, size, size // 2)

    def error(alpha):
        return theory.mse(theory.limit(ecosystem, theory.Weights(alpha, 0.6))).mean()

    alphas = jnp.asarray([0.1, 0.5, 0.9])
    alone = [jax.jit(jax.grad(error))(alpha) for alpha in alphas]
    np.testing.assert_allclose(jax.jit(jax.vmap(jax.grad(error)))(alphas), alone, rtol=1e-10)
    np.testing.assert_allclose(jax.jit(jax.grad(lambda x: jax.vmap(error)(x).sum()))(alphas), alone, rtol=1e-10)


@pytest.mark.parametrize("size", [3, 12, 14])
def test_no_bit_depends_on_what_is_computed_together(size):
    ecosystem = theory.random_gaussian(jax.random.key(size), 3, size, size // 2)

    @jax.jit
    @jax.vmap
    def found(alpha):
        law = theory.limit(ecosystem, theory.Weights(alpha, 0.5), throw=False)
        return theory.mse(law), law.spectral_radius

    alike, unlike = found(jnp.full(4, 0.3)), found(jnp.array([0.3, 0.9, 0.999, 1.0]))
    for one, other in zip(alike, unlike, strict=True):
        np.testing.assert_array_equal(one[0], other[0])


@pytest.mark.parametrize("size", [4, 20])
@pytest.mark.parametrize(("least", "seen"), [(1e-14, False), (1e-10, True), (1e-2, True)])
@pytest.mark.parametrize("scale", [1e-5, 1e5])
def test_what_public_data_do_not_show_is_unseen_and_nothing_else(size, least, seen, scale):
    public = definite(np.random.default_rng(size), size, 1 / least) * np.outer(*[np.geomspace(1, scale, size)] * 2)
    nothing = np.zeros((2, size, size))
    weights, grams = np.tile([0.0, 0.5, 0.5], (2, 1)), (nothing, public, np.stack([public, public]))
    for found in (training_kernels(*grams, weights), jax.jit(training_kernels)(*map(jnp.asarray, (*grams, weights)))):
        assert (np.asarray(np.trace(found, axis1=1, axis2=2)) < 0.5).tolist() == [seen] * 2
