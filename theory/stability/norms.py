"""Largest sum of norms Σ_j |B_j x| over unit vectors x, with a certificate."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

_STARTS = 8
_MOST_STEPS = 300
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
    squares = matrices @ matrices
    ends, norms = _ascend(jax.lax.stop_gradient(squares))
    direction = ends[jnp.argmax(norms[:-1].sum(1)), :, 0]

    def certificate(norms: Float[Array, " entity"]) -> Float[Array, ""]:
        shares = jnp.maximum(norms / jnp.maximum(norms.sum(), _TINY), _LEAST_SHARE)
        bound = jnp.einsum("kij,k->ij", squares, shares.sum() / shares)
        return jnp.sqrt(jnp.maximum(jnp.linalg.eigvalsh(bound)[-1], _TINY))

    total = matrices.sum(0)
    terms = jnp.linalg.eigvalsh(matrices)[:, -1].sum()
    schwarz = jnp.sqrt(jnp.maximum(jnp.linalg.eigvalsh(total)[-1] * terms, _TINY))
    upper = jnp.minimum(jax.vmap(certificate)(norms).min(), schwarz)
    image = matrices @ direction
    lengths = jnp.sqrt(jnp.maximum((image**2).sum(1), _TINY))
    return SumOfNorms(lengths.sum(), direction, jnp.maximum(upper, lengths.sum()))


# Step, factors Y, the norms (tr B_j² YY')^{1/2}, and their sums one step before; one entry per start.
_State = tuple[Int[Array, ""], Float[Array, "start d d"], Float[Array, "start entity"], Float[Array, " start"]]


def _ascend(squares: Float[Array, "entity d d"]) -> tuple[Float[Array, "start d d"], Float[Array, "start entity"]]:
    """End points Y of the ascents, of Frobenius norm one, and their norms: random vectors in the first column, and last Y = I."""
    size = squares.shape[-1]
    flat = squares.reshape(len(squares), -1)
    random = jax.random.normal(jax.random.key(0, impl="threefry2x32"), (_STARTS, size, 1), dtype=float)
    vectors = jnp.pad(random, ((0, 0), (0, 0), (0, size - 1)))

    def norms_of(factors: Float[Array, "start d d"]) -> Float[Array, "start entity"]:
        outer = (factors @ factors.mT).reshape(len(factors), -1)
        return jnp.sqrt(jnp.maximum(outer @ flat.T, 0))

    def going(state: _State) -> Array:
        step, _, norms, before = state
        return (step < _MOST_STEPS) & (norms.sum(1) > before * (1 + _CONVERGED)).any()

    def ascend(state: _State) -> _State:
        step, factors, norms, _ = state
        weights = jnp.where(norms > 0, 1 / jnp.where(norms > 0, norms, 1), 0)
        moved = (weights @ flat).reshape(factors.shape) @ factors
        moved = jnp.where((moved != 0).any((1, 2), keepdims=True), _unit(moved), factors)
        return step + 1, moved, norms_of(moved), norms.sum(1)

    first = _unit(jnp.concatenate([vectors, jnp.eye(size)[None]]))
    norms = norms_of(first)
    _, ends, norms, _ = jax.lax.while_loop(going, ascend, (jnp.asarray(0), first, norms, 0 * norms.sum(1)))
    return ends, norms


def _unit(factors: Float[Array, "start d d"]) -> Float[Array, "start d d"]:
    return factors / jnp.sqrt(jnp.maximum((factors**2).sum((1, 2), keepdims=True), _TINY))
