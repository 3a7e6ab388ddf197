"""The joint law of all entities' estimates, which measures turn into means, covariances and errors."""

from typing import NamedTuple

from .arrays import einsum, namespace
from .ecosystem import Ecosystem
from .estimators import Fit
from .results import RESULTS
from .shapes import Array, Bool, Float, Int
from .state_space import Exchange, State


class Law(NamedTuple):
    """Joint law of all entities' estimates, at one generation or in the limit.

    The argument of `mse`, `covariance`, `homogenization`, `transfer` and the other measures.

    Attributes:
        exchange: the ecosystem, and who publishes and reads what.
        fit: the estimates as linear maps of real moments and of the state.
        state: the law of what entities read.
        spectral_radius: ρ of the recursion, for a limit; None for the law at one generation.
        result: code in `RESULTS` of whether there is such a law.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.theory import Weights, limit, symmetric_ecosystem
        >>> law = limit(symmetric_ecosystem(2, jnp.eye(3)), Weights(0.5, 0.5))
        >>> print(law.exists, f"{law.spectral_radius:.4f}")
        True 0.5000
    """

    exchange: Exchange
    fit: Fit
    state: State
    spectral_radius: Float[Array, ""] | None
    result: Int[Array, ""] | int

    @property
    def ecosystem(self) -> Ecosystem:
        """The ecosystem that the entities belong to."""
        return self.exchange.ecosystem

    @property
    def exists(self) -> Bool[Array, ""]:
        """Whether there is such a law: False for a limit where the spectral radius is not below 1."""
        return namespace(self.fit.gain).asarray(self.result == RESULTS.successful)

    @property
    def settled(self) -> Bool[Array, " entity"]:
        """Which entities' estimates have a law: all where there is one, else those that read nothing of the pool."""
        if self.fit.carry is not None:
            return namespace(self.fit.gain).broadcast_to(self.exists, self.fit.synthetic_weight.shape)
        alone = (self.fit.synthetic_weight == 0) & (self.result == RESULTS.no_limit)
        return self.exists | alone

    @property
    def from_state(self) -> Float[Array, "entity d state"]:
        """Maps from the state to the estimates."""
        fit, entities, xp = self.fit, self.ecosystem.entities, namespace(self.fit.gain)
        channels = einsum("k,kc,kab->kacb", fit.synthetic_weight, self.exchange.read, fit.gain)
        channels = channels.reshape(entities, self.ecosystem.dimension, -1)
        if fit.carry is None:
            return channels
        carry = einsum("kl,kab->kalb", xp.eye(entities), fit.carry)
        return xp.concatenate([channels, carry.reshape(*channels.shape[:2], -1)], axis=2)

    @property
    def from_own(self) -> Float[Array, "entity d d"]:
        """Maps from the moment of an entity's own private data to its estimate, apart from what comes back from the state."""
        return self.fit.private_weight[:, None, None] * self.fit.gain

    @property
    def from_public(self) -> Float[Array, "entity d d"]:
        """Maps from the moment of the public data to the estimates, apart from what comes back from the state."""
        return self.fit.public_weight[:, None, None] * self.fit.gain

    def where_settled(self, value: Float[Array, "entity ..."], otherwise: float) -> Float[Array, "entity ..."]:
        """Values per entity, replaced by `otherwise` where its estimate has no law."""
        return namespace(value).where(self.settled.reshape(-1, *[1] * (value.ndim - 1)), value, otherwise)


def law_of_generation(shared: Exchange, fitted: Fit, state: State) -> Law:
    """Law of the estimates at one generation, which always exists."""
    return Law(shared, fitted, state, None, RESULTS.successful)
