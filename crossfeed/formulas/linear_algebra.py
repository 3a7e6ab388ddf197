"""Projectors, inverses and spectral radii of small matrices: the steps that NumPy and JAX share, and the loops of NumPy."""

from collections.abc import Callable
from functools import singledispatch
from operator import matmul
from typing import NamedTuple

import numpy as np

from .arrays import namespace
from .shapes import Array, Bool, Float, Int

RANK_TOLERANCE = 1e-12
"""Largest eigenvalue that counts as zero, relative to the largest one; and the largest weight that does.

Gram matrices carry rounding errors of about 1e-15, which leaves eigenvalues below 1e-12 without meaning."""

_CERTAIN = 0.1 / RANK_TOLERANCE  # largest condition number that leaves no doubt about the rank, with room for rounding
_SQUARINGS_PER_STEP, _SQUARING_STEPS = 6, 8
_LOSS_PER_STEP = 1e-126
"""Norm of a product of 64 factors of norm one below which too many digits are lost: two per multiplication."""
_RANK_ONE = 1e-13
"""Largest ‖P² - tr(P) P‖, relative to |tr P| ‖P‖, at which a power P of a matrix counts as having rank one."""


@singledispatch
def product(left: Float[Array, "*#batch m n"], right: Float[Array, "*#batch n p"]) -> Float[Array, "... m p"]:
    """Products of the matrices of two stacks."""
    return left @ right


@singledispatch
def product_unless_zero(
    left: Float[Array, "*batch d d"], right: Float[Array, "*batch d n"]
) -> Float[Array, "*batch d n"]:
    """Products of square matrices with others, which JAX skips where all of these are zero."""
    return left @ right


class Stacking(NamedTuple):
    """Layout of a stack of square matrices in an array.

    Attributes:
        product: products of the matrices of two stacks.
        axes: the axes of their rows and columns.
    """

    product: Callable[[Array, Array], Array]
    axes: tuple[int, int]

    def transposed(self, matrices: Float[Array, "..."]) -> Float[Array, "..."]:
        """Transposed matrices."""
        return namespace(matrices).swapaxes(matrices, *self.axes)

    def trace(self, matrices: Float[Array, "..."]) -> Float[Array, "*batch"]:
        """Trace of each."""
        return namespace(matrices).trace(matrices, axis1=self.axes[0], axis2=self.axes[1])

    def norm(self, matrices: Float[Array, "..."]) -> Float[Array, "*batch"]:
        """Largest absolute column sum of each: at most the product of those of two factors, and vectorized by XLA."""
        return namespace(matrices).abs(matrices).sum(self.axes[0], keepdims=True).max(self.axes)

    def per_matrix(self, numbers: Float[Array, "*batch"] | Bool[Array, "*batch"]) -> Array:
        """Numbers in a shape that broadcasts over their matrices."""
        return namespace(numbers).expand_dims(numbers, self.axes)


BATCH_FIRST = Stacking(matmul, (-2, -1))


def identity_like(matrix: Float[Array, "*batch d d"]) -> Float[Array, "*batch d d"]:
    """Identity matrices of the shape of a stack of matrices."""
    xp = namespace(matrix)
    return xp.broadcast_to(xp.eye(matrix.shape[-1]), matrix.shape)


def kernel_projector(matrix: Float[Array, "*batch d d"]) -> Float[Array, "*batch d d"]:
    """Orthogonal projector onto the kernel of a symmetric positive semi-definite matrix; exactly zero at full rank.

    The unit of a feature says nothing about ranks: features are scaled to one size, and the kernel's basis is scaled back.
    """
    xp, (scaled, unit) = namespace(matrix), in_one_unit(matrix)
    values, vectors = xp.linalg.eigh(scaled)
    dropped = (values <= RANK_TOLERANCE * xp.maximum(values[..., -1:], 0)).astype(vectors.dtype)
    basis = orthonormal(unit[..., None] * vectors * dropped[..., None, :], dropped)
    return basis @ basis.mT


def in_one_unit(matrix: Float[Array, "*batch d d"]) -> tuple[Float[Array, "*batch d d"], Float[Array, "*batch d"]]:
    """Matrix u A u whose diagonal entries are one, or zero as before; and u, one over the root of each entry, or one."""
    xp = namespace(matrix)
    sizes = xp.sqrt(xp.maximum(xp.diagonal(matrix, axis1=-2, axis2=-1), 0))
    unit = 1 / xp.where(sizes > 0, sizes, 1)
    return unit[..., None] * matrix * unit[..., None, :], unit


def orthonormal(basis: Float[Array, "*batch d n"], kept: Float[Array, "*batch n"]) -> Float[Array, "*batch d n"]:
    """Orthonormal basis of the span of the kept columns, which come first; zero for the others."""
    xp = namespace(basis)
    lengths = xp.sqrt((basis**2).sum(-2))
    return xp.linalg.qr(basis / xp.where(lengths > 0, lengths, 1)[..., None, :])[0] * kept[..., None, :]


def range_projector(matrix: Float[Array, "*batch d d"], rounding: float = 0.0) -> Float[Array, "*batch d d"]:
    """Orthogonal projector onto the range of a symmetric positive semi-definite matrix.

    Args:
        matrix: the matrix.
        rounding: largest eigenvalue that counts as zero in any case, for a matrix that may be zero up to rounding.
    """
    xp = namespace(matrix)
    values, vectors = xp.linalg.eigh(matrix)
    kept = values > xp.maximum(RANK_TOLERANCE * values[..., -1:], rounding)
    return (vectors * kept.astype(vectors.dtype)[..., None, :]) @ vectors.mT


def square_root(matrix: Float[Array, "*batch d d"]) -> Float[Array, "*batch d d"]:
    """Symmetric square root of a symmetric positive semi-definite matrix; eigenvalues that are rounding count as zero."""
    xp = namespace(matrix)
    values, vectors = xp.linalg.eigh(matrix)
    kept = values > RANK_TOLERANCE * xp.maximum(values[..., -1:], 0)
    roots = xp.where(kept, xp.sqrt(xp.where(kept, values, 1)), 0)
    return (vectors * roots[..., None, :]) @ vectors.mT


def pseudo_inverse(matrix: Float[Array, "*batch d d"]) -> Float[Array, "*batch d d"]:
    """Moore-Penrose inverse of symmetric matrices, from their eigenvalues."""
    return namespace(matrix).linalg.pinv(matrix, rtol=RANK_TOLERANCE, hermitian=True)


@singledispatch
def inverse_root(matrix: Float[Array, "*batch d d"]) -> Float[Array, "*batch d d"]:
    """Triangular matrix B with B B' = A⁻¹ for a positive definite A; NaN where A is not positive definite."""
    xp = namespace(matrix)
    try:
        root = xp.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:  # one of them is not, and NumPy does not say which
        if matrix.ndim == 2:
            return xp.full_like(matrix, xp.nan)
        return xp.stack([inverse_root(one) for one in matrix])
    return xp.linalg.inv(root).mT


def whitener(
    matrix: Float[Array, "*batch d d"], kernel: Float[Array, "*batch d d"]
) -> tuple[Float[Array, "*batch d d"], Float[Array, "*batch"]]:
    """Matrix B for which B'(A + cN)B is the identity, and c > 0, of a symmetric positive semi-definite A with kernel N.

    B'AB is an orthogonal projector, and B'MB has the nonzero eigenvalues of A^{+/2} M A^{+/2} for every M ⪰ 0 within the range
    of A. Unlike A^{+/2}, B is differentiable at repeated eigenvalues.

    Args:
        matrix: the matrix A.
        kernel: orthogonal projector N onto its kernel.
    """
    scale = mean_diagonal(matrix)
    return inverse_root(matrix + scale[..., None, None] * kernel), scale


def mean_diagonal(matrix: Float[Array, "*batch d d"]) -> Float[Array, "*batch"]:
    """Mean diagonal entry of a symmetric positive semi-definite matrix; one where that is zero."""
    xp, trace = namespace(matrix), namespace(matrix).diagonal(matrix, axis1=-2, axis2=-1).sum(-1)
    return xp.where(trace > 0, trace / matrix.shape[-1], 1.0)


@singledispatch
def inverse_on_range(
    matrix: Float[Array, "*batch d d"], kernel: Float[Array, "*batch d d"]
) -> tuple[Float[Array, "*batch d d"], Float[Array, "*batch d d"]]:
    """Pseudo-inverse of a symmetric positive semi-definite matrix whose kernel is known, and the kernel's projector.

    An ordinary inverse of the matrix plus a multiple of the projector: several times faster than an eigenvalue decomposition.

    Args:
        matrix: the matrix.
        kernel: orthogonal projector onto its kernel.
    """
    root, scale = whitener(matrix, kernel)
    return root @ root.mT - kernel / scale[..., None, None], kernel


@singledispatch
def has_full_rank(matrix: Float[Array, "d d"]) -> Bool[Array, ""]:
    """Whether a symmetric positive semi-definite matrix has full rank, as `kernel_projector` decides it.

    By its inverse, which is cheaper than eigenvalues, where that leaves no doubt.
    """
    return certainly_full_rank(matrix) or full_rank_by_eigenvalues(matrix)


def certainly_full_rank(matrix: Float[Array, "d d"]) -> Bool[Array, ""]:
    """Whether the inverse of a symmetric positive semi-definite matrix is so small that no eigenvalue counts as zero."""
    xp, (scaled, _) = namespace(matrix), in_one_unit(matrix)
    inverse, _ = inverse_on_range(scaled, xp.zeros_like(matrix))
    # The smallest eigenvalue is at least 1 / tr(A⁻¹), the largest at most d; a NaN is less than nothing.
    return len(matrix) * xp.trace(inverse) < _CERTAIN


def full_rank_by_eigenvalues(matrix: Float[Array, "d d"]) -> Bool[Array, ""]:
    """Whether no eigenvalue of a symmetric positive semi-definite matrix counts as zero."""
    values = namespace(matrix).linalg.eigh(in_one_unit(matrix)[0])[0]
    return values[0] > RANK_TOLERANCE * values[-1]


@singledispatch
def spectral_radius_of(matrix: Float[Array, "d d"]) -> Float[Array, ""]:
    """Spectral radius of a square matrix A, its largest absolute eigenvalue, by repeated squaring.

    The powers are Aⁿ for n = 2⁶, 2¹², …, 2⁴⁸. Where one eigenvalue λ dominates, Aⁿ tends to a multiple of its
    projector, and λ = tr(Aⁿ A) / tr(Aⁿ). Where none does, Gelfand's formula ρ = lim ‖Aⁿ‖^(1/n) is used at the largest
    n: the factor between ‖Aⁿ‖ and ρⁿ then adds its logarithm over n, about 1e-14. Matrix products alone are several
    times faster than eigenvalue decompositions, which replace them if squaring would lose digits.
    """
    unit, size = normalized(matrix)
    now = first_power(unit, size)
    while goes_on(now):
        now = square(unit, now)
    careful, radius = radius_from(now, size)
    return radius_by_eigenvalues(matrix) if careful.any() else radius


class Squaring(NamedTuple):
    """Where repeated squaring of a matrix, or of each of a stack, has got to.

    Attributes:
        step: how often 6 squarings have been done.
        power: power of the matrix, at norm one.
        logarithm: log norm per factor.
        lowest: least norm of a product of 64 factors of norm one so far.
        alone: whether the power has rank one.
        dominant: the eigenvalue of the matrix that is left then.
    """

    step: Int[Array, ""] | int
    power: Float[Array, "..."]
    logarithm: Float[Array, "*batch"]
    lowest: Float[Array, "*batch"]
    alone: Bool[Array, "*batch"]
    dominant: Float[Array, "*batch"]


def first_power(unit: Float[Array, "..."], size: Float[Array, "*batch"]) -> Squaring:
    """The matrix itself, from its `normalized` form."""
    zero = namespace(unit).zeros_like(size)
    return Squaring(0, unit, zero, zero + 1, size == 0, zero)


def goes_on(now: Squaring) -> Bool[Array, ""]:
    """Whether squaring once more says more about the spectral radius."""
    return (now.step < _SQUARING_STEPS) & ~now.alone.all()


def square(unit: Float[Array, "..."], now: Squaring, stacking: Stacking = BATCH_FIRST) -> Squaring:
    """Six squarings."""
    xp, power, norm = namespace(unit), now.power, stacking.norm
    for _ in range(_SQUARINGS_PER_STEP - 1):
        power = stacking.product(power, power)
    squared = stacking.product(power, power)
    trace = stacking.trace(power)
    rest = norm(squared - stacking.per_matrix(trace) * power)
    found = ~now.alone & (rest < _RANK_ONE * xp.abs(trace) * norm(power))
    quotient = xp.abs((power * stacking.transposed(unit)).sum(stacking.axes) / xp.where(found, trace, 1))
    power, loss = normalized(squared, stacking)
    return Squaring(
        now.step + 1,
        power,
        now.logarithm + xp.log(loss) * 0.5 ** (_SQUARINGS_PER_STEP * (now.step + 1.0)),
        xp.where(now.alone, now.lowest, xp.minimum(now.lowest, loss)),
        now.alone | found,
        xp.where(found, quotient, now.dominant),
    )


def radius_from(now: Squaring, size: Float[Array, "*batch"]) -> tuple[Bool[Array, "*batch"], Float[Array, "*batch"]]:
    """Whether squaring lost digits, so that eigenvalues are needed; and the spectral radius if it did not."""
    xp = namespace(now.power)
    careful = (now.lowest < _LOSS_PER_STEP) & (size > 0)
    return careful, size * xp.where(now.alone, now.dominant, xp.exp(now.logarithm))


def radius_by_eigenvalues(matrix: Float[Array, "*batch d d"]) -> Float[Array, "*batch"]:
    """Spectral radius from all eigenvalues."""
    xp = namespace(matrix)
    return xp.abs(xp.linalg.eigvals(matrix)).max(-1)


def normalized(
    matrix: Float[Array, "..."], stacking: Stacking = BATCH_FIRST
) -> tuple[Float[Array, "..."], Float[Array, "*batch"]]:
    """Matrix divided by its norm, as `Stacking` has it, and that norm; a zero matrix stays as it is."""
    xp, size = namespace(matrix), namespace(matrix).asarray(stacking.norm(matrix))
    return matrix / stacking.per_matrix(xp.where(size > 0, size, 1)), size
