"""Extinction of rare events under recursive fitting of a Poisson rate."""

import numpy as np

from .domains import Generations, Positive
from .law import PerGeneration, law


@law
def poisson_survival(expected_count: Positive, generations: Generations) -> PerGeneration:
    """Probability that a Poisson rate that is fitted to draws from the fit before has not become zero.

    1 - exp(-nλ_0 g_k) at generation k, g_1 = 1, g_{k+1} = 1 - exp(-g_k).

    Args:
        expected_count: nλ_0, the expected number of events in the real data.
        generations: last generation; generation 1 is fitted to real data.

    Source:
        arXiv 2412.17646, Theorem 2

    Example:
        >>> from crossfeed.theory.baselines import poisson_survival
        >>> print(poisson_survival(expected_count=10.0, generations=2).round(6))
        [0.999955 0.998202]
    """
    chances = np.ones(generations)
    for k in range(1, generations):
        chances[k] = -np.expm1(-chances[k - 1])
    return -np.expm1(-expected_count * chances)
