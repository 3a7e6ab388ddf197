"""The consensus form: the Kd system is a d-dimensional one (theory.md, section 2)."""

import random

from flint import fmpq, fmpq_poly
from sympy import Matrix, S, Symbol, adjoint

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
from ..rational import RationalEcosystem, consensus_feedback, pseudo_inverse, total
from ..words import all_hold, letters, same, scalars, symmetric


@check(
    "consensus.factor",
    "symbolic",
    lambda a, Gi, one, omega, S_: (a * Gi * one, adjoint(omega) * S_),
    mutations={
        "α on neither": lambda a, Gi, one, omega, S_: (Gi * one, adjoint(omega) * S_),
        "S left out of B": lambda a, Gi, one, omega, S_: (a * Gi * one, adjoint(omega)),
    },
)
def factors(formula) -> Finding:
    """Words for all K and d: Q = αG⁺ΠS with Π = 1ω' (1 = 1_K⊗I, ω = w⊗I) against AB; then block by block for K = 1 … 4
    with letters α_k, w_j, G_k⁺, S_j."""
    (a,) = scalars("alpha")
    Gi, S_ = symmetric("Gi S")
    one, omega = letters("one omega")
    A, B = formula(a, Gi, one, omega, S_)
    steps = [same(a * Gi * one * adjoint(omega) * S_, A * B)]
    for count in range(1, 5):
        alphas, shares = (scalars(" ".join(f"{n}{k}" for k in range(count))) for n in ("alpha", "w"))
        inverses, grams = (symmetric(" ".join(f"{n}{k}" for k in range(count))) for n in ("G", "S"))
        A = Matrix([formula(x, g, S.One, S.One, S.One)[0] for x, g in zip(alphas, inverses, strict=True)])
        B = Matrix([[w * formula(S.One, S.One, S.One, S.One, s)[1] for w, s in zip(shares, grams, strict=True)]])
        entry = lambda k, j: alphas[k] * shares[j] * inverses[k] * grams[j]  # noqa: B023, E731
        steps.append(same(Matrix(count, count, entry), A * B))
    return all_hold(steps)


@check(
    "consensus.powers",
    "symbolic",
    lambda A, H, B, s: A * H ** (s - 1) * B,
    mutations={"Hˢ": lambda A, H, B, s: A * H**s * B, "order": lambda A, H, B, s: H ** (s - 1) * A * B},
)
def powers(formula) -> Finding:
    """Words with Q = AB, BA = H: the formula is Q at s = 1, and Q times the formula at s is the formula at s + 1, for
    symbolic s."""
    A, B, H = letters("A B H")
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
def feedback(formula) -> Finding:
    """Block by block for K = 1 … 4 in letters: BA = Σ_j w_jα_jS_jG_j⁺."""
    steps = []
    for count in range(1, 5):
        alphas, shares = (scalars(" ".join(f"{n}{k}" for k in range(count))) for n in ("alpha", "w"))
        inverses, grams = (symmetric(" ".join(f"{n}{k}" for k in range(count))) for n in ("G", "S"))
        A = Matrix([x * g for x, g in zip(alphas, inverses, strict=True)])
        B = Matrix([[w * s for w, s in zip(shares, grams, strict=True)]])
        H = sum(formula(*each) for each in zip(shares, alphas, grams, inverses, strict=True))
        steps.append(same((B * A)[0, 0], H))
    return all_hold(steps)


def _random(rng: random.Random, entities: int = 2, size: int = 2, rank: int | None = None) -> RationalEcosystem:
    """Unequal α_k, β_k and shares; public data of rank one."""
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
"""K, d, rank of the synthetic data."""


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
def spectrum(formula) -> Finding:
    """Characteristic polynomials at random rational points with singular data: that of the lifted Q is x^{(K-1)d} times
    that of H, so ρ(Q) = ρ(H)."""
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
    mutations={"w_j": lambda shares: list(shares), "1/K": lambda shares: [fmpq(1, len(shares))] * len(shares)},
)
def noise(formula) -> Finding:
    """B diag(S_k⁺) B' of the lifted form against N = Σ w_j²S_j, with singular S_j, and N = S̲/K for equal shares."""
    rng = random.Random(2)
    for entities, size, rank in _SHAPES:
        eco = _random(rng, entities, size, rank)
        B = beside([w * s for w, s in zip(eco.shares, eco.synthetic, strict=True)])
        inverse = block_diagonal([pseudo_inverse(s) for s in eco.synthetic])
        claimed = total(w * s for w, s in zip(formula(eco.shares), eco.synthetic, strict=True))
        if B * inverse * B.transpose() != claimed:
            return Finding(False, f"N differs (K = {entities}, d = {size})")
    return Finding(True, f"equal at {len(_SHAPES)} random rational points")


@check(
    "consensus.covariance",
    "exact",
    lambda X, N, H: N + H * X * H.transpose(),
    mutations={
        "H'XH": lambda X, N, H: N + H.transpose() * X * H,
        "N inside": lambda X, N, H: H * (N + X) * H.transpose(),
        "N forgotten": lambda X, N, H: H * X * H.transpose(),
    },
)
def covariance(formula) -> Finding:
    """C_t of Theorem 1's lifted recursion against blocks α_kα_lG_k⁺X_tG_l⁺, t = 1 … 4, with unequal α_k, β_k and shares
    and singular data."""
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


@check(
    "consensus.limit",
    "exact",
    lambda P, A, H, B: P + A * (identity(H.nrows()) - H).solve(B * P),
    mutations={
        "(I-H)⁻¹ left out": lambda P, A, H, B: P + A * B * P,
        "P left out": lambda P, A, H, B: A * (identity(H.nrows()) - H).solve(B * P),
    },
)
def limit(formula) -> Finding:
    """M by eq. (1), (I - Q)⁻¹P in lifted form, against the d × d formula; and the limit X of the Stein equation against
    the lifted one (K = 2, d = 2)."""
    rng = random.Random(4)
    for entities, size, rank in _SHAPES:
        eco = _random(rng, entities, size, rank)
        now, H = operators(eco), consensus_feedback(eco)
        A = stack([a * pseudo_inverse(eco.training_gram(k)) for k, a in enumerate(eco.alpha)])
        B = beside([w * s for w, s in zip(eco.shares, eco.synthetic, strict=True)])
        if formula(now.real, A, H, B) != (identity(entities * size) - now.recursive).solve(now.real):
            return Finding(False, f"M differs (K = {entities}, d = {size})")
        if (entities, size) == (2, 2):
            inverse = block_diagonal([pseudo_inverse(s) for s in eco.synthetic])
            N = total(w**2 * s for w, s in zip(eco.shares, eco.synthetic, strict=True))
            lifted = solve_stein(now.recursive, now.recursive * inverse * now.recursive.transpose())
            if A * solve_stein(H, N) * A.transpose() != lifted:
                return Finding(False, "the limit of C differs")
    return Finding(True, f"M equal at {len(_SHAPES)} random rational points, and C at one")


@check(
    "consensus.varying",
    "symbolic",
    lambda A, B, t: A[t] * _chain(B, A, t) * B[1],
    mutations={
        "H of one generation": lambda A, B, t: A[t] * (B[1] * A[1]) ** (t - 1) * B[1],
        "order reversed": lambda A, B, t: A[1] * _chain(B, A, t) * B[t],
    },
)
def varying(formula) -> Finding:
    """Words: with weights and features of each generation, Q_t ⋯ Q_1 = A_t H_{t,t-1} ⋯ H_{2,1} B_1 where H_{s,s-1} =
    B_s A_{s-1}, for t = 1 … 5."""
    A, B = (letters(" ".join(f"{name}{t}" for t in range(6))) for name in "AB")
    steps, product = [], S.One
    for t in range(1, 6):
        product = A[t] * B[t] * product
        steps.append(same(product, formula(A, B, t)))
    return all_hold(steps)


def _chain(B, A, t: int):
    product = S.One
    for s in range(2, t + 1):
        product = B[s] * A[s - 1] * product
    return product


@check(
    "consensus.readers",
    "exact",
    lambda readers, size: readers.rank() * size,
    mutations={"d": lambda readers, size: size, "rank(W)": lambda readers, size: readers.rank()},
)
def readers(formula) -> Finding:
    """Rank of Q_kj = α_kW_kjG_k⁻¹S_j with random rational W of rank 1, 2, 3 and full-rank S_j, G_k (K = 4, d = 2): at
    most the formula, and equal to it here."""
    rng = random.Random(5)
    for rank in (1, 2, 3):
        W = random_matrix(rng, 4, rank) * random_matrix(rng, rank, 4)
        inverse = block_diagonal([random_gram(rng, 2, 2) for _ in range(4)])
        Q = inverse * kron(W, identity(2)) * block_diagonal([random_gram(rng, 2, 2) for _ in range(4)])
        if Q.rank() != formula(W, 2):
            return Finding(False, f"Q has rank {Q.rank()} for W of rank {rank}, d = 2")
    return Finding(True, "rank Q = d·rank W for random W of rank 1, 2, 3")
