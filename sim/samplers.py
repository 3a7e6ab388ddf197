"""The workflow of §4 for linear models, in two modes that draw from the same law.

A sampler knows how to draw the initial data, how entities train, and what they publish. Replicates are the last axis, so
that random numbers and matrix products run over long contiguous rows.
"""

from abc import abstractmethod
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from crossfeed.errors import InvalidInput

from ..theory.ecosystem import Ecosystem
from ..theory.estimators import KernelTable, Training, kernel_table, train
from ..theory.features import Features, ecosystem_from_features, smallest_features
from ..theory.linear_algebra import pseudo_inverse_of_rows, square_root
from ..theory.tracing import is_concrete

_SAME_GRAM = 1e-9  # relative: two ways to add up one Gram matrix differ by rounding only

Estimates = Float[Array, "entity d replicate"]


class Sampler(eqx.Module):
    """One way to draw the workflow: generation 0 from `draw_initial`, then publish, pool and train.

    Where the ecosystem has no θ, θ = 0 is drawn: the error of an unbiased estimate does not depend on it.
    """

    ecosystem: eqx.AbstractVar[Ecosystem]
    theta: eqx.AbstractVar[Float[Array, " d"]]

    @abstractmethod
    def draw_initial(self, key: PRNGKeyArray, replicates: int) -> Any:
        """The real data of every replicate."""

    @abstractmethod
    def trainer(self, alpha: Float[Array, " entity"], beta: Float[Array, " entity"]) -> Any:
        """Everything training needs that does not depend on labels, for one generation's weights."""

    @abstractmethod
    def nothing_published(self, replicates: int) -> Any:
        """The empty pool of generation 0."""

    @abstractmethod
    def publish(self, key: PRNGKeyArray, estimates: Estimates) -> Any:
        """The pool that entities with these estimates publish."""

    @abstractmethod
    def train(self, trainer: Any, initial: Any, pool: Any) -> Estimates:
        """Every entity's estimate from the real data and the pool."""


class MomentSampler(Sampler):
    """Draws the d numbers through which a dataset acts on training, its moment X'y: exact in law, and independent of
    the number of rows. `make_moment_sampler` builds one."""

    ecosystem: Ecosystem
    theta: Float[Array, " d"]
    private_root: Float[Array, "entity d d"]
    public_root: Float[Array, "d d"]
    pool_root: Float[Array, "d d"]
    kernels: KernelTable

    def draw_initial(self, key, replicates):
        """X~_k'ỹ_k and X_*'y_*."""
        key_private, key_public = jax.random.split(key)
        private = self.private_root @ _normal(key_private, (*self.private_root.shape[:2], replicates))
        public = self.public_root @ _normal(key_public, (len(self.theta), replicates))
        private_mean, public_mean = self.ecosystem.private @ self.theta, self.ecosystem.public @ self.theta
        return private_mean[..., None] + private, public_mean[:, None] + public

    def trainer(self, alpha, beta) -> Training:
        """The estimator's matrices."""
        return train(self.ecosystem, alpha, beta, self.kernels)

    def nothing_published(self, replicates):
        """A moment of zero."""
        return jnp.zeros((len(self.theta), replicates))

    def publish(self, key, estimates):
        """m = Σ_j w_j S_j θ̂_j + n, n ~ N(0, σ² Σ_j w_j² S_j)."""
        weighted = self.ecosystem.shares[:, None, None] * self.ecosystem.synthetic
        mean = jnp.einsum("jba,jar->br", weighted, estimates)
        return mean + self.pool_root @ _normal(key, mean.shape)

    def train(self, trainer: Training, initial, pool) -> Estimates:
        """θ̂_k = G_k⁺ (p_k u_k + q_k u_* + α_k m)."""
        private, public = initial
        moment = (
            trainer.private_weight[:, None, None] * private
            + trainer.public_weight[:, None, None] * public
            + trainer.synthetic_weight[:, None, None] * pool
        )
        return trainer.inverse @ moment


class RowTrainer(eqx.Module):
    """The weighted least-squares solution of every entity as a map of all labels it trains on."""

    private: Float[Array, "entity d rows"]
    public: Float[Array, "entity d public_rows"]
    synthetic: Float[Array, "entity d publisher synthetic_rows"]


class RowSampler(Sampler):
    """Draws every label of every dataset and solves each entity's weighted least squares: the paper, literally.

    Knows nothing of Gram matrices. `make_row_sampler` builds one.
    """

    ecosystem: Ecosystem
    theta: Float[Array, " d"]
    features: Features

    def draw_initial(self, key, replicates):
        """The labels ỹ_k and y_*."""
        key_private, key_public = jax.random.split(key)
        private = self.features.private @ self.theta
        public = self.features.public @ self.theta
        return self._labels(key_private, private, replicates), self._labels(key_public, public, replicates)

    def trainer(self, alpha, beta) -> RowTrainer:
        """Minimum-norm solutions of min Σ_i weight_i (y_i - x_i'θ)², by the pseudo-inverse of the weighted rows."""
        rows, public_rows = self.features.private.shape[1], self.features.public.shape[0]
        pooled = self.features.synthetic.reshape(-1, self.theta.shape[0])
        pool_weights = jnp.repeat(self.ecosystem.shares, self.features.synthetic.shape[1])

        def solve(alpha, beta, private):
            design = jnp.concatenate([private, self.features.public, pooled])
            weights = jnp.concatenate(
                [
                    jnp.full(rows, (1 - alpha) * beta),
                    jnp.full(public_rows, (1 - alpha) * (1 - beta)),
                    alpha * pool_weights,
                ]
            )
            root = jnp.sqrt(weights)
            return pseudo_inverse_of_rows(root[:, None] * design) * root

        maps = jax.vmap(solve)(alpha, beta, self.features.private)
        private, public, synthetic = jnp.split(maps, [rows, rows + public_rows], axis=2)
        return RowTrainer(private, public, synthetic.reshape(*synthetic.shape[:2], *self.features.synthetic.shape[:2]))

    def nothing_published(self, replicates):
        """Labels that carry no weight at generation 0."""
        return jnp.zeros((*self.features.synthetic.shape[:2], replicates))

    def publish(self, key, estimates):
        """y_k = X_k θ̂_k + noise."""
        mean = self.features.synthetic @ estimates
        return mean + jnp.sqrt(self.ecosystem.noise_variance) * _normal(key, mean.shape)

    def train(self, trainer: RowTrainer, initial, pool) -> Estimates:
        """Apply the least-squares maps to the labels."""
        private, public = initial
        return (
            trainer.private @ private + trainer.public @ public + jnp.einsum("kaji,jir->kar", trainer.synthetic, pool)
        )

    def _labels(self, key, mean, replicates):
        return mean[..., None] + jnp.sqrt(self.ecosystem.noise_variance) * _normal(key, (*mean.shape, replicates))


def make_moment_sampler(ecosystem: Ecosystem) -> MomentSampler:
    """The fast sampler: exact in law for any number of rows."""
    deviation = jnp.sqrt(ecosystem.noise_variance)
    return MomentSampler(
        ecosystem,
        _theta(ecosystem),
        deviation * jax.vmap(square_root)(ecosystem.private),
        deviation * square_root(ecosystem.public),
        square_root(ecosystem.pool_noise),
        kernel_table(ecosystem),
    )


def make_row_sampler(ecosystem: Ecosystem, features: Features | None = None) -> RowSampler:
    """The literal sampler.

    Args:
        features: the rows; if None, the smallest with the ecosystem's Gram matrices.

    Raises:
        InvalidInput: the rows have other Gram matrices than the ecosystem, and both are concrete.
    """
    if features is None:
        features = smallest_features(ecosystem)
    else:
        _refuse_other_rows(ecosystem, features)
    return RowSampler(ecosystem, _theta(ecosystem), features)


def _refuse_other_rows(ecosystem: Ecosystem, features: Features) -> None:
    of_rows = ecosystem_from_features(features, ecosystem.shares, ecosystem.noise_variance)
    for name in ("private", "public", "synthetic"):
        given, found = getattr(ecosystem, name), getattr(of_rows, name)
        gap = jnp.abs(given - found).max()
        if is_concrete(gap) and gap > _SAME_GRAM * jnp.abs(given).max():
            raise InvalidInput(f"{name}: the rows' Gram matrices differ from the ecosystem's by up to {float(gap):.3g}")


def _theta(ecosystem: Ecosystem) -> Float[Array, " d"]:
    return jnp.zeros(ecosystem.dimension) if ecosystem.theta is None else ecosystem.theta


def _normal(key: PRNGKeyArray, shape: tuple[int, ...]) -> Array:
    return jax.random.normal(key, shape, dtype=float)
