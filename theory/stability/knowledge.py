"""Theorem K: know a quarter of what you publish (`docs/theory.md`, section 3)."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from crossfeed.formulas.linear_algebra import kernel_projector, spectral_radius_of, whitener
from crossfeed.formulas.workflow import PAPER, Workflow

from ..ecosystem import Ecosystem
from ..weights import Weights
from .conditions import CONDITIONS, Knowledge, Reading, kernel_of, knowledge, reading
from .whitening import anchor_of, beside_common

_ROUNDING = 1e-10  # of sums and products of projectors
_BISECTIONS = 60


class KnowledgeBound(eqx.Module):
    """Result of `knowledge_bound`.

    Attributes:
        condition: why Theorem K gives no number; `CONDITIONS.applies` if it does.
        kappa: κ_k, the largest number for which what entity k really knows covers κ_k times what it publishes, in units of
            what it reads; infinite for an entity that publishes nothing or does not read.
        bound: Theorem K's bound of ρ(Q) for any pool; NaN if it does not apply.
        refined: the bound with μ_k = λ_max(S̲_k⁺S_k) where that is smaller than 1/(4κ_k); NaN if neither is finite.
        sharp: the bound for one pool that takes the shares and public data into account; NaN for a network.
        change: factor of the ratio (1-α)/α, or of the size of all real data, from which on Theorem K excludes growth; its
            inverse is the factor of the volume of synthetic data. NaN if the theorem does not apply, and with ridge
            regression, whose penalty does not grow with the data.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.theory import Weights, knowledge_bound, symmetric_ecosystem
        >>> result = knowledge_bound(symmetric_ecosystem(2, jnp.eye(3)), Weights(0.5, 0.5))
        >>> print(result.kappa, f"{result.bound:.4f} {result.sharp:.4f}")
        [1. 1.] 0.5000 0.5000
    """

    condition: CONDITIONS
    kappa: Float[Array, " entity"]
    bound: Float[Array, ""]
    refined: Float[Array, ""]
    sharp: Float[Array, ""]
    change: Float[Array, ""]

    @property
    def margin(self) -> Float[Array, "..."]:
        """Smallest κ_k minus 1/4: nothing grows if it is not negative."""
        return self.kappa.min(-1) - 0.25

    @property
    def applies(self) -> Bool[Array, "..."]:
        """Whether Theorem K gives a number."""
        return self.condition == CONDITIONS.applies


def knowledge_bound(ecosystem: Ecosystem, weights: Weights, workflow: Workflow = PAPER) -> KnowledgeBound:
    """Bounds of ρ(Q) from how much of what they publish entities really know, for any network of readers (Theorem K).

    With R_k = (ā_k/α_k)(β_k S~_k + b̄_k S_*) ⪰ κ_k S_k and the row-stochastic matrix W of readers,
    ρ(Q) ≤ ρ(diag(1/κ) W)^{1/2}/2, which for one pool is (Σ_j w_j/κ_j)^{1/2}/2: no growth if κ_k ≥ 1/4 for all k.

    Args:
        ecosystem: the ecosystem.
        weights: weights that are constant over generations, of shape () or (K).
        workflow: least squares or ridge regression on any pool; the paper's if not given.

    Returns:
        κ_k of every entity, three bounds, and the distance to safety.

    Raises:
        InvalidInput: the weights change between generations, or their shape does not fit K.

    Example:
        >>> from crossfeed.theory import CONDITIONS, Weights, knowledge_bound, worst_case
        >>> result = knowledge_bound(worst_case(4, 1.0), Weights(0.5, 1.0))
        >>> print(CONDITIONS[result.condition])
        an entity publishes about directions that its real data do not cover
    """
    reads, known = reading(ecosystem, workflow), knowledge(ecosystem, weights, workflow)
    published = ecosystem.synthetic.gram
    inverse = jax.vmap(_inverse_kappa)(known.real, known.kernel, published, known.synthetic_weight)
    heard = (reads.readers > 0).any(0)
    inverse = jnp.where(heard, inverse, 0.0)
    finite = jnp.isfinite(inverse).all()
    plain = jnp.sqrt(_growth(jnp.where(finite, inverse, 1.0), reads)) / 2

    least = jnp.minimum(inverse / 4, _read_share(published, reads))
    either = jnp.isfinite(least).all()
    refined = jnp.sqrt(_growth(jnp.where(either, least, 1.0), reads))

    covered = reads.condition == CONDITIONS.applies
    condition = CONDITIONS.where(covered & ~finite, CONDITIONS.unknown_directions, reads.condition)
    one_pool = reads.on_one_pool == CONDITIONS.applies
    kappa = jnp.where(inverse > 0, 1 / jnp.where(inverse > 0, inverse, 1.0), jnp.inf)
    return KnowledgeBound(
        condition=condition,
        kappa=jnp.where(covered, kappa, jnp.nan),
        bound=jnp.where(covered & finite, reads.radius(plain), jnp.nan),
        refined=jnp.where(covered & either, reads.radius(refined), jnp.nan),
        sharp=jnp.where(one_pool, reads.radius(_sharp(ecosystem, known, reads, inverse)), jnp.nan),
        change=jnp.where(covered & finite & (known.penalty == 0), plain**2, jnp.nan),
    )


def sharp_knowledge_bound(
    kappa: Float[Array, " entity"], shares: Float[Array, " entity"], anchor: Float[Array, ""]
) -> Float[Array, ""]:
    """Bound of ρ(Q) for one pool if R_j ⪰ κ_j S_j + t S̲ for all j, whatever the data and prompts.

    With k_j = κ_j/(w_j(1+t)), it is the maximum of Σ_j [e_j + (e_j(1 + k_j - k_je_j))^{1/2}]/(2(1+t)(1+k_j)) over e_j ≥ 0 with
    Σ_j e_j = 1. For K equal shares and κ it is [1 + (K + (K-1)k)^{1/2}]/(2(1+k)(1+t)), which is attained; κ = 0 is Theorem U, and
    K → ∞ at t = 0 is 1/(2κ^{1/2}).

    Args:
        kappa: κ_j ≥ 0; may be infinite.
        shares: w_j ≥ 0, with sum 1.
        anchor: t ≥ 0.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.theory import equal_shares, sharp_knowledge_bound
        >>> print(f"{sharp_knowledge_bound(jnp.full(4, 3 / 16), equal_shares(4), jnp.array(0.0)):.4f}")
        1.0000
    """
    present = (shares > 0) & jnp.isfinite(kappa)
    k = jnp.where(present, kappa / jnp.where(present, shares * (1 + anchor), 1.0), 0.0)
    scale = jnp.where(present, 1 / (1 + k), 0.0)

    def chosen(multiplier: Float[Array, ""]) -> Float[Array, " entity"]:
        """e_j that maximize the sum minus `multiplier` times Σ_j e_j."""
        rise = scale - multiplier
        root = jnp.sqrt(rise**2 + scale**2 * k)
        # (1+k)/(2k) (1 + rise/root), without a difference of almost equal numbers where the multiplier is large
        steep = scale**2 * (1 + k) / (2 * jnp.where(root > 0, root * (root - rise), 1.0))
        flat = jnp.where(
            k > 0, (1 + k) / (2 * jnp.where(k > 0, k, 1.0)) * (1 + rise / jnp.where(root > 0, root, 1.0)), jnp.inf
        )
        return jnp.where(present, jnp.clip(jnp.where(rise < 0, steep, flat), 0, 1), 0.0)

    def halve(_: Int[Array, ""], ends: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = ends
        middle = (low + high) / 2
        too_much = chosen(middle).sum() > 1
        return jnp.where(too_much, middle, low), jnp.where(too_much, high, middle)

    # The multiplier is a derivative of the sum: at e = 1/K it is at most scale (1 + (K + K k)^{1/2}).
    count = present.sum().astype(float)
    top = (scale * (1 + jnp.sqrt(count * (1 + k)))).max() + 1
    low, high = jax.lax.fori_loop(0, _BISECTIONS, halve, (-top, top))
    multiplier = jax.lax.stop_gradient((low + high) / 2)
    e = jax.lax.stop_gradient(chosen(multiplier))
    inside = e * (1 + k - k * e)
    terms = scale * (e + jnp.where(inside > 0, jnp.sqrt(jnp.where(inside > 0, inside, 1.0)), 0.0))
    # By duality any multiplier bounds the maximum, so rounding of the bisection does not make the bound too small.
    return (terms.sum() + multiplier * (jnp.minimum(count, 1) - e.sum())) / (2 * (1 + anchor))


def _inverse_kappa(
    real: Float[Array, "d d"], kernel: Float[Array, "d d"], published: Float[Array, "d d"], weight: Float[Array, ""]
) -> Float[Array, ""]:
    """1/κ, the largest eigenvalue of R^{+/2} S R^{+/2}; infinite if S reaches beyond what is known."""
    root, _ = whitener(real, kernel)
    largest: Float[Array, ""] = jnp.linalg.eigvalsh(root.T @ published @ root)[-1]
    directions = jnp.eye(len(real)) - jax.lax.stop_gradient(kernel_projector(published))
    unknown = jnp.trace(directions @ kernel) > _ROUNDING
    silent = (jnp.trace(published) <= 0) | (weight <= 0)
    return jnp.where(silent, 0.0, jnp.where(unknown, jnp.inf, weight * jnp.maximum(largest, 0)))


def _read_share(published: Float[Array, "entity d d"], reads: Reading) -> Float[Array, " entity"]:
    """μ_k = λ_max(S̲_k⁺S_k) with S̲_k what entity k reads; infinite if S_k reaches beyond it."""

    def of(row: Float[Array, " entity"], own: Float[Array, "d d"]) -> Float[Array, ""]:
        read = jnp.einsum("j,jab->ab", row, published)
        kernel = jax.lax.stop_gradient(kernel_projector(read))
        return _inverse_kappa(read, kernel, own, jnp.ones(()))

    return jax.vmap(of)(reads.readers, published)


def _growth(factors: Float[Array, " entity"], reads: Reading) -> Float[Array, ""]:
    """ρ(diag(c) W)."""
    of_network = spectral_radius_of(factors[:, None] * reads.readers)
    return jnp.where(reads.one_pool, reads.shares @ factors, of_network)


def _sharp(
    ecosystem: Ecosystem, known: Knowledge, reads: Reading, inverse: Float[Array, " entity"]
) -> Float[Array, ""]:
    """The smaller of the bounds with all real data in κ, and with public data apart as an anchor."""
    kappa = jnp.where(inverse > 0, 1 / jnp.where(inverse > 0, inverse, 1.0), jnp.inf)
    together = sharp_knowledge_bound(kappa, reads.shares, jnp.zeros(()))

    own = known.private_weight[:, None, None] * ecosystem.private.gram
    none = jnp.zeros(())
    kernels = jax.vmap(lambda p, gram: kernel_of(p, none, gram, ecosystem.public.gram))(
        known.private_weight, ecosystem.private.gram
    )
    privately = jax.vmap(_inverse_kappa)(own, kernels, ecosystem.synthetic.gram, known.synthetic_weight)
    kappa = jnp.where(privately > 0, 1 / jnp.where(privately > 0, privately, 1.0), jnp.inf)
    apart = sharp_knowledge_bound(kappa, reads.shares, anchor_of(beside_common(ecosystem, reads, known)))
    return jnp.minimum(together, apart)
