"""Models that draw data sets of a fixed size from all data so far."""

import numpy as np

from .domains import Count, Generations
from .law import PerGeneration, law
from .series import counted


@law
def subsample(entities: Count, generations: Generations) -> PerGeneration:
    """Error of K models that each fit a subsample of fixed size of all data so far, relative to generation 1.

    v_g + s_g at generation g ≥ 2, with v_g = [1 + Σ_{i=2}^g (1+s_{i-1})/i²]/K, s_1 = 0 and s_g = 1 - 1/(gK). In generation 1
    every model fits its own real data, with error 1. To leading order in 1/T for T rows per model.

    Args:
        entities: number of models K.
        generations: last generation.

    Source:
        arXiv 2410.16713 and 2410.22812 for K = 1; for K models this project, docs/baselines.md

    Example:
        >>> from crossfeed.theory.baselines import subsample
        >>> print(subsample(entities=1, generations=3).round(6))
        [1.       1.75     2.083333]
    """
    g = counted(1, generations)
    drawn = 1 - 1 / (g * entities)
    drawn[0] = 0.0
    ratio = (1 + np.concatenate([[0.0], np.cumsum((1 + drawn[:-1]) / g[1:] ** 2)])) / entities + drawn
    ratio[0] = 1.0
    return ratio


@law
def subsample_limit(entities: Count) -> float:
    """Limit of `subsample`: error of K models that fit subsamples of all data so far, relative to generation 1.

    1 + [π²/3 - 5/4 - (7/4 - π²/6)/K]/K, for one model π²/2 - 2.

    Args:
        entities: number of models K.

    Source:
        arXiv 2410.16713 and 2410.22812 for K = 1; for K models this project, docs/baselines.md

    Example:
        >>> from crossfeed.theory.baselines import subsample_limit
        >>> print(f"{subsample_limit(entities=1):.6f}")
        2.934802
    """
    return 1 + (np.pi**2 / 3 - 5 / 4 - (7 / 4 - np.pi**2 / 6) / entities) / entities
