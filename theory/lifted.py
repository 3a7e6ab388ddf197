"""Lifted form: the paper's Kd × Kd formulas as printed, misprints corrected. The reference for everything else.

Slow on purpose: nothing here knows of the consensus form. Unequal shares put w_k where the paper has 1/K, and entities
may differ in α and β.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .ecosystem import Ecosystem
from .linear_algebra import pseudo_inverse
from .weights import Weights


class Operators(eqx.Module):
    """P_t and Q_t of eq. (4), and the Gram matrix G_t they come from."""

    gram: Float[Array, "Kd Kd"]
    real: Float[Array, "Kd K1d"]
    recursive: Float[Array, "Kd Kd"]


class LiftedLaw(eqx.Module):
    """M_t and C_t of Theorem 1: θ̂_t given the initial data has mean M_t [X~⁺ỹ; X_*⁺y_*] and covariance C_t."""

    mean_map: Float[Array, "... Kd K1d"]
    conditional_covariance: Float[Array, "... Kd Kd"]


def block_diagonal(blocks: Float[Array, "entity d d"]) -> Float[Array, "Kd Kd"]:
    """diag(A_1, …, A_K)."""
    return jax.scipy.linalg.block_diag(*blocks)


def operators(ecosystem: Ecosystem, alpha: Float[Array, " entity"], beta: Float[Array, " entity"]) -> Operators:
    """G_t, P_t and Q_t of §5 for one generation's weights."""
    entities, size = ecosystem.entities, ecosystem.dimension
    identity = jnp.eye(size)
    weight = lambda w: jnp.kron(jnp.diag(w), identity)  # noqa: E731
    private = block_diagonal(ecosystem.private)
    synthetic = block_diagonal(ecosystem.synthetic)
    averaging = jnp.kron(jnp.outer(jnp.ones(entities), ecosystem.shares), identity)  # Π for equal shares
    pool = jnp.kron(jnp.eye(entities), ecosystem.pool_gram)
    public = jnp.kron(jnp.eye(entities), ecosystem.public)
    gram = weight((1 - alpha) * beta) @ private + weight((1 - alpha) * (1 - beta)) @ public + weight(alpha) @ pool
    inverse = pseudo_inverse(gram)
    stacked_public = jnp.kron(jnp.ones((entities, 1)), ecosystem.public)
    real = inverse @ jnp.hstack(
        [weight((1 - alpha) * beta) @ private, weight((1 - alpha) * (1 - beta)) @ stacked_public]
    )
    return Operators(gram, real, inverse @ weight(alpha) @ averaging @ synthetic)


def trajectory(ecosystem: Ecosystem, weights: Weights, generations: int) -> LiftedLaw:
    """M_t and C_t at generations 0..T by the recursion of Theorem 1."""
    entities = ecosystem.entities
    noise = ecosystem.noise_variance * pseudo_inverse(block_diagonal(ecosystem.synthetic))

    def step(law, weights_now):
        now = operators(ecosystem, *weights_now)
        mean_map = now.real + now.recursive @ law.mean_map
        covariance = now.recursive @ (noise + law.conditional_covariance) @ now.recursive.T
        law = LiftedLaw(mean_map, covariance)
        return law, law

    size = entities * ecosystem.dimension
    start = LiftedLaw(jnp.zeros((size, size + ecosystem.dimension)), jnp.zeros((size, size)))
    return jax.lax.scan(step, start, weights.per_generation(entities, generations))[1]


def limit(ecosystem: Ecosystem, weights: Weights) -> LiftedLaw:
    """M by eq. (1) and C by eq. (2), vec(C) = σ² (I - Q⊗Q)⁻¹ vec(Q S⁺ Qᵀ); needs ρ(Q) < 1 and (Kd)⁴ numbers."""
    now = operators(ecosystem, *weights.per_entity(ecosystem.entities))
    recursive = now.recursive
    size = recursive.shape[0]
    inverse = pseudo_inverse(block_diagonal(ecosystem.synthetic))
    source = ecosystem.noise_variance * recursive @ inverse @ recursive.T
    covariance = jnp.linalg.solve(jnp.eye(size**2) - jnp.kron(recursive, recursive), source.ravel())
    return LiftedLaw(jnp.linalg.solve(jnp.eye(size) - recursive, now.real), covariance.reshape(size, size))


def covariance(ecosystem: Ecosystem, law: LiftedLaw) -> Float[Array, "... Kd Kd"]:
    """Cov(θ̂_t) = σ² M_t diag(S~⁺, S_*⁺) M_tᵀ + C_t (Theorems 2 and 3)."""
    initial = jax.scipy.linalg.block_diag(*pseudo_inverse(ecosystem.private), pseudo_inverse(ecosystem.public))
    return ecosystem.noise_variance * law.mean_map @ initial @ law.mean_map.mT + law.conditional_covariance


def bias_map(ecosystem: Ecosystem, weights: Weights, generations: int) -> Float[Array, "generation Kd d"]:
    """-Q_t ⋯ Q_1 (I - G_0⁺G_0)(1_K ⊗ I): E[θ̂_t] - 1_K⊗θ as a map of θ (Theorem 2; G_1 … G_t of full rank)."""
    entities = ecosystem.entities
    alpha, beta = weights.per_generation(entities, generations)
    first = operators(ecosystem, alpha[0], beta[0]).gram
    unseen = jnp.eye(first.shape[0]) - pseudo_inverse(first) @ first
    start = -unseen @ jnp.kron(jnp.ones((entities, 1)), jnp.eye(ecosystem.dimension))

    def step(bias, weights_now):
        bias = operators(ecosystem, *weights_now).recursive @ bias
        return bias, bias

    return jnp.concatenate([start[None], jax.lax.scan(step, start, (alpha[1:], beta[1:]))[1]])
