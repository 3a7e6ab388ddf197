"""Batches of small matrices without LAPACK: the batch is the last axis, along which the cores' vector units work.

A library call for every matrix costs more than its arithmetic where matrices have less than about twelve rows. Loops here are
over places in the matrix, unrolled while tracing, and never over members of the batch.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar, cast

import jax
import jax.numpy as jnp
from jax.custom_batching import custom_vmap
from jaxtyping import Array, Bool, Float, Int

from crossfeed.formulas.linear_algebra import BATCH_FIRST, Stacking

MOST_ROWS = 12
"""Largest matrices that are quicker this way."""

_MOST_ROWS_AT_ONCE = 8  # of Cholesky factors, whose number of operations grows with the cube

_SUMS_FUSE = tuple(int(part) for part in jax.__version__.split(".")[:2]) < (0, 10)
"""Whether XLA turns a product written as a sum over an axis into one vectorized loop; later versions need the sum spelled out."""


_SMALL_RESIDUAL = 1e-8  # its square is below rounding
_MOST_STEPS = 24  # enough for a spectral radius of 1 - 1e-6; closer to one, rounding keeps the residual above the bound
_Newton = tuple[
    Float[Array, "d d batch"], Float[Array, "d d batch"], Int[Array, ""] | int
]  # R, its residual, steps so far


_F = TypeVar("_F", bound=Callable[..., Array])


def at_once(function: _F) -> _F:
    """Decorator for functions of matrices with any batch axes: `vmap` hands them its whole batch as one more axis."""
    whole = custom_vmap(function)

    @whole.def_vmap
    def _batch(size: int, batched: Sequence[bool], *matrices: Array) -> tuple[Array, bool]:
        batches = (
            matrix if is_batched else jnp.broadcast_to(matrix, (size, *matrix.shape))
            for matrix, is_batched in zip(matrices, batched, strict=True)
        )
        return whole(*batches), True

    return cast(_F, whole)


def stacked(matrices: Float[Array, "*batch d d"]) -> tuple[Float[Array, "..."], Stacking]:
    """The same matrices, stacked as is quickest: with one batch axis behind their rows and columns if they are small."""
    *batch, rows, columns = matrices.shape
    if not batch or rows > MOST_ROWS:
        return matrices, BATCH_FIRST
    return jnp.moveaxis(matrices.reshape(-1, rows, columns), 0, -1), BATCH_LAST


def unstacked(stack: Float[Array, "d d batch"], shape: tuple[int, ...]) -> Float[Array, "*batch d d"]:
    """Matrices stacked with the batch last, in the shape they had before."""
    return jnp.moveaxis(stack, -1, 0).reshape(shape)


def _product(left: Float[Array, "m n batch"], right: Float[Array, "n p batch"]) -> Float[Array, "m p batch"]:
    if _SUMS_FUSE:
        value = (left[:, :, None, :] * right[None]).sum(1)
    else:
        value = sum(left[:, k, None, :] * right[None, k] for k in range(left.shape[1]))
    return jax.lax.optimization_barrier(value)  # without it, XLA computes the product again wherever it is used


BATCH_LAST = Stacking(_product, (0, 1))


def inverse_definite(matrix: Float[Array, "d d batch"]) -> Float[Array, "d d batch"]:
    """Inverses of symmetric positive definite matrices, swept block by block through the blocks' Cholesky factors.

    As accurate as LAPACK's, and symmetric; NaN where a matrix is not positive definite.
    """
    size = len(matrix)
    block = size if size <= _MOST_ROWS_AT_ONCE else -(-size // 2)
    for start in range(0, size, block):
        stop = min(start + block, size)
        factor = _inverse_factor(matrix[start:stop, start:stop])
        rows = _product(factor, matrix[start:stop])
        turned = _turned(factor)
        top = _product(turned, rows).at[:, start:stop].set(-_product(turned, factor))
        if stop - start == size:
            return -top
        rows = rows.at[:, start:stop].set(0.0)
        matrix = matrix - _product(_turned(rows), rows)
        matrix = matrix.at[start:stop].set(top)
        matrix = jax.lax.optimization_barrier(matrix.at[:, start:stop].set(_turned(top)))
    return -matrix


def _turned(matrix: Float[Array, "m n batch"]) -> Float[Array, "n m batch"]:
    return jax.lax.optimization_barrier(matrix.swapaxes(0, 1))


def _inverse_factor(matrix: Float[Array, "m m batch"]) -> Float[Array, "m m batch"]:
    """L⁻¹ of A = L L', entry by entry."""
    size = len(matrix)
    entries = [[matrix[i, j] for j in range(i + 1)] for i in range(size)]
    zero = jnp.zeros_like(entries[0][0])
    reciprocal = []  # of L's diagonal
    for j in range(size):
        reciprocal.append(1 / jnp.sqrt(entries[j][j]))
        for i in range(j + 1, size):
            entries[i][j] = entries[i][j] * reciprocal[j]
        for i in range(j + 1, size):
            for k in range(j + 1, i + 1):
                entries[i][k] = entries[i][k] - entries[i][j] * entries[k][j]
    inverse = [[zero] * size for _ in range(size)]
    for j in range(size):
        inverse[j][j] = reciprocal[j]
        for i in range(j + 1, size):
            inverse[i][j] = -reciprocal[i] * sum(entries[i][k] * inverse[k][j] for k in range(j, i))
    return jax.lax.optimization_barrier(jnp.stack([jnp.stack(row) for row in inverse]))


def resolvent(contraction: Float[Array, "d d batch"]) -> tuple[Float[Array, "d d batch"], Bool[Array, ""]]:
    """Inverses R of I - H for matrices H with spectral radii below one, and whether their residuals are as small as they should be.

    Newton's iteration from R = I: every step squares the residual I - (I - H) R and computes it afresh, so that rounding errors
    do not pile up.
    """
    identity = jnp.eye(len(contraction))[..., None]

    def going(now: _Newton) -> Bool[Array, ""]:
        _, rest, step = now
        return (jnp.abs(rest).max() > _SMALL_RESIDUAL) & (step < _MOST_STEPS)

    def improved(now: _Newton) -> _Newton:
        inverse, rest, step = now
        inverse = inverse + _product(inverse, rest)
        return inverse, identity - inverse + _product(contraction, inverse), step + 1

    start = jnp.broadcast_to(identity, contraction.shape)
    inverse, rest, _ = jax.lax.while_loop(going, improved, (start, contraction, 0))
    return inverse + _product(inverse, rest), jnp.abs(rest).max() <= _SMALL_RESIDUAL
