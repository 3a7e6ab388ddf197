"""Theorem 3, eqs. (1) and (2), E4, E5 and E12: constant weights and features, the limit, and α = 1 (§5, App. E.3)."""

import random
from collections.abc import Callable
from typing import Any

from flint import fmpq, fmpq_mat
from sympy import Expr, Matrix, S, Symbol, adjoint, kronecker_product, symbols

from ..exact import (
    Operators,
    block_diagonal,
    column,
    identity,
    is_stable,
    kron,
    operators,
    random_data,
    random_rational,
    solve_stein,
    trace,
    zero,
)
from ..ledger import Finding, check
from ..noncommutative import all_hold, inverse_rules, matrices, same, symmetric
from ..rational import RationalEcosystem, pseudo_inverse

_GENERATIONS = 6


@check(
    "eq1.finite",
    "symbolic",
    lambda power, geometric, Q, P, P0: power * P0 + geometric * P,
    mutations={
        "one power too many": lambda power, geometric, Q, P, P0: Q * power * P0 + geometric * P,
        "sum up to t": lambda power, geometric, Q, P, P0: power * P0 + (1 + Q * geometric) * P,
        "P on the left": lambda power, geometric, Q, P, P0: power * P0 + P * geometric,
    },
)
def mean_sum(formula: Callable[..., Expr]) -> Finding:
    """Noncommutative algebra, by induction for every t: the formula is P_0 at t = 0, where Qᵗ = I and Σ_{s<t}
    Qˢ = 0; and P + Q times the formula is the formula with QQᵗ for Qᵗ and I + QΣ for Σ."""
    Q, P, P0, power, geometric = matrices("Q P P0 power geometric")
    step = same(formula(Q * power, 1 + Q * geometric, Q, P, P0), P + Q * formula(power, geometric, Q, P, P0))
    return all_hold([same(formula(S.One, S.Zero, Q, P, P0), P0), step])


@check(
    "eq2.finite",
    "symbolic",
    lambda s, Q, inverse, QT: Q**s * inverse * QT**s,
    mutations={
        "sum from 0": lambda s, Q, inverse, QT: Q ** (s - 1) * inverse * QT ** (s - 1),
        "transpose dropped": lambda s, Q, inverse, QT: Q**s * inverse * Q**s,
    },
)
def covariance_sum(formula: Callable[..., Expr]) -> Finding:
    """Noncommutative algebra in units of σ², for symbolic s: the first term is C_1 = QS⁺Qᵀ, and term s + 1 is Q
    (term s) Qᵀ, as the recursion requires of the increments, C_{t+1} - C_t = Q(C_t - C_{t-1})Qᵀ. So the sum of t
    terms is C_t for every t."""
    Q, QT, inverse = matrices("Q QT inverse")
    s = Symbol("s", positive=True, integer=True)
    first = same(formula(S.One, Q, inverse, QT), Q * inverse * QT)
    step = same(formula(s + 1, Q, inverse, QT), Q * formula(s, Q, inverse, QT) * QT, {QT**s * QT: QT * QT**s})
    return all_hold([first, step])


@check(
    "eq1.limit",
    "symbolic",
    lambda N, P: N * P,
    mutations={"P(I-Q)⁻¹": lambda N, P: P * N, "(I-Q)⁻² P": lambda N, P: N * N * P},
)
def mean_limit(formula: Callable[[Expr, Expr], Expr]) -> Finding:
    """Noncommutative algebra with N = (I-Q)⁻¹: M solves M = P + QM, and M_t - M = Q(M_{t-1} - M), so M_t → M if
    Qᵗ → 0."""
    Q, N, P, before = matrices("Q N P before")
    rules = {Q * N: N - 1, N * Q: N - 1}
    M = formula(N, P)
    return all_hold([same(M, P + Q * M, rules), same(P + Q * before - M, Q * (before - M), rules)])


@check(
    "eq2.vec",
    "symbolic",
    lambda Q: kronecker_product(Q, Q),
    mutations={"Q⊗Qᵀ": lambda Q: kronecker_product(Q, Q.T), "Q⊗I": lambda Q: kronecker_product(Q, Matrix.eye(Q.rows))},
)
def vec_of_product(formula: Callable[[Matrix], Matrix]) -> Finding:
    """Symbolic 2 × 2 and 3 × 3 matrices: every entry of vec(QXQᵀ) equals that of (Q⊗Q)vec(X), with vec stacking
    rows."""
    for size in (2, 3):
        Q = Matrix(size, size, symbols(f"q:{size * size}"))
        X = Matrix(size, size, symbols(f"x:{size * size}"))
        rest = ((Q * X * Q.T).reshape(size**2, 1) - formula(Q) * X.reshape(size**2, 1)).expand()
        if rest != Matrix.zeros(size**2, 1):
            return Finding(False, f"entry (1, 1) differs by {rest[0]}" if rest[0] else f"differs for size {size}")
    return Finding(True, "all entries are the same polynomials")


def _constant(seed: int) -> tuple[RationalEcosystem, Operators, Operators, fmpq_mat]:
    """A random ecosystem (K = 2, d = 2), its operators at generation 0 and later, and diag(S_k⁺)."""
    rng = random.Random(seed)
    data = random_data(rng, (1, 2), 2, (2, 2), 2)
    beta = random_rational(rng)
    later = data.with_weights(random_rational(rng), beta)
    return (
        later,
        operators(data.with_weights(fmpq(0), beta)),
        operators(later),
        block_diagonal([pseudo_inverse(s) for s in later.synthetic]),
    )


def _by_eq2(formula: Callable[[fmpq_mat, fmpq_mat], fmpq_mat]) -> Finding:
    """Whether eq. (2) with this source term gives a fixed point of Theorem 1's recursion."""
    for seed in (1, 2):
        _, _, later, inverse = _constant(seed)
        Q, size = later.recursive, later.recursive.nrows()
        source = column(formula(Q, inverse).entries())
        C = fmpq_mat(size, size, (identity(size**2) - kron(Q, Q)).solve(source).entries())
        if Q * (C + inverse) * Q.transpose() != C:
            kind = "symmetric" if C.transpose() == C else "not symmetric"
            return Finding(
                False,
                f"the solution is not a fixed point of Theorem 1's recursion (it is {kind}; K = 2, d = 2, seed {seed})",
            )
    return Finding(
        True, "C is the fixed point of Theorem 1's recursion at 2 random rational points (K = 2, d = 2, 16 unknowns)"
    )


@check(
    "eq2.limit",
    "exact",
    lambda Q, inverse: Q * inverse * Q.transpose(),
    mutations={
        "Qᵀ S⁺ Q": lambda Q, inverse: Q.transpose() * inverse * Q,
        "Q left out": lambda Q, inverse: inverse,
    },
)
def covariance_limit(formula: Callable[[fmpq_mat, fmpq_mat], fmpq_mat]) -> Finding:
    """The solution of vec(C) = σ²(I - Q⊗Q)⁻¹ vec(…) in rational arithmetic satisfies C = Q(σ²S⁺ + C)Qᵀ (error
    probability below 10⁻¹²)."""
    return _by_eq2(formula)


@check(
    "E4",
    "exact",
    lambda Q, inverse: Q * inverse * Q.transpose(),
    printed={"QS⁺Q": lambda Q, inverse: Q * inverse * Q},
    mutations={"both transposed": lambda Q, inverse: Q.transpose() * inverse * Q.transpose()},
)
def source_transpose(formula: Callable[[fmpq_mat, fmpq_mat], fmpq_mat]) -> Finding:
    """As eq2.limit, with vec(QS⁺Q) as printed and with vec(QS⁺Qᵀ)."""
    return _by_eq2(formula)


@check(
    "E5",
    "symbolic",
    (lambda M, Q: Q * M, lambda m, q: (q, m)),
    printed={"MQ": (lambda M, Q: M * Q, lambda m, q: (m, q))},
    mutations={"QᵀM": (lambda M, Q: adjoint(Q) * M, lambda m, q: (q, m))},
)
def fixed_point(formula: tuple[Callable[[Expr, Expr], Expr], Callable[..., Any]]) -> Finding:
    """Matrix sizes for symbolic K and d (M is Kd × (K+1)d, Q is Kd × Kd), and noncommutative algebra for the fixed
    point."""
    product, order = formula
    K, d = symbols("K d", positive=True, integer=True)
    (_, inner), (rows, _) = order((K * d, (K + 1) * d), (K * d, K * d))
    if (inner - rows).expand() != 0:
        return Finding(False, f"a matrix of {inner} columns cannot multiply one of {rows} rows")
    Q, N, P = matrices("Q N P")
    return same(N * P, P + product(N * P, Q), {Q * N: N - 1, N * Q: N - 1})


@check(
    "theorem3.powers",
    "exact",
    fmpq(1),
    mutations={"ρ ≤ 1": fmpq(101, 100), "ρ < 1/2": fmpq(1, 2)},
)
def vanishing_powers(formula: fmpq) -> Finding:
    """The recursive matrices Q of random ecosystems (K = d = 2), scaled to have spectral radii on both sides of the
    formula's bound, and Jordan blocks with the eigenvalues 9/10 and 1: ρ below the bound, decided by the Stein
    equation, must agree with ‖Q^1024‖ < 10⁻⁶. In general, if X = QXQ' + I with X ⪰ 0, then Σ_{s<t} QˢQˢ' = X - QᵗXQᵗ'
    ⪯ X for all t, so the terms of the series tend to zero; an eigenvector of an eigenvalue of modulus at least 1 does
    not."""
    chain = fmpq_mat([[0, 1], [0, 0]])
    cases = [fmpq(9, 10) * identity(2) + chain, identity(2) + chain, identity(2), fmpq(7, 10) * identity(2)]
    for seed in (1, 2):
        Q = _constant(seed)[2].recursive
        cases += [Q, 4 * Q]
    for Q in cases:
        rounded = _rounded_power(Q, 10)
        small = trace(rounded * rounded.transpose()) < fmpq(1, 10**12)
        if is_stable(Q / formula) != small:
            return Finding(False, f"ρ(Q) < {formula} is {not small}, but Qᵗ → 0 is {small}")
    return Finding(True, f"ρ(Q) < 1 agrees with Qᵗ → 0 for {len(cases)} matrices")


def _rounded_power(matrix: fmpq_mat, doublings: int) -> fmpq_mat:
    """A to the power 2ⁿ, rounded to 60 decimals after every squaring, and at most 10⁹ in size."""
    unit = 10**60
    for _ in range(doublings):
        squared = matrix * matrix
        entries = [fmpq(round(unit * entry), unit) for entry in squared.entries()]
        most = max(abs(entry) for entry in entries)
        matrix = fmpq_mat(matrix.nrows(), matrix.ncols(), [e / max(most / 10**9, fmpq(1)) for e in entries])
    return matrix


@check(
    "theorem3.mean",
    "symbolic",
    lambda N, Q: (N, 1 - Q),
    mutations={"I + Q": lambda N, Q: (N, 1 + Q), "(I-Q)⁻²": lambda N, Q: (N * N, 1 - Q)},
)
def unbiased_limit(formula: Callable[[Expr, Expr], tuple[Expr, Expr]]) -> Finding:
    """Noncommutative algebra with N = (I-Q)⁻¹: M maps the true parameters to N times (I-Q)1 (theorem2.truth), which
    is 1; and E[θ̂_t] - 1θ is multiplied by Q in every generation (theorem2.induction), so it vanishes as Qᵗ does
    (theorem3.powers)."""
    Q, N, one = matrices("Q N one")
    inverse, real = formula(N, Q)
    return same(inverse * real * one, one, {Q * N: N - 1, N * Q: N - 1})


@check(
    "theorem3.covariance",
    "exact",
    lambda noise, M, inverse, C: noise * M * inverse * M.transpose() + C,
    mutations={
        "σ² dropped": lambda noise, M, inverse, C: M * inverse * M.transpose() + C,
        "C dropped": lambda noise, M, inverse, C: noise * M * inverse * M.transpose(),
        "C twice": lambda noise, M, inverse, C: noise * M * inverse * M.transpose() + 2 * C,
    },
)
def covariance_of_limit(formula: Callable[..., fmpq_mat]) -> Finding:
    """At two random rational points with ρ(Q) < 1 (proved by the Stein equation), one more generation from the
    claimed limit leaves the joint distribution of estimates and data unchanged; error probability below 10⁻¹²."""
    for seed in (3, 4):
        eco, _, later, inverse = _constant(seed)
        Q, P, noise = later.recursive, later.real, fmpq(3, 7)
        if not is_stable(Q):
            return Finding(None, "ρ(Q) ≥ 1 at the point drawn")
        real = block_diagonal([pseudo_inverse(s) for s in (*eco.private, eco.public)])
        M = (identity(Q.nrows()) - Q).solve(P)
        C = solve_stein(Q, noise * Q * inverse * Q.transpose())
        total, cross = formula(noise, M, real, C), noise * M * real
        mixed = P * cross.transpose() * Q.transpose()
        again = noise * P * real * P.transpose() + mixed + mixed.transpose()
        again += Q * (total + noise * inverse) * Q.transpose()
        if again != total:
            return Finding(False, f"one more generation changes the claimed limit (K = 2, d = 2, seed {seed})")
    return Finding(True, "one more generation leaves it unchanged at 2 random rational points with ρ(Q) < 1")


@check(
    "E12.rate",
    "symbolic",
    lambda one, Si, w2: one * Si * w2 * Si * adjoint(one),
    mutations={
        "without the shares' squares": lambda one, Si, w2: one * Si * adjoint(one),
        "only the diagonal blocks": lambda one, Si, w2: Si * w2 * Si,
    },
)
def linear_growth(formula: Callable[..., Expr]) -> Finding:
    """Noncommutative algebra with Q_t = 1 S̲_t⁻¹ B_t (α = 1), B_t = ω'S_t, B_t 1 = S̲_t and B_t S_t⁺ B_t' = Σ_j
    w_j² S_j =: w2: one generation adds exactly this matrix to C once C itself has the form 1 X 1'. Features may
    vary over generations."""
    one, B, inverse = matrices("one B inverse")
    Si, average, w2, X = symmetric("Si average w2 X")
    rules = {
        **inverse_rules((average, Si)),
        B * one: average,
        adjoint(one) * adjoint(B): average,
        B * inverse * adjoint(B): w2,
    }
    Q, before = one * Si * B, one * X * adjoint(one)
    after = Q * (inverse + before) * adjoint(Q)
    return same(after - before, formula(one, Si, w2), rules)


@check(
    "E12.exact",
    "exact",
    (lambda t, S: fmpq(t) * S, fmpq(1)),
    mutations={
        "growth t²": (lambda t, S: fmpq(t * t) * S, fmpq(1)),
        "K times faster": (lambda t, S: fmpq(2 * t) * S, fmpq(1)),
        "α = 99/100": (lambda t, S: fmpq(t) * S, fmpq(99, 100)),
    },
)
def growth_at_one(formula: tuple[Callable[[int, fmpq_mat], fmpq_mat], fmpq]) -> Finding:
    """K = 2, d = 2, random rational features and α = 1: M_t = Q M_0 for all t ≥ 1, and every d × d block of C_t is
    tσ²S̲⁻¹/K. So the entities' estimates coincide and only their common part grows (error probability below 10⁻¹²)."""
    expression, alpha = formula
    for seed in (5, 6):
        rng = random.Random(seed)
        data = random_data(rng, (1, 2), 2, (2, 2), 2)
        eco = data.with_weights(alpha, fmpq(1, 3))
        now, start = operators(eco), operators(data.with_weights(fmpq(0), fmpq(1, 3)))
        inverse = block_diagonal([pseudo_inverse(s) for s in eco.synthetic])
        Q, M, C = now.recursive, start.real, zero(4, 4)
        first = now.real + Q * M
        for t in range(1, _GENERATIONS + 1):
            M, C = now.real + Q * M, Q * (inverse + C) * Q.transpose()
            claimed = kron(fmpq_mat(2, 2, [1] * 4), expression(t, eco.pool_gram.inv() / 2))
            if first != M or claimed != C:
                what = "M_t" if first != M else "C_t"
                return Finding(False, f"{what} differs at generation {t} (seed {seed})")
    return Finding(
        True, f"C_t = tσ²/K (1_{{K×K}}⊗S̲⁻¹) and M_t = M_1 for t = 1 … {_GENERATIONS} at 2 random rational points"
    )


@check(
    "E12",
    "exact",
    lambda K: (0, fmpq(1, K), 0),
    mutations={
        "as fast as one model": lambda K: (0, 1, 0),
        "K² times slower": lambda K: (0, fmpq(1, K**2), 0),
        "conditional means grow": lambda K: (1, fmpq(1, K), 0),
        "differences grow": lambda K: (0, fmpq(1, K), fmpq(1, K)),
    },
)
def what_grows(formula: Callable[[int], tuple[fmpq | int, fmpq | int, fmpq | int]]) -> Finding:
    """α = 1 with random rational features (K = 3, d = 2, 6 generations; error probability below 10⁻⁶). The formula
    states what one generation adds to the conditional mean, in units of M_1, and to the covariances of the average
    over entities and of the difference of two entities, in units of what it adds for a single model with Gram
    matrix S̲ (K = 1, run through the same recursion)."""
    data = random_data(random.Random(7), (1, 2, 1), 2, (2, 2, 2), 2)
    eco, beta = data.with_weights(fmpq(1), fmpq(1, 3)), fmpq(1, 3)
    laws = _laws(eco, operators(data.with_weights(fmpq(0), beta)).real)
    alone = RationalEcosystem(eco.private[:1], eco.public, [eco.pool_gram], [fmpq(1)], [fmpq(1)], [beta])
    lone = _laws(alone, zero(2, 4))
    average, contrast = (kron(fmpq_mat([row]), identity(2)) for row in ([fmpq(1, 3)] * 3, [1, -1, 0]))
    mean, shared, difference = formula(3)
    for (M, C), (next_M, next_C), (_, one), (_, next_one) in zip(laws, laws[1:], lone, lone[1:], strict=False):
        step, unit = next_C - C, next_one - one
        if next_M - M != mean * laws[0][0]:
            return Finding(False, "the conditional mean does not change as claimed")
        if average * step * average.transpose() != shared * unit:
            return Finding(False, "the part that all entities share grows at a different rate")
        if contrast * step * contrast.transpose() != difference * unit:
            return Finding(False, "differences between entities do not change as claimed")
    return Finding(
        True, "each generation adds a third of what it adds for one model, all of it to the part that entities share"
    )


def _laws(eco: RationalEcosystem, mean: fmpq_mat) -> list[tuple[fmpq_mat, fmpq_mat]]:
    """(M_t, C_t) for t = 1 … 6 by Theorem 1, with σ² = 1."""
    now, inverse = operators(eco), block_diagonal([pseudo_inverse(s) for s in eco.synthetic])
    Q, M, C, laws = now.recursive, mean, 0 * now.recursive, []
    for _ in range(_GENERATIONS):
        M, C = now.real + Q * M, Q * (inverse + C) * Q.transpose()
        laws.append((M, C))
    return laws
