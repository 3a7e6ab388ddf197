"""The sharp form of Theorem K for one pool (theory.md, section 3)."""

import random
from collections.abc import Callable
from fractions import Fraction

from flint import arb, ctx, fmpq, fmpq_mat
from sympy import Expr, Symbol, limit, oo, simplify, solve, sqrt

from ..certified import enclose_spectral_radius
from ..exact import identity, random_gram, random_rational
from ..ledger import Finding, check
from ..noncommutative import all_hold, same, scalars
from ..rational import RationalEcosystem, consensus_feedback

_BITS = 128


@check(
    "knowledge.sharp.term",
    "symbolic",
    lambda e, k: (e + sqrt(e * (1 + k - k * e))) / (2 * (1 + k)),
    mutations={
        "k = 0": lambda e, k: (e + sqrt(e)) / 2,
        "without the half": lambda e, k: (e + sqrt(e * (1 + k - k * e))) / (1 + k),
    },
)
def term(formula: Callable[[Expr, Expr], Expr]) -> Finding:
    """For 0 ⪯ T ⪯ D = (1 + kA)⁻¹ (in units of 1+t) and unit x, T = D^{1/2}(1 + C)D^{1/2}/2 with ‖C‖ ≤ 1 gives |x*ATx| ≤
    [x*ADx + (x*Dx · x*ADAx)^{1/2}]/2. With e = x*Ax and p = x*ADx, x*Dx = 1 - kp and x*ADAx = (e - p)/k, since kAD = 1 -
    D. The expression f(p) falls in p: with g = (1-kp)(e-p)/k its slope is [1 + g'/(2√g)]/2, and g'² - 4g is the square of
    (e - p) - (1-kp)/k, so -g' ≥ 2√g. As the eigenvalues a of A are at most 1, p = E[a/(1+ka)] ≥ e/(1+k), where f is the
    formula."""
    e, k, p, a = scalars("e k p a")
    D = 1 / (1 + k * a)
    g = (1 - k * p) * (e - p) / k
    steps = [same(simplify(k * a * D - (1 - D)), 0), same(simplify(a * D * a - (a - a * D) / k), 0)]
    steps.append(same(simplify(g.diff(p) ** 2 - 4 * g - ((e - p) - (1 - k * p) / k) ** 2), 0))
    least = e / (1 + k)
    value = (least + sqrt(simplify(g.subs(p, least)))) / 2
    steps.append(same(simplify(value - formula(e, k)), 0))
    return all_hold(steps)


@check(
    "knowledge.sharp.sum",
    "symbolic",
    lambda K, k, t: (1 + sqrt(K + (K - 1) * k)) / (2 * (1 + k) * (1 + t)),
    mutations={
        "K k for (K-1) k": lambda K, k, t: (1 + sqrt(K + K * k)) / (2 * (1 + k) * (1 + t)),
        "t left out": lambda K, k, t: (1 + sqrt(K + (K - 1) * k)) / (2 * (1 + k)),
    },
)
def largest_sum(formula: Callable[..., Expr]) -> Finding:
    """Terms [e + (e(1+k-ke))^{1/2}]/(2(1+k)(1+t)) are concave in e, as the square root of a concave quadratic is, and Σ
    e_j = 1, so their sum is at most K times the term at e = 1/K. It is (1+√K)/2 at k = t = 0 (Theorem U), and 1/(2√κ) for
    k = Kκ → ∞ with K."""
    K, k, t, e, kappa = scalars("K k t e kappa")
    term_ = (e + sqrt(e * (1 + k - k * e))) / (2 * (1 + k) * (1 + t))
    steps = [same(simplify(K * term_.subs(e, 1 / K) - formula(K, k, t)), 0)]
    inner = e * (1 + k - k * e)
    concave = simplify((2 * inner * inner.diff(e, 2) - inner.diff(e) ** 2) + (1 + k) ** 2)
    steps.append(same(concave, 0))  # so the second derivative of √inner is -(1+k)²/(4 inner^{3/2})
    steps.append(same(simplify(formula(K, 0, 0) - (1 + sqrt(K)) / 2), 0))
    steps.append(same(simplify(limit(formula(K, K * kappa, 0), K, oo) - 1 / (2 * sqrt(kappa))), 0))
    return all_hold(steps)


@check(
    "knowledge.sharp.threshold",
    "symbolic",
    lambda K: (1 - 1 / K) / 4,
    mutations={"1/4": lambda K: K / (4 * K), "(1 - 1/K²)/4": lambda K: (1 - 1 / K**2) / 4},
)
def threshold(formula: Callable[[Expr], Expr]) -> Finding:
    """The sharp bound at t = 0 is 1 where K + (K-1)k = (1 + 2k)², whose only positive root is k = (K-1)/4, that is κ =
    k/K = (1 - 1/K)/4."""
    K = Symbol("K", positive=True)
    k = Symbol("k")
    roots = solve(K + (K - 1) * k - (1 + 2 * k) ** 2, k)
    kappas = [simplify(root / K) for root in roots]
    steps = [same(simplify(kappas[0] * kappas[1] + (K - 1) / (4 * K**2)), 0)]  # the other root is negative for K > 1
    found = any(simplify(kappa - formula(K)) == 0 for kappa in kappas)
    return all_hold([*steps, Finding(found, f"the roots are κ = {kappas}")])


def _sharp(count: int, kappa: fmpq, t: fmpq) -> arb:
    """[1 + √(K + (K-1)k)]/(2(1+k)(1+t))."""
    k = count * kappa / (1 + t)
    return (1 + arb(count + (count - 1) * k).sqrt()) / (2 * (1 + arb(k)) * (1 + arb(t)))


def _knowing(count: int, kappa: fmpq, t: fmpq) -> RationalEcosystem:
    """Disjoint prompts; entity j knows κ of them beside public data, and one direction very well. α = 1/2 and β = 1/2, at
    double size."""
    units, private = identity(count).tolist(), []
    for j, unit in enumerate(units):
        # With D_j = ((1+t)I + κS_j)^{-1/2}, the direction D_j⁻¹u for u ∝ D_je_j/|D_je_j| - D_j1/|D_j1|.
        own, other = _root(1 + t + count * kappa), _root(1 + t)
        length = _root((count - 1) / (1 + t) + 1 / (1 + t + count * kappa))
        u = [int(i == j) - (1 / own if i == j else 1 / other) / length for i in range(count)]
        known = fmpq_mat(count, 1, [entry * (own if i == j else other) for i, entry in enumerate(u)])
        S = count * fmpq_mat(count, 1, unit) * fmpq_mat(1, count, unit)
        private.append(2 * (kappa * S + 10**9 * known * known.transpose()))
    half = fmpq(1, 2)
    published = [count * fmpq_mat(count, 1, unit) * fmpq_mat(1, count, unit) for unit in units]
    shares = [fmpq(1, count)] * count
    return RationalEcosystem(private, 2 * t * identity(count), published, shares, [half] * count, [half] * count)


def _root(value: fmpq) -> fmpq:
    """A rational number close to the square root."""
    root = Fraction(float(value.p) / float(value.q)) ** Fraction(1, 2)
    return fmpq(round(10**12 * float(root)), 10**12)


@check(
    "knowledge.sharp.attained",
    "certified",
    fmpq(999999, 1000000),
    mutations={"1.000001 of the bound": fmpq(1000001, 1000000), "the bound itself": fmpq(1)},
)
def attained(formula: fmpq) -> Finding:
    """Ball arithmetic encloses ρ(Q) of ecosystems with disjoint prompts in which entity j knows κ of them beside public
    data, and one direction of size 10⁹, for K = 2, 3, 5, 8 and (κ, t) = (1/10, 0), (1/20, 1/5), and 1/4 - 1/(4K) at t =
    0."""
    least = 1.0
    for count in (2, 3, 5, 8):
        for kappa, t in (
            (fmpq(1, 10), fmpq(0)),
            (fmpq(1, 20), fmpq(1, 5)),
            ((1 - fmpq(1, count)) / 4, fmpq(0)),
        ):
            enclosure = enclose_spectral_radius(consensus_feedback(_knowing(count, kappa, t)))
            with ctx.workprec(_BITS):
                bound = _sharp(count, kappa, t)
                ratio = arb(enclosure.lower) / bound
                least = min(least, float(ratio.lower()))
                if not ratio > arb(formula):
                    return Finding(False, f"ρ ≤ {enclosure.upper:.9f} for K = {count}, below {float(bound):.9f}")
    return Finding(True, f"certified: ρ(Q) is at least {least:.9f} of the bound in all 12 cases")


@check(
    "knowledge.sharp",
    "certified",
    lambda count, kappa, t: _sharp(count, kappa, t),
    mutations={
        "2κ": lambda count, kappa, t: _sharp(count, 2 * kappa, t),
        "K - 1 for K": lambda count, kappa, t: _sharp(count - 1, kappa, t),
    },
)
def sharp_bound(formula: Callable[..., arb]) -> Finding:
    """Ball arithmetic at random rational ecosystems with R_j ⪰ κS_j + tS̲ (K = 2, 3, d = 2, 3), and at those of
    knowledge.sharp.attained. The claims that it rests on prove the general case."""
    rng, cases = random.Random(7), []
    for count, size in ((2, 2), (3, 2), (2, 3), (3, 3)):
        kappa, t = random_rational(rng), random_rational(rng) / 2
        published = [random_gram(rng, size, 1) for _ in range(count)]
        pool = sum(published[1:], published[0]) / count
        private = [2 * kappa * S + 1000 * random_gram(rng, size, 1) for S in published]
        shares, half = [fmpq(1, count)] * count, [fmpq(1, 2)] * count
        cases.append((count, kappa, t, RationalEcosystem(private, 2 * t * pool, published, shares, half, half)))
    for count in (2, 3):
        kappa, t = fmpq(1, 10), fmpq(1, 10)
        cases.append((count, kappa, t, _knowing(count, kappa, t)))
    for count, kappa, t, eco in cases:
        enclosure = enclose_spectral_radius(consensus_feedback(eco))
        with ctx.workprec(_BITS):
            if not arb(enclosure.upper) < formula(count, kappa, t) * (1 + arb(10) ** -9):
                return Finding(False, f"ρ ≥ {enclosure.lower:.6f} for K = {count}, κ = {float(kappa):.3f}")
    return Finding(True, f"holds for {len(cases)} ecosystems, near-extremal ones among them")
