"""Theorem U, every step of its proof, its tight family, and one model (theory.md, section 3).

A_j = S̲^{-1/2} w_j S_j S̲^{-1/2}, E_j = S̲^{-1/2}((G_j - α_j S̲)/α_j)S̲^{-1/2} ⪰ 0, T_j = (I + E_j)⁻¹, C_j = 2T_j - I,
Z = Σ A_j C_j, on the range of S̲.
"""

import random

from flint import fmpq, fmpq_mat, fmpq_poly
from sympy import Rational, adjoint, limit, oo, simplify, sqrt, together

from ..exact import (
    beside,
    block,
    identity,
    is_definite,
    is_semidefinite,
    kron,
    operators,
    outer,
    random_gram,
    random_rational,
    stack,
    trace,
    zero,
)
from ..ledger import Finding, check
from ..rational import RationalEcosystem, consensus_feedback, pseudo_inverse
from ..words import all_hold, inverse_rules, letters, same, scalars, symmetric

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
def always_nonsingular(formula) -> Finding:
    """G_k G_k⁺ S̲ = S̲ for random singular R_k ⪰ 0 and S̲ (d = 4, ranks 0 … 3), at random rational points: range(S̲)
    lies inside range(G_k) whenever α_k > 0, since v'G_kv = 0 makes v'S̲v = 0. The theorem's proviso on G_k is no
    restriction."""
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
def whiten(formula) -> Finding:
    """Words with W = S̲^{-1/2} and V = S̲^{1/2}, each entity with its own α_j and w_j, K = 1 … 4: W H V = Σ A_jT_j; with G_j =
    α_j(V E_j V + V²) in T_j⁻¹ = V⁻¹G_jV⁻¹/α_j = I + E_j; and Σ A_j = W S̲ W = I."""
    W, V, G, Gi, E = symmetric("W V G Gi E")
    (alpha,) = scalars("alpha")
    rules = inverse_rules((W, V), (G, Gi))
    steps = []
    for count in _ENTITIES:
        names = lambda n: " ".join(f"{n}{j}" for j in range(count))  # noqa: B023, E731
        alphas, shares = scalars(names("alpha")), scalars(names("w"))
        each = list(zip(alphas, shares, symmetric(names("S")), symmetric(names("H")), strict=True))
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
        "sign": lambda a, b, c: a + b * pseudo_inverse(c) * b.transpose(),
    },
)
def singular_pool(formula) -> Finding:
    """d = 4, S̲ of rank 2 in the first two coordinates, R_k of ranks 0 … 3 so that G_k may be singular too: the
    compression of α_kG_k⁺ to range(S̲) is the inverse of the formula for G_k/α_k, and the formula for R_k/α_k is ⪰ 0;
    at random rational points (error probability below 10⁻⁶ each)."""
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
        on_range = block(pseudo_inverse(gram), 0, 0, 2)  # S̲ sees of G⁺ its first block only
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
def cayley(formula) -> Finding:
    """Words with T = (I + E)⁻¹: I - C² = 4TET, which is ⪰ 0 because E is; so ‖C‖ ≤ 1. And I - T = T(E + E²)T ⪰ 0, T =
    T(I + E)T ⪰ 0."""
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
def half(formula) -> Finding:
    """Words with Σ A_j = I and C_j = 2T_j - I, K = 1 … 4: Σ A_jT_j = (I + Z)/2."""
    steps = []
    for count in _ENTITIES:
        A, T = _partition(count), letters(" ".join(f"T{j}" for j in range(count)))
        Z = sum(formula(a, 2 * t - 1) for a, t in zip(A, T, strict=True))
        steps.append(same(sum(a * t for a, t in zip(A, T, strict=True)), (1 + Z) / 2))
    return all_hold(steps)


def _partition(count: int) -> list:
    """A_1 … A_K with Σ A_j = I."""
    first = symmetric(" ".join(f"A{j}" for j in range(count - 1))) if count > 1 else []
    return [*first, 1 - sum(first)]


@check(
    "theoremU.schwarz",
    "symbolic",
    lambda A, C, Z: (C - Z).adjoint() * A * (C - Z),
    mutations={
        "plus for minus": lambda A, C, Z: (C + Z).adjoint() * A * (C + Z),
        "A_j left out": lambda A, C, Z: (C - Z).adjoint() * (C - Z),
        "C_j not centred": lambda A, C, Z: C * A * C,
    },
)
def schwarz(formula) -> Finding:
    """Words with Σ A_j = I, K = 1 … 4: Σ C_jA_jC_j - Z'Z is the sum of (C_j - Z)'A_j(C_j - Z), each ⪰ 0. So ‖Z‖² ≤ ‖Σ
    C_jA_jC_j‖, without square roots."""
    steps = []
    for count in _ENTITIES:
        A, C = _partition(count), symmetric(" ".join(f"C{j}" for j in range(count)))
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
def stacked(formula) -> Finding:
    """Words with A_j = r_j²: V = stack(r_j), Y = stack(r_jC_j) give V'V = Σ A_j, Z = V'Y and Y'Y = Σ C_jA_jC_j, K = 1 …
    4."""
    steps = []
    for count in _ENTITIES:
        roots, C = (symmetric(" ".join(f"{name}{j}" for j in range(count))) for name in "rC")
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
def each_term(formula) -> Finding:
    """Words with I - A_j = B² (the other A_i add up to it) and I - C_j² = F²: I - C_jA_jC_j is a sum of two squares,
    hence ⪰ 0. K terms give ‖Σ C_jA_jC_j‖ ≤ K."""
    A, B, C, F = symmetric("A B C F")
    rules = {B * B: 1 - A, F * F: 1 - C * C}
    return same(1 - C * A * C, formula(A, B, C, F), rules)


@check(
    "theoremU.dimension",
    "exact",
    lambda A, C: C * A * C,
    mutations={"C_j not a contraction": lambda A, C: 4 * C * A * C, "A_j C_j² + A_j": lambda A, C: C * A * C + A},
)
def trace_bound(formula) -> Finding:
    """tr A - tr CAC = tr A(I - C²) ≥ 0 for random rational A ⪰ 0 and contractions C = 2(I + E)⁻¹ - I, d = 1 … 5; in
    words: the trace is cyclic, and the trace of a product of two matrices ⪰ 0 is ≥ 0. Summed over j: tr Σ C_jA_jC_j ≤
    tr I = d."""
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
    """Any α_k in (0, 1), β_k, shares; private and synthetic data of the given ranks, public data of rank one."""
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
def universal_bound(formula) -> Finding:
    """Z'Z ⪯ m I in rational arithmetic, that is ‖Z‖ ≤ √m, for random ecosystems with unequal α_k, β_k and shares, and
    for near-extremal ones (K = d = 2 … 4); the proof for all is in the lines it rests on."""
    rng = random.Random(4)
    cases = [
        _random_ecosystem(rng, k, d, ranks)
        for k, d, ranks in ((2, 2, (1, 1)), (2, 3, (1, 2)), (3, 2, (1, 1)), (4, 3, (2, 3)))
    ]
    cases += [near_worst_case(size, fmpq(10**6)) for size in (2, 3, 4)]
    for eco in cases:
        pool, size = eco.pool_gram, eco.public.nrows()
        m = formula(len(eco.private), pool.rank())
        # Z in the unwhitened frame: H = (I + Z~)/2 with Z~ = S̲^{1/2} Z S̲^{-1/2}, and Z'Z ⪯ m I becomes Z~' S̲⁻¹ Z~ ⪯ m S̲⁻¹.
        Z = 2 * consensus_feedback(eco) - identity(size)
        metric = pool.inv()
        if not is_semidefinite(m * metric - Z.transpose() * metric * Z):
            return Finding(False, f"‖Z‖² exceeds {m} for K = {len(eco.private)}, d = {size}")
    return Finding(True, f"‖Z‖² ≤ m proved for {len(cases)} ecosystems, near-extremal ones among them")


def near_worst_case(size: int, strength: fmpq) -> RationalEcosystem:
    """The family that attains the bound, with 1/√m replaced by a rational number close to it; α = 1/2, β = 1."""
    near = fmpq(round(10**9 / size**0.5), 10**9)
    unit = lambda j: [fmpq(int(i == j)) for i in range(size)]  # noqa: E731
    private = [strength * outer([fmpq(int(i == j)) - near for i in range(size)]) for j in range(size)]
    shares = [fmpq(1, size)] * size
    return RationalEcosystem(
        private,
        zero(size, size),
        [size * outer(unit(j)) for j in range(size)],
        shares,
        [fmpq(1, 2)] * size,
        [fmpq(1)] * size,
    )


@check(
    "theoremU.tight",
    "symbolic",
    lambda k, m: 1 + k * (sqrt(m) - 1) / 2,
    mutations={
        "√m + 1": lambda k, m: 1 + k * (sqrt(m) + 1) / 2,
        "κ²": lambda k, m: 1 + k**2 * (sqrt(m) - 1) / 2,
        "m in place of √m": lambda k, m: 1 + k * (m - 1) / 2,
    },
)
def tight_family(formula) -> Finding:
    """Symbolic m and ℓ, κ = ℓ/(1+ℓ): α G_j⁻¹ = I - κu_ju_j' (Sherman and Morrison, in words), (e_j'u_j)u_j = (e_j -
    1/√m)/2, hence H = I - (κ/2)(I - J/√m) with J = 11', J² = mJ: its eigenvalues are the formula (on 1) and 1 - κ/2 (on
    the rest)."""
    ell, m = scalars("ell m")
    kappa = ell / (1 + ell)
    u, J = symmetric("u J")  # u stands for the projection u_j u_j'
    inverse = same((1 + ell * u) * (1 - kappa * u), 1, {u * u: u})
    length = (1 - 1 / sqrt(m)) ** 2 + (m - 1) / m  # ‖e_j - 1/√m‖²
    overlap = simplify((1 - 1 / sqrt(m)) / length)  # (e_j'u_j)/‖e_j - 1/√m‖
    H = 1 - kappa / 2 * (1 - J / sqrt(m))
    spectrum = same(H * J, formula(kappa, m) * J, {J * J: m * J})
    if simplify(overlap - Rational(1, 2)) != 0:
        return Finding(False, f"(e_j'u_j)u_j is {overlap}(e_j - 1/√m)")
    return all_hold([inverse, spectrum, same(H * (1 - J / m), (1 - kappa / 2) * (1 - J / m), {J * J: m * J})])


@check(
    "theoremU.family",
    "exact",
    lambda k, root, one: one + k * (root - one) / 2,
    mutations={
        "√m/2": lambda k, root, one: one + k * root / 2,
        "ℓ for κ": lambda k, root, one: one + k / (1 - k) * (root - one) / 2,
    },
)
def family_of_sizes(formula) -> Finding:
    """The lifted m² × m² matrix Q of the family for m = 2 … 9 and ℓ = 3, in rational arithmetic with √m as the 2 × 2
    matrix whose square is m: Q has the formula as an eigenvalue, and Q(Q - ρ)(Q - (1 - κ/2)) = 0, so nothing exceeds
    it."""
    kappa, one = fmpq(3, 4), identity(2)
    for m in range(2, 10):
        root = fmpq_mat([[0, m], [1, 0]])
        scale = (2 * one - 2 * root / m).inv()
        blocks = []
        for j in range(m):
            unit = [int(i == j) for i in range(m)]
            across = stack([u * one - root / m for u in unit]) * scale  # (e_j - 1/√m)/‖e_j - 1/√m‖²
            along = beside([u * one - root / m for u in unit])
            blocks.append(identity(2 * m) - kappa * across * along)  # α G_j⁻¹
        publish = [kron(outer([int(i == j) for i in range(m)]), one) for j in range(m)]  # w_j S_j
        Q = stack(blocks) * beside(publish)
        rho = kron(identity(m * m), formula(kappa, root, one))
        vector = stack(blocks) * stack([one] * m)
        if Q * vector != rho * vector:
            return Finding(False, f"the value is no eigenvalue for m = {m}")
        if Q * (Q - rho) * (Q - (1 - kappa / 2) * identity(2 * m * m)) != zero(2 * m * m, 2 * m * m):
            return Finding(False, f"Q has further eigenvalues for m = {m}")
    return Finding(True, "exact for m = 2 … 9 with ℓ = 3")


@check(
    "theoremU.approached",
    "symbolic",
    lambda m: (1 + sqrt(m)) / 2,
    mutations={"√m": lambda m: sqrt(m), "(1 + m)/2": lambda m: (1 + m) / 2},
)
def supremum(formula) -> Finding:
    """Limit of 1 + (ℓ/(1+ℓ))(√m - 1)/2 for ℓ = āL/α → ∞, at every fixed α in (0, 1); for m > 1 it is increasing in
    ℓ."""
    ell, m, strength, a = scalars("ell m L a")
    rho = 1 + ell / (1 + ell) * (sqrt(m) - 1) / 2
    end = limit(rho.subs(ell, strength * a), strength, oo)
    slope = simplify(rho.diff(ell) / (sqrt(m) - 1))
    if simplify(end - formula(m)) == 0 and slope.is_positive:
        return Finding(True, f"the limit is {together(end)}, approached from below for m > 1")
    return Finding(False, f"the limit is {together(end)}")


@check(
    "theoremU.divergence",
    "exact",
    (fmpq(6, 5), fmpq(10**3)),
    mutations={"ρ > 1.3": (fmpq(13, 10), fmpq(10**3)), "weak private data (L = 1)": (fmpq(6, 5), fmpq(1))},
)
def divergence(formula) -> Finding:
    """K = d = 2, α = 1/2, β = 9/10, rational data, public data of full rank: det(xI - H) < 0 at x = 6/5, so an
    eigenvalue beyond it, with every G_k definite and private data at every generation."""
    level, strength = formula
    eco = near_worst_case(2, strength)
    eco = RationalEcosystem(eco.private, identity(2) / 100, eco.synthetic, eco.shares, eco.alpha, [fmpq(9, 10)] * 2)
    if not all(is_definite(eco.training_gram(k)) for k in range(2)):
        return Finding(False, "G is not of full rank")
    feedback = consensus_feedback(eco)
    value = (level * identity(2) - feedback).det()
    lifted = operators(eco).recursive.charpoly()
    if value < 0 and lifted == feedback.charpoly() * fmpq_poly([0, 0, 1]):
        return Finding(
            True, f"det(xI - H) = {float(value):.4f} < 0 at x = {level}; Q has the same eigenvalues and two zeros"
        )
    return Finding(False, f"det(xI - H) = {float(value):.4f} at x = {level} does not show an eigenvalue beyond it")


@check(
    "theoremU.lone",
    "symbolic",
    lambda T: T,
    mutations={"2T": lambda T: 2 * T, "T + T²": lambda T: T + T * T},
)
def lone_model(formula) -> Finding:
    """Words for K = 1, where A_1 = I and H is similar to T = (I + E)⁻¹: T and I - T are ⪰ 0 (T = T(I + E)T, I - T = T(E
    + E²)T), so all eigenvalues lie in [0, 1]."""
    T, E = symmetric("T E")
    rules = {T * E: 1 - T, E * T: 1 - T}
    H = formula(T)
    return all_hold([same(H, T * (1 + E) * T, rules), same(1 - H, T * (E + E * E) * T, rules)])
