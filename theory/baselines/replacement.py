"""One model, each generation of which is fitted to labels of the one before, and to nothing else."""

import numpy as np
from scipy.special import digamma

from crossfeed.errors import InvalidInput

from .domains import Count, Generations, GenerationsFromZero, NotNegative, Positive, check_regression
from .law import PerGeneration, PerGenerationFromZero, law
from .series import counted


@law
def replace(features: Count, rows: Count, generations: Generations, noise_variance: Positive = 1.0) -> PerGeneration:
    """Expected error of least squares that replaces its data in every generation.

    σ²d/(T-d-1) · g at generation g; generation 1 is fitted to real data. Gaussian features, drawn anew in every
    generation; the error is E‖ŵ - w‖²_Σ for features with covariance Σ.

    Args:
        features: number of features d.
        rows: number of rows T of each generation, at least d + 2.
        generations: last generation.
        noise_variance: variance σ² of the noise of one label.

    Source:
        arXiv 2402.07712, Theorem 4.1; arXiv 2404.01413, equation 4

    Example:
        >>> from crossfeed.theory.baselines import replace
        >>> print(replace(features=2, rows=7, generations=3))
        [0.5 1.  1.5]
    """
    check_regression(features, rows)
    return noise_variance * features / (rows - features - 1) * counted(1, generations)


@law
def replace_two_sizes(
    features: Count,
    rows: Count,
    synthetic_rows: Count,
    generations: GenerationsFromZero,
    noise_variance: Positive = 1.0,
    synthetic_noise_variance: NotNegative = 1.0,
) -> PerGenerationFromZero:
    """Expected error of least squares after n synthetic generations, whose data differ in size and noise.

    σ²d/(T-d-1) + n σ_0²d/(T_0-d-1) for a last fit to T rows whose labels come from the n-th of n models, each fitted to
    T_0 rows; generation 0 is fitted to real data alone. Gaussian features, drawn anew for every fit.

    Args:
        features: number of features d.
        rows: number of rows T of the last fit, at least d + 2.
        synthetic_rows: number of rows T_0 of each earlier fit, at least d + 2.
        generations: last number n of synthetic generations.
        noise_variance: variance σ² of the noise of one label of the last fit.
        synthetic_noise_variance: variance σ_0² of the noise of one label of the earlier fits.

    Source:
        arXiv 2402.07712, Theorem 4.1

    Example:
        >>> from crossfeed.theory.baselines import replace_two_sizes
        >>> print(replace_two_sizes(features=2, rows=7, synthetic_rows=5, generations=2))
        [0.5 1.5 2.5]
    """
    check_regression(features, rows)
    check_regression(features, synthetic_rows, "synthetic_rows")
    step = synthetic_noise_variance * features / (synthetic_rows - features - 1)
    return noise_variance * features / (rows - features - 1) + counted(0, generations) * step


@law
def replace_growing(
    features: Count, rows: Count, generations: Generations, noise_variance: Positive = 1.0
) -> PerGeneration:
    """Expected error of least squares that replaces its data by ever more data.

    σ²d/(T-d-1) · Σ_{i≤g} 1/i at generation g, which has g T rows: g copies of one Gaussian design with fresh noise. With
    fresh designs this holds to leading order in 1/T.

    Args:
        features: number of features d.
        rows: number of rows T of generation 1, at least d + 2.
        generations: last generation.
        noise_variance: variance σ² of the noise of one label.

    Source:
        this project, docs/baselines.md

    Example:
        >>> from crossfeed.theory.baselines import replace_growing
        >>> print(replace_growing(features=2, rows=5, generations=2))
        [1.  1.5]
    """
    check_regression(features, rows)
    return noise_variance * features / (rows - features - 1) * (digamma(counted(2, generations + 1)) + np.euler_gamma)


@law
def replace_overparameterized(
    features: Count, rows: Count, generations: Generations, squared_norm: Positive = 1.0
) -> PerGeneration:
    """Expected error of minimum-norm least squares without noise, with no more rows than features.

    (1 - φ_0⁻ⁿ)‖w‖² at generation n, φ_0 = d/T_0 ≥ 1: every fit projects onto a random subspace of T_0 dimensions. Isotropic
    features, drawn anew in every generation.

    Args:
        features: number of features d.
        rows: number of rows T_0 of each generation, at most d.
        generations: last generation; generation 1 is fitted to real data.
        squared_norm: ‖w‖², squared norm of the true parameter.

    Source:
        arXiv 2402.07712, the noiseless over-parameterized case

    Example:
        >>> from crossfeed.theory.baselines import replace_overparameterized
        >>> print(replace_overparameterized(features=4, rows=2, generations=2))
        [0.5  0.75]
    """
    if rows > features:
        raise InvalidInput(f"rows is {rows}, but must be at most {features}, which is features: else there is no error")
    return squared_norm * -np.expm1(counted(1, generations) * np.log(rows / features))
