"""E8, E9, E10 and E13, and small facts that the paper's text uses, decided on exact ecosystems."""

import random
from collections.abc import Callable, Sequence

from flint import fmpq, fmpq_mat
from sympy import Expr, adjoint

from ..exact import (
    beside,
    block_diagonal,
    feature_inverse,
    gram,
    identity,
    is_stable,
    kron,
    operators,
    outer,
    random_data,
    random_gram,
    random_matrix,
    random_rational,
    stack,
    trace,
    train,
    zero,
)
from ..ledger import Finding, check
from ..noncommutative import all_hold, matrices, same, symmetric
from ..rational import RationalEcosystem, consensus_feedback, pseudo_inverse


def _proportional(
    rng: random.Random, private_ranks: Sequence[int], public: fmpq_mat, alpha: fmpq, beta: fmpq
) -> RationalEcosystem:
    """Random ecosystem with S ∝ S~ and equal shares."""
    size, count = public.nrows(), len(private_ranks)
    private = [random_gram(rng, size, rank) for rank in private_ranks]
    synthetic = [3 * s for s in private]
    return RationalEcosystem(private, public, synthetic, [fmpq(1, count)] * count, [alpha] * count, [beta] * count)


def _inside(public: fmpq_mat, pool: fmpq_mat) -> bool:
    """Whether ker S_* ⊂ ker S̲, d = 2."""
    return pool * (identity(2) - public * pseudo_inverse(public)) == zero(2, 2)


@check(
    "E8",
    "exact",
    lambda alpha, beta, public, pool: alpha == 0 or beta > 0 or _inside(public, pool),
    printed={"any β ≥ 0": lambda alpha, beta, public, pool: True},
    mutations={
        "β > 0 is needed": lambda alpha, beta, public, pool: alpha == 0 or beta > 0,
        "S_* nonzero suffices": lambda alpha, beta, public, pool: alpha == 0 or beta > 0 or public.rank() > 0,
        "also at α = 0": lambda alpha, beta, public, pool: beta > 0 or _inside(public, pool),
    },
)
def no_private_weight(formula: Callable[[fmpq, fmpq, fmpq_mat, fmpq_mat], bool]) -> Finding:
    """For S ∝ S~, K = d = 2, α = 1/2 and 0, and rational data: the condition must agree with ρ(Q) < 1, decided by the
    Stein equation, for β = 0 and β > 0 and S_* of rank 0, 1, 2. At β = 0 < α all G_k are equal and H = αS̲G⁺ maps S̲v
    to itself for every v in ker S_*, so ker S_* ⊂ ker S̲ is necessary; it is also sufficient. At α = 0, Q = 0."""
    rng = random.Random(1)
    for alpha in (fmpq(1, 2), fmpq(0)):
        for beta in (fmpq(0), fmpq(1, 3), fmpq(1)):
            for public in (outer([1, 0]), outer([1, 1]), identity(2), zero(2, 2)):
                eco = _proportional(rng, (1, 1), public, alpha, beta)
                stable = is_stable(consensus_feedback(eco))
                if stable != formula(alpha, beta, public, eco.pool_gram):
                    place = f"α = {alpha}, β = {beta}, S_* of rank {public.rank()}"
                    return Finding(False, f"{place}: ρ(Q) < 1 is {stable}")
    line = outer([1, 0])  # all data of rank one, in one direction
    half = [fmpq(1, 2)] * 2
    if is_stable(
        consensus_feedback(RationalEcosystem([line] * 2, line, [line] * 2, half, half, [fmpq(0)] * 2))
    ) != formula(fmpq(1, 2), fmpq(0), line, line):
        return Finding(False, "β = 0, all data of rank one in one direction: ρ(Q) < 1 is True")
    return Finding(
        True, "the condition is right for 25 exact ecosystems, those with β = 0 both with and without ker S_* ⊂ ker S̲"
    )


@check(
    "E9",
    "exact",
    lambda own, first, public, published: (gram(own), gram(public), [gram(x) for x in published]),
    printed={
        "X~_t'X~_k": lambda own, first, public, published: (
            first.transpose() * own,
            gram(public),
            [gram(x) for x in published],
        ),
        "X_*X_*'": lambda own, first, public, published: (
            gram(own),
            public * public.transpose(),
            [gram(x) for x in published],
        ),
        "sums up to k": lambda own, first, public, published: (
            gram(own),
            gram(public),
            [gram(x) for x in published[:2]],
        ),
    },
    mutations={
        "X~X~'": lambda own, first, public, published: (
            own * own.transpose(),
            gram(public),
            [gram(x) for x in published],
        ),
    },
)
def normal_equations(formula: Callable[..., tuple[fmpq_mat, fmpq_mat, list[fmpq_mat]]]) -> Finding:
    """At a random rational point with K = 3, d = 2 and two rows per dataset: the gradient of entity k's weighted
    squares is G_kθ minus the weighted moments, so the matrices of the formula must satisfy the normal equations at
    the least-squares solution. S_*ᵀ = S_*, since S_* is symmetric. The printed sums up to k are tested with k = 2
    for every entity."""
    rng = random.Random(2)
    alpha, beta, size = random_rational(rng), random_rational(rng), 2
    data = random_data(rng, (2, 2, 2), 2, (2, 2, 2), size)
    labels = [random_matrix(rng, 2, 1) for _ in range(4)]
    pool = [random_matrix(rng, 2, 1) for _ in range(3)]
    fits = train(data, alpha, beta, labels, pool).tolist()
    for k in range(3):
        own, public, published = formula(data.private[k], data.private[0], data.public, data.synthetic)
        gram_k = (1 - alpha) * beta * own + (1 - alpha) * (1 - beta) * public
        moment = (1 - alpha) * beta * (data.private[k].transpose() * labels[k])
        moment += (1 - alpha) * (1 - beta) * (data.public.transpose() * labels[3])
        for s in published:
            gram_k += alpha / 3 * s
        for x, y in zip(data.synthetic, pool, strict=True):
            moment += alpha / 3 * (x.transpose() * y)
        if gram_k * fmpq_mat(fits[k * size : (k + 1) * size]) != moment:
            return Finding(False, f"entity {k + 1} of 3 does not solve its normal equations")
    return Finding(True, "all three entities solve their normal equations at a random rational point")


@check(
    "E10",
    "exact",
    lambda t, k, j: (j, j),
    printed={
        "θ̂_{t-1,t}": lambda t, k, j: (t, j),
        "y_{tk} as the first entry": lambda t, k, j: (j, k if j == 0 else j),
    },
    mutations={"every block y_{tk}": lambda t, k, j: (j, k), "the last entity's model": lambda t, k, j: (2, j)},
)
def indices(formula: Callable[[int, int, int], tuple[int, int]]) -> Finding:
    """At a random rational point with K = 3 and d = 2: eq. (4) in lifted form against a workflow, for generations
    1 … 4. For block j of y_t, the formula names the entity whose estimate makes the labels and the entity for whose
    prompts they are made. (There is no entity t once t > K.)"""
    rng = random.Random(3)
    data = random_data(rng, (1, 1, 1), 2, (2, 2, 2), 2)
    alpha, beta = random_rational(rng), random_rational(rng)
    labels = [random_matrix(rng, x.nrows(), 1) for x in (*data.private, data.public)]
    now = operators(data.with_weights(alpha, beta))
    fits = block_diagonal([feature_inverse(x) for x in (*data.private, data.public)])
    inverse = block_diagonal([feature_inverse(x) for x in data.synthetic])
    stacked = stack(labels)
    estimate = train(data, fmpq(0), beta, labels, [zero(2, 1)] * 3)
    for t in range(1, 5):
        noise = [random_matrix(rng, 2, 1) for _ in range(3)]
        each = [fmpq_mat(estimate.tolist()[2 * k : 2 * k + 2]) for k in range(3)]
        pool = []
        for j in range(3):
            maker, shown = formula(t, 1, j)
            if not 0 <= maker < 3 or not 0 <= shown < 3:
                return Finding(False, f"at t = {t} there is no entity {maker + 1} among 3")
            pool.append(data.synthetic[shown] * each[maker] + noise[j])
        lifted = now.real * fits * stacked + now.recursive * estimate + now.recursive * inverse * stack(noise)
        estimate = train(data, alpha, beta, labels, pool)
        if estimate != lifted:
            return Finding(False, f"eq. (4) differs from this workflow at generation {t}")
    return Finding(True, "eq. (4) equals this workflow in generations 1 … 4 at a random rational point")


@check(
    "E13",
    "exact",
    (lambda beta: beta, lambda beta: 1 - beta),
    printed={"β weights public data": (lambda beta: 1 - beta, lambda beta: beta)},
    mutations={"β for both": (lambda beta: beta, lambda beta: beta)},
)
def meaning_of_beta(formula: tuple[Callable[[fmpq], fmpq], Callable[[fmpq], fmpq]]) -> Finding:
    """GP at two random rational points (K = 2, d = 2): the formula names the weights of private and of public data.
    At β = 1 the public block of P is 0, so β weights the private data."""
    private_weight, public_weight = formula
    rng = random.Random(4)
    data = random_data(rng, (2, 2), 2, (2, 2), 2)
    for beta in (random_rational(rng), fmpq(1)):
        alpha = random_rational(rng)
        eco = data.with_weights(alpha, beta)
        now = operators(eco)
        moments = now.gram * now.real
        private = (1 - alpha) * private_weight(beta) * block_diagonal(eco.private)
        public = (1 - alpha) * public_weight(beta) * kron(fmpq_mat([[1], [1]]), eco.public)
        if moments != beside([private, public]):
            return Finding(False, f"GP has different weights at β = {float(beta):.3f}; at β = 1 its public block is 0")
    return Finding(True, "GP = ā[βS~, b̄ 1⊗S_*] at two random rational points")


@check(
    "text.projection",
    "exact",
    lambda K: fmpq(1, K),
    mutations={"1 for 1/K": lambda K: fmpq(1), "1/K²": lambda K: fmpq(1, K**2)},
)
def averaging(formula: Callable[[int], fmpq]) -> Finding:
    """Rational arithmetic for K = 1 … 5 and d = 1 … 3: Π = c(1_{K×K}⊗I_d) is symmetric, Π² = Π, and Π has rank d."""
    for K in range(1, 6):
        for d in range(1, 4):
            average = kron(fmpq_mat(K, K, [formula(K)] * K**2), identity(d))
            if average * average != average or average != average.transpose() or average.rank() != d:
                return Finding(False, f"not an orthogonal projection of rank d for K = {K}, d = {d}")
    return Finding(True, "an orthogonal projection of rank d for K = 1 … 5, d = 1 … 3")


@check(
    "text.no_transfer_at_start",
    "exact",
    fmpq(0),
    mutations={"at t = 1 too": fmpq(1, 2)},
)
def first_generation(formula: fmpq) -> Finding:
    """The off-diagonal private blocks of M in a random rational ecosystem (K = 2, d = 2), where the formula is the
    weight α of the pool: they are 0 for α_0 = 0, as at t = 0, and M_1 = P + QP_0 has nonzero ones."""
    rng = random.Random(5)
    data = random_data(rng, (2, 2), 2, (2, 2), 2)
    beta = random_rational(rng)
    start, now = operators(data.with_weights(fmpq(0), beta)), operators(data.with_weights(formula, beta))
    M = now.real + now.recursive * start.real
    return Finding(
        all(M[i, j] == 0 for i in (0, 1) for j in (2, 3)),
        "block (1, 2) of the mean map" + (" is 0" if formula == 0 else " is not 0"),
    )


@check(
    "text.mspe",
    "exact",
    lambda task, covariance, bias: trace(task * covariance) + (bias.transpose() * task * bias)[0, 0],
    mutations={
        "bias left out": lambda task, covariance, bias: trace(task * covariance),
        "trace of the covariance": lambda task, covariance, bias: (
            trace(covariance) + (bias.transpose() * task * bias)[0, 0]
        ),
    },
)
def prediction_error(formula: Callable[[fmpq_mat, fmpq_mat, fmpq_mat], fmpq]) -> Finding:
    """E‖X~(b + Lz)‖² for z uniform on ±e_i√n (mean 0, covariance I), summed exactly over all 2n points, against the
    formula with Cov = LL' (d = 2, n = 3)."""
    rng = random.Random(6)
    X, L, bias = random_matrix(rng, 3, 2), random_matrix(rng, 2, 3), random_matrix(rng, 2, 1)
    squares = fmpq(0)
    for i in range(3):
        column = fmpq_mat([[L[0, i]], [L[1, i]]])
        # ‖X(b ± √3 l)‖² averaged over the sign is ‖Xb‖² + 3‖Xl‖²
        squares += trace(gram(X * bias)) + 3 * trace(gram(X * column))
    equal = squares / 3 == formula(gram(X), L * L.transpose(), bias)
    return Finding(equal, f"the expectation over all points {'equals' if equal else 'differs from'} the formula")


@check(
    "text.best_unbiased",
    "symbolic",
    lambda V: V,
    mutations={"half the variance": lambda V: V / 2, "twice the variance": lambda V: 2 * V},
)
def gauss_markov(formula: Callable[[Expr], Expr]) -> Finding:
    """Noncommutative algebra with X the stack of all real features, X'X = Σ S~_k + S_*, and V = (X'X)⁻¹: every L
    with LX = I is VX' + N with NX = 0, and LL' is the formula plus NN' ⪰ 0, which vanishes for pooled least squares
    (N = 0)."""
    X, N = matrices("X N")
    (V,) = symmetric("V")
    rules = {adjoint(X) * X * V: 1, V * adjoint(X) * X: 1, N * X: 0, adjoint(X) * adjoint(N): 0}
    L = V * adjoint(X) + N
    variance = same(L * adjoint(L), formula(V) + N * adjoint(N), rules)
    return all_hold([same(L * X, 1, rules), variance])
