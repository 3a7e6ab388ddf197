"""Common prompts, S_j = c_jS: ρ(Q) < 1 exactly if real data jointly span (theory.md, section 4); and a shared
anchor."""

import random
from typing import Any

from flint import fmpq, fmpq_mat
from sympy import Matrix, Rational, diag, eye, simplify, sqrt, zeros

from ..exact import beside, gram, identity, is_stable, outer, random_gram, random_matrix, random_rational, zero
from ..ledger import Finding, check
from ..noncommutative import all_hold, inverse_rules, letters, same, scalars, symmetric
from ..rational import RationalEcosystem, consensus_feedback, pseudo_inverse, total


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


def _ecosystem(rng: random.Random, private_kernels, public_rank: int, prompts_rank: int) -> RationalEcosystem:
    """Entities that publish on c_jS, with private data of given kernels (columns) and public data."""
    count, size = len(private_kernels), private_kernels[0].nrows()
    private = []
    for kernel in private_kernels:
        outside = identity(size) - kernel * pseudo_inverse(gram(kernel)) * kernel.transpose()
        private.append(outside * random_gram(rng, size, size) * outside)
    shares, prompts = [random_rational(rng) for _ in range(count)], random_gram(rng, size, prompts_rank)
    whole = sum(shares, fmpq(0))
    return RationalEcosystem(
        private,
        random_gram(rng, size, public_rank),
        [random_rational(rng) * prompts for _ in range(count)],
        [share / whole for share in shares],
        [random_rational(rng) for _ in range(count)],
        [random_rational(rng) for _ in range(count)],
    )


def _real_kernels(eco: RationalEcosystem) -> list[fmpq_mat]:
    """Projectors onto the kernels of R_k."""
    real = [b * s + (1 - b) * eco.public for b, s in zip(eco.beta, eco.private, strict=True)]
    return [_kernel(matrix) for matrix in real]


def _kernel(matrix: fmpq_mat) -> fmpq_mat:
    return identity(matrix.nrows()) - matrix * pseudo_inverse(matrix)


def _projected(eco: RationalEcosystem) -> list[fmpq_mat]:
    """The kernels of R_k projected onto range(S), by columns that span them."""
    pool = eco.pool_gram
    return [pool * pseudo_inverse(pool) * kernel for kernel in _real_kernels(eco)]


def _meet(spans) -> bool:
    """Whether column spaces have more than 0 in common: whether the sum of I - projector is singular."""
    size = spans[0].nrows()
    return total(identity(size) - x * pseudo_inverse(gram(x)) * x.transpose() for x in spans).rank() < size


def _case(rng: random.Random, size: int, ranks, shared: int):
    """Random kernels of these dimensions with a shared part."""
    common = random_matrix(rng, size, shared) if shared else None
    kernels = []
    for rank in ranks:
        own = random_matrix(rng, size, rank)
        kernels.append(own if common is None else beside([common, own]))
    return kernels


def _decides(formula, ecosystems) -> Finding:
    """Whether the formula says of each ecosystem if ρ(Q) < 1, which the Stein equation decides."""
    seen = {True: 0, False: 0}
    for eco in ecosystems:
        stable = is_stable(consensus_feedback(eco))
        seen[stable] += 1
        if stable != formula(eco):
            ranks = [matrix.rank() for matrix in eco.private]
            place = f"K = {len(ranks)}, d = {eco.public.nrows()}, private ranks {ranks}, public {eco.public.rank()}"
            return Finding(
                False, f"ρ(Q) < 1 is {stable}, against the criterion ({place}, prompts {eco.pool_gram.rank()})"
            )
    return Finding(True, f"agrees for {seen[True]} stable and {seen[False]} unstable random ecosystems")


@check(
    "common.criterion",
    "exact",
    lambda eco: not _meet(_real_kernels(eco)),
    mutations={
        "one entity must know all": lambda eco: any(not _meet([kernel]) for kernel in _real_kernels(eco)),
        "always stable": lambda eco: True,
        "first two entities only": lambda eco: not _meet(_real_kernels(eco)[:2]),
        "private data alone": lambda eco: not _meet([_kernel(matrix) for matrix in eco.private]),
    },
)
def criterion(formula) -> Finding:
    """13 random rational ecosystems on common prompts with nonsingular S, d = 2 … 4, K = 1 … 3, kernels that meet or do not, with
    public data and without: ρ(Q) < 1, decided by the Stein equation, against the criterion, in both directions."""
    rng = random.Random(1)
    cases = (
        (2, (1, 1), 0, 0),
        (2, (0, 0), 1, 0),
        (3, (2, 2, 2), 0, 0),
        (3, (1, 1), 1, 0),
        (4, (2, 1), 1, 0),
        (3, (1,), 0, 0),
        (4, (2, 2), 0, 0),
        (3, (2, 2), 0, 0),
        (2, (0, 0), 1, 1),
        (3, (1, 1), 1, 1),
        (4, (1, 1), 2, 1),
        (4, (1, 0, 1), 2, 1),
        (3, (2,), 0, 1),
    )
    return _decides(
        formula, (_ecosystem(rng, _case(rng, d, own, shared), public, d) for d, own, shared, public in cases)
    )


@check(
    "common.singular",
    "exact",
    lambda eco: not _meet(_projected(eco)),
    mutations={
        "kernels not projected": lambda eco: not _meet(_real_kernels(eco)),
        "always stable": lambda eco: True,
        "first entity only": lambda eco: not _meet(_projected(eco)[:1]),
    },
)
def singular_prompts(formula) -> Finding:
    """As common.criterion with S of lower rank, 10 random rational ecosystems with public data and without; and a witness, d = 2,
    S = e_1e_1', ker R_1 = span(e_1 + e_2), ker R_2 = span(e_1 - e_2): these meet in 0 only and every G has full rank, but
    det(I - H) = 0 exactly."""
    half = [fmpq(1, 2)] * 2
    known = [outer([1, -1]), outer([1, 1])]
    witness = RationalEcosystem(known, zero(2, 2), [outer([1, 0])] * 2, half, half, [fmpq(1)] * 2)
    full = all(witness.training_gram(k).rank() == 2 for k in range(2))
    if not full or _meet(_real_kernels(witness)) or (identity(2) - consensus_feedback(witness)).det() != 0:
        return Finding(None, "the witness is not what it should be")
    rng = random.Random(2)
    cases = (
        (3, (1, 1), 0, 0, 2),
        (3, (1, 1), 0, 0, 1),
        (3, (1, 0), 0, 0, 1),
        (3, (0, 0), 1, 0, 2),
        (4, (1, 1), 1, 0, 2),
        (4, (1, 1), 0, 0, 3),
        (4, (2, 2, 1), 0, 0, 2),
        (3, (1, 1), 1, 1, 2),
        (4, (1, 1), 1, 1, 2),
        (4, (1, 1), 2, 1, 3),
    )
    drawn = (_ecosystem(rng, _case(rng, d, own, shared), public, rank) for d, own, shared, public, rank in cases)
    return _decides(formula, [witness, *drawn])


@check(
    "common.schur_kernel",
    "symbolic",
    lambda a, b, cp: a - b * cp * b.adjoint(),
    mutations={"block": lambda a, b, cp: a, "sign": lambda a, b, cp: a + b * cp * b.adjoint()},
)
def schur_kernel(formula) -> Finding:
    """Words for R = [[a, b], [b', c]] ⪰ 0, where b = bc⁺c: if the Schur complement kills u then R(u, -c⁺b'u) = 0; and if R(u, v)
    = 0 then the Schur complement kills u. So its kernel is the projection of ker R."""
    a, c, cp = symmetric("a c cp")
    b, u, v = letters("b u v")
    complement = formula(a, b, cp)
    found, into = -cp * b.adjoint() * u, {c * cp * b.adjoint(): b.adjoint()}
    steps = [same(b.adjoint() * u + c * found, 0, into), same(a * u + b * found, complement * u, into)]
    back = same(complement * u, a * u + b * v, {b.adjoint() * u: -c * v, b * cp * c: b})
    return all_hold([*steps, back])


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
    mutations={"not centerd": lambda A, D, Z: D * A * D},
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
