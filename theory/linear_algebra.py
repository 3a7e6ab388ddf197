"""Spectra and pseudo-inverses of small symmetric matrices, safe under jit, vmap and grad."""

import jax
import jax.numpy as jnp
from jax.custom_batching import custom_vmap
from jaxtyping import Array, Float

RANK_TOLERANCE = 1e-12
"""An eigenvalue, or a weight, at most this far above zero relative to the largest counts as zero.

Gram matrices carry rounding of about 1e-15; directions below 1e-12 cannot be told from it."""

_SQUARINGS_A_STEP, _SQUARING_STEPS = 6, 8
_LOSS_A_STEP = 1e-126
"""A norm that falls below this in a step of 63 factors lost two digits in each: too many."""
_RANK_ONE = 1e-13
"""A power P of a matrix with ‖P² - tr(P) P‖ this small against |tr P| ‖P‖ holds one eigenvalue only."""


def range_projector(matrix: Float[Array, "d d"], rounding: float = 0.0) -> Float[Array, "d d"]:
    """Orthogonal projector onto the range of a symmetric positive semi-definite matrix.

    Args:
        rounding: eigenvalues up to this size are zero, for a matrix that may be zero but for rounding.
    """
    values, vectors = jnp.linalg.eigh(matrix)
    kept = values > jnp.maximum(RANK_TOLERANCE * values[-1], rounding)
    return (vectors * kept.astype(vectors.dtype)[None, :]) @ vectors.T


def kernel_projector(matrix: Float[Array, "d d"]) -> Float[Array, "d d"]:
    """Orthogonal projector onto the kernel; exactly zero where the matrix has full rank."""
    values, vectors = jnp.linalg.eigh(matrix)
    dropped = values <= RANK_TOLERANCE * jnp.maximum(values[-1], 0)
    return (vectors * dropped.astype(vectors.dtype)[None, :]) @ vectors.T


def square_root(matrix: Float[Array, "d d"]) -> Float[Array, "d d"]:
    """Symmetric square root of a symmetric positive semi-definite matrix."""
    values, vectors = jnp.linalg.eigh(matrix)
    return (vectors * jnp.sqrt(jnp.maximum(values, 0))[None, :]) @ vectors.T


def pseudo_inverse(matrix: Float[Array, "*batch d d"]) -> Float[Array, "*batch d d"]:
    """Moore-Penrose inverse of symmetric matrices, by their eigenvalues."""
    return jnp.linalg.pinv(matrix, rtol=RANK_TOLERANCE, hermitian=True)


def pseudo_inverse_of_rows(matrix: Float[Array, "rows d"]) -> Float[Array, "d rows"]:
    """Moore-Penrose inverse of a rectangular matrix, by its singular values.

    By LAPACK's gesvd: jaxlib's default, gesdd, waits for the thread pool it runs in, and two at once on two cores wait for
    ever (seen with 0.9.2). So no `jnp.linalg.svd`, `pinv` or `norm(ord=2)` here.
    """
    left, values, right = jax.lax.linalg.svd(matrix, full_matrices=False, algorithm=jax.lax.linalg.SvdAlgorithm.QR)
    kept = values > RANK_TOLERANCE**0.5 * values[0]
    return (right.T * jnp.where(kept, 1 / jnp.where(kept, values, 1), 0)[None, :]) @ left.T


@jax.custom_jvp
def inverse_on_range(
    matrix: Float[Array, "d d"], kernel: Float[Array, "d d"]
) -> tuple[Float[Array, "d d"], Float[Array, "d d"]]:
    """Pseudo-inverse of a symmetric matrix whose kernel is known, and that kernel's projector.

    An ordinary inverse after filling the kernel, several times faster than an eigenvalue decomposition
    and, unlike one, differentiable at repeated eigenvalues. Derivatives are those at constant rank
    (Golub and Pereyra 1973): the rank is a property of the data, so it does not move with the weights.
    """
    size = matrix.shape[-1]
    trace = jnp.trace(matrix)
    scale = jnp.where(trace > 0, trace / size, 1.0)
    factor = jax.lax.linalg.cholesky(matrix + scale * kernel, symmetrize_input=False)
    # Solved from the right, so that what is transposed below is the second factor, which costs nothing.
    root = jax.lax.linalg.triangular_solve(factor, jnp.eye(size), lower=True, transpose_a=True)
    return root @ root.T - kernel / scale, kernel


@inverse_on_range.defjvp
def _inverse_on_range_jvp(primals, tangents):
    inverse, kernel = inverse_on_range(*primals)
    change = tangents[0]
    turned = inverse @ inverse @ change @ kernel
    turning = inverse @ change @ kernel
    d_inverse = -inverse @ change @ inverse + turned + turned.T
    return (inverse, kernel), (d_inverse, -turning - turning.T)


@jax.custom_jvp
def spectral_radius_of(matrix: Float[Array, "d d"]) -> Float[Array, ""]:
    """Largest absolute eigenvalue of a square matrix, by squaring it: Aⁿ for n = 2⁶, 2¹², ... 2⁴⁸.

    Where one eigenvalue λ outgrows the others, Aⁿ becomes a multiple of its projector and λ = tr(Aⁿ A) / tr(Aⁿ). Where none
    does, Gelfand's formula ρ = lim ‖Aⁿ‖^(1/n) at the end: the factor between ‖Aⁿ‖ and ρⁿ enters as its logarithm over n,
    about 1e-14. Matrix products only, several times faster than a batch of eigenvalue decompositions; these stand in for the
    whole batch where squaring one of its matrices would lose digits. The derivative is that of the eigenvalue; there is none
    at A = 0.
    """
    return _spectral_radius(matrix)


@spectral_radius_of.defjvp
def _spectral_radius_jvp(primals, tangents):
    _, tangent = jax.jvp(_by_eigenvalues, primals, tangents)
    return spectral_radius_of(*primals), tangent


@custom_vmap
def _spectral_radius(matrix: Float[Array, "*batch d d"]) -> Float[Array, "*batch"]:
    unit, size = _normalized(matrix)

    def going(state):
        step, _, _, _, alone, _ = state
        return (step < _SQUARING_STEPS) & ~alone.all()

    def square(state):
        step, power, logarithm, lowest, alone, dominant = state
        for _ in range(_SQUARINGS_A_STEP - 1):
            power = power @ power
        squared = power @ power
        trace = jnp.trace(power, axis1=-2, axis2=-1)
        rest = _norm(squared - trace[..., None, None] * power)
        found = ~alone & (rest < _RANK_ONE * jnp.abs(trace) * _norm(power))
        quotient = jnp.abs((power * unit.mT).sum((-2, -1)) / jnp.where(found, trace, 1))
        power, loss = _normalized(squared)
        logarithm = logarithm + jnp.log(loss) * 0.5 ** (_SQUARINGS_A_STEP * (step + 1.0))
        lowest, dominant = jnp.minimum(lowest, loss), jax.lax.select(found, quotient, dominant)
        return step + 1, power, logarithm, lowest, alone | found, dominant

    zero = jnp.zeros_like(size)
    start = 0, unit, zero, zero + 1, size == 0, zero
    _, _, logarithm, lowest, alone, dominant = jax.lax.while_loop(going, square, start)
    careful = ((lowest < _LOSS_A_STEP) & (size > 0)).any()
    radius = size * jnp.where(alone, dominant, jnp.exp(logarithm))
    return jax.lax.cond(careful, lambda: _by_eigenvalues(matrix), lambda: radius)


@_spectral_radius.def_vmap
def _spectral_radius_batch(size, batched, matrix):
    return _spectral_radius(matrix), True


def _by_eigenvalues(matrix: Float[Array, "*batch d d"]) -> Float[Array, "*batch"]:
    return jnp.abs(jnp.linalg.eigvals(matrix)).max(-1)


def _norm(matrix: Float[Array, "*batch d d"]) -> Float[Array, "*batch"]:
    """Frobenius norm over √d, which is one for the identity."""
    return jnp.sqrt((matrix * matrix).sum((-2, -1)) / matrix.shape[-1])


def _normalized(matrix: Float[Array, "*batch d d"]) -> tuple[Float[Array, "*batch d d"], Float[Array, "*batch"]]:
    """The matrix at norm one, and the norm it had."""
    size = _norm(matrix)
    return matrix / jnp.where(size > 0, size, 1)[..., None, None], size
