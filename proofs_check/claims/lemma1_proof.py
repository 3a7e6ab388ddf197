"""Every step of the proof of Lemma 1, and E6 and E7 (App. E.4, corrected).

Notation of the proof: S = diag(S_k), Δ = D² and R = D⁺SD⁺ with D = I⊗Δ^{1/2}. Everything acts on the range of Δ, where
D⁺ is the inverse of D (`lemma1.range`). Shares may differ: η = √w⊗I, η'η = I, and Π = ηη', which is (1/K)1_{K×K}⊗I for
equal shares.
"""

import random
from collections.abc import Callable

from flint import fmpq, fmpq_mat, fmpq_poly
from sympy import Expr, Symbol, adjoint, diff, simplify

from ..exact import block_diagonal, identity, kron, random_gram, random_matrix, random_rational, zero
from ..ledger import Finding, check
from ..noncommutative import all_hold, inverse_rules, matrices, same, scalars, symmetric
from ..rational import pseudo_inverse, total


def _gram(surplus: Callable[..., Expr]) -> Finding:
    """Whether G has the form of App. E.4 with this coefficient of S_* in Δ."""
    alpha, beta, mixing, scale = scalars("alpha beta lambda gamma")
    S, public, average = symmetric("S S_* average")
    private = (scale * S - (1 - mixing) * public) / mixing
    gram = (1 - alpha) * beta * private + (1 - alpha) * (1 - beta) * public + alpha * average
    delta = (1 - alpha) * beta * scale / (alpha * mixing)
    return same(gram, alpha * (delta * S + surplus(alpha, beta, mixing) * public + average))


def _surplus(alpha: Expr, beta: Expr, mixing: Expr) -> Expr:
    """The coefficient of S_* in Δ."""
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
def split_gram(formula: Callable[..., Expr]) -> Finding:
    """Noncommutative algebra: S~_k = (γS_k - (1-λ)S_*)/λ substituted into G_k, coefficient by coefficient."""
    return _gram(formula)


@check(
    "E6",
    "symbolic",
    _surplus,
    printed={"ā left out": lambda a, b, m: (m - b) / (a * m)},
    mutations={"ā squared": lambda a, b, m: (1 - a) ** 2 * (m - b) / (a * m)},
)
def missing_factor(formula: Callable[..., Expr]) -> Finding:
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
def on_the_range(formula: Callable[..., fmpq_mat]) -> Finding:
    """At two random rational points with singular D and S_k of lower rank whose ranges lie in that of Δ (K = 2,
    d = 3): (δS + I⊗Δ)⁺ equals D⁺(δR + projector)⁺D⁺ (error probability below 10⁻¹²)."""
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


def _delta(surplus: fmpq, public: fmpq_mat, pool: fmpq_mat, grams: list[fmpq_mat]) -> fmpq_mat:
    """Δ."""
    return surplus * public + pool


@check(
    "lemma1.kernel",
    "exact",
    (_delta, fmpq(1, 8)),
    mutations={
        "S̲ left out": (lambda surplus, public, pool, grams: surplus * public, fmpq(1, 8)),
        "one entity left out of S̲": (
            lambda surplus, public, pool, grams: surplus * public + pool - grams[2] / 3,
            fmpq(1, 8),
        ),
        "β > λ (here β = 1/3)": (_delta, fmpq(1, 3)),
    },
)
def kernel_inside(formula: tuple[Callable[..., fmpq_mat], fmpq]) -> Finding:
    """S_k vanishes on the kernel of Δ for rational S_k of rank one and S_* of rank one or two that leave Δ singular
    (K = 3, d = 4, α = 1/2, λ = 1/4, β = 1/8), at two random rational points for each of two choices of S_*, one of
    which is S_1. In general, v'Δv = 0 is a sum of nonnegative terms, one of which is w_k v'S_k v."""
    expression, beta = formula
    alpha, mixing = fmpq(1, 2), fmpq(1, 4)
    surplus = (1 - alpha) * (mixing - beta) / (alpha * mixing)
    for seed in (5, 6):
        rng = random.Random(seed)
        directions = random_matrix(rng, 4, 3)
        *grams, other = (
            directions * random_gram(rng, 3, rank) * directions.transpose() for rank in (1, 1, 1, 2)
        )  # all vanish on the same line
        for public in (other, grams[0]):
            delta = expression(surplus, public, total(grams) / 3, grams)
            outside = identity(4) - delta * pseudo_inverse(delta)
            if outside == zero(4, 4) or any(gram * outside != zero(4, 4) for gram in grams):
                return Finding(False, f"an S_k does not vanish on the kernel of Δ (seed {seed})")
    return Finding(True, "S_k vanishes on the kernel of Δ at 4 random rational points with singular Δ")


@check(
    "lemma1.whiten",
    "symbolic",
    lambda Di, T: Di * T * Di,
    mutations={"D⁺ on one side only": lambda Di, T: Di * T, "T squared": lambda Di, T: Di * T * T * Di},
)
def whiten(formula: Callable[[Expr, Expr], Expr]) -> Finding:
    """Noncommutative algebra with T = (I + δR)⁻¹: the product with δS + D² = δDRD + D² is I on both sides."""
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
def similar(formula: Callable[..., Expr]) -> Finding:
    """Noncommutative algebra: DQD⁺ with Q = D⁺TD⁺ΠS, S = DRD, and Π commuting with D = I⊗Δ^{1/2}."""
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
def cyclic(formula: Callable[..., tuple[Expr, Expr]]) -> Finding:
    """Noncommutative algebra with r² = R and rT = Tr: XY = TΠR and YX = TrΠr have the same nonzero eigenvalues."""
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
def resolvent(formula: Callable[..., Expr]) -> Finding:
    """Scalar algebra: an eigenvalue ε + u of R on its range, u ≥ 0, gives T the eigenvalue 1/(1 + δ(ε + u)), which
    decreases in u and equals the bound at u = 0."""
    epsilon, delta = scalars("epsilon delta")
    u = Symbol("u", nonnegative=True)
    value, bound = 1 / (1 + delta * (epsilon + u)), formula(epsilon, delta)
    decreases = (-simplify(diff(value, u))).is_positive
    attained = simplify(value.subs(u, 0) - bound) == 0
    if decreases and attained:
        return Finding(True, "the derivative is negative, and the bound is the value at u = 0")
    return Finding(False, f"at u = 0 the eigenvalue is {value.subs(u, 0)}, not {bound}")


@check(
    "lemma1.norm",
    "symbolic",
    lambda average, r: average * r * r * average,
    mutations={"one Π": lambda average, r: r * r * average, "r once": lambda average, r: average * r * average},
)
def norm_of_square(formula: Callable[..., Expr]) -> Finding:
    """Noncommutative algebra with A = rΠ and Π² = Π: AA' = rΠr and A'A = ΠRΠ, and ‖AA'‖ = ‖A'A‖."""
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
def averaged_gram(formula: Callable[..., Expr]) -> Finding:
    """Noncommutative algebra with Π = ηη', η'η = 1 and η'Sη = Σ w_k S_k = S̲."""
    (eta,) = matrices("eta")
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
def operator_norm(formula: Callable[..., tuple[Expr, Expr]]) -> Finding:
    """Noncommutative algebra: with Δ^{+/2}S̲Δ^{+/2} = mm' and A = ηm, the matrix of the proof is AA', and A'A = m'm
    because η'η = 1. So its norm is ‖AA'‖ = ‖A'A‖ = ‖m'm‖ = ‖mm'‖. This calculation replaces the false equality E7."""
    eta, m = matrices("eta m")
    lifted, small = formula(eta, m)
    A, rules = eta * m, {adjoint(eta) * eta: 1}
    return all_hold([same(A * adjoint(A), lifted, rules), same(adjoint(A) * A, small, rules)])


@check(
    "lemma1.contraction",
    "symbolic",
    lambda mixing, slack: mixing - slack,
    mutations={"β > λ": lambda mixing, slack: mixing + slack},
)
def contraction(formula: Callable[..., Expr]) -> Finding:
    """Noncommutative algebra: I - D⁺S̲D⁺ = D⁺(Δ - S̲)D⁺ = c D⁺S_*D⁺ with c = ā(λ-β)/(αλ), and c ≥ 0 for every
    β = λ - u with u ≥ 0."""
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
def unequal_shares(formula: Callable[..., Expr]) -> Finding:
    """Noncommutative algebra with h = diag(√w)⊗I, which commutes with the block-diagonal G⁺ and S: 1ω' with ω = h²1
    becomes ηη' with η = h1."""
    h, hi, Gi, S = symmetric("h hi Gi S")
    (one,) = matrices("one")
    Q = Gi * one * adjoint(one) * h * h * S
    eta = h * one
    rules = {**inverse_rules((h, hi)), h * Gi: Gi * h, S * hi: hi * S}
    return same(formula(h, Q, hi), Gi * eta * adjoint(eta) * S, rules)


def _averaged(formula: Callable[[fmpq_mat], fmpq_mat]) -> Finding:
    """Whether ΠSΠ is the formula, and has the stated eigenvalues after whitening."""
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
            return Finding(False, "the nonzero eigenvalues of the whitened matrix differ from those of Δ^{+/2}S̲Δ^{+/2}")
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
def false_equality(formula: Callable[[fmpq_mat], fmpq_mat]) -> Finding:
    """ΠSΠ in rational arithmetic against the printed and the corrected form, and the characteristic polynomial of
    the whitened matrix, which gives the operator norm (K = 3, d = 2; error probability below 10⁻¹²)."""
    return _averaged(formula)
