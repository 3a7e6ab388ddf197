"""Common prompts (S_j = c_jS): when ρ(Q) < 1 (theory.md, section 4); and a bound for a shared anchor."""

import random
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from flint import fmpq, fmpq_mat
from sympy import Expr, Matrix, Rational, diag, eye, simplify, sqrt, zeros

from ..exact import beside, gram, identity, is_stable, outer, random_gram, random_matrix, random_rational, zero
from ..ledger import Finding, check
from ..noncommutative import all_hold, indexed, inverse_rules, matrices, same, scalars, symmetric
from ..rational import RationalEcosystem, consensus_feedback, pseudo_inverse, total


@check(
    "common.similar",
    "symbolic",
    lambda w, c, total: w * c / total,
    mutations={"shares alone": lambda w, c, total: w, "volumes alone": lambda w, c, total: c / total},
)
def convex_combination(formula: Callable[..., Expr]) -> Finding:
    """Noncommutative algebra for K = 1 … 4 with S̲ = (Σ w_jc_j)S, V = S̲^{1/2} and W = S̲^{-1/2}: W H V = Σ w_j'T_j
    with T_j = α_jV G_j⁻¹V, and Σ w_j' = 1."""
    steps = []
    V, W = symmetric("V W")
    for count in range(1, 5):
        shares, volumes, alphas = (scalars(indexed(name, count)) for name in "wca")
        inverses = symmetric(indexed("G", count))
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
def kernel_of_gap(formula: Callable[[Expr], Expr]) -> Finding:
    """Noncommutative algebra with T = (I + E)⁻¹: I - T = T(E + E²)T ⪰ 0, whose kernel is ker E. So v'(I - Σ
    w_j'T_j)v = 0 only on ∩ ker E_j, where the eigenvalue is 1; all other eigenvalues are smaller."""
    T, E = symmetric("T E")
    return same(1 - T, T * formula(E) * T, {T * E: 1 - T, E * T: 1 - T})


def _ecosystem(
    rng: random.Random, private_kernels: Sequence[fmpq_mat], public_rank: int, prompts_rank: int
) -> RationalEcosystem:
    """Random ecosystem with common prompts c_jS, in which the private data have the given kernels (as columns)."""
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
    """Orthogonal projectors onto the kernels of R_k."""
    real = [b * s + (1 - b) * eco.public for b, s in zip(eco.beta, eco.private, strict=True)]
    return [_kernel(matrix) for matrix in real]


def _kernel(matrix: fmpq_mat) -> fmpq_mat:
    """Orthogonal projector onto the kernel of a symmetric matrix."""
    return identity(matrix.nrows()) - matrix * pseudo_inverse(matrix)


def _projected(eco: RationalEcosystem) -> list[fmpq_mat]:
    """The kernels of R_k projected onto range(S), as matrices whose columns span them."""
    pool = eco.pool_gram
    return [pool * pseudo_inverse(pool) * kernel for kernel in _real_kernels(eco)]


def _meet(spans: Sequence[fmpq_mat]) -> bool:
    """Whether the column spaces have a nonzero vector in common, which makes the sum of I - projector singular."""
    size = spans[0].nrows()
    return total(identity(size) - x * pseudo_inverse(gram(x)) * x.transpose() for x in spans).rank() < size


def _case(rng: random.Random, size: int, ranks: Sequence[int], shared: int) -> list[fmpq_mat]:
    """Random kernels of the given dimensions, each extended by the same `shared` random directions."""
    common = random_matrix(rng, size, shared) if shared else None
    kernels = []
    for rank in ranks:
        own = random_matrix(rng, size, rank)
        kernels.append(own if common is None else beside([common, own]))
    return kernels


def _decides(formula: Callable[[RationalEcosystem], bool], ecosystems: Iterable[RationalEcosystem]) -> Finding:
    """Whether the formula predicts, for each ecosystem, if ρ(Q) < 1, which the Stein equation decides."""
    seen = {True: 0, False: 0}
    for eco in ecosystems:
        stable = is_stable(consensus_feedback(eco))
        seen[stable] += 1
        if stable != formula(eco):
            ranks = [matrix.rank() for matrix in eco.private]
            place = (
                f"K = {len(ranks)}, d = {eco.public.nrows()}, private ranks {ranks}, public rank {eco.public.rank()}"
            )
            return Finding(
                False,
                f"ρ(Q) < 1 is {stable}, contrary to the criterion ({place}, prompts of rank {eco.pool_gram.rank()})",
            )
    return Finding(True, f"agrees for {seen[True]} stable and {seen[False]} unstable random ecosystems")


@check(
    "common.criterion",
    "exact",
    lambda eco: not _meet(_real_kernels(eco)),
    mutations={
        "one entity's data must span": lambda eco: any(not _meet([kernel]) for kernel in _real_kernels(eco)),
        "always stable": lambda eco: True,
        "first two entities only": lambda eco: not _meet(_real_kernels(eco)[:2]),
        "private data alone": lambda eco: not _meet([_kernel(matrix) for matrix in eco.private]),
    },
)
def criterion(formula: Callable[[RationalEcosystem], bool]) -> Finding:
    """13 random rational ecosystems with nonsingular common prompts S (K = 1 … 3, d = 2 … 4), with and without
    public data, whose kernels intersect nontrivially or do not. The criterion must agree with ρ(Q) < 1, decided by
    the Stein equation, in both directions."""
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
def singular_prompts(formula: Callable[[RationalEcosystem], bool]) -> Finding:
    """As common.criterion with S of lower rank, for 10 random rational ecosystems with and without public data; and
    a witness with d = 2, S = e_1e_1', ker R_1 = span(e_1 + e_2) and ker R_2 = span(e_1 - e_2). These kernels
    intersect only in 0 and every G has full rank, but det(I - H) = 0 exactly."""
    half = [fmpq(1, 2)] * 2
    known = [outer([1, -1]), outer([1, 1])]
    witness = RationalEcosystem(known, zero(2, 2), [outer([1, 0])] * 2, half, half, [fmpq(1)] * 2)
    full = all(witness.training_gram(k).rank() == 2 for k in range(2))
    if not full or _meet(_real_kernels(witness)) or (identity(2) - consensus_feedback(witness)).det() != 0:
        return Finding(None, "the witness does not have the stated properties")
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
    mutations={
        "block instead of Schur complement": lambda a, b, cp: a,
        "wrong sign": lambda a, b, cp: a + b * cp * b.adjoint(),
    },
)
def schur_kernel(formula: Callable[..., Expr]) -> Finding:
    """Noncommutative algebra for R = [[a, b], [b', c]] ⪰ 0, where b = bc⁺c: if the Schur complement annihilates u,
    then R(u, -c⁺b'u) = 0; and if R(u, v) = 0, then the Schur complement annihilates u. So its kernel is the
    projection of ker R."""
    a, c, cp = symmetric("a c cp")
    b, u, v = matrices("b u v")
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
def shared_anchor(formula: Callable[..., Expr]) -> Finding:
    """A counterexample with K = d = 2, A_j = e_je_j' and T_j = I/2 + D_j/4, where D_1 = [[1, 1], [1, -1]]/√2 and
    D_2 = [[-1, 1], [1, 1]]/√2 are reflections: every T_j is within η = 1/4 of I/2, C = 0, and ρ(Q) is the
    eigenvalue of Σ A_jT_j for the eigenvector (1, 1). The corrected bound follows from common.anchor, since
    C_j - C = 2(T_j - T)."""
    eta, ones = Rational(1, 4), Matrix([1, 1])
    reflections = [Matrix([[1, 1], [1, -1]]) / sqrt(2), Matrix([[-1, 1], [1, 1]]) / sqrt(2)]
    if any(d * d != eye(2) for d in reflections):
        return Finding(None, "D_1 or D_2 is not a reflection")
    H = zeros(2)
    for j, d in enumerate(reflections):
        H += diag(1 - j, j) * (eye(2) / 2 + eta * d)
    radius, bound = (H * ones)[0], formula(eta, sqrt(2))
    if (H * ones - radius * ones).applyfunc(simplify) != zeros(2, 1):
        return Finding(None, "(1, 1) is not an eigenvector")
    said = f"ρ(Q) = {radius} = {float(radius):.4f} with every T_j within 1/4 of I/2 (K = d = 2)"
    return Finding(bool(simplify(bound - radius) >= 0), f"{said}; the bound is {float(bound):.4f}")


@check(
    "common.anchor",
    "symbolic",
    lambda A, D, Z: (D - Z).adjoint() * A * (D - Z),
    mutations={"not centered": lambda A, D, Z: D * A * D},
)
def anchor(formula: Callable[..., Expr]) -> Finding:
    """Noncommutative algebra for K = 1 … 4 with C_j = C + D_j and Σ A_j = I: Z = C + Σ A_jD_j, and Σ D_jA_jD_j - |Σ
    A_jD_j|² is a sum of squares. With ‖D_j‖ ≤ η, the proof of Theorem U then gives ‖Σ A_jD_j‖ ≤ η√m."""
    steps = []
    for count in range(1, 5):
        first = symmetric(indexed("A", count - 1))
        A, D = [*first, 1 - sum(first)], symmetric(indexed("D", count))
        (C,) = symmetric("C")
        Z: Any = sum(a * x for a, x in zip(A, D, strict=True))
        steps.append(same(sum(a * (C + x) for a, x in zip(A, D, strict=True)), C + Z))
        squares = sum(formula(a, x, Z) for a, x in zip(A, D, strict=True))
        steps.append(same(sum(x * a * x for a, x in zip(A, D, strict=True)) - Z.adjoint() * Z, squares))
    return all_hold(steps)
