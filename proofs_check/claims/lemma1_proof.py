"""Lemma 1, every line of its proof, and E6 and E7 (App. E.4, corrected).

Notation of the proof: S = diag(S_k), Δ = D² and R = D⁺SD⁺ with D = I⊗Δ^{1/2}; everything acts on the range of Δ, where
D⁺ is an inverse (line `lemma1.range`). Shares may differ: η = √w⊗I, η'η = I, and Π = ηη' is (1/K)1_{K×K}⊗I for equal
shares.
"""

import random
from typing import NamedTuple

from flint import fmpq, fmpq_mat, fmpq_poly
from sympy import Symbol, adjoint, diff, simplify

from ..certified import enclose_spectral_radius
from ..exact import (
    block_diagonal,
    identity,
    is_stable,
    kron,
    random_gram,
    random_matrix,
    random_rational,
    zero,
)
from ..ledger import Finding, check
from ..rational import RationalEcosystem, consensus_feedback, pseudo_inverse
from ..words import all_hold, inverse_rules, letters, same, scalars, symmetric


def _gram(surplus) -> Finding:
    alpha, beta, mixing, scale = scalars("alpha beta lambda gamma")
    S, public, average = symmetric("S S_* average")
    private = (scale * S - (1 - mixing) * public) / mixing
    gram = (1 - alpha) * beta * private + (1 - alpha) * (1 - beta) * public + alpha * average
    delta = (1 - alpha) * beta * scale / (alpha * mixing)
    return same(gram, alpha * (delta * S + surplus(alpha, beta, mixing) * public + average))


def _surplus(alpha, beta, mixing):
    return (1 - alpha) * (mixing - beta) / (alpha * mixing)


@check(
    "lemma1.gram",
    "symbolic",
    _surplus,
    mutations={
        "β - λ": lambda a, b, m: (1 - a) * (b - m) / (a * m),
        "α in place of ā": lambda a, b, m: a * (m - b) / (a * m),
    },
)
def split_gram(formula) -> Finding:
    """Words: S~_k = (γS_k - (1-λ)S_*)/λ put into G_k, coefficient by coefficient."""
    return _gram(formula)


@check(
    "E6",
    "symbolic",
    _surplus,
    printed={"ā left out": lambda a, b, m: (m - b) / (a * m)},
    mutations={"ā squared": lambda a, b, m: (1 - a) ** 2 * (m - b) / (a * m)},
)
def missing_factor(formula) -> Finding:
    """As lemma1.gram, with the coefficient of S_* in Δ as printed and as corrected."""
    return _gram(formula)


@check(
    "lemma1.range",
    "exact",
    lambda delta, root, R, projector: (
        pseudo_inverse(root) * pseudo_inverse(delta * R + projector) * pseudo_inverse(root)
    ),
    mutations={
        "no projector": lambda delta, root, R, projector: (
            pseudo_inverse(root) * pseudo_inverse(delta * R) * pseudo_inverse(root)
        ),
        "D instead of D⁺": lambda delta, root, R, projector: root * pseudo_inverse(delta * R + projector) * root,
    },
)
def on_the_range(formula) -> Finding:
    """Rational singular D and S_k ⪯ KΔ of lower rank (K = 2, d = 3): (δS + I⊗Δ)⁺ against D⁺(δR + projector)⁺D⁺, and the
    ranges of S inside that of Δ, at two random rational points (error probability below 10⁻¹²)."""
    for seed in (1, 2):
        rng = random.Random(seed)
        one = random_gram(rng, 3, 2)
        root = block_diagonal([one, one])
        S = root * block_diagonal([random_gram(rng, 3, rank) for rank in (1, 2)]) * root
        R = pseudo_inverse(root) * S * pseudo_inverse(root)
        projector, delta = root * pseudo_inverse(root), random_rational(rng)
        if formula(delta, root, R, projector) != pseudo_inverse(delta * S + root * root):
            return Finding(False, f"the pseudo-inverse differs (seed {seed})")
    return Finding(True, "equal at 2 random rational points with singular Δ")


@check(
    "lemma1.kernel",
    "exact",
    lambda pool, public, grams: public + pool,
    mutations={
        "S̲ left out": lambda pool, public, grams: public,
        "one entity left out of S̲": lambda pool, public, grams: public + pool - grams[0] / 3,
    },
)
def kernel_inside(formula) -> Finding:
    """Rational S_k and S_* of rank one that leave Δ singular (K = 3, d = 4): S_k vanishes on the kernel of Δ, at two
    random rational points. In words: v'Δv = 0 is a sum of terms that are at least 0, one of them w_k v'S_k v."""
    for seed in (5, 6):
        rng = random.Random(seed)
        directions = random_matrix(rng, 4, 3)
        inside = lambda: directions * random_gram(rng, 3, 1) * directions.transpose()  # noqa: B023, E731
        grams, public = [inside() for _ in range(3)], zero(4, 4)
        delta = formula((grams[0] + grams[1] + grams[2]) / 3, public, grams)
        outside = identity(4) - delta * pseudo_inverse(delta)
        if outside == zero(4, 4) or any(s * outside != zero(4, 4) for s in grams):
            return Finding(False, f"an S_k does not vanish on the kernel of Δ (seed {seed})")
    return Finding(True, "S_k vanishes on the kernel of Δ at 2 random rational points with singular Δ")


@check(
    "lemma1.whiten",
    "symbolic",
    lambda Di, T: Di * T * Di,
    mutations={"D⁺ on one side only": lambda Di, T: Di * T, "T squared": lambda Di, T: Di * T * T * Di},
)
def whiten(formula) -> Finding:
    """Words with T = (I + δR)⁻¹: the product with δS + D² = δDRD + D² is I on both sides."""
    (delta,) = scalars("delta")
    D, Di, R, T = symmetric("D Di R T")
    rules = {**inverse_rules((D, Di)), R * T: (1 - T) / delta, T * R: (1 - T) / delta}
    gram, inverse = delta * D * R * D + D * D, formula(Di, T)
    return all_hold([same(gram * inverse, 1, rules), same(inverse * gram, 1, rules)])


@check(
    "lemma1.similar",
    "symbolic",
    lambda T, average, R: T * average * R,
    mutations={"R on the left": lambda T, average, R: T * R * average, "Π dropped": lambda T, average, R: T * R},
)
def similar(formula) -> Finding:
    """Words: DQD⁺ with Q = D⁺TD⁺ΠS, S = DRD, and Π commuting with D = I⊗Δ^{1/2}."""
    D, Di, R, T, average = symmetric("D Di R T Pi")
    rules = {**inverse_rules((D, Di)), average * D: D * average, average * Di: Di * average}
    Q = Di * T * Di * average * D * R * D
    return same(D * Q * Di, formula(T, average, R), rules)


@check(
    "lemma1.cyclic",
    "symbolic",
    lambda T, average, r: (T * average * r, r),
    mutations={
        "root on one side only": lambda T, average, r: (T * average, r),
        "Π left out": lambda T, average, r: (T * r, r),
    },
)
def cyclic(formula) -> Finding:
    """Words with r² = R and rT = Tr: XY = TΠR and YX = TrΠr have the same nonzero eigenvalues."""
    T, average, r = symmetric("T Pi r")
    X, Y = formula(T, average, r)
    rules = {r * T: T * r}
    return all_hold([same(X * Y, T * average * r * r, rules), same(Y * X, T * r * average * r, rules)])


@check(
    "lemma1.resolvent",
    "symbolic",
    lambda epsilon, delta: 1 / (1 + epsilon * delta),
    mutations={
        "1/(1 + 2εδ)": lambda e, d: 1 / (1 + 2 * e * d),
        "1 - εδ": lambda e, d: 1 - e * d,
    },
)
def resolvent(formula) -> Finding:
    """Scalars: an eigenvalue ε + u of R on its range, u ≥ 0, gives T the eigenvalue 1/(1 + δ(ε + u)), which is
    decreasing in u and is the bound at u = 0."""
    epsilon, delta = scalars("epsilon delta")
    u = Symbol("u", nonnegative=True)
    value, bound = 1 / (1 + delta * (epsilon + u)), formula(epsilon, delta)
    falls = (-simplify(diff(value, u))).is_positive
    attained = simplify(value.subs(u, 0) - bound) == 0
    if falls and attained:
        return Finding(True, "the derivative is negative, and the bound is the value at u = 0")
    return Finding(False, f"at u = 0 the eigenvalue is {value.subs(u, 0)}, not {bound}")


@check(
    "lemma1.norm",
    "symbolic",
    lambda average, r: average * r * r * average,
    mutations={"one Π": lambda average, r: r * r * average, "r once": lambda average, r: average * r * average},
)
def norm_of_square(formula) -> Finding:
    """Words with A = rΠ, Π² = Π: AA' = rΠr and A'A = ΠRΠ, and ‖AA'‖ = ‖A'A‖."""
    average, r = symmetric("Pi r")
    A, rules = r * average, {average * average: average}
    return all_hold([same(A * adjoint(A), r * average * r, rules), same(adjoint(A) * A, formula(average, r), rules)])


@check(
    "lemma1.average",
    "symbolic",
    lambda eta, average: eta * average * adjoint(eta),
    mutations={
        "S̲ on the wrong side": lambda eta, average: average * eta * adjoint(eta),
        "S̲²": lambda eta, average: eta * average * average * adjoint(eta),
    },
)
def averaged_gram(formula) -> Finding:
    """Words with Π = ηη', η'η = 1 and η'Sη = Σ w_k S_k = S̲."""
    (eta,) = letters("eta")
    S, average = symmetric("S average")
    rules = {adjoint(eta) * S * eta: average, adjoint(eta) * eta: 1}
    projection = eta * adjoint(eta)
    return same(projection * S * projection, formula(eta, average), rules)


@check(
    "lemma1.operator_norm",
    "symbolic",
    lambda eta, m: (eta * m * adjoint(m) * adjoint(eta), adjoint(m) * m),
    mutations={
        "η left out": lambda eta, m: (m * adjoint(m), adjoint(m) * m),
        "m m' in place of m'm": lambda eta, m: (eta * m * adjoint(m) * adjoint(eta), m * adjoint(m)),
    },
)
def operator_norm(formula) -> Finding:
    """Words: with Δ^{+/2}S̲Δ^{+/2} = mm' and A = ηm the matrix of the proof is AA', while A'A = m'm because η'η = 1;
    and ‖AA'‖ = ‖A'A‖ = ‖m'm‖ = ‖mm'‖. This is the calculation that replaces the false equality."""
    eta, m = letters("eta m")
    lifted, small = formula(eta, m)
    A, rules = eta * m, {adjoint(eta) * eta: 1}
    return all_hold([same(A * adjoint(A), lifted, rules), same(adjoint(A) * A, small, rules)])


@check(
    "lemma1.contraction",
    "symbolic",
    lambda mixing, slack: mixing - slack,
    mutations={"β > λ": lambda mixing, slack: mixing + slack},
)
def contraction(formula) -> Finding:
    """Words: I - D⁺S̲D⁺ = D⁺(Δ - S̲)D⁺ = c D⁺S_*D⁺ with c = ā(λ-β)/(αλ), and c ≥ 0 for every β = λ - u with u ≥ 0."""
    odds, mixing, c = scalars("odds lambda c")  # odds = ā/α
    slack = Symbol("u", nonnegative=True)
    D, Di, public = symmetric("D Di public")
    average = D * D - c * public
    product = same(1 - Di * average * Di, c * Di * public * Di, inverse_rules((D, Di)))
    coefficient = simplify(odds * (mixing - formula(mixing, slack)) / mixing)
    if product.holds and coefficient.is_nonnegative:
        return Finding(True, f"c = {coefficient} ≥ 0, with odds = ā/α and β = λ - u")
    return Finding(False, f"c = {coefficient} is not ≥ 0: S̲ exceeds Δ")


@check(
    "lemma1.shares",
    "symbolic",
    lambda half, Q, inverse: half * Q * inverse,
    mutations={
        "inverse on the left": lambda half, Q, inverse: inverse * Q * half,
        "untransformed": lambda half, Q, inverse: Q,
    },
)
def unequal_shares(formula) -> Finding:
    """Words with h = diag(√w)⊗I, which commutes with the block-diagonal G⁺ and S; 1ω' with ω = h²1 becomes ηη' with η =
    h1."""
    h, hi, Gi, S = symmetric("h hi Gi S")
    (one,) = letters("one")
    Q = Gi * one * adjoint(one) * h * h * S
    eta = h * one
    rules = {**inverse_rules((h, hi)), h * Gi: Gi * h, S * hi: hi * S}
    return same(formula(h, Q, hi), Gi * eta * adjoint(eta) * S, rules)


def _averaged(formula) -> Finding:
    for seed in (3, 4):
        rng = random.Random(seed)
        grams = [random_gram(rng, 2, rank) for rank in (1, 2, 2)]
        average = (grams[0] + grams[1] + grams[2]) / 3
        projection = kron(fmpq_mat(3, 3, [fmpq(1, 3)] * 9), identity(2))
        if projection * block_diagonal(grams) * projection != formula(average):
            return Finding(False, f"with K = 3, d = 2 at a random rational point (seed {seed}) the two sides differ")
        root = random_gram(rng, 2, 2)  # stands for Δ^{+/2}
        lifted = kron(identity(3), root) * formula(average) * kron(identity(3), root)
        small = (root * average * root).charpoly()
        if lifted.charpoly() != fmpq_poly([0] * 4 + [1]) * small:
            return Finding(False, "the whitened matrix has other nonzero eigenvalues than Δ^{+/2}S̲Δ^{+/2}")
    return Finding(
        True,
        "equal, and the eigenvalues after whitening are those of Δ^{+/2}S̲Δ^{+/2} and zeros, at 2 random rational points",
    )


@check(
    "E7",
    "exact",
    lambda average: kron(fmpq_mat(3, 3, [fmpq(1, 3)] * 9), average),
    printed={"I_K⊗S̲": lambda average: kron(identity(3), average)},
    mutations={"1/K dropped": lambda average: kron(fmpq_mat(3, 3, [1] * 9), average)},
)
def false_equality(formula) -> Finding:
    """ΠSΠ in rational arithmetic against the printed and the corrected form, and the characteristic polynomial of the
    whitened matrix, which gives the operator norm (K = 3, d = 2; error probability below 10⁻¹²)."""
    return _averaged(formula)


class Setting(NamedTuple):
    """Where Lemma 1 is put to the test: λ, α and β as functions of a number in (0, 1), and whether S follows the
    condition."""

    mixing: fmpq
    alpha: fmpq
    beta: fmpq


def mixture(rng: random.Random, setting: Setting, private_ranks, public_rank: int, size: int):
    """An ecosystem with γS_k = λS~_k + (1-λ)S_* and unequal shares, and γ."""
    private = [random_gram(rng, size, rank) for rank in private_ranks]
    public, scale, count = random_gram(rng, size, public_rank), random_rational(rng), len(private_ranks)
    published = [(setting.mixing * s + (1 - setting.mixing) * public) / scale for s in private]
    shares = [random_rational(rng) for _ in private]
    total = sum(shares, fmpq(0))
    weights = [setting.alpha] * count, [setting.beta] * count
    return RationalEcosystem(private, public, published, [s / total for s in shares], *weights), scale


SHAPES = [((1,), 1, 2), ((2, 1), 0, 3), ((1, 1, 1), 1, 3), ((3, 2), 3, 3), ((1, 2, 3, 1), 2, 4)]
"""Ranks of private data, of public data, and d."""


@check(
    "lemma1",
    "certified",
    lambda rng: Setting(mixing := random_rational(rng), random_rational(rng), mixing * random_rational(rng)),
    mutations={
        "β > λ (here β = 1)": lambda rng: Setting(random_rational(rng), random_rational(rng), fmpq(1)),
        "β = 0": lambda rng: Setting(fmpq(1), random_rational(rng), fmpq(0)),
        "α = 1": lambda rng: Setting(mixing := random_rational(rng), fmpq(1), mixing),
    },
)
def stable_under_condition(formula) -> Finding:
    """ρ(Q) enclosed by ball arithmetic for 25 random rational ecosystems that satisfy the condition, K = 1 … 4, d = 2 …
    4, ranks from 0, unequal shares; the proof for all is in the lines it rests on."""
    rng, largest = random.Random(11), 0.0
    for trial in range(25):
        ranks, public, size = SHAPES[trial % len(SHAPES)]
        ecosystem, _ = mixture(rng, formula(rng), ranks, public, size)
        found = enclose_spectral_radius(consensus_feedback(ecosystem))
        if found.verdict != "stable":
            place = f"K = {len(ranks)}, d = {size}, private ranks {ranks}, public rank {public}"
            return Finding(False, f"ρ(Q) is {found.verdict}: at least {found.lower:.6f} ({place})")
        largest = max(largest, found.upper)
    return Finding(True, f"ρ(Q) < 1 proved for 25 random rational ecosystems, the largest enclosed below {largest:.6f}")


def _smallest_nonzero(matrix: fmpq_mat) -> fmpq:
    """A rational number just below the smallest nonzero eigenvalue of a matrix with eigenvalues ≥ 0, by bisection of
    its exact characteristic polynomial (Sturm through definiteness of shifted leading coefficients)."""
    coefficients = matrix.charpoly().coeffs()
    while coefficients[0] == 0:
        coefficients = coefficients[1:]
    low, high = (
        fmpq(0),
        -coefficients[0] / coefficients[1] * (len(coefficients) - 1),
    )  # harmonic mean of the roots, at least the smallest
    for _ in range(60):
        middle = (low + high) / 2
        shifted = fmpq_poly(coefficients)(fmpq_poly([middle, 1])).coeffs()
        degree = len(coefficients) - 1
        below = all((-1) ** (degree - i) * c > 0 for i, c in enumerate(shifted))  # all roots exceed the middle
        low, high = (middle, high) if below else (low, middle)
    return low


@check(
    "lemma1.bound",
    "exact",
    lambda epsilon, delta: 1 / (1 + epsilon * delta),
    mutations={
        "1/(1 + 2εδ)": lambda e, d: 1 / (1 + 2 * e * d),
        "1/(1 + εδ)²": lambda e, d: 1 / (1 + e * d) ** 2,
    },
)
def explicit_bound(formula) -> Finding:
    """ρ(Q/bound) ≤ 1 for random rational ecosystems within the condition, with ε replaced by a rational number below it
    and at most 2⁻⁶⁰ of it away: the Stein equation of Q/(bound·(1 + 10⁻⁹)) is solved and its solution is positive
    definite."""
    rng = random.Random(12)
    for trial in range(10):
        ranks, public, size = SHAPES[trial % len(SHAPES)]
        mixing = random_rational(rng)
        setting = Setting(mixing, random_rational(rng), mixing * random_rational(rng))
        eco, scale = mixture(rng, setting, ranks, public, size)
        alpha, beta = eco.alpha[0], eco.beta[0]
        delta = (1 - alpha) * beta * scale / (alpha * mixing)
        surplus = (1 - alpha) * (mixing - beta) / (alpha * mixing)
        inverse = pseudo_inverse(surplus * eco.public + eco.pool_gram)
        epsilon = min(_smallest_nonzero(inverse * s) for s in eco.synthetic)
        bound = formula(epsilon, delta)
        if not is_stable(consensus_feedback(eco) / (bound * (1 + fmpq(1, 10**9)))):
            return Finding(False, f"ρ(Q) exceeds {float(bound):.6f} (K = {len(ranks)}, d = {size})")
    return Finding(True, "ρ(Q) ≤ 1/(1 + εδ) at 10 random rational ecosystems, K = 1 … 4, d = 2 … 4, ranks from 0")
