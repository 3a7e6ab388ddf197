"""Projectors, roots and inverses of small symmetric matrices, and spectral radii, all of which JAX can transform."""

from math import prod
from typing import cast

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from crossfeed.formulas.arrays import constant
from crossfeed.formulas.linear_algebra import (
    RANK_TOLERANCE,
    certainly_full_rank,
    first_power,
    full_rank_by_eigenvalues,
    goes_on,
    has_full_rank,
    identity_like,
    in_one_unit,
    inverse_on_range,
    inverse_root,
    mean_diagonal,
    normalized,
    orthonormal,
    product,
    product_unless_zero,
    radius_by_eigenvalues,
    radius_from,
    spectral_radius_of,
    square,
    square_root,
)

from .pytrees import for_jax
from .small_matrices import SUMS_FUSE, inverse_factor, stacked, unless_zero, with_whole_batch


def factor(matrix: Float[Array, "d d"]) -> Float[Array, "d d"]:
    """Matrix R with R R' = A for a symmetric positive semi-definite A; the unit of a feature does not matter."""
    scaled, unit = in_one_unit(matrix)
    return square_root(scaled) / unit[:, None]


def singular_values(matrix: Float[Array, "*batch d d"]) -> Float[Array, "*batch d"]:
    """Singular values of square matrices; by LAPACK's gesvd, see `pseudo_inverse_of_rows`."""
    return jax.lax.linalg.svd(matrix, compute_uv=False, algorithm=jax.lax.linalg.SvdAlgorithm.QR)


def pseudo_inverse_of_rows(matrix: Float[Array, "rows d"]) -> Float[Array, "d rows"]:
    """Moore-Penrose inverse of a rectangular matrix, from its singular values.

    Calls LAPACK's gesvd, because gesdd, the default of jaxlib, waits for the thread pool it runs in, and two at once on
    two cores wait forever (seen with 0.9.2). For the same reason `jnp.linalg.svd`, `pinv` and `norm(ord=2)` are not
    used here.
    """
    lengths = jnp.sqrt((matrix**2).sum(0))
    lengths = jnp.where(lengths > 0, lengths, 1)  # columns of one length, so that the unit of a feature does not matter
    left, values, right = jax.lax.linalg.svd(
        matrix / lengths[None, :], full_matrices=False, algorithm=jax.lax.linalg.SvdAlgorithm.QR
    )
    kept = values > RANK_TOLERANCE**0.5 * values[0]
    inverse = (right.T * jnp.where(kept, 1 / jnp.where(kept, values, 1), 0)[None, :]) @ left.T / lengths[:, None]
    rows = orthonormal(lengths[:, None] * right.T * kept.astype(float)[None, :], kept.astype(float))
    return rows @ (rows.T @ inverse)  # of minimum norm: within the span of the rows


for_jax(constant)(jax.lax.stop_gradient)

_SUMMED = range(4, 8)
"""Lengths of the sums at which a product is written as one. XLA's own products take up to 20 times as long there."""

_MOST_ELIMINATED_ROWS = 16
"""Largest matrices inverted together by elimination; larger ones go through LAPACK one by one."""

_FEWEST_ELIMINATED = 8
"""Fewest matrices of a single ecosystem for which that is quicker."""


@for_jax(product)
def _product(left: Float[Array, "*#batch m n"], right: Float[Array, "*#batch n p"]) -> Float[Array, "... m p"]:
    size = left.shape[-1]
    if size not in _SUMMED:
        return left @ right
    if SUMS_FUSE:
        return (left[..., :, :, None] * right[..., None, :, :]).sum(-2)
    return cast(Array, sum(left[..., :, k, None] * right[..., None, k, :] for k in range(size)))


for_jax(product_unless_zero)(unless_zero(_product))

_TwoMatrices = tuple[Float[Array, "d d"], Float[Array, "d d"]]


@for_jax(inverse_root)
def _inverse_root(matrix: Float[Array, "*batch d d"]) -> Float[Array, "*batch d d"]:
    factor = jax.lax.linalg.cholesky(matrix, symmetrize_input=False)
    # Solved from the right, so that the transposed matrix is the second factor of an inverse, which costs nothing.
    return jax.lax.linalg.triangular_solve(factor, identity_like(matrix), lower=True, transpose_a=True)


@for_jax(inverse_on_range)
@jax.custom_jvp
def _inverse_on_range(
    matrix: Float[Array, "d d"], kernel: Float[Array, "d d"]
) -> tuple[Float[Array, "d d"], Float[Array, "d d"]]:
    """Pseudo-inverse and kernel, whose derivatives are those at constant rank (Golub and Pereyra 1973).

    The rank is a property of the data and does not change with the weights. Unlike an eigenvalue decomposition, this is
    differentiable at repeated eigenvalues; the derivative of `kernel` is that of the kernel's projector.
    """
    scale = jnp.expand_dims(mean_diagonal(matrix), (-2, -1))
    return _definite_inverse(matrix + scale * kernel) - kernel / scale, kernel


@with_whole_batch
def _definite_inverse(matrix: Float[Array, "*batch d d"]) -> Float[Array, "*batch d d"]:
    *batch, rows, columns = matrix.shape
    # Always where ecosystems come in batches, whatever their number, so that no bit depends on it.
    many = len(batch) > 1 or prod(batch) >= _FEWEST_ELIMINATED
    if many and rows <= _MOST_ELIMINATED_ROWS:
        stack = jnp.moveaxis(matrix.reshape(-1, rows, columns), 0, -1)
        root = jnp.moveaxis(inverse_factor(stack), -1, 0).mT.reshape(matrix.shape)
    else:
        root = inverse_root(matrix)
    return product(root, root.mT)


@_inverse_on_range.defjvp
def _inverse_on_range_jvp(primals: _TwoMatrices, tangents: _TwoMatrices) -> tuple[_TwoMatrices, _TwoMatrices]:
    inverse, kernel = _inverse_on_range(*primals)
    change = tangents[0]
    turned = inverse @ inverse @ change @ kernel
    turning = inverse @ change @ kernel
    d_inverse = -inverse @ change @ inverse + turned + turned.T
    return (inverse, kernel), (d_inverse, -turning - turning.T)


@for_jax(has_full_rank)
def _has_full_rank(matrix: Float[Array, "d d"]) -> Bool[Array, ""]:
    return jax.lax.cond(
        certainly_full_rank(matrix), lambda: jnp.ones((), bool), lambda: full_rank_by_eigenvalues(matrix)
    )


@for_jax(spectral_radius_of)
@jax.custom_jvp
def _spectral_radius_of(matrix: Float[Array, "d d"]) -> Float[Array, ""]:
    """Spectral radius with the derivative of the dominant eigenvalue; at A = 0 there is none.

    Eigenvalues replace squares where squaring a matrix would lose digits.
    """
    return _spectral_radius(matrix)


@_spectral_radius_of.defjvp
def _spectral_radius_jvp(
    primals: tuple[Float[Array, "d d"]], tangents: tuple[Float[Array, "d d"]]
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    _, tangent = jax.jvp(radius_by_eigenvalues, primals, tangents)
    return _spectral_radius_of(*primals), tangent


@with_whole_batch
def _spectral_radius(matrix: Float[Array, "*batch d d"]) -> Float[Array, "*batch"]:
    stack, stacking = stacked(matrix)
    unit, size = normalized(stack, stacking)
    now = jax.lax.while_loop(goes_on, lambda now: square(unit, now, stacking), first_power(unit, size))
    careful, radius = (values.reshape(matrix.shape[:-2]) for values in radius_from(now, size))

    def some_by_eigenvalues() -> Float[Array, "*batch"]:
        return jnp.where(careful, radius_by_eigenvalues(matrix), radius)

    return jax.lax.cond(careful.any(), some_by_eigenvalues, lambda: radius)
