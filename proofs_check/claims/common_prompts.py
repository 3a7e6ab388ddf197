"""Common prompts, S_j = c_jS: ρ(Q) < 1 exactly if real data jointly span (theory.md, section 4); and a shared
anchor."""

import random
from typing import Any

from flint import fmpq, fmpq_mat
from sympy import Matrix, Rational, diag, eye, simplify, sqrt, zeros

from ..exact import beside, column, gram, identity, is_stable, outer, random_gram, random_matrix, random_rational, zero
from ..ledger import Finding, check
from ..rational import RationalEcosystem, consensus_feedback, pseudo_inverse
from ..words import all_hold, inverse_rules, letters, same, scalars, symmetric


@check(
    "common.similar",
    "symbolic",
    lambda w, c, total: w * c / total,
    mutations={"shares alone": lambda w, c, total: w, "volumes alone": lambda w, c, total: c / total},
)
def convex_combination(formula) -> Finding:
    """Words for K = 1 … 4 with S̲ = (Σ w_jc_j)S, V = S̲^{1/2}, W = S̲^{-1/2}: W H V = Σ w_j'T_j with T_j = α_jV G_j⁻¹V,
    and Σ w_j' = 1."""
    steps = []
    V, W = symmetric("V W")
    for count in range(1, 5):
        names = lambda n: " ".join(f"{n}{j}" for j in range(count))  # noqa: B023, E731
        shares, volumes, alphas, inverses = (
            scalars(names("w")),
            scalars(names("c")),
            scalars(names("a")),
            symmetric(names("G")),
        )
        total = sum(w * c for w, c in zip(shares, volumes, strict=True))
        weights = [formula(w, c, total) for w, c in zip(shares, volumes, strict=True)]
        pool = V * V
        H = sum(w * a * (c / total) * pool * g for w, c, a, g in zip(shares, volumes, alphas, inverses, strict=True))
        T = [a * V * g * V for a, g in zip(alphas, inverses, strict=True)]
        steps.append(same(W * H * V, sum(w * t for w, t in zip(weights, T, strict=True)), inverse_rules((V, W))))
        steps.append(same(sum(weights), 1))
    return all_hold(steps)


@check(
    "common.kernel",
    "symbolic",
    lambda E: E + E * E,
    mutations={"E²": lambda E: E * E, "E": lambda E: E},
)
def kernel_of_gap(formula) -> Finding:
    """Words with T = (I + E)⁻¹: I - T = T(E + E²)T ⪰ 0, which vanishes on v exactly if E does. So v'(I - Σw'T)v = 0
    only on ∩ ker E_j, where the eigenvalue is 1; everywhere else it is below."""
    T, E = symmetric("T E")
    return same(1 - T, T * formula(E) * T, {T * E: 1 - T, E * T: 1 - T})


def _ecosystem(kernels, pool: fmpq_mat, rng: random.Random, alpha: fmpq | None = None) -> RationalEcosystem:
    """Entities that publish on cS and know everything but their kernels (columns); no public data."""
    count, size = len(kernels), pool.nrows()
    private = []
    for kernel in kernels:
        outside = identity(size) - kernel * pseudo_inverse(gram(kernel)) * kernel.transpose()
        private.append(outside * random_gram(rng, size, size) * outside)
    shares = [random_rational(rng) for _ in range(count)]
    total = sum(shares, fmpq(0))
    return RationalEcosystem(
        private,
        zero(size, size),
        [random_rational(rng) * pool for _ in range(count)],
        [share / total for share in shares],
        [alpha or random_rational(rng) for _ in range(count)],
        [random_rational(rng) for _ in range(count)],
    )


def _intersection_rank(kernels) -> int:
    """Dimension of the intersection of the column spaces: the kernel of Σ (I - projector)."""
    size = kernels[0].nrows()
    total = zero(size, size)
    for kernel in kernels:
        total = total + identity(size) - kernel * pseudo_inverse(gram(kernel)) * kernel.transpose()
    return size - total.rank()


def _case(rng: random.Random, size: int, ranks, shared: int):
    """Random kernels of these dimensions with a shared part."""
    common = random_matrix(rng, size, shared) if shared else None
    kernels = []
    for rank in ranks:
        own = random_matrix(rng, size, rank)
        kernels.append(own if common is None else beside([common, own]))
    return kernels


@check(
    "common.criterion",
    "exact",
    lambda kernels: _intersection_rank(kernels) == 0,
    mutations={
        "one entity must know all": lambda kernels: any(_intersection_rank([k]) == 0 for k in kernels),
        "always stable": lambda kernels: True,
        "first two entities only": lambda kernels: _intersection_rank(kernels[:2]) == 0,
    },
)
def criterion(formula) -> Finding:
    """Random rational ecosystems on common prompts with nonsingular S, d = 2 … 4, K = 1 … 3, kernels that meet or do
    not: ρ(Q) < 1, decided by the Stein equation, against the criterion, in both directions."""
    rng = random.Random(1)
    seen = {True: 0, False: 0}
    for size, ranks, shared in (
        (2, (1, 1), 0),
        (2, (0, 0), 1),
        (3, (2, 2, 2), 0),
        (3, (1, 1), 1),
        (4, (2, 1), 1),
        (3, (1,), 0),
        (4, (2, 2), 0),
        (3, (2, 2), 0),
    ):
        kernels = _case(rng, size, ranks, shared)
        eco = _ecosystem(kernels, random_gram(rng, size, size), rng)
        stable = is_stable(consensus_feedback(eco))
        seen[stable] += 1
        if stable != formula(kernels):
            return Finding(
                False, f"ρ(Q) < 1 is {stable} for d = {size}, kernels of dimensions {ranks} with {shared} shared"
            )
    return Finding(True, f"agrees for {seen[True]} stable and {seen[False]} unstable random ecosystems")


@check(
    "common.singular",
    "exact",
    lambda kernels: any(kernel[0, 0] == 0 for kernel in kernels),
    mutations={"kernels not projected": lambda kernels: _intersection_rank(kernels) == 0},
)
def singular_prompts(formula) -> Finding:
    """d = 2, S = e_1e_1', ker R_1 = span(e_1 + e_2): with ker R_2 = span(e_1 - e_2) the kernels meet in 0 only, G has
    full rank, and ρ(Q) = 1 exactly; with ker R_2 = 0 ρ(Q) < 1. Projected onto range(S) = span(e_1), kernels meet in 0
    exactly if one of them has no first coordinate."""
    half = [fmpq(1, 2)] * 2
    for known, kernel, stable in ((outer([1, 1]), [1, -1], False), (identity(2), [0, 0], True)):
        eco = RationalEcosystem([outer([1, -1]), known], zero(2, 2), [outer([1, 0])] * 2, half, half, [fmpq(1)] * 2)
        H = consensus_feedback(eco)
        full = eco.training_gram(0).rank() == eco.training_gram(1).rank() == 2
        if not full or is_stable(H) != stable or ((identity(2) - H).det() == 0) == stable:
            return Finding(None, "the ecosystem is not what the witness needs")
        if formula([column([1, 1]), column(kernel)]) != stable:
            return Finding(False, "the kernels meet in 0 only, but ρ(Q) = 1 exactly")
    return Finding(True, "projected kernels decide both pairs; ρ(Q) = 1 exactly although the kernels meet in 0 only")


@check(
    "common.schur_kernel",
    "symbolic",
    lambda a, b, ci, c: a - b * ci * b.adjoint(),
    mutations={"block": lambda a, b, ci, c: a, "sign": lambda a, b, ci, c: a + b * ci * b.adjoint()},
)
def schur_kernel(formula) -> Finding:
    """Words for R = [[a, b], [b', c]] with c invertible: if R(u, v) = 0 then v = -c⁻¹b'u and the Schur complement kills
    u; so its kernel is the projection of ker R."""
    a, c, ci = symmetric("a c ci")
    b, u = letters("b u")
    rules = inverse_rules((c, ci))
    v = -ci * b.adjoint() * u
    return all_hold([same(b.adjoint() * u + c * v, 0, rules), same(a * u + b * v, formula(a, b, ci, c) * u, rules)])


@check(
    "B1",
    "symbolic",
    lambda eta, root: (1 + 2 * eta * root) / 2,
    printed={"η√m": lambda eta, root: (1 + eta * root) / 2},
    mutations={"η without √m": lambda eta, root: (1 + 2 * eta) / 2},
)
def shared_anchor(formula) -> Finding:
    """K = d = 2, A_j = e_je_j', T_j = I/2 + D_j/4 with the reflections D_1 = [[1, 1], [1, -1]]/√2 and D_2 = [[-1, 1],
    [1, 1]]/√2: every T_j lies within η = 1/4 of I/2, C = 0, and ρ(Q) is the eigenvalue of Σ A_jT_j on (1, 1). The
    corrected bound follows from common.anchor, since C_j - C = 2(T_j - T)."""
    eta, ones = Rational(1, 4), Matrix([1, 1])
    reflections = [Matrix([[1, 1], [1, -1]]) / sqrt(2), Matrix([[-1, 1], [1, 1]]) / sqrt(2)]
    if any(d * d != eye(2) for d in reflections):
        return Finding(None, "no reflections")
    H = zeros(2)
    for j, d in enumerate(reflections):
        H += diag(1 - j, j) * (eye(2) / 2 + eta * d)
    radius, bound = (H * ones)[0], formula(eta, sqrt(2))
    if (H * ones - radius * ones).applyfunc(simplify) != zeros(2, 1):
        return Finding(None, "(1, 1) is no eigenvector")
    said = f"ρ(Q) = {radius} = {float(radius):.4f} with every T_j within 1/4 of I/2 (K = d = 2)"
    return Finding(bool(simplify(bound - radius) >= 0), f"{said}; the bound is {float(bound):.4f}")


@check(
    "common.anchor",
    "symbolic",
    lambda A, D, Z: (D - Z).adjoint() * A * (D - Z),
    mutations={"not centred": lambda A, D, Z: D * A * D},
)
def anchor(formula) -> Finding:
    """Words with C_j = C + D_j, Σ A_j = I, K = 1 … 4: Z = C + Σ A_jD_j, and Σ D_jA_jD_j - |Σ A_jD_j|² is a sum of
    squares; with ‖D_j‖ ≤ η the lines of Theorem U give ‖Σ A_jD_j‖ ≤ η√m."""
    steps = []
    for count in range(1, 5):
        first = symmetric(" ".join(f"A{j}" for j in range(count - 1))) if count > 1 else []
        A, D = [*first, 1 - sum(first)], symmetric(" ".join(f"D{j}" for j in range(count)))
        (C,) = symmetric("C")
        Z: Any = sum(a * x for a, x in zip(A, D, strict=True))
        steps.append(same(sum(a * (C + x) for a, x in zip(A, D, strict=True)), C + Z))
        squares = sum(formula(a, x, Z) for a, x in zip(A, D, strict=True))
        steps.append(same(sum(x * a * x for a, x in zip(A, D, strict=True)) - Z.adjoint() * Z, squares))
    return all_hold(steps)
