"""Theorem 2, E2, E3 and E14: the distribution over the initial data too, and when the bias vanishes (§5, App. E.2)."""

from collections.abc import Callable
from typing import Any

from flint import fmpq, fmpq_mat
from sympy import Expr, Symbol, adjoint, simplify, sympify

from ..exact import Operators, block_diagonal, column, gram, identity, kron, operators, outer, power, stack, zero
from ..ledger import Finding, check
from ..noncommutative import inverse_rules, matrices, same, scalars, symmetric
from ..rational import RationalEcosystem, pseudo_inverse
from .theorem1 import Run, generation_operators, run_workflow

_GENERATIONS = 3
_SINGULAR_START = {"ranks": (1, 0), "public_rank": 1, "published": (2, 1)}  # G_0 singular; G_t has full rank for d = 2
_SINGULAR_LATER = {
    "ranks": (1, 0),
    "public_rank": 0,
    "published": (1, 0),
}  # G_t = āβS~ + α x x'/2 has rank 1 for entity 2


@check(
    "theorem2.projection",
    "symbolic",
    lambda X, Xp: adjoint(X) * X * Xp * X,
    mutations={
        "X⁺ left out": lambda X, Xp: adjoint(X) * X * X,
        "X in place of X⁺": lambda X, Xp: adjoint(X) * X * X * Xp,
    },
)
def projection(formula: Callable[[Expr, Expr], Expr]) -> Finding:
    """Noncommutative algebra with Penrose's first equation."""
    X, Xp = matrices("X Xp")
    return same(formula(X, Xp), adjoint(X) * X, {X * Xp * X: X})


@check(
    "theorem2.truth",
    "symbolic",
    lambda alpha, Gi, R, pool: (1, Gi * R),
    mutations={
        "weight α left out of Q": lambda alpha, Gi, R, pool: (1 / alpha, Gi * R),
        "G⁻¹ on the wrong side": lambda alpha, Gi, R, pool: (1, R * Gi),
    },
)
def truth_is_kept(formula: Callable[..., tuple[Expr | int, Expr]]) -> Finding:
    """Noncommutative algebra with R = G - α(I⊗S̲), Q = αG⁻¹ΠS, Π = 1ω', ω'S1 = S̲ and (I⊗S̲)1 = 1S̲; K, d and the
    shares in ω are arbitrary."""
    (alpha,) = scalars("alpha")
    G, S, pool, average = symmetric("G S pool average")
    Gi, one, omega = matrices("Gi one omega")
    rules = {**inverse_rules((G, Gi)), adjoint(omega) * S * one: average, pool * one: one * average}
    scale, real = formula(alpha, Gi, G - alpha * pool, pool)
    recursive = scale * alpha * Gi * one * adjoint(omega) * S
    return same(real * one + recursive * one, one, rules)


@check(
    "theorem2.induction",
    "symbolic",
    lambda Q, product: Q * product,
    mutations={
        "factors in the wrong order": lambda Q, product: product * Q,
        "Q_t left out": lambda Q, product: product,
    },
)
def bias_induction(formula: Callable[[Expr, Expr], Expr]) -> Finding:
    """Noncommutative algebra: E[θ̂_t] = (I-Q_t)1θ + Q_t E[θ̂_{t-1}] with E[θ̂_{t-1}] = (I - product·U)1θ gives the
    next product."""
    Q, product, unseen, truth = matrices("Q product unseen truth")
    following = truth - Q * truth + Q * (truth - product * unseen * truth)
    return same(following, truth - formula(Q, product) * unseen * truth)


def _expected(run: Run, t: int) -> fmpq_mat:
    """E[θ̂_t] as a linear map of θ, computed by the workflow from real labels of mean x'θ."""
    rows = stack([*run.data[0].private, run.data[0].public])
    return run.real_part(t) * rows


@check(
    "theorem2.mean",
    "exact",
    (lambda product, unseen: identity(product.nrows()) - product * unseen, _SINGULAR_START),
    mutations={
        "I - G_0⁺G_0 replaced by I": (lambda product, unseen: identity(product.nrows()) - product, _SINGULAR_START),
        "wrong sign": (lambda product, unseen: identity(product.nrows()) + product * unseen, _SINGULAR_START),
        "G_t not of full rank": (lambda product, unseen: identity(product.nrows()) - product * unseen, _SINGULAR_LATER),
    },
)
def mean(formula: tuple[Callable[[fmpq_mat, fmpq_mat], fmpq_mat], dict[str, Any]]) -> Finding:
    """E[θ̂_t] as a linear map of θ, computed by the workflow, equals the formula at two random rational points with
    singular G_0 (K = 2, d = 2; error probability below 10⁻¹²)."""
    expression, ranks = formula
    for seed in (3, 4):
        run = run_workflow(seed, **ranks)
        G = operators(run.data[0].with_weights(*run.weights[0])).gram
        unseen = identity(G.nrows()) - pseudo_inverse(G) * G
        product, ones = identity(G.nrows()), stack([identity(2)] * 2)
        for t in range(_GENERATIONS + 1):
            if t:
                product = generation_operators(run, t)[1] * product
            if expression(product, unseen) * ones != _expected(run, t):
                return Finding(False, f"E[θ̂_{t}] differs from the workflow's (seed {seed})")
    return Finding(
        True, f"E[θ̂_0] … E[θ̂_{_GENERATIONS}] equal the workflow's at 2 random rational points with singular G_0"
    )


def _total(formula: Callable[..., fmpq_mat]) -> Finding:
    """Whether the formula gives the total covariance of the workflow's estimates."""
    for seed in (5, 6):
        run = run_workflow(seed)
        M = generation_operators(run, 0)[0]
        inverse = block_diagonal([pseudo_inverse(gram(x)) for x in (*run.data[0].private, run.data[0].public)])
        for t in range(_GENERATIONS + 1):
            if t:
                P, Q, _ = generation_operators(run, t)
                M = P + Q * M
            noise = run.noise_covariance(t)
            workflow = run.noise * run.real_part(t) * run.real_part(t).transpose() + noise
            if formula(run.noise, M, inverse, noise) != workflow:
                return Finding(False, f"Cov(θ̂_{t}) differs from the workflow's (K = 2, d = 2, seed {seed})")
    return Finding(True, f"Cov(θ̂_0) … Cov(θ̂_{_GENERATIONS}) equal the workflow's at 2 random rational points")


def _corrected(noise: fmpq, M: fmpq_mat, inverse: fmpq_mat, C: fmpq_mat) -> fmpq_mat:
    """Cov(θ̂_t) with σ² in the first term."""
    return noise * M * inverse * M.transpose() + C


@check(
    "theorem2.covariance",
    "exact",
    _corrected,
    mutations={
        "C_t scaled by σ² again": lambda noise, M, inverse, C: noise * (M * inverse * M.transpose() + C),
        "S~ instead of S~⁺": lambda noise, M, inverse, C: noise * M * pseudo_inverse(inverse) * M.transpose() + C,
    },
)
def covariance(formula: Callable[..., fmpq_mat]) -> Finding:
    """Cov(θ̂_t) equals the covariance of the workflow's estimates under independent noise of all real and synthetic
    labels, at two random rational points with singular data (error probability below 10⁻¹²)."""
    return _total(formula)


@check(
    "E3",
    "exact",
    _corrected,
    printed={"no σ²": lambda noise, M, inverse, C: M * inverse * M.transpose() + C},
    mutations={"σ⁴ instead of σ²": lambda noise, M, inverse, C: noise * noise * M * inverse * M.transpose() + C},
)
def noise_factor(formula: Callable[..., fmpq_mat]) -> Finding:
    """As theorem2.covariance, without σ² as printed and with it."""
    return _total(formula)


_ENTITIES, _SIZE = (Symbol(name, integer=True, positive=True) for name in ("K", "d"))
Shape = tuple[Expr | int, Expr | int]
"""Rows and columns of a matrix."""

_LABEL: Shape = (1, 1)
_TRUTH: Shape = (_ENTITIES * _SIZE, 1)


@check(
    "E2",
    "symbolic",
    (_TRUTH, _LABEL),
    printed={
        "1_{K+1}⊗θ": (((_ENTITIES + 1) * _SIZE, 1), _LABEL),
        "I_{K+1}⊗θ": (((_ENTITIES + 1) * _SIZE, _ENTITIES + 1), _LABEL),
        "I_K⊗θ": ((_ENTITIES * _SIZE, _ENTITIES), _LABEL),
        "σ²I_d": (_TRUTH, (_SIZE, _SIZE)),
    },
    mutations={"θ alone": ((_SIZE, 1), _LABEL), "a variance for each feature": (_TRUTH, (_SIZE, 1))},
)
def sizes(formula: tuple[Shape, Shape]) -> Finding:
    """Matrix sizes for symbolic K and d: the Kd × Kd matrix I - Q_t⋯Q_1(I - G_0⁺G_0) times the stacked truth must
    be a vector of Kd entries, as θ̂_t is, and the variance of a label must be a square matrix of the size of x'θ."""
    truth, variance = formula
    mean = _product((_ENTITIES * _SIZE, _ENTITIES * _SIZE), truth)
    if mean is None:
        return Finding(False, f"a Kd × Kd matrix cannot multiply one of {truth[0]} rows")
    if mean != _TRUTH:
        return Finding(False, f"E[θ̂_t] would be a matrix of {mean[1]} columns, not a vector")
    label = _product((1, _SIZE), (_SIZE, 1))
    if label is None or variance != (label[0], label[0]):
        return Finding(False, f"the variance of one label would be {variance[0]} × {variance[1]}, but x'θ is a number")
    return Finding(True, "all sizes agree for symbolic K and d: the mean is 1_K⊗θ, the variance of a label is σ²")


def _product(left: Shape, right: Shape) -> Shape | None:
    """Rows and columns of a matrix product; None if the sizes do not match."""
    return (left[0], right[1]) if simplify(sympify(left[1] - right[0])) == 0 else None


_HALF = fmpq(1, 2)


def _witness() -> tuple[fmpq_mat, fmpq_mat, fmpq_mat]:
    """Q_1 (I - G_0⁺G_0), Q_2 = Q_3 = … and 1⊗I of the witness: K = 3, d = 2, β = 1, 0, 1, 1, … and α = 0, 1/2, 1/2,
    …."""
    private = [outer([1, -2]), outer([-2, 1]), outer([1, 1])]
    first = [fmpq(5, 2) * outer([3, -4]), 5 * outer([1, 0]), 2 * outer([1, 0])]
    later = [3 * outer([1, 0]), 3 * outer([0, 1]), zero(2, 2)]
    public = 24 * identity(2) - (first[0] + first[1] + first[2]) / 3

    def generation(alpha: fmpq, beta: fmpq, published: list[fmpq_mat]) -> Operators:
        return operators(RationalEcosystem(private, public, published, [fmpq(1, 3)] * 3, [alpha] * 3, [beta] * 3))

    start = generation(fmpq(0), fmpq(1), later).gram
    unseen = identity(6) - pseudo_inverse(start) * start
    one, two = generation(_HALF, fmpq(0), first), generation(_HALF, fmpq(1), later)
    assert one.gram.rank() == two.gram.rank() == 6
    return one.recursive * unseen, two.recursive, stack([identity(2)] * 3)


@check(
    "E14",
    "exact",
    lambda product, ones: product * ones,
    printed={"the whole product": lambda product, ones: product},
    mutations={
        "every estimate's own truth": lambda product, ones: product * block_diagonal([column([1, 0])] * 3),
        "differences between entities": lambda product, ones: product * kron(fmpq_mat([[1], [-1], [0]]), identity(2)),
    },
)
def vanishing_bias(formula: Callable[[fmpq_mat, fmpq_mat], fmpq_mat]) -> Finding:
    """An exact ecosystem (K = 3, d = 2, rank-one private data, β_t = 1, 0, 1, 1, …) whose bias is halved in every
    generation for every θ. Whatever vanishes if and only if the bias does must be halved too."""
    start, later, ones = _witness()
    second, third = later * start, later * later * start
    if 2 * (third * ones) != second * ones:
        return Finding(None, "the witness does not halve its bias")
    now, following = formula(second, ones), formula(third, ones)
    if 2 * following == now:
        return Finding(True, "halved at every generation, as the bias of the witness is")
    grown = power(later, 40) * start
    factor = max(abs(float(x)) for x in formula(later * grown, ones).entries()) / max(
        abs(float(x)) for x in formula(grown, ones).entries()
    )
    return Finding(
        False, f"it grows by a factor {factor:.4f} per generation, while the bias of the witness halves for every θ"
    )
