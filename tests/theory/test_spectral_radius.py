"""ρ by squaring equals the largest eigenvalue, however the matrix is scaled, and so does its derivative."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from crossfeed import theory

pytestmark = pytest.mark.optimized

RNG = np.random.default_rng(3)


def eigenvalues(matrices):
    return np.abs(np.linalg.eigvals(matrices)).max(-1)


def spectral_radii(matrices):
    return jax.jit(jax.vmap(lambda m: theory.solve_stein(m, jnp.eye(len(m))).spectral_radius))(jnp.asarray(matrices))


@pytest.mark.parametrize("size", [1, 2, 5, 15, 40])
def test_dense(size):
    matrices = RNG.normal(size=(50, size, size))
    np.testing.assert_allclose(spectral_radii(matrices), eigenvalues(matrices), rtol=1e-11)


def test_triangular_and_badly_scaled():
    scales = 10.0 ** RNG.uniform(-6, 6, size=(50, 15))
    scaled = RNG.normal(size=(50, 15, 15)) * scales[:, :, None] / scales[:, None, :]
    triangular = np.triu(RNG.normal(size=(50, 15, 15)))
    for matrices in (scaled, triangular):
        np.testing.assert_allclose(spectral_radii(matrices), eigenvalues(matrices), rtol=1e-9)


def test_units_of_features_do_not_matter():
    """Features in units that differ by 3e5: the spectral projector is far from orthogonal."""
    plain = theory.worst_case(2, 1e5)
    units = jnp.diag(jnp.array([1.0, 3e5]))
    private, public, synthetic = (
        units @ gram @ units for gram in (plain.private.gram, plain.public.gram, plain.synthetic.gram)
    )
    scaled = theory.ecosystem_from_grams(private, public, synthetic, plain.shares)
    weights = theory.Weights(0.5, 1.0)
    radius = float(theory.spectral_radius(scaled, weights))
    assert radius == pytest.approx(float(theory.spectral_radius(plain, weights)), rel=1e-9)
    assert radius > 1.2
    with pytest.raises(theory.NoLimit):
        theory.limit(scaled, weights)


def test_nothing_and_nilpotent():
    matrices = np.stack([np.zeros((2, 2)), [[0, 1], [0, 0]], [[0, 1e12], [4e-12, 0]]])
    np.testing.assert_allclose(spectral_radii(matrices), [0, 0, 2], atol=1e-12)


def test_derivative():
    ecosystem = theory.random_gaussian(jax.random.key(0), 4, 5, 2)
    radius = jax.jit(lambda alpha: theory.spectral_radius(ecosystem, theory.Weights(alpha, 0.4)))
    step = 1e-6
    slope = (radius(0.3 + step) - radius(0.3 - step)) / (2 * step)
    assert float(jax.grad(radius)(0.3)) == pytest.approx(float(slope), rel=1e-7)
