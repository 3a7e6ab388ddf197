"""Projectors, roots and inverses of small symmetric matrices, and spectral radii, all of which JAX can transform."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax.custom_batching import custom_vmap
from jaxtyping import Array, Bool, Float, Int

RANK_TOLERANCE = 1e-12
"""Largest eigenvalue that counts as zero, relative to the largest one; and the largest weight that does.

Gram matrices carry rounding errors of about 1e-15, which leaves eigenvalues below 1e-12 without meaning."""

_SQUARINGS_PER_STEP, _SQUARING_STEPS = 6, 8
_LOSS_PER_STEP = 1e-126
"""Norm of a product of 64 factors of norm one below which too many digits are lost: two per multiplication."""
_RANK_ONE = 1e-13
"""Largest ‖P² - tr(P) P‖, relative to |tr P| ‖P‖, at which a power P of a matrix counts as having rank one."""


def range_projector(matrix: Float[Array, "d d"], rounding: float = 0.0) -> Float[Array, "d d"]:
    """Orthogonal projector onto the range of a symmetric positive semi-definite matrix.

    Args:
        matrix: the matrix.
        rounding: largest eigenvalue that counts as zero in any case, for a matrix that may be zero up to rounding.
    """
    values, vectors = jnp.linalg.eigh(matrix)
    kept = values > jnp.maximum(RANK_TOLERANCE * values[-1], rounding)
    return (vectors * kept.astype(vectors.dtype)[None, :]) @ vectors.T


def kernel_projector(matrix: Float[Array, "d d"]) -> Float[Array, "d d"]:
    """Orthogonal projector onto the kernel of a symmetric positive semi-definite matrix; exactly zero at full rank.

    The unit of a feature says nothing about ranks: features are scaled to one size, and the kernel's basis is scaled back.
    """
    unit = _unit_sizes(matrix)
    values, vectors = jnp.linalg.eigh(unit[:, None] * matrix * unit[None])
    dropped = (values <= RANK_TOLERANCE * jnp.maximum(values[-1], 0)).astype(vectors.dtype)
    basis = _orthonormal(unit[:, None] * vectors * dropped[None], dropped)
    return basis @ basis.T


def factor(matrix: Float[Array, "d d"]) -> Float[Array, "d d"]:
    """Matrix R with R R' = A for a symmetric positive semi-definite A; the unit of a feature does not matter."""
    unit = _unit_sizes(matrix)
    return square_root(unit[:, None] * matrix * unit[None]) / unit[:, None]


def _unit_sizes(matrix: Float[Array, "d d"]) -> Float[Array, " d"]:
    """One over the root of each diagonal entry; one where that is zero."""
    sizes = jnp.sqrt(jnp.maximum(jnp.diagonal(matrix), 0))
    return 1 / jnp.where(sizes > 0, sizes, 1)


def _orthonormal(basis: Float[Array, "d n"], kept: Float[Array, " n"]) -> Float[Array, "d n"]:
    """Orthonormal basis of the span of the kept columns, which come first; zero for the others."""
    lengths = jnp.sqrt((basis**2).sum(0))
    return jnp.linalg.qr(basis / jnp.where(lengths > 0, lengths, 1)[None, :])[0] * kept[None, :]


def square_root(matrix: Float[Array, "d d"]) -> Float[Array, "d d"]:
    """Symmetric square root of a symmetric positive semi-definite matrix; eigenvalues that are rounding count as zero."""
    values, vectors = jnp.linalg.eigh(matrix)
    kept = values > RANK_TOLERANCE * jnp.maximum(values[-1], 0)
    positive: Array = jnp.where(kept, values, 1)  # pyright: ignore[reportAssignmentType]
    roots = jnp.where(kept, jnp.sqrt(positive), 0)
    return (vectors * roots[None, :]) @ vectors.T


def singular_values(matrix: Float[Array, "*batch d d"]) -> Float[Array, "*batch d"]:
    """Singular values of square matrices; by LAPACK's gesvd, see `pseudo_inverse_of_rows`."""
    return jax.lax.linalg.svd(matrix, compute_uv=False, algorithm=jax.lax.linalg.SvdAlgorithm.QR)


def pseudo_inverse(matrix: Float[Array, "*batch d d"]) -> Float[Array, "*batch d d"]:
    """Moore-Penrose inverse of symmetric matrices, from their eigenvalues."""
    return jnp.linalg.pinv(matrix, rtol=RANK_TOLERANCE, hermitian=True)


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
    rows = _orthonormal(lengths[:, None] * right.T * kept.astype(float)[None, :], kept.astype(float))
    return rows @ (rows.T @ inverse)  # of minimum norm: within the span of the rows


def whitener(matrix: Float[Array, "d d"], kernel: Float[Array, "d d"]) -> tuple[Float[Array, "d d"], Float[Array, ""]]:
    """Matrix B for which B'(A + cN)B is the identity, and c > 0, of a symmetric positive semi-definite A with kernel N.

    B'AB is an orthogonal projector, and B'MB has the nonzero eigenvalues of A^{+/2} M A^{+/2} for every M ⪰ 0 within the range
    of A. Unlike A^{+/2}, B is differentiable at repeated eigenvalues.

    Args:
        matrix: the matrix A.
        kernel: orthogonal projector N onto its kernel.
    """
    size = matrix.shape[-1]
    trace = jnp.trace(matrix)
    scale = jnp.where(trace > 0, trace / size, 1.0)
    factor = jax.lax.linalg.cholesky(matrix + scale * kernel, symmetrize_input=False)
    # Solved from the right, so that the transposed matrix is the second factor of an inverse, which costs nothing.
    return jax.lax.linalg.triangular_solve(factor, jnp.eye(size), lower=True, transpose_a=True), scale


_TwoMatrices = tuple[Float[Array, "d d"], Float[Array, "d d"]]


@jax.custom_jvp
def inverse_on_range(
    matrix: Float[Array, "d d"], kernel: Float[Array, "d d"]
) -> tuple[Float[Array, "d d"], Float[Array, "d d"]]:
    """Pseudo-inverse of a symmetric positive semi-definite matrix whose kernel is known, and the kernel's projector.

    An ordinary inverse of the matrix plus a multiple of the projector: several times faster than an eigenvalue
    decomposition and, unlike it, differentiable at repeated eigenvalues. Derivatives are those at constant rank (Golub
    and Pereyra 1973), since the rank is a property of the data and does not change with the weights.

    Args:
        matrix: the matrix.
        kernel: orthogonal projector onto its kernel.

    Returns:
        The pseudo-inverse, and `kernel`, whose derivative is that of the kernel's projector.
    """
    root, scale = whitener(matrix, kernel)
    return root @ root.T - kernel / scale, kernel


@inverse_on_range.defjvp
def _inverse_on_range_jvp(primals: _TwoMatrices, tangents: _TwoMatrices) -> tuple[_TwoMatrices, _TwoMatrices]:
    inverse, kernel = inverse_on_range(*primals)
    change = tangents[0]
    turned = inverse @ inverse @ change @ kernel
    turning = inverse @ change @ kernel
    d_inverse = -inverse @ change @ inverse + turned + turned.T
    return (inverse, kernel), (d_inverse, -turning - turning.T)


@jax.custom_jvp
def spectral_radius_of(matrix: Float[Array, "d d"]) -> Float[Array, ""]:
    """Spectral radius of a square matrix A, its largest absolute eigenvalue, by repeated squaring.

    The powers are Aⁿ for n = 2⁶, 2¹², …, 2⁴⁸. Where one eigenvalue λ dominates, Aⁿ tends to a multiple of its
    projector, and λ = tr(Aⁿ A) / tr(Aⁿ). Where none does, Gelfand's formula ρ = lim ‖Aⁿ‖^(1/n) is used at the largest
    n: the factor between ‖Aⁿ‖ and ρⁿ then adds its logarithm over n, about 1e-14. Matrix products alone are several
    times faster than a batch of eigenvalue decompositions, which replace them for the whole batch if squaring one of
    its matrices would lose digits. The derivative is that of the dominant eigenvalue; at A = 0 there is none.
    """
    return _spectral_radius(matrix)


@spectral_radius_of.defjvp
def _spectral_radius_jvp(
    primals: tuple[Float[Array, "d d"]], tangents: tuple[Float[Array, "d d"]]
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    _, tangent = jax.jvp(_by_eigenvalues, primals, tangents)
    return spectral_radius_of(*primals), tangent


# Step, power of the matrix at norm one, log norm per factor, least norm, whether rank one is reached, its eigenvalue.
_Squaring = tuple[
    Int[Array, ""] | int,
    Float[Array, "*batch d d"],
    Float[Array, "*batch"],
    Float[Array, "*batch"],
    Bool[Array, "*batch"],
    Float[Array, "*batch"],
]


@custom_vmap
def _spectral_radius(matrix: Float[Array, "*batch d d"]) -> Float[Array, "*batch"]:
    unit, size = _normalized(matrix)

    def going(state: _Squaring) -> Bool[Array, ""]:
        step, _, _, _, alone, _ = state
        return (step < _SQUARING_STEPS) & ~alone.all()

    def square(state: _Squaring) -> _Squaring:
        step, power, logarithm, lowest, alone, dominant = state
        for _ in range(_SQUARINGS_PER_STEP - 1):
            power = power @ power
        squared = power @ power
        trace = jnp.trace(power, axis1=-2, axis2=-1)
        rest = _norm(squared - trace[..., None, None] * power)
        found = ~alone & (rest < _RANK_ONE * jnp.abs(trace) * _norm(power))
        quotient = jnp.abs((power * unit.mT).sum((-2, -1)) / jnp.where(found, trace, 1))
        power, loss = _normalized(squared)
        logarithm = logarithm + jnp.log(loss) * 0.5 ** (_SQUARINGS_PER_STEP * (step + 1.0))
        lowest, dominant = jnp.minimum(lowest, loss), jax.lax.select(found, quotient, dominant)
        return step + 1, power, logarithm, lowest, alone | found, dominant

    zero = jnp.zeros_like(size)
    start = 0, unit, zero, zero + 1, size == 0, zero
    _, _, logarithm, lowest, alone, dominant = jax.lax.while_loop(going, square, start)
    careful = ((lowest < _LOSS_PER_STEP) & (size > 0)).any()
    radius = size * jnp.where(alone, dominant, jnp.exp(logarithm))
    return jax.lax.cond(careful, lambda: _by_eigenvalues(matrix), lambda: radius)


@_spectral_radius.def_vmap
def _spectral_radius_batch(
    size: int, batched: Sequence[bool], matrix: Float[Array, "*batch d d"]
) -> tuple[Float[Array, "*batch"], bool]:
    return _spectral_radius(matrix), True


def _by_eigenvalues(matrix: Float[Array, "*batch d d"]) -> Float[Array, "*batch"]:
    return jnp.abs(jnp.linalg.eigvals(matrix)).max(-1)


def _norm(matrix: Float[Array, "*batch d d"]) -> Float[Array, "*batch"]:
    """Frobenius norm divided by √d, so that the identity has norm one."""
    return jnp.sqrt((matrix * matrix).sum((-2, -1)) / matrix.shape[-1])


def _normalized(matrix: Float[Array, "*batch d d"]) -> tuple[Float[Array, "*batch d d"], Float[Array, "*batch"]]:
    """Matrix divided by its norm, and that norm; a zero matrix stays as it is."""
    size = _norm(matrix)
    return matrix / jnp.where(size > 0, size, 1)[..., None, None], size
