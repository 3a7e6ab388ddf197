"""Model-sharing games: what entities with different truths gain from averaging their estimates.

Entity j has n_j rows with noise variance μ_e and a truth of variance σ_θ² around a common mean; N is the number of rows
of a coalition, which averages its members' estimates with weights n_j/N.
"""

import numpy as np
from numpy.typing import NDArray

from crossfeed.errors import InvalidInput

from .domains import Counts, Fractions, NotNegative, Positive
from .law import PerEntity, law


@law
def federation_uniform(sizes: Counts, noise_variance: Positive = 1.0, truth_variance: NotNegative = 1.0) -> PerEntity:
    """Expected error of the members of a coalition that all use its average estimate.

    μ_e/N + σ_θ²[Σ_{i≠j} n_i² + (N-n_j)²]/N²; alone it is μ_e/n_j. Estimation of a mean.

    Args:
        sizes: numbers of rows n_j, one per member.
        noise_variance: variance μ_e of one row around its entity's truth.
        truth_variance: variance σ_θ² of the truths.

    Source:
        arXiv 2010.00753, uniform federation

    Example:
        >>> from crossfeed.theory.baselines import federation_uniform
        >>> print(federation_uniform(sizes=[5, 5], noise_variance=10.0))
        [1.5 1.5]
    """
    n = np.array(sizes, float)
    return noise_variance / n.sum() + truth_variance * _distance(n)


@law
def federation_coarse(
    sizes: Counts, weights: Fractions, noise_variance: Positive = 1.0, truth_variance: NotNegative = 1.0
) -> PerEntity:
    """Expected error of the members of a coalition that mix its average estimate with their own.

    μ_e[w²/n_j + (1-w²)/N] + (1-w)²σ_θ²[Σ_{i≠j} n_i² + (N-n_j)²]/N². Estimation of a mean; w = 0 is `federation_uniform`.

    Args:
        sizes: numbers of rows n_j, one per member.
        weights: weights w_j of the members' own estimates: one per member, or one for all.
        noise_variance: variance μ_e of one row around its entity's truth.
        truth_variance: variance σ_θ² of the truths.

    Source:
        arXiv 2010.00753, coarse-grained federation; arXiv 2106.09580

    Example:
        >>> from crossfeed.theory.baselines import federation_coarse
        >>> print(federation_coarse(sizes=[30, 30], weights=[0.75], noise_variance=10.0).round(6))
        [0.291667 0.291667]
    """
    if len(weights) not in (1, len(sizes)):
        raise InvalidInput(
            f"weights has {len(weights)} values, but needs one for all, or one for each of {len(sizes)} sizes"
        )
    n, w = np.array(sizes, float), np.array(weights)
    own_data = noise_variance * (w**2 / n + (1 - w**2) / n.sum())
    return own_data + (1 - w) ** 2 * truth_variance * _distance(n)


@law
def federation_best_weight(
    sizes: Counts, noise_variance: Positive = 1.0, truth_variance: NotNegative = 1.0
) -> PerEntity:
    """Weights on the members' own estimates that make their errors under `federation_coarse` smallest.

    B/(B + μ_e(1/n_j - 1/N)) with B = σ_θ²[Σ_{i≠j} n_i² + (N-n_j)²]/N².

    Args:
        sizes: numbers of rows n_j, at least two members.
        noise_variance: variance μ_e of one row around its entity's truth.
        truth_variance: variance σ_θ² of the truths.

    Source:
        arXiv 2010.00753, coarse-grained federation

    Example:
        >>> from crossfeed.theory.baselines import federation_best_weight
        >>> print(federation_best_weight(sizes=[30, 300], noise_variance=10.0).round(6))
        [0.84507 0.84507]
    """
    if len(sizes) < 2:
        raise InvalidInput(
            f"sizes is {list(sizes)}, but must have at least two members: alone any weight gives one error"
        )
    n = np.array(sizes, float)
    distance = truth_variance * _distance(n)
    return distance / (distance + noise_variance * (1 / n - 1 / n.sum()))


def _distance(n: NDArray[np.float64]) -> NDArray[np.float64]:
    """Expected squared distance of each member's truth from the coalition's average truth, in units of σ_θ²."""
    return (np.sum(n**2) - n**2 + (n.sum() - n) ** 2) / n.sum() ** 2
