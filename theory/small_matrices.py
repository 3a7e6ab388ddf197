"""Batches of small matrices without LAPACK: the batch is the last axis, along which the cores' vector units work.

A library call for every matrix costs more than its arithmetic where matrices have few rows. No loop here is over members of the
batch.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar, cast

import jax
import jax.numpy as jnp
from jax.custom_batching import custom_vmap
from jaxtyping import Array, Float, Int, PyTree

from crossfeed.formulas.linear_algebra import BATCH_FIRST, Stacking

MOST_ROWS = 12
"""Most rows at which squaring and doubling are at least as quick with the batch last."""

SUMS_FUSE = tuple(int(part) for part in jax.__version__.split(".")[:2]) < (0, 10)
"""Whether to write products as sums over an axis, which XLA turned into one vectorized loop. In JAX 0.12.0, grids of 8 or 12
features take 2 to 3 times as long with them as with sums spelled out (`benchmarks/batch_last.py` measures what is chosen)."""

_F = TypeVar("_F", bound=Callable[..., PyTree])


def with_whole_batch(function: _F) -> _F:
    """Decorator for functions of matrices with the same batch axes: `vmap` hands them its whole batch as one more axis."""
    whole = custom_vmap(function)

    @whole.def_vmap
    def _batch(size: int, batched: Sequence[bool], *matrices: Array) -> tuple[PyTree, PyTree]:
        batches = (
            matrix if is_batched else jnp.broadcast_to(matrix, (size, *matrix.shape))
            for matrix, is_batched in zip(matrices, batched, strict=True)
        )
        values = whole(*batches)
        return values, jax.tree.map(lambda _: True, values)

    return cast(_F, whole)


_Square = Float[Array, "*batch d d"]
_Matrices = Float[Array, "*batch d n"]
_Arguments = tuple[_Square, _Matrices]


def unless_zero(function: Callable[[_Square, _Matrices], _Matrices]) -> Callable[[_Square, _Matrices], _Matrices]:
    """A function that is zero where its second argument is, and NaN where the first one is, computed only if some of that is not.

    Derivatives compute it always.
    """

    @with_whole_batch
    def decided(left: _Square, right: _Matrices) -> _Matrices:
        needed = (right != 0).any() | jnp.isnan(left[..., 0]).any()
        return jax.lax.cond(needed, lambda: function(left, right), lambda: jnp.zeros_like(right))

    @jax.custom_jvp
    def value(left: _Square, right: _Matrices) -> _Matrices:
        return decided(left, right)

    @value.defjvp
    def _jvp(primals: _Arguments, tangents: _Arguments) -> tuple[_Matrices, _Matrices]:
        return value(*primals), jax.jvp(function, primals, tangents)[1]

    return value


def stacked(matrices: Float[Array, "*batch d d"]) -> tuple[Float[Array, "..."], Stacking]:
    """The same matrices, with one batch axis, the last one, if they have at most `MOST_ROWS` rows."""
    *batch, rows, columns = matrices.shape
    if not batch or rows > MOST_ROWS:
        return matrices, BATCH_FIRST
    return jnp.moveaxis(matrices.reshape(-1, rows, columns), 0, -1), BATCH_LAST


def unstacked(stack: Float[Array, "..."], stacking: Stacking, shape: tuple[int, ...]) -> Float[Array, "*batch d d"]:
    """Matrices that were `stacked`, in the shape they had before."""
    return stack if stacking is BATCH_FIRST else jnp.moveaxis(stack, -1, 0).reshape(shape)


def _product(left: Float[Array, "m n batch"], right: Float[Array, "n p batch"]) -> Float[Array, "m p batch"]:
    if SUMS_FUSE:
        value = (left[:, :, None, :] * right[None]).sum(1)
    else:
        value = sum(left[:, k, None, :] * right[None, k] for k in range(left.shape[1]))
    return jax.lax.optimization_barrier(value)  # without it, XLA computes the product again wherever it is used


BATCH_LAST = Stacking(_product, (0, 1))


_STEPS = 8
"""Steps of elimination that are one loop: more of them compile faster, but work on more rows that are finished."""


def inverse_factor(matrix: Float[Array, "d d batch"]) -> Float[Array, "d d batch"]:
    """L⁻¹ for symmetric positive definite matrices A = L L', with errors within a few times LAPACK's.

    NaN from the first row without a positive pivot on. Elimination turns [A I] into [L' L⁻¹]. At step j only d columns change,
    those of A from j on and those of I up to j, so that both share one d × d matrix.
    """
    size, rows, rest = len(matrix), [], matrix
    for first in range(0, size, _STEPS):
        steps = min(_STEPS, size - first)
        rest = jax.lax.fori_loop(0, steps, partial(_eliminated, first), rest)
        rows.append(rest[:steps])
        rest = rest[steps:]
    return jnp.concatenate(rows)


def _eliminated(first: int, step: Int[Array, ""], rest: Float[Array, "rows d batch"]) -> Float[Array, "rows d batch"]:
    """Rows from `first` on after one more step, which leaves its own row as that of L⁻¹."""
    pivot = rest[step, first + step]
    scale = jax.lax.rsqrt(jnp.where(pivot > 0, pivot, jnp.nan))[None]
    columns = jnp.arange(rest.shape[1])[:, None] - (first + step)
    row: Float[Array, "d batch"] = jnp.where(columns == 0, scale, rest[step] * scale)
    row = jax.lax.optimization_barrier(row)
    below = jnp.arange(len(rest))[:, None, None] - step
    reduced = jnp.where(columns[None] == 0, 0.0, rest) - row[first:, None] * row[None]
    own = jnp.where(columns <= 0, row, 0.0)
    return jnp.where(below > 0, reduced, jnp.where(below == 0, own[None], rest))
