"""Estimators of all entities: weighted least squares of minimum norm, as linear maps of moments X'y."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .ecosystem import Ecosystem
from .linear_algebra import RANK_TOLERANCE, inverse_on_range, kernel_projector


class Training(eqx.Module):
    """Estimators of all entities at one generation, as linear maps of moments (§5).

    With m the moment of the pool, θ̂_k = G_k⁺ (p_k X~_k'ỹ_k + q_k X_*'y_* + α_k m).

    Attributes:
        inverse: G_k⁺ with G_k = p_k S~_k + q_k S_* + α_k S̲.
        kernel: I - G_k⁺ G_k, projector onto the directions on which entity k has no data; exactly zero at full rank.
        private_weight: p_k = (1 - α_k) β_k, the weight of entity k's private data.
        public_weight: q_k = (1 - α_k)(1 - β_k), the weight of the public data.
        synthetic_weight: α_k, the weight of the pool.
    """

    inverse: Float[Array, "entity d d"]
    kernel: Float[Array, "entity d d"]
    private_weight: Float[Array, " entity"]
    public_weight: Float[Array, " entity"]
    synthetic_weight: Float[Array, " entity"]

    @property
    def from_pool(self) -> Float[Array, "entity d d"]:
        """A_k = α_k G_k⁺, the map from the pool's moment to its contribution to entity k's estimate."""
        return self.synthetic_weight[:, None, None] * self.inverse


# Every set of data that an entity may train on, as ones for (private, public, synthetic): the bits of 1 to 7.
_PATTERNS = [[(code >> bit) & 1 for bit in range(3)] for code in range(1, 8)]

KernelTable = Float[Array, "pattern entity d d"]


def kernel_table(ecosystem: Ecosystem) -> KernelTable:
    """Projectors onto the kernel of G_k for each of the seven sets of data that can carry weight.

    The kernel of G_k is the intersection of the kernels of the data that carry weight, whatever their weights. So ranks
    are decided from the data alone, where this is well conditioned, and once for a whole grid of α and β.

    Args:
        ecosystem: the ecosystem.

    Returns:
        Array of shape (7, K, d, d), in the order of the sets of data that `train` looks up.
    """
    patterns = jnp.asarray(_PATTERNS, dtype=float)[:, None].repeat(ecosystem.entities, axis=1)
    return jax.vmap(_kernels, in_axes=(None, 0))(ecosystem, patterns)


def _kernels(ecosystem: Ecosystem, patterns: Float[Array, "entity 3"]) -> Float[Array, "entity d d"]:
    """Projectors onto the intersection of the kernels of the data marked by 1, with one set of data per entity."""
    # The rank is locally constant wherever derivatives exist; inverse_on_range differentiates how the kernel turns.
    ecosystem = jax.lax.stop_gradient(ecosystem)

    def scaled(gram: Float[Array, "d d"]) -> Float[Array, "d d"]:
        trace = jnp.trace(gram)
        return gram / jnp.where(trace > 0, trace, 1.0)

    def kernel(pattern: Float[Array, " 3"], private_gram: Float[Array, "d d"]) -> Float[Array, "d d"]:
        grams = jnp.stack([scaled(private_gram), scaled(ecosystem.public), scaled(ecosystem.pool_gram)])
        return kernel_projector(jnp.einsum("p,pij->ij", pattern, grams))

    return jax.vmap(kernel)(patterns, ecosystem.private)


def train(
    ecosystem: Ecosystem,
    alpha: Float[Array, " entity"],
    beta: Float[Array, " entity"],
    kernels: KernelTable,
) -> Training:
    """Estimators of all entities for the weights of one generation (§5).

    Args:
        ecosystem: the ecosystem.
        alpha: α_k in [0, 1].
        beta: β_k in [0, 1].
        kernels: from `kernel_table` of the same ecosystem.
    """
    weights = _of_each_kind(alpha, beta)
    code = jnp.where(weights > RANK_TOLERANCE, jnp.array([[1, 2, 4]]), 0).sum(axis=1) - 1
    return _train(ecosystem, weights, kernels[code, jnp.arange(ecosystem.entities)])


def train_once(ecosystem: Ecosystem, alpha: Float[Array, " entity"], beta: Float[Array, " entity"]) -> Training:
    """Estimators as from `train` for a single use of an ecosystem, with K kernels instead of the 7 K of a table."""
    weights = _of_each_kind(alpha, beta)
    return _train(ecosystem, weights, _kernels(ecosystem, (weights > RANK_TOLERANCE).astype(float)))


def _of_each_kind(alpha: Float[Array, " entity"], beta: Float[Array, " entity"]) -> Float[Array, "entity 3"]:
    """Weights p_k, q_k and α_k of private, public and synthetic data."""
    return jnp.stack([(1 - alpha) * beta, (1 - alpha) * (1 - beta), alpha], axis=1)


def _train(ecosystem: Ecosystem, weights: Float[Array, "entity 3"], kernel: Float[Array, "entity d d"]) -> Training:
    private, public, alpha = weights.T
    gram = (
        private[:, None, None] * ecosystem.private
        + public[:, None, None] * ecosystem.public[None]
        + alpha[:, None, None] * ecosystem.pool_gram[None]
    )
    inverse, kernel = jax.vmap(inverse_on_range)(gram, kernel)
    return Training(inverse, kernel, private, public, alpha)
