"""The discrete Lyapunov (Stein) equation X = H X Hᵀ + N, which every limit covariance solves."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.custom_batching import custom_vmap
from jaxtyping import Array, Bool, Float

from crossfeed.errors import CrossfeedError, NoLimit

from .linear_algebra import spectral_radius_of
from .tracing import is_concrete

UNIT_ROOT_TOLERANCE = 1e-10
"""A spectral radius closer to one than this cannot be told from one in float64: no limit is reported."""

_DOUBLINGS = 40  # 2**40 terms of the series: enough for a spectral radius up to 1 - 1e-10
_DOUBLINGS_A_CHECK = 2
_NEGLIGIBLE = 1e-10  # enters squared, so the neglected tail is below rounding


class SteinSolution(eqx.Module):
    """Solution of X = H X Hᵀ + N, or `inf` with `converged = False` where there is none."""

    value: Float[Array, "d d"]
    spectral_radius: Float[Array, ""]
    converged: Bool[Array, ""]


def has_limit(spectral_radius: Float[Array, ""]) -> Bool[Array, ""]:
    """Whether powers of a matrix with this spectral radius die out, decided in float64."""
    return spectral_radius < 1 - UNIT_ROOT_TOLERANCE


def refuse_unit_root(spectral_radius: Float[Array, ""]) -> None:
    """Raise `NoLimit` where the value can be looked at and is not below one; silent while traced."""
    if not is_concrete(spectral_radius) or has_limit(spectral_radius):
        return
    if jnp.isnan(spectral_radius):
        raise CrossfeedError(
            "what an entity trains on is too ill-conditioned for float64, so there is no number: rescale the features, or "
            "drop those that nearly depend on others"
        )
    raise NoLimit(
        f"there is no limit: the spectral radius is {float(spectral_radius):.12g}, and a limit needs a value below 1"
    )


def solve_stein(contraction: Float[Array, "d d"], noise: Float[Array, "d d"]) -> SteinSolution:
    """Solve X = H X Hᵀ + N for symmetric N by doubling; d³ log(1/(1-ρ)) operations.

    Batches under `vmap`, and differentiates in both modes through the adjoint equation Y = Hᵀ Y H + X̄
    instead of through the iterations. X is symmetric, and positive semi-definite whenever N is.

    Raises:
        NoLimit: ρ(H) ≥ 1 and the arguments are concrete. While traced, the value is `inf` instead.
    """
    radius = spectral_radius_of(contraction)
    refuse_unit_root(radius)
    converged = has_limit(radius)
    solution = stable_stein(jnp.where(converged, contraction, 0), noise)
    return SteinSolution(jnp.where(converged, solution, jnp.inf), radius, converged)


def stable_stein(contraction: Float[Array, "d d"], noise: Float[Array, "d d"]) -> Float[Array, "d d"]:
    """`solve_stein` for a matrix whose spectral radius is known to be below one."""
    solution = jax.lax.custom_linear_solve(
        lambda x: x - contraction @ x @ contraction.T,
        noise,
        solve=lambda _, rhs: _doubling(contraction, rhs),
        transpose_solve=lambda _, rhs: _doubling(contraction.T, rhs),
    )
    return (solution + solution.T) / 2


@custom_vmap
def _doubling(contraction: Float[Array, "*batch d d"], noise: Float[Array, "*batch d d"]) -> Float[Array, "*batch d d"]:
    """Σ_s Hˢ N (Hˢ)ᵀ: after n steps the sum holds 2ⁿ terms, since X ← X + A X Aᵀ, A ← A².

    A batch runs until its slowest member is done. Further steps leave the others as they are, so nothing is masked, which
    is what `vmap` of the loop would do, at twice the cost.
    """

    def going(state):
        power, _, step = state
        return (jnp.abs(power).max() > _NEGLIGIBLE) & (step < _DOUBLINGS)

    def double(state):
        power, total, step = state
        for _ in range(_DOUBLINGS_A_CHECK):
            power, total = power @ power, total + power @ total @ power.mT
        return power, total, step + _DOUBLINGS_A_CHECK

    return jax.lax.while_loop(going, double, (contraction, noise, 0))[1]


@_doubling.def_vmap
def _doubling_batch(size, batched, contraction, noise):
    stacked = (
        x if is_batched else jnp.broadcast_to(x, (size, *x.shape))
        for x, is_batched in zip((contraction, noise), batched, strict=True)
    )
    return _doubling(*stacked), True
