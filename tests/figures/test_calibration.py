from itertools import product
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from crossfeed.figures.calibration import ALPHAS, Settings, fit, published_points
from crossfeed.figures.settings import changes_from_words, read_settings

FILE = Path(__file__).parents[2] / "figures" / "fig2_published_points.csv"


@pytest.fixture(scope="module")
def fitted():
    published = published_points()
    return published, fit(jnp.asarray(published), read_settings(Settings, changes=[changes_from_words(["steps=200"])]))


def test_all_360_points_are_read():
    published = published_points()
    assert published.size == 360
    assert np.isfinite(published).all()
    assert 0.64 < published[1].max() < 0.65  # the paper's peak at β = 0.5


def test_points_stand_where_the_file_says():
    """By β, by model, and from the smallest α to the largest."""
    points = np.loadtxt(FILE, delimiter=",", skiprows=1)
    for (b, beta), model in product(enumerate((0.1, 0.5, 0.9)), (1, 2, 3, 4)):
        of_curve = points[(points[:, 0] == beta) & (points[:, 1] == model)]
        of_curve = of_curve[np.argsort(of_curve[:, 2])]
        np.testing.assert_array_equal(published_points()[b, :, model - 1], of_curve[:, 3])
        np.testing.assert_allclose(ALPHAS, of_curve[:, 2], atol=2e-3)


@pytest.mark.long
def test_every_published_point_is_reproduced(fitted):
    _, (_, residual) = fitted
    assert np.abs(residual).max() < 0.002


@pytest.mark.long
def test_fit_keeps_the_paper_setting(fitted):
    _, (guess, _) = fitted
    ecosystem = guess.ecosystem()
    assert ecosystem.private.gram.shape == (4, 15, 15)
    assert [np.linalg.matrix_rank(gram) for gram in np.asarray(ecosystem.private.gram)] == [5, 5, 5, 5]
    np.testing.assert_array_equal(ecosystem.synthetic.gram, ecosystem.private.gram)
