"""Who is stable: Lemma 1 with its explicit bound, the universal bound of Theorem U, and the common-prompt criterion."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from .ecosystem import Ecosystem
from .linear_algebra import RANK_TOLERANCE, kernel_projector, pseudo_inverse, range_projector, square_root
from .weights import Weights

PROPORTIONALITY_TOLERANCE = 1e-9
"""Matrices whose relative difference is at most this count as proportional."""


_ROUNDING = 1e-10  # of sums and products of projectors


class Lemma1(eqx.Module):
    """What Lemma 1 says of an ecosystem and its weights.

    Attributes:
        mixing: λ with S ∝ λ S~ + (1-λ)(I ⊗ S_*); NaN where there is none in (0, 1].
        scale: γ with γ S = λ S~ + (1-λ)(I ⊗ S_*).
        applies: whether the lemma's conditions hold: such a λ exists, α < 1, and 0 < β ≤ λ.
        bound: 1/(1 + εδ) ≥ ρ(Q) where it applies, else NaN.
    """

    mixing: Float[Array, ""]
    scale: Float[Array, ""]
    applies: Bool[Array, ""]
    bound: Float[Array, ""]


def lemma1(ecosystem: Ecosystem, weights: Weights) -> Lemma1:
    """Lemma 1's condition and the bound that its proof gives (App. E.4, corrected).

    With δ = āβγ/(αλ), Δ = ā(λ-β)/(αλ) S_* + S̲ and ε the smallest nonzero eigenvalue of the blocks
    Δ^{+/2} S_k Δ^{+/2}, ρ(Q) ≤ 1/(1 + εδ). The proof needs one α and one β for all; with ΠSΠ = √w√wᵀ ⊗ S̲ it holds for
    unequal shares too. Both sides are zero at α = 0.

    Raises:
        InvalidInput: the weights are not constant over generations.
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
    """1/(1 + εδ) of Lemma 1, for an ecosystem whose λ = `mixing` and γ = `scale` are known; see `lemma1`."""
    safe_alpha = jnp.where(alpha > 0, alpha, 1.0)
    delta = (1 - alpha) * beta * scale / (safe_alpha * mixing)
    surplus = (1 - alpha) * jnp.maximum(mixing - beta, 0) / (safe_alpha * mixing)
    published = jnp.where((ecosystem.shares > 0)[:, None, None], ecosystem.synthetic, 0)
    epsilon = _smallest_eigenvalue(published, pseudo_inverse(surplus * ecosystem.public + ecosystem.pool_gram))
    return jnp.where(alpha > 0, 1 / (1 + epsilon * delta), 0.0)


def _smallest_eigenvalue(grams: Float[Array, "entity d d"], inverse: Float[Array, "d d"]) -> Float[Array, ""]:
    """Smallest nonzero eigenvalue of S_k^{1/2} Δ⁺ S_k^{1/2}, the same as that of Δ^{+/2} S_k Δ^{+/2}.

    The rank is that of S_k, decided before Δ⁺, however ill-conditioned, can turn rounding into eigenvalues.
    """

    def of(gram):
        kernel = kernel_projector(gram)
        root = square_root(gram) @ (jnp.eye(len(gram)) - kernel)
        product = root @ inverse @ root.T
        above = 2 * jnp.trace(product)  # at least the largest eigenvalue: what is put there is never the smallest
        smallest = jnp.linalg.eigvalsh(product + above * kernel)[0]
        return jnp.where(jnp.trace(gram) > 0, smallest, jnp.inf)

    smallest: Float[Array, " entity"] = jax.vmap(of)(grams)  # pyright: ignore[reportAssignmentType]
    return smallest.min()


def _mixture(ecosystem: Ecosystem) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """λ and γ with γ S_k = λ S~_k + (1-λ) S_* for all publishing k, or NaN; the largest λ where several will do."""
    publics = jnp.broadcast_to(ecosystem.public, ecosystem.private.shape)
    # What an entity without a share publishes enters no Q_kj.
    heard = (ecosystem.shares > 0).astype(float)[:, None, None]
    basis = jnp.stack([(heard * ecosystem.private).ravel(), (heard * publics).ravel()], axis=1)
    target = (heard * ecosystem.synthetic).ravel()
    private_only = basis[:, 0] @ target / jnp.maximum(basis[:, 0] @ basis[:, 0], jnp.finfo(float).tiny)
    scales = jnp.maximum(jnp.linalg.norm(basis, axis=0), jnp.finfo(float).tiny)
    unit = basis / scales[None, :]  # private and public data may differ in scale by any factor
    fitted = (pseudo_inverse(unit.T @ unit) @ (unit.T @ target)) / scales
    # S ∝ S~ is λ = 1, whatever else fits: it covers the most β, and S~ may itself be proportional to S_*.
    candidates = jnp.stack([jnp.array([private_only, 0.0]), fitted])
    misfit = jnp.linalg.norm(candidates @ basis.T - target[None, :], axis=1)
    possible = (misfit <= PROPORTIONALITY_TOLERANCE * jnp.linalg.norm(target)) & (candidates.sum(1) > 0)
    possible = possible & (candidates >= -PROPORTIONALITY_TOLERANCE * jnp.abs(candidates).max()).all(axis=1)
    chosen = jnp.maximum(candidates[jnp.argmax(possible)], 0.0)
    found = possible.any() & (chosen[0] > PROPORTIONALITY_TOLERANCE * chosen[1])
    total = jnp.where(found, chosen.sum(), 1.0)
    return jnp.where(found, chosen[0] / total, jnp.nan), jnp.where(found, 1 / total, jnp.nan)


def universal_bound(ecosystem: Ecosystem) -> Float[Array, ""]:
    """Theorem U: (1 + √m)/2 ≥ ρ(Q) for all weights, m = min(publishing entities, rank S̲) (`docs/theory.md`, section 3)."""
    publishing = (ecosystem.shares > 0).sum()
    rank = jnp.round(jnp.trace(range_projector(ecosystem.pool_gram)))
    return (1 + jnp.sqrt(jnp.minimum(publishing.astype(rank.dtype), rank))) / 2


class CommonPrompts(eqx.Module):
    """What the common-prompt criterion says.

    Attributes:
        applies: whether all publishing entities publish on the same inputs, S_j = c_j S.
        stable: whether ρ(Q) < 1; decides both ways where it applies, and is False elsewhere.
    """

    applies: Bool[Array, ""]
    stable: Bool[Array, ""]


def common_prompts(ecosystem: Ecosystem, weights: Weights) -> CommonPrompts:
    """With common prompts, ρ(Q) < 1 iff ∩_j (ker R_j projected onto range S) = {0} (`docs/theory.md`, section 4).

    R_j = ā_j (β_j S~_j + b̄_j S_*) is what publishing entity j trains on besides the pool; an entity with α_j = 0 reads no
    pool, so it counts as knowing everything. For nonsingular S: real data jointly span the features.

    Raises:
        InvalidInput: the weights are not constant over generations.
    """
    alpha, beta = weights.per_entity(ecosystem.entities)
    size = jnp.trace(ecosystem.synthetic, axis1=-2, axis2=-1)
    publishing = (ecosystem.shares > 0) & (size > 0)
    pool = ecosystem.pool_gram
    shape = pool / jnp.trace(pool)
    off = jnp.linalg.norm(ecosystem.synthetic - size[:, None, None] * shape[None], axis=(-2, -1))
    applies = (~publishing | (off <= PROPORTIONALITY_TOLERANCE * size)).all()

    def scaled(gram):
        return gram / jnp.maximum(jnp.trace(gram), jnp.finfo(float).tiny)

    def unlearned(alpha, beta, private):
        on_private, on_public, on_pool = (
            (weight > RANK_TOLERANCE).astype(float) for weight in ((1 - alpha) * beta, (1 - alpha) * (1 - beta), alpha)
        )
        known = on_private * scaled(private) + on_public * scaled(ecosystem.public)
        return on_pool * range_projector(published @ kernel_projector(known) @ published, _ROUNDING)

    published = range_projector(pool)
    lost = jax.vmap(unlearned)(alpha, beta, ecosystem.private)
    learned = jnp.where(publishing[:, None, None], published[None] - lost, 0).sum(0)
    rank = jnp.trace(range_projector(learned, _ROUNDING))
    return CommonPrompts(applies, applies & (jnp.abs(rank - jnp.trace(published)) < 0.5))
