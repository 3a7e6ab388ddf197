"""Samplers of the workflow for linear models, by the moments X'y through which data act on training.

A sampler draws generation 0, and then one generation after the other. Replicates are the last axis, so that random numbers and
matrix products run over long contiguous rows.
"""

from abc import abstractmethod
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from crossfeed.formulas.estimators import Fit
from crossfeed.formulas.state_space import Exchange, exchange
from crossfeed.formulas.workflow import PAPER, Workflow

from ..theory.eager import as_one_program
from ..theory.ecosystem import Ecosystem
from ..theory.linear_algebra import factor
from ..theory.schedule import Schedule, fits_of_generations
from ..theory.weights import Weights

Estimates = Float[Array, "entity d replicate"]


class Sampler(eqx.Module):
    """Base class of samplers: the real data and generation 0 once, then one generation after the other.

    Where the ecosystem has no truth, θ = 0 is simulated: the error of an unbiased estimate does not depend on it.

    Attributes:
        ecosystem: what is simulated, with K entities and d features.
        workflow: estimator, pool and memory.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.sim import Sampler, make_moment_sampler, make_row_sampler
        >>> from crossfeed.theory import symmetric_ecosystem
        >>> ecosystem = symmetric_ecosystem(2, jnp.eye(3))
        >>> isinstance(make_moment_sampler(ecosystem), Sampler), isinstance(make_row_sampler(ecosystem), Sampler)
        (True, True)
    """

    ecosystem: eqx.AbstractVar[Ecosystem]
    workflow: eqx.AbstractVar[Workflow]

    @abstractmethod
    def schedule(self, weights: Weights, generations: int) -> Schedule:
        """All of training that does not depend on labels, for generations 0..T."""

    @abstractmethod
    def init(self, key: PRNGKeyArray, first: Any, replicates: int) -> PyTree:
        """Draw the real data of every replicate, and train generation 0 on them."""

    @abstractmethod
    def step(self, key: PRNGKeyArray, now: Any, state: PyTree) -> PyTree:
        """Publish, read and train: the state at the next generation, which is trained as `now` says."""

    @abstractmethod
    def estimates(self, state: PyTree) -> Estimates:
        """All entities' estimates."""


class MomentState(eqx.Module):
    """What a replicate of the moments consists of.

    Attributes:
        private: X~_k'ỹ_k of every entity.
        public: X_*'y_*.
        channels: moments of the channels, as far as they are remembered.
        estimates: θ̂_k of every entity.
    """

    private: Float[Array, "entity d replicate"]
    public: Float[Array, "d replicate"]
    channels: Float[Array, "channel d replicate"]
    estimates: Estimates


class MomentSampler(Sampler):
    """Sampler of the moments X'y, the d numbers through which a dataset acts on training.

    Its distribution is exact, and its cost independent of the number of rows. `make_moment_sampler` builds one.

    Attributes:
        ecosystem: what is simulated.
        workflow: estimator, pool and memory.
        exchange: who publishes and reads what.
        private_root: a root of the covariance of the moment of each entity's private labels.
        public_root: the same for the public labels.
        channel_root: the same for the label noise of one generation in all channels.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.sim import make_moment_sampler
        >>> from crossfeed.theory import symmetric_ecosystem
        >>> make_moment_sampler(symmetric_ecosystem(2, jnp.eye(3))).channel_root.shape
        (3, 3)
    """

    ecosystem: Ecosystem
    workflow: Workflow
    exchange: Exchange
    private_root: Float[Array, "entity d d"]
    public_root: Float[Array, "d d"]
    channel_root: Float[Array, "channels channels"]

    def schedule(self, weights: Weights, generations: int) -> Schedule:
        """Matrices of the estimators."""
        return fits_of_generations(self.workflow, self.exchange, weights, generations)

    def init(self, key: PRNGKeyArray, first: Fit, replicates: int) -> MomentState:
        """Draw X~_k'ỹ_k and X_*'y_*."""
        key_private, key_public = jax.random.split(key)
        private_truth, public_truth = truths(self.ecosystem)
        private = self.private_root @ normal(key_private, (*self.private_root.shape[:2], replicates))
        private = jnp.einsum("kab,kb->ka", self.ecosystem.private.gram, private_truth)[..., None] + private
        public = self.public_root @ normal(key_public, (len(self.public_root), replicates))
        public = (self.ecosystem.public.gram @ public_truth)[:, None] + public
        channels = jnp.zeros((len(self.exchange.write), self.ecosystem.dimension, replicates))
        return self._train(first, MomentState(private, public, channels, jnp.zeros_like(private)))

    def step(self, key: PRNGKeyArray, now: Fit, state: MomentState) -> MomentState:
        """Channels m_c = Σ_j write[c, j] (S_j ((1-f) θ̂_j + f θ_*) + n_j), added to what is remembered."""
        shared = self.exchange
        _, human = truths(self.ecosystem)
        labels = (1 - shared.fresh) * state.estimates + (shared.fresh * human)[None, :, None]
        published = jnp.einsum("cj,jba,jar->cbr", shared.write, self.ecosystem.synthetic.gram, labels)
        noise = self.channel_root @ normal(key, (len(self.channel_root), published.shape[-1]))
        channels = shared.kept * state.channels + published + noise.reshape(published.shape)
        return self._train(now, eqx.tree_at(lambda s: s.channels, state, channels))

    def estimates(self, state: MomentState) -> Estimates:
        """θ̂_k."""
        return state.estimates

    def _train(self, now: Fit, state: MomentState) -> MomentState:
        """θ̂_k = gain_k (p_k X~_k'ỹ_k + q_k X_*'y_* + α_k Σ_c read[k, c] z_c) + carry_k θ̂_k."""
        private, public, synthetic = (
            weight[:, None, None] for weight in (now.private_weight, now.public_weight, now.synthetic_weight)
        )
        read = jnp.einsum("kc,cbr->kbr", self.exchange.read, state.channels)
        estimates = now.gain @ (private * state.private + public * state.public[None] + synthetic * read)
        if now.carry is not None:
            estimates = estimates + now.carry @ state.estimates
        return eqx.tree_at(lambda s: s.estimates, state, estimates)


@as_one_program()
def make_moment_sampler(ecosystem: Ecosystem, workflow: Workflow = PAPER) -> MomentSampler:
    """Fast sampler of an ecosystem: the exact distribution at a cost that does not depend on the number of rows.

    Args:
        ecosystem: with K entities and d features; without a truth, θ = 0 is simulated.
        workflow: estimator, pool and memory; the paper's if not given.

    Returns:
        A sampler for `simulate`.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.sim import make_moment_sampler
        >>> from crossfeed.theory import symmetric_ecosystem
        >>> make_moment_sampler(symmetric_ecosystem(2, jnp.eye(3))).public_root.shape
        (3, 3)
    """
    shared = exchange(ecosystem, workflow)

    def root(noise_variance: Float[Array, ""], gram: Float[Array, "d d"]) -> Float[Array, "d d"]:
        return jnp.sqrt(noise_variance) * factor(gram)

    private, public = ecosystem.private, ecosystem.public
    return MomentSampler(
        ecosystem,
        workflow,
        shared,
        jax.vmap(root)(private.noise_variance, private.gram),
        root(public.noise_variance, public.gram),
        factor(shared.channel_noise),
    )


def truths(ecosystem: Ecosystem) -> tuple[Float[Array, "entity d"], Float[Array, " d"]]:
    """The truths that are simulated: those of the private and of the public data, or zero."""
    if ecosystem.private.truth is None or ecosystem.public.truth is None:
        return jnp.zeros((ecosystem.entities, ecosystem.dimension)), jnp.zeros(ecosystem.dimension)
    return ecosystem.private.truth, ecosystem.public.truth


def normal(key: PRNGKeyArray, shape: tuple[int, ...]) -> Array:
    """Standard normal numbers in float64."""
    return jax.random.normal(key, shape, dtype=float)
