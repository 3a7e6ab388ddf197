"""Lemma 1 for entities with weights and mixtures of their own, as long as what they know beside their prompts is common."""

from typing import NamedTuple

from ..arrays import constant, einsum, namespace
from ..ecosystem import Ecosystem
from ..linear_algebra import identity_like, kernel_projector, whitener
from ..shapes import Array, Bool, Float, Int
from ..weights import Weights
from ..workflow import PAPER, Workflow
from .conditions import CONDITIONS, Knowledge, in_common_units, knowledge, publishes, reading
from .lemma1 import PROPORTIONALITY_TOLERANCE


class Lemma1Extended(NamedTuple):
    """Result of `lemma1_extended`.

    Attributes:
        condition: why the lemma does not apply; `CONDITIONS.applies` if it does.
        surplus: δ_k ≥ 0 of R_k = δ_k S_k + τ S_*, infinite for an entity that does not read; NaN if the lemma does not apply.
        common: τ ≥ 0 of the same equation; NaN if the lemma does not apply.
        bound: max_k 1/(1 + ε_kδ_k), which bounds ρ(Q); NaN if the lemma does not apply.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.theory import Weights, lemma1_extended, symmetric_ecosystem
        >>> result = lemma1_extended(symmetric_ecosystem(2, jnp.eye(3)), Weights(jnp.array([0.2, 0.5]), 1.0))
        >>> print(result.surplus, f"{result.bound:.4f}")
        [4. 1.] 0.5000
    """

    condition: Int[Array, ""]
    surplus: Float[Array, " entity"]
    common: Float[Array, ""]
    bound: Float[Array, ""]

    @property
    def applies(self) -> Bool[Array, "..."]:
        """Whether the lemma applies."""
        return self.condition == CONDITIONS.applies


def lemma1_extended(ecosystem: Ecosystem, weights: Weights, workflow: Workflow = PAPER) -> Lemma1Extended:
    """Lemma 1 with α_k, β_k, λ_k and γ_k of its own for every entity (`docs/theory.md`, section 4).

    What publishing entity k really knows, R_k = (ā_k/α_k)(β_k S~_k + b̄_k S_*), must be δ_k S_k + τ S_* with δ_k ≥ 0 and the same
    τ ≥ 0 for all. If γ_kS_k = λ_kS~_k + (1-λ_k)S_*, this says that τ = ā_k(λ_k-β_k)/(α_kλ_k) is common, and
    δ_k = ā_kβ_kγ_k/(α_kλ_k). Then ρ(Q) ≤ max_k 1/(1 + ε_kδ_k), with ε_k the smallest nonzero eigenvalue of M^{+/2} S_k M^{+/2} and
    M = S̲ + τS_*. Without public data, entities that publish on what they know are stable for any α_k < 1. The penalty of ridge
    regression is part of what is common, so α must then be the same for all.

    Args:
        ecosystem: the ecosystem.
        weights: weights that are constant over generations, of shape () or (K).
        workflow: least squares or ridge regression on one pool; the paper's if not given.

    Returns:
        δ_k, τ, whether the lemma applies, and the bound.

    Raises:
        InvalidInput: the weights change between generations, or their shape does not fit K.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.theory import Weights, lemma1_extended, worst_case
        >>> print(lemma1_extended(worst_case(3, 1.0), Weights(0.5, 1.0)).applies)
        False
    """
    reads, known = reading(ecosystem, workflow), knowledge(ecosystem, weights, workflow)
    xp, weight = namespace(ecosystem.shares), known.synthetic_weight
    published, public = ecosystem.synthetic.gram, ecosystem.public.gram
    bound_by = publishes(ecosystem, reads.shares) & (weight > 0)
    penalty = _common_penalty(known, bound_by)
    divisor = xp.where(bound_by, weight, 1.0)[:, None, None]
    real = (known.real - known.penalty * identity_like(public)[None]) / divisor
    (of_real, of_published, of_public), (real_size, published_size, public_size) = in_common_units(
        xp.where(bound_by[:, None, None], real, 0), xp.where(bound_by[:, None, None], published, 0), public
    )
    surplus, common, misfit = _fit(of_real, of_published, of_public, bound_by)
    surplus, common = surplus * (real_size / published_size), common * (real_size / public_size)
    applies = (misfit <= PROPORTIONALITY_TOLERANCE) & xp.isfinite(penalty)
    base = einsum("j,jab->ab", reads.shares, published) + xp.where(applies, common, 0.0) * public
    base = base + xp.where(xp.isfinite(penalty), penalty, 0.0) * identity_like(public)
    epsilon = _smallest_eigenvalues(published, base)
    rates = 1 / (1 + xp.where(bound_by & applies, epsilon * surplus, 0.0))
    bound = xp.where(bound_by, rates, 0.0).max()
    covered = reads.on_one_pool
    condition = xp.where((covered == CONDITIONS.applies) & ~applies, CONDITIONS.no_mixture, covered)
    given = condition == CONDITIONS.applies
    return Lemma1Extended(
        condition=condition,
        surplus=xp.where(given, xp.where(weight > 0, surplus, xp.inf), xp.nan),
        common=xp.where(given, common, xp.nan),
        bound=xp.where(given, reads.radius(bound), xp.nan),
    )


def _common_penalty(known: Knowledge, bound_by: Bool[Array, " entity"]) -> Float[Array, ""]:
    """μ/α if it is the same for all entities that publish and read; otherwise infinite."""
    xp = namespace(bound_by)
    ratio = known.penalty / xp.where(bound_by, known.synthetic_weight, 1.0)
    low, high = xp.where(bound_by, ratio, xp.inf).min(), xp.where(bound_by, ratio, -xp.inf).max()
    same = ~bound_by.any() | (high - low <= PROPORTIONALITY_TOLERANCE * high)
    return xp.where(same, xp.where(bound_by.any(), low, 0.0), xp.inf)


def _fit(
    real: Float[Array, "entity d d"],
    published: Float[Array, "entity d d"],
    public: Float[Array, "d d"],
    used: Bool[Array, " entity"],
) -> tuple[Float[Array, " entity"], Float[Array, ""], Float[Array, ""]]:
    """δ_k and τ with R_k = δ_kS_k + τS_* for all entities used, by least squares, and the largest relative misfit.

    The misfit is infinite if a coefficient is negative.
    """
    xp = namespace(real)
    size = xp.maximum((published**2).sum((1, 2)), xp.finfo(float).tiny)
    scale = xp.maximum((real**2).sum((1, 2)), xp.finfo(float).tiny)

    def along(grams: Float[Array, "entity d d"]) -> Float[Array, " entity"]:
        return (grams * published).sum((1, 2)) / size

    every = xp.broadcast_to(public, published.shape)
    of_real, of_public = along(real), along(every)
    rest = real - of_real[:, None, None] * published
    open_public = every - of_public[:, None, None] * published
    # Of S_* ∝ S_k nothing is left but rounding, and τ is then free; it is 0.
    left = (open_public**2).sum((1, 2))
    left = xp.where(used & (left > PROPORTIONALITY_TOLERANCE**2 * (every**2).sum((1, 2))), left, 0.0)
    target = xp.where(left > 0, (rest * open_public).sum((1, 2)), 0.0)
    total = (left / scale).sum()
    common = xp.where(total > 0, (target / scale).sum() / xp.where(total > 0, total, 1.0), 0.0)
    largest = xp.sqrt(scale / xp.maximum((every**2).sum((1, 2)), xp.finfo(float).tiny))
    common = xp.where(xp.abs(common) <= PROPORTIONALITY_TOLERANCE * largest.max(), 0.0, common)
    surplus = of_real - common * of_public
    surplus = xp.where(xp.abs(surplus) <= PROPORTIONALITY_TOLERANCE * xp.sqrt(scale / size), 0.0, surplus)
    misfit = xp.sqrt(((rest - common * open_public) ** 2).sum((1, 2)) / scale)
    misfit = xp.where(used, xp.where(surplus < 0, xp.inf, misfit), 0.0).max()
    return surplus, common, xp.where(common < 0, xp.inf, misfit)


def _smallest_eigenvalues(grams: Float[Array, "entity d d"], base: Float[Array, "d d"]) -> Float[Array, " entity"]:
    """ε_k, the smallest nonzero eigenvalue of M^{+/2} S_k M^{+/2}; its rank is that of S_k."""
    root, _ = whitener(base, constant(kernel_projector(base)))
    xp, size = namespace(root), len(root)
    missing = xp.round(xp.trace(kernel_projector(grams), axis1=1, axis2=2)).astype(int)
    values = xp.linalg.eigvalsh(root.T @ grams @ root)
    return values[xp.arange(len(grams)), xp.clip(missing, 0, size - 1)]
