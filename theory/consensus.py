"""Exact law of all estimates, at every generation and in the limit, from a recursion of dimension d.

Entities influence each other only through the pool, and the pool enters training only through d numbers: the moment
m = Σ_j w_j X_j'y_j of the published data. Following the law of m instead of that of all K d parameters is exact, costs
O(K d³) operations per generation, and needs d × d algebra only (`docs/theory.md`, section 2).
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
    """Law of the moment m that all entities receive from the pool: m = Σ_j L_j X~_j'ỹ_j + L_* X_*'y_* + ζ.

    Its recursion is in `docs/theory.md`, section 2.

    Attributes:
        from_private: L_j, the map that takes entity j's private moment X~_j'ỹ_j to its contribution to m.
        from_public: L_*, the same for the public moment X_*'y_*.
        sampling_covariance: Cov(ζ), due to the label noise of all synthetic data so far; called X there.
        bias_map: F with E[m] = (S̲ + F) θ; zero as long as no published label is biased.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.theory import Weights, limit, symmetric_ecosystem
        >>> pool = limit(symmetric_ecosystem(2, jnp.eye(3)), Weights(0.5, 0.5)).pool
        >>> print(pool.from_private.shape, f"{pool.from_public[0, 0]:.4f}")
        (2, 3, 3) 0.5000
    """

    from_private: Float[Array, "entity d d"]
    from_public: Float[Array, "d d"]
    sampling_covariance: Float[Array, "d d"]
    bias_map: Float[Array, "d d"]


class Law(eqx.Module):
    """Joint law of all entities' estimates, at one generation or in the limit.

    The argument of `mse`, `covariance`, `homogenization`, `transfer` and the other measures.

    Attributes:
        ecosystem: the ecosystem that the entities belong to.
        training: the estimator of every entity, a linear map of real moments and the pool's moment.
        pool: the law of the pool's moment.
        spectral_radius: ρ(Q), for a limit; None for the law at one generation.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.theory import Weights, limit, symmetric_ecosystem
        >>> law = limit(symmetric_ecosystem(2, jnp.eye(3)), Weights(0.5, 0.5))
        >>> print(law.exists, f"{law.spectral_radius:.4f}")
        True 0.5000
    """

    ecosystem: Ecosystem
    training: Training
    pool: Pool
    spectral_radius: Float[Array, ""] | None = None

    @property
    def exists(self) -> Bool[Array, ""]:
        """Whether there is such a law: False for a limit where ρ(Q) ≥ 1, otherwise True."""
        return jnp.asarray(True) if self.spectral_radius is None else has_limit(self.spectral_radius)


def spectral_radius(ecosystem: Ecosystem, weights: Weights) -> Float[Array, ""]:
    """Spectral radius ρ(Q) of the recursion of all estimates, which have a limit where it is below one (Theorem 3).

    Computed as ρ(H) of the d × d matrix H = Σ_j w_j α_j S_j G_j⁺, which has the same nonzero eigenvalues as the paper's
    Kd × Kd matrix Q (`docs/theory.md`, section 2).

    Args:
        ecosystem: the ecosystem.
        weights: weights that are constant over generations, of shape () or (K).

    Returns:
        The factor by which a perturbation grows per generation in the long run, at least 0 and without unit. NaN where
        an entity's data are too ill-conditioned for float64.

    Raises:
        InvalidInput: the weights change between generations, or their shape does not fit K.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.theory import Weights, spectral_radius, symmetric_ecosystem
        >>> print(f"{spectral_radius(symmetric_ecosystem(2, jnp.eye(3)), Weights(0.3, 0.5)):.4f}")
        0.3000
    """
    training = train(ecosystem, *weights.per_entity(ecosystem.entities), kernel_table(ecosystem))
    return spectral_radius_of(_feedback(training, _publication(ecosystem, training)))


def spectral_radius_once(ecosystem: Ecosystem, weights: Weights) -> Float[Array, ""]:
    """Spectral radius ρ(Q) of an ecosystem that is used with one set of weights only, as in random trials.

    The same number as from `spectral_radius`, several times faster for a single evaluation: ranks are decided only for
    the data that carry weight. Over a grid of weights, `spectral_radius` is faster, since it decides them once for the
    whole grid.

    Args:
        ecosystem: the ecosystem.
        weights: weights that are constant over generations, of shape () or (K).

    Returns:
        ρ(Q) as from `spectral_radius`.

    Raises:
        InvalidInput: the weights change between generations, or their shape does not fit K.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.theory import Weights, spectral_radius_once, symmetric_ecosystem
        >>> print(f"{spectral_radius_once(symmetric_ecosystem(2, jnp.eye(3)), Weights(0.3, 0.5)):.4f}")
        0.3000
    """
    training = train_once(ecosystem, *weights.per_entity(ecosystem.entities))
    return spectral_radius_of(_feedback(training, _publication(ecosystem, training)))


def trajectory(ecosystem: Ecosystem, weights: Weights, generations: int, measure: Callable[[Law], PyTree]) -> PyTree:
    """Values of a measure of the exact law at generations 0..T (Theorems 1 and 2).

    Weights may differ between entities and generations; shares and the ranks of the data are arbitrary.

    Args:
        ecosystem: the ecosystem.
        weights: weights of all entities and generations, of any shape that `Weights` allows; α at generation 0 is
            taken as 0.
        generations: T, at least 0.
        measure: function of a `Law`, such as `mse`. Under tracing from generation 1 on.

    Returns:
        What `measure` returns, with a leading axis of length T+1 in every array.

    Raises:
        InvalidInput: T is negative, or the shape of the weights does not fit K or T.
        DependsOnTheta: `measure` raises it at generation 0.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.theory import Weights, mse, symmetric_ecosystem, trajectory
        >>> errors = trajectory(symmetric_ecosystem(2, jnp.eye(3)), Weights(0.5, 0.5), 10, mse)
        >>> print(errors.shape, f"{errors[0, 0]:.4f} {errors[10, 0]:.4f}")
        (11, 2) 1.5000 1.7187
    """
    alpha, beta = weights.per_generation(ecosystem.entities, generations)
    kernels = kernel_table(ecosystem)
    first = Law(ecosystem, train(ecosystem, alpha[0], beta[0], kernels), _nothing_published(ecosystem))
    steady = train(ecosystem, alpha[-1], beta[-1], kernels) if weights.constant and generations else None

    def generation(
        pool: Pool, weights_now: tuple[Float[Array, " entity"], Float[Array, " entity"]]
    ) -> tuple[Pool, PyTree]:
        alpha, beta = weights_now
        training = train(ecosystem, alpha, beta, kernels) if steady is None else steady
        law = Law(ecosystem, training, pool)
        return next_pool(law), measure(law)

    _, later = jax.lax.scan(generation, next_pool(first), (alpha[1:], beta[1:]))
    return jax.tree.map(lambda start, rest: jnp.concatenate([start[None], rest]), measure(first), later)


def limit(ecosystem: Ecosystem, weights: Weights) -> Law:
    """Law of all estimates as the number of generations goes to infinity, for constant weights (Theorem 3).

    It does not depend on generation 0. Under `jax.jit`, `jax.vmap` or `jax.grad` nothing can be raised: a law that does
    not exist has `exists = False` there, its errors are `inf`, and its other measures NaN or `inf`.

    Args:
        ecosystem: the ecosystem.
        weights: weights that are constant over generations, of shape () or (K).

    Returns:
        The limit law, with ρ(Q) as its `spectral_radius`.

    Raises:
        NoLimit: ρ(Q) ≥ 1, or so close below that float64 cannot tell (1e-10); unless traced.
        CrossfeedError: an entity's data are too ill-conditioned for float64; unless traced.
        InvalidInput: the weights change between generations, or their shape does not fit K.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.theory import Weights, limit, mse, symmetric_ecosystem
        >>> law = limit(symmetric_ecosystem(2, jnp.eye(3)), Weights(0.5, 0.5))
        >>> print(f"{mse(law)[0]:.4f}")
        1.7188
    """
    training = train(ecosystem, *weights.per_entity(ecosystem.entities), kernel_table(ecosystem))
    publication = _publication(ecosystem, training)
    feedback = _feedback(training, publication)
    radius = spectral_radius_of(feedback)
    refuse_unit_root(radius)
    exists = has_limit(radius)
    # Where there is no limit, H = 0 stands in and the result is discarded, so that gradients of the other laws in a
    # batch stay finite.
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
    """Law of the pool at the next generation if all entities publish by this law (`docs/theory.md`, section 2)."""
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
    """w_j S_j G_j⁺, the map from a moment that entity j trains on to its contribution to the next pool."""
    return ecosystem.shares[:, None, None] * (ecosystem.synthetic @ training.inverse)


def _feedback(training: Training, publication: Float[Array, "entity d d"]) -> Float[Array, "d d"]:
    """H = Σ_j α_j w_j S_j G_j⁺, the map from the pool's moment to its contribution to the next pool."""
    return jnp.einsum("j,jab->ab", training.synthetic_weight, publication)


def _fresh_information(
    ecosystem: Ecosystem, training: Training, publication: Float[Array, "entity d d"]
) -> tuple[Float[Array, "entity d d"], Float[Array, "d d"], Float[Array, "d d"]]:
    """Additions to L_j, L_* and F in one generation, from private data, public data and unseen directions."""
    private = training.private_weight[:, None, None] * publication
    public = jnp.einsum("j,jab->ab", training.public_weight, publication)
    unseen = ecosystem.synthetic @ training.kernel
    # Most entities have data on all directions they publish labels for; the rounding left there must not count as bias.
    size = jnp.linalg.norm(ecosystem.synthetic, axis=(-2, -1), keepdims=True)
    rounding = jnp.linalg.norm(unseen, axis=(-2, -1), keepdims=True) <= RANK_TOLERANCE * size
    bias = -jnp.einsum("j,jab->ab", ecosystem.shares, jnp.where(rounding, 0, unseen))
    return private, public, bias
