"""Objectives: what of a law a choice of weights is to make small."""

from abc import abstractmethod
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from crossfeed.formulas.shapes import Scalar

from ..theory import Law, homogenization, mse, mspe, relative_efficiency

_SHARPNESS = (30.0, 1e3, 1e5)


class AbstractObjective(eqx.Module):
    """Base class of objectives: functions of a law, with the smallest value at the best weights.

    Example:
        >>> from crossfeed.decide import AbstractObjective, MeanError
        >>> isinstance(MeanError(), AbstractObjective)
        True
    """

    @abstractmethod
    def __call__(self, law: Law) -> Float[Array, ""]:
        """The value at a law."""

    def stages(self) -> "tuple[AbstractObjective, ...]":
        """Objectives to minimize one after another, each from where the last one ended; smooth ones come first."""
        return (self,)


class MeanError(AbstractObjective):
    """Logarithm of the mean squared error, averaged over entities.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.decide import MeanError
        >>> from crossfeed.theory import Weights, limit, symmetric_ecosystem
        >>> print(f"{MeanError()(limit(symmetric_ecosystem(2, jnp.eye(3)), Weights(0.5, 0.5))):.4f}")  # log 1.7188
        0.5416
    """

    def __call__(self, law: Law) -> Float[Array, ""]:
        """log of the mean over present entities of E‖θ̂_k - θ‖²."""
        return jnp.log(_mean(law, mse(law)))


class MeanEfficiency(AbstractObjective):
    """Negative relative efficiency, averaged over entities: the measure of the paper's Figure 2.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.decide import MeanEfficiency
        >>> from crossfeed.theory import Weights, limit, symmetric_ecosystem
        >>> print(f"{MeanEfficiency()(limit(symmetric_ecosystem(2, jnp.eye(3)), Weights(0.5, 0.5))):.4f}")
        -0.5818
    """

    def __call__(self, law: Law) -> Float[Array, ""]:
        """Minus the mean over present entities."""
        return -_mean(law, relative_efficiency(law))


class WorstError(AbstractObjective):
    """Logarithm of the largest mean squared error of an entity.

    The maximum is smoothed, log Σ_k MSE_k^s / s, which exceeds it by at most log(K) / s.

    Attributes:
        sharpness: s > 0.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.decide import WorstError
        >>> from crossfeed.theory import Weights, limit, symmetric_ecosystem
        >>> print(f"{WorstError()(limit(symmetric_ecosystem(2, jnp.eye(3)), Weights(0.5, 0.5))):.4f}")
        0.5416
    """

    sharpness: Scalar = _SHARPNESS[-1]

    def __call__(self, law: Law) -> Float[Array, ""]:
        """The smoothed maximum over present entities."""
        logs = jnp.where(law.ecosystem.present, jnp.log(mse(law)), -jnp.inf)
        return jax.nn.logsumexp(self.sharpness * logs) / self.sharpness

    def stages(self) -> tuple[AbstractObjective, ...]:
        """Maxima of rising sharpness."""
        return tuple(WorstError(jnp.asarray(sharpness)) for sharpness in _SHARPNESS)


class OwnTask(AbstractObjective):
    """Logarithm of one entity's prediction error on its own private data.

    Attributes:
        entity: index k of the entity, from 0.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.decide import OwnTask
        >>> from crossfeed.theory import Weights, limit, symmetric_ecosystem
        >>> print(f"{OwnTask(1)(limit(symmetric_ecosystem(2, jnp.eye(3)), Weights(0.5, 0.5))):.4f}")
        0.5416
    """

    entity: int

    def __call__(self, law: Law) -> Float[Array, ""]:
        """log of the MSPE of entity k on task k."""
        return jnp.log(mspe(law)[self.entity, self.entity])


class Priced(AbstractObjective):
    """Another objective plus a price on homogenization.

    Attributes:
        objective: the other objective.
        price: price of a homogenization of 1, in units of the other objective.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.decide import MeanError, Priced
        >>> from crossfeed.theory import Weights, limit, symmetric_ecosystem
        >>> law = limit(symmetric_ecosystem(2, jnp.eye(3)), Weights(0.0, 1.0))  # uncorrelated errors
        >>> print(f"{Priced(MeanError(), 5.0)(law) - MeanError()(law):.4f}")
        0.0000
    """

    objective: AbstractObjective
    price: Scalar

    def __call__(self, law: Law) -> Float[Array, ""]:
        """The other objective's value plus price times homogenization."""
        return self.objective(law) + self.price * homogenization(law)

    def stages(self) -> tuple[AbstractObjective, ...]:
        """Those of the other objective, at the same price."""
        return tuple(Priced(stage, self.price) for stage in self.objective.stages())


class Measure(AbstractObjective):
    """Any differentiable function of a law.

    Attributes:
        function: from a `Law` to a number.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.decide import Measure
        >>> from crossfeed.theory import Weights, limit, mse, symmetric_ecosystem
        >>> last = Measure(lambda law: mse(law)[-1])
        >>> print(f"{last(limit(symmetric_ecosystem(2, jnp.eye(3)), Weights(0.5, 0.5))):.4f}")
        1.7188
    """

    function: Callable[[Law], Float[Array, ""]] = eqx.field(static=True)

    def __call__(self, law: Law) -> Float[Array, ""]:
        """The function's value."""
        return self.function(law)


def _mean(law: Law, values: Float[Array, " entity"]) -> Float[Array, ""]:
    present = law.ecosystem.present
    return jnp.where(present, values, 0).sum() / present.sum().astype(values.dtype)
