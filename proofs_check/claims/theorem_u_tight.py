"""The family of ecosystems that attains the bound of Theorem U (theory.md, section 3)."""

from collections.abc import Callable

from flint import fmpq, fmpq_mat, fmpq_poly
from sympy import Expr, Rational, limit, oo, simplify, sqrt, together

from ..exact import beside, identity, is_definite, kron, operators, outer, stack, zero
from ..ledger import Finding, check
from ..noncommutative import all_hold, same, scalars, symmetric
from ..rational import RationalEcosystem, consensus_feedback


def near_worst_case(size: int, strength: fmpq) -> RationalEcosystem:
    """The family that attains the bound, with 1/√m replaced by a close rational number; α = 1/2, β = 1."""
    near = fmpq(round(10**9 / size**0.5), 10**9)
    units = identity(size).tolist()
    private = [strength * outer([entry - near for entry in unit]) for unit in units]
    shares = [fmpq(1, size)] * size
    return RationalEcosystem(
        private,
        zero(size, size),
        [size * outer(unit) for unit in units],
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
def tight_family(formula: Callable[[Expr, Expr], Expr]) -> Finding:
    """Symbolic m and ℓ, κ = ℓ/(1+ℓ): α G_j⁻¹ = I - κu_ju_j' (Sherman-Morrison, by noncommutative algebra) and
    (e_j'u_j)u_j = (e_j - 1/√m)/2, hence H = I - (κ/2)(I - J/√m) with J = 11', J² = mJ. Its eigenvalues are the
    formula (on 1) and 1 - κ/2 (on the complement)."""
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
def family_of_sizes(formula: Callable[[fmpq, fmpq_mat, fmpq_mat], fmpq_mat]) -> Finding:
    """The lifted m² × m² matrix Q of the family for m = 2 … 9 and ℓ = 3, in rational arithmetic with √m represented
    by a 2 × 2 matrix whose square is mI: the formula is an eigenvalue of Q, and Q(Q - ρ)(Q - (1 - κ/2)) = 0, so no
    other eigenvalue exceeds it."""
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
            return Finding(False, f"the formula is not an eigenvalue for m = {m}")
        if Q * (Q - rho) * (Q - (1 - kappa / 2) * identity(2 * m * m)) != zero(2 * m * m, 2 * m * m):
            return Finding(False, f"Q has further eigenvalues for m = {m}")
    return Finding(True, "exact for m = 2 … 9 with ℓ = 3")


@check(
    "theoremU.approached",
    "symbolic",
    lambda m: (1 + sqrt(m)) / 2,
    mutations={"√m": lambda m: sqrt(m), "(1 + m)/2": lambda m: (1 + m) / 2},
)
def supremum(formula: Callable[[Expr], Expr]) -> Finding:
    """The limit of 1 + (ℓ/(1+ℓ))(√m - 1)/2 for ℓ = āL/α → ∞ at every fixed α in (0, 1); for m > 1 the expression
    increases in ℓ."""
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
def divergence(formula: tuple[fmpq, fmpq]) -> Finding:
    """K = d = 2, α = 1/2, β = 9/10, rational data and public data of full rank: det(xI - H) < 0 at x = 6/5, so H
    has a larger eigenvalue, although every G_k is definite and private data are used in every generation."""
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
