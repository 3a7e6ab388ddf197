"""Does a simulation agree with the theory? z-scores for every entry and one decision with a controlled false-alarm rate."""

from collections.abc import Sequence

import equinox as eqx
import numpy as np
from jaxtyping import Array, Float
from scipy.special import ndtri

from ..theory.consensus import trajectory
from ..theory.ecosystem import Ecosystem
from ..theory.measures import bias_map, joint_covariance
from ..theory.weights import Weights
from .monte_carlo import Simulation

_DETERMINED = 1e-10
"""An entry with a smaller relative variance is determined: it must agree to this accuracy, not statistically."""


class Prediction(eqx.Module):
    """What a theory says the simulation should find, at generations 0..T."""

    mean: Float[Array, "generation entity d"]
    joint_covariance: Float[Array, "generation entity entity d d"]


class Decision(eqx.Module):
    """One verdict over many comparisons.

    Attributes:
        comparisons: number of z-scores.
        largest: the largest |z|.
        threshold: what |z| may not exceed, for the false-alarm rate of the whole run.
        agrees: whether none does.
    """

    comparisons: int
    largest: float
    threshold: float
    agrees: bool


def predict(ecosystem: Ecosystem, weights: Weights, generations: int, theta: Float[Array, " d"]) -> Prediction:
    """The exact mean and joint covariance of all estimates (Theorem 2), for the θ that was simulated."""
    maps, covariances = trajectory(ecosystem, weights, generations, lambda law: (bias_map(law), joint_covariance(law)))
    return Prediction(theta + maps @ theta, covariances)


def z_scores(prediction: Prediction, simulation: Simulation) -> np.ndarray:
    """z of every mean entry and every distinct variance and covariance entry, at all generations.

    The estimates are Gaussian, so a sample covariance is Wishart: its standard error and skewness are known, and the
    skewness is removed by a Cornish-Fisher step, without which thresholds near |z| = 6 would alarm too often.

    Args:
        simulation: made with `joint=True`.
    """
    if simulation.joint_covariance is None:
        raise ValueError("z-scores need a simulation with joint=True")
    expected = _matrix(np.asarray(prediction.joint_covariance))
    observed = _matrix(np.asarray(simulation.joint_covariance))
    variances = np.maximum(np.diagonal(expected, axis1=1, axis2=2), 0)
    count = float(simulation.replicates)
    mean_gap = np.asarray(simulation.mean - prediction.mean).reshape(variances.shape)
    size = np.abs(np.asarray(prediction.mean)).max() + np.sqrt(variances.max())
    mean_z = _score(mean_gap, np.sqrt(variances / count), size)

    upper = np.triu_indices(expected.shape[1])
    covariance = expected[:, upper[0], upper[1]]
    product = variances[:, upper[0]] * variances[:, upper[1]]
    total = product + covariance**2
    error = np.sqrt(total / (count - 1))
    z = _score(observed[:, upper[0], upper[1]] - covariance, error, variances.max())
    with np.errstate(divide="ignore", invalid="ignore"):
        skewness = 2 * covariance * (3 * product + covariance**2) / (total**1.5 * np.sqrt(count - 1))
    skewness = np.where(error > _DETERMINED * variances.max(), skewness, 0)
    return np.concatenate([mean_z.ravel(), (z - skewness * (np.minimum(z**2, 64) - 1) / 6).ravel()])


def decide(scores: Sequence[np.ndarray], false_alarm: float = 1e-3) -> Decision:
    """Whether all comparisons agree, wrong with probability at most `false_alarm` for the whole run (Bonferroni)."""
    comparisons = sum(z.size for z in scores)
    # scipy.stats says it as norm.isf, and takes half a second to import.
    threshold = float(-ndtri(false_alarm / (2 * comparisons)))
    largest = float(np.max([np.abs(z).max() for z in scores]))  # NaN stays NaN, and does not agree
    return Decision(comparisons, largest, threshold, largest <= threshold)


def _matrix(joint: np.ndarray) -> np.ndarray:
    generations, entities, _, size, _ = joint.shape
    return joint.transpose(0, 1, 3, 2, 4).reshape(generations, entities * size, entities * size)


def _score(gap: np.ndarray, error: np.ndarray, size: float) -> np.ndarray:
    random = error > _DETERMINED * size
    determined = np.where(np.abs(gap) <= _DETERMINED * size, 0.0, np.inf)
    return np.where(random, gap / np.where(random, error, 1), determined)
