"""Closed forms where all entities know and publish the same features, S_k = S~_k = S_* = S (`docs/theory.md`, section 5).

The spectral radius is α. Write V = σ² tr S⁻¹, the error of one dataset alone; the pooled optimum is V/(K+1).
"""

from jaxtyping import Array, Float

Scalar = float | int | Float[Array, ""]


def relative_error(alpha: Scalar, beta: Scalar, entities: Scalar) -> Scalar:
    """MSE_∞ / V of every entity, for α in [0, 1): public error, shared private error, what is left of heterogeneity, and
    the noise of synthetic labels."""
    public = (1 - beta) ** 2
    shared = beta**2 / entities
    heterogeneity = (1 - alpha) ** 2 * beta**2 * (1 - 1 / entities)
    sampling = alpha**2 / (entities * (1 - alpha**2))
    return public + shared + heterogeneity + sampling


def relative_efficiency(alpha: Scalar, beta: Scalar, entities: Scalar) -> Scalar:
    """Relative efficiency of every entity against the estimator that sees all K + 1 datasets."""
    return 1 / ((entities + 1) * relative_error(alpha, beta, entities))


def relative_efficiency_without_public(alpha: Scalar, entities: Scalar) -> Scalar:
    """Relative efficiency at β = 1 against the estimator that sees the K private datasets; 1 - α² for a lone model."""
    return 1 / ((entities - 1) * (1 - alpha) ** 2 + 1 / (1 - alpha**2))
