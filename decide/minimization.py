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
        value: the function's value there; `inf` if no search finds one.
        aux: what else the function returns there.
        values: the values reached from every start; `inf` where there is none.
        points: the points reached from every start.
    """

    point: Float[Array, " n"]
    value: Float[Array, ""]
    aux: PyTree
    values: Float[Array, " start"]
    points: Float[Array, "start n"]


_Function = Callable[[Float[Array, " n"]], tuple[Float[Array, ""], _Aux]]


def minimize(function: _Function[_Aux], starts: Float[Array | np.ndarray, "start n"]) -> Minimum:
    """Smallest value of a function on [0, 1]ⁿ that searches from several starts find.

    Args:
        function: from a point to its value, and whatever else is wanted there; not finite where it is not defined.
        starts: points inside the box.
    """
    points, values, aux = jax.vmap(lambda start: descend(function, start, TOLERANCE))(starts)
    best = values.argmin()
    return Minimum(points[best], values[best], jax.tree.map(lambda leaf: leaf[best], aux), values, points)


def descend(
    function: _Function[_Aux], start: Float[Array, " n"], tolerance: float | Float[Array, ""]
) -> tuple[Float[Array, " n"], Float[Array, ""], _Aux]:
    """Where a search by BFGS from one start ends, and what the function returns there: `inf` if it has no value.

    The box is x = sin²φ with free angles φ, by which a minimum on its boundary is one with a vanishing derivative like any other.
    Points within 1e-5 of the boundary count as on it. Jits, and maps over what the function holds.

    Args:
        function: as for `minimize`.
        start: a point inside the box.
        tolerance: of angles and of values, with which the search ends.
    """

    def of_angles(angles: Float[Array, " n"], _: None) -> tuple[Float[Array, ""], tuple[Float[Array, ""], _Aux]]:
        value, aux = function(_point(angles))
        value = jnp.where(jnp.isfinite(value), value, _OUTSIDE)
        return value, (value, aux)

    within = cast("float", tolerance)  # an array does as well
    solver = optx.BFGS(within, within)
    angles = jnp.arcsin(jnp.sqrt(start))
    found = optx.minimise(of_angles, solver, angles, has_aux=True, max_steps=_STEPS, throw=False)
    value, aux = found.aux
    return _point(found.value), jnp.where(value < _OUTSIDE, value, jnp.inf), aux


def _point(angles: Float[Array, " n"]) -> Float[Array, " n"]:
    """Point of the box; its derivatives do not vanish near the boundary, so that no search stops there because of the rounding."""
    inside = jnp.sin(angles) ** 2
    rounded = jnp.where(inside < _EDGE, 0.0, jnp.where(inside > 1 - _EDGE, 1.0, inside))
    return inside + jax.lax.stop_gradient(rounded - inside)


def spread_starts(count: int, size: int) -> Float[np.ndarray, "start n"]:
    """Points that fill the box [0, 1]ⁿ evenly in the angles of `descend`.

    The additive recurrence of the generalized golden ratio (Roberts 2018), the root g > 1 of gⁿ⁺¹ = g + 1.
    """
    ratio = 2.0
    for _ in range(60):
        ratio = (1 + ratio) ** (1 / (size + 1))
    steps = ratio ** -np.arange(1.0, size + 1)
    fractions = (0.5 + np.arange(1.0, count + 1)[:, None] * steps) % 1
    return np.sin(np.pi / 2 * (0.02 + 0.96 * fractions)) ** 2
