"""Known error laws of a single model, and training on synthetic data alone (α = 1) with fresh designs.

The laws for Gaussian designs rest on E tr (X'X)⁻¹ = d/(T-d-1) for T rows of d standard normal features, the mean of
the inverse Wishart distribution. That mean is computed from its density, recursions are decided by noncommutative
algebra or exact sums, and numbers in rational arithmetic.
"""

import random
from collections.abc import Callable
from typing import Any

from flint import fmpq
from sympy import (
    Expr,
    Rational,
    S,
    Sum,
    Symbol,
    exp,
    expand,
    factorial,
    gamma,
    gammasimp,
    integrate,
    oo,
    pi,
    simplify,
    sin,
    solve,
    sqrt,
    symbols,
    zeta,
)

from ..exact import feature_inverse, gram, random_matrix, stack, zero
from ..ledger import Finding, check
from ..noncommutative import all_hold, indexed, matrices, reduce, same, scalars, symmetric


def _rounded(value: Expr | int, quoted: str) -> bool:
    """Whether a decimal, given as text, is the correct rounding of a number."""
    digits = len(quoted.partition(".")[2])
    return bool(abs(Rational(value) - Rational(quoted)) <= Rational(1, 2 * 10**digits))


@check(
    "baseline.wishart",
    "symbolic",
    lambda T, d: 1 / (T - d - 1),
    mutations={"1/(T-d)": lambda T, d: 1 / (T - d), "1/(T-d+1)": lambda T, d: 1 / (T - d + 1)},
)
def inverse_wishart(formula: Callable[..., Expr]) -> Finding:
    """A diagonal entry of (X'X)⁻¹ is the reciprocal of the squared distance between a column of X and the span of
    the d - 1 others, which is χ² distributed with n = T-d+1 degrees of freedom. E 1/χ²_n is computed by integrating
    1/x against the density; it is finite only for n > 2, that is, for T ≥ d + 2."""
    n, x = Symbol("n", positive=True), Symbol("x", positive=True)
    density = x ** (n / 2 - 1) * exp(-x / 2) / (2 ** (n / 2) * gamma(n / 2))
    mean = gammasimp(integrate(density.subs(n, n + 2) / x, (x, 0, oo))).subs(
        n, n - 2
    )  # computed for n + 2, where it converges for every n > 0
    T, d = symbols("T d", positive=True)
    return same(simplify(mean.subs(n, T - d + 1) - formula(T, d)), 0)


@check(
    "baseline.domain",
    "symbolic",
    2,
    mutations={"T ≥ d + 1": 1, "T ≥ d + 3": 3},
)
def domain(formula: int) -> Finding:
    """With T = d + k rows, n = T-d+1 = k + 1, and the integral ∫ x^{n/2-2}e^{-x/2}dx in E 1/χ²_n converges at 0 if
    and only if n > 2. The formula is the smallest integer k for which it does."""
    x = Symbol("x", positive=True)
    least = next(k for k in range(5) if integrate(x ** (Rational(k + 1, 2) - 2), (x, 0, 1)).is_finite)
    return Finding(least == formula, f"finite for T ≥ d + {least}")


@check(
    "baseline.replace",
    "symbolic",
    lambda g, each: g * each,
    mutations={
        "g + 1 fits": lambda g, each: (g + 1) * each,
        "Σ 1/i": lambda g, each: sum(Rational(1, i) for i in range(1, g + 1)) * each,
    },
)
def replace(formula: Callable[..., Expr]) -> Finding:
    """Noncommutative algebra for g = 1 … 5: θ_g = L_g(X_gθ_{g-1} + ε_g) with L_g = X_g⁺, L_gX_g = I, and
    independent ε_i of covariance I, in units of σ². Given the designs, the expected squared error is a sum of terms
    L_iL_i', each with expected trace d/(T-d-1) (baseline.wishart)."""
    v = Symbol("v", positive=True)
    truth, *_ = matrices("theta")
    estimate, noises, maps, steps = truth, [], [], []
    for g in range(1, 6):
        L, X, noise = matrices(f"L{g} X{g} e{g}")
        estimate = reduce(L * (X * estimate + noise), {L * X: S.One})
        noises, maps = [*noises, noise], [*maps, L]
        moments: Any = {e * f.adjoint(): S(int(e == f)) for e in noises for f in noises}
        error = estimate - truth
        covariance: Any = reduce(error * error.adjoint(), moments)
        steps.append(same(covariance.subs({one * one.adjoint(): v for one in maps}), formula(g, v)))
    return all_hold(steps)


ACCUMULATE = {2: "1.25", 3: "1.361111", 5: "1.463611", 10: "1.549768", 100: "1.634984"}


@check(
    "baseline.accumulate",
    "exact",
    (lambda i: S.One / i**2, ACCUMULATE),
    mutations={
        "Σ 1/i": (lambda i: S.One / i, ACCUMULATE),
        "last digit changed": (lambda i: S.One / i**2, ACCUMULATE | {10: "1.549769"}),
    },
)
def accumulate(formula: tuple[Callable[..., Expr], dict[int, str]]) -> Finding:
    """With the same X in every generation, θ_g is the mean of y_1 … y_g, where y_i = θ_{i-1} + ε_i. For g ≤ 10 its
    coefficients on the independent ε_i are computed exactly, and the sum of their squares is compared with the
    formula. The tabulated factors are compared to six digits, and the limit with π²/6."""
    term, table = formula
    estimates: list[dict[int, Any]] = [{}]
    for g in range(1, 11):
        labels = [{**estimates[i - 1], i: Rational(1)} for i in range(1, g + 1)]
        mean = {i: sum(label.get(i, Rational(0)) for label in labels) / g for i in range(1, g + 1)}
        estimates.append(mean)
        if sum(c**2 for c in mean.values()) != sum(term(i) for i in range(1, g + 1)):
            return Finding(False, f"the variance differs at g = {g}")
    for g, quoted in table.items():
        if not _rounded(sum(term(i) for i in range(1, g + 1)), quoted):
            return Finding(False, f"the factor at g = {g} is not {quoted}")
    i = Symbol("i", integer=True, positive=True)
    end: Any = Sum(term(i), (i, 1, oo)).doit()
    return Finding(
        bool(simplify(end - pi**2 / 6) == 0), "variance equal for g = 1 … 10, all digits correct, limit π²/6"
    )


@check(
    "baseline.fresh",
    "symbolic",
    lambda W, S, i: W * S * W / i,
    mutations={"i² for i": lambda W, S, i: W * S * W / i**2, "not divided": lambda W, S, i: W * S * W},
)
def accumulate_fresh(formula: Callable[..., Expr]) -> Finding:
    """Noncommutative algebra for g = 1 … 5 with fresh X_i, V_g = S_1 + … + S_g and W = V_g⁻¹. Since
    V_gθ_g = V_gθ_{g-1} + X_g'ε_g, the step has covariance W S_gW given the designs. S_1 … S_g are exchangeable
    given V_g, so the mean of this covariance is W V_gW/g, with expected trace d/(g(gT-d-1)), which is at most
    d/(g²(T-d-1))."""
    steps = []
    for g in range(1, 6):
        grams, before = matrices(indexed("S", g)), matrices("theta")[0]
        W, V = matrices("W V")
        noise = matrices("e")[0]
        old = sum(grams[:-1]) * before + grams[-1] * before + noise
        steps.append(same(W * old, before + W * noise, {W * grams[-1]: 1 - W * sum(grams[:-1])}))
        average: Any = sum(W * s * W for s in grams) / g
        steps.append(same(average.subs(grams[-1], V - sum(grams[:-1])), formula(W, V, g)))
    T, d, i = symbols("T d i", positive=True)
    excess = Symbol("excess", positive=True)  # excess = T - d - 1
    gap = simplify((1 / (i**2 * (T - d - 1)) - 1 / (i * (i * T - d - 1))).subs(T, d + 1 + excess) * i**2 * excess)
    shown = simplify(gap - (i - 1) * (d + 1) / (i * (d + 1 + excess) - d - 1))
    return all_hold([*steps, same(shown, 0)])


SUBSAMPLE = {2: "1.75", 3: "2.083333", 5: "2.390833", 10: "2.649303", 60: "2.885217"}


def _subsample_ratio(step: Callable[..., Expr], g: int) -> Expr:
    """Variance of the estimate at generation g over that at the first."""
    return 1 + sum((step(Rational(i)) for i in range(2, g + 1)), Rational(0)) + Rational(g - 1, g)


@check(
    "baseline.subsample",
    "exact",
    (lambda g: (1 + (g - 2) / (g - 1)) / g**2, SUBSAMPLE),
    mutations={
        "(g-1)/g of the last subsample": (lambda g: (1 + (g - 1) / g) / g**2, SUBSAMPLE),
        "last digit changed": (lambda g: (1 + (g - 2) / (g - 1)) / g**2, SUBSAMPLE | {60: "2.885218"}),
    },
)
def subsample(formula: tuple[Callable[..., Expr], dict[int, str]]) -> Finding:
    """To leading order in 1/T, as for the estimation of a mean. The pool has mean
    p_g = ((g-1)p_{g-1} + θ_{g-1} + ε_g)/g, and θ_g = p_g + s_g, where drawing T of gT values without replacement
    gives s_g the variance (g-1)/g. The ratio is computed exactly for g ≤ 10, the tabulated values are compared, and
    the series has the limit π²/2 - 2."""
    step, table = formula
    pool: dict[str, Any] = {"e1": Rational(1)}
    for g in range(2, 11):
        pool = {**pool, f"s{g - 1}": pool.get(f"s{g - 1}", Rational(0)) + Rational(1, g), f"e{g}": Rational(1, g)}
        variance = sum(c**2 * (Rational(int(n[1:]) - 1, int(n[1:])) if n[0] == "s" else 1) for n, c in pool.items())
        if variance + Rational(g - 1, g) != _subsample_ratio(step, g):
            return Finding(False, f"the ratio differs from the workflow's at g = {g}")
    for g, quoted in table.items():
        if not _rounded(_subsample_ratio(step, g), quoted):
            return Finding(False, f"the ratio at g = {g} is not {quoted}")
    n = Symbol("n", integer=True, positive=True)
    increments = expand(step(n + 1) - (3 / (n + 1) ** 2 - 1 / n + 1 / (n + 1))).simplify()
    basel: Any = Sum(1 / n**2, (n, 1, oo)).doit()
    end = 1 + 3 * (basel - 1) - 1 + 1
    holds = increments == 0 and simplify(end - (pi**2 / 2 - 2)) == 0
    return Finding(
        bool(holds), "ratios equal for g = 1 … 10, all digits correct, and by partial fractions the limit is π²/2 - 2"
    )


@check(
    "baseline.growing",
    "exact",
    lambda g: sum((fmpq(1, i) for i in range(1, g + 1)), fmpq(0)),
    mutations={"Σ 1/i²": lambda g: sum((fmpq(1, i**2) for i in range(1, g + 1)), fmpq(0)), "g": lambda g: fmpq(g)},
)
def growing(formula: Callable[[int], fmpq]) -> Finding:
    """Generation i fits i copies of one random rational design X (d = 2), so θ_i = θ_{i-1} + (stacked X)⁺ε_i. The
    sum of the covariances of these steps for g = 1 … 8 is compared with the formula times σ²(X'X)⁻¹. (With a fresh
    design of iT rows the step has expected trace d/(iT-d-1), the same to leading order in 1/T.)"""
    X, total = random_matrix(random.Random(1), 3, 2), zero(2, 2)
    for g in range(1, 9):
        step = feature_inverse(stack([X] * g))
        total = total + step * step.transpose()
        if total != formula(g) * gram(X).inv():
            return Finding(False, f"the covariance differs at g = {g}")
    return Finding(True, "equal for g = 1 … 8")


BEST = {"1": ".618034", ".2": ".358258", "2": ".732051"}


@check(
    "baseline.fresh_real",
    "symbolic",
    (lambda k: (sqrt(k**2 + 4 * k) - k) / 2, lambda w, k: (w**2 + (1 - w) ** 2 * k) / (1 - (1 - w) ** 2)),
    mutations={
        "√(k² + k)": (lambda k: (sqrt(k**2 + k) - k) / 2, lambda w, k: (w**2 + (1 - w) ** 2 * k) / (1 - (1 - w) ** 2)),
        "w for w²": (lambda k: (sqrt(k**2 + 4 * k) - k) / 2, lambda w, k: (w + (1 - w) ** 2 * k) / (1 - (1 - w) ** 2)),
    },
)
def fresh_real(formula: tuple[Callable[..., Expr], Callable[..., Expr]]) -> Finding:
    """In units of σ²/n_real, v = w² + (1-w)²(v + k) is solved for v. Its derivative dv/dw vanishes at w*, and
    v(w*) = w*; since dv/dw has the sign of w² + kw - k, w* is the only stationary point in (0, 1). The values are
    compared to six digits."""
    best, variance = formula
    w, k, v = symbols("w k v", positive=True)
    (solved,) = solve(v - w**2 - (1 - w) ** 2 * (v + k), v)
    if simplify(solved - variance(w, k)) != 0:
        return Finding(False, f"the limit variance is {solved}")
    slope = simplify(solved.diff(w).subs(w, best(k)))
    if slope != 0 or simplify(solved.subs(w, best(k)) - best(k)) != 0:
        return Finding(False, "the claimed weight is not a stationary point, or the variance there differs")
    for value, quoted in BEST.items():
        exact = best(Rational(value))
        if abs(exact.evalf(20) - Rational(quoted)) > Rational(1, 2 * 10**6):
            return Finding(False, f"w* at k = {value} is not {quoted}")
    return Finding(True, "v solves the recursion, dv/dw = 0 at w*, v(w*) = w*, and all digits are correct")


@check(
    "baseline.gaussian",
    "symbolic",
    lambda t, n: 1 - 1 / (t**2 * n),
    mutations={"1 - 1/(tn)": lambda t, n: 1 - 1 / (t * n), "1 + 1/(t²n)": lambda t, n: 1 + 1 / (t**2 * n)},
)
def gaussian_fitting(formula: Callable[..., Expr]) -> Finding:
    """The pooled variance of t batches of n points is s_t² = ((t-1)/t)s² + v/t + ((t-1)/t²)(m-μ)², an identity of
    sums of squares, with E v = s²(1-1/n) and E(m-μ)² = s²/n. Euler's product Π(1 - x²/k²) = sin(πx)/(πx), which is
    used at x = 1/√n, is compared to order x⁸."""
    t, n, x = symbols("t n x", positive=True)
    expected = (t - 1) / t + (1 - 1 / n) / t + (t - 1) / t**2 / n
    step = same(simplify(expected - formula(t, n)), 0)
    N, m, mu = symbols("N m mu")
    # Sums of squares about the pooled mean of N old points (mean mu) and a new batch of n points (mean m).
    pooled_mean = (N * mu + n * m) / (N + n)
    squares = N * (mu - pooled_mean) ** 2 + n * (m - pooled_mean) ** 2
    identity = same(simplify(squares / (N + n) - (N * n / (N + n) ** 2) * (m - mu) ** 2), 0)
    logs = sum(-zeta(2 * j) * x ** (2 * j) / j for j in range(1, 5))
    target = (sin(pi * x) / (pi * x)).series(x, 0, 9).removeO()
    power = sum(logs**i / factorial(i) for i in range(6))
    series = expand(power).series(x, 0, 9).removeO()
    return all_hold([step, identity, same(simplify(expand(series - target)), 0)])


@check(
    "baseline.overparameterized",
    "symbolic",
    lambda phi, n: 1 - phi ** (-n),
    mutations={"1 - φ⁻²ⁿ": lambda phi, n: 1 - phi ** (-2 * n), "φ⁻ⁿ": lambda phi, n: phi ** (-n)},
)
def overparameterized(formula: Callable[..., Expr]) -> Finding:
    """Noncommutative algebra for n = 1 … 5: w_n = P_n ⋯ P_1w_0 with independent projections P_i onto random
    subspaces of dimension T_0. By isotropy E P = cI, and the trace gives cd = T_0. In (w_n - w_0)'(w_n - w_0) every
    P_i is reduced by P_iP_i = P_i and replaced by its mean, the last one first, in units of ‖w_0‖²."""
    d, T, c = scalars("d T_0 c")
    (mean,) = solve(c * d - T, c)
    steps = []
    for n in range(1, 6):
        projections = symmetric(indexed("P", n))
        estimate = S.One
        for P in projections:
            estimate = P * estimate
        error: Any = expand((estimate - 1).adjoint() * (estimate - 1))
        for P in reversed(projections):  # each is independent of the earlier ones, which enclose it
            error = expand(reduce(error, {P * P: P}).subs(P, mean))
        steps.append(same(simplify(error - formula(d / T, n)), 0))
    return all_hold(steps)


DOHMATOB = {0: ".004292", 1: ".044426", 3: ".124693", 10: ".405630"}


@check(
    "baseline.dohmatob",
    "exact",
    lambda n: Rational(1, 100) * 300 / (1000 - 301) + n * Rational(4, 100) * 300 / (600 - 301),
    mutations={
        "all generations with T = 1000": lambda n: (
            Rational(1, 100) * 300 / (1000 - 301) + n * Rational(4, 100) * 300 / (1000 - 301)
        ),
        "T - d": lambda n: Rational(1, 100) * 300 / 700 + n * Rational(4, 100) * 300 / 300,
    },
)
def dohmatob(formula: Callable[[int], Expr]) -> Finding:
    """σ²d/(T-d-1) + nσ_0²d/(T_0-d-1), the case λ → 0, in rational arithmetic against the quoted numbers, to six
    digits."""
    for n, quoted in DOHMATOB.items():
        if not _rounded(formula(n), quoted):
            return Finding(False, f"n = {n}: {float(formula(n)):.6f}, not {quoted}")
    return Finding(True, "all digits are correct")


@check(
    "B2",
    "symbolic",
    lambda K, n, d: (K * n - d - 1) / (n - d - 1),
    printed={"K": lambda K, n, d: K},
    mutations={"Kn - d": lambda K, n, d: (K * n - d) / (n - d)},
)
def times_slower(formula: Callable[..., Expr]) -> Finding:
    """With α = 1 and fresh Gaussian designs of n rows, the pool's design has Kn rows, so the error grows by
    σ²d/(Kn-d-1) per generation (E12.rate, baseline.wishart), and that of one model by σ²d/(n-d-1). The ratio is
    compared with the formula."""
    K, n, d = symbols("K n d", positive=True)
    ratio = (1 / (n - d - 1)) / (1 / (K * n - d - 1))
    if simplify(ratio - formula(K, n, d)) != 0:
        value = Rational(ratio.subs({K: 4, n: 20, d: 15}))
        return Finding(False, f"the ratio is {value} for K = 4, n = 20, d = 15; it exceeds K by (K-1)(d+1)/(n-d-1)")
    return all_hold([same(simplify(ratio - K - (K - 1) * (d + 1) / (n - d - 1)), 0)])
