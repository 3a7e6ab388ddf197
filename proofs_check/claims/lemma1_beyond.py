"""Lemma 1 without β ≤ λ: ρ(Q) ≤ 1/(1 + (1-θ)δ) for all 0 < β ≤ 1, θ = max(0, (β-λ)/(β(1-λ))), proved step by step.

All entities share α and β, γS_k = λS~_k + (1-λ)S_*, δ = āβγ/(αλ), and c = ā(β-λ)/(αλ). On the range of S̲ the matrices
K_k = G_k/α = δS_k + U with U = S̲ - cS_* are definite. With J = Σ w_jK_j⁻¹, H = (I - UJ)/δ. If θδ ≤ 1, then U ⪰ 0 and
J is at least (δS̲ + U)⁻¹; if θδ ≥ 1, K_j exceeds a multiple of S_* that bounds -UJ. Only for λ = 1 can S_* reach
outside range(S̲); then θ = 0, and the steps hold on range(S̲) + range(S_*), where U ⪰ S̲.
"""

import random
from collections.abc import Callable
from typing import TypeVar

from flint import fmpq
from sympy import Expr, Symbol, simplify

from ..exact import is_stable, random_rational
from ..ledger import Finding, check
from ..noncommutative import all_hold, indexed, same, scalars, symmetric
from ..rational import consensus_feedback
from .lemma1_condition import SHAPES, Setting, mixture

Number = TypeVar("Number", Expr, fmpq)


def _theta(beta: Number, mixing: Number) -> Number:
    """θ for β > λ."""
    return (beta - mixing) / (beta * (1 - mixing))


@check(
    "lemma1.beyond.surplus",
    "symbolic",
    _theta,
    mutations={
        "θ without β": lambda beta, mixing: (beta - mixing) / (1 - mixing),
        "θ/2": lambda beta, mixing: _theta(beta, mixing) / 2,
    },
)
def surplus(formula: Callable[..., Expr]) -> Finding:
    """Noncommutative algebra: θδS_k - cS_* = (θδλ/γ)S~_k =: N_k ⪰ 0, because the coefficients of S_* cancel."""
    alpha, beta, mixing, scale = scalars("alpha beta lambda gamma")
    private, public = symmetric("private public")
    delta, c = (1 - alpha) * beta * scale / (alpha * mixing), (1 - alpha) * (beta - mixing) / (alpha * mixing)
    theta, S = formula(beta, mixing), (mixing * private + (1 - mixing) * public) / scale
    return same(theta * delta * S - c * public, theta * delta * mixing / scale * private)


@check(
    "lemma1.beyond.feedback",
    "symbolic",
    lambda U, J, delta: (1 - U * J) / delta,
    mutations={"wrong sign": lambda U, J, delta: (1 + U * J) / delta, "δ dropped": lambda U, J, delta: 1 - U * J},
)
def feedback(formula: Callable[..., Expr]) -> Finding:
    """Noncommutative algebra with K_jK_j⁻¹ = I and Σ w_j = 1, K = 1 … 4: Σ w_jS_jK_j⁻¹ with S_j = (K_j - U)/δ. So H
    has the eigenvalues (1 - ν)/δ for the eigenvalues ν of UJ, which are real because J is definite; ν ≤ 1 because
    0 ⪯ U ⪯ K_j if θδ ≤ 1, and by lemma1.beyond.lemma otherwise, so no eigenvalue of H is negative."""
    delta = scalars("delta")[0]
    U = symmetric("U")[0]
    steps = []
    for count in range(1, 5):
        grams, inverses = symmetric(indexed("K", count)), symmetric(indexed("I", count))
        first = scalars(indexed("w", count))[1:]
        shares = [1 - sum(first), *first]
        rules = {k * i: 1 for k, i in zip(grams, inverses, strict=True)}
        H = sum(w * (k - U) / delta * i for w, k, i in zip(shares, grams, inverses, strict=True))
        J = sum(w * i for w, i in zip(shares, inverses, strict=True))
        steps.append(same(H, formula(U, J, delta), rules))
    return all_hold(steps)


@check(
    "lemma1.beyond.convex",
    "symbolic",
    lambda inverse, mean_inverse: inverse - mean_inverse,
    mutations={
        "plus": lambda inverse, mean_inverse: inverse + mean_inverse,
        "not centered": lambda inverse, _: inverse,
    },
)
def convexity(formula: Callable[..., Expr]) -> Finding:
    """Noncommutative algebra for K = 1 … 4: Σ w_jK_j⁻¹ - K̄⁻¹ with K̄ = Σ w_jK_j is the sum of
    w_j(K_j⁻¹ - K̄⁻¹)K_j(K_j⁻¹ - K̄⁻¹) ⪰ 0."""
    mean_inverse = symmetric("M")[0]
    steps = []
    for count in range(1, 5):
        grams, inverses = symmetric(indexed("K", count)), symmetric(indexed("I", count))
        first = scalars(indexed("w", count))[1:]
        shares = [1 - sum(first), *first]
        rules = {product: 1 for k, i in zip(grams, inverses, strict=True) for product in (k * i, i * k)}
        mean = sum(w * k for w, k in zip(shares, grams, strict=True))
        squares = sum(
            w * formula(i, mean_inverse) * k * formula(i, mean_inverse)
            for w, k, i in zip(shares, grams, inverses, strict=True)
        )
        # K̄⁻¹ in the form K̄⁻¹ K̄ K̄⁻¹, as expanding the squares gives it
        quadratic = mean_inverse * mean * mean_inverse
        J = sum(w * i for w, i in zip(shares, inverses, strict=True))
        steps.append(same(squares, J - 2 * mean_inverse + quadratic, rules))
    return all_hold(steps)


@check(
    "lemma1.beyond.small",
    "symbolic",
    lambda theta, delta: 1 / (1 + (1 - theta) * delta),
    mutations={
        "θ = 0": lambda theta, delta: 1 / (1 + delta),
        "(1+θ)δ": lambda theta, delta: 1 / (1 + (1 + theta) * delta),
    },
)
def small_surplus(formula: Callable[..., Expr]) -> Finding:
    """Scalar algebra for θδ ≤ 1. U has eigenvalues u ≥ 1 - θδ ≥ 0 relative to S̲ (as cS_* ⪯ θδS̲), and the
    eigenvalues of UJ are at least those of U(δS̲ + U)⁻¹, which are u/(δ + u). So (1 - ν)/δ ≤ 1/(δ + u), which
    decreases in u and equals the bound at u = 1 - θδ."""
    theta, delta = scalars("theta delta")
    u, more = Symbol("u", positive=True), Symbol("more", nonnegative=True)
    value = (1 - u / (delta + u)) / delta
    steps = [same(simplify(value - 1 / (delta + u)), 0)]
    steps.append(same(simplify(value.subs(u, 1 - theta * delta) - formula(theta, delta)), 0))
    decreases = simplify(1 / (delta + u) - 1 / (delta + u + more)).is_nonnegative
    return all_hold([*steps, Finding(bool(decreases), "1/(δ + u) decreases in u")])


@check(
    "lemma1.beyond.large",
    "symbolic",
    lambda theta, delta: 1 / (1 + (1 - theta) * delta),
    mutations={"θ": lambda theta, delta: theta, "1/δ": lambda theta, delta: 1 / delta},
)
def large_surplus(formula: Callable[..., Expr]) -> Finding:
    """Noncommutative algebra for θδ ≥ 1 with a = 1/(θδ) ≤ 1, C = cS_* and S_j = a(N_j + C): -U = (1-a)C - aN̄, and
    K_j = N_j/θ + κC + aN̄ ⪰ κC with κ = (1-θ)/θ + a. So -J^{1/2}UJ^{1/2} ⪯ (1-a)/κ, and all eigenvalues of H are at
    most (1 + (1-a)/κ)/δ, which is the bound."""
    theta, delta = scalars("theta delta")
    N, mean, C = symmetric("N Nbar C")
    a = 1 / (theta * delta)
    kappa = (1 - theta) / theta + a
    pool, own = a * (mean + C), a * (N + C)
    U = pool - C
    steps = [same(-U, (1 - a) * C - a * mean), same(delta * own + U, N / theta + kappa * C + a * mean)]
    return all_hold([*steps, same(simplify((1 + (1 - a) / kappa) / delta - formula(theta, delta)), 0)])


@check(
    "lemma1.beyond",
    "exact",
    lambda theta, delta: 1 / (1 + (1 - theta) * delta),
    mutations={
        "θ = 0": lambda theta, delta: 1 / (1 + delta),
        "2δ": lambda theta, delta: 1 / (1 + 2 * (1 - theta) * delta),
        "squared": lambda theta, delta: 1 / (1 + (1 - theta) * delta) ** 2,
    },
)
def without_the_condition(formula: Callable[[fmpq, fmpq], fmpq]) -> Finding:
    """The Stein equation decides ρ(Q) ≤ bound·(1 + 10⁻⁹) for 24 random rational ecosystems with any β in (0, 1),
    K = 1 … 3, d = 2, 3, ranks from 0 and θδ below and above 1, and for 4 with λ = 1, some with S_* reaching outside
    range(S̲). The claims that it rests on prove the general case."""
    rng = random.Random(13)
    beyond = large = 0
    for trial in range(28):
        ranks, public, size = SHAPES[trial % 4]
        mixing, part = fmpq(1) if trial >= 24 else random_rational(rng), random_rational(rng)
        beta = part * mixing if trial % 5 == 0 or mixing == 1 else mixing + (1 - mixing) * part
        alpha = random_rational(rng) ** (1 + trial % 3)
        eco, scale = mixture(rng, Setting(mixing, alpha, beta), ranks, public, size)
        delta = (1 - alpha) * beta * scale / (alpha * mixing)
        theta = _theta(beta, mixing) if beta > mixing else fmpq(0)
        beyond, large = beyond + (theta > 0), large + (theta * delta > 1)
        bound = formula(theta, delta)
        if not is_stable(consensus_feedback(eco) / (bound * (1 + fmpq(1, 10**9)))):
            place = f"K = {len(ranks)}, d = {size}, λ = {float(mixing):.3f}, β = {float(beta):.3f}"
            return Finding(False, f"ρ(Q) exceeds {float(bound):.6f} ({place})")
    return Finding(
        True, f"holds for 28 random rational ecosystems, {beyond} with β > λ, {large} with θδ > 1, 4 with λ = 1"
    )
