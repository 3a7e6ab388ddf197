"""α and β: how much each entity trusts new synthetic, private and public data, generation by generation."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from crossfeed.errors import InvalidInput

from .ecosystem import as_array, require_float64
from .tracing import is_concrete

_AXES = "() for all, (K) per entity, (T+1, 1) per generation 0..T, or (T+1, K) for both"


class Weights(eqx.Module):
    """The weights of §4, both in [0, 1].

    Attributes:
        alpha: α, weight of new synthetic data against reused real data. At generation 0 nothing has been published, so
            row 0 of a per-generation α plays no part (α_0 = 0, §5).
        beta: β, weight of private against public real data.

    Each has shape () for all entities and generations alike, (K) per entity, (T+1, 1) per generation, or (T+1, K) for both.

    Raises:
        InvalidInput: at construction, for a wrong shape or type, or a value outside [0, 1] that is not traced.
    """

    alpha: Float[Array, "..."] = eqx.field(converter=as_array)
    beta: Float[Array, "..."] = eqx.field(converter=as_array)

    def __check_init__(self):
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
        """Whether the weights stay the same in all generations."""
        return self.alpha.ndim < 2 and self.beta.ndim < 2

    def per_entity(self, entities: int) -> tuple[Float[Array, " entity"], Float[Array, " entity"]]:
        """Constant α and β of every entity.

        Raises:
            InvalidInput: the weights change between generations, or belong to another number of entities.
        """
        if not self.constant:
            raise InvalidInput(
                f"alpha has shape {self.alpha.shape} and beta {self.beta.shape}, but a limit needs weights that stay constant"
            )
        return _broadcast("alpha", self.alpha, (entities,)), _broadcast("beta", self.beta, (entities,))

    def per_generation(
        self, entities: int, generations: int
    ) -> tuple[Float[Array, "generation entity"], Float[Array, "generation entity"]]:
        """α and β of every entity at generations 0..T, with α_0 = 0.

        Raises:
            InvalidInput: T is negative, or an axis has neither length 1 nor K (T+1 for generations).
        """
        if generations < 0:
            raise InvalidInput(f"generations is {generations}, but must not be negative")
        shape = (generations + 1, entities)
        alpha = _broadcast("alpha", self.alpha, shape).at[0].set(0.0)
        return alpha, _broadcast("beta", self.beta, shape)


def _broadcast(name: str, value: Array, shape: tuple[int, ...]) -> Array:
    # Per-generation arrays must list every generation: a single row would be a guess.
    fits = value.ndim == 0 or (value.shape[-1] in (1, shape[-1]) and value.shape[:-1] in ((), shape[:-1]))
    if not fits:
        raise InvalidInput(f"{name} has shape {value.shape}, which does not fit {shape}: allowed are {_AXES}")
    return jnp.broadcast_to(value, shape)
