"""Batches of small matrices without LAPACK: the batch is the last axis, along which the cores' vector units work.

A library call for every matrix costs more than its arithmetic where matrices have few rows. No loop here is over members of the
batch.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar, cast

import jax
import jax.numpy as jnp
from jax.custom_batching import custom_vmap
from jaxtyping import Array, Float, PyTree

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


def inverse_factor(matrix: Float[Array, "d d batch"]) -> Float[Array, "d d batch"]:
    """L⁻¹ for symmetric positive definite matrices A = L L', with errors within a few times LAPACK's.

    NaN from the first row without a positive pivot on. Elimination turns [A I] into [L' L⁻¹]. At step j only d columns change,
    those of A from j on and those of I up to j, so that both share one d × d matrix.
    """
    size, rows, rest = len(matrix), [], matrix
    for j in range(size):
        pivot = rest[0, j : j + 1]
        scale = jax.lax.rsqrt(jnp.where(pivot > 0, pivot, jnp.nan))
        row = (rest[0] * scale).at[j].set(scale[0])
        rows.append(row.at[j + 1 :].set(0.0))
        rest = jax.lax.optimization_barrier(rest[1:].at[:, j].set(0.0) - row[j + 1 :, None] * row[None])
    return jax.lax.optimization_barrier(jnp.stack(rows))
