"""Largest sum of norms Σ_j |B_j x| over unit vectors x, with a certificate."""

from functools import singledispatch
from typing import NamedTuple

import numpy as np

from ..arrays import constant, einsum, namespace
from ..shapes import Array, Bool, Float, Int

_STARTS = 8
_MOST_STEPS = 300
_CONVERGED = 1e-14  # relative increase per step
_LEAST_SHARE = 1e-9  # of one norm in the sum, in the certificate
_TINY = 1e-300


class SumOfNorms(NamedTuple):
    """max_{|x|=1} Σ_j |B_j x| for symmetric positive semi-definite matrices B_j.

    Attributes:
        attained: the largest value found, at `direction`.
        direction: the unit vector x.
        upper: a bound that no x exceeds; it equals `attained` where that is certainly the maximum.
    """

    attained: Float[Array, ""]
    direction: Float[Array, " d"]
    upper: Float[Array, ""]


@singledispatch
def largest_sum_of_norms(matrices: Float[Array, "entity d d"]) -> SumOfNorms:
    """Largest Σ_j |B_j x|, by a monotone ascent from several starts, and a certified upper bound.

    With X = YY' and tr X = 1, Σ_j (tr B_j² X)^{1/2} is convex in Y, so the step Y ← Σ_j B_j² Y/(tr B_j² X)^{1/2}, normalized, never
    lowers it. Vectors Y = x give the sum itself, with local maxima. For square Y the function is concave in X, so the ascent
    from Y = I ends in the maximum over all X, which is at least that over X = xx'. There, and for any shares c_j > 0 of the
    sum, Σ_j |B_j x| ≤ (Σ_j |B_j x|²/c_j)^{1/2} ≤ λ_max(Σ_j B_j²/c_j)^{1/2}, which the end points of all ascents make small.
    Derivatives are those at fixed end points, as for every maximum.
    """
    xp, squares = namespace(matrices), matrices @ matrices
    end = ascend(constant(squares))
    direction = end.factors[xp.argmax(end.norms[:-1].sum(1)), :, 0]

    shares = xp.maximum(end.norms / xp.maximum(end.norms.sum(1, keepdims=True), _TINY), _LEAST_SHARE)
    bounds = einsum("kij,sk->sij", squares, shares.sum(1, keepdims=True) / shares)
    certificates = xp.sqrt(xp.maximum(xp.linalg.eigvalsh(bounds)[:, -1], _TINY))

    terms = xp.linalg.eigvalsh(matrices)[:, -1].sum()
    schwarz = xp.sqrt(xp.maximum(xp.linalg.eigvalsh(matrices.sum(0))[-1] * terms, _TINY))
    lengths = xp.sqrt(xp.maximum(((matrices @ direction) ** 2).sum(1), _TINY))
    upper = xp.minimum(certificates.min(), schwarz)
    return SumOfNorms(lengths.sum(), direction, xp.maximum(upper, lengths.sum()))


class Ascent(NamedTuple):
    """Where the ascents from all starts have got to.

    Attributes:
        step: number of steps.
        factors: Y, of Frobenius norm one: vectors in the first column, and last a square one.
        norms: (tr B_j² YY')^{1/2}.
        before: Σ_j of the norms one step before.
    """

    step: Int[Array, ""] | int
    factors: Float[Array, "start d d"]
    norms: Float[Array, "start entity"]
    before: Float[Array, " start"]


@singledispatch
def ascend(squares: Float[Array, "entity d d"]) -> Ascent:
    """End points of the ascents, from the B_j²."""
    now = start(squares)
    while goes_on(now):
        now = climb(squares, now)
    return now


def start(squares: Float[Array, "entity d d"]) -> Ascent:
    """Random vectors, and last Y = I."""
    xp, size = namespace(squares), squares.shape[-1]
    vectors = xp.asarray(np.random.default_rng(0).normal(size=(_STARTS, size, 1)))
    vectors = xp.pad(vectors, ((0, 0), (0, 0), (0, size - 1)))
    factors = _unit(xp.concatenate([vectors, xp.eye(size)[None]]))
    norms = _norms(squares, factors)
    return Ascent(0, factors, norms, xp.zeros_like(norms[:, 0]))


def goes_on(now: Ascent) -> Bool[Array, ""]:
    """Whether another step raises a sum."""
    return (now.step < _MOST_STEPS) & (now.norms.sum(1) > now.before * (1 + _CONVERGED)).any()


def climb(squares: Float[Array, "entity d d"], now: Ascent) -> Ascent:
    """One step of every ascent."""
    xp = namespace(squares)
    weights = xp.where(now.norms > 0, 1 / xp.where(now.norms > 0, now.norms, 1), 0)
    moved = (weights @ squares.reshape(len(squares), -1)).reshape(now.factors.shape) @ now.factors
    moved = xp.where((moved != 0).any((1, 2), keepdims=True), _unit(moved), now.factors)
    return Ascent(now.step + 1, moved, _norms(squares, moved), now.norms.sum(1))


def _norms(squares: Float[Array, "entity d d"], factors: Float[Array, "start d d"]) -> Float[Array, "start entity"]:
    xp, outer = namespace(squares), (factors @ factors.mT).reshape(len(factors), -1)
    return xp.sqrt(xp.maximum(outer @ squares.reshape(len(squares), -1).T, 0))


def _unit(factors: Float[Array, "start d d"]) -> Float[Array, "start d d"]:
    xp = namespace(factors)
    return factors / xp.sqrt(xp.maximum((factors**2).sum((1, 2), keepdims=True), _TINY))
