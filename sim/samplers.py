"""Samplers of the workflow of §4 for linear models: two implementations of the same distribution.

A sampler draws the initial data, trains every entity, and draws what entities publish. Replicates are the last axis, so
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

_SAME_GRAM = 1e-9  # relative: two ways to sum one Gram matrix differ by rounding only

Estimates = Float[Array, "entity d replicate"]


class Sampler(eqx.Module):
    """Base class of samplers: initial data once, then at every generation publish, pool and train.

    Where the ecosystem has no θ, θ = 0 is simulated: the error of an unbiased estimate does not depend on it.

    Attributes:
        ecosystem: what is simulated, with K entities and d features.
        theta: the true parameter of the simulated data.

    Example:
        >>> from crossfeed.sim import MomentSampler, RowSampler, Sampler
        >>> issubclass(MomentSampler, Sampler), issubclass(RowSampler, Sampler)
        (True, True)
    """

    ecosystem: eqx.AbstractVar[Ecosystem]
    theta: eqx.AbstractVar[Float[Array, " d"]]

    @abstractmethod
    def draw_initial(self, key: PRNGKeyArray, replicates: int) -> Any:
        """Draw the real data of every replicate."""

    @abstractmethod
    def trainer(self, alpha: Float[Array, " entity"], beta: Float[Array, " entity"]) -> Any:
        """Solver of the training problem for one generation's weights: all that does not depend on labels."""

    @abstractmethod
    def nothing_published(self, replicates: int) -> Any:
        """Empty pool of generation 0."""

    @abstractmethod
    def publish(self, key: PRNGKeyArray, estimates: Estimates) -> Any:
        """Draw the pool that entities with these estimates publish."""

    @abstractmethod
    def train(self, trainer: Any, initial: Any, pool: Any) -> Estimates:
        """Estimates of all entities from the real data and the pool."""


class MomentSampler(Sampler):
    """Sampler of the moments X'y, the d numbers through which a dataset acts on training.

    Its distribution is exact, and its cost independent of the number of rows. `make_moment_sampler` builds one.

    Attributes:
        ecosystem: what is simulated.
        theta: the true parameter of the simulated data.
        private_root: σ S~_k^½, a root of the covariance of the moments of private labels.
        public_root: σ S_*^½.
        pool_root: a root of the covariance σ² Σ w_k² S_k that fresh label noise gives the pool's moment.
        kernels: the table of `theory.estimators.kernel_table`.

    Example:
        >>> import jax
        >>> import jax.numpy as jnp
        >>> from crossfeed.sim import make_moment_sampler
        >>> from crossfeed.theory import symmetric_ecosystem
        >>> sampler = make_moment_sampler(symmetric_ecosystem(2, jnp.eye(3)))
        >>> private, public = sampler.draw_initial(jax.random.key(0), replicates=5)
        >>> private.shape, public.shape
        ((2, 3, 5), (3, 5))
    """

    ecosystem: Ecosystem
    theta: Float[Array, " d"]
    private_root: Float[Array, "entity d d"]
    public_root: Float[Array, "d d"]
    pool_root: Float[Array, "d d"]
    kernels: KernelTable

    def draw_initial(
        self, key: PRNGKeyArray, replicates: int
    ) -> tuple[Float[Array, "entity d replicate"], Float[Array, "d replicate"]]:
        """Draw X~_k'ỹ_k and X_*'y_*."""
        key_private, key_public = jax.random.split(key)
        private = self.private_root @ _normal(key_private, (*self.private_root.shape[:2], replicates))
        public = self.public_root @ _normal(key_public, (len(self.theta), replicates))
        private_mean, public_mean = self.ecosystem.private @ self.theta, self.ecosystem.public @ self.theta
        return private_mean[..., None] + private, public_mean[:, None] + public

    def trainer(self, alpha: Float[Array, " entity"], beta: Float[Array, " entity"]) -> Training:
        """Matrices of the least-squares estimator."""
        return train(self.ecosystem, alpha, beta, self.kernels)

    def nothing_published(self, replicates: int) -> Float[Array, "d replicate"]:
        """Moment of an empty pool, which is zero."""
        return jnp.zeros((len(self.theta), replicates))

    def publish(self, key: PRNGKeyArray, estimates: Estimates) -> Float[Array, "d replicate"]:
        """Draw the pool's moment m = Σ_j w_j S_j θ̂_j + n, n ~ N(0, σ² Σ_j w_j² S_j)."""
        weighted = self.ecosystem.shares[:, None, None] * self.ecosystem.synthetic
        mean = jnp.einsum("jba,jar->br", weighted, estimates)
        return mean + self.pool_root @ _normal(key, mean.shape)

    def train(
        self,
        trainer: Training,
        initial: tuple[Float[Array, "entity d replicate"], Float[Array, "d replicate"]],
        pool: Float[Array, "d replicate"],
    ) -> Estimates:
        """Estimates θ̂_k = G_k⁺ (p_k X~_k'ỹ_k + q_k X_*'y_* + α_k m)."""
        private, public = initial
        moment = (
            trainer.private_weight[:, None, None] * private
            + trainer.public_weight[:, None, None] * public[None]
            + trainer.synthetic_weight[:, None, None] * pool[None]
        )
        return trainer.inverse @ moment


class RowTrainer(eqx.Module):
    """Weighted least-squares solution of every entity as a linear map of all labels it trains on.

    Attributes:
        private: the map of the entity's own private labels.
        public: the map of the public labels.
        synthetic: the map of the labels that each entity published.
    """

    private: Float[Array, "entity d rows"]
    public: Float[Array, "entity d public_rows"]
    synthetic: Float[Array, "entity d publisher synthetic_rows"]


class RowSampler(Sampler):
    """Sampler that draws every label of every dataset and solves each entity's weighted least squares, as the paper says.

    It uses no Gram matrices, and so checks `MomentSampler` independently. `make_row_sampler` builds one.

    Attributes:
        ecosystem: what is simulated.
        theta: the true parameter of the simulated data.
        features: the rows of all datasets.

    Example:
        >>> import jax
        >>> import jax.numpy as jnp
        >>> from crossfeed.sim import make_row_sampler
        >>> from crossfeed.theory import symmetric_ecosystem
        >>> sampler = make_row_sampler(symmetric_ecosystem(2, jnp.eye(3)))
        >>> labels, public_labels = sampler.draw_initial(jax.random.key(0), replicates=5)
        >>> labels.shape, public_labels.shape
        ((2, 3, 5), (3, 5))
    """

    ecosystem: Ecosystem
    theta: Float[Array, " d"]
    features: Features

    def draw_initial(
        self, key: PRNGKeyArray, replicates: int
    ) -> tuple[Float[Array, "entity rows replicate"], Float[Array, "public_rows replicate"]]:
        """Draw the labels ỹ_k and y_*."""
        key_private, key_public = jax.random.split(key)
        private = self.features.private @ self.theta
        public = self.features.public @ self.theta
        return self._labels(key_private, private, replicates), self._labels(key_public, public, replicates)

    def trainer(self, alpha: Float[Array, " entity"], beta: Float[Array, " entity"]) -> RowTrainer:
        """Minimum-norm minimizers of Σ_i weight_i (y_i - x_i'θ)² as maps of y, by the pseudo-inverse of the weighted rows."""
        rows, public_rows = self.features.private.shape[1], self.features.public.shape[0]
        pooled = self.features.synthetic.reshape(-1, self.theta.shape[0])
        pool_weights = jnp.repeat(self.ecosystem.shares, self.features.synthetic.shape[1])

        def solve(
            alpha: Float[Array, ""], beta: Float[Array, ""], private: Float[Array, "rows d"]
        ) -> Float[Array, "d all_rows"]:
            design = jnp.concatenate([private, self.features.public, pooled])
            weights = jnp.concatenate(
                [
                    jnp.full(rows, (1 - alpha) * beta),
                    jnp.full(public_rows, (1 - alpha) * (1 - beta)),
                    alpha * pool_weights,
                ]
            )
            root = jnp.sqrt(weights)
            return pseudo_inverse_of_rows(root[:, None] * design) * root[None, :]

        maps = jax.vmap(solve)(alpha, beta, self.features.private)
        private, public, synthetic = jnp.split(maps, [rows, rows + public_rows], axis=2)
        return RowTrainer(private, public, synthetic.reshape(*synthetic.shape[:2], *self.features.synthetic.shape[:2]))

    def nothing_published(self, replicates: int) -> Float[Array, "publisher synthetic_rows replicate"]:
        """Labels of zero, which carry no weight at generation 0."""
        return jnp.zeros((*self.features.synthetic.shape[:2], replicates))

    def publish(self, key: PRNGKeyArray, estimates: Estimates) -> Float[Array, "publisher synthetic_rows replicate"]:
        """Draw the labels y_k = X_k θ̂_k + noise."""
        mean = self.features.synthetic @ estimates
        return mean + jnp.sqrt(self.ecosystem.noise_variance) * _normal(key, mean.shape)

    def train(
        self,
        trainer: RowTrainer,
        initial: tuple[Float[Array, "entity rows replicate"], Float[Array, "public_rows replicate"]],
        pool: Float[Array, "publisher synthetic_rows replicate"],
    ) -> Estimates:
        """Least-squares estimates, the maps of `trainer` applied to the labels."""
        private, public = initial
        return (
            trainer.private @ private + trainer.public @ public + jnp.einsum("kaji,jir->kar", trainer.synthetic, pool)
        )

    def _labels(
        self, key: PRNGKeyArray, mean: Float[Array, "*rows"], replicates: int
    ) -> Float[Array, "*rows replicate"]:
        return mean[..., None] + jnp.sqrt(self.ecosystem.noise_variance) * _normal(key, (*mean.shape, replicates))


def make_moment_sampler(ecosystem: Ecosystem) -> MomentSampler:
    """Fast sampler of an ecosystem: the exact distribution at a cost that does not depend on the number of rows.

    Args:
        ecosystem: with K entities and d features; without θ, θ = 0 is simulated.

    Returns:
        A sampler for `simulate`.

    Example:
        >>> import jax
        >>> from crossfeed.sim import make_moment_sampler
        >>> from crossfeed.theory import random_gaussian
        >>> make_moment_sampler(random_gaussian(jax.random.key(0), entities=2, dimension=3, rank=2)).theta.shape
        (3,)
    """
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
    """Literal sampler of an ecosystem, which draws every label.

    Args:
        ecosystem: with K entities and d features; without θ, θ = 0 is simulated.
        features: rows with the ecosystem's Gram matrices; if None, d rows per dataset that have them.

    Returns:
        A sampler for `simulate`.

    Raises:
        InvalidInput: the rows have other Gram matrices than the ecosystem, and both are concrete.

    Example:
        >>> import jax
        >>> from crossfeed.sim import make_row_sampler
        >>> from crossfeed.theory import random_gaussian
        >>> sampler = make_row_sampler(random_gaussian(jax.random.key(0), entities=2, dimension=3, rank=2))
        >>> sampler.features.private.shape
        (2, 3, 3)
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
