"""Products of activations with weights, arranged so that XLA computes their gradients fast.

The gradient of a weight sums over all tokens. XLA for CPU would swap the operands of that product and transpose the
activations first, which costs as much as the product itself; a barrier prevents it. This saves a quarter of a training step.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Float


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def product(
    activations: Float[Array, "*batch features"], weights: Float[Array, "features outputs"], dtype: DTypeLike
) -> Float[Array, "*batch outputs"]:
    """Activations times weights, summed and returned in `dtype`."""
    return jnp.dot(activations, weights, preferred_element_type=dtype)


def _forward(activations: Array, weights: Array, dtype: DTypeLike) -> tuple[Array, tuple[Array, Array]]:
    return product(activations, weights, dtype), (activations, weights)


def _backward(dtype: DTypeLike, saved: tuple[Array, Array], cotangent: Array) -> tuple[Array, Array]:
    activations, weights = saved
    tokens = activations.reshape(-1, activations.shape[-1])
    of_weights = jnp.dot(tokens.T, cotangent.reshape(-1, cotangent.shape[-1]), preferred_element_type=dtype)
    of_activations = jnp.dot(cotangent, weights.T, preferred_element_type=dtype)
    return of_activations.astype(activations.dtype), jax.lax.optimization_barrier(of_weights).astype(weights.dtype)


product.defvjp(_forward, _backward)


def linear_product(activations: Array, weights: Array, _dimensions: Any, **_options: Any) -> Array:
    """`product` with the signature of `lax.dot_general`, for `nnx.Linear`; contracts the last axis with the first."""
    return product(activations, weights, activations.dtype)
