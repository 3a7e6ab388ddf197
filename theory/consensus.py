"""Consensus form: the Kd-dimensional workflow as a d-dimensional one (`docs/theory.md`, section 2).

Entities meet only in the pool, and the pool enters training only through d numbers, the moment m = Σ_j w_j X_j'y_j of what
was published. Following the law of m is exact, costs O(K d³) a generation, and needs d × d algebra only.
"""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PyTree

from .ecosystem import Ecosystem
from .estimators import Training, kernel_table, train, train_once
from .linear_algebra import RANK_TOLERANCE, spectral_radius_of
from .stein import has_limit, refuse_unit_root, stable_stein
from .weights import Weights


class Pool(eqx.Module):
    """Law of the moment m that trainers receive: m = Σ_j L_j X~_j'ỹ_j + L_* X_*'y_* + ζ.

    Attributes:
        from_private: L_j, the part of entity j's private moment that has reached the pool.
        from_public: L_*, the part of the public moment.
        sampling_covariance: Cov(ζ), from the label noise of all synthetic data so far (X_t of `docs/theory.md`, section 2).
        bias_map: F with E[m] = (S̲ + F) θ.
    """

    from_private: Float[Array, "entity d d"]
    from_public: Float[Array, "d d"]
    sampling_covariance: Float[Array, "d d"]
    bias_map: Float[Array, "d d"]


class Law(eqx.Module):
    """Joint law of all entities' estimates at one generation, or in the limit.

    The functions of `theory.measures` turn it into means, covariances and errors.

    Attributes:
        ecosystem: the ecosystem trained in.
        training: how every entity estimates.
        pool: the law of the pool it trained on.
        spectral_radius: ρ(Q) of the training, for a limit; None for a law at one generation.
    """

    ecosystem: Ecosystem
    training: Training
    pool: Pool
    spectral_radius: Float[Array, ""] | None = None

    @property
    def exists(self) -> Bool[Array, ""]:
        """False where the recursion has no limit."""
        return jnp.asarray(True) if self.spectral_radius is None else has_limit(self.spectral_radius)


def spectral_radius(ecosystem: Ecosystem, weights: Weights) -> Float[Array, ""]:
    """ρ(Q), which equals ρ(H) with H = Σ_j w_j α_j S_j G_j⁺ (d × d): estimates converge where it is below one.

    Raises:
        InvalidInput: the weights are not constant over generations.
    """
    training = train(ecosystem, *weights.per_entity(ecosystem.entities), kernel_table(ecosystem))
    return spectral_radius_of(_feedback(training, _publication(ecosystem, training)))


def spectral_radius_once(ecosystem: Ecosystem, weights: Weights) -> Float[Array, ""]:
    """`spectral_radius` for data that is used with these weights only, as random trials do: several times faster there.

    Raises:
        InvalidInput: the weights are not constant over generations.
    """
    training = train_once(ecosystem, *weights.per_entity(ecosystem.entities))
    return spectral_radius_of(_feedback(training, _publication(ecosystem, training)))


def trajectory(ecosystem: Ecosystem, weights: Weights, generations: int, measure: Callable[[Law], PyTree]) -> PyTree:
    """`measure` of the exact law at generations 0..T; its leaves gain a leading axis of length T+1.

    Theorems 1 and 2, for weights that may differ between entities and generations, any shares, and any ranks.

    Raises:
        InvalidInput: the weights do not fit K or T.
    """
    alpha, beta = weights.per_generation(ecosystem.entities, generations)
    kernels = kernel_table(ecosystem)
    first = Law(ecosystem, train(ecosystem, alpha[0], beta[0], kernels), _nothing_published(ecosystem))
    steady = train(ecosystem, alpha[-1], beta[-1], kernels) if weights.constant and generations else None

    def generation(pool, weights_now):
        alpha, beta = weights_now
        training = train(ecosystem, alpha, beta, kernels) if steady is None else steady
        law = Law(ecosystem, training, pool)
        return next_pool(law), measure(law)

    _, later = jax.lax.scan(generation, next_pool(first), (alpha[1:], beta[1:]))
    return jax.tree.map(lambda start, rest: jnp.concatenate([start[None], rest]), measure(first), later)


def limit(ecosystem: Ecosystem, weights: Weights) -> Law:
    """The law of all estimates as t → ∞ (Theorem 3), for constant weights.

    The limit does not depend on generation 0. While traced, a law that does not exist is marked `exists = False` and its
    errors are `inf`.

    Raises:
        NoLimit: ρ(Q) ≥ 1, if the arguments are concrete.
        InvalidInput: the weights are not constant over generations.
    """
    training = train(ecosystem, *weights.per_entity(ecosystem.entities), kernel_table(ecosystem))
    publication = _publication(ecosystem, training)
    feedback = _feedback(training, publication)
    radius = spectral_radius_of(feedback)
    refuse_unit_root(radius)
    exists = has_limit(radius)
    # Where there is no limit the algebra runs on H = 0 and the result is discarded, so gradients elsewhere stay finite.
    feedback = jnp.where(exists, feedback, 0)
    resolvent = jnp.linalg.inv(jnp.eye(ecosystem.dimension) - feedback)
    own_private, own_public, own_bias = _fresh_information(ecosystem, training, publication)
    pool = Pool(
        resolvent @ own_private,
        resolvent @ own_public,
        stable_stein(feedback, ecosystem.pool_noise),
        resolvent @ own_bias,
    )
    return Law(ecosystem, training, pool, radius)


def next_pool(law: Law) -> Pool:
    """The pool that entities with this law publish: one step of z_t and X_t in `docs/theory.md`, section 2."""
    publication = _publication(law.ecosystem, law.training)
    feedback = _feedback(law.training, publication)
    own_private, own_public, own_bias = _fresh_information(law.ecosystem, law.training, publication)
    return Pool(
        own_private + feedback @ law.pool.from_private,
        own_public + feedback @ law.pool.from_public,
        law.ecosystem.pool_noise + feedback @ law.pool.sampling_covariance @ feedback.T,
        own_bias + feedback @ law.pool.bias_map,
    )


def _nothing_published(ecosystem: Ecosystem) -> Pool:
    empty = jnp.zeros_like(ecosystem.public)
    return Pool(jnp.zeros_like(ecosystem.private), empty, empty, empty)


def _publication(ecosystem: Ecosystem, training: Training) -> Float[Array, "entity d d"]:
    """w_j S_j G_j⁺: what a moment that entity j trains on adds to the next pool."""
    return ecosystem.shares[:, None, None] * (ecosystem.synthetic @ training.inverse)


def _feedback(training: Training, publication: Float[Array, "entity d d"]) -> Float[Array, "d d"]:
    """H = Σ_j α_j w_j S_j G_j⁺, the pool's map from one generation to the next."""
    return jnp.einsum("j,jab->ab", training.synthetic_weight, publication)


def _fresh_information(ecosystem: Ecosystem, training: Training, publication: Float[Array, "entity d d"]):
    """What real data adds to the pool in one generation: private and public parts, and the bias of unseen directions."""
    private = training.private_weight[:, None, None] * publication
    public = jnp.einsum("j,jab->ab", training.public_weight, publication)
    unseen = ecosystem.synthetic @ training.kernel
    # What an entity publishes about is mostly seen; what rounding leaves of it must not pass for a bias.
    size = jnp.linalg.norm(ecosystem.synthetic, axis=(-2, -1), keepdims=True)
    rounding = jnp.linalg.norm(unseen, axis=(-2, -1), keepdims=True) <= RANK_TOLERANCE * size
    bias = -jnp.einsum("j,jab->ab", ecosystem.shares, jnp.where(rounding, 0, unseen))
    return private, public, bias
