"""Largest sum of norms Σ_j |B_j x| over unit vectors x, with a certificate."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

_STARTS = 8
_MOST_STEPS = 500
_CONVERGED = 1e-14  # relative increase per step
_LEAST_SHARE = 1e-9  # of one norm in the sum, in the certificate
_TINY = 1e-300


class SumOfNorms(eqx.Module):
    """max_{|x|=1} Σ_j |B_j x| for symmetric positive semi-definite matrices B_j.

    Attributes:
        attained: the largest value found, at `direction`.
        direction: the unit vector x.
        upper: a bound that no x exceeds; it equals `attained` where that is certainly the maximum.
    """

    attained: Float[Array, ""]
    direction: Float[Array, " d"]
    upper: Float[Array, ""]


@jax.jit
def largest_sum_of_norms(matrices: Float[Array, "entity d d"]) -> SumOfNorms:
    """Largest Σ_j |B_j x|, by a monotone ascent from several starts, and a certified upper bound.

    With X = YY' and tr X = 1, Σ_j (tr B_j² X)^{1/2} is convex in Y, so the step Y ← Σ_j B_j² Y/(tr B_j² X)^{1/2}, normalized, never
    lowers it. Vectors Y = x give the sum itself, with local maxima. For square Y the function is concave in X, so the ascent
    from Y = I ends in the maximum over all X, which is at least that over X = xx'. There, and for any shares c_j > 0 of the
    sum, Σ_j |B_j x| ≤ (Σ_j |B_j x|²/c_j)^{1/2} ≤ λ_max(Σ_j B_j²/c_j)^{1/2}, which the end points of all ascents make small.
    Derivatives are those at fixed end points, as for every maximum.
    """
    size = matrices.shape[-1]
    squares = matrices @ matrices
    fixed = jax.lax.stop_gradient(squares)
    random = jax.random.normal(jax.random.key(0, impl="threefry2x32"), (_STARTS, size, 1), dtype=float)
    ends = jax.vmap(lambda start: _ascend(fixed, start))(random)
    relaxed = _ascend(fixed, jnp.eye(size))
    norms = jax.vmap(lambda end: _norms(fixed, end))(ends)
    direction = ends[jnp.argmax(norms.sum(1)), :, 0]

    def certificate(norms: Float[Array, " entity"]) -> Float[Array, ""]:
        shares = jnp.maximum(norms / jnp.maximum(norms.sum(), _TINY), _LEAST_SHARE)
        bound = jnp.einsum("kij,k->ij", squares, shares.sum() / shares)
        return jnp.sqrt(jnp.maximum(jnp.linalg.eigvalsh(bound)[-1], _TINY))

    shares_of = jnp.concatenate([norms, _norms(fixed, relaxed)[None]])
    total = matrices.sum(0)
    terms = jnp.minimum(jnp.linalg.eigvalsh(matrices)[:, -1].sum(), jnp.trace(total))
    schwarz = jnp.sqrt(jnp.maximum(jnp.linalg.eigvalsh(total)[-1] * terms, _TINY))
    upper = jnp.minimum(jax.vmap(certificate)(shares_of).min(), schwarz)
    image = matrices @ direction
    lengths = jnp.sqrt(jnp.maximum((image**2).sum(1), _TINY))
    return SumOfNorms(lengths.sum(), direction, jnp.maximum(upper, lengths.sum()))


def _norms(squares: Float[Array, "entity d d"], factor: Float[Array, "d n"]) -> Float[Array, " entity"]:
    """(tr B_j² YY')^{1/2}."""
    return jnp.sqrt(jnp.maximum(jnp.einsum("kij,ij->k", squares, factor @ factor.T), 0))


# Step, factor, value, and the value one step before.
_State = tuple[Int[Array, ""], Float[Array, "d n"], Float[Array, ""], Float[Array, ""]]


def _ascend(squares: Float[Array, "entity d d"], start: Float[Array, "d n"]) -> Float[Array, "d n"]:
    """End point of the ascent, of Frobenius norm one."""

    def going(state: _State) -> Array:
        step, _, value, before = state
        return (step < _MOST_STEPS) & (value > before * (1 + _CONVERGED))

    def ascend(state: _State) -> _State:
        step, factor, value, _ = state
        norms = _norms(squares, factor)
        weights = jnp.where(norms > 0, 1 / jnp.where(norms > 0, norms, 1), 0)
        moved = jnp.einsum("kij,k->ij", squares, weights) @ factor
        moved = jax.lax.select((moved != 0).any(), _unit(moved), factor)
        return step + 1, moved, _norms(squares, moved).sum(), value

    first = _unit(start)
    value = _norms(squares, first).sum()
    return jax.lax.while_loop(going, ascend, (jnp.asarray(0), first, value, jnp.zeros_like(value)))[1]


def _unit(factor: Float[Array, "d n"]) -> Float[Array, "d n"]:
    return factor / jnp.sqrt(jnp.maximum((factor**2).sum(), _TINY))
