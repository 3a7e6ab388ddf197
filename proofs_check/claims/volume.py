"""The large-volume limit: with common prompts scaled by c → ∞, r = αc/ā → ∞ and r/c → 0, every entity attains the
pooled optimum.

Notation: x = 1/r, R_j = βS~_j + b̄S_*, so that G_j = āR_j + αcS = αc(S + xR_j); Y_j = (S + xR_j)⁻¹.
"""

import random
from collections.abc import Callable
from typing import Any

from flint import fmpq, fmpq_mat
from sympy import Expr, Rational, Symbol, limit, oo

from ..exact import random_gram, trace
from ..ledger import Finding, check
from ..noncommutative import all_hold, indexed, matrices, same, scalars, symmetric
from ..rational import RationalEcosystem, total
from .symmetric import limit_errors


@check(
    "volume.gap",
    "symbolic",
    lambda x, w, R, Y: x * w * R * Y,
    mutations={"x dropped": lambda x, w, R, Y: w * R * Y, "wrong order": lambda x, w, R, Y: x * w * Y * R},
)
def gap(formula: Callable[..., Expr]) -> Finding:
    """Noncommutative algebra with S Y_j = I - xR_jY_j and Σ w_j = 1, K = 1 … 4: I - H = I - Σ w_jcS·αG_j⁻¹ = I - SΣ
    w_jY_j = x Σ w_jR_jY_j =: xF."""
    x, c, a = scalars("x c a")
    (S,) = symmetric("S")
    steps = []
    for count in range(1, 5):
        R, Y = symmetric(indexed("R", count)), matrices(indexed("Y", count))
        first = scalars(indexed("w", count))[1:]
        shares = [1 - sum(first), *first]
        rules = {S * y: 1 - x * r * y for r, y in zip(R, Y, strict=True)}
        H = sum(w * c * S * a * (y / (a * c)) for w, y in zip(shares, Y, strict=True))
        steps.append(same(1 - H, sum(formula(x, w, r, y) for w, r, y in zip(shares, R, Y, strict=True)), rules))
    return all_hold(steps)


@check(
    "volume.mean",
    "symbolic",
    lambda K: K / (K + 1),
    mutations={"β = 1/2": lambda K: Rational(1, 2), "β = 1/(K+1)": lambda K: 1 / (K + 1)},
)
def mean(formula: Callable[[Expr], Expr]) -> Finding:
    """Noncommutative algebra for K = 1 … 4: M_k = xY_kD_k + Y_kF⁻¹SΣ w_jY_jD_j (all powers of c and x cancel) is
    continuous in x, and at x = 0, where Y = S⁻¹ and F = R̄S⁻¹, it is R̄⁻¹Σ w_jD_j. For equal shares this is (Σ
    S~_j + S_*)⁻¹ [S~_1 … S~_K, S_*] if and only if β = K/(K+1)."""
    x, c, a = scalars("x c a")
    S, Si, Ri = symmetric("S Si Ri")
    Y, F_inverse, D, pooled = matrices("Y Finverse D pooled")
    abar = a * c * x
    real, read, publish = abar * (Y / (a * c)), a * (Y / (a * c)), c * S
    lifted = read * (F_inverse / x) * publish * abar * (Y / (a * c)) * pooled
    steps = [same(real * D + lifted, x * Y * D + Y * F_inverse * S * Y * pooled)]
    at_zero = (Y * F_inverse * S * Y * pooled).subs(Y, Si).subs(F_inverse, S * Ri)
    steps.append(same(at_zero, Ri * pooled, {Si * S: 1, S * Si: 1}))
    for count in range(1, 5):
        beta = formula(Rational(count))
        private = symmetric(indexed("P", count))
        (public,) = symmetric("public")
        average = sum((beta * p + (1 - beta) * public) / count for p in private)
        everything = sum(private) + public
        scale = beta / count  # R̄ has to be this multiple of Σ S~ + S_*, and so has every block of Σ w_jD_j
        steps.append(same(average, scale * everything))
        steps += [same(beta / count * p, scale * p) for p in private] + [same((1 - beta) * public, scale * public)]
    return all_hold(steps)


@check(
    "volume.noise",
    "symbolic",
    lambda S, Ri: S * Ri * S / 2,
    mutations={"factor 1/2": lambda S, Ri: S * Ri * S, "S dropped": lambda S, Ri: Ri / 2},
)
def noise(formula: Callable[[Expr, Expr], Expr]) -> Finding:
    """Noncommutative algebra: X = (σ²c/(Kx))Y' turns X = HXH' + σ²cS/K with I - H = xF into
    FY' + Y'F' - xFY'F' = S. At x = 0 (F = R̄S⁻¹) the formula solves this equation, and the noise of the estimates,
    A X A' = (σ²/K)(r/c) Y_kY'Y_l, tends to (σ²r/(2Kc)) R̄⁻¹, which vanishes with r/c."""
    x, nu = scalars("x nu")
    (F,) = matrices("F")
    S, Si, R, Ri, X = symmetric("S Si R Ri X")
    H = 1 - x * F
    scaled = nu / x * X
    left = scaled - H * scaled * H.adjoint()
    steps = [same(left, nu * (F * X + X * F.adjoint() - x * F * X * F.adjoint()))]
    limit_X = formula(S, Ri)
    rules = {S * Si: 1, Si * S: 1, R * Ri: 1, Ri * R: 1}
    steps.append(same(R * Si * limit_X + limit_X * Si * R, S, rules))
    steps.append(same(Si * limit_X * Si, Ri / 2, rules))
    return all_hold(steps)


def _efficiency(seed: int, c: fmpq, r: fmpq, beta: fmpq) -> fmpq:
    """Lowest relative efficiency of three entities with common prompts cS."""
    rng = random.Random(seed)
    private = [random_gram(rng, 2, 1) for _ in range(3)]
    public, prompts = random_gram(rng, 2, 2) / 10, random_gram(rng, 2, 2)
    alpha = r / (c + r)
    shares = [fmpq(1, 3)] * 3
    eco = RationalEcosystem(private, public, [c * prompts] * 3, shares, [alpha] * 3, [beta] * 3)
    best = trace(total([*private, public]).inv())
    return min(best / error for error in limit_errors(eco))


@check(
    "volume.exact",
    "exact",
    (fmpq(10**8), fmpq(10**4), fmpq(3, 4)),
    mutations={
        "r does not grow": (fmpq(10**8), fmpq(1), fmpq(3, 4)),
        "r/c does not fall": (fmpq(10**8), fmpq(10**8), fmpq(3, 4)),
        "β = 1/2": (fmpq(10**8), fmpq(10**4), fmpq(1, 2)),
    },
)
def attained(formula: tuple[fmpq, fmpq, fmpq]) -> Finding:
    """The lowest efficiency of any entity at (c, r) = (10⁸, 10⁴), computed exactly, must exceed 0.999, for private
    data of rank one at random rational points (K = 3, d = 2)."""
    c, r, beta = formula
    values = [_efficiency(seed, c, r, beta) for seed in (1, 2)]
    return Finding(min(values) > fmpq(999, 1000), f"the lowest efficiency is {float(min(values)):.6f}")


NUMBERS = {(10**2, 10): ".93", (10**4, 10**2): ".994", (10**6, 10**3): ".9994"}


def _symmetric_error(a: Expr, b: Expr, c: Expr | int, K: Expr) -> Expr:
    """MSE_∞/V for equal features whose prompts are scaled by c."""
    return (1 - b) ** 2 + b**2 / K + (1 - a) ** 2 * b**2 * (1 - 1 / K) + a**2 / (c * K * (1 - a**2))


@check(
    "volume.numbers",
    "exact",
    (NUMBERS, _symmetric_error),
    mutations={
        ".95 at c = 100": (NUMBERS | {(10**2, 10): ".95"}, _symmetric_error),
        "noise not divided by c": (NUMBERS, lambda a, b, c, K: _symmetric_error(a, b, 1, K)),
        "noise divided by K²": (NUMBERS, lambda a, b, c, K: _symmetric_error(a, b, c * K, K)),
    },
)
def numbers(formula: tuple[dict[tuple[int, int], str], Callable[..., Any]]) -> Finding:
    """Equal features with K = 4, β = 4/5 and α = r/(c + r), so that the pool has weight a = r/(1 + r): the error
    formula must equal the limit of the general recursion at d = 1 exactly, and the efficiency must round to the
    quoted numbers and tend to 1 for c = r² → ∞."""
    table, error = formula
    K, beta, r = Rational(4), Rational(4, 5), Symbol("r", positive=True)
    for (c, ratio), quoted in table.items():
        claimed = error(Rational(ratio, ratio + 1), beta, Rational(c), K)
        one, alpha = fmpq_mat([[1]]), fmpq(ratio, c + ratio)
        eco = RationalEcosystem([one] * 4, one, [c * one] * 4, [fmpq(1, 4)] * 4, [alpha] * 4, [fmpq(4, 5)] * 4)
        if any(value != fmpq(int(claimed.p), int(claimed.q)) for value in limit_errors(eco)):
            return Finding(False, f"the error at c = {c}, r = {ratio} is not that of the general limit")
        value = 1 / (5 * claimed)
        if abs(value - Rational(quoted)) > Rational(1, 2 * 10 ** (len(quoted) - 1)):
            return Finding(False, f"the efficiency at c = {c}, r = {ratio} is {float(value):.5f}, not {quoted}")
    end = limit(1 / (5 * error(r / (1 + r), beta, r**2, K)), r, oo)
    return Finding(bool(end == 1), f"equal to the general limit, all digits are correct, and the limit is {end}")
