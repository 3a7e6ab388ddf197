"""Lemma 1 with an explicit bound, and without its condition β ≤ λ (`docs/theory.md`, section 4)."""

from typing import NamedTuple

from ..arrays import namespace
from ..ecosystem import Ecosystem
from ..linear_algebra import identity_like, kernel_projector, pseudo_inverse, square_root
from ..shapes import Array, Bool, Float, Int
from ..weights import Weights
from .conditions import CONDITIONS, in_common_units, publishes

PROPORTIONALITY_TOLERANCE = 1e-9
"""Largest relative difference at which matrices count as proportional."""


class Lemma1(NamedTuple):
    """Result of `lemma1`: whether Lemma 1 applies, and its bound on the spectral radius.

    Attributes:
        mixing: λ in (0, 1] with γ S_k = λ S~_k + (1-λ) S_* for all entities that publish; NaN where there is none.
        scale: γ > 0 of the same equation; NaN where there is none.
        condition: why the lemma does not apply; `CONDITIONS.applies` if it does: such a λ exists, and all entities share α < 1
            and 0 < β ≤ λ.
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
    condition: Int[Array, ""]
    bound: Float[Array, ""]

    @property
    def applies(self) -> Bool[Array, "..."]:
        """Whether the lemma applies."""
        return self.condition == CONDITIONS.applies


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
    alpha, beta, uniform = _common_weights(ecosystem, weights)
    xp = namespace(alpha)
    mixing, scale = _mixture(ecosystem)
    small = beta <= mixing * (1 + PROPORTIONALITY_TOLERANCE)
    condition = xp.where(small, CONDITIONS.applies, CONDITIONS.private_weight)
    condition = xp.where(mixing > 0, condition, CONDITIONS.no_common_mixture)
    condition = _uniform_weights(uniform, beta, condition)
    applies = condition == CONDITIONS.applies
    bound = lemma1_bound(ecosystem, alpha, beta, xp.where(applies, mixing, 1.0), xp.where(applies, scale, 1.0))
    return Lemma1(mixing, scale, condition, xp.where(applies, bound, xp.nan))


class Lemma1Beyond(NamedTuple):
    """Result of `lemma1_beyond`.

    Attributes:
        condition: why the lemma does not apply; `CONDITIONS.applies` if it does.
        mixing: λ of the prompts, as in `Lemma1`; NaN where there is none.
        bound: 1/(1 + (1-θ)δ), an upper bound of ρ(Q) that is below 1 for β < 1; NaN where the lemma does not apply.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.theory import Weights, lemma1_beyond, symmetric_ecosystem
        >>> print(lemma1_beyond(symmetric_ecosystem(2, jnp.eye(3)), Weights(0.5, 0.5)).applies)
        True
    """

    condition: Int[Array, ""]
    mixing: Float[Array, ""]
    bound: Float[Array, ""]

    @property
    def applies(self) -> Bool[Array, "..."]:
        """Whether the lemma applies."""
        return self.condition == CONDITIONS.applies


def lemma1_beyond(ecosystem: Ecosystem, weights: Weights) -> Lemma1Beyond:
    """Lemma 1 without its condition β ≤ λ, for the paper's workflow (`docs/theory.md`, section 4).

    If γ S_k = λ S~_k + (1-λ) S_* for all k, ρ(Q) ≤ 1/(1 + (1-θ)δ) with δ = āβγ/(αλ) and θ = max(0, (β-λ)/(β(1-λ))). Zero at α = 0.

    Args:
        ecosystem: the ecosystem.
        weights: weights that are constant over generations, of shape () or (K).

    Returns:
        λ, whether the lemma applies, and the bound.

    Raises:
        InvalidInput: the weights change between generations, or their shape does not fit K.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.theory import Weights, ecosystem_from_grams, lemma1_beyond
        >>> prompts = jnp.ones((1, 1, 1))  # half private, half public: λ = 1/2
        >>> ecosystem = ecosystem_from_grams(prompts + 0.5, jnp.full((1, 1), 0.5), prompts)
        >>> print(f"{lemma1_beyond(ecosystem, Weights(0.5, 0.8)).bound:.4f}")
        0.4545
    """
    alpha, beta, uniform = _common_weights(ecosystem, weights)
    xp = namespace(alpha)
    mixing, scale = _mixture(ecosystem)
    mixed = xp.where(mixing > 0, CONDITIONS.applies, CONDITIONS.no_common_mixture)
    condition = _uniform_weights(uniform, beta, mixed)
    applies = condition == CONDITIONS.applies
    mixing_, scale_ = xp.where(applies, mixing, 1.0), xp.where(applies, scale, 1.0)
    delta = _ratio(alpha) * beta * scale_ / mixing_
    surplus = (beta - mixing_) / xp.where(mixing_ < 1, beta * (1 - mixing_), 1.0)
    theta = xp.where((beta > mixing_) & (mixing_ < 1), surplus, 0.0)
    bound = xp.where(alpha > 0, 1 / (1 + (1 - theta) * delta), 0.0)
    return Lemma1Beyond(condition, mixing, xp.where(applies, bound, xp.nan))


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
    xp = namespace(alpha)
    delta = _ratio(alpha) * beta * scale / mixing
    surplus = _ratio(alpha) * xp.maximum(mixing - beta, 0) / mixing
    published = xp.where(publishes(ecosystem, ecosystem.shares)[:, None, None], ecosystem.synthetic.gram, 0)
    (grams,), _ = in_common_units(xp.concatenate([published, ecosystem.public.gram[None], ecosystem.pool_gram[None]]))
    epsilon = _smallest_eigenvalue(grams[:-2], pseudo_inverse(surplus * grams[-2] + grams[-1]))
    return xp.where(alpha > 0, 1 / (1 + epsilon * delta), 0.0)


def _common_weights(
    ecosystem: Ecosystem, weights: Weights
) -> tuple[Float[Array, ""], Float[Array, ""], Bool[Array, ""]]:
    """α and β of the first entity, and whether all entities share them and α is below 1."""
    alphas, betas = weights.per_entity(ecosystem.entities)
    alpha, beta = alphas[0], betas[0]
    return alpha, beta, (alphas == alpha).all() & (betas == beta).all() & (alpha < 1)


def _ratio(alpha: Float[Array, ""]) -> Float[Array, ""]:
    """ā/α, and ā at α = 0, where bounds do not use it."""
    return (1 - alpha) / namespace(alpha).where(alpha > 0, alpha, 1.0)


def _uniform_weights(shared: Bool[Array, ""], beta: Float[Array, ""], otherwise: Int[Array, ""]) -> Int[Array, ""]:
    """What is wrong with the weights, or another condition if nothing is."""
    xp = namespace(beta)
    condition = xp.where(beta > 0, otherwise, CONDITIONS.no_private_weight)
    return xp.where(shared, condition, CONDITIONS.unequal_weights)


def _smallest_eigenvalue(grams: Float[Array, "entity d d"], inverse: Float[Array, "d d"]) -> Float[Array, ""]:
    """Smallest nonzero eigenvalue, over all k, of S_k^{1/2} Δ⁺ S_k^{1/2}, and so of Δ^{+/2} S_k Δ^{+/2}.

    Its rank is that of S_k, which is decided from S_k alone, before an ill-conditioned Δ⁺ can turn rounding into
    eigenvalues.
    """

    xp, kernel = namespace(grams), kernel_projector(grams)
    root = square_root(grams) @ (identity_like(grams) - kernel)
    product = root @ inverse @ root.mT
    above = 2 * xp.trace(product, axis1=1, axis2=2)  # the largest eigenvalue: moves those of the kernel out of the way
    smallest = xp.linalg.eigvalsh(product + above[:, None, None] * kernel)[:, 0]
    return xp.where(xp.trace(grams, axis1=1, axis2=2) > 0, smallest, xp.inf).min()


def _mixture(ecosystem: Ecosystem) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Largest λ, and its γ, with γ S_k = λ S~_k + (1-λ) S_* for all publishing k; NaN if there is none."""
    xp = namespace(ecosystem.shares)
    # The data of an entity that publishes nothing do not matter.
    heard = publishes(ecosystem, ecosystem.shares)[:, None, None]
    (own, public, synthetic), (own_size, public_size, size) = in_common_units(
        xp.where(heard, ecosystem.private.gram, 0),
        xp.where(heard, ecosystem.public.gram[None], 0),
        xp.where(heard, ecosystem.synthetic.gram, 0),
    )
    basis, target = xp.stack([own.ravel(), public.ravel()], axis=1), synthetic.ravel()
    private_only = basis[:, 0] @ target / xp.maximum(basis[:, 0] @ basis[:, 0], xp.finfo(float).tiny)
    fitted = pseudo_inverse(basis.T @ basis) @ (basis.T @ target)
    # S ∝ S~ means λ = 1, which allows every β, even if another λ fits as well, as where S~ ∝ S_*.
    candidates = xp.stack([xp.stack([private_only, xp.zeros_like(private_only)]), fitted])
    misfit = xp.linalg.norm(candidates @ basis.T - target[None, :], axis=1)
    possible = (misfit <= PROPORTIONALITY_TOLERANCE * xp.linalg.norm(target)) & (candidates.sum(1) > 0)
    possible = possible & (candidates >= -PROPORTIONALITY_TOLERANCE * xp.abs(candidates).max()).all(axis=1)
    candidates = candidates * xp.stack([size / own_size, size / public_size])[None]
    chosen = xp.maximum(candidates[xp.argmax(possible)], 0.0)
    found = possible.any() & (chosen[0] > PROPORTIONALITY_TOLERANCE * chosen[1])
    total = xp.where(found, chosen.sum(), 1.0)
    return xp.where(found, chosen[0] / total, xp.nan), xp.where(found, 1 / total, xp.nan)
