"""Entities whose truths differ: what the means of their estimates tend to (theory.md, section 5)."""

import random
from collections.abc import Callable, Sequence
from typing import Any

from flint import fmpq, fmpq_mat
from sympy import Expr, S

from ..certified import enclose_spectral_radius
from ..exact import column, identity, outer, random_gram, random_matrix, random_rational, stack
from ..ledger import Finding, check
from ..noncommutative import all_hold, matrices, same, scalars
from ..rational import total
from ..workflow_limit import Readers, one_pool
from ..workflow_rows import random_shares

_A, _B = scalars("a b")
_AVERAGE, _THETA, _PUBLIC = matrices("average theta public")
_RULES = {_AVERAGE * _AVERAGE: _AVERAGE, _AVERAGE * _PUBLIC: _PUBLIC}
"""The average is 1w'⊗I, θ stacks θ_1 … θ_K, and public stands for 1⊗θ_*."""


def _equal_features_mean(a: Any, b: Any, own: Any, mean: Any, public: Any) -> Any:
    """āb θ_k + ab θ̄ + b̄ θ_*."""
    return (1 - a) * b * own + a * b * mean + (1 - b) * public


@check(
    "truths.equal_features",
    "symbolic",
    _equal_features_mean,
    mutations={
        "āb̄ θ_*": lambda a, b, own, mean, public: (1 - a) * b * own + a * b * mean + (1 - a) * (1 - b) * public,
        "āb θ_k + a θ̄": lambda a, b, own, mean, public: (1 - a) * b * own + a * mean + (1 - b) * public,
    },
)
def equal_features_mean(formula: Callable[..., Expr]) -> Finding:
    """Noncommutative algebra for all K, d and shares: Q = aP with the projection P = 1w'⊗I, and the formula solves
    x = ā(bθ + b̄ 1⊗θ_*) + aPx. Since a < 1 and all eigenvalues of P are 0 or 1, this has no other solution."""
    x = formula(_A, _B, _THETA, _AVERAGE * _THETA, _PUBLIC)
    return same(x, (1 - _A) * (_B * _THETA + (1 - _B) * _PUBLIC) + _A * _AVERAGE * x, _RULES)


@check(
    "truths.price",
    "symbolic",
    lambda a, b: (1 - (1 - a) * b) ** 2,
    mutations={
        "a²b²": lambda a, b: a**2 * b**2,
        "1 - (āb)²": lambda a, b: 1 - ((1 - a) * b) ** 2,
    },
)
def price(formula: Callable[[Expr, Expr], Expr]) -> Finding:
    """Noncommutative algebra: with 1⊗θ_* = Pθ, the mean of truths.equal_features minus θ is -(1-āb)(θ - Pθ), so that
    every squared bias is the square of the factor times |θ_k - θ̄|²."""
    mean = _equal_features_mean(_A, _B, _THETA, _AVERAGE * _THETA, _AVERAGE * _THETA)
    factor = 1 - (1 - _A) * _B
    bias = same(mean - _THETA, -factor * (_THETA - _AVERAGE * _THETA), _RULES)
    return all_hold([bias, same(factor**2, formula(_A, _B))])


_TINY = fmpq(1, 2**200)


def _consensus(
    shares: Sequence[fmpq], grams: Sequence[fmpq_mat], real: Sequence[fmpq_mat], told: Sequence[fmpq_mat], order: bool
) -> fmpq_mat:
    """(Σ w_jS_jS̲⁻¹R_j)⁻¹ Σ w_jS_jS̲⁻¹R_jθ_j; with S_j behind S̲⁻¹ if `order` is False."""
    inverse = total(w * s for w, s in zip(shares, grams, strict=True)).inv()
    weights = [w * (s * inverse if order else inverse * s) for w, s in zip(shares, grams, strict=True)]
    heard = total(w * r for w, r in zip(weights, real, strict=True))
    return heard.solve(total(w * t for w, t in zip(weights, told, strict=True)))


@check(
    "truths.consensus",
    "exact",
    lambda shares, grams, real, told: _consensus(shares, grams, real, told, True),
    mutations={
        "S̲⁻¹S_j": lambda shares, grams, real, told: _consensus(shares, grams, real, told, False),
        "pooled least squares": lambda shares, grams, real, told: total(real).solve(total(told)),
        "weighted by shares only": lambda shares, grams, real, told: total(
            w * r for w, r in zip(shares, real, strict=True)
        ).solve(total(w * t for w, t in zip(shares, told, strict=True))),
    },
)
def consensus(formula: Callable[..., fmpq_mat]) -> Finding:
    """Noncommutative algebra: with T = (S̲ + rR)⁻¹, r = ā/α, the resolvent identity S̲⁻¹ = S̲⁻¹(S̲ + rR)T = T + rS̲⁻¹RT turns the mean's
    fixed point x = S̲⁻¹z into Σ w_jS_jS̲⁻¹R_jT_j z = Σ w_jS_jT_jR_jθ_j for every α, which is the formula where T_j = S̲⁻¹.
    The lifted fixed point at 1 - α = 2⁻²⁰⁰ is compared with the formula to within 2⁻¹⁰⁰ at random rational points with
    unequal shares, β_k and truths, and singular R_j (K = 2 and 3, d = 2 and 3)."""
    (r,) = scalars("r")
    V, T, R, pool = matrices("V T R pool")
    left = same(V * (pool + r * R) * T, T + r * V * R * T, {V * pool: S.One})  # V = S̲⁻¹
    if not left.holds:
        return left
    rng = random.Random(1)
    for count, size in ((2, 2), (3, 2), (3, 3)):
        shares = random_shares(rng, count)
        alpha, beta = [1 - _TINY] * count, [random_rational(rng) for _ in range(count)]
        private = [random_gram(rng, size, size - 1) for _ in range(count)]
        public, published = random_gram(rng, size, 1), [random_gram(rng, size, size) for _ in range(count)]
        truths = [random_matrix(rng, size, 1) for _ in range(count + 1)]
        real = [b * s + (1 - b) * public for b, s in zip(beta, private, strict=True)]
        told = [
            b * s * theta + (1 - b) * public * truths[-1]
            for b, s, theta in zip(beta, private, truths[:-1], strict=True)
        ]
        means = Readers(private, public, published, one_pool(shares), alpha, beta).mean_map() * stack(truths)
        apart = means - stack([formula(shares, published, real, told)] * count)
        if any(abs(entry) > fmpq(1, 2**100) for entry in apart.entries()):
            return Finding(False, f"the lifted fixed point is another for K = {count}, d = {size}")
    return Finding(True, "the lifted fixed point is within 2⁻¹⁰⁰ of the formula at 3 random rational points")


def _hull(public: fmpq) -> Readers:
    """Two entities that publish on one feature each, and know one direction well, besides public data S_* = public I."""
    private = [100 * outer([5, -12]), 100 * outer([-12, 5])]
    published = [fmpq_mat([[2, 0], [0, 0]]), fmpq_mat([[0, 0], [0, 2]])]
    half = [fmpq(1, 2)] * 2
    return Readers(private, public * identity(2), published, one_pool(half), half, half)


@check(
    "truths.hull",
    "certified",
    (fmpq(9, 20), 12),
    mutations={
        "S_* = 9/10 I": (fmpq(9, 10), 12),
        "beyond 13": (fmpq(9, 20), 13),
        "S_* = I/5": (fmpq(1, 5), 12),
    },
)
def hull(formula: tuple[fmpq, int]) -> Finding:
    """K = d = 2, α = β = 1/2, S_1 = 2e_1e_1', S_2 = 2e_2e_2', S~_1 = 100(5,-12)(·)', S~_2 = 100(-12,5)(·)', S_* = 9/20 I:
    ball arithmetic proves ρ(Q) < 1, and the limits of the means are computed in rational arithmetic for θ_1 = (1,-1),
    θ_2 = (-1,1), θ_* = 0. The formula is the strength of the public data, and what every coordinate exceeds."""
    public, least = formula
    ecosystem = _hull(public)
    radius = enclose_spectral_radius(ecosystem.recursive())
    if radius.verdict != "stable":
        return Finding(False, f"ρ(Q) is at least {radius.lower:.4f}")
    means = (ecosystem.mean_map() * column([1, -1, -1, 1, 0, 0])).entries()
    said = ", ".join(f"({float(means[2 * k]):.2f}, {float(means[2 * k + 1]):.2f})" for k in range(2))
    return Finding(all(mean > least for mean in means), f"ρ(Q) < {radius.upper:.6f} and the means tend to {said}")
