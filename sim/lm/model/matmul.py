"""Products of activations with weights, as XLA computes their gradients fastest.

The gradient of a weight sums over all tokens. Left to itself, XLA for CPU turns that product around and first transposes
the activations, which costs as much as the product; a barrier keeps it as it stands. A quarter of a training step.
"""

from functools import partial

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


def _forward(activations, weights, dtype):
    return product(activations, weights, dtype), (activations, weights)


def _backward(dtype, saved, cotangent):
    activations, weights = saved
    tokens = activations.reshape(-1, activations.shape[-1])
    of_weights = jnp.dot(tokens.T, cotangent.reshape(-1, cotangent.shape[-1]), preferred_element_type=dtype)
    of_activations = jnp.dot(cotangent, weights.T, preferred_element_type=dtype)
    return of_activations.astype(activations.dtype), jax.lax.optimization_barrier(of_weights).astype(weights.dtype)


product.defvjp(_forward, _backward)


def linear_product(activations, weights, _dimensions, **_options):
    """`product` for `nnx.Linear`, whose dimensions and options are always the same here."""
    return product(activations, weights, activations.dtype)
