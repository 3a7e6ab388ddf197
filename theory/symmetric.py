"""Closed forms of the limit where all data have the same Gram matrix S (`docs/theory.md`, section 5).

The spectral radius is α. V = σ² tr S⁻¹ is the mean squared error of the least-squares estimate from one dataset alone,
so the best unbiased estimate from all K + 1 real datasets has V/(K+1).
"""

from jaxtyping import Array, Float

Scalar = float | int | Float[Array, ""]


def relative_error(alpha: Scalar, beta: Scalar, entities: Scalar) -> Scalar:
    """Mean squared error of every entity in the limit, in units of V.

    The sum of four parts: the error of the public data, the part of the private data's error that all entities share,
    the part in which they still differ, and the noise of synthetic labels.

    Args:
        alpha: α in [0, 1).
        beta: β in [0, 1].
        entities: K, at least 1.

    Example:
        >>> from crossfeed.theory import symmetric
        >>> print(f"{symmetric.relative_error(0.5, 0.5, 2):.4f}")
        0.5729
    """
    public = (1 - beta) ** 2
    shared = beta**2 / entities
    heterogeneity = (1 - alpha) ** 2 * beta**2 * (1 - 1 / entities)
    sampling = alpha**2 / (entities * (1 - alpha**2))
    return public + shared + heterogeneity + sampling


def relative_efficiency(alpha: Scalar, beta: Scalar, entities: Scalar) -> Scalar:
    """Relative efficiency of every entity in the limit: V/(K+1) over its mean squared error.

    Args:
        alpha: α in [0, 1).
        beta: β in [0, 1].
        entities: K, at least 1.

    Example:
        >>> from crossfeed.theory import symmetric
        >>> print(f"{symmetric.relative_efficiency(0.5, 0.5, 2):.4f}")
        0.5818
    """
    return 1 / ((entities + 1) * relative_error(alpha, beta, entities))


def relative_efficiency_without_public(alpha: Scalar, entities: Scalar) -> Scalar:
    """Relative efficiency of every entity in the limit at β = 1, where V/K of the K private datasets is the optimum.

    Args:
        alpha: α in [0, 1).
        entities: K, at least 1; the efficiency of a single entity is 1 - α².

    Example:
        >>> from crossfeed.theory import symmetric
        >>> print(f"{symmetric.relative_efficiency_without_public(0.5, 1):.4f}")
        0.7500
    """
    return 1 / ((entities - 1) * (1 - alpha) ** 2 + 1 / (1 - alpha**2))
