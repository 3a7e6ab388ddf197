import jax.numpy as jnp
import numpy as np
import pytest
from crossfeed.figures.calibration import fit, published_points


@pytest.fixture(scope="module")
def fitted():
    published = published_points()
    return published, fit(jnp.asarray(published), 300, 0)


def test_all_360_points_are_read():
    published = published_points()
    assert published.size == 360
    assert np.isfinite(published).all()
    assert 0.64 < published[1].max() < 0.65  # the paper's peak at β = 0.5


def test_every_published_point_is_reproduced(fitted):
    _, (_, residual) = fitted
    assert np.abs(residual).max() < 0.002


def test_fit_keeps_the_paper_setting(fitted):
    _, (guess, _) = fitted
    ecosystem = guess.ecosystem()
    assert ecosystem.private.shape == (4, 15, 15)
    assert [np.linalg.matrix_rank(gram) for gram in np.asarray(ecosystem.private)] == [5, 5, 5, 5]
    np.testing.assert_array_equal(ecosystem.synthetic, ecosystem.private)
