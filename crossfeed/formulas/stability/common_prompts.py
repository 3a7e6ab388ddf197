"""Stability if all entities publish labels for the same inputs: a necessary and sufficient criterion."""

from typing import NamedTuple

from ..arrays import namespace
from ..ecosystem import Ecosystem
from ..linear_algebra import RANK_TOLERANCE, identity_like, kernel_projector, range_projector
from ..shapes import Array, Bool, Float, Int
from ..weights import Weights
from .conditions import CONDITIONS, in_common_units, kernels_of, publishes
from .lemma1 import PROPORTIONALITY_TOLERANCE

_ROUNDING = 1e-10  # of sums and products of projectors


class CommonPrompts(NamedTuple):
    """Result of `common_prompts`: whether the criterion applies, and whether the ecosystem is stable.

    Attributes:
        condition: why the criterion does not apply; `CONDITIONS.applies` if it does: all publishing entities publish labels for
            the same inputs, S_j = c_j S.
        stable: whether ρ(Q) < 1, where the criterion applies; otherwise False, which then says nothing.
        missing: number of directions that what entities know would have to cover besides for stability; NaN if the criterion
            does not apply.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.theory import Weights, common_prompts, symmetric_ecosystem
        >>> result = common_prompts(symmetric_ecosystem(2, jnp.eye(3)), Weights(0.5, 0.5))
        >>> print(result.applies, result.stable)
        True True
    """

    condition: Int[Array, ""]
    stable: Bool[Array, ""]
    missing: Float[Array, ""]

    @property
    def applies(self) -> Bool[Array, "..."]:
        """Whether the criterion applies."""
        return self.condition == CONDITIONS.applies


def common_prompts(ecosystem: Ecosystem, weights: Weights) -> CommonPrompts:
    """Criterion for stability if all entities publish labels for the same inputs (`docs/theory.md`, section 4).

    With S_j = c_j S, ρ(Q) < 1 if and only if the kernels of R_j = ā_j (β_j S~_j + b̄_j S_*), each projected onto the
    range of S, have only zero in common. R_j is the Gram matrix of the real data that publishing entity j trains on; an
    entity with α_j = 0 does not read the pool and counts as one with data on all features. For nonsingular S the
    criterion says that the real data of all publishing entities jointly span the features.

    Args:
        ecosystem: the ecosystem.
        weights: weights that are constant over generations, of shape () or (K).

    Returns:
        Whether the criterion applies, and whether the ecosystem is stable.

    Raises:
        InvalidInput: the weights change between generations, or their shape does not fit K.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.theory import Weights, common_prompts, symmetric_ecosystem
        >>> ecosystem = symmetric_ecosystem(2, jnp.eye(3))
        >>> print(common_prompts(ecosystem, Weights(0.9, 0.5)).stable)
        True
        >>> print(common_prompts(ecosystem, Weights(1.0, 0.5)).stable)  # no entity trains on real data
        False
    """
    alpha, beta = weights.per_entity(ecosystem.entities)
    xp = namespace(alpha)
    publishing = publishes(ecosystem, ecosystem.shares)
    pool = ecosystem.pool_gram
    (synthetic, together), _ = in_common_units(ecosystem.synthetic.gram, pool)
    size, total = xp.trace(synthetic, axis1=-2, axis2=-1), xp.trace(together)
    shape = together / xp.where(total > 0, total, 1)
    off = xp.linalg.norm(synthetic - size[:, None, None] * shape[None], axis=(-2, -1))
    applies = (~publishing | (off <= PROPORTIONALITY_TOLERANCE * size)).all()

    published = identity_like(pool) - kernel_projector(pool)
    unknown = kernels_of((1 - alpha) * beta, (1 - alpha) * (1 - beta), ecosystem.private.gram, ecosystem.public.gram)
    reads = (alpha > RANK_TOLERANCE).astype(float)[:, None, None]
    lost = reads * range_projector(published @ unknown @ published, _ROUNDING)
    learned = xp.where(publishing[:, None, None], published[None] - lost, 0).sum(0)
    rank = xp.trace(range_projector(learned, _ROUNDING))
    missing = xp.round(xp.trace(published) - rank)
    condition = xp.where(applies, CONDITIONS.applies, CONDITIONS.different_prompts)
    return CommonPrompts(condition, applies & (missing < 0.5), xp.where(applies, missing, xp.nan))
