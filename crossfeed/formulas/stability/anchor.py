"""Public data as an anchor: how far an ecosystem can get beside data that all entities share (`docs/theory.md`, section 3)."""

from typing import NamedTuple

from ..arrays import namespace
from ..ecosystem import Ecosystem
from ..linear_algebra import identity_like
from ..shapes import Array, Bool, Float, Int
from ..weights import Weights
from ..workflow import PAPER, Workflow
from .conditions import CONDITIONS, knowledge, publishes, reading
from .norms import largest_sum_of_norms
from .whitening import anchor_of, beside_common, published_parts, weights_of_pool, whiten, whitening_root

_ROUNDING = 1e-12


class AnchorBound(NamedTuple):
    """Result of `anchor_bound`.

    Attributes:
        condition: why the theorem does not apply; `CONDITIONS.applies` if it does.
        anchor: t, the largest number for which public data cover t times the pool for all entities.
        effective_dimension: tr T_0, the directions of the pool that public data leave open, each by its part.
        bound: bound of ρ(Q) for these private data, by how much and how little each entity trusts the pool.
        bound_any_private: bound of ρ(Q) for any private data; NaN, as the first, if the theorem does not apply.
        change: factor of the weight or size of public data from which on no private data can make the ecosystem diverge: at
            most 1 if this is so already, and infinite if no amount of these public data suffices. NaN with ridge regression,
            whose penalty does not grow with them.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.theory import Weights, anchor_bound, symmetric_ecosystem
        >>> result = anchor_bound(symmetric_ecosystem(2, jnp.eye(3)), Weights(0.5, 0.5))
        >>> print(f"{result.anchor:.4f} {result.bound:.4f}")
        0.5000 0.5000
    """

    condition: Int[Array, ""]
    anchor: Float[Array, ""]
    effective_dimension: Float[Array, ""]
    bound: Float[Array, ""]
    bound_any_private: Float[Array, ""]
    change: Float[Array, ""]

    @property
    def applies(self) -> Bool[Array, "..."]:
        """Whether the theorem applies."""
        return self.condition == CONDITIONS.applies


def anchor_bound(ecosystem: Ecosystem, weights: Weights, workflow: Workflow = PAPER) -> AnchorBound:
    """Bounds of ρ(Q) for one pool from what all entities know in common.

    With T_j = (I + E_j)⁻¹ between τ' and τ on range(S̲), ρ(Q) ≤ (τ + τ')/2 + ν (τ - τ')/2, where ν is that of `prompt_bound`.
    Public data sS̲ and private data up to LS̲ give τ = 1/(1+t) and τ' = 1/(1+t+ℓ) with t = āb̄s/α and ℓ = āβL/α, and for every m
    there are prompts and private data that attain this.

    For any private data, with B_j = (S̲ + C)^{-1/2} w_jS_j (S̲ + C)^{-1/2} and the common part C = min_k(ā_kb̄_k/α_k) S_*,
    ρ(Q) ≤ (τ_1 + max_{|x|=1} Σ_j |B_j x|)/2, which is at most (τ_1 + (τ_1 min(Kτ_1, tr T_0))^{1/2})/2 with T_0 = Σ_j B_j and
    τ_1 = ‖T_0‖. Ridge regression adds its penalty to C.

    Args:
        ecosystem: the ecosystem.
        weights: weights that are constant over generations, of shape () or (K).
        workflow: least squares or ridge regression on one pool; the paper's if not given.

    Returns:
        Both bounds, and how much public data would make the ecosystem stable whatever entities know.

    Raises:
        InvalidInput: the weights change between generations, or their shape does not fit K.

    Example:
        >>> from crossfeed.theory import Weights, anchor_bound, worst_case
        >>> print(f"{anchor_bound(worst_case(4, 1.0), Weights(0.5, 1.0)).bound:.4f}")
        1.2500
    """
    xp, reads = namespace(ecosystem.shares), reading(ecosystem, workflow)
    parts = published_parts(ecosystem, reads)
    published = whiten(whitening_root(parts.sum(0)), parts)
    heard = publishes(ecosystem, reads.shares)
    nu = largest_sum_of_norms(published).upper

    least, most = _range_of_trust(weights_of_pool(ecosystem, weights, workflow), published.sum(0), heard)
    two_sided = (most + least) / 2 + nu * (most - least) / 2

    known = knowledge(ecosystem, weights, workflow)
    open_parts = beside_common(ecosystem, reads, known)
    anchor = anchor_of(open_parts)
    any_private = (1 / (1 + anchor) + largest_sum_of_norms(open_parts).upper) / 2

    needed = xp.maximum(nu - 1, 0) / 2
    factor = xp.where(needed > _ROUNDING, needed / xp.where(anchor > _ROUNDING, anchor, 1), 0)
    change = xp.where((anchor > _ROUNDING) | (needed <= _ROUNDING), factor, xp.inf)
    condition = reads.on_one_pool
    values = (reads.radius(xp.minimum(two_sided, any_private)), reads.radius(any_private), change)
    bound, any_private, change = (xp.where(condition == CONDITIONS.applies, value, xp.nan) for value in values)
    change = xp.where(known.penalty == 0, change, xp.nan)
    return AnchorBound(condition, anchor, xp.trace(open_parts.sum(0)), bound, any_private, change)


def _range_of_trust(
    trust: Float[Array, "entity d d"], projector: Float[Array, "d d"], heard: Bool[Array, " entity"]
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """τ' and τ: the smallest and largest eigenvalue on range(S̲) of the T_j of entities that publish; 0 if none does."""
    xp, beyond = namespace(trust), identity_like(projector) - projector
    least = xp.linalg.eigvalsh(trust + beyond[None])[:, 0]  # T_j ⪯ I, so the ones of `beyond` are no minimum
    most = xp.linalg.eigvalsh(trust)[:, -1]
    highest = xp.max(most, where=heard, initial=0.0)
    return xp.minimum(xp.min(least, where=heard, initial=1.0), highest), highest
