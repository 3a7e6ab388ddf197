"""Lemma 1 for entities with α_k, β_k, λ_k and γ_k of their own (theory.md, section 4)."""

import random
from collections.abc import Callable

from flint import fmpq, fmpq_mat
from sympy import Expr

from ..certified import enclose_spectral_radius
from ..exact import is_stable, outer, random_gram, random_matrix, random_rational
from ..ledger import Finding, check
from ..noncommutative import all_hold, same, scalars, symmetric
from ..rational import RationalEcosystem, consensus_feedback


@check(
    "lemma1.extended.gram",
    "symbolic",
    lambda a, b, mixing: (1 - a) * (mixing - b) / (a * mixing),
    mutations={
        "without ā": lambda a, b, mixing: (mixing - b) / (a * mixing),
        "β - λ": lambda a, b, mixing: (1 - a) * (b - mixing) / (a * mixing),
    },
)
def what_entities_know(formula: Callable[..., Expr]) -> Finding:
    """Noncommutative algebra: with S~_k = (γ_kS_k - (1-λ_k)S_*)/λ_k, R_k = (ā_k/α_k)(β_kS~_k + b̄_kS_*) is δ_kS_k + τS_*
    for the formula τ and δ_k = ā_kβ_kγ_k/(α_kλ_k)."""
    a, b, mixing, scale = scalars("alpha beta lambda gamma")
    S, public = symmetric("S public")
    private = (scale * S - (1 - mixing) * public) / mixing
    R = (1 - a) / a * (b * private + (1 - b) * public)
    delta = (1 - a) * b * scale / (a * mixing)
    return same(R, delta * S + formula(a, b, mixing) * public)


@check(
    "lemma1.extended.gap",
    "exact",
    lambda epsilon, delta: 1 / (1 + epsilon * delta),
    mutations={
        "δ for εδ": lambda epsilon, delta: 1 / (1 + delta),
        "2εδ": lambda epsilon, delta: 1 / (1 + 2 * epsilon * delta),
    },
)
def gap(formula: Callable[[fmpq, fmpq], fmpq]) -> Finding:
    """For rank one, B = w εvv' with a unit vector v and S = B/w: B(I + (δ/w)B)⁻¹ is (1/(1+εδ))B, in rational arithmetic
    for d = 1 … 4. In general B has an eigenvalue b ≥ wε wherever it is not zero, and b/(1 + δb/w) ≤ b/(1 + εδ). The sum
    over entities is at most max_k 1/(1+ε_kδ_k) ΣB_k ⪯ max_k 1/(1+ε_kδ_k) I, since M ⪰ S̲."""
    rng = random.Random(1)
    for size in range(1, 5):
        v = random_matrix(rng, 1, size)
        S = v.transpose() * v
        epsilon = (v * v.transpose())[0, 0]
        share, delta = random_rational(rng), 3 * random_rational(rng)
        B = share * S
        identity = fmpq_mat(size, size, [int(i == j) for i in range(size) for j in range(size)])
        if B * (identity + delta / share * B).inv() != formula(epsilon, delta) * B:
            return Finding(False, f"differs for d = {size}")
    return Finding(True, "equal at 4 random rational points, d = 1 … 4")


@check(
    "lemma1.extended",
    "exact",
    lambda epsilon, delta: 1 / (1 + epsilon * delta),
    mutations={
        "2εδ": lambda epsilon, delta: 1 / (1 + 2 * epsilon * delta),
        "squared": lambda epsilon, delta: 1 / (1 + epsilon * delta) ** 2,
    },
)
def own_weights(formula: Callable[[fmpq, fmpq], fmpq]) -> Finding:
    """The Stein equation decides ρ(Q) ≤ bound·(1 + 10⁻⁹) for 12 random rational ecosystems whose entities publish along
    one direction each, S_k = v_kv_k', for which ε_k = v_k'M⁻¹v_k, and know R_k = δ_kS_k + τS_* with α_k and δ_k of their
    own (K = 1 … 3, d = 2, 3, any shares); also for orthogonal directions without public data, where the bound is
    attained."""
    rng = random.Random(2)
    for trial in range(12):
        count, size = 1 + trial % 3, 2 + trial % 2
        common = trial % 4 != 3
        eco, vectors, surplus, M = _common_knowledge(rng, count, size, common)
        epsilon = [(v * M.inv() * v.transpose())[0, 0] for v in vectors]
        bound = max(formula(e, d) for e, d in zip(epsilon, surplus, strict=True))
        if not is_stable(consensus_feedback(eco) / (bound * (1 + fmpq(1, 10**9)))):
            return Finding(False, f"ρ(Q) exceeds {float(bound):.6f} (K = {count}, d = {size})")
    return Finding(True, "holds for 12 random rational ecosystems")


def _common_knowledge(
    rng: random.Random, count: int, size: int, common: bool
) -> tuple[RationalEcosystem, list[fmpq_mat], list[fmpq], fmpq_mat]:
    """Ecosystem with R_k = δ_kS_k + τS_* at β_k = 1/2, its directions, δ_k and M = S̲ + τS_*."""
    if common:
        vectors = [random_matrix(rng, 1, size) for _ in range(count)]
    else:  # orthogonal directions
        vectors = [fmpq_mat(1, size, [int(i == j % size) for i in range(size)]) for j in range(count)]
    published = [v.transpose() * v for v in vectors]
    shares = [random_rational(rng) for _ in range(count)]
    shares = [share / sum(shares, fmpq(0)) for share in shares]
    public = random_gram(rng, size, size) if common else fmpq_mat(size, size)
    alpha = [random_rational(rng) for _ in range(count)]
    surplus = [random_rational(rng) * 2 for _ in range(count)]
    tau = min((1 - a) / (2 * a) for a in alpha) if common else fmpq(0)
    # β_k = 1/2: R_k = (ā/2α)(S~_k + S_*), so S~_k = (2α/ā)(δ_kS_k + τS_*) - S_*; τ is its own entity's least, so make it fit all.
    ratios = [(1 - a) / a for a in alpha]
    beta = [1 - tau / ratio for ratio in ratios]
    private = [d / (ratio * b) * S for d, ratio, b, S in zip(surplus, ratios, beta, published, strict=True)]
    pool = sum((w * S for w, S in zip(shares, published, strict=True)), fmpq_mat(size, size))
    M = pool + tau * public
    if not common and M.det() == 0:
        M = M + fmpq_mat(size, size, [int(i == j and i >= count) for i in range(size) for j in range(size)])
    return RationalEcosystem(private, public, published, shares, alpha, beta), vectors, surplus, M


@check(
    "lemma1.extended.needed",
    "certified",
    (fmpq(9999, 10**4), fmpq(1, 1000), fmpq(1, 2)),
    mutations={"α = .5 for all": (fmpq(1, 2),) * 3, "α = .9999 for all": (fmpq(9999, 10**4),) * 3},
)
def condition_needed(formula: tuple[fmpq, fmpq, fmpq]) -> Finding:
    """Ball arithmetic encloses ρ(Q) for S_k = S~_k = 3v_kv_k', v = (.809, .5), (.5, -.309), (.309, -.809), S_* = diag(30,
    .03), β = .01, equal shares, and the α_k of the formula."""
    grams = [3 * outer(list(v)) / 10**6 for v in ((809, 500), (500, -309), (309, -809))]
    public = fmpq_mat([[30, 0], [0, fmpq(3, 100)]])
    eco = RationalEcosystem(grams, public, grams, [fmpq(1, 3)] * 3, formula, [fmpq(1, 100)] * 3)
    found = enclose_spectral_radius(consensus_feedback(eco))
    return Finding(found.lower > 1.04, f"ρ(Q) in [{found.lower:.9f}, {found.upper:.9f}]")


@check(
    "lemma1.beyond.lemma",
    "symbolic",
    lambda N, mean, C, kappa, a: (1 - a) * C - a * mean,
    mutations={
        "N̄ alone": lambda N, mean, C, kappa, a: -a * mean,
        "C of the wrong sign": lambda N, mean, C, kappa, a: -(1 - a) * C - a * mean,
    },
)
def order_of_feedback(formula: Callable[..., Expr]) -> Finding:
    """For indefinite U, K_j ⪰ U alone does not bound the eigenvalues of UJ by 1. Here U = aN̄ - (1-a)C with N̄ = Σ w_jN_j
    ⪰ 0 and C ⪰ 0, so U ⪯ aN̄, and noncommutative algebra gives K_j - X = N_j/θ + κC ⪰ 0 for X = aN̄ ⪰ 0. So
    X^{1/2}K_j⁻¹X^{1/2} ⪯ I and X^{1/2}JX^{1/2} ⪯ I, and the eigenvalues of UJ, those of J^{1/2}UJ^{1/2} ⪯
    J^{1/2}XJ^{1/2}, are at most 1."""
    theta, delta = scalars("theta delta")
    N, mean, C = symmetric("N Nbar C")
    a = 1 / (theta * delta)
    kappa = (1 - theta) / theta + a
    pool, own = a * (mean + C), a * (N + C)
    U = pool - C
    return all_hold([same(-U, formula(N, mean, C, kappa, a)), same(delta * own + U - a * mean, N / theta + kappa * C)])
