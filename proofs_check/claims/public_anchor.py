"""Public data as an anchor: bounds of ρ(Q) beside data that all entities share (theory.md, section 3)."""

import random
from collections.abc import Callable

from flint import fmpq, fmpq_mat
from sympy import Expr, limit, oo, simplify, solve, sqrt

from ..exact import identity, is_semidefinite, random_gram, random_rational, trace
from ..ledger import Finding, check
from ..noncommutative import all_hold, indexed, same, scalars, symmetric
from ..rational import RationalEcosystem, consensus_feedback


@check(
    "anchor.bound",
    "symbolic",
    lambda low, high, Z: (low + high) / 2 + (high - low) / 2 * Z,
    mutations={
        "τ for the mean": lambda low, high, Z: high + (high - low) / 2 * Z,
        "difference not halved": lambda low, high, Z: (low + high) / 2 + (high - low) * Z,
    },
)
def two_sided(formula: Callable[..., Expr]) -> Finding:
    """Noncommutative algebra, K = 1 … 4: with C_j = (2T_j - τ - τ')/(τ - τ') and Σ A_j = I, Σ A_jT_j is the formula for Z
    = Σ A_jC_j; and I - C_j² = 4(τ - T_j)(T_j - τ')/(τ-τ')², whose commuting factors are ⪰ 0 for τ' ⪯ T_j ⪯ τ, so ‖C_j‖ ≤
    1 and ‖Z‖ ≤ ν by prompts.bound."""
    low, high = scalars("low high")
    steps = []
    for count in range(1, 5):
        A, T = symmetric(indexed("A", count)), symmetric(indexed("T", count))
        parts = [*A[:-1], 1 - sum(A[:-1])]
        contractions = [(2 * t - low - high) / (high - low) for t in T]
        Z = sum(a * c for a, c in zip(parts, contractions, strict=True))
        steps.append(same(sum(a * t for a, t in zip(parts, T, strict=True)), formula(low, high, Z)))
        steps += [
            same(1 - c * c, 4 * (high - t) * (t - low) / (high - low) ** 2)
            for c, t in zip(contractions, T, strict=True)
        ]
    return all_hold(steps)


@check(
    "anchor.attained",
    "symbolic",
    lambda low, high, m: (low + high) / 2 + sqrt(m) * (high - low) / 2,
    mutations={
        "m for √m": lambda low, high, m: (low + high) / 2 + m * (high - low) / 2,
        "(1 + √m)τ/2": lambda low, high, m: (1 + sqrt(m)) * high / 2,
    },
)
def anchored_family(formula: Callable[..., Expr]) -> Finding:
    """For disjoint prompts, S_* = sS̲ and S~_j = Lu_ju_j' with the u_j of theoremU.tight, G_j/α = (1+t)I + ℓu_ju_j', t =
    āb̄s/α and ℓ = āβL/α. By Sherman-Morrison α G_j⁻¹ = τ(I - κu_ju_j') with κ = ℓ/(1+t+ℓ), so H has the eigenvalue τ(1 +
    κ(√m-1)/2) on 1, which is the formula with τ = 1/(1+t), τ' = 1/(1+t+ℓ)."""
    t, ell, m = scalars("t ell m")
    high, low = 1 / (1 + t), 1 / (1 + t + ell)
    kappa = ell / (1 + t + ell)
    u, J = symmetric("u J")  # u stands for the projection u_ju_j', J for 11'
    steps = [same(((1 + t) + ell * u) * high * (1 - kappa * u), 1, {u * u: u})]
    H = high * (1 - kappa / 2 * (1 - J / sqrt(m)))
    steps.append(same(H * J, formula(low, high, m) * J, {J * J: m * J}))
    return all_hold(steps)


@check(
    "anchor.threshold",
    "symbolic",
    lambda m: (sqrt(m) - 1) / 2,
    mutations={"√m/2": lambda m: sqrt(m) / 2, "(√m + 1)/2": lambda m: (sqrt(m) + 1) / 2, "m": lambda m: (m - 1) / 2},
)
def no_divergence(formula: Callable[[Expr], Expr]) -> Finding:
    """The bound of anchor.attained tends to (1+√m)/(2(1+t)) from below as ℓ → ∞; it falls in t and is 1 at the formula.
    Below that t some L gives ρ(Q) > 1. The quoted numbers are its roundings at m = 2, 3, 4, 10, 100."""
    t, ell, m = scalars("t ell m")
    value = (1 / (1 + t) + 1 / (1 + t + ell)) / 2 + sqrt(m) * (1 / (1 + t) - 1 / (1 + t + ell)) / 2
    end = limit(value, ell, oo)
    at_one = solve(simplify(end) - 1, t)
    steps = [same(simplify(end - (1 + sqrt(m)) / (2 * (1 + t))), 0)]
    steps.append(Finding(len(at_one) == 1 and simplify(at_one[0] - formula(m)) == 0, f"the bound is 1 at t = {at_one}"))
    steps.append(Finding(bool(simplify(-end.diff(t)).is_positive), "the bound falls in t"))
    for size, quoted in ((2, ".207"), (3, ".366"), (4, ".5"), (10, "1.08"), (100, "4.5")):
        half = 0.5 * 10.0 ** -len(quoted.partition(".")[2])
        close = abs(float(formula(m).subs(m, size)) - float(quoted)) <= half
        steps.append(Finding(close, "the quoted numbers are its roundings"))
    return all_hold(steps)


@check(
    "anchor.general",
    "exact",
    lambda largest, count, effective: largest * min(count * largest, effective),
    mutations={
        "τ_1² alone": lambda largest, count, effective: largest * largest,
        "a quarter of the effective dimension": lambda largest, count, effective: (
            largest * min(count * largest, effective / 4)
        ),
    },
)
def effective_dimension(formula: Callable[..., fmpq]) -> Finding:
    """Rational arithmetic at random ecosystems with public data of any size and rank and unequal α_k, β_k (K = 2, 3, d =
    2, 3), near-extremal ones among them: with M = S̲ + C and C = min_k(ā_kb̄_k/α_k)S_*, the matrix Y = M^{-1/2}(2H -
    S̲M⁻¹)M^{1/2} has Y'Y ⪯ τ_1 min(Kτ_1, tr T_0)I for a rational τ_1 ≥ ‖M^{-1/2}S̲M^{-1/2}‖. In general, Y = Σ B_jC_j
    with contractions C_j and Σ B_j ~ T_0, and as in theoremU.schwarz ‖Y‖² ≤ ‖Σ B_j‖ ‖Σ C_jB_jC_j‖, whose last factor is
    at most Kτ_1 and at most tr T_0. So ρ(Q) ≤ (‖T_0‖ + ‖Y‖)/2."""
    rng = random.Random(5)
    cases = [_random(rng, count, size, rank) for count, size, rank in ((2, 2, 1), (3, 2, 1), (3, 3, 2), (2, 3, 3))]
    cases += [_extremal(size, weight) for size in (2, 3) for weight in (fmpq(1, 100), fmpq(1, 3))]
    for eco in cases:
        count, pool = len(eco.private), eco.pool_gram
        least = min((1 - a) * (1 - b) / a for a, b in zip(eco.alpha, eco.beta, strict=True))
        M = pool + least * eco.public
        largest = _norm_above(pool, M)
        Z = 2 * consensus_feedback(eco) - pool * M.inv()
        bound = formula(largest, count, trace(pool * M.inv()))
        if not is_semidefinite(bound * M.inv() - Z.transpose() * M.inv() * Z):
            return Finding(False, f"‖Y‖² exceeds {float(bound):.4f} for K = {count}, d = {pool.nrows()}")
    return Finding(True, f"proved for {len(cases)} ecosystems, near-extremal ones among them")


def _norm_above(pool: fmpq_mat, M: fmpq_mat) -> fmpq:
    """A rational number at most 10⁻⁶ above the largest eigenvalue of S̲M⁻¹, which is at most 1."""
    low, high = fmpq(0), fmpq(1)
    while high - low > fmpq(1, 10**6):
        middle = (low + high) / 2
        low, high = (low, middle) if is_semidefinite(middle * M - pool) else (middle, high)
    return high


def _random(rng: random.Random, count: int, size: int, rank: int) -> RationalEcosystem:
    shares = [random_rational(rng) for _ in range(count)]
    return RationalEcosystem(
        [1000 * random_gram(rng, size, rank) for _ in range(count)],
        random_gram(rng, size, rank),
        [random_gram(rng, size, size) for _ in range(count)],
        [share / sum(shares, fmpq(0)) for share in shares],
        [random_rational(rng) for _ in range(count)],
        [random_rational(rng) for _ in range(count)],
    )


def _extremal(size: int, weight: fmpq) -> RationalEcosystem:
    """Nearly the family of theoremU.tight beside public data sI."""
    near = fmpq(round(10**6 / size**0.5), 10**6)
    units = identity(size).tolist()
    known = [fmpq_mat(size, 1, [entry - near for entry in unit]) for unit in units]
    return RationalEcosystem(
        [10**6 * u * u.transpose() for u in known],
        weight * identity(size),
        [size * fmpq_mat(size, 1, unit) * fmpq_mat(1, size, unit) for unit in units],
        [fmpq(1, size)] * size,
        [fmpq(1, 2)] * size,
        [fmpq(1, 2)] * size,
    )
