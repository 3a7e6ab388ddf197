"""Closed forms for equal features S_k = S~_k = S_* = S (theory.md, section 5), their optima, E11, and commuting
features."""

import random
from collections.abc import Callable
from functools import cache
from typing import Any

from flint import fmpq, fmpq_mat
from sympy import Expr, Poly, Rational, cancel, fraction, symbols

from ..exact import gram as gram_of
from ..exact import identity, random_gram, random_rational, solve_stein, trace
from ..ledger import Finding, check
from ..noncommutative import all_hold, same, scalars, symmetric
from ..rational import RationalEcosystem, consensus_feedback, total


def relative_error(a: Any, b: Any, K: Any) -> Any:
    """MSE_∞/V for equal features."""
    return (1 - b) ** 2 + b**2 / K + (1 - a) ** 2 * b**2 * (1 - 1 / K) + a**2 / (K * (1 - a**2))


@check(
    "symmetric.radius",
    "symbolic",
    lambda a, average: a * average,
    mutations={"α²": lambda a, average: a**2 * average, "Π dropped": lambda a, average: a},
)
def radius(formula: Callable[[Expr, Expr], Expr]) -> Finding:
    """Noncommutative algebra for all K and d: G = (āβ + āb̄ + α)S = S, so Q = αS⁻¹ΠS with Π commuting with S.
    Π² = Π then gives Q² = αQ, so the eigenvalues are 0 and α."""
    a, b = scalars("a b")
    S, Si, average = symmetric("S Si Pi")
    rules = {S * Si: 1, Si * S: 1, average * S: S * average, average * average: average}
    Q = formula(a, average)
    gram = ((1 - a) * b + (1 - a) * (1 - b) + a) * S
    return all_hold([same(gram, S), same(a * Si * average * S, Q, rules), same(Q * Q, a * Q, rules)])


@check(
    "symmetric.error",
    "symbolic",
    relative_error,
    mutations={
        "1 - 1/K dropped": lambda a, b, K: (1 - b) ** 2 + b**2 / K + (1 - a) ** 2 * b**2 + a**2 / (K * (1 - a**2)),
        "1 - a for 1 - a²": lambda a, b, K: (
            (1 - b) ** 2 + b**2 / K + (1 - a) ** 2 * b**2 * (1 - 1 / K) + a**2 / (K * (1 - a))
        ),
        "public error b²": lambda a, b, K: (
            b**2 + b**2 / K + (1 - a) ** 2 * b**2 * (1 - 1 / K) + a**2 / (K * (1 - a**2))
        ),
    },
)
def limit_error(formula: Callable[..., Expr]) -> Finding:
    """Noncommutative algebra for all K and d, in units of σ²S⁻¹: (I - aΠ)⁻¹ = I + aΠ/(1-a), M = (I - aΠ)⁻¹ ā[bI,
    b̄1], C = a²Π/(1-a²). Block (k, k) of Π is I/K, and that of 11' is I. The coefficient of block (k, k) of MM' + C
    is compared with the formula."""
    a, b, K = scalars("a b K")
    average, ones = symmetric("Pi J")  # J = 11' = KΠ
    rules = {average * average: average, average * ones: ones, ones * average: ones}
    inverse = 1 + a / (1 - a) * average
    checked = same((1 - a * average) * inverse, 1, rules)
    private = same(inverse * inverse, 1 + (1 / (1 - a) ** 2 - 1) * average, rules)
    public = same((1 - a) ** 2 * inverse * ones * inverse, ones, rules)
    stein = same(a**2 * average * (1 + a**2 / (1 - a**2) * average) * average, a**2 / (1 - a**2) * average, rules)
    diagonal = (1 - a) ** 2 * b**2 * (1 + (1 / (1 - a) ** 2 - 1) / K) + (1 - b) ** 2 + a**2 / (K * (1 - a**2))
    return all_hold([checked, private, public, stein, same(diagonal, formula(a, b, K))])


def _symmetric_ecosystem(rng: random.Random, entities: int, size: int, a: fmpq, b: fmpq) -> RationalEcosystem:
    """Random ecosystem with equal features."""
    gram, shares = random_gram(rng, size, size), [fmpq(1, entities)] * entities
    return RationalEcosystem([gram] * entities, gram, [gram] * entities, shares, [a] * entities, [b] * entities)


def limit_errors(eco: RationalEcosystem) -> list[fmpq]:
    """Exact MSE of every entity in the limit, for σ² = 1, G of full rank and real data of any rank."""
    count, size = len(eco.private), eco.public.nrows()
    inverses = [eco.training_gram(k).inv() for k in range(count)]
    H = consensus_feedback(eco)
    sensitivity = (identity(size) - H).inv()
    own = [(1 - a) * b for a, b in zip(eco.alpha, eco.beta, strict=True)]
    shared = [(1 - a) * (1 - b) for a, b in zip(eco.alpha, eco.beta, strict=True)]
    heard = [w * (s * g) for w, s, g in zip(eco.shares, eco.synthetic, inverses, strict=True)]
    learned = [sensitivity * (p * h) for p, h in zip(own, heard, strict=True)]  # by the pool, from every private moment
    public = sensitivity * total(q * h for q, h in zip(shared, heard, strict=True))
    X = solve_stein(H, total(w**2 * s for w, s in zip(eco.shares, eco.synthetic, strict=True)))
    errors = []
    for k in range(count):
        maps = [eco.alpha[k] * m + (own[k] * identity(size) if j == k else 0 * m) for j, m in enumerate(learned)]
        last = eco.alpha[k] * public + shared[k] * identity(size)
        covariance = eco.alpha[k] ** 2 * X + last * eco.public * last.transpose()
        for m, gram in zip(maps, eco.private, strict=True):
            covariance += m * gram * m.transpose()
        errors.append(trace(inverses[k] * covariance * inverses[k]))
    return errors


@check(
    "symmetric.exact",
    "exact",
    relative_error,
    mutations={
        "K - 1 for K": lambda a, b, K: (
            (1 - b) ** 2 + b**2 / K + (1 - a) ** 2 * b**2 * (1 - 1 / K) + a**2 / ((K - fmpq(1, 2)) * (1 - a**2))
        )
    },
)
def limit_error_exactly(formula: Callable[[fmpq, fmpq, fmpq], fmpq]) -> Finding:
    """The general limit in consensus form at random rational S, a, b (K = 1 … 5, d = 2, 3) equals V times the
    formula (error probability below 10⁻⁶ for each point)."""
    rng = random.Random(1)
    for entities, size in ((1, 2), (2, 2), (3, 2), (5, 3)):
        a, b = random_rational(rng), random_rational(rng)
        eco = _symmetric_ecosystem(rng, entities, size, a, b)
        V = trace(eco.public.inv())
        if any(error != V * formula(a, b, fmpq(entities)) for error in limit_errors(eco)):
            return Finding(False, f"differs for K = {entities}, d = {size}")
    return Finding(True, "equal at 4 random rational points, K = 1, 2, 3, 5")


@check(
    "symmetric.no_public",
    "symbolic",
    lambda a, K: 1 / ((K - 1) * (1 - a) ** 2 + 1 / (1 - a**2)),
    mutations={
        "K for K - 1": lambda a, K: 1 / (K * (1 - a) ** 2 + 1 / (1 - a**2)),
        "1 - a": lambda a, K: 1 / ((K - 1) * (1 - a) ** 2 + 1 / (1 - a)),
    },
)
def without_public(formula: Callable[..., Expr]) -> Finding:
    """Scalar algebra: V/K, the error of the best estimator that uses all K datasets, divided by symmetric.error at
    b = 1; for K = 1 this is 1 - a²."""
    a, K = scalars("a K")
    efficiency = 1 / K / relative_error(a, 1, K)
    return all_hold([same(cancel(efficiency - formula(a, K)), 0), same(cancel(formula(a, 1)), 1 - a**2)])


OPTIMA = {
    2: (".2177", ".5537", ".7075"),
    3: (".3687", ".6254", ".5854"),
    4: (".4628", ".6819", ".5178"),
    10: (".6623", ".8315", ".3686"),
    20: (".7487", ".9009", ".2924"),
    50: (".8226", ".9516", ".2173"),
}
"""α*, β* and the efficiency there to four digits, by K."""


@cache
def _optimum(error: Callable[..., Expr], K: int) -> list[tuple[Any, Any]]:
    """Rational enclosures of α*, β* and the efficiency there, for an error that is quadratic in b.

    SymPy derives the minimum over b and the derivative in a of the error there, which must be negative at 0 and have
    exactly one root between 0 and 1.

    Raises:
        ArithmeticError: the error does not have this form.
    """
    a, b = symbols("a b")
    parabola = Poly(error(a, b, Rational(K)), b)
    bend, tilt = parabola.coeff_monomial(b**2), parabola.coeff_monomial(b)
    vertex = cancel(-tilt / (2 * bend))
    least = cancel(error(a, vertex, Rational(K)))
    parts: Any = [Poly(part, a) for part in fraction(cancel(least.diff(a)))]
    slope, below = parts
    turns, poles = (part.count_roots(0, 1) - part.count_roots(1, 1) for part in (slope, below))
    if (
        parabola.degree() != 2
        or not bend.subs(a, 0) > 0
        or turns != 1
        or poles
        or not slope.eval(0) / below.eval(0) < 0
    ):
        raise ArithmeticError(f"the error does not have exactly one stationary point for K = {K}")
    ((low, high),) = [ends for ends, _ in slope.intervals(eps=Rational(1, 10**12)) if ends[0] > 0 and ends[1] < 1]
    slack = Rational(1, 10**10)  # slopes of vertex and least error are below 100, over an interval of 10⁻¹²
    place, error_there = (sorted(value.subs(a, end) for end in (low, high)) for value in (vertex, least))
    efficiency = [1 / ((K + 1) * (error_there[1] + slack)), 1 / ((K + 1) * (error_there[0] - slack))]
    return [(low, high), (place[0] - slack, place[1] + slack), (efficiency[0], efficiency[1])]


@check(
    "symmetric.optima",
    "exact",
    (OPTIMA, relative_error),
    mutations={
        "α* at K = 2 off by 10⁻⁴": (OPTIMA | {2: (".2178", ".5537", ".7075")}, relative_error),
        "efficiency at K = 50 off by 10⁻⁴": (OPTIMA | {50: (".8226", ".9516", ".2174")}, relative_error),
        "noise a²/K² in the error": (
            OPTIMA,
            lambda a, b, K: relative_error(a, b, K) + a**2 / (K * (1 - a**2)) * (1 / K - 1),
        ),
    },
)
def optima(formula: tuple[dict[int, tuple[str, str, str]], Callable[..., Expr]]) -> Finding:
    """From symmetric.error by SymPy: the minimum over b, and the derivative in a of the error there. Its root in
    (0, 1) is unique by Sturm's theorem and isolated to 10⁻¹² by rational root isolation, and the table must be the
    rounding to four digits."""
    table, error = formula
    for K, row in table.items():
        for name, quoted, (low, high) in zip(("α*", "β*", "efficiency"), row, _optimum(error, K), strict=True):
            value = Rational(quoted)
            if not value - Rational(1, 20000) <= low <= high <= value + Rational(1, 20000):
                return Finding(False, f"K = {K}: {name} lies in [{float(low):.7f}, {float(high):.7f}], not at {quoted}")
    return Finding(
        True, f"unique optimum, and all digits of the table are correct, for K = {', '.join(map(str, table))}"
    )


AT_HALF = {2: ".5818", 4: ".4518", 10: ".2494", 50: ".0607"}


@check(
    "symmetric.half",
    "exact",
    (AT_HALF, relative_error),
    mutations={
        "K = 4 off by 10⁻⁴": (AT_HALF | {4: ".4519"}, relative_error),
        "another optimum V/K": (AT_HALF, lambda a, b, K: relative_error(a, b, K) * K / (K + 1)),
    },
)
def at_half(formula: tuple[dict[int, str], Callable[..., Expr]]) -> Finding:
    """1/((K+1) error) at (1/2, 1/2) in rational arithmetic, rounded to four digits."""
    table, error = formula
    for K, quoted in table.items():
        value = 1 / ((K + 1) * error(Rational(1, 2), Rational(1, 2), Rational(K)))
        if abs(value - Rational(quoted)) > Rational(1, 20000):
            return Finding(False, f"K = {K}: the efficiency is {float(value):.6f}, not {quoted}")
    return Finding(True, "all digits are correct")


_GRID = [(fmpq(a, 100), fmpq(b, 100)) for a in (21, 36, 50, 65) for b in (10, 50, 72, 90)]


@cache
def _fig2_like() -> dict[tuple[fmpq, fmpq], fmpq]:
    """Mean relative efficiency on a small grid of weights, for K = 4, d = 6, private features of rank 2, S = S~ and
    public features of full rank."""
    rng = random.Random(0)
    *private, public = (
        gram_of(fmpq_mat(rows, 6, [rng.randint(-4, 4) for _ in range(rows * 6)])) for rows in (2, 2, 2, 2, 6)
    )
    best = trace(total([*private, public]).inv())
    found = {}
    for alpha, beta in _GRID:
        weights = [alpha] * 4, [beta] * 4
        errors = limit_errors(RationalEcosystem(private, public, private, [fmpq(1, 4)] * 4, *weights))
        found[alpha, beta] = sum((best / error for error in errors), fmpq(0)) / 4
    return found


@check(
    "E11",
    "exact",
    lambda grid: [(a, b) for a, b in grid if (a, b) != (fmpq(1, 2), fmpq(1, 2))],
    printed={"(.5, .5)": lambda grid: [(fmpq(1, 2), fmpq(1, 2))]},
    mutations={
        "the most private data": lambda grid: [(a, b) for a, b in grid if b == fmpq(9, 10) and a == fmpq(65, 100)]
    },
)
def best_weights(formula: Callable[[list[tuple[fmpq, fmpq]]], list[tuple[fmpq, fmpq]]]) -> Finding:
    """Exact mean efficiencies of a random rational ecosystem like that of Figure 2 (K = 4, d = 6, private rank 2,
    S = S~) on 16 weights: the formula names weights, and the best ones must be among them. For equal features,
    symmetric.error at (.5, β) is compared with (.5, .5), for K = 2 … 50 and β = .51, .6, .7."""
    half = fmpq(1, 2)
    for K in range(2, 51):
        for beta in (fmpq(51, 100), fmpq(3, 5), fmpq(7, 10)):
            if relative_error(half, beta, fmpq(K)) >= relative_error(half, half, fmpq(K)):
                return Finding(False, f"equal features, K = {K}: (.5, {float(beta)}) is no better than (.5, .5)")
    values = _fig2_like()
    best = max(values, key=lambda key: values[key])
    here = values[fmpq(1, 2), fmpq(1, 2)]
    place = f"({float(best[0])}, {float(best[1])})"
    said = f"mean efficiency is {float(values[best]):.4f} at (α, β) = {place} and {float(here):.4f} at (.5, .5)"
    return Finding(best in formula(_GRID), said)


@check(
    "commuting",
    "symbolic",
    lambda share, s, r, a, pool: share * s * r / (pool * (a * pool + r)),
    mutations={
        "α_j left out": lambda share, s, r, a, pool: share * s * r / (pool * (pool + r)),
        "r_j²": lambda share, s, r, a, pool: share * s * r**2 / (pool * (a * pool + r)),
    },
)
def commuting(formula: Callable[..., Expr]) -> Finding:
    """One coordinate for any K: h = Σ w_jα_js_j/(α_js̲ + r_j), where r_j ≥ 0 is the weighted real data of entity j
    in that coordinate, and 1 = Σ w_js_j/s̲. Term by term the difference is the formula, which is nonnegative, so H
    is diagonal with entries in [0, 1]."""
    share, s, r, a, pool = symbols("w s r a pool", positive=True)
    gap = share * s / pool - share * a * s / (a * pool + r)
    found, claimed = same(cancel(gap - formula(share, s, r, a, pool)), 0), cancel(gap).is_positive
    return found if found.holds is False or claimed else Finding(False, "a term is not positive")
