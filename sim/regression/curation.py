"""Curation: which of the published rows an entity trains on."""

from abc import abstractmethod
from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from crossfeed.errors import InvalidInput
from crossfeed.formulas.arrays import is_concrete

from .labels import AbstractLabels


class AbstractCuration(eqx.Module):
    """Base class of curations."""

    @abstractmethod
    def weights(
        self,
        labels: AbstractLabels,
        rows: Float[Array, "publisher rows d"],
        published: Float[Array, "publisher rows"],
        estimates: Float[Array, "entity d"],
        truth: Float[Array, " d"],
    ) -> Float[Array, "entity publisher rows"]:
        """Weight of every published row for every reader, 1 where all are kept.

        Args:
            labels: distribution of the labels.
            rows: inputs of the pool.
            published: their labels.
            estimates: of the readers, before they train on the pool.
            truth: θ of the public data.
        """


class KeepAll(AbstractCuration):
    """No curation, as in the paper.

    Example:
        >>> from crossfeed.sim.regression import KeepAll
        >>> KeepAll()
        KeepAll()
    """

    def weights(
        self,
        labels: AbstractLabels,
        rows: Float[Array, "publisher rows d"],
        published: Float[Array, "publisher rows"],
        estimates: Float[Array, "entity d"],
        truth: Float[Array, " d"],
    ) -> Float[Array, "entity publisher rows"]:
        """Ones."""
        return jnp.ones((len(estimates), *published.shape))


class KeepBest(AbstractCuration):
    """The part of the pool with the lowest loss; what is kept weighs as much as the whole pool did.

    Attributes:
        fraction: part that is kept, in (0, 1].
        judge: whose loss decides. `reader`: every reader keeps what fits its own estimate; `oracle`: the pool keeps what fits
            the truth of the public data; `point`: it keeps what fits `point`.
        point: parameter that curation pulls to, for the judge `point`.

    Raises:
        InvalidInput: the fraction lies outside (0, 1], or there is a point without that judge, or the reverse.

    Example:
        >>> from crossfeed.sim.regression import KeepBest
        >>> KeepBest(0.5, "oracle").fraction
        0.5
    """

    fraction: float = eqx.field(static=True)
    judge: Literal["reader", "oracle", "point"] = eqx.field(static=True)
    point: Float[Array, " d"] | None = None

    def __check_init__(self) -> None:
        if not 0 < self.fraction <= 1:
            raise InvalidInput(f"fraction is {self.fraction}, but must lie in (0, 1]")
        if self.judge not in ("reader", "oracle", "point"):
            raise InvalidInput(f"judge is {self.judge!r}, but must be 'reader', 'oracle' or 'point'")
        if (self.judge == "point") != (self.point is not None):
            raise InvalidInput(
                f"judge is {self.judge!r}, but point is {self.point}: the judge 'point', and only it, has one"
            )
        if self.point is not None and is_concrete(self.point) and not jnp.isfinite(self.point).all():
            raise InvalidInput("point holds a number that is not finite")

    def weights(
        self,
        labels: AbstractLabels,
        rows: Float[Array, "publisher rows d"],
        published: Float[Array, "publisher rows"],
        estimates: Float[Array, "entity d"],
        truth: Float[Array, " d"],
    ) -> Float[Array, "entity publisher rows"]:
        """1/fraction for rows that are kept, 0 for the others."""
        if self.judge == "reader":
            judges = estimates
        else:
            judge = truth if self.point is None else self.point
            judges = jnp.broadcast_to(judge, estimates.shape)
        kept = max(1, round(self.fraction * published.size))

        def of_judge(judge: Float[Array, " d"]) -> Float[Array, "publisher rows"]:
            loss = labels.loss(published, rows @ judge)
            order = jnp.argsort(loss.ravel())
            chosen = jnp.zeros(published.size).at[order[:kept]].set(published.size / kept)
            return chosen.reshape(published.shape)

        return jax.vmap(of_judge)(judges)
