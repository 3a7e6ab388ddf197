"""Derivatives checked against central differences, in both modes."""

import jax
import jax.numpy as jnp
import numpy as np


def inner(left, right):
    return sum(jnp.vdot(a, b) for a, b in zip(jax.tree.leaves(left), jax.tree.leaves(right), strict=True))


def assert_derivatives(function, point, step=1e-5, rtol=1e-6):
    """Forward and reverse derivatives along a random direction equal a central difference."""
    rng = np.random.default_rng(2024)  # not the seed of a test's point: along the point itself nothing turns
    function = jax.jit(function)
    direction = jax.tree.map(lambda leaf: jnp.asarray(rng.normal(size=leaf.shape)), point)
    moved = [jax.tree.map(lambda x, d, side=side: x + side * step * d, point, direction) for side in (1, -1)]
    central = (function(moved[0]) - function(moved[1])) / (2 * step)
    value, forward = jax.jvp(function, (point,), (direction,))
    np.testing.assert_allclose(forward, central, rtol=0, atol=rtol * float(jnp.abs(central).max()))
    cotangent = jnp.asarray(rng.normal(size=value.shape))
    (reverse,) = jax.vjp(function, point)[1](cotangent)
    np.testing.assert_allclose(inner(reverse, direction), inner(cotangent, forward), rtol=1e-9)
