"""Conditions for stability: Lemma 1 with an explicit bound, Theorem U, and the criterion for common prompts."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from .ecosystem import Ecosystem
from .linear_algebra import RANK_TOLERANCE, kernel_projector, pseudo_inverse, range_projector, square_root
from .weights import Weights

PROPORTIONALITY_TOLERANCE = 1e-9
"""Largest relative difference at which matrices count as proportional."""

_ROUNDING = 1e-10  # of sums and products of projectors


class Lemma1(eqx.Module):
    """Result of `lemma1`: whether Lemma 1 applies, and its bound on the spectral radius.

    Attributes:
        mixing: λ in (0, 1] with γ S_k = λ S~_k + (1-λ) S_* for all entities that publish; NaN where there is none.
        scale: γ > 0 of the same equation; NaN where there is none.
        applies: whether the conditions of the lemma hold: such a λ exists, and all entities share α < 1 and 0 < β ≤ λ.
        bound: 1/(1 + εδ), an upper bound of ρ(Q) below 1; NaN where the lemma does not apply.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.theory import Weights, lemma1, symmetric_ecosystem
        >>> result = lemma1(symmetric_ecosystem(2, jnp.eye(3)), Weights(0.5, 0.5))
        >>> print(result.applies, f"{result.mixing:.4f} {result.scale:.4f}")
        True 1.0000 1.0000
    """

    mixing: Float[Array, ""]
    scale: Float[Array, ""]
    applies: Bool[Array, ""]
    bound: Float[Array, ""]


def lemma1(ecosystem: Ecosystem, weights: Weights) -> Lemma1:
    """Condition of Lemma 1 for stability, and the bound of ρ(Q) that its proof gives (Appendix E.4, corrected).

    With δ = āβγ/(αλ), Δ = ā(λ-β)/(αλ) S_* + S̲ and ε the smallest nonzero eigenvalue of the blocks Δ^{+/2} S_k Δ^{+/2},
    the bound is ρ(Q) ≤ 1/(1 + εδ). The proof needs one α and one β for all entities, but not equal shares
    (`docs/theory.md`, section 4). Both sides are zero at α = 0.

    Args:
        ecosystem: the ecosystem.
        weights: weights that are constant over generations, of shape () or (K).

    Returns:
        λ, γ, whether the lemma applies, and the bound.

    Raises:
        InvalidInput: the weights change between generations, or their shape does not fit K.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.theory import Weights, lemma1, symmetric_ecosystem
        >>> print(f"{lemma1(symmetric_ecosystem(2, jnp.eye(3)), Weights(0.5, 0.5)).bound:.4f}")
        0.7500
    """
    alphas, betas = weights.per_entity(ecosystem.entities)
    alpha, beta = alphas[0], betas[0]
    uniform = (alphas == alpha).all() & (betas == beta).all()
    mixing, scale = _mixture(ecosystem)
    applies = uniform & (mixing > 0) & (mixing <= 1) & (alpha < 1) & (beta > 0)
    applies = applies & (beta <= mixing * (1 + PROPORTIONALITY_TOLERANCE))
    bound = lemma1_bound(ecosystem, alpha, beta, jnp.where(applies, mixing, 1.0), jnp.where(applies, scale, 1.0))
    return Lemma1(mixing, scale, applies, jnp.where(applies, bound, jnp.nan))


def lemma1_bound(
    ecosystem: Ecosystem,
    alpha: Float[Array, ""],
    beta: Float[Array, ""],
    mixing: Float[Array, ""],
    scale: Float[Array, ""],
) -> Float[Array, ""]:
    """Bound 1/(1 + εδ) of Lemma 1 for an ecosystem whose λ and γ are known, without a check that the lemma applies.

    Args:
        ecosystem: the ecosystem.
        alpha: α in [0, 1) of all entities.
        beta: β in (0, λ] of all entities.
        mixing: λ in (0, 1], as in `Lemma1`.
        scale: γ > 0, as in `Lemma1`.

    Returns:
        An upper bound of ρ(Q), without unit; 0 at α = 0.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.theory import lemma1_bound, symmetric_ecosystem
        >>> half, one = jnp.array(0.5), jnp.array(1.0)
        >>> print(f"{lemma1_bound(symmetric_ecosystem(2, jnp.eye(3)), half, half, mixing=one, scale=one):.4f}")
        0.7500
    """
    safe_alpha = jnp.where(alpha > 0, alpha, 1.0)
    delta = (1 - alpha) * beta * scale / (safe_alpha * mixing)
    surplus = (1 - alpha) * jnp.maximum(mixing - beta, 0) / (safe_alpha * mixing)
    published = jnp.where((ecosystem.shares > 0)[:, None, None], ecosystem.synthetic.gram, 0)
    epsilon = _smallest_eigenvalue(published, pseudo_inverse(surplus * ecosystem.public.gram + ecosystem.pool_gram))
    return jnp.where(alpha > 0, 1 / (1 + epsilon * delta), 0.0)


def _smallest_eigenvalue(grams: Float[Array, "entity d d"], inverse: Float[Array, "d d"]) -> Float[Array, ""]:
    """Smallest nonzero eigenvalue, over all k, of S_k^{1/2} Δ⁺ S_k^{1/2}, and so of Δ^{+/2} S_k Δ^{+/2}.

    Its rank is that of S_k, which is decided from S_k alone, before an ill-conditioned Δ⁺ can turn rounding into
    eigenvalues.
    """

    def of(gram: Float[Array, "d d"]) -> Float[Array, ""]:
        kernel = kernel_projector(gram)
        root = square_root(gram) @ (jnp.eye(len(gram)) - kernel)
        product = root @ inverse @ root.T
        above = 2 * jnp.trace(product)  # above the largest eigenvalue: moves those of the kernel out of the way
        smallest: Float[Array, ""] = jnp.linalg.eigvalsh(product + above * kernel)[0]
        return jnp.where(jnp.trace(gram) > 0, smallest, jnp.inf)

    return jax.vmap(of)(grams).min()


def _mixture(ecosystem: Ecosystem) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Largest λ, and its γ, with γ S_k = λ S~_k + (1-λ) S_* for all publishing k; NaN if there is none."""
    publics = jnp.broadcast_to(ecosystem.public.gram, ecosystem.private.gram.shape)
    # An entity without a share of the pool publishes nothing, so its data do not matter.
    heard = (ecosystem.shares > 0).astype(float)[:, None, None]
    basis = jnp.stack([(heard * ecosystem.private.gram).ravel(), (heard * publics).ravel()], axis=1)
    target = (heard * ecosystem.synthetic.gram).ravel()
    private_only = basis[:, 0] @ target / jnp.maximum(basis[:, 0] @ basis[:, 0], jnp.finfo(float).tiny)
    scales = jnp.maximum(jnp.linalg.norm(basis, axis=0), jnp.finfo(float).tiny)
    unit = basis / scales[None, :]  # private and public data may differ in size by any factor
    fitted = (pseudo_inverse(unit.T @ unit) @ (unit.T @ target)) / scales
    # S ∝ S~ means λ = 1, which allows every β, even if another λ fits as well, as where S~ ∝ S_*.
    candidates = jnp.stack([jnp.array([private_only, 0.0]), fitted])
    misfit = jnp.linalg.norm(candidates @ basis.T - target[None, :], axis=1)
    possible = (misfit <= PROPORTIONALITY_TOLERANCE * jnp.linalg.norm(target)) & (candidates.sum(1) > 0)
    possible = possible & (candidates >= -PROPORTIONALITY_TOLERANCE * jnp.abs(candidates).max()).all(axis=1)
    chosen = jnp.maximum(candidates[jnp.argmax(possible)], 0.0)
    found = possible.any() & (chosen[0] > PROPORTIONALITY_TOLERANCE * chosen[1])
    total = jnp.where(found, chosen.sum(), 1.0)
    return jnp.where(found, chosen[0] / total, jnp.nan), jnp.where(found, 1 / total, jnp.nan)


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
    publishing = (ecosystem.shares > 0).sum()
    rank = ecosystem.dimension - jnp.round(jnp.trace(kernel_projector(ecosystem.pool_gram)))
    return (1 + jnp.sqrt(jnp.minimum(publishing.astype(rank.dtype), rank))) / 2


class CommonPrompts(eqx.Module):
    """Result of `common_prompts`: whether the criterion applies, and whether the ecosystem is stable.

    Attributes:
        applies: whether all publishing entities publish labels for the same inputs, S_j = c_j S.
        stable: whether ρ(Q) < 1, where the criterion applies; otherwise False, which then says nothing.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.theory import Weights, common_prompts, symmetric_ecosystem
        >>> result = common_prompts(symmetric_ecosystem(2, jnp.eye(3)), Weights(0.5, 0.5))
        >>> print(result.applies, result.stable)
        True True
    """

    applies: Bool[Array, ""]
    stable: Bool[Array, ""]


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
    size = jnp.trace(ecosystem.synthetic.gram, axis1=-2, axis2=-1)
    publishing = (ecosystem.shares > 0) & (size > 0)
    pool = ecosystem.pool_gram
    shape = pool / jnp.trace(pool)
    off = jnp.linalg.norm(ecosystem.synthetic.gram - size[:, None, None] * shape[None], axis=(-2, -1))
    applies = (~publishing | (off <= PROPORTIONALITY_TOLERANCE * size)).all()

    def scaled(gram: Float[Array, "d d"]) -> Float[Array, "d d"]:
        return gram / jnp.maximum(jnp.trace(gram), jnp.finfo(float).tiny)

    def unlearned(alpha: Float[Array, ""], beta: Float[Array, ""], private: Float[Array, "d d"]) -> Float[Array, "d d"]:
        on_private, on_public, on_pool = (
            (weight > RANK_TOLERANCE).astype(float) for weight in ((1 - alpha) * beta, (1 - alpha) * (1 - beta), alpha)
        )
        known = on_private * scaled(private) + on_public * scaled(ecosystem.public.gram)
        return on_pool * range_projector(published @ kernel_projector(known) @ published, _ROUNDING)

    published = jnp.eye(ecosystem.dimension) - kernel_projector(pool)
    lost = jax.vmap(unlearned)(alpha, beta, ecosystem.private.gram)
    learned = jnp.where(publishing[:, None, None], published[None] - lost, 0).sum(0)
    rank = jnp.trace(range_projector(learned, _ROUNDING))
    return CommonPrompts(applies, applies & (jnp.abs(rank - jnp.trace(published)) < 0.5))
