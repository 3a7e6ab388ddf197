"""The weights α and β that each entity gives to new synthetic, private and public data at each generation."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from crossfeed.errors import InvalidInput

from .ecosystem import as_array, require_float64
from .tracing import is_concrete

_AXES = "() for all, (K) per entity, (T+1, 1) per generation 0..T, or (T+1, K) for both"


class Weights(eqx.Module):
    """Weights α and β of the data that entities train on, both in [0, 1] (§4).

    Each is a number or array of shape () if it is the same for all entities and generations, (K) if it differs between
    entities, (T+1, 1) if it differs between generations, or (T+1, K) for both.

    Attributes:
        alpha: α, the weight of new synthetic data; real data have 1 - α. At generation 0 nothing has been published, so
            the first row of an α per generation plays no part (α_0 = 0, §5).
        beta: β, the weight of private data among real data; public data have 1 - β.

    Raises:
        InvalidInput: at construction, if a shape or type is none of these, or, unless traced, a value lies outside [0,
            1].

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.theory import Weights
        >>> weights = Weights(alpha=0.5, beta=jnp.array([0.2, 0.8]))
        >>> print(weights.constant, weights.per_entity(2)[0])
        True [0.5 0.5]
    """

    alpha: Float[Array, "..."] = eqx.field(converter=as_array)
    beta: Float[Array, "..."] = eqx.field(converter=as_array)

    def __check_init__(self) -> None:
        for name in ("alpha", "beta"):
            value = getattr(self, name)
            if value.ndim > 2 or 0 in value.shape:
                raise InvalidInput(f"{name} must have shape {_AXES}, but has shape {value.shape}")
            require_float64(name, value)
            if is_concrete(value):
                array = np.asarray(value)
                outside = np.argwhere(~((array >= 0) & (array <= 1)))
                if len(outside):
                    place = tuple(int(i) for i in outside[0])
                    raise InvalidInput(
                        f"{name}{list(place) if place else ''} is {array[place]:.6g}, but must lie in [0, 1]"
                    )

    @property
    def constant(self) -> bool:
        """Whether the weights are the same at all generations."""
        return self.alpha.ndim < 2 and self.beta.ndim < 2

    def per_entity(self, entities: int) -> tuple[Float[Array, " entity"], Float[Array, " entity"]]:
        """Values of α and β for each entity, of weights that are constant over generations.

        Args:
            entities: K.

        Raises:
            InvalidInput: the weights change between generations, or their shape does not fit K.
        """
        if not self.constant:
            raise InvalidInput(
                f"alpha has shape {self.alpha.shape} and beta {self.beta.shape}, but a limit needs weights that stay constant"
            )
        return _broadcast("alpha", self.alpha, (entities,)), _broadcast("beta", self.beta, (entities,))

    def per_generation(
        self, entities: int, generations: int
    ) -> tuple[Float[Array, "generation entity"], Float[Array, "generation entity"]]:
        """Values of α and β for each entity at generations 0..T, with α_0 = 0.

        Args:
            entities: K.
            generations: T, at least 0.

        Raises:
            InvalidInput: T is negative, or the shape of the weights does not fit K or T.
        """
        if generations < 0:
            raise InvalidInput(f"generations is {generations}, but must not be negative")
        shape = (generations + 1, entities)
        alpha = _broadcast("alpha", self.alpha, shape).at[0].set(0.0)
        return alpha, _broadcast("beta", self.beta, shape)


def _broadcast(name: str, value: Array, shape: tuple[int, ...]) -> Array:
    # An array per generation has to list all of them: what a single row means would be a guess.
    fits = value.ndim == 0 or (value.shape[-1] in (1, shape[-1]) and value.shape[:-1] in ((), shape[:-1]))
    if not fits:
        raise InvalidInput(f"{name} has shape {value.shape}, which does not fit {shape}: allowed are {_AXES}")
    return jnp.broadcast_to(value, shape)
