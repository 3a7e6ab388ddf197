"""The weights α and β that each entity gives to new synthetic, private and public data at each generation."""

from dataclasses import dataclass
from types import ModuleType
from typing import ClassVar

import numpy as np

from crossfeed.errors import InvalidInput

from .arrays import as_array, is_concrete, namespace, require_float64, require_whole
from .shapes import Array, Float, Numbers

_AXES = "() for all, (K) per entity, (T+1, 1) per generation 0..T, or (T+1, K) for both"


@dataclass(init=False, eq=False, repr=False)
class Weights:
    """Weights α and β of the data that entities train on, in NumPy's arrays; `crossfeed.theory.Weights` is the same in JAX's."""

    library: ClassVar[ModuleType] = np

    alpha: Float[Array, "..."]
    beta: Float[Array, "..."]

    def __init__(self, alpha: Numbers, beta: Numbers):
        self.alpha = as_array("alpha", alpha, self.library)
        self.beta = as_array("beta", beta, self.library)
        _check_weights("alpha", self.alpha)
        _check_weights("beta", self.beta)

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
            InvalidInput: T is no whole number or negative, or the shape of the weights does not fit K or T.
        """
        require_whole("generations", generations)
        if generations < 0:
            raise InvalidInput(f"generations is {generations}, but must not be negative")
        shape = (generations + 1, entities)
        alpha, xp = _broadcast("alpha", self.alpha, shape), namespace(self.alpha)
        alpha = xp.concatenate([xp.zeros_like(alpha[:1]), alpha[1:]])
        return alpha, _broadcast("beta", self.beta, shape)


def _check_weights(name: str, value: Array) -> None:
    if value.ndim > 2 or 0 in value.shape:
        raise InvalidInput(f"{name} must have shape {_AXES}, but has shape {value.shape}")
    require_float64(name, value)
    if is_concrete(value):
        array = np.asarray(value)
        outside = np.argwhere(~((array >= 0) & (array <= 1)))
        if len(outside):
            place = tuple(int(i) for i in outside[0])
            raise InvalidInput(f"{name}{list(place) if place else ''} is {array[place]:.6g}, but must lie in [0, 1]")


def _broadcast(name: str, value: Array, shape: tuple[int, ...]) -> Array:
    # An array per generation has to list all of them: what a single row means would be a guess.
    fits = value.ndim == 0 or (value.shape[-1] in (1, shape[-1]) and value.shape[:-1] in ((), shape[:-1]))
    if not fits:
        raise InvalidInput(f"{name} has shape {value.shape}, which does not fit {shape}: allowed are {_AXES}")
    return namespace(value).broadcast_to(value, shape)
