"""Coordinates in which the pool is the identity: H is similar to Σ_j A_j T_j with Σ_j A_j = I (`docs/theory.md`, section 3)."""

from ..arrays import constant, einsum, namespace
from ..ecosystem import Ecosystem
from ..linear_algebra import identity_like, kernel_projector, whitener
from ..shapes import Array, Float
from ..state_space import exchange, fit_entities
from ..weights import Weights
from ..workflow import Workflow
from .conditions import Knowledge, Reading, publishes, scaled


def published_parts(ecosystem: Ecosystem, reads: Reading) -> Float[Array, "entity d d"]:
    """w_j S_j, of one pool."""
    return reads.shares[:, None, None] * ecosystem.synthetic.gram


def whitening_root(gram: Float[Array, "d d"]) -> Float[Array, "d d"]:
    """B for which B'AB is an orthogonal projector, which stands for the identity of range(A)."""
    return whitener(gram, constant(kernel_projector(gram)))[0]


def whiten(root: Float[Array, "d d"], grams: Float[Array, "entity d d"]) -> Float[Array, "entity d d"]:
    """B'S_jB."""
    return einsum("ai,kab,bj->kij", root, grams, root)


def weights_of_pool(ecosystem: Ecosystem, weights: Weights, workflow: Workflow) -> Float[Array, "entity d d"]:
    """T_j = (I + E_j)⁻¹, the weight of the pool in what entity j fits, in coordinates in which the pool is the projector B'S̲B.

    E_j is what entity j really knows in units of what it reads; the Schur complement on range(S̲) if S̲ is singular.
    """
    shared = exchange(ecosystem, workflow)
    alpha, beta = weights.per_entity(ecosystem.entities)
    xp = namespace(alpha)
    kept = xp.asarray(shared.kept, float)
    pools = 1 / xp.where(kept < 1, 1 - kept, 1.0)
    gain = fit_entities(workflow, shared, alpha, beta, pools).gain
    pool = shared.pool_gram[0]
    seen = pool @ whitening_root(pool)
    return (alpha * pools)[:, None, None] * whiten(seen, gain)


def beside_common(ecosystem: Ecosystem, reads: Reading, known: Knowledge) -> Float[Array, "entity d d"]:
    """B_j = (S̲ + C)^{-1/2} w_jS_j (S̲ + C)^{-1/2}, up to a rotation, with C the part of what all know that is the same for all.

    C is the public data and the penalty of ridge regression, in units of what is read, with the smallest weight of all entities
    that publish and read. Σ_j B_j has the eigenvalues of T_0, the weight of the pool for an entity that knows C alone.
    """
    parts = published_parts(ecosystem, reads)
    xp, pool = namespace(parts), parts.sum(0)
    weighed = publishes(ecosystem, reads.shares) & (known.synthetic_weight > 0)
    divisor = xp.where(weighed, known.synthetic_weight, 1.0)

    def least(weight: Float[Array, " entity"]) -> Float[Array, ""]:
        return xp.where(weighed.any(), xp.where(weighed, weight / divisor, xp.inf).min(), 0.0)

    penalty = least(xp.broadcast_to(known.penalty, weighed.shape))
    common = least(known.public_weight) * ecosystem.public.gram + penalty * identity_like(pool)
    kernel = constant(kernel_projector(scaled(pool) + scaled(common)))
    return whiten(whitener(pool + common, kernel)[0], parts)


def anchor_of(open_parts: Float[Array, "entity d d"]) -> Float[Array, ""]:
    """t, the largest number for which C ⪰ tS̲, from the B_j of `beside_common`."""
    xp = namespace(open_parts)
    largest: Float[Array, ""] = xp.linalg.eigvalsh(open_parts.sum(0))[-1]
    return xp.maximum(1 / xp.maximum(largest, xp.finfo(float).tiny) - 1, 0)
