"""Theorem 3, eqs. (1) and (2), E4, E5 and E12: constant weights and features, the limit, and α = 1 (§5, App. E.3)."""

import random
from itertools import pairwise

from flint import fmpq, fmpq_mat
from sympy import Matrix, Symbol, adjoint, kronecker_product, symbols

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
    zero,
)
from ..ledger import Finding, check
from ..rational import RationalEcosystem, pseudo_inverse
from ..words import all_hold, inverse_rules, letters, same, symmetric

_GENERATIONS = 6


@check(
    "eq1.finite",
    "symbolic",
    lambda t, Q, P, P0: Q**t * P0 + sum((Q**s for s in range(t)), 0) * P,
    mutations={
        "one power too many": lambda t, Q, P, P0: Q ** (t + 1) * P0 + sum((Q**s for s in range(t)), 0) * P,
        "sum up to t": lambda t, Q, P, P0: Q**t * P0 + sum((Q**s for s in range(t + 1)), 0) * P,
        "P on the left": lambda t, Q, P, P0: Q**t * P0 + P * sum((Q**s for s in range(t)), 0),
    },
)
def mean_sum(formula) -> Finding:
    """Words: the formula starts at P_0 and satisfies M_t = P + Q M_{t-1}, for t = 1 … 6."""
    Q, P, P0 = letters("Q P P0")
    steps = [same(formula(t, Q, P, P0), P + Q * formula(t - 1, Q, P, P0)) for t in range(1, _GENERATIONS + 1)]
    return all_hold([same(formula(0, Q, P, P0), P0), *steps])


@check(
    "eq2.finite",
    "symbolic",
    lambda t, Q, S: sum((Q**s * S * adjoint(Q) ** s for s in range(1, t + 1)), 0),
    mutations={
        "sum from 0": lambda t, Q, S: sum((Q**s * S * adjoint(Q) ** s for s in range(t)), 0),
        "transpose dropped": lambda t, Q, S: sum((Q**s * S * Q**s for s in range(1, t + 1)), 0),
    },
)
def covariance_sum(formula) -> Finding:
    """Words: the formula starts at 0 and satisfies C_t = Q(S⁺ + C_{t-1})Qᵀ (in units of σ²), for t = 1 … 6."""
    (Q,), (S,) = letters("Q"), symmetric("S")
    steps = [same(formula(t, Q, S), Q * (S + formula(t - 1, Q, S)) * adjoint(Q)) for t in range(1, _GENERATIONS + 1)]
    return all_hold([same(formula(0, Q, S), 0), *steps])


@check(
    "eq1.limit",
    "symbolic",
    lambda N, P: N * P,
    mutations={"P(I-Q)⁻¹": lambda N, P: P * N, "(I-Q)⁻² P": lambda N, P: N * N * P},
)
def mean_limit(formula) -> Finding:
    """Words with N = (I-Q)⁻¹: M solves M = P + QM, and M_t - M = Q(M_{t-1} - M), so that M_t → M if Qᵗ → 0."""
    Q, N, P, before = letters("Q N P before")
    rules = {Q * N: N - 1, N * Q: N - 1}
    M = formula(N, P)
    return all_hold([same(M, P + Q * M, rules), same(P + Q * before - M, Q * (before - M), rules)])


@check(
    "eq2.vec",
    "symbolic",
    lambda Q: kronecker_product(Q, Q),
    mutations={"Q⊗Qᵀ": lambda Q: kronecker_product(Q, Q.T), "Q⊗I": lambda Q: kronecker_product(Q, Matrix.eye(Q.rows))},
)
def vec_of_product(formula) -> Finding:
    """Symbolic 2 × 2 and 3 × 3 matrices: every entry of vec(QXQᵀ) against (Q⊗Q)vec(X), rows stacked."""
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


def _by_eq2(formula) -> Finding:
    for seed in (1, 2):
        _, _, later, inverse = _constant(seed)
        Q, size = later.recursive, later.recursive.nrows()
        source = column(formula(Q, inverse).entries())
        C = fmpq_mat(size, size, (identity(size**2) - kron(Q, Q)).solve(source).entries())
        if Q * (C + inverse) * Q.transpose() != C:
            kind = "symmetric" if C.transpose() == C else "not symmetric"
            return Finding(
                False,
                f"the solution is no fixed point of Theorem 1's recursion (it is {kind}; K = 2, d = 2, seed {seed})",
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
def covariance_limit(formula) -> Finding:
    """vec(C) = σ²(I - Q⊗Q)⁻¹ vec(…) solved in rational arithmetic and put into C = Q(σ²S⁺ + C)Qᵀ (error probability
    below 10⁻¹²)."""
    return _by_eq2(formula)


@check(
    "E4",
    "exact",
    lambda Q, inverse: Q * inverse * Q.transpose(),
    printed=lambda Q, inverse: Q * inverse * Q,
    mutations={"both transposed": lambda Q, inverse: Q.transpose() * inverse * Q.transpose()},
)
def source_transpose(formula) -> Finding:
    """As eq2.limit, with vec(QS⁺Q) as printed and vec(QS⁺Qᵀ)."""
    return _by_eq2(formula)


@check(
    "E5",
    "symbolic",
    (lambda M, Q: Q * M, lambda m, q: (q, m)),
    printed=(lambda M, Q: M * Q, lambda m, q: (m, q)),
    mutations={"QᵀM": (lambda M, Q: adjoint(Q) * M, lambda m, q: (q, m))},
)
def fixed_point(formula) -> Finding:
    """Sizes with symbolic K and d (M is Kd × (K+1)d, Q is Kd × Kd), and words for the fixed point."""
    product, order = formula
    K, d = symbols("K d", positive=True, integer=True)
    (_, inner), (rows, _) = order((K * d, (K + 1) * d), (K * d, K * d))
    if (inner - rows).expand() != 0:
        return Finding(False, f"a matrix of {inner} columns cannot multiply one of {rows} rows")
    Q, N, P = letters("Q N P")
    return same(N * P, P + product(N * P, Q), {Q * N: N - 1, N * Q: N - 1})


@check(
    "theorem3.mean",
    "symbolic",
    lambda N, Q: (N, 1 - Q),
    mutations={"I + Q": lambda N, Q: (N, 1 + Q), "(I-Q)⁻²": lambda N, Q: (N * N, 1 - Q)},
)
def unbiased_limit(formula) -> Finding:
    """Words with N = (I-Q)⁻¹: M applied to the true parameters is N times theorem2.truth's (I-Q)1, which is 1; and
    E[θ̂_t] - 1θ is multiplied by Q at every generation (theorem2.induction)."""
    Q, N, one = letters("Q N one")
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
def covariance_of_limit(formula) -> Finding:
    """At two random rational points with ρ(Q) < 1 (proved by the Stein equation) the joint law of estimate and data,
    iterated once from the claimed limit, stays where it is; error probability below 10⁻¹²."""
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
    return Finding(True, "one more generation leaves it as it is at 2 random rational points with ρ(Q) < 1")


@check(
    "E12.rate",
    "symbolic",
    lambda one, Si, w2: one * Si * w2 * Si * adjoint(one),
    mutations={
        "without the shares' squares": lambda one, Si, w2: one * Si * adjoint(one),
        "only the diagonal blocks": lambda one, Si, w2: Si * w2 * Si,
    },
)
def linear_growth(formula) -> Finding:
    """Words with Q_t = 1 S̲_t⁻¹ B_t (α = 1), B_t = ω'S_t, B_t 1 = S̲_t and B_t S_t⁺ B_t' = Σ_j w_j² S_j =: w2: in one
    generation C grows by exactly this matrix, as soon as C itself has the form 1 X 1'; features may change from
    generation to generation."""
    one, Si, B, inverse = letters("one Si B inverse")
    average, w2, X = symmetric("average w2 X")
    Si = Symbol("Si", commutative=False, hermitian=True)
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
def growth_at_one(formula) -> Finding:
    """K = 2, d = 2, random rational features, α = 1: M_t = Q M_0 for all t ≥ 1, and every d × d block of C_t is
    tσ²S̲⁻¹/K, so that the entities' estimates coincide and only what they share grows (error probability below
    10⁻¹²)."""
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
    lambda law: law.pool_covariance,
    printed=lambda law: law.mean,
    mutations={"differences between entities": lambda law: law.difference},
)
def what_grows(formula) -> Finding:
    """α = 1 on random rational features (K = 2, d = 2): "convergence does not occur" is put to each part of the law,
    that is, whether the part still changes, linearly, between generations 1 … 6."""
    rng = random.Random(7)
    data = random_data(rng, (1, 2), 2, (2, 2), 2)
    eco = data.with_weights(fmpq(1), fmpq(1, 3))
    now, start = operators(eco), operators(data.with_weights(fmpq(0), fmpq(1, 3)))
    inverse = block_diagonal([pseudo_inverse(s) for s in eco.synthetic])
    Q, M, C, parts = now.recursive, start.real, zero(4, 4), []
    for _ in range(_GENERATIONS):
        M, C = now.real + Q * M, Q * (inverse + C) * Q.transpose()
        parts.append(formula(_Law(M, C)))
    steps = [after - before for before, after in pairwise(parts)]
    linear = all(step == steps[0] for step in steps)
    if linear and steps[0] != zero(steps[0].nrows(), steps[0].ncols()):
        return Finding(True, "the covariance that all entities share grows by the same matrix at every generation")
    return Finding(False, "this part is the same at every generation from the first on: it converges at once")


class _Law:
    """Parts of the conditional law of two entities in two dimensions."""

    def __init__(self, M: fmpq_mat, C: fmpq_mat):
        average = kron(fmpq_mat([[fmpq(1, 2), fmpq(1, 2)]]), identity(2))
        contrast = kron(fmpq_mat([[1, -1]]), identity(2))
        self.mean = M
        self.pool_covariance = average * C * average.transpose()
        self.difference = contrast * C * contrast.transpose()
