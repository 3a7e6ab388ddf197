"""Every step of the proof of Theorem U, and the case of one model (theory.md, section 3).

The family that attains the bound is in `theorem_u_tight`. Notation, on the range of S̲: A_j = S̲^{-1/2} w_j S_j
S̲^{-1/2}, E_j = S̲^{-1/2}((G_j - α_j S̲)/α_j)S̲^{-1/2} ⪰ 0, T_j = (I + E_j)⁻¹, C_j = 2T_j - I and Z = Σ A_j C_j.
"""

import random
from collections.abc import Callable

from flint import fmpq, fmpq_mat
from sympy import Expr, S, adjoint

from ..exact import block, identity, is_semidefinite, random_gram, random_rational, trace, zero
from ..ledger import Finding, check
from ..noncommutative import all_hold, indexed, inverse_rules, matrices, same, scalars, symmetric
from ..rational import RationalEcosystem, consensus_feedback, pseudo_inverse
from .theorem_u_tight import near_worst_case

_ENTITIES = (1, 2, 3, 4)


@check(
    "theoremU.assumption",
    "exact",
    lambda real, alpha, published: real + alpha * (published[0] + published[1]) / 2,
    mutations={
        "α_k = 0": lambda real, alpha, published: real,
        "S_1 in place of S̲": lambda real, alpha, published: real + alpha * published[0],
    },
)
def always_nonsingular(formula: Callable[[fmpq_mat, fmpq, list[fmpq_mat]], fmpq_mat]) -> Finding:
    """G_k G_k⁺ S̲ = S̲ for random singular R_k ⪰ 0 and S̲ (d = 4, ranks 0 … 3), at random rational points:
    range(S̲) ⊂ range(G_k) whenever α_k > 0, since v'G_kv = 0 implies v'S̲v = 0. The theorem's condition on G_k is
    therefore no restriction."""
    rng = random.Random(1)
    for rank in (0, 1, 2, 3):
        real, published = random_gram(rng, 4, rank), [random_gram(rng, 4, 1) for _ in range(2)]
        gram, pool = formula(real, random_rational(rng), published), (published[0] + published[1]) / 2
        if gram * pseudo_inverse(gram) * pool != pool:
            return Finding(False, f"G_k is singular on range(S̲) for a real part of rank {rank}")
    return Finding(True, "range(S̲) ⊂ range(G_k) at 4 random rational points of ranks 0 … 3")


@check(
    "theoremU.whiten",
    "symbolic",
    lambda W, S, Gi, V: (W * S * W, V * Gi * V),
    mutations={
        "no whitening of G⁻¹": lambda W, S, Gi, V: (W * S * W, Gi),
        "S̲^{-1/2} on the wrong factor": lambda W, S, Gi, V: (V * S * V, V * Gi * V),
    },
)
def whiten(formula: Callable[..., tuple[Expr, Expr]]) -> Finding:
    """Noncommutative algebra with W = S̲^{-1/2} and V = S̲^{1/2}, and separate α_j and w_j for each entity,
    K = 1 … 4: W H V = Σ A_jT_j; with G_j = α_j(V E_j V + V²), T_j⁻¹ = V⁻¹G_jV⁻¹/α_j = I + E_j; and Σ A_j = W S̲
    W = I."""
    W, V, G, Gi, E = symmetric("W V G Gi E")
    (alpha,) = scalars("alpha")
    rules = inverse_rules((W, V), (G, Gi))
    steps = []
    for count in _ENTITIES:
        alphas, shares = scalars(indexed("alpha", count)), scalars(indexed("w", count))
        each = list(zip(alphas, shares, symmetric(indexed("S", count)), symmetric(indexed("H", count)), strict=True))
        feedback = sum(a * w * s * g for a, w, s, g in each)
        parts = [formula(W, w * s, a * g, V) for a, w, s, g in each]
        steps.append(same(W * feedback * V, sum(a * t for a, t in parts), rules))
    T = formula(W, V * V, alpha * Gi, V)[1]
    steps.append(same(T * (W * G * W / alpha), 1, rules))
    steps.append(same(W * (alpha * V * E * V + alpha * V * V) * W / alpha, 1 + E, rules))
    A = formula(W, V * V, Gi, V)[0]
    steps.append(same(A, 1, rules))
    return all_hold(steps)


@check(
    "theoremU.schur",
    "exact",
    lambda a, b, c: a - b * pseudo_inverse(c) * b.transpose(),
    mutations={
        "block instead of Schur complement": lambda a, b, c: a,
        "wrong sign": lambda a, b, c: a + b * pseudo_inverse(c) * b.transpose(),
    },
)
def singular_pool(formula: Callable[..., fmpq_mat]) -> Finding:
    """d = 4, S̲ of rank 2 in the first two coordinates, and R_k of ranks 0 … 3, so that G_k may be singular too:
    the compression of α_kG_k⁺ to range(S̲) is the inverse of the formula for G_k/α_k, and the formula for R_k/α_k
    is ⪰ 0; at random rational points (error probability below 10⁻⁶ for each)."""
    rng, singular = random.Random(2), 0
    for rank in (0, 1, 2, 3):
        real, alpha = random_gram(rng, 4, rank), random_rational(rng)
        pool = zero(4, 4)
        small = random_gram(rng, 2, 2)
        for i in range(2):
            for j in range(2):
                pool[i, j] = small[i, j]
        gram = real / alpha + pool
        a, b, c = (block(gram, *place, 2) for place in ((0, 0), (0, 1), (1, 1)))
        complement = formula(a, b, c)
        on_range = block(
            pseudo_inverse(gram), 0, 0, 2
        )  # S̲ is nonzero only in this block, so H involves no other block of G⁺
        singular += gram.rank() < 4
        if on_range * complement != identity(2):
            return Finding(False, f"the compressed inverse differs (R_k of rank {rank})")
        if not is_semidefinite(complement - small):
            return Finding(False, "E_k is not ⪰ 0")
    return Finding(True, f"equal at 4 random rational points, G_k singular at {singular} of them, and E_k ⪰ 0")


@check(
    "theoremU.cayley",
    "symbolic",
    lambda T: 2 * T - 1,
    mutations={"T - I": lambda T: T - 1, "I + 2T": lambda T: 1 + 2 * T},
)
def cayley(formula: Callable[[Expr], Expr]) -> Finding:
    """Noncommutative algebra with T = (I + E)⁻¹: I - C² = 4TET ⪰ 0 because E ⪰ 0, so ‖C‖ ≤ 1. Moreover
    I - T = T(E + E²)T ⪰ 0 and T = T(I + E)T ⪰ 0."""
    T, E = symmetric("T E")
    rules = {T * E: 1 - T, E * T: 1 - T}
    C = formula(T)
    return all_hold(
        [
            same(1 - C * C, 4 * T * E * T, rules),
            same(1 - T, T * (E + E * E) * T, rules),
            same(T, T * (1 + E) * T, rules),
        ]
    )


@check(
    "theoremU.half",
    "symbolic",
    lambda A, C: A * C,
    mutations={"C_jA_j": lambda A, C: C * A, "Σ A_j": lambda A, C: A},
)
def half(formula: Callable[[Expr, Expr], Expr]) -> Finding:
    """Noncommutative algebra with Σ A_j = I and C_j = 2T_j - I, K = 1 … 4: Σ A_jT_j = (I + Z)/2."""
    steps = []
    for count in _ENTITIES:
        A, T = _partition(count), matrices(indexed("T", count))
        Z = sum((formula(a, 2 * t - 1) for a, t in zip(A, T, strict=True)), S.Zero)
        steps.append(same(sum(a * t for a, t in zip(A, T, strict=True)), (1 + Z) / 2))
    return all_hold(steps)


def _partition(count: int) -> list[Expr]:
    """A_1 … A_K with Σ A_j = I."""
    first = symmetric(indexed("A", count - 1))
    return [*first, S.One - sum(first, S.Zero)]


@check(
    "theoremU.schwarz",
    "symbolic",
    lambda A, C, Z: (C - Z).adjoint() * A * (C - Z),
    mutations={
        "plus for minus": lambda A, C, Z: (C + Z).adjoint() * A * (C + Z),
        "A_j left out": lambda A, C, Z: (C - Z).adjoint() * (C - Z),
        "C_j not centered": lambda A, C, Z: C * A * C,
    },
)
def schwarz(formula: Callable[..., Expr]) -> Finding:
    """Noncommutative algebra with Σ A_j = I, K = 1 … 4: Σ C_jA_jC_j - Z'Z is the sum of (C_j - Z)'A_j(C_j - Z) ⪰ 0.
    So ‖Z‖² ≤ ‖Σ C_jA_jC_j‖, without square roots."""
    steps = []
    for count in _ENTITIES:
        A, C = _partition(count), symmetric(indexed("C", count))
        Z = sum(a * c for a, c in zip(A, C, strict=True))
        squares = sum(formula(a, c, Z) for a, c in zip(A, C, strict=True))
        steps.append(same(sum(c * a * c for a, c in zip(A, C, strict=True)) - adjoint(Z) * Z, squares))
    return all_hold(steps)


@check(
    "theoremU.stack",
    "symbolic",
    lambda root, C: root * C,
    mutations={"C_j on the left": lambda root, C: C * root, "A_j for its root": lambda root, C: root * root * C},
)
def stacked(formula: Callable[[Expr, Expr], Expr]) -> Finding:
    """Noncommutative algebra with A_j = r_j², V = stack(r_j) and Y = stack(r_jC_j), K = 1 … 4: V'V = Σ A_j, Z = V'Y
    and Y'Y = Σ C_jA_jC_j."""
    steps = []
    for count in _ENTITIES:
        roots, C = (symmetric(indexed(name, count)) for name in "rC")
        Y = [formula(r, c) for r, c in zip(roots, C, strict=True)]
        pairs = list(zip(roots, C, strict=True))
        steps.append(same(sum(r * y for r, y in zip(roots, Y, strict=True)), sum(r * r * c for r, c in pairs)))
        steps.append(same(sum(adjoint(y) * y for y in Y), sum(c * r * r * c for r, c in pairs)))
    return all_hold(steps)


@check(
    "theoremU.entities",
    "symbolic",
    lambda A, B, C, F: F * F + C * B * B * C,
    mutations={"one square missing": lambda A, B, C, F: C * B * B * C, "C dropped": lambda A, B, C, F: F * F + B * B},
)
def each_term(formula: Callable[..., Expr]) -> Finding:
    """Noncommutative algebra with I - A_j = B² (the sum of the other A_i) and I - C_j² = F²: I - C_jA_jC_j is a sum
    of two squares, hence ⪰ 0. So K terms give ‖Σ C_jA_jC_j‖ ≤ K."""
    A, B, C, F = symmetric("A B C F")
    rules = {B * B: 1 - A, F * F: 1 - C * C}
    return same(1 - C * A * C, formula(A, B, C, F), rules)


@check(
    "theoremU.dimension",
    "exact",
    lambda A, C: C * A * C,
    mutations={"C_j not a contraction": lambda A, C: 4 * C * A * C, "A_j C_j² + A_j": lambda A, C: C * A * C + A},
)
def trace_bound(formula: Callable[[fmpq_mat, fmpq_mat], fmpq_mat]) -> Finding:
    """tr A - tr CAC = tr A(I - C²) ≥ 0 for random rational A ⪰ 0 and contractions C = 2(I + E)⁻¹ - I, d = 1 … 5. In
    general, the trace is cyclic, and the trace of a product of two positive semidefinite matrices is nonnegative.
    Summed over j: tr Σ C_jA_jC_j ≤ tr I = d."""
    rng = random.Random(3)
    for size in range(1, 6):
        A, E = random_gram(rng, size, size), random_gram(rng, size, max(1, size - 1))
        C = 2 * (identity(size) + E).inv() - identity(size)
        if not trace(A) - trace(formula(A, C)) == trace(A * (identity(size) - C * C)) >= 0:
            return Finding(False, f"the trace exceeds tr A or is not cyclic (d = {size})")
    return Finding(
        True, "tr CAC ≤ tr A and the identity tr A - tr CAC = tr A(I - C²) at random rational points, d = 1 … 5"
    )


def _random_ecosystem(rng: random.Random, entities: int, size: int, ranks: tuple[int, int]) -> RationalEcosystem:
    """Random ecosystem with any α_k in (0, 1), β_k and shares, private and synthetic data of the given ranks, and
    public data of rank one."""
    shares = [random_rational(rng) for _ in range(entities)]
    total = sum(shares, fmpq(0))
    return RationalEcosystem(
        [1000 * random_gram(rng, size, ranks[0]) for _ in range(entities)],
        random_gram(rng, size, 1),
        [random_gram(rng, size, ranks[1]) for _ in range(entities)],
        [share / total for share in shares],
        [random_rational(rng) for _ in range(entities)],
        [random_rational(rng) for _ in range(entities)],
    )


@check(
    "theoremU",
    "exact",
    lambda entities, rank: min(entities, rank),
    mutations={
        "m = 1": lambda entities, rank: 1,
        "m = min - 1": lambda entities, rank: min(entities, rank) - 1,
    },
)
def universal_bound(formula: Callable[[int, int], int]) -> Finding:
    """Z'Z ⪯ m I in rational arithmetic, that is ‖Z‖ ≤ √m, for random ecosystems with unequal α_k, β_k and shares
    and for near-extremal ones (K = d = 2 … 4). The claims that it rests on prove the general case."""
    rng = random.Random(4)
    cases = [
        _random_ecosystem(rng, k, d, ranks)
        for k, d, ranks in ((2, 2, (1, 1)), (2, 3, (1, 2)), (3, 2, (1, 1)), (4, 3, (2, 3)))
    ]
    cases += [near_worst_case(size, fmpq(10**6)) for size in (2, 3, 4)]
    for eco in cases:
        pool, size = eco.pool_gram, eco.public.nrows()
        m = formula(len(eco.private), pool.rank())
        # Without whitening, H = (I + Z~)/2 with Z~ = S̲^{1/2} Z S̲^{-1/2}, and Z'Z ⪯ m I becomes Z~' S̲⁻¹ Z~ ⪯ m S̲⁻¹.
        Z = 2 * consensus_feedback(eco) - identity(size)
        metric = pool.inv()
        if not is_semidefinite(m * metric - Z.transpose() * metric * Z):
            return Finding(False, f"‖Z‖² exceeds {m} for K = {len(eco.private)}, d = {size}")
    return Finding(True, f"‖Z‖² ≤ m proved for {len(cases)} ecosystems, near-extremal ones among them")


@check(
    "theoremU.lone",
    "symbolic",
    lambda T: T,
    mutations={"2T": lambda T: 2 * T, "T + T²": lambda T: T + T * T},
)
def lone_model(formula: Callable[[Expr], Expr]) -> Finding:
    """Noncommutative algebra for K = 1, where A_1 = I and H is similar to T = (I + E)⁻¹: T = T(I + E)T and
    I - T = T(E + E²)T are ⪰ 0, so all eigenvalues lie in [0, 1]."""
    T, E = symmetric("T E")
    rules = {T * E: 1 - T, E * T: 1 - T}
    H = formula(T)
    return all_hold([same(H, T * (1 + E) * T, rules), same(1 - H, T * (E + E * E) * T, rules)])
