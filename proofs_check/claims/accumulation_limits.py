"""Accumulation in the long run: limits of series, subsamples, one model that remembers all, and the largest amplification."""

import random
from collections.abc import Callable, Mapping
from typing import Any

from flint import arb, fmpq
from sympy import Expr, gamma, gammasimp, simplify, sqrt, symbols

from ..exact import gram, random_matrix, random_rational, stack, trace
from ..ledger import Finding, check
from ..noncommutative import all_hold, indexed, matrices, same, scalars, symmetric
from ..workflow_limit import one_pool
from ..workflow_rows import Setting, run


def _is_rounding(value: arb | fmpq, quoted: str) -> bool:
    """Whether a decimal, given as text, is the rounding of every number in a ball."""
    digits = len(quoted.partition(".")[2])
    decimal = fmpq(int(quoted.replace(".", "")), 10**digits)
    return bool(abs(arb(value) - arb(decimal)) < arb(fmpq(1, 2 * 10**digits)))


def _trigamma(z: fmpq) -> arb:
    return arb(2).zeta(arb(z))


ALL_ALIKE = {1: "1.6449", 2: "1.9348", 3: "2.0956"}
"""K MSE_∞/V where all rows weigh alike (c = K), by K."""


@check(
    "accumulate.limit",
    "certified",
    (lambda c: _trigamma(1 + 1 / c), ALL_ALIKE),
    mutations={
        "ψ'(1/c)": (lambda c: _trigamma(1 / c), ALL_ALIKE),
        "ψ'(1 + c)": (lambda c: _trigamma(1 + c), ALL_ALIKE),
        "last digit changed": (lambda c: _trigamma(1 + 1 / c), ALL_ALIKE | {3: "2.0957"}),
    },
)
def series_limit(formula: tuple[Callable[[fmpq], arb], Mapping[int, str]]) -> Finding:
    """The limit of Σ_{i<g} 1/(i+1/c)² lies between the exact partial sum to i = 300 plus 1/(301+1/c) and the same plus
    1/(300+1/c), by comparison with integrals. Balls of the formula lie inside for random c, and so do those of π²/6 - 1 for
    c = 1; the quoted K·MSE_∞/V = 1 + ψ'(1+1/K) is compared to four digits."""
    law, table = formula
    rng = random.Random(1)
    for c in [fmpq(1), *(random_rational(rng) * 4 for _ in range(5))]:
        partial = sum((1 / (i + 1 / c) ** 2 for i in range(1, 301)), fmpq(0))
        below, above = partial + 1 / (301 + 1 / c), partial + 1 / (300 + 1 / c)
        if not arb(below) < law(c) < arb(above):
            return Finding(False, f"the limit lies between {float(below):.6f} and {float(above):.6f} for c = {c}")
    if not law(fmpq(1)).overlaps(arb.pi() ** 2 / 6 - 1):
        return Finding(False, "not π²/6 - 1 for c = 1")
    for count, quoted in table.items():
        if not _is_rounding(1 + law(fmpq(count)), quoted):
            return Finding(False, f"{float(1 + law(fmpq(count))):.6f} for K = {count}, not {quoted}")
    return Finding(True, "between the bounds for 6 values of c; all digits are correct")


def _shrinking(g: int, K: int) -> fmpq:
    return fmpq(0) if g == 1 else 1 - fmpq(1, g * K)


def subsample_ratio(g: int, K: int) -> fmpq:
    """Error at generation g ≥ 2 relative to generation 1."""
    steps = sum(((1 + _shrinking(i - 1, K)) / i**2 for i in range(2, g + 1)), fmpq(0))
    return (1 + steps) / K + _shrinking(g, K)


SUBSAMPLE = {1: "2.934802", 2: "1.993668", 3: "1.668282", 4: "1.503400"}
"""Limit of the ratio by K."""


def _subsample_limit(K: int) -> arb:
    basel = arb.pi() ** 2 / 6
    return 1 + (2 * basel - fmpq(5, 4) - (fmpq(7, 4) - basel) / K) / K


@check(
    "accumulate.subsample",
    "exact",
    (subsample_ratio, _subsample_limit, SUBSAMPLE),
    mutations={
        "1 - 1/g for s_g": (
            lambda g, K: subsample_ratio(g, K) + fmpq(1, g * K) - fmpq(1, g),
            _subsample_limit,
            SUBSAMPLE,
        ),
        "noise not divided by K": (
            lambda g, K: (subsample_ratio(g, K) - _shrinking(g, K)) * K + _shrinking(g, K),
            _subsample_limit,
            SUBSAMPLE,
        ),
        "limit with π²/6 for π²/3": (subsample_ratio, lambda K: _subsample_limit(K) - arb.pi() ** 2 / 6 / K, SUBSAMPLE),
        "last digit changed": (subsample_ratio, _subsample_limit, SUBSAMPLE | {2: "1.993669"}),
    },
)
def subsample(formula: tuple[Callable[[int, int], fmpq], Callable[[int], arb], Mapping[int, str]]) -> Finding:
    """The estimates as exact linear maps of independent batches and draws, to leading order in 1/T: each of K models labels a
    batch, all batches so far are pooled, and each model's draw of T of gKT rows adds variance 1 - 1/(gK); K = 1 … 4, g ≤ 8.
    The limit lies between bounds from the exact value at g = 200: what is missing of the sum is between (2-1/K)/(201K) and
    2/(200K)."""
    ratio, end, table = formula
    for K, quoted in table.items():
        models = [{f"real{k}": fmpq(1)} for k in range(K)]
        pooled = {f"real{k}": fmpq(1, K) for k in range(K)}
        variances: dict[str, fmpq] = {}
        for g in range(2, 9):
            batches = [model | {f"batch{g}.{k}": fmpq(1)} for k, model in enumerate(models)]
            names = {name for batch in batches for name in batch} | set(pooled)
            pooled = {
                name: (pooled.get(name, fmpq(0)) * (g - 1) + sum((b.get(name, fmpq(0)) for b in batches), fmpq(0)) / K)
                / g
                for name in names
            }
            models = [pooled | {f"draw{g}.{k}": fmpq(1)} for k in range(K)]
            variances |= {f"draw{g}.{k}": 1 - fmpq(1, g * K) for k in range(K)}
            error = sum((c**2 * variances.get(name, fmpq(1)) for name, c in models[0].items()), fmpq(0))
            if error != ratio(g, K):
                return Finding(False, f"the ratio differs for K = {K} at g = {g}")
        late = ratio(200, K) + fmpq(1, 200 * K)  # the draw's variance is 1 in the limit
        if not arb(late + (2 - fmpq(1, K)) / (201 * K)) < end(K) < arb(late + fmpq(2, 200 * K)):
            return Finding(False, f"the limit for K = {K} is not {float(end(K)):.6f}")
        if not _is_rounding(end(K), quoted):
            return Finding(False, f"the limit is {float(end(K)):.7f} for K = {K}, not {quoted}")
    return Finding(True, "ratios equal for K = 1 … 4 and g ≤ 8; limits between their bounds, all digits correct")


def mixed_step(t: int, weight: fmpq, before: fmpq) -> fmpq:
    """V_t from V_{t-1}."""
    return ((t - 1 + weight) / t) ** 2 * before + fmpq(1, t**2)


MIXED = {
    fmpq(1, 2): {2: ".8125", 3: ".675347", 5: ".509446", 10: ".326258", 100: ".056109"},
    fmpq(9, 10): {2: "1.1525", 3: "1.188058", 5: "1.184699", 10: "1.121657", 100: ".776972"},
}
"""V_t by α and t."""


@check(
    "accumulate.mixed",
    "exact",
    (mixed_step, MIXED),
    mutations={
        "not squared": (lambda t, a, v: (t - 1 + a) / t * v + fmpq(1, t**2), MIXED),
        "noise α²/t²": (lambda t, a, v: ((t - 1 + a) / t) ** 2 * v + a**2 / t**2, MIXED),
        "last digit changed": (mixed_step, MIXED | {fmpq(1, 2): MIXED[fmpq(1, 2)] | {100: ".056108"}}),
    },
)
def mixed(formula: tuple[Callable[..., fmpq], Mapping[fmpq, Mapping[int, str]]]) -> Finding:
    """Training of one model from all rows so far (d = 2, t = 1 … 6): generation 1 is real, and of the five equal parts of
    every later generation people label h = 0 … 5 and the model the others, α = 1 - h/5. This is a pool with fresh labels
    that accumulates, as heavy as the real data. The quoted values are compared."""
    law, table = formula
    part = random_matrix(random.Random(2), 3, 2)
    real, halves, ones = stack([part] * 5), [[fmpq(1, 2)]] * 6, [[fmpq(1)]] * 6
    V = trace(gram(real).inv())
    for human in range(6):
        setting = Setting([real], 0 * part, [part], one_pool([fmpq(1)]), halves, ones, 5, human, fmpq(1))
        variance = fmpq(1)
        for t, estimates in enumerate(run(setting), 1):
            variance = law(t, 1 - fmpq(human, 5), variance) if t > 1 else variance
            if trace(estimates.labels * estimates.labels.transpose() + estimates.covariance) != V * variance:
                return Finding(False, f"differs for α = {1 - fmpq(human, 5)} at t = {t}")
    for weight, values in table.items():
        variance = fmpq(1)
        for t in range(2, 101):
            variance = law(t, weight, variance)
            if t in values and not _is_rounding(variance, values[t]):
                return Finding(False, f"{float(variance):.7f} for α = {weight} at t = {t}, not {values[t]}")
    return Finding(True, "equal for α = 0, 1/5, …, 1 and t = 1 … 6; all digits are correct")


@check(
    "accumulate.mixed_rate",
    "certified",
    lambda weight: min(fmpq(1), 2 * (1 - weight)),
    mutations={
        "2(1-α) for every α": lambda weight: 2 * (1 - weight),
        "1 - α beyond 1/2": lambda weight: min(fmpq(1), 1 - weight),
        "always 1": lambda weight: fmpq(1),
    },
)
def mixed_rate(formula: Callable[[fmpq], fmpq]) -> Finding:
    """By induction, V_t = (Γ(t+α)/Γ(t+1))² Σ_{i≤t} (Γ(i)/Γ(i+α))², an identity of rational products that is decided
    exactly for α = 1/4 and 3/4, t ≤ 40. Since Γ(i+α)/Γ(i) ~ i^α, the sum converges if α > 1/2, and otherwise grows as
    t^{1-2α}/(1-2α), or log t at 1/2. The recursion in ball arithmetic to t = 2¹⁴ confirms that log_2(V_t/V_2t) is within .02
    of the formula for α = 0, .1, .25, .75, .9."""
    for weight in (fmpq(1, 4), fmpq(3, 4)):
        variance, rise, summed = fmpq(1), weight, 1 / weight**2  # rise is Γ(i+α)/(Γ(i)Γ(α)), summed the sum of rise⁻²
        for t in range(2, 41):
            variance, rise = mixed_step(t, weight, variance), rise * (t - 1 + weight) / (t - 1)
            summed += 1 / rise**2
            if variance != (rise / t) ** 2 * summed:
                return Finding(False, f"the closed form differs at t = {t}")
    for weight in (fmpq(0), fmpq(1, 10), fmpq(1, 4), fmpq(3, 4), fmpq(9, 10)):
        variance, halfway = arb(1), arb(1)
        for t in range(2, 2**14 + 1):
            variance = arb((t - 1 + weight) / t) ** 2 * variance + arb(fmpq(1, t**2))
            halfway = variance if t == 2**13 else halfway
        rate = (halfway / variance).log() / arb(2).log()
        if not abs(rate - arb(formula(weight))) < arb("0.02"):
            return Finding(False, f"V_t falls as t to the power -{float(rate):.3f} for α = {float(weight)}")
    return Finding(True, "closed form equal for t ≤ 40; rates confirmed for 5 values of α")


@check(
    "accumulate.fresh",
    "symbolic",
    lambda c, n, D, j: c / ((1 + c * j) * ((1 + c * j) * n - D)),
    mutations={
        "1/(1+cj)²": lambda c, n, D, j: c / ((1 + c * j) ** 2 * (n - D)),
        "n for (1+cj)n": lambda c, n, D, j: c / ((1 + c * j) * (n - D)),
    },
)
def fresh_inputs(formula: Callable[..., Expr]) -> Finding:
    """Noncommutative algebra for up to 4 pools: with W the inverse of the Gram matrix V of n real and jm pooled rows, pool j
    adds noise of covariance W S_jW (as in baseline.fresh). All rows are exchangeable given V, so its mean is (m/N)W V W for
    N = n+jm, with expected trace dm/(N(N-D)) (baseline.wishart); in units of σ²d this is the formula, with c = m/n. It is
    (1/D)[1/(j+(1-D/n)/c) - 1/(j+1/c)], and the series ψ(1+x) = -γ + Σ_j(1/j - 1/(j+x)) gives the limit."""
    c, n, D, j = symbols("c n D j", positive=True)
    N = n * (1 + c * j)
    steps = [same(simplify(c * n / (N * (N - D)) - formula(c, n, D, j)), 0)]
    telescoped = (1 / (j + (1 - D / n) / c) - 1 / (j + 1 / c)) / D
    steps.append(same(simplify(telescoped - formula(c, n, D, j)), 0))
    for pools in range(1, 5):
        grams, (W, before, noise) = matrices(indexed("S", pools + 1)), matrices("W theta e")
        fit = W * (sum(grams[:-1]) * before + grams[-1] * before + noise)
        steps.append(same(fit, before + W * noise, {W * grams[-1]: 1 - W * sum(grams[:-1])}))
    return all_hold(steps)


@check(
    "accumulate.step",
    "symbolic",
    lambda g, lam, s: 1 + s * lam / (g * (g - 1 + lam)),
    mutations={
        "g² below": lambda g, lam, s: 1 + s * lam / g**2,
        "s for sλ": lambda g, lam, s: 1 + s / (g * (g - 1 + lam)),
    },
)
def amplification_step(formula: Callable[..., Expr]) -> Finding:
    """Whitened, the mean memory m_g/(g-1) is multiplied in generation g by ((g-1)/g)(I + Σ A_jX_j), X_j = (E_j + (g-1)I)⁻¹,
    Σ A_j = I, 0 ⪯ E_j ⪯ λI, so that X_j lies between u = 1/(g-1+λ) and v = 1/(g-1). Noncommutative algebra, K = 1 … 4: Σ
    A_jX_j = (u+v)/2 I + (v-u)/2 Σ A_jC_j with ‖C_j‖ ≤ 1, and ‖Σ A_jC_j‖ ≤ √m as in theoremU. The norm's bound is the
    formula with s = (√m-1)/2. For E_j = λu_ju_j' of theoremU.tight, the multiplier has this eigenvalue on 1, in every
    generation."""
    g, lam, m = scalars("g lam m")
    u, v = 1 / (g - 1 + lam), 1 / (g - 1)
    bound = (g - 1) / g * (1 + (u + v) / 2 + sqrt(m) * (v - u) / 2)
    claimed = formula(g, lam, (sqrt(m) - 1) / 2)
    steps = [same(simplify(bound - claimed), 0)]
    for count in range(1, 5):
        A, X = symmetric(indexed("A", count)), symmetric(indexed("X", count))
        last: Any = 1 - sum(A[:-1])
        parts = [*A[:-1], last]
        Z = sum(a * (2 * x - u - v) / (v - u) for a, x in zip(parts, X, strict=True))
        steps.append(same(sum(a * x for a, x in zip(parts, X, strict=True)), (u + v) / 2 + (v - u) / 2 * Z))
    p, J = symmetric("p J")  # p stands for the projection u_j u_j', J for 11'
    steps.append(same((lam * p + g - 1) * (v - (v - u) * p), 1, {p * p: p}))
    H = (g - 1) / g * (1 + v - (v - u) / 2 * (1 - J / sqrt(m)))  # (e_j'u_j)u_j = (e_j - 1/√m)/2
    steps.append(same(H * J, claimed * J, {J * J: m * J}))
    return all_hold(steps)


AMPLIFICATION = {10: "2.7962", 1000: "23.90"}
"""Largest amplification for m = 4, by λ."""


def _amplification(lam: fmpq, first: arb, second: arb) -> arb:
    return (1 + arb(lam)).gamma() / ((2 + first).gamma() * (2 + second).gamma())


@check(
    "accumulate.amplification",
    "certified",
    (_amplification, AMPLIFICATION),
    mutations={
        "Γ(1 + r)": (
            lambda lam, first, second: (1 + arb(lam)).gamma() / ((1 + first).gamma() * (1 + second).gamma()),
            AMPLIFICATION,
        ),
        "Γ(λ)": (lambda lam, first, second: _amplification(lam, first, second) / arb(lam), AMPLIFICATION),
        "last digit changed": (_amplification, AMPLIFICATION | {10: "2.7963"}),
    },
)
def amplification(formula: tuple[Callable[..., arb], Mapping[int, str]]) -> Finding:
    """Every factor of accumulate.step is (g+r_1)(g+r_2)/(g(g+λ-1)). By induction the product over 2 … g is
    Γ(1+λ)Γ(g+1+r_1)Γ(g+1+r_2)/(Γ(2+r_1)Γ(2+r_2)Γ(g+1)Γ(g+λ)) (SymPy), and since r_1+r_2 = λ-1 the four that contain g cancel
    as g → ∞. In ball arithmetic, for m = 4 and λ = 5, 10, 50, the formula lies between the exact product to g = 2000 and
    that times e^{sλ/2000}; the quoted values are compared."""
    law, table = formula
    lam, g, first = symbols("lam g r", positive=True)
    second = lam - 1 - first
    product = gamma(g + 1 + first) * gamma(g + 1 + second) / (gamma(g + 1) * gamma(g + lam))
    ratio = gammasimp(product / product.subs(g, g - 1))
    step = 1 + first * second / (g * (g - 1 + lam))
    steps = all_hold([same(simplify(ratio - step), 0)])
    if not steps.holds:
        return steps
    for value in (5, 10, 50, 1000):
        root = (arb(value - 1) ** 2 / 4 - arb(fmpq(value, 2))).sqrt()
        found = law(fmpq(value), (arb(value) - 1) / 2 + root, (arb(value) - 1) / 2 - root)
        if value in table and not _is_rounding(found, table[value]):
            return Finding(False, f"{float(found):.5f} for λ = {value}, not {table[value]}")
        if value < 1000:
            partial = arb(1)
            for i in range(2, 2001):
                partial *= arb(1 + fmpq(value, 2) / (i * (i - 1 + value)))
            if not partial < found < partial * (arb(fmpq(value, 4000))).exp():
                return Finding(False, f"{float(found):.5f} for λ = {value}, but the product is {float(partial):.5f} …")
    return Finding(True, "the factors telescope; formula between the bounds for λ = 5, 10, 50; all digits are correct")
