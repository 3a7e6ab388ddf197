"""Solver of the Stein equation X = H X Hᵀ + N by doubling: the steps that NumPy and JAX share, and NumPy's loop."""

from functools import singledispatch

from crossfeed.errors import CrossfeedError, NoLimit

from .arrays import is_concrete, namespace
from .linear_algebra import BATCH_FIRST, Stacking, identity_like
from .shapes import Array, Bool, Float, Int

UNIT_ROOT_TOLERANCE = 1e-10
"""Smallest distance of a spectral radius from one at which float64 can tell that it is below one."""

_DOUBLINGS = 40  # 2**40 terms of the series, enough for a spectral radius of 1 - 1e-10
DOUBLINGS_PER_CHECK = 2
_NEGLIGIBLE = 1e-10  # it enters squared, so that the terms left out are below rounding


def has_limit(spectral_radius: Float[Array, ""]) -> Bool[Array, ""]:
    """Whether the powers of a matrix with this spectral radius tend to zero, as far as float64 can tell."""
    return spectral_radius < 1 - UNIT_ROOT_TOLERANCE


def refuse_unit_root(spectral_radius: Float[Array, ""]) -> None:
    """Refuse a spectral radius that is not below one, unless it is traced.

    Args:
        spectral_radius: ρ(H) of the recursion; NaN if it could not be computed.

    Raises:
        NoLimit: it is not below one, as far as float64 can tell.
        CrossfeedError: it is NaN.
    """
    if not is_concrete(spectral_radius) or has_limit(spectral_radius):
        return
    if spectral_radius != spectral_radius:
        raise CrossfeedError(
            "the training data of an entity are too ill-conditioned for float64, so there is no result: rescale the "
            "features, or drop those that are nearly linear combinations of others"
        )
    raise NoLimit(
        f"there is no limit: the spectral radius is {float(spectral_radius):.12g}, and a limit needs a value below 1"
    )


@singledispatch
def stable_stein(contraction: Float[Array, "d d"], noise: Float[Array, "d d"]) -> Float[Array, "d d"]:
    """Solution X of X = H X Hᵀ + N for symmetric N and a matrix H whose spectral radius is known to be below one."""
    power, total, step = contraction, noise, 0
    while goes_on(power, step):
        power, total = double(power, total)
        step += DOUBLINGS_PER_CHECK
    return (total + total.T) / 2


def settled(power: Float[Array, "..."], stacking: Stacking = BATCH_FIRST) -> Bool[Array, "*batch"]:
    """Whether no more terms of the series count, after the doublings that have led to this power of H."""
    return namespace(power).abs(power).max(stacking.axes) <= _NEGLIGIBLE


def goes_on(
    power: Float[Array, "..."], step: Int[Array, ""] | int, stacking: Stacking = BATCH_FIRST
) -> Bool[Array, ""]:
    """Whether more terms of some series count, after a number of doublings."""
    return ~settled(power, stacking).all() & (step < _DOUBLINGS)


def double(
    power: Float[Array, "..."], total: Float[Array, "..."], stacking: Stacking = BATCH_FIRST
) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
    """Sums Σ_s Hˢ N (Hˢ)ᵀ of twice as many terms: X ← X + A X Aᵀ and A ← A² in each of `DOUBLINGS_PER_CHECK` steps."""
    product = stacking.product
    for _ in range(DOUBLINGS_PER_CHECK):
        total = total + product(product(power, total), stacking.transposed(power))
        power = product(power, power)
    return power, total


@singledispatch
def resolvent(contraction: Float[Array, "d d"]) -> Float[Array, "d d"]:
    """The matrix (I - H)⁻¹ = Σ_s Hˢ for a matrix H whose spectral radius is known to be below one."""
    return resolvent_by_elimination(contraction)


def resolvent_by_elimination(contraction: Float[Array, "*batch d d"]) -> Float[Array, "*batch d d"]:
    """The matrix (I - H)⁻¹, by elimination."""
    return namespace(contraction).linalg.inv(identity_like(contraction) - contraction)
