"""Theorem K: know a quarter of what you publish (`docs/theory.md`, section 3)."""

from functools import singledispatch
from typing import NamedTuple

from ..arrays import constant, einsum, namespace
from ..bisection import bisect
from ..ecosystem import Ecosystem
from ..linear_algebra import identity_like, kernel_projector, spectral_radius_of, whitener
from ..shapes import Array, Bool, Float, Int
from ..weights import Weights
from ..workflow import PAPER, Workflow
from .conditions import CONDITIONS, Knowledge, Reading, kernels_of, knowledge, reading
from .whitening import anchor_of, beside_common

_ROUNDING = 1e-10  # of sums and products of projectors
_BISECTIONS = 60


class KnowledgeBound(NamedTuple):
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

    condition: Int[Array, ""]
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
    published, xp = ecosystem.synthetic.gram, namespace(ecosystem.shares)
    inverse = inverse_kappa(known.real, known.kernel, published, known.synthetic_weight)
    heard = (reads.readers > 0).any(0)
    inverse = xp.where(heard, inverse, 0.0)
    finite = xp.isfinite(inverse).all()
    plain = xp.sqrt(_growth(xp.where(finite, inverse, 1.0), reads)) / 2

    least = xp.minimum(inverse / 4, _read_share(published, reads))
    either = xp.isfinite(least).all()
    refined = xp.sqrt(_growth(xp.where(either, least, 1.0), reads))

    covered = reads.condition == CONDITIONS.applies
    condition = xp.where(covered & ~finite, CONDITIONS.unknown_directions, reads.condition)
    one_pool = reads.on_one_pool == CONDITIONS.applies
    return KnowledgeBound(
        condition=condition,
        kappa=xp.where(covered, _kappa(inverse), xp.nan),
        bound=xp.where(covered & finite, reads.radius(plain), xp.nan),
        refined=xp.where(covered & either, reads.radius(refined), xp.nan),
        sharp=xp.where(one_pool, reads.radius(_sharp(ecosystem, known, reads, inverse)), xp.nan),
        change=xp.where(covered & finite & (known.penalty == 0), plain**2, xp.nan),
    )


@singledispatch
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
    xp = namespace(kappa)
    present = (shares > 0) & xp.isfinite(kappa)
    k = xp.where(present, kappa / xp.where(present, shares * (1 + anchor), 1.0), 0.0)
    scale = xp.where(present, 1 / (1 + k), 0.0)

    def chosen(multiplier: Float[Array, ""]) -> Float[Array, " entity"]:
        """e_j that maximize the sum minus `multiplier` times Σ_j e_j."""
        rise = scale - multiplier
        root = xp.sqrt(rise**2 + scale**2 * k)
        # (1+k)/(2k) (1 + rise/root), without a difference of almost equal numbers where the multiplier is large
        divisor = root * (root - rise)
        steep = scale**2 * (1 + k) / (2 * xp.where(divisor > 0, divisor, 1.0))
        flat = xp.where(
            k > 0, (1 + k) / (2 * xp.where(k > 0, k, 1.0)) * (1 + rise / xp.where(root > 0, root, 1.0)), xp.inf
        )
        return xp.where(present, xp.clip(xp.where(rise < 0, steep, flat), 0, 1), 0.0)

    # The multiplier is a derivative of the sum: at e = 1/K it is at most scale (1 + (K + K k)^{1/2}).
    count = present.sum().astype(float)
    top = (scale * (1 + xp.sqrt(count * (1 + k)))).max() + 1
    multiplier = constant(bisect(-top, top, lambda middle: chosen(middle).sum() > 1, _BISECTIONS))
    e = constant(chosen(multiplier))
    inside = e * (1 + k - k * e)
    terms = scale * (e + xp.where(inside > 0, xp.sqrt(xp.where(inside > 0, inside, 1.0)), 0.0))
    # By duality any multiplier bounds the maximum, so rounding of the bisection does not make the bound too small.
    return (terms.sum() + multiplier * (xp.minimum(count, 1) - e.sum())) / (2 * (1 + anchor))


@singledispatch
def inverse_kappa(
    real: Float[Array, "entity d d"],
    kernel: Float[Array, "entity d d"],
    published: Float[Array, "entity d d"],
    weight: Float[Array, " entity"],
) -> Float[Array, " entity"]:
    """1/κ_k, the largest eigenvalue of R^{+/2} S R^{+/2}; infinite if S reaches beyond what is known.

    Args:
        real: what every entity knows, not yet divided by its weight of what it reads.
        kernel: orthogonal projectors onto the kernels of it.
        published: S_k.
        weight: weight of what it reads.
    """
    root, _ = whitener(real, kernel)
    xp = namespace(root)
    largest = xp.linalg.eigvalsh(root.mT @ published @ root)[:, -1]
    directions = identity_like(real) - constant(kernel_projector(published))
    unknown = xp.trace(directions @ kernel, axis1=1, axis2=2) > _ROUNDING
    silent = (xp.trace(published, axis1=1, axis2=2) <= 0) | (weight <= 0)
    return xp.where(silent, 0.0, xp.where(unknown, xp.inf, weight * xp.maximum(largest, 0)))


def _kappa(inverse: Float[Array, " entity"]) -> Float[Array, " entity"]:
    """κ_k from its inverse."""
    xp = namespace(inverse)
    return xp.where(inverse > 0, 1 / xp.where(inverse > 0, inverse, 1.0), xp.inf)


def _read_share(published: Float[Array, "entity d d"], reads: Reading) -> Float[Array, " entity"]:
    """μ_k = λ_max(S̲_k⁺S_k) with S̲_k what entity k reads; infinite if S_k reaches beyond it."""
    read = einsum("kj,jab->kab", reads.readers, published)
    return inverse_kappa(read, constant(kernel_projector(read)), published, namespace(read).ones(len(read)))


def _growth(factors: Float[Array, " entity"], reads: Reading) -> Float[Array, ""]:
    """ρ(diag(c) W)."""
    of_network = spectral_radius_of(factors[:, None] * reads.readers)
    return namespace(factors).where(reads.one_pool, reads.shares @ factors, of_network)


def _sharp(
    ecosystem: Ecosystem, known: Knowledge, reads: Reading, inverse: Float[Array, " entity"]
) -> Float[Array, ""]:
    """The smaller of the bounds with all real data in κ, and with public data apart as an anchor."""
    xp, weight = namespace(inverse), known.private_weight
    together = sharp_knowledge_bound(_kappa(inverse), reads.shares, xp.zeros(()))

    private = ecosystem.private.gram
    kernels = kernels_of(weight, xp.zeros_like(weight), private, ecosystem.public.gram)
    own = weight[:, None, None] * private
    privately = inverse_kappa(own, kernels, ecosystem.synthetic.gram, known.synthetic_weight)
    anchor = anchor_of(beside_common(ecosystem, reads, known))
    return xp.minimum(together, sharp_knowledge_bound(_kappa(privately), reads.shares, anchor))
