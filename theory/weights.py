"""The weights α and β that each entity gives to new synthetic, private and public data, in JAX's arrays, as a pytree."""

from types import ModuleType
from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp

from crossfeed.formulas import weights as formulas
from crossfeed.formulas.shapes import Numbers


class Weights(formulas.Weights, eqx.Module):
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

    library: ClassVar[ModuleType] = jnp

    def __init__(self, alpha: Numbers, beta: Numbers):
        super().__init__(alpha, beta)
