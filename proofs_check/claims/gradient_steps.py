"""Gradient steps from the previous estimate instead of the minimizer: what under-training does to stability."""

import random
from collections.abc import Callable, Mapping
from typing import Any

from flint import fmpq, fmpq_mat
from sympy import Expr, Poly, Rational, Symbol, cancel, symbols

from ..certified import enclose_spectral_radius
from ..exact import block_diagonal, gram, identity, is_definite, is_semidefinite, outer, power, random_gram
from ..ledger import Finding, check
from ..noncommutative import all_hold, matrices, same, scalars
from ..rational import total
from ..workflow_limit import Readers, one_pool

_HALF = fmpq(1, 2)


def _training_gram(ecosystem: Readers, k: int) -> fmpq_mat:
    pool = total(ecosystem.readers[k, j] * s for j, s in enumerate(ecosystem.synthetic))
    real = ecosystem.beta[k] * ecosystem.private[k] + (1 - ecosystem.beta[k]) * ecosystem.public
    return (1 - ecosystem.alpha[k]) * real + ecosystem.alpha[k] * pool


def after_steps(ecosystem: Readers, steps: int, rate: fmpq) -> fmpq_mat:
    """Q_n = F + (I-F)Q with the blocks F_k = (I - ηG_k)ⁿ."""
    one = identity(ecosystem.size)
    left = block_diagonal(
        [power(one - rate * _training_gram(ecosystem, k), steps) for k in range(len(ecosystem.private))]
    )
    return left + (identity(left.nrows()) - left) * ecosystem.recursive()


@check(
    "gradient.lifted",
    "symbolic",
    lambda F, Q: F + (1 - F) * Q,
    mutations={"F + Q": lambda F, Q: F + Q, "Q on the other side": lambda F, Q: F + Q * (1 - F)},
)
def lifted(formula: Callable[[Expr, Expr], Expr]) -> Finding:
    """Noncommutative algebra for n = 1 … 5 and all K and d, with G for the block-diagonal matrix of all G_k: the literal
    steps e ← e - η(Ge - GQe_0) with GQ = αΠS give Q_ne_0 for F = (I - ηG)ⁿ, and I - Q_n = (I-F)(I-Q)."""
    (eta,) = scalars("eta")
    G, Q, start = matrices("G Q start")
    estimate, left, steps = start, 1, []
    for _ in range(5):
        estimate = (estimate - eta * (G * estimate - G * Q * start)).expand()
        left = (left * (1 - eta * G)).expand()
        recursive = formula(left, Q)
        steps += [same(estimate, recursive * start), same(1 - recursive, (1 - left) * (1 - Q))]
    return all_hold(steps)


def _tight(size: int) -> Readers:
    """The family of theoremU.tight with 1/√m rounded to two digits, weak public data, α = β = 1/2."""
    near = fmpq(round(100 / size**0.5), 100)
    units = identity(size).tolist()
    private = [50 * outer([entry - near for entry in unit]) for unit in units]
    halves = [_HALF] * size
    published = [size * outer(unit) for unit in units]
    return Readers(private, identity(size) / 100, published, one_pool([fmpq(1, size)] * size), halves, halves)


def _two_beyond() -> Readers:
    """Integer data for which Q has two real eigenvalues beyond 1."""
    published = [fmpq_mat([[17, -3, -1], [29, -2, 9]]), fmpq_mat([[-9, -14, 13], [-30, 2, 35]])]
    private = [fmpq_mat([[-25, -12, 9], [-3, 10, 38]]), fmpq_mat([[-2, 2, 6], [14, 2, 17]])]
    public = gram(fmpq_mat([[-4, 1, 1], [-5, -2, -13], [1, -1, -1]]))
    halves = [_HALF] * 2
    return Readers([gram(x) for x in private], public, [gram(x) for x in published], one_pool(halves), halves, halves)


def _real_beyond_one(matrix: fmpq_mat) -> int:
    """Number of real eigenvalues beyond 1, with multiplicity, of a matrix without the eigenvalue 1; by Sturm's theorem."""
    x = Symbol("x")
    coefficients = [Rational(int(c.p), int(c.q)) for c in matrix.charpoly().coeffs()]
    factors: Any = Poly(coefficients[::-1], x).sqf_list()[1]
    return sum(int(exponent * factor.count_roots(1, None)) for factor, exponent in factors)


@check(
    "B3",
    "exact",
    lambda count: count % 2 == 1,
    printed={"any number": lambda count: count > 0},
    mutations={"an even number": lambda count: count == 2, "at least two": lambda count: count > 1},
)
def real_eigenvalues(formula: Callable[[int], bool]) -> Finding:
    """det(I - Q_n) = det(I-F)det(I-Q) by gradient.lifted. If 0 ≺ ηG_k ≺ 2I, det(I-F) > 0; with an odd number of real
    eigenvalues of Q beyond 1, det(I-Q) < 0, and det(xI - Q_n) changes its sign beyond x = 1. Sturm's theorem counts the
    real eigenvalues beyond 1 of Q and of Q_1 … Q_4, in rational arithmetic with steps of size 1/max tr G_k, for the
    family of theoremU.tight (m = 2 and 3; one such eigenvalue) and for a random search's integer data with two (K = 2,
    d = 3). The formula is the condition on their number."""
    said = []
    for ecosystem in (_tight(2), _tight(3), _two_beyond()):
        before = _real_beyond_one(ecosystem.recursive())
        if not formula(before):
            continue
        count = len(ecosystem.private)
        grams = [_training_gram(ecosystem, k) for k in range(count)]
        rate = 1 / max(sum((g[i, i] for i in range(g.nrows())), fmpq(0)) for g in grams)
        for steps in range(1, 5):
            found = after_steps(ecosystem, steps, rate)
            left = _real_beyond_one(found)
            if left % 2 == 0:
                radius = enclose_spectral_radius(found)
                place = f"K = {count}, d = {ecosystem.size}"
                text = f"of {before} real eigenvalues beyond 1 {left} are left for n = {steps}, and ρ(Q_n) is {radius.verdict}"
                return Finding(False, f"{text}: at most {radius.upper:.6f} ({place})")
        said.append(f"{before} for m = {count}")
    return Finding(True, f"an odd number of real eigenvalues beyond 1 is left after 1 … 4 steps: {', '.join(said)}")


def _stable_if_trained() -> Readers:
    """Integer data that are stable for minimizers, and unstable for few steps."""
    published, private = [outer([7, -6]), outer([-7, 13])], [outer([3, -14]), outer([-1, 1])]
    halves = [_HALF] * 2
    return Readers(private, outer([-1, 2]), published, one_pool(halves), halves, halves)


UNDERTRAINED = {1: "1.014", 2: "1.021", 5: "1.016", 50: ".963", 0: ".975"}
"""ρ by the number of steps; 0 stands for the minimizer."""


@check(
    "gradient.undertrained",
    "certified",
    (UNDERTRAINED, fmpq(1, 122)),
    mutations={
        "last digit changed after 1 step": (UNDERTRAINED | {1: "1.015"}, fmpq(1, 122)),
        "stable after 5 steps": (UNDERTRAINED | {5: ".983"}, fmpq(1, 122)),
        "steps of size 1/60": (UNDERTRAINED, fmpq(1, 60)),
    },
)
def undertrained(formula: tuple[Mapping[int, str], fmpq]) -> Finding:
    """Ball arithmetic encloses ρ(Q) and ρ(Q_n) of integer data found by a search: S_1 = (7,-6)(·)', S_2 = (-7,13)(·)',
    S~_1 = (3,-14)(·)', S~_2 = (-1,1)(·)', S_* = (-1,2)(·)', α = β = 1/2, equal shares, steps of size 1/122, where
    λ_max(G_k) < 122. The quoted values are the roundings of all numbers in the ball."""
    table, rate = formula
    ecosystem, said = _stable_if_trained(), []
    if not all(is_definite(identity(2) / rate - _training_gram(ecosystem, k)) for k in range(2)):
        return Finding(False, "a step is longer than 1/λ_max(G_k)")
    for steps, quoted in table.items():
        found = enclose_spectral_radius(after_steps(ecosystem, steps, rate) if steps else ecosystem.recursive())
        half = 0.5 * 10.0 ** -len(quoted.partition(".")[2])
        if not float(quoted) - half <= found.lower <= found.upper <= float(quoted) + half:
            return Finding(False, f"ρ is {found.lower:.6f} after {steps} steps, not {quoted}")
        said.append(f"{found.lower:.6f} {f'after {steps}' if steps else 'for minimizers'}")
    return Finding(True, f"ρ is {', '.join(said)}")


@check(
    "gradient.lone",
    "exact",
    lambda gram: 1 / sum((gram[i, i] for i in range(gram.nrows())), fmpq(0)),
    mutations={"three times as long": lambda gram: 3 / sum((gram[i, i] for i in range(gram.nrows())), fmpq(0))},
)
def lone(formula: Callable[[fmpq_mat], fmpq]) -> Finding:
    """I - Q_n = DR with D = (I-F)G⁻¹ and R = G - αS ⪰ 0 (gradient.lifted). For ηG ⪯ I, 0 ≺ D ⪯ G⁻¹, so that DR is similar
    to D^{1/2}RD^{1/2}, with eigenvalues between 0 and those of G^{-1/2}RG^{-1/2} ⪯ I. The inequalities are decided
    exactly for random rational G and R of rank below d (d = 2 and 3, n = 1 … 4, η = 1/tr G)."""
    rng = random.Random(1)
    for size in (2, 3):
        R, one = random_gram(rng, size, size - 1), identity(size)
        G = R + random_gram(rng, size, size)
        for steps in range(1, 5):
            D = (one - power(one - formula(G) * G, steps)) * G.inv()
            if not (is_definite(D) and is_semidefinite(G.inv() - D) and is_semidefinite(R) and is_semidefinite(G - R)):
                return Finding(False, f"0 ≺ D ⪯ G⁻¹ is false after {steps} steps (d = {size})")
    return Finding(True, "0 ≺ D ⪯ G⁻¹ and 0 ⪯ R ⪯ G for n = 1 … 4, d = 2 and 3")


@check(
    "gradient.commuting",
    "symbolic",
    lambda left, a, pool, real: (1 - left) * real / (a * pool + real),
    mutations={
        "F left out": lambda left, a, pool, real: real / (a * pool + real),
        "F for I - F": lambda left, a, pool, real: left * real / (a * pool + real),
    },
)
def commuting(formula: Callable[..., Expr]) -> Finding:
    """One coordinate in any network: with s̲_k = Σ_jW_kjs_j and g_k = α_ks̲_k + r_k, row k of Q_n has the nonnegative
    entries (1-f_k)α_kW_kjs_j/g_k, and f_k ∈ [0, 1) added to its diagonal. One minus its sum is the formula, which is
    not negative, so that ρ(Q_n) ≤ ‖Q_n‖_∞ ≤ 1."""
    a, pool, real, up = symbols("a pool r up", positive=True)
    left = 1 / (1 + up)  # any number in (0, 1)
    gap = 1 - left - (1 - left) * a * pool / (a * pool + real)
    claimed = cancel(formula(left, a, pool, real))
    found = same(cancel(gap - claimed), 0)
    return found if found.holds is False or claimed.is_positive else Finding(False, "a row sum may exceed 1")
