"""The agreement test itself: its z-scores are standard normal on truly Gaussian data, drawn here by NumPy and SciPy."""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest
from crossfeed.sim import Prediction, Simulation, family_wise_test, z_scores
from scipy.stats import chi2, norm, wishart

ENTITIES, DIMENSION = 2, 2
SIZE = ENTITIES * DIMENSION
MEAN = np.array([1.0, -2.0, 0.5, 3.0])
COVARIANCE = np.array([[2.0, 0.9, 0.3, 0.0], [0.9, 1.0, 0.2, 0.1], [0.3, 0.2, 0.5, -0.3], [0.0, 0.1, -0.3, 4.0]])


def as_prediction(mean, covariance) -> Prediction:
    """One row of `mean` and one matrix of `covariance` a generation."""
    shape = (len(mean), ENTITIES, DIMENSION, ENTITIES, DIMENSION)
    joint = np.reshape(covariance, shape).transpose(0, 1, 3, 2, 4)
    return Prediction(jnp.asarray(np.reshape(mean, (-1, ENTITIES, DIMENSION))), jnp.asarray(joint))


def as_simulation(mean, covariance, replicates: int) -> Simulation:
    """A simulation that found these moments; what z-scores do not look at is zero."""
    found = as_prediction(mean, covariance)
    own = jnp.einsum("tkkab->tkab", found.joint_covariance)
    error, prediction_error = jnp.zeros(found.mean.shape[:2]), jnp.zeros((*found.mean.shape[:2], ENTITIES))
    return Simulation(
        jnp.asarray(float(replicates)),
        found.mean,
        own,
        found.joint_covariance,
        error,
        error,
        prediction_error,
        prediction_error,
    )


def gaussian_runs(runs: int, replicates: int) -> tuple[Prediction, Simulation]:
    """Sample moments of independent runs, one in the place of each generation."""
    rng = np.random.default_rng(8)  # any; fixed so that a pass stays a pass
    means = rng.multivariate_normal(MEAN, COVARIANCE / replicates, size=runs)
    scatter = wishart(replicates - 1, COVARIANCE).rvs(runs, random_state=rng) / (replicates - 1)
    prediction = as_prediction(np.tile(MEAN, (runs, 1)), np.tile(COVARIANCE, (runs, 1, 1)))
    return prediction, as_simulation(means, scatter, replicates)


def split(scores: np.ndarray, runs: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores of means and of covariances, one row a run."""
    return scores[: runs * SIZE].reshape(runs, -1), scores[runs * SIZE :].reshape(runs, -1)


def test_scores_of_every_entry_have_mean_zero_and_variance_one():
    runs = 4_000
    prediction, simulation = gaussian_runs(runs, replicates=2_000)
    for scores in split(z_scores(prediction, simulation), runs):
        assert np.abs(scores.mean(0) * np.sqrt(runs)).max() < 4.5
        # The sample variance of normal scores has standard error √(2/runs).
        assert np.abs((scores.var(0) - 1) * np.sqrt(runs / 2)).max() < 4.5


def test_removing_the_skewness_keeps_the_false_alarm_rate():
    runs, replicates, threshold = 40_000, 100, 3.5  # few replicates: a variance has skewness √(8/99) = 0.28
    prediction, simulation = gaussian_runs(runs, replicates)
    _, scores = split(z_scores(prediction, simulation), runs)

    upper = np.triu_indices(SIZE)
    variances = np.diag(COVARIANCE)
    error = np.sqrt((np.outer(variances, variances) + COVARIANCE**2)[upper] / (replicates - 1))
    observed = np.asarray(simulation.joint_covariance).transpose(0, 1, 3, 2, 4).reshape(runs, SIZE, SIZE)
    naive = (observed[:, upper[0], upper[1]] - COVARIANCE[upper]) / error

    nominal = 2 * norm.sf(threshold)
    diagonal = upper[0] == upper[1]  # variances are the most skewed
    expected = nominal * runs * diagonal.sum()
    alarms = (np.abs(scores[:, diagonal]) > threshold).sum()
    naive_alarms = (np.abs(naive[:, diagonal]) > threshold).sum()
    # By the χ² law of a sample variance the expected alarms are 2.16 (naive) and 0.47 (corrected) of the nominal ones.
    assert naive_alarms > 1.5 * expected, "no power: the correction has nothing to do here"
    assert 0.2 * expected < alarms < expected


@pytest.mark.parametrize("standard_errors", [-4.0, -2.0, 2.0, 4.0])
def test_the_score_of_a_variance_is_the_normal_score_of_its_chi_square(standard_errors):
    """Beyond the Cornish-Fisher step of first order, whose constant this decides, there is a hundredth of it."""
    replicates = 20_000
    found = COVARIANCE.copy()
    found[2, 2] *= 1 + standard_errors * np.sqrt(2 / (replicates - 1))
    prediction, simulation = (
        as_prediction(MEAN[None], COVARIANCE[None]),
        as_simulation(MEAN[None], found[None], replicates),
    )
    scores = split(z_scores(prediction, simulation), 1)[1][0]
    exact = norm.ppf(chi2.cdf((replicates - 1) * found[2, 2] / COVARIANCE[2, 2], replicates - 1))
    score = scores[np.argmax(np.abs(scores))]
    step = standard_errors - exact
    assert abs(step) > 0.009, "no power: there is nothing to correct"
    assert score == pytest.approx(exact, abs=0.05 * abs(step))


def test_the_decision_holds_its_false_alarm_rate():
    runs, rate = 2_000, 0.1
    prediction, simulation = gaussian_runs(runs, replicates=5_000)
    means, covariances = split(z_scores(prediction, simulation), runs)
    alarms = sum(not family_wise_test([m, c], rate).agrees for m, c in zip(means, covariances, strict=True))
    assert alarms < rate * runs + 4 * np.sqrt(rate * runs)
    assert alarms > rate * runs / 2, "Bonferroni over 14 weakly dependent scores should lose little"


def test_bonferroni_threshold():
    decision = family_wise_test([np.zeros((3, 4)), np.array([1.0, -5.0])], 0.01)
    assert (decision.comparisons, decision.largest) == (14, 5.0)
    assert decision.threshold == pytest.approx(norm.isf(0.01 / 28))
    assert not decision.agrees


@pytest.mark.parametrize("wrong", ["mean", "variance", "covariance"])
def test_a_wrong_entry_is_found(wrong):
    replicates = 10_000
    mean, covariance = MEAN.copy(), COVARIANCE.copy()
    if wrong == "mean":
        mean[1] += 10 * np.sqrt(COVARIANCE[1, 1] / replicates)
    if wrong == "variance":
        covariance[2, 2] *= 1 + 10 * np.sqrt(2 / replicates)
    if wrong == "covariance":
        shift = 10 * np.sqrt((COVARIANCE[0, 0] * COVARIANCE[3, 3] + COVARIANCE[0, 3] ** 2) / replicates)
        covariance[0, 3] += shift
        covariance[3, 0] += shift
    scores = z_scores(
        as_prediction(MEAN[None], COVARIANCE[None]), as_simulation(mean[None], covariance[None], replicates)
    )
    assert (np.abs(scores) > 8).sum() == 1
    assert not family_wise_test([scores]).agrees


@pytest.mark.parametrize("moment", ["mean", "covariance"])
def test_determined_entries_must_agree_exactly(moment):
    """The first coordinate is known: a theory that is off there is wrong, however small its z-score would be."""
    certain = COVARIANCE.copy()
    certain[0], certain[:, 0] = 0, 0
    prediction = as_prediction(MEAN[None], certain[None])
    exact = z_scores(prediction, as_simulation(MEAN[None], certain[None], 100))
    means, covariances = split(exact, 1)
    assert (means == 0).all()
    assert (covariances[0, :SIZE] == 0).all(), "the variance and the covariances of the first coordinate"
    assert np.abs(covariances).max() < 0.1, "the median of a skewed law lies a little below its mean"

    mean, covariance = MEAN.copy(), certain.copy()
    if moment == "mean":
        mean[0] += 1e-6
    else:
        covariance[0, 0] += 1e-6
    scores = z_scores(prediction, as_simulation(mean[None], covariance[None], 100))
    assert np.isinf(scores).sum() == 1
    assert not family_wise_test([scores]).agrees


@pytest.mark.parametrize("order", [[0, 1], [1, 0]])
def test_a_score_that_is_not_a_number_never_agrees(order):
    scores = [np.zeros(3), np.array([0.0, np.nan])]
    assert not family_wise_test([scores[i] for i in order]).agrees


def test_scores_need_joint_covariances():
    simulation = as_simulation(MEAN[None], COVARIANCE[None], 100)
    simulation = replace(simulation, joint_covariance=None)
    with pytest.raises(ValueError, match="joint=True"):
        z_scores(as_prediction(MEAN[None], COVARIANCE[None]), simulation)
