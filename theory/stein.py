"""Sums over all earlier generations: the Stein equation X = H X Hᵀ + N, which gives the covariances of limits, and (I - H)⁻¹."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from crossfeed.formulas.linear_algebra import BATCH_FIRST, spectral_radius_of
from crossfeed.formulas.stein import (
    DOUBLINGS_PER_CHECK,
    double,
    goes_on,
    has_limit,
    refuse_unit_root,
    resolvent,
    resolvent_by_elimination,
    settled,
    stable_stein,
)

from .pytrees import for_jax
from .small_matrices import newton_resolvent, stacked, unstacked, with_whole_batch


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
    radius = spectral_radius_of(contraction)
    refuse_unit_root(radius)
    converged = has_limit(radius)
    solution = stable_stein(jnp.where(converged, contraction, 0), noise)
    return SteinSolution(jnp.where(converged, solution, jnp.inf), radius, converged)


@for_jax(stable_stein)
def _stable_stein(contraction: Float[Array, "d d"], noise: Float[Array, "d d"]) -> Float[Array, "d d"]:
    """Solution X of X = H X Hᵀ + N for symmetric N and a matrix H whose spectral radius is known to be below one."""
    solution = jax.lax.custom_linear_solve(
        lambda x: x - contraction @ x @ contraction.T,
        noise,
        solve=lambda _, rhs: _doubling(contraction, rhs),
        transpose_solve=lambda _, rhs: _doubling(contraction.T, rhs),
    )
    return (solution + solution.T) / 2


# A, X and the number of steps, for matrices stacked in either way.
_Doubling = tuple[Float[Array, "..."], Float[Array, "..."], Int[Array, ""] | int]


@with_whole_batch
def _doubling(contraction: Float[Array, "*batch d d"], noise: Float[Array, "*batch d d"]) -> Float[Array, "*batch d d"]:
    """Sum Σ_s Hˢ N (Hˢ)ᵀ, of which n steps X ← X + A X Aᵀ, A ← A² give the first 2ⁿ terms.

    A batch runs until its slowest member has converged. The sums of the others stay what they are, so that what is computed
    together changes a result only if the compiler rounds otherwise. (`vmap` of the loop would
    keep the powers as well, at twice the cost.)
    """

    (power, stacking), (total, _) = stacked(contraction), stacked(noise)

    def going(state: _Doubling) -> Bool[Array, ""]:
        power, _, step = state
        return goes_on(power, step, stacking)

    def doubled(state: _Doubling) -> _Doubling:
        power, total, step = state
        done = stacking.per_matrix(settled(power, stacking))
        power, more = double(power, total, stacking)
        return power, jnp.where(done, total, more), step + DOUBLINGS_PER_CHECK

    total = jax.lax.while_loop(going, doubled, (power, total, 0))[1]
    return unstacked(total, stacking, contraction.shape)


@for_jax(resolvent)
@jax.custom_jvp
def _resolvent(contraction: Float[Array, "d d"]) -> Float[Array, "d d"]:
    return _batched_resolvent(contraction)


@_resolvent.defjvp
def _resolvent_jvp(
    primals: tuple[Float[Array, "d d"]], tangents: tuple[Float[Array, "d d"]]
) -> tuple[Float[Array, "d d"], Float[Array, "d d"]]:
    value = _resolvent(*primals)
    return value, value @ tangents[0] @ value


@with_whole_batch
def _batched_resolvent(contraction: Float[Array, "*batch d d"]) -> Float[Array, "*batch d d"]:
    stack, stacking = stacked(contraction)
    if stacking is BATCH_FIRST:
        return resolvent_by_elimination(contraction)
    found, accurate = newton_resolvent(stack)
    inverse = unstacked(found, stacking, contraction.shape)

    def some_by_elimination() -> Float[Array, "*batch d d"]:
        kept = accurate.reshape(*contraction.shape[:-2], 1, 1)
        return jnp.where(kept, inverse, resolvent_by_elimination(contraction))

    return jax.lax.cond(accurate.all(), lambda: inverse, some_by_elimination)
