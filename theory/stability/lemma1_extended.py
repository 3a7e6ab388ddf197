"""Lemma 1 for entities with weights and mixtures of their own, as long as what they know beside their prompts is common."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from crossfeed.formulas.linear_algebra import kernel_projector, whitener
from crossfeed.formulas.workflow import PAPER, Workflow

from ..ecosystem import Ecosystem
from ..weights import Weights
from .conditions import CONDITIONS, Knowledge, knowledge, publishes, reading
from .lemma1 import PROPORTIONALITY_TOLERANCE


class Lemma1Extended(eqx.Module):
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

    condition: CONDITIONS
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
    weight = known.synthetic_weight
    published, public = ecosystem.synthetic.gram, ecosystem.public.gram
    bound_by = publishes(ecosystem, reads.shares) & (weight > 0)
    penalty = _common_penalty(known, bound_by)
    divisor = jnp.where(bound_by, weight, 1.0)[:, None, None]
    real = (known.real - known.penalty * jnp.eye(ecosystem.dimension)[None]) / divisor
    surplus, common, misfit = _fit(real, published, public, bound_by)
    applies = (misfit <= PROPORTIONALITY_TOLERANCE) & jnp.isfinite(penalty)
    base = jnp.einsum("j,jab->ab", reads.shares, published) + jnp.where(applies, common, 0.0) * public
    base = base + jnp.where(jnp.isfinite(penalty), penalty, 0.0) * jnp.eye(ecosystem.dimension)
    epsilon = _smallest_eigenvalues(published, base)
    rates = 1 / (1 + jnp.where(bound_by & applies, epsilon * surplus, 0.0))
    bound = jnp.where(bound_by, rates, 0.0).max()
    covered = reads.on_one_pool
    condition = CONDITIONS.where((covered == CONDITIONS.applies) & ~applies, CONDITIONS.no_mixture, covered)
    given = condition == CONDITIONS.applies
    return Lemma1Extended(
        condition=condition,
        surplus=jnp.where(given, jnp.where(weight > 0, surplus, jnp.inf), jnp.nan),
        common=jnp.where(given, common, jnp.nan),
        bound=jnp.where(given, reads.radius(bound), jnp.nan),
    )


def _common_penalty(known: Knowledge, bound_by: Bool[Array, " entity"]) -> Float[Array, ""]:
    """μ/α if it is the same for all entities that publish and read; otherwise infinite."""
    ratio = known.penalty / jnp.where(bound_by, known.synthetic_weight, 1.0)
    low, high = jnp.where(bound_by, ratio, jnp.inf).min(), jnp.where(bound_by, ratio, -jnp.inf).max()
    same = ~bound_by.any() | (high - low <= PROPORTIONALITY_TOLERANCE * high)
    return jnp.where(same, jnp.where(bound_by.any(), low, 0.0), jnp.inf)


def _fit(
    real: Float[Array, "entity d d"],
    published: Float[Array, "entity d d"],
    public: Float[Array, "d d"],
    used: Bool[Array, " entity"],
) -> tuple[Float[Array, " entity"], Float[Array, ""], Float[Array, ""]]:
    """δ_k and τ with R_k = δ_kS_k + τS_* for all entities used, by least squares, and the largest relative misfit.

    The misfit is infinite if a coefficient is negative.
    """
    size = jnp.maximum((published**2).sum((1, 2)), jnp.finfo(float).tiny)
    scale = jnp.maximum((real**2).sum((1, 2)), jnp.finfo(float).tiny)

    def along(grams: Float[Array, "entity d d"]) -> Float[Array, " entity"]:
        return (grams * published).sum((1, 2)) / size

    every = jnp.broadcast_to(public, published.shape)
    of_real, of_public = along(real), along(every)
    rest = real - of_real[:, None, None] * published
    open_public = every - of_public[:, None, None] * published
    # Of S_* ∝ S_k nothing is left but rounding, and τ is then free; it is 0.
    left = (open_public**2).sum((1, 2))
    left = jnp.where(used & (left > PROPORTIONALITY_TOLERANCE**2 * (every**2).sum((1, 2))), left, 0.0)
    target = jnp.where(left > 0, (rest * open_public).sum((1, 2)), 0.0)
    total = (left / scale).sum()
    common = jnp.where(total > 0, (target / scale).sum() / jnp.where(total > 0, total, 1.0), 0.0)
    largest = jnp.sqrt(scale / jnp.maximum((every**2).sum((1, 2)), jnp.finfo(float).tiny))
    common = jnp.where(jnp.abs(common) <= PROPORTIONALITY_TOLERANCE * largest.max(), 0.0, common)
    surplus = of_real - common * of_public
    surplus = jnp.where(jnp.abs(surplus) <= PROPORTIONALITY_TOLERANCE * jnp.sqrt(scale / size), 0.0, surplus)
    misfit = jnp.sqrt(((rest - common * open_public) ** 2).sum((1, 2)) / scale)
    misfit = jnp.where(used, jnp.where(surplus < 0, jnp.inf, misfit), 0.0).max()
    return surplus, common, jnp.where(common < 0, jnp.inf, misfit)


def _smallest_eigenvalues(grams: Float[Array, "entity d d"], base: Float[Array, "d d"]) -> Float[Array, " entity"]:
    """ε_k, the smallest nonzero eigenvalue of M^{+/2} S_k M^{+/2}; its rank is that of S_k."""
    root, _ = whitener(base, jax.lax.stop_gradient(kernel_projector(base)))

    def of(gram: Float[Array, "d d"]) -> Float[Array, ""]:
        white = root.T @ gram @ root
        rank = len(gram) - jnp.round(jnp.trace(kernel_projector(gram))).astype(int)
        values = jnp.linalg.eigvalsh(white)
        return values[jnp.clip(len(gram) - rank, 0, len(gram) - 1)]

    return jax.vmap(of)(grams)
