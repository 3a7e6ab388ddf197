"""Sums over all earlier generations, (I - H)⁻¹ = Σ_s Hˢ and X = Σ_s Hˢ N (Hˢ)ᵀ: what NumPy and JAX share, and NumPy's loop."""

from functools import singledispatch

from crossfeed.errors import CrossfeedError, NoLimit

from .arrays import is_concrete, namespace
from .linear_algebra import BATCH_FIRST, Stacking, identity_like
from .results import RESULTS
from .shapes import Array, Bool, Float

UNIT_ROOT_TOLERANCE = 1e-10
"""Smallest distance of a spectral radius from one at which float64 can tell that it is below one."""

DOUBLINGS = 40
"""Most doublings: 2**40 terms of the sums, enough for a spectral radius of 1 - 1e-10."""

_NEGLIGIBLE = 1e-10  # enters X squared, and (I - H)⁻¹ after a step of Newton's iteration, so that it is below rounding


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
        raise CrossfeedError(RESULTS[RESULTS.ill_conditioned])
    raise NoLimit(
        f"there is no limit: the spectral radius is {float(spectral_radius):.12g}, and a limit needs a value below 1"
    )


@singledispatch
def geometric_sums(
    contraction: Float[Array, "d d"], noise: Float[Array, "d d"]
) -> tuple[Float[Array, "d d"], Float[Array, "d d"]]:
    """The matrix (I - H)⁻¹, and the solution X of the Stein equation X = H X Hᵀ + N.

    Args:
        contraction: H, whose spectral radius is known to be below one.
        noise: N, symmetric.
    """
    power, total, step = contraction, noise, 0
    while step < DOUBLINGS and not settled(power):
        total, power = total + conjugated(power, total), power @ power
        step += 1
    return resolvent_by_elimination(contraction), (total + total.T) / 2


def settled(power: Float[Array, "..."], stacking: Stacking = BATCH_FIRST) -> Bool[Array, "*batch"]:
    """Whether no more terms of the sums count, after the doublings that have led to this power of H."""
    return stacking.norm(power) <= _NEGLIGIBLE


def conjugated(
    power: Float[Array, "..."], total: Float[Array, "..."], stacking: Stacking = BATCH_FIRST
) -> Float[Array, "..."]:
    """A X Aᵀ, which is what as many generations more add to a sum X over generations if A = Hⁿ."""
    return stacking.product(stacking.product(power, total), stacking.transposed(power))


def resolvent_by_elimination(contraction: Float[Array, "*batch d d"]) -> Float[Array, "*batch d d"]:
    """The matrix (I - H)⁻¹, by elimination."""
    return namespace(contraction).linalg.inv(identity_like(contraction) - contraction)
