"""Recursive Gaussian fitting follows the known laws of one model, and averages noise over several."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from crossfeed.sim import simulate_gaussian_fitting
from crossfeed.theory import Accumulate, baselines

from crossfeed.errors import InvalidInput

KEY = jax.random.key(0)


def assert_agrees(found, error, wanted):
    assert np.abs((np.asarray(found) - np.asarray(wanted)) / np.asarray(error)).max() < 4.5


def test_accumulation_has_the_published_variance():
    fits = simulate_gaussian_fitting(KEY, samples=10, generations=5, replicates=4_000, memory=Accumulate())
    wanted = baselines.gaussian_accumulate(rows=10, generations=5)
    assert_agrees(fits.variance[:, 0], fits.variance_se[:, 0], wanted)


def test_replacement_has_the_published_error_of_the_variance():
    """(1 + 2/n)^T - 1 for n degrees of freedom."""
    fits = simulate_gaussian_fitting(KEY, samples=11, generations=4, replicates=4_000, unbiased=True)
    wanted = baselines.gaussian_replace(degrees_of_freedom=10, generations=4)
    assert_agrees(fits.variance_error[:, 0], fits.variance_error_se[:, 0], wanted)
    assert_agrees(fits.variance[:, 0], fits.variance_se[:, 0], np.ones(4))


def test_several_models_average_their_noise():
    one = simulate_gaussian_fitting(KEY, samples=20, generations=6, replicates=4000)
    four = simulate_gaussian_fitting(KEY, samples=20, generations=6, replicates=4000, entities=4)
    growth = [(fits.mean_error[-1] - fits.mean_error[1]).mean() for fits in (one, four)]
    assert 3 < growth[0] / growth[1] < 5


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"samples": 1}, "samples is 1"),
        ({"generations": 0}, "generations is 0"),
        ({"entities": 2, "shares": jnp.array([0.5, 0.6])}, "shares must sum to 1"),
        ({"memory": Accumulate(), "unbiased": True}, "unbiased is for"),
    ],
)
def test_bad_input(settings, message):
    with pytest.raises(InvalidInput, match=message):
        simulate_gaussian_fitting(KEY, **{"samples": 10, "generations": 2, "replicates": 10} | settings)
