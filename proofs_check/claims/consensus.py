"""Consensus form: the Kd-dimensional recursion reduced to a d-dimensional one (theory.md, section 2)."""

import random
from collections.abc import Callable, Sequence

from flint import fmpq, fmpq_mat, fmpq_poly
from sympy import Expr, Matrix, S, Symbol, adjoint

from ..exact import (
    beside,
    block_diagonal,
    identity,
    kron,
    operators,
    random_gram,
    random_matrix,
    random_rational,
    solve_stein,
    stack,
)
from ..ledger import Finding, check
from ..noncommutative import all_hold, indexed, matrices, same, scalars, symmetric
from ..rational import RationalEcosystem, consensus_feedback, pseudo_inverse, total


@check(
    "consensus.factor",
    "symbolic",
    lambda a, Gi, one, omega, S_: (a * Gi * one, adjoint(omega) * S_),
    mutations={
        "α on neither": lambda a, Gi, one, omega, S_: (Gi * one, adjoint(omega) * S_),
        "S left out of B": lambda a, Gi, one, omega, S_: (a * Gi * one, adjoint(omega)),
    },
)
def factors(formula: Callable[..., tuple[Expr, Expr]]) -> Finding:
    """Noncommutative algebra for all K and d: Q = αG⁺ΠS with Π = 1ω' (1 = 1_K⊗I, ω = w⊗I) equals AB. Then the same
    block by block for K = 1 … 4, with separate symbols for α_k, w_j, G_k⁺ and S_j."""
    (a,) = scalars("alpha")
    Gi, S_ = symmetric("Gi S")
    one, omega = matrices("one omega")
    A, B = formula(a, Gi, one, omega, S_)
    steps = [same(a * Gi * one * adjoint(omega) * S_, A * B)]
    for count in range(1, 5):
        alphas, shares = (scalars(indexed(n, count)) for n in ("alpha", "w"))
        inverses, grams = (symmetric(indexed(n, count)) for n in ("G", "S"))
        A = Matrix([formula(x, g, S.One, S.One, S.One)[0] for x, g in zip(alphas, inverses, strict=True)])
        B = Matrix([[w * formula(S.One, S.One, S.One, S.One, s)[1] for w, s in zip(shares, grams, strict=True)]])
        Q = Matrix(
            [[a * w * g * s for w, s in zip(shares, grams, strict=True)] for a, g in zip(alphas, inverses, strict=True)]
        )
        steps.append(same(Q, A * B))
    return all_hold(steps)


@check(
    "consensus.powers",
    "symbolic",
    lambda A, H, B, s: A * H ** (s - 1) * B,
    mutations={"Hˢ": lambda A, H, B, s: A * H**s * B, "wrong order": lambda A, H, B, s: H ** (s - 1) * A * B},
)
def powers(formula: Callable[..., Expr]) -> Finding:
    """Noncommutative algebra with Q = AB and BA = H, by induction over a symbolic s: the formula is Q at s = 1, and
    Q times the formula at s is the formula at s + 1."""
    A, B, H = matrices("A B H")
    s = Symbol("s", positive=True, integer=True)
    rules = {B * A: H}
    step = same(A * B * formula(A, H, B, s), formula(A, H, B, s + 1), rules)
    return all_hold([same(formula(A, H, B, 1), A * B, rules), step])


@check(
    "consensus.feedback",
    "symbolic",
    lambda w, a, S_, g: w * a * S_ * g,
    mutations={"G⁺S": lambda w, a, S_, g: w * a * g * S_, "w squared": lambda w, a, S_, g: w**2 * a * S_ * g},
)
def feedback(formula: Callable[..., Expr]) -> Finding:
    """Noncommutative algebra, block by block for K = 1 … 4: BA = Σ_j w_jα_jS_jG_j⁺."""
    steps = []
    for count in range(1, 5):
        alphas, shares = (scalars(indexed(n, count)) for n in ("alpha", "w"))
        inverses, grams = (symmetric(indexed(n, count)) for n in ("G", "S"))
        A = Matrix([x * g for x, g in zip(alphas, inverses, strict=True)])
        B = Matrix([[w * s for w, s in zip(shares, grams, strict=True)]])
        H = sum(formula(*each) for each in zip(shares, alphas, grams, inverses, strict=True))
        steps.append(same((B * A)[0, 0], H))
    return all_hold(steps)


def _random(rng: random.Random, entities: int = 2, size: int = 2, rank: int | None = None) -> RationalEcosystem:
    """Random ecosystem with unequal α_k, β_k and shares, and public data of rank one."""
    shares = [random_rational(rng) for _ in range(entities)]
    whole = sum(shares, fmpq(0))
    return RationalEcosystem(
        [random_gram(rng, size, 1) for _ in range(entities)],
        random_gram(rng, size, 1),
        [random_gram(rng, size, rank or size) for _ in range(entities)],
        [share / whole for share in shares],
        [random_rational(rng) for _ in range(entities)],
        [random_rational(rng) for _ in range(entities)],
    )


_SHAPES = ((1, 2, 2), (2, 2, 1), (3, 2, 2), (2, 3, 3), (4, 3, 1))
"""K, d and the rank of the synthetic data."""


@check(
    "consensus.spectrum",
    "exact",
    consensus_feedback,
    mutations={
        "α_j dropped": lambda eco: total(
            w * (s * pseudo_inverse(eco.training_gram(j)))
            for j, (w, s) in enumerate(zip(eco.shares, eco.synthetic, strict=True))
        ),
        "equal shares": lambda eco: total(
            a / len(eco.alpha) * (s * pseudo_inverse(eco.training_gram(j)))
            for j, (a, s) in enumerate(zip(eco.alpha, eco.synthetic, strict=True))
        ),
    },
)
def spectrum(formula: Callable[[RationalEcosystem], fmpq_mat]) -> Finding:
    """At random rational points with singular data, the characteristic polynomial of the lifted Q is x^{(K-1)d}
    times that of H, so ρ(Q) = ρ(H)."""
    rng = random.Random(1)
    for entities, size, rank in _SHAPES:
        eco = _random(rng, entities, size, rank)
        zeros_ = fmpq_poly([0] * (entities - 1) * size + [1])
        if operators(eco).recursive.charpoly() != formula(eco).charpoly() * zeros_:
            return Finding(False, f"the polynomials differ (K = {entities}, d = {size})")
    return Finding(True, f"equal at {len(_SHAPES)} random rational points, K = 1 … 4, d = 2, 3")


@check(
    "consensus.noise",
    "exact",
    lambda shares: [w**2 for w in shares],
    mutations={
        "w_j": lambda shares: list(shares),
        "1/K": lambda shares: [fmpq(1, len(shares))] * len(shares),
        "1/K²": lambda shares: [fmpq(1, len(shares) ** 2)] * len(shares),
    },
)
def noise(formula: Callable[[Sequence[fmpq]], list[fmpq]]) -> Finding:
    """At random rational points with singular S_j, B diag(S_k⁺) B' of the lifted form equals N = Σ w_j²S_j for
    unequal shares, and N is S̲/K for equal shares (σ² = 1)."""
    rng = random.Random(2)
    for entities, size, rank in _SHAPES:
        eco = _random(rng, entities, size, rank)
        B = beside([w * s for w, s in zip(eco.shares, eco.synthetic, strict=True)])
        inverse = block_diagonal([pseudo_inverse(s) for s in eco.synthetic])
        own, equal = (
            total(w * s for w, s in zip(formula(shares), eco.synthetic, strict=True))
            for shares in (eco.shares, [fmpq(1, entities)] * entities)
        )
        if B * inverse * B.transpose() != own:
            return Finding(False, f"N differs (K = {entities}, d = {size})")
        if equal != total(eco.synthetic) / entities**2:
            return Finding(False, f"N is not S̲/K for equal shares (K = {entities}, d = {size})")
    return Finding(True, f"equal at {len(_SHAPES)} random rational points, and S̲/K for equal shares")


@check(
    "consensus.covariance",
    "exact",
    lambda X, N, H: N + H * X * H.transpose(),
    mutations={
        "H'XH": lambda X, N, H: N + H.transpose() * X * H,
        "N inside": lambda X, N, H: H * (N + X) * H.transpose(),
        "N dropped": lambda X, N, H: H * X * H.transpose(),
    },
)
def covariance(formula: Callable[..., fmpq_mat]) -> Finding:
    """At random rational points with unequal α_k, β_k and shares and singular data, C_t of Theorem 1's lifted
    recursion has the blocks α_kα_lG_k⁺X_tG_l⁺ for t = 1 … 4."""
    rng = random.Random(3)
    for entities, size, rank in _SHAPES:
        eco = _random(rng, entities, size, rank)
        now, H = operators(eco), consensus_feedback(eco)
        inverse = block_diagonal([pseudo_inverse(s) for s in eco.synthetic])
        A = stack([a * pseudo_inverse(eco.training_gram(k)) for k, a in enumerate(eco.alpha)])
        N = total(w**2 * s for w, s in zip(eco.shares, eco.synthetic, strict=True))
        X, C = 0 * N, 0 * now.recursive
        for t in range(1, 5):
            X, C = formula(X, N, H), now.recursive * (inverse + C) * now.recursive.transpose()
            if A * X * A.transpose() != C:
                return Finding(False, f"C_{t} differs (K = {entities}, d = {size})")
    return Finding(True, f"C_1 … C_4 equal at {len(_SHAPES)} random rational points, K = 1 … 4")


def _mean_limit(P: fmpq_mat, A: fmpq_mat, H: fmpq_mat, B: fmpq_mat) -> fmpq_mat:
    """M = P + A(I-H)⁻¹BP."""
    return P + A * (identity(H.nrows()) - H).solve(B * P)


@check(
    "consensus.limit",
    "exact",
    (_mean_limit, solve_stein),
    mutations={
        "(I-H)⁻¹ left out": (lambda P, A, H, B: P + A * B * P, solve_stein),
        "P left out": (lambda P, A, H, B: A * (identity(H.nrows()) - H).solve(B * P), solve_stein),
        "X = HᵀXH + N": (_mean_limit, lambda H, N: solve_stein(H.transpose(), N)),
        "X = HXHᵀ + HNHᵀ": (_mean_limit, lambda H, N: solve_stein(H, H * N * H.transpose())),
        "X = N": (_mean_limit, lambda H, N: N),
    },
)
def limit(formula: tuple[Callable[..., fmpq_mat], Callable[..., fmpq_mat]]) -> Finding:
    """At random rational points with unequal α_k, β_k and shares and singular data: M from eq. (1), (I - Q)⁻¹P in
    lifted form, equals the d × d formula, and the matrix with blocks α_kα_lG_k⁺XG_l⁺ solves the lifted fixed-point
    equation C = Q(S⁺ + C)Qᵀ."""
    mean, stein = formula
    rng = random.Random(4)
    for entities, size, rank in _SHAPES:
        eco = _random(rng, entities, size, rank)
        now, H = operators(eco), consensus_feedback(eco)
        A = stack([a * pseudo_inverse(eco.training_gram(k)) for k, a in enumerate(eco.alpha)])
        B = beside([w * s for w, s in zip(eco.shares, eco.synthetic, strict=True)])
        if mean(now.real, A, H, B) != (identity(entities * size) - now.recursive).solve(now.real):
            return Finding(False, f"M differs (K = {entities}, d = {size})")
        inverse = block_diagonal([pseudo_inverse(s) for s in eco.synthetic])
        N = total(w**2 * s for w, s in zip(eco.shares, eco.synthetic, strict=True))
        C = A * stein(H, N) * A.transpose()
        if now.recursive * (inverse + C) * now.recursive.transpose() != C:
            return Finding(False, f"C is not a fixed point of the lifted recursion (K = {entities}, d = {size})")
    return Finding(True, f"M is equal and C a fixed point at {len(_SHAPES)} random rational points, K = 1 … 4")


@check(
    "consensus.varying",
    "symbolic",
    lambda now, chain, first: now * chain * first,
    mutations={
        "chain left out": lambda now, chain, first: now * first,
        "order reversed": lambda now, chain, first: first * chain * now,
        "chain transposed": lambda now, chain, first: now * adjoint(chain) * first,
    },
)
def varying(formula: Callable[..., Expr]) -> Finding:
    """Noncommutative algebra with weights and features that vary over generations, by induction for every t:
    Q_1 = A_1B_1 is the formula with an empty chain, and Q_{t+1} = A_{t+1}B_{t+1} times the formula is the formula
    with A_{t+1} and the chain B_{t+1}A_t ⋯ B_2A_1."""
    first_A, first_B, A, B, now, chain = matrices("A_1 B_1 A B A_t chain")
    start = same(first_A * first_B, formula(first_A, S.One, first_B))
    return all_hold([start, same(A * B * formula(now, chain, first_B), formula(A, B * now * chain, first_B))])


@check(
    "consensus.readers",
    "exact",
    lambda readers, size: readers.rank() * size,
    mutations={"d": lambda readers, size: size, "rank(W)": lambda readers, size: readers.rank()},
)
def readers(formula: Callable[[fmpq_mat, int], int]) -> Finding:
    """Rank of Q_kj = α_kW_kjG_k⁻¹S_j for random rational W of rank 1, 2, 3 and full-rank S_j and G_k (K = 4,
    d = 2): the formula is an upper bound, and is attained here."""
    rng = random.Random(5)
    for rank in (1, 2, 3):
        W = random_matrix(rng, 4, rank) * random_matrix(rng, rank, 4)
        inverse = block_diagonal([random_gram(rng, 2, 2) for _ in range(4)])
        Q = inverse * kron(W, identity(2)) * block_diagonal([random_gram(rng, 2, 2) for _ in range(4)])
        if Q.rank() != formula(W, 2):
            return Finding(False, f"Q has rank {Q.rank()} for W of rank {rank}, d = 2")
    return Finding(True, "rank Q = d·rank W for random W of rank 1, 2, 3")
