"""How alike the entities have become (homogenization), and who uses whose data (transfer)."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from .consensus import Law
from .linear_algebra import square_root
from .measures import bias, covariance, joint_covariance, mean_map, mse


def homogenization(law: Law, present: Bool[Array, " entity"] | None = None) -> Float[Array, ""]:
    """Average correlation between the errors of two entities: Σ_{k≠l} E⟨e_k, e_l⟩ / ((K-1) Σ_k E‖e_k‖²), e = θ̂ - θ.

    One if all models coincide, zero if their errors are unrelated; O(K d³). NaN for a lone entity and where there is no
    limit, since there is no pair to compare.

    Args:
        present: which entities count, where others only pad the arrays; all if None.

    Raises:
        DependsOnTheta: an estimate is biased, and the ecosystem has no θ.
    """
    ecosystem, training, pool = law.ecosystem, law.training, law.pool
    counted = jnp.ones(ecosystem.entities) if present is None else present.astype(float)
    entities = counted.sum()
    weighted = (counted / entities)[:, None, None] * training.inverse
    heard = jnp.einsum("k,kab->ab", training.synthetic_weight, weighted)
    private = training.private_weight[:, None, None] * weighted + heard @ pool.from_private
    public = jnp.einsum("k,kab->ab", training.public_weight, weighted) + heard @ pool.from_public
    average = (
        ecosystem.noise_variance
        * (
            jnp.einsum("kab,kbc,kac->", private, ecosystem.private, private)
            + jnp.trace(public @ ecosystem.public @ public.T)
        )
        + jnp.trace(heard @ pool.sampling_covariance @ heard.T)
        + ((counted @ bias(law) / entities) ** 2).sum()
    )  # E‖ē‖², ē the mean error of all entities
    total = jnp.where(counted > 0, mse(law), 0).sum()
    pairs = jnp.where(entities > 1, entities - 1, 1)
    defined = law.exists & (entities > 1)
    return jnp.where(defined, (entities**2 * average - total) / (pairs * total), jnp.nan)


def disagreement(law: Law) -> Float[Array, "entity entity"]:
    """Root mean square distance of two entities' estimates, √E‖θ̂_k - θ̂_l‖².

    Raises:
        DependsOnTheta: as `homogenization`.
    """
    return _pair_distance(_pairwise_trace(joint_covariance(law)), bias(law))


def mean_distance(law: Law) -> Float[Array, "entity entity"]:
    """Root mean square distance of two entities' means given the initial data, averaged over the initial data.

    What the synthetic labels' noise adds is left out: it vanishes where entities use all data alike, that is where
    the row blocks of M_t coincide.

    Raises:
        DependsOnTheta: as `homogenization`.
    """
    heard = law.training.from_pool
    sampling = jnp.einsum("kab,bc,lac->kl", heard, law.pool.sampling_covariance, heard)
    return _pair_distance(_pairwise_trace(joint_covariance(law)) - sampling, bias(law))


def distribution_distance(law: Law) -> Float[Array, "entity entity"]:
    """2-Wasserstein distance between the laws of two entities' estimates, both Gaussian.

    Raises:
        DependsOnTheta: as `homogenization`.
    """
    spread = covariance(law)
    roots = jax.vmap(square_root)(jnp.where(law.exists, spread, 0))
    size = jnp.trace(spread, axis1=-2, axis2=-1)
    between = roots[:, None] @ spread[None, :] @ roots[:, None]
    overlap = jnp.sqrt(jnp.maximum(jnp.linalg.eigvalsh(between), 0)).sum(-1)
    gap = ((bias(law)[:, None] - bias(law)[None]) ** 2).sum(-1)
    squared = jnp.maximum(size[:, None] + size[None] - 2 * overlap + gap, 0)
    return jnp.sqrt(squared) * (1 - jnp.eye(law.ecosystem.entities))  # rounding would leave 1e-8 on the diagonal


def row_block_spread(law: Law) -> Float[Array, ""]:
    """Σ_k ‖M_k - M̄‖² / Σ_k ‖M_k‖² over the row blocks of M_t: 0 if all entities use all data alike (Theorem 1)."""
    blocks = mean_map(law)
    return ((blocks - blocks.mean(0)) ** 2).sum() / (blocks**2).sum()


def transfer(law: Law) -> Float[Array, "entity dataset"]:
    """tr(M_kj)/d, the weight entity k puts on dataset j (last: public); rows sum to one where unbiased.

    The traces of `mean_map`'s blocks, without its K² d² numbers.
    """
    ecosystem, training, pool = law.ecosystem, law.training, law.pool
    heard = training.from_pool
    private = jnp.einsum("kab,jba->kj", heard, pool.from_private @ ecosystem.private)
    own = training.private_weight * jnp.einsum("kab,kba->k", training.inverse, ecosystem.private)
    known = training.public_weight[:, None, None] * training.inverse + heard @ pool.from_public
    public = jnp.einsum("kab,ba->k", known, ecosystem.public)
    weights = jnp.concatenate([private + jnp.diag(own), public[:, None]], axis=1) / ecosystem.dimension
    return jnp.where(law.exists, weights, jnp.nan)


def _pairwise_trace(joint: Float[Array, "entity entity d d"]) -> Float[Array, "entity entity"]:
    return jnp.trace(joint, axis1=-2, axis2=-1)


def _pair_distance(
    inner: Float[Array, "entity entity"], offset: Float[Array, "entity d"]
) -> Float[Array, "entity entity"]:
    own = jnp.diagonal(inner)
    gap = ((offset[:, None] - offset[None]) ** 2).sum(-1)
    return jnp.sqrt(jnp.maximum(own[:, None] + own[None] - inner - inner.T + gap, 0))
