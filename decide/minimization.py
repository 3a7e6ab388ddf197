"""Minimization over a box from many starts at once."""

from collections.abc import Callable
from typing import TypeVar, cast

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optimistix as optx
from jaxtyping import Array, Float, PyTree

_Aux = TypeVar("_Aux")

TOLERANCE = 1e-9
_STEPS = 400
_EDGE = 1e-5
"""Nearer to the boundary than this, the function is evaluated on it. Between, a weight so small may be all that keeps training
data of full rank: the law divides rounding errors by its square, and a search would follow them."""
_OUTSIDE = 1e6
"""Value where the function has none: no step of a line search is accepted there, and no start stays there."""


class Minimum(eqx.Module):
    """The smallest value found, and where.

    Attributes:
        point: the minimizer in [0, 1]ⁿ.
        value: the function's value there; `inf` if it has none at any start.
        aux: what else the function returns there.
        values: the values reached from every start.
        points: the points reached from every start.
    """

    point: Float[Array, " n"]
    value: Float[Array, ""]
    aux: PyTree
    values: Float[Array, " start"]
    points: Float[Array, "start n"]


def minimize(
    function: Callable[[Float[Array, " n"]], tuple[Float[Array, ""], _Aux]],
    starts: Float[Array, "start n"],
    tolerance: float | Float[Array, ""] = TOLERANCE,
) -> Minimum:
    """Smallest value of a function on [0, 1]ⁿ, by BFGS from every start.

    The box is x = sin²φ with free angles φ, by which a minimum on its boundary is one with a vanishing derivative like any other.
    Points within 1e-5 of the boundary count as on it. Jits, and maps over what the function holds.

    Args:
        function: from a point to its value, and whatever else is wanted there; not finite where it is not defined.
        starts: points inside the box.
        tolerance: of angles and of values, which a search ends with.
    """

    def of_angles(angles: Float[Array, " n"], _: None) -> tuple[Float[Array, ""], tuple[Float[Array, ""], _Aux]]:
        value, aux = function(_point(angles))
        value = jnp.where(jnp.isfinite(value), value, _OUTSIDE)
        return value, (value, aux)

    def descend(angles: Float[Array, " n"]) -> tuple[Float[Array, " n"], tuple[Float[Array, ""], _Aux]]:
        within = cast("float", tolerance)  # an array does as well
        solver = optx.BFGS(within, within)
        found = optx.minimise(of_angles, solver, angles, has_aux=True, max_steps=_STEPS, throw=False)
        return _point(found.value), found.aux

    points, (values, aux) = jax.vmap(descend)(jnp.arcsin(jnp.sqrt(starts)))
    best = values.argmin()
    value = jnp.asarray(jnp.where(values[best] < _OUTSIDE, values[best], jnp.inf))
    return Minimum(points[best], value, jax.tree.map(lambda leaf: leaf[best], aux), values, points)


def _point(angles: Float[Array, " n"]) -> Float[Array, " n"]:
    """Point of the box; its derivatives do not vanish near the boundary, so that no search stops there because of the rounding."""
    inside = jnp.sin(angles) ** 2
    rounded = jnp.where(inside < _EDGE, 0.0, jnp.where(inside > 1 - _EDGE, 1.0, inside))
    return inside + jax.lax.stop_gradient(rounded - inside)


def spread_starts(count: int, size: int) -> Float[Array, "start n"]:
    """Points that fill the box [0, 1]ⁿ evenly in the angles of `minimize`.

    The additive recurrence of the generalized golden ratio (Roberts 2018), the root g > 1 of gⁿ⁺¹ = g + 1.
    """
    ratio = 2.0
    for _ in range(60):
        ratio = (1 + ratio) ** (1 / (size + 1))
    steps = ratio ** -np.arange(1.0, size + 1)
    fractions = (0.5 + np.arange(1.0, count + 1)[:, None] * steps) % 1
    return jnp.asarray(np.sin(np.pi / 2 * (0.02 + 0.96 * fractions)) ** 2)
