"""Sums over all earlier generations: the Stein equation X = H X Hᵀ + N, which gives the covariances of limits, and (I - H)⁻¹."""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from crossfeed.formulas.linear_algebra import identity_like, spectral_radius_of
from crossfeed.formulas.stein import (
    DOUBLINGS,
    conjugated,
    geometric_sums,
    has_limit,
    refuse_unit_root,
    resolvent_by_elimination,
    settled,
)

from .eager import as_one_program
from .pytrees import for_jax
from .small_matrices import stacked, unstacked, with_whole_batch

_SMALL_RESIDUAL = 1e-8  # its square is below rounding

_TwoMatrices = tuple[Float[Array, "d d"], Float[Array, "d d"]]


class SteinSolution(eqx.Module):
    """Solution of the Stein equation X = H X Hᵀ + N.

    Attributes:
        value: X; `inf` where there is none.
        spectral_radius: ρ(H).
        converged: whether ρ(H) < 1, so that there is a solution.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.theory import solve_stein
        >>> solution = solve_stein(0.5 * jnp.eye(3), jnp.eye(3))
        >>> print(solution.converged, f"{solution.spectral_radius:.4f}")
        True 0.5000
    """

    value: Float[Array, "d d"]
    spectral_radius: Float[Array, ""]
    converged: Bool[Array, ""]


def solve_stein(contraction: Float[Array, "d d"], noise: Float[Array, "d d"]) -> SteinSolution:
    """Solution X of the Stein equation X = H X Hᵀ + N for symmetric N, by doubling.

    Takes O(d³ log(1/(1-ρ))) operations. Derivatives in both modes come from the adjoint equation Y = Hᵀ Y H + X̄
    instead of the iterations.

    Args:
        contraction: H, with ρ(H) < 1.
        noise: N, symmetric.

    Returns:
        X, in the units of N: symmetric, and positive semi-definite if N is.

    Raises:
        NoLimit: ρ(H) ≥ 1, or so close below that float64 cannot tell (1e-10). While traced, the value is `inf` instead.
        CrossfeedError: ρ(H) is NaN; unless traced.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.theory import solve_stein
        >>> solution = solve_stein(0.5 * jnp.eye(3), jnp.eye(3))
        >>> print(f"{solution.value[0, 0]:.4f}")  # 1 / (1 - 0.25)
        1.3333
    """
    solution = _solution(contraction, noise)
    refuse_unit_root(solution.spectral_radius)
    return solution


@as_one_program()
def _solution(contraction: Float[Array, "d d"], noise: Float[Array, "d d"]) -> SteinSolution:
    radius = spectral_radius_of(contraction)
    converged = has_limit(radius)
    solution = geometric_sums(jnp.where(converged, contraction, 0), noise)[1]
    return SteinSolution(jnp.where(converged, solution, jnp.inf), radius, converged)


@for_jax(geometric_sums)
@jax.custom_jvp
def _geometric_sums(contraction: Float[Array, "d d"], noise: Float[Array, "d d"]) -> _TwoMatrices:
    inverse, total = _sums(contraction, noise)
    return inverse, (total + total.T) / 2


@_geometric_sums.defjvp
def _geometric_sums_jvp(primals: _TwoMatrices, tangents: _TwoMatrices) -> tuple[_TwoMatrices, _TwoMatrices]:
    (contraction, _), (change, noise) = primals, tangents
    inverse, total = _geometric_sums(*primals)
    mixed = change @ total @ contraction.T
    turned = _stein(contraction, noise + mixed + mixed.T)
    return (inverse, total), (inverse @ change @ inverse, (turned + turned.T) / 2)


def _stein(contraction: Float[Array, "d d"], noise: Float[Array, "d d"]) -> Float[Array, "d d"]:
    """X as a linear function of N, whose transpose is the solution of Y = Hᵀ Y H + X̄."""
    return jax.lax.custom_linear_solve(
        lambda x: x - contraction @ x @ contraction.T,
        noise,
        solve=lambda _, rhs: _sums(contraction, rhs)[1],
        transpose_solve=lambda _, rhs: _sums(contraction.T, rhs)[1],
    )


class _Doubling(NamedTuple):
    """A = Hⁿ, whether it is negligible, and both sums so far, after n = 2^step terms; matrices stacked in either way."""

    power: Float[Array, "..."]
    settled: Bool[Array, "*batch"]
    inverse: Float[Array, "..."]
    total: Float[Array, "..."]
    step: Int[Array, ""] | int


@with_whole_batch
def _sums(
    contraction: Float[Array, "*batch d d"], noise: Float[Array, "*batch d d"]
) -> tuple[Float[Array, "*batch d d"], Float[Array, "*batch d d"]]:
    """Sums Σ_s Hˢ and Σ_s Hˢ N (Hˢ)ᵀ, of which n steps R ← R + A R, X ← X + A X Aᵀ, A ← A² give the first 2ⁿ terms.

    A batch runs until its slowest member has converged. The sums of the others stay what they are, so that what is computed
    together changes a result only if the compiler rounds otherwise. (`vmap` of the loop would keep the powers as well, at
    twice the cost.) Elimination replaces inverses that rounding has spoiled, close to a unit root.
    """
    (first, stacking), (total, _) = stacked(contraction), stacked(noise)
    product, identity = stacking.product, stacked(identity_like(contraction))[0]

    def going(now: _Doubling) -> Bool[Array, ""]:
        return ~now.settled.all() & (now.step < DOUBLINGS)

    def doubled(now: _Doubling) -> _Doubling:
        done, power = stacking.per_matrix(now.settled), now.power
        inverse = jnp.where(done, now.inverse, now.inverse + product(power, now.inverse))
        total = jnp.where(done, now.total, now.total + conjugated(power, now.total, stacking))
        power = product(power, power)
        return _Doubling(power, settled(power, stacking), inverse, total, now.step + 1)

    sums = jax.lax.while_loop(going, doubled, _Doubling(first, settled(first, stacking), identity, total, 0))
    total = unstacked(sums.total, stacking, contraction.shape)
    if contraction.ndim == 2:  # one large matrix takes less time so
        return resolvent_by_elimination(contraction), total
    inverse = sums.inverse
    # Once more by Newton's iteration, which squares what rounding and the terms left out have made of the residual.
    residual = identity - inverse + product(first, inverse)
    accurate = stacking.norm(residual) <= _SMALL_RESIDUAL
    found = unstacked(inverse + product(inverse, residual), stacking, contraction.shape)

    def some_by_elimination() -> Float[Array, "*batch d d"]:
        kept = accurate.reshape(*contraction.shape[:-2], 1, 1)
        return jnp.where(kept, found, resolvent_by_elimination(contraction))

    inverse = jax.lax.cond(accurate.all(), lambda: found, some_by_elimination)
    return inverse, total
