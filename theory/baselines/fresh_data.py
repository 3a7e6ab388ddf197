"""Models that see fresh real data in every generation, apart from synthetic data or hidden among them."""

import math
from typing import Literal

import numpy as np
from scipy.integrate import quad
from scipy.special import expit

from .domains import Count, Counts, Fraction, NotNegative, Positive, PositiveFraction
from .law import PerGenerationFromZero, law


@law
def fresh_data_limit(weight: PositiveFraction, ratio: Positive) -> float:
    """Limit of the variance of a model that fits fresh real data and its own synthetic data.

    (w² + (1-w)²k)/(1 - (1-w)²), in units of the variance of a fit to the real data. Exact for the estimation of a mean,
    asymptotic for regression.

    Args:
        weight: weight w of real data; 1 - w is that of synthetic data.
        ratio: k = n_real/n_synthetic, numbers of real and synthetic rows of a generation.

    Source:
        arXiv 2502.18049

    Example:
        >>> from crossfeed.theory.baselines import fresh_data_limit
        >>> print(f"{fresh_data_limit(weight=0.5, ratio=1.0):.6f}")
        0.666667
    """
    return (weight**2 + (1 - weight) ** 2 * ratio) / (weight * (2 - weight))


@law
def fresh_data_best_weight(ratio: Positive) -> float:
    """Weight on real data that makes `fresh_data_limit` smallest; the limit there equals the weight.

    (√(k²+4k) - k)/2; the reciprocal of the golden ratio for k = 1.

    Args:
        ratio: k = n_real/n_synthetic, numbers of real and synthetic rows of a generation.

    Source:
        arXiv 2502.18049

    Example:
        >>> from crossfeed.theory.baselines import fresh_data_best_weight
        >>> print(f"{fresh_data_best_weight(ratio=1.0):.6f}")
        0.618034
    """
    return float(2 / (np.sqrt(1 + 4 / ratio) + 1))


@law
def fresh_data_regression_limit(
    model: Literal["linear", "logistic", "poisson"],
    features: Count,
    rows: Count,
    weight: PositiveFraction,
    ratio: Positive = 1.0,
    coefficient_norm: NotNegative = 0.0,
) -> float:
    """Limit of the mean squared error of regression on fresh real data and its own synthetic data, for many rows.

    `fresh_data_limit` times tr I⁻¹/n with the Fisher information I of one row at the true parameter: features are standard
    normal, there is no intercept, and the noise variance of linear regression is 1. Asymptotic in n: with 100 + 100 rows of
    two features simulations of logistic regression lie 11-12 % above it, of Poisson regression 19-26 %.

    Args:
        model: kind of regression.
        features: number of features.
        rows: number n of real rows of a generation.
        weight: weight w of real data.
        ratio: k = n_real/n_synthetic, numbers of real and synthetic rows of a generation.
        coefficient_norm: Euclidean norm of the true parameter; it does not matter for linear regression.

    Source:
        arXiv 2502.18049, with the Fisher information in place of X'X

    Example:
        >>> from crossfeed.theory.baselines import fresh_data_regression_limit
        >>> print(f"{fresh_data_regression_limit('logistic', 2, 100, weight=0.5, coefficient_norm=2**0.5):.4f}")
        0.1031
    """
    across, along = _inverse_fisher_information(model, coefficient_norm)
    variance = ((features - 1) * across + along) / rows
    return (weight**2 + (1 - weight) ** 2 * ratio) / (weight * (2 - weight)) * variance


@law
def hidden_data(fraction: Fraction, rows: Counts) -> PerGenerationFromZero:
    """Error of a model whose data are partly real, without knowing which rows, relative to generation 0.

    R_t = (n_0/n_t)R_0 + ((n_t-1)/n_t)(1-α)²R_{t-1}, R_0 = 1.

    Args:
        fraction: fraction α of real data in every generation after the first.
        rows: numbers of rows n_t of generations 0, 1, …

    Source:
        arXiv 2602.10531, Theorem 3.1

    Example:
        >>> from crossfeed.theory.baselines import hidden_data
        >>> print(hidden_data(fraction=0.5, rows=[100, 100, 200]).round(6))
        [1.       1.2475   0.810316]
    """
    errors = np.ones(len(rows))
    for t, n in enumerate(rows[1:], 1):
        errors[t] = rows[0] / n + (n - 1) / n * (1 - fraction) ** 2 * errors[t - 1]
    return errors


@law
def hidden_data_limit(fraction: Fraction, rows: Count) -> float:
    """Limit of `hidden_data` for generations of equal size: error relative to generation 0.

    1/(1 - ((n-1)/n)(1-α)²).

    Args:
        fraction: fraction α of real data in every generation after the first.
        rows: number of rows n of every generation.

    Source:
        arXiv 2602.10531, Theorem 3.1

    Example:
        >>> from crossfeed.theory.baselines import hidden_data_limit
        >>> print(f"{hidden_data_limit(fraction=0.5, rows=100):.6f}")
        1.328904
    """
    return 1 / (1 - (rows - 1) / rows * (1 - fraction) ** 2)


def _inverse_fisher_information(model: str, norm: float) -> tuple[float, float]:
    """Inverses of E v(β'x) over directions across β, and of E v(β'x)z² along it, for the variance function v of a label."""
    if model == "linear":
        return 1.0, 1.0
    if model == "poisson":
        across = math.exp(-(norm**2) / 2)
        return across, across / (1 + norm**2)
    scale = 1 / math.hypot(1, norm)  # the integrand is about this wide

    def moment(power: int) -> float:
        def integrand(x: float) -> float:
            z = x * scale
            return expit(norm * z) * expit(-norm * z) * z**power * math.exp(-(z**2) / 2)

        return 2 * quad(integrand, 0, math.inf)[0] * scale / math.sqrt(2 * math.pi)

    return 1 / moment(0), 1 / moment(2)
