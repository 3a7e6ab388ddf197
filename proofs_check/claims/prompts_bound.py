"""Theorem U*: the exact worst case for given prompts (theory.md, section 3)."""

import random
from collections.abc import Callable

from flint import fmpq, fmpq_mat
from sympy import Expr, Rational, Symbol, simplify

from ..exact import identity, is_semidefinite, random_gram, random_matrix, random_rational
from ..ledger import Finding, check
from ..noncommutative import all_hold, same, scalars
from ..rational import total

_SHAPES = ((2, 2), (2, 3), (3, 2), (4, 3), (3, 1))
"""K and d."""


def _parts(rng: random.Random, count: int, size: int) -> list[fmpq_mat]:
    """Random A_j ⪰ 0 of which all but the last have rank one, with Σ A_j = I."""
    parts = [random_gram(rng, size, 1) for _ in range(count - 1)]
    largest = 1 + total(parts)[0, 0] if size == 1 else sum((p[i, i] for p in parts for i in range(size)), fmpq(1))
    parts = [part / largest for part in parts]
    return [*parts, identity(size) - total(parts)]


def _contraction(rng: random.Random, size: int) -> fmpq_mat:
    """2(I + E)⁻¹ - I."""
    return 2 * (identity(size) + 1000 * random_gram(rng, size, max(1, size - 1))).inv() - identity(size)


@check(
    "prompts.certificate",
    "exact",
    lambda A, c: A * A / c,
    mutations={
        "without shares": lambda A, c: A * A,
        "A for A²": lambda A, c: A * A * A,
        "half of it": lambda A, c: A * A / (2 * c),
    },
)
def certified_from_above(formula: Callable[[fmpq_mat, fmpq], fmpq_mat]) -> Finding:
    """Rational arithmetic at random points, K = 2 … 4, d = 1 … 3, and for C_j = I, where Z = I: Σ A_j²/c_j -
    (ΣC_jA_j)'(ΣC_jA_j) ⪰ 0 for random contractions C_j and shares c_j with Σ c_j = 1. In general, |y'ΣC_jA_jx| ≤ Σ |A_jx|
    for unit y, and by the Cauchy-Schwarz inequality (Σ |A_jx|)² ≤ Σ |A_jx|²/c_j."""
    rng = random.Random(1)
    for count, size in _SHAPES:
        parts = _parts(rng, count, size)
        weights = [random_rational(rng) for _ in parts]
        shares = [weight / sum(weights, fmpq(0)) for weight in weights]
        bound = total(formula(part, share) for part, share in zip(parts, shares, strict=True))
        none = [identity(size)] * count
        for contractions in (none, [_contraction(rng, size) for _ in parts]):
            Z = total(c * part for c, part in zip(contractions, parts, strict=True))
            if not is_semidefinite(bound - Z.transpose() * Z):
                return Finding(False, f"‖Z‖ exceeds the certificate for K = {count}, d = {size}")
    return Finding(True, f"holds at {len(_SHAPES)} random rational points, and for C_j = I")


@check(
    "prompts.range",
    "exact",
    lambda norm, A: norm * A - A * A,
    mutations={"no norm": lambda norm, A: norm * norm * A - A * A, "A² - A": lambda norm, A: A * A - norm * A},
)
def range_of_nu(formula: Callable[[fmpq, fmpq_mat], fmpq_mat]) -> Finding:
    """A² ⪯ ‖A‖A at random rational A with the eigenvalues 1, …, d times a scale, turned by a reflection, d = 1 … 4. So
    |A_jx|² ≤ ‖A_j‖ x'A_jx, and the Cauchy-Schwarz inequality gives Σ |A_jx| ≤ (Σ ‖A_j‖ Σ x'A_jx)^{1/2} = (Σ ‖A_j‖)^{1/2};
    the triangle inequality Σ |A_jx| ≥ |Σ A_jx| = 1. The norms are at most 1 and at most the traces, whose sum is rank
    S̲."""
    rng = random.Random(2)
    for size in range(1, 5):
        for scale in (fmpq(1, 10), fmpq(10)):
            u = random_matrix(rng, size, 1)
            turn = identity(size) - 2 * u * u.transpose() / (u.transpose() * u)[0, 0]
            values = fmpq_mat(size, size, [scale * (i + 1) * int(i == j) for i in range(size) for j in range(size)])
            if not is_semidefinite(formula(scale * size, turn * values * turn)):
                return Finding(False, f"A² exceeds ‖A‖A for d = {size}")
    return Finding(True, "A² ⪯ ‖A‖A at 8 random rational points")


@check(
    "prompts.attained",
    "symbolic",
    lambda kappa, nu: 1 + kappa * (nu - 1) / 2,
    mutations={
        "ν + 1": lambda kappa, nu: 1 + kappa * (nu + 1) / 2,
        "κ²": lambda kappa, nu: 1 + kappa**2 * (nu - 1) / 2,
        "without the half": lambda kappa, nu: 1 + kappa * (nu - 1),
    },
)
def attained(formula: Callable[[Expr, Expr], Expr]) -> Finding:
    """With a = A_jx, c = x'a/|a| and u ∝ a/|a| - x: (I + ℓuu')⁻¹ = I - κuu' with κ = ℓ/(1+ℓ) (Sherman-Morrison), and uu'a
    = (a - |a|x)/2, since u'a/|a| = 1 - c and the squared length of a/|a| - x is 2 - 2c. The sum over j, with Σ A_jx = x,
    is (1 - ν)x/2. So x is an eigenvector of Σ T_jA_j, the transpose of Σ A_jT_j, for any unit vector x with ν = Σ |A_jx|.
    As κ → 1 the value tends to (1+ν)/2."""
    kappa, nu, ell = scalars("kappa nu ell")
    c = Symbol("c", real=True)
    u = Symbol("u", commutative=False, hermitian=True)  # the projection uu'
    inverse = same((1 + ell * u) * (1 - ell / (1 + ell) * u), 1, {u * u: u})
    half = same(simplify((1 - c) / (2 - 2 * c)), Rational(1, 2))
    return all_hold([inverse, half, same(1 - kappa * (1 - nu) / 2, formula(kappa, nu))])


@check(
    "prompts.reflection",
    "exact",
    lambda image, x: [a - b for a, b in zip(image, x, strict=True)],
    mutations={
        "sum": lambda image, x: [a + b for a, b in zip(image, x, strict=True)],
        "not normalized": lambda image, x: [2 * a - b for a, b in zip(image, x, strict=True)],
    },
)
def reflection(formula: Callable[..., list[fmpq]]) -> Finding:
    """C = I - 2uu'/u'u with u = a/|a| - x is a symmetric contraction (C² = I) with Ca = |a|x, at rational unit vectors in
    dimensions 2 … 4 (from the rational parametrization of the sphere)."""
    rng = random.Random(3)
    for size in (2, 3, 4):
        image, x = _unit(rng, size), _unit(rng, size)
        u = fmpq_mat(size, 1, formula(image, x))
        C = identity(size) - 2 * u * u.transpose() / (u.transpose() * u)[0, 0]
        if identity(size) != C * C or C * fmpq_mat(size, 1, image) != fmpq_mat(size, 1, x):
            return Finding(False, f"C a is not |a| x for d = {size}")
    return Finding(True, "Ca = |a|x exactly for d = 2 … 4")


def _unit(rng: random.Random, size: int) -> list[fmpq]:
    """A rational unit vector, by stereographic projection."""
    point = random_matrix(rng, 1, size - 1).entries()
    square = sum((p * p for p in point), fmpq(0))
    return [*(2 * p / (1 + square) for p in point), (square - 1) / (1 + square)]


@check(
    "prompts.bound",
    "symbolic",
    lambda nu: (1 + nu) / 2,
    mutations={"ν": lambda nu: nu, "(1 + ν²)/2": lambda nu: (1 + nu**2) / 2},
)
def worst_case_of_prompts(formula: Callable[[Expr], Expr]) -> Finding:
    """H is similar to (I + Z)/2 (theoremU.half), so ρ(H) ≤ (1 + ‖Z‖)/2. Z' = ΣC_jA_j is real, so its norm is |y'Z'x| for
    real unit vectors x, y, and |y'C_jA_jx| ≤ |A_jx| sums up to at most ν. By prompts.attained the value at κ → 1 is the
    same number."""
    nu = scalars("nu")[0]
    kappa = Symbol("kappa", positive=True)
    attained_value = (1 + kappa * (nu - 1) / 2).subs(kappa, 1)
    return all_hold([same(formula(nu), (1 + nu) / 2), same(attained_value, formula(nu))])
