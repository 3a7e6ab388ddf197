"""One training: every entity's minimum-norm weighted least squares, as a linear map of moments."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .ecosystem import Ecosystem
from .linear_algebra import RANK_TOLERANCE, inverse_on_range, kernel_projector


class Training(eqx.Module):
    """θ̂_k = G_k⁺ (p_k X~_k'ỹ_k + q_k X_*'y_* + α_k m): entity k's estimate from its data and the pool's moment m.

    Attributes:
        inverse: G_k⁺ with G_k = p_k S~_k + q_k S_* + α_k S̲.
        kernel: I - G_k⁺ G_k, the directions entity k cannot see; exactly zero where G_k has full rank.
        private_weight: p_k = (1 - α_k) β_k.
        public_weight: q_k = (1 - α_k)(1 - β_k).
        synthetic_weight: α_k.
    """

    inverse: Float[Array, "entity d d"]
    kernel: Float[Array, "entity d d"]
    private_weight: Float[Array, " entity"]
    public_weight: Float[Array, " entity"]
    synthetic_weight: Float[Array, " entity"]

    @property
    def from_pool(self) -> Float[Array, "entity d d"]:
        """A_k = α_k G_k⁺: what the pool's moment adds to entity k's estimate."""
        return self.synthetic_weight[:, None, None] * self.inverse


# Which of (private, public, synthetic) data an entity trains on: the bits of 1..7.
_PATTERNS = [[(code >> bit) & 1 for bit in range(3)] for code in range(1, 8)]

KernelTable = Float[Array, "pattern entity d d"]


def kernel_table(ecosystem: Ecosystem) -> KernelTable:
    """Projectors onto ker G_k for each of the seven sets of data that can carry weight.

    For positive weights ker G_k = ∩ ker(data with weight), whatever the weights: so ranks are decided from the data
    alone, where that is well conditioned, once for a whole grid of α and β.
    """
    patterns = jnp.asarray(_PATTERNS, dtype=float)[:, None].repeat(ecosystem.entities, axis=1)
    return jax.vmap(_kernels, in_axes=(None, 0))(ecosystem, patterns)


def _kernels(ecosystem: Ecosystem, patterns: Float[Array, "entity 3"]) -> Float[Array, "entity d d"]:
    """Projectors onto ∩ ker(data marked by 1), for one set of data an entity."""
    # A rank is constant where it can be differentiated at all; inverse_on_range carries how the kernel turns.
    ecosystem = jax.lax.stop_gradient(ecosystem)

    def scaled(gram):
        trace = jnp.trace(gram)
        return gram / jnp.where(trace > 0, trace, 1.0)

    def kernel(pattern, private_gram):
        grams = jnp.stack([scaled(private_gram), scaled(ecosystem.public), scaled(ecosystem.pool_gram)])
        return kernel_projector(jnp.einsum("p,pij->ij", pattern, grams))

    return jax.vmap(kernel)(patterns, ecosystem.private)


def train(
    ecosystem: Ecosystem,
    alpha: Float[Array, " entity"],
    beta: Float[Array, " entity"],
    kernels: KernelTable,
) -> Training:
    """Every entity's estimator for one generation's weights (§5), with the kernels of `kernel_table`."""
    weights = _of_each_kind(alpha, beta)
    code = ((weights > RANK_TOLERANCE) * jnp.array([1, 2, 4])).sum(axis=1) - 1
    return _train(ecosystem, weights, kernels[code, jnp.arange(ecosystem.entities)])


def train_once(ecosystem: Ecosystem, alpha: Float[Array, " entity"], beta: Float[Array, " entity"]) -> Training:
    """As `train`, for data that is used with these weights only: a seventh of the decompositions that a table takes."""
    weights = _of_each_kind(alpha, beta)
    return _train(ecosystem, weights, _kernels(ecosystem, (weights > RANK_TOLERANCE).astype(float)))


def _of_each_kind(alpha: Float[Array, " entity"], beta: Float[Array, " entity"]) -> Float[Array, "entity 3"]:
    """p_k, q_k and α_k."""
    return jnp.stack([(1 - alpha) * beta, (1 - alpha) * (1 - beta), alpha], axis=1)


def _train(ecosystem: Ecosystem, weights: Float[Array, "entity 3"], kernel: Float[Array, "entity d d"]) -> Training:
    private, public, alpha = weights.T
    gram = (
        private[:, None, None] * ecosystem.private
        + public[:, None, None] * ecosystem.public
        + alpha[:, None, None] * ecosystem.pool_gram
    )
    inverse, kernel = jax.vmap(inverse_on_range)(gram, kernel)
    return Training(inverse, kernel, private, public, alpha)
