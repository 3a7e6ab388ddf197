"""Batches of small matrices without LAPACK: the batch is the last axis, along which the cores' vector units work.

A library call for every matrix costs more than its arithmetic where matrices have few rows. No loop here is over members of the
batch.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar, cast

import jax
import jax.numpy as jnp
from jax.custom_batching import custom_vmap
from jaxtyping import Array, Bool, Float, Int

from crossfeed.formulas.linear_algebra import BATCH_FIRST, Stacking

MOST_ROWS = 12
"""Largest number of rows at which this is at least as quick."""

_MOST_UNROLLED_ROWS = 8  # of a Cholesky factor; the size of the traced program grows with the cube

_SUMS_FUSE = tuple(int(part) for part in jax.__version__.split(".")[:2]) < (0, 10)
"""Whether to write products as sums over an axis, which XLA turned into one vectorized loop. In JAX 0.12.0, grids of 8 or 12
features take 2 to 3 times as long with them as with sums spelled out (`benchmarks/batch_last.py` measures what is chosen)."""

_SMALL_RESIDUAL = 1e-8  # its square is below rounding
_MOST_STEPS = 25  # enough for spectral radii up to 1 - 1e-6

# R, its residual and the number of steps.
_Newton = tuple[Float[Array, "d d batch"], Float[Array, "d d batch"], Int[Array, ""] | int]

_F = TypeVar("_F", bound=Callable[..., Array])


def with_whole_batch(function: _F) -> _F:
    """Decorator for functions of matrices with the same batch axes: `vmap` hands them its whole batch as one more axis."""
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
    """The same matrices, with one batch axis, the last one, if they have at most `MOST_ROWS` rows."""
    *batch, rows, columns = matrices.shape
    if not batch or rows > MOST_ROWS:
        return matrices, BATCH_FIRST
    return jnp.moveaxis(matrices.reshape(-1, rows, columns), 0, -1), BATCH_LAST


def unstacked(stack: Float[Array, "..."], stacking: Stacking, shape: tuple[int, ...]) -> Float[Array, "*batch d d"]:
    """Matrices that were `stacked`, in the shape they had before."""
    return stack if stacking is BATCH_FIRST else jnp.moveaxis(stack, -1, 0).reshape(shape)


def _product(left: Float[Array, "m n batch"], right: Float[Array, "n p batch"]) -> Float[Array, "m p batch"]:
    if _SUMS_FUSE:
        value = (left[:, :, None, :] * right[None]).sum(1)
    else:
        value = sum(left[:, k, None, :] * right[None, k] for k in range(left.shape[1]))
    return jax.lax.optimization_barrier(value)  # without it, XLA computes the product again wherever it is used


BATCH_LAST = Stacking(_product, (0, 1))


def inverse_definite(matrix: Float[Array, "d d batch"]) -> Float[Array, "d d batch"]:
    """Inverses of symmetric positive definite matrices as accurate as LAPACK's, and symmetric.

    Larger ones are swept by two blocks of rows. Sweeping block k puts -A_kk⁻¹ in its place, A_kk⁻¹ A_kj beside it, and
    A_ij - A_ik A_kk⁻¹ A_kj elsewhere; after both, the matrix is -A⁻¹. A_kk⁻¹ comes from Cholesky factors, because blocks that are
    inverted without lose digits. NaN where a matrix is not positive definite.
    """
    size = len(matrix)
    if size <= _MOST_UNROLLED_ROWS:
        factor = _inverse_factor(matrix)
        return _product(_transposed(factor), factor)
    half = -(-size // 2)
    for start, stop in ((0, half), (half, size)):
        factor = _inverse_factor(matrix[start:stop, start:stop])
        rows = _product(factor, matrix[start:stop])
        turned = _transposed(factor)
        top = _product(turned, rows).at[:, start:stop].set(-_product(turned, factor))
        rows = rows.at[:, start:stop].set(0.0)
        matrix = matrix - _product(_transposed(rows), rows)
        matrix = matrix.at[start:stop].set(top)
        matrix = jax.lax.optimization_barrier(matrix.at[:, start:stop].set(_transposed(top)))
    return -matrix


def _transposed(matrix: Float[Array, "m n batch"]) -> Float[Array, "n m batch"]:
    return jax.lax.optimization_barrier(matrix.swapaxes(0, 1))  # a copy, which products read in order


def _inverse_factor(matrix: Float[Array, "m m batch"]) -> Float[Array, "m m batch"]:
    """L⁻¹ of A = L L', entry by entry."""
    size = len(matrix)
    entries = [[matrix[i, j] for j in range(i + 1)] for i in range(size)]
    zero = jnp.zeros_like(entries[0][0])
    reciprocal = []  # of L's diagonal
    for j in range(size):
        pivot = entries[j][j]
        reciprocal.append(jnp.where(pivot > 0, 1 / jnp.sqrt(pivot), jnp.nan))
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


def newton_resolvent(contraction: Float[Array, "d d batch"]) -> tuple[Float[Array, "d d batch"], Bool[Array, " batch"]]:
    """Inverses R of I - H for matrices H with spectral radii below one, and whether their residuals I - (I - H) R are small.

    Newton's iteration from R = I: every step squares the residual and computes it afresh, so that rounding errors
    do not pile up. An inverse whose residual is small stays what it is, however long others take.
    """
    identity = jnp.eye(len(contraction))[..., None]

    def going(now: _Newton) -> Bool[Array, ""]:
        _, residual, step = now
        return ~_small(residual).all() & (step < _MOST_STEPS)

    def improved(now: _Newton) -> _Newton:
        inverse, residual, step = now
        inverse = jnp.where(_small(residual)[None, None], inverse, inverse + _product(inverse, residual))
        return inverse, identity - inverse + _product(contraction, inverse), step + 1

    start = jnp.broadcast_to(identity, contraction.shape)
    inverse, residual, _ = jax.lax.while_loop(going, improved, (start, contraction, 0))
    return inverse + _product(inverse, residual), _small(residual)


def _small(residual: Float[Array, "d d batch"]) -> Bool[Array, " batch"]:
    return jnp.abs(residual).max((0, 1)) <= _SMALL_RESIDUAL
