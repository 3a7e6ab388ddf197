"""Theorem U: a bound for all weights and data (`docs/theory.md`, section 3)."""

from ..arrays import namespace
from ..ecosystem import Ecosystem
from ..linear_algebra import kernel_projector
from ..shapes import Array, Float
from .conditions import publishes


def universal_bound(ecosystem: Ecosystem) -> Float[Array, ""]:
    """Upper bound (1 + √m)/2 of ρ(Q) for all weights, m = min(number of publishing entities, rank S̲) (Theorem U).

    Theorem U is proved in `docs/theory.md`, section 3, and not in the paper.

    Args:
        ecosystem: the ecosystem.

    Returns:
        A number of at least 1, without unit. A bound above 1 leaves open whether there is a limit.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.theory import symmetric_ecosystem, universal_bound
        >>> print(f"{universal_bound(symmetric_ecosystem(2, jnp.eye(3))):.4f}")
        1.2071
    """
    xp = namespace(ecosystem.shares)
    publishing = publishes(ecosystem, ecosystem.shares).sum()
    rank = ecosystem.dimension - xp.round(xp.trace(kernel_projector(ecosystem.pool_gram)))
    return (1 + xp.sqrt(xp.minimum(publishing.astype(rank.dtype), rank))) / 2
