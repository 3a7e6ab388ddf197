"""Recursive fitting of a Gaussian distribution: of its variance, and of its mean."""

import numpy as np

from .domains import Count, Generations, Positive
from .law import PerGeneration, law
from .series import counted


@law
def gaussian_accumulate(rows: Count, generations: Generations) -> PerGeneration:
    """Expected variance of a Gaussian distribution that is fitted to all draws so far, relative to the true one.

    E σ_t²/σ_0² = Π_{k≤t} (1 - 1/(nk²)) at generation t, which adds n draws from the fit before; mean and variance are fitted
    by maximum likelihood; generation 1 is fitted to real data.

    Args:
        rows: number n of draws that each generation adds.
        generations: last generation.

    Source:
        arXiv 2410.16713, Corollary 4

    Example:
        >>> from crossfeed.theory.baselines import gaussian_accumulate
        >>> print(gaussian_accumulate(rows=10, generations=2))
        [0.9    0.8775]
    """
    k = counted(1, generations)
    return np.multiply.accumulate(1 - 1 / (rows * k * k))


@law
def gaussian_accumulate_limit(rows: Count) -> float:
    """Limit of `gaussian_accumulate`: expected variance of a fit to all draws, relative to the true one.

    sin(π/√n)/(π/√n).

    Args:
        rows: number n of draws that each generation adds.

    Source:
        arXiv 2410.16713, Corollary 4

    Example:
        >>> from crossfeed.theory.baselines import gaussian_accumulate_limit
        >>> print(f"{gaussian_accumulate_limit(rows=10):.6f}")
        0.843436
    """
    return float(np.sinc(rows**-0.5))


@law
def gaussian_replace(degrees_of_freedom: Count, generations: Generations) -> PerGeneration:
    """Mean squared error of the variance of a Gaussian distribution that is fitted to draws from the fit before.

    E(σ̂²_T-σ²)² = ((1+2/n)^T - 1)σ⁴ at generation T, in units of σ⁴. The estimate of the variance is unbiased, and the
    expected error grows without bound, although almost every run shrinks to zero.

    Args:
        degrees_of_freedom: n, the number of draws of a generation where the mean is known, and one more than n where it is
            fitted.
        generations: last generation; generation 1 is fitted to real data.

    Source:
        arXiv 2505.13947

    Example:
        >>> from crossfeed.theory.baselines import gaussian_replace
        >>> print(gaussian_replace(degrees_of_freedom=10, generations=2))
        [0.2  0.44]
    """
    return np.expm1(counted(1, generations) * np.log1p(2 / degrees_of_freedom))


@law
def gaussian_mean_beats_first(generations: Generations, volume: Positive = 1.0) -> PerGeneration:
    """Probability that the mean of a later generation is closer to the truth than that of generation 1.

    atan(2/√v)/π with v = Σ_{t=2}^T 1/c at generation T: every mean is that of draws around the mean before. It is 1/2 at
    generation 1, where the two are the same, as for v → 0.

    Args:
        generations: last generation.
        volume: c, number of draws of every later generation over that of generation 1.

    Source:
        this project, docs/baselines.md: a Gaussian random walk

    Example:
        >>> from crossfeed.theory.baselines import gaussian_mean_beats_first
        >>> print(gaussian_mean_beats_first(generations=3).round(6))
        [0.5      0.352416 0.304087]
    """
    return np.arctan2(2, np.sqrt(counted(0, generations - 1) / volume)) / np.pi
