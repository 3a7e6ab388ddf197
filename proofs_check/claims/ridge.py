"""Ridge regression in every generation: its bias with equal features, and whether it stabilizes."""

import random
from collections.abc import Callable, Mapping
from typing import Any

from flint import fmpq, fmpq_mat
from sympy import Expr, limit, oo, simplify, sqrt

from ..certified import enclose_spectral_radius
from ..exact import block, identity, outer, random_gram, random_rational, stack
from ..ledger import Finding, check
from ..noncommutative import all_hold, indexed, same, scalars, symmetric
from ..workflow_limit import Readers, equal_features, one_pool

_SHAPES = ((1, 2), (2, 3), (3, 2), (4, 1))
"""K and d."""


@check(
    "ridge.mean",
    "exact",
    lambda S, a, mu: (1 - a) * S * ((1 - a) * S + mu * identity(S.nrows())).inv(),
    mutations={
        "S(S + μ)⁻¹": lambda S, a, mu: S * (S + mu * identity(S.nrows())).inv(),
        "μ/ā²": lambda S, a, mu: (1 - a) ** 2 * S * ((1 - a) ** 2 * S + mu * identity(S.nrows())).inv(),
    },
)
def ridge_mean(formula: Callable[..., fmpq_mat]) -> Finding:
    """The fixed point of the lifted mean recursion with a common truth, (I - Q)⁻¹P(1⊗I), at random rational S, α, β and μ
    (K = 1 … 4), and the characteristic polynomial of Q, that of αS(S+μ)⁻¹ with (K-1)d further zeros."""
    rng = random.Random(1)
    for count, size in _SHAPES:
        S, a, b, mu = random_gram(rng, size, size), *(random_rational(rng) for _ in range(3))
        ecosystem = equal_features(S, one_pool([fmpq(1, count)] * count), a, b, mu)
        common = ecosystem.mean_map() * stack([identity(size)] * (count + 1))
        if common != stack([formula(S, a, mu)] * count):
            return Finding(False, f"the mean differs for K = {count}, d = {size}")
        nonzero = (a * S * (S + mu * identity(size)).inv()).charpoly().coeffs()
        if list(ecosystem.recursive().charpoly().coeffs()) != [fmpq(0)] * ((count - 1) * size) + list(nonzero):
            return Finding(False, f"Q has other eigenvalues for K = {count}, d = {size}")
    return Finding(True, f"equal at {len(_SHAPES)} random rational points, K = 1 … 4")


def ridge_covariance(S: fmpq_mat, a: fmpq, b: fmpq, count: int, shrunk: fmpq_mat) -> fmpq_mat:
    """Covariance of an estimate in units of σ², for κ = S(S+μ)⁻¹."""
    one = identity(S.nrows())
    settled = (1 - a) * shrunk * (one - a * shrunk).inv()
    own = (1 - a) ** 2 * b**2 * (1 - fmpq(1, count)) * shrunk**2
    noise = a**2 / count * shrunk**2 * (one - a**2 * shrunk**2).inv()
    return (own + (b**2 / count + (1 - b) ** 2) * settled**2 + noise) * S.inv()


@check(
    "ridge.covariance",
    "exact",
    ridge_covariance,
    mutations={
        "κ for κ² in the noise": lambda S, a, b, count, shrunk: (
            ridge_covariance(S, a, b, count, shrunk)
            + a**2 / count * (shrunk - shrunk**2) * (identity(S.nrows()) - a**2 * shrunk**2).inv() * S.inv()
        ),
        "no shrinkage": lambda S, a, b, count, shrunk: ridge_covariance(S, a, b, count, identity(S.nrows())),
        "1/K dropped": lambda S, a, b, count, shrunk: ridge_covariance(S, a, b, 1, shrunk),
    },
)
def ridge_error(formula: Callable[..., fmpq_mat]) -> Finding:
    """The blocks of the lifted limit of the covariance, by its Stein equation, at random rational S, α, β and μ (K = 1 …
    4)."""
    rng = random.Random(2)
    for count, size in _SHAPES:
        S, a, b, mu = random_gram(rng, size, size), *(random_rational(rng) for _ in range(3))
        covariance = equal_features(S, one_pool([fmpq(1, count)] * count), a, b, mu).covariance()
        wanted = formula(S, a, b, count, S * (S + mu * identity(size)).inv())
        if any(block(covariance, k, k, size) != wanted for k in range(count)):
            return Finding(False, f"the covariance differs for K = {count}, d = {size}")
    return Finding(True, f"equal at {len(_SHAPES)} random rational points, K = 1 … 4")


def _witness(penalty: int) -> Readers:
    """Two entities that are stable without a penalty, and with a large one."""
    half = fmpq(1, 2)
    private, published = [outer([1, -1]), 100 * outer([4, -9])], [outer([12, -11]), outer([11, -4])]
    return Readers(private, 0 * private[0], published, one_pool([half] * 2), [half] * 2, [fmpq(1)] * 2, penalty)


RADII = {0: ".9854", 1: "1.0189", 2: "1.021", 10: ".921"}
"""ρ by μ."""


@check(
    "ridge.destabilizes",
    "certified",
    RADII,
    mutations={
        "last digit changed at μ = 1": RADII | {1: "1.0188"},
        "last digit changed at μ = 10": RADII | {10: ".922"},
        "stable at μ = 1": RADII | {1: ".9889"},
    },
)
def small_penalty(formula: Mapping[int, str]) -> Finding:
    """Ball arithmetic encloses ρ(Q) of integer data; the quoted values are the roundings of all numbers in the ball, so
    that ρ < 1 is proved at μ = 0 and 10, and ρ > 1 at μ = 1 and 2."""
    said = []
    for penalty, quoted in formula.items():
        found = enclose_spectral_radius(_witness(penalty).recursive())
        half = 0.5 * 10.0 ** -len(quoted.partition(".")[2])
        if not float(quoted) - half <= found.lower <= found.upper <= float(quoted) + half:
            return Finding(False, f"ρ is {found.lower:.6f} at μ = {penalty}, not {quoted}")
        said.append(f"{found.lower:.6f} ({found.verdict}) at μ = {penalty}")
    return Finding(True, f"ρ is {', '.join(said)}")


@check(
    "ridge.safe",
    "symbolic",
    lambda m, t: (1 + sqrt(m)) / (2 * (1 + t)),
    mutations={
        "penalty on one part": lambda m, t: (1 + sqrt(m) / (1 + t)) / 2,
        "(1 + √m)/(2 + t)": lambda m, t: (1 + sqrt(m)) / (2 + t),
        "Theorem U": lambda m, t: (1 + sqrt(m)) / 2,
    },
)
def large_penalty(formula: Callable[[Expr, Expr], Expr]) -> Finding:
    """G_j + μI ⪰ α_j(1+t)S̲, so 0 ⪯ T_j ⪯ τI with τ = 1/(1+t), and C_j = (2/τ)T_j - I has ‖C_j‖ ≤ 1. Noncommutative
    algebra, K = 1 … 4: with Σ A_j = I, Σ A_jT_j = (τ/2)(I + Σ A_jC_j), and ‖Σ A_jC_j‖ ≤ √m by theoremU.schwarz, theoremU.
    entities and theoremU.dimension, whose only assumption on C_j is ‖C_j‖ ≤ 1. For the family of theoremU.tight,
    (G_j + μI)/α = (1+t)I + ℓu_ju_j' has an inverse by Sherman-Morrison, and the eigenvalue on 1 tends to the formula as
    ℓ → ∞. At t = (√m-1)/2 the formula is 1."""
    m, t, ell = scalars("m t ell")
    tau = 1 / (1 + t)
    steps = [same(tau / 2 * (1 + sqrt(m)), formula(m, t))]
    for count in range(1, 5):
        A, T = symmetric(indexed("A", count)), symmetric(indexed("T", count))
        last: Any = 1 - sum(A[:-1])
        parts = [*A[:-1], last]
        Z = sum(a * (2 / tau * x - 1) for a, x in zip(parts, T, strict=True))
        steps.append(same(sum(a * x for a, x in zip(parts, T, strict=True)), tau / 2 * (1 + Z)))
    u, J = symmetric("u J")  # u stands for the projection u_j u_j', J for 11'
    kappa = ell / (1 + t + ell)
    steps.append(same(((1 + t) + ell * u) * tau * (1 - kappa * u), 1, {u * u: u}))
    H = tau * (1 - kappa / 2 * (1 - J / sqrt(m)))  # (e_j'u_j)u_j = (e_j - 1/√m)/2, as in theoremU.tight
    value = tau * (1 + kappa * (sqrt(m) - 1) / 2)
    steps.append(same(H * J, value * J, {J * J: m * J}))
    steps.append(same(simplify(limit(value, ell, oo) - formula(m, t)), 0))
    steps.append(same(simplify(formula(m, (sqrt(m) - 1) / 2)), 1))
    return all_hold(steps)
