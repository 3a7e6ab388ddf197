"""Agreement of a simulation with the theory: z-scores of all entries, and one decision with a controlled false-alarm rate."""

from collections.abc import Sequence

import equinox as eqx
import numpy as np
from jaxtyping import Array, Float
from scipy.special import ndtri

from crossfeed.formulas.biases import mean_error
from crossfeed.formulas.covariances import joint_covariance
from crossfeed.formulas.workflow import PAPER, Workflow

from ..theory.consensus import trajectory
from ..theory.eager import as_one_program
from ..theory.ecosystem import Dataset, Ecosystem
from ..theory.weights import Weights
from .monte_carlo import Simulation
from .samplers import truths

_DETERMINED = 1e-10
"""An entry whose relative standard error is smaller is deterministic: it must agree to this accuracy, not statistically."""


class Prediction(eqx.Module):
    """Exact mean and covariance of the estimates at generations 0..T, to compare a simulation with.

    Attributes:
        mean: E θ̂_k of every entity.
        joint_covariance: Cov(θ̂_k, θ̂_l) of every pair of entities.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.sim import Prediction
        >>> Prediction(mean=jnp.zeros((5, 2, 3)), joint_covariance=jnp.zeros((5, 2, 2, 3, 3))).mean.shape
        (5, 2, 3)
    """

    mean: Float[Array, "generation entity d"]
    joint_covariance: Float[Array, "generation entity entity d d"]


class Decision(eqx.Module):
    """Outcome of a test of many z-scores at once.

    Attributes:
        comparisons: number of z-scores.
        largest: the largest |z|.
        threshold: largest |z| allowed, for the false-alarm rate of all comparisons together.
        agrees: whether no |z| exceeds the threshold.

    Example:
        >>> from crossfeed.sim import Decision
        >>> Decision(comparisons=3, largest=1.2, threshold=3.6, agrees=True)
        Decision(comparisons=3, largest=1.2, threshold=3.6, agrees=True)
    """

    comparisons: int
    largest: float
    threshold: float
    agrees: bool


@as_one_program()
def predict_estimates(
    ecosystem: Ecosystem, weights: Weights, generations: int, workflow: Workflow = PAPER
) -> Prediction:
    """Exact mean and joint covariance of all estimates at generations 0..T, for what a sampler simulates (Theorem 2).

    Args:
        ecosystem: with K entities and d features; without a truth, θ = 0.
        weights: α and β, constant or per generation.
        generations: T ≥ 0.
        workflow: estimator, pool and memory; the paper's if not given.

    Returns:
        The mean of shape (T+1, K, d) and the joint covariance of shape (T+1, K, K, d, d), in units of θ and of θ².

    Raises:
        InvalidInput: T is negative, or the weights do not fit K and T.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.sim import predict_estimates
        >>> from crossfeed.theory import Weights, symmetric_ecosystem
        >>> predict_estimates(symmetric_ecosystem(2, jnp.eye(3)), Weights(0.5, 0.5), 4).joint_covariance.shape
        (5, 2, 2, 3, 3)
    """
    private, public = truths(ecosystem)
    known = Ecosystem(
        private=Dataset(ecosystem.private.gram, ecosystem.private.noise_variance, private),
        public=Dataset(ecosystem.public.gram, ecosystem.public.noise_variance, public),
        synthetic=ecosystem.synthetic,
        shares=ecosystem.shares,
        present=ecosystem.present,
    )
    errors, covariances = trajectory(
        known, weights, generations, lambda law: (mean_error(law), joint_covariance(law)), workflow
    )
    return Prediction(public[None, None] + errors, covariances)


def z_scores(prediction: Prediction, simulation: Simulation) -> np.ndarray:
    """z-scores of all means, variances and covariances of the estimates, at all generations.

    The estimates are Gaussian, so their sample covariance is Wishart: its standard error and skewness are known, and the
    skewness is removed by a Cornish-Fisher step, without which thresholds near |z| = 6 would give too many false alarms.

    Args:
        prediction: exact mean and covariance, from `predict_estimates`.
        simulation: of the same ecosystem, weights and generations, made with `joint=True`.

    Returns:
        One axis of (T+1)(Kd + Kd(Kd+1)/2) z-scores: first those of the means, then those of the distinct entries of the
        covariance. An entry without randomness scores 0 where it agrees to rounding, and inf where it does not.

    Raises:
        ValueError: the simulation has no joint covariance.

    Example:
        >>> import jax
        >>> from crossfeed.sim import family_wise_test, make_moment_sampler, predict_estimates, simulate, z_scores
        >>> from crossfeed.theory import Weights, random_gaussian
        >>> ecosystem, weights = random_gaussian(jax.random.key(0), 2, 3, 2), Weights(0.5, 0.5)
        >>> sampler = make_moment_sampler(ecosystem)
        >>> simulation = simulate(sampler, weights, 4, 1000, jax.random.key(1), joint=True)
        >>> scores = z_scores(predict_estimates(ecosystem, weights, 4), simulation)
        >>> scores.shape
        (135,)
        >>> family_wise_test([scores]).agrees
        True
    """
    if simulation.joint_covariance is None:
        raise ValueError("z-scores need the joint covariance: simulate with joint=True")
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


def family_wise_test(scores: Sequence[np.ndarray], false_alarm: float = 1e-3) -> Decision:
    """Test of many z-scores at once, with a Bonferroni threshold.

    Args:
        scores: arrays of z-scores of any shape, at least one number in all.
        false_alarm: bound in (0, 1) on the probability that any |z| exceeds the threshold although theory and simulation agree.

    Returns:
        The largest |z|, its threshold, and whether all comparisons agree; NaN among the scores never agrees.

    Example:
        >>> import numpy as np
        >>> from crossfeed.sim import family_wise_test
        >>> decision = family_wise_test([np.array([0.3, -1.2]), np.array([2.0])])
        >>> decision.comparisons, round(decision.threshold, 2), decision.agrees
        (3, 3.59, True)
    """
    comparisons = sum(z.size for z in scores)
    # The same as scipy.stats.norm.isf, whose module takes half a second to import.
    threshold = float(-ndtri(false_alarm / (2 * comparisons)))
    largest = float(np.max([np.abs(z).max() for z in scores]))  # NaN propagates, and compares as false
    return Decision(comparisons, largest, threshold, largest <= threshold)


def _matrix(joint: Float[np.ndarray, "generation entity entity d d"]) -> Float[np.ndarray, "generation kd kd"]:
    """Joint covariances as square matrices over all entities' coordinates."""
    generations, entities, _, size, _ = joint.shape
    return joint.transpose(0, 1, 3, 2, 4).reshape(generations, entities * size, entities * size)


def _score(gap: np.ndarray, error: np.ndarray, size: float) -> np.ndarray:
    """Differences over their standard errors; where there is no randomness, 0 if they vanish to rounding and inf if not."""
    random = error > _DETERMINED * size
    determined = np.where(np.abs(gap) <= _DETERMINED * size, 0.0, np.inf)
    return np.where(random, gap / np.where(random, error, 1), determined)
