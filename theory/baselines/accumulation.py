"""One model, each generation of which is fitted to all data so far."""

import numpy as np
from scipy.special import digamma

from .domains import Count, Fraction, Generations, Positive, check_regression
from .law import PerGeneration, law
from .series import counted


@law
def accumulate(features: Count, rows: Count, generations: Generations, noise_variance: Positive = 1.0) -> PerGeneration:
    """Expected error of least squares on all data so far, with the same inputs in every generation.

    σ²d/(T-d-1) · Σ_{i≤g} 1/i² at generation g; generation 1 is fitted to real data. Gaussian features.

    Args:
        features: number of features d.
        rows: number of rows T that each generation adds, at least d + 2.
        generations: last generation.
        noise_variance: variance σ² of the noise of one label.

    Source:
        arXiv 2404.01413, Theorem 2

    Example:
        >>> from crossfeed.theory.baselines import accumulate
        >>> print(accumulate(features=2, rows=5, generations=2))
        [1.   1.25]
    """
    check_regression(features, rows)
    return noise_variance * features / (rows - features - 1) * np.cumsum(counted(1, generations) ** -2)


@law
def accumulate_limit(features: Count, rows: Count, noise_variance: Positive = 1.0) -> float:
    """Limit of `accumulate`: expected error of least squares on all data of ever more generations.

    σ²d/(T-d-1) · π²/6.

    Args:
        features: number of features d.
        rows: number of rows T that each generation adds, at least d + 2.
        noise_variance: variance σ² of the noise of one label.

    Source:
        arXiv 2404.01413, Theorem 2

    Example:
        >>> from crossfeed.theory.baselines import accumulate_limit
        >>> print(f"{accumulate_limit(features=2, rows=5):.6f}")
        1.644934
    """
    check_regression(features, rows)
    return noise_variance * features / (rows - features - 1) * np.pi**2 / 6


@law
def accumulate_fresh(
    features: Count, rows: Count, generations: Generations, noise_variance: Positive = 1.0
) -> PerGeneration:
    """Expected error of least squares on all data so far, with fresh inputs in every generation.

    σ²d Σ_{i≤g} 1/(i(iT-d-1)) at generation g; generation 1 is fitted to real data. Gaussian features.

    Args:
        features: number of features d.
        rows: number of rows T that each generation adds, at least d + 2.
        generations: last generation.
        noise_variance: variance σ² of the noise of one label.

    Source:
        this project, docs/baselines.md

    Example:
        >>> from crossfeed.theory.baselines import accumulate_fresh
        >>> print(accumulate_fresh(features=2, rows=5, generations=2).round(6))
        [1.       1.142857]
    """
    check_regression(features, rows)
    i = counted(1, generations)
    return noise_variance * features * np.cumsum(1 / (i * (i * rows - features - 1)))


@law
def accumulate_fresh_limit(features: Count, rows: Count, noise_variance: Positive = 1.0) -> float:
    """Limit of `accumulate_fresh`: expected error of least squares on all data, with fresh inputs.

    -σ²d [ψ(1-D/T) + γ]/D with D = d + 1, the digamma function ψ and Euler's constant γ.

    Args:
        features: number of features d.
        rows: number of rows T that each generation adds, at least d + 2.
        noise_variance: variance σ² of the noise of one label.

    Source:
        this project, docs/baselines.md

    Example:
        >>> from crossfeed.theory.baselines import accumulate_fresh_limit
        >>> print(f"{accumulate_fresh_limit(features=2, rows=5):.6f}")
        1.322779
    """
    check_regression(features, rows)
    missing = features + 1
    return float(-noise_variance * features * (digamma((rows - missing) / rows) + np.euler_gamma) / missing)


@law
def accumulate_mixed(weight: Fraction, generations: Generations) -> PerGeneration:
    """Variance of one model that remembers all data, of which a fixed part of each generation is its own.

    V_t = ((t-1+α)/t)²V_{t-1} + 1/t², V_1 = 1, in units of the variance of the first estimate. The rate of decay changes at
    α = 1/2.

    Args:
        weight: weight α of the model's own synthetic data within each generation's data; 1 - α is on new real data.
        generations: last generation.

    Source:
        arXiv 2601.15468, Theorem 1

    Example:
        >>> from crossfeed.theory.baselines import accumulate_mixed
        >>> print(accumulate_mixed(weight=0.5, generations=2))
        [1.     0.8125]
    """
    variances = np.ones(generations)
    for t in range(2, generations + 1):
        variances[t - 1] = ((t - 1 + weight) / t) ** 2 * variances[t - 2] + t**-2
    return variances
