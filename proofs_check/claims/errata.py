"""E8, E9, E10 and E13, decided on exact ecosystems; and small facts that the paper's text uses."""

import random

from flint import fmpq, fmpq_mat
from sympy import adjoint

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
from ..noncommutative import all_hold, letters, same, symmetric
from ..rational import RationalEcosystem, consensus_feedback, pseudo_inverse


def _proportional(rng: random.Random, private_ranks, public: fmpq_mat, alpha: fmpq, beta: fmpq) -> RationalEcosystem:
    """S ∝ S~."""
    size, count = public.nrows(), len(private_ranks)
    private = [random_gram(rng, size, rank) for rank in private_ranks]
    synthetic = [3 * s for s in private]
    return RationalEcosystem(private, public, synthetic, [fmpq(1, count)] * count, [alpha] * count, [beta] * count)


@check(
    "E8",
    "exact",
    lambda beta, public, pool: beta > 0 or pool * (identity(2) - public * pseudo_inverse(public)) == zero(2, 2),
    printed={"any β ≥ 0": lambda beta, public, pool: True},
    mutations={
        "β > 0 is needed": lambda beta, public, pool: beta > 0,
        "S_* nonzero suffices": lambda beta, public, pool: beta > 0 or public.rank() > 0,
    },
)
def no_private_weight(formula) -> Finding:
    """S ∝ S~, K = d = 2, α = 1/2, rational data: ρ(Q) < 1 (decided by the Stein equation) against the condition, for β
    = 0 and β > 0 and S_* of rank 0, 1, 2. At β = 0 all G_k agree and H = αS̲G⁺ keeps S̲v for every v in ker S_*, so ker
    S_* ⊂ ker S̲ is needed, and enough."""
    rng = random.Random(1)
    for beta in (fmpq(0), fmpq(1, 3), fmpq(1)):
        for public in (outer([1, 0]), outer([1, 1]), identity(2), zero(2, 2)):
            eco = _proportional(rng, (1, 1), public, fmpq(1, 2), beta)
            stable = is_stable(consensus_feedback(eco))
            if stable != formula(beta, public, eco.pool_gram):
                return Finding(False, f"β = {beta}, S_* of rank {public.rank()}: ρ(Q) < 1 is {stable}")
    line = outer([1, 0])  # all data of rank one, in one direction
    half = [fmpq(1, 2)] * 2
    if is_stable(
        consensus_feedback(RationalEcosystem([line] * 2, line, [line] * 2, half, half, [fmpq(0)] * 2))
    ) != formula(fmpq(0), line, line):
        return Finding(False, "β = 0, all data of rank one in one direction: ρ(Q) < 1 is True")
    return Finding(True, "the condition decides 13 exact ecosystems, β = 0 with ker S_* ⊂ ker S̲ and without")


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
def normal_equations(formula) -> Finding:
    """K = 3, d = 2, two rows each, random rational points: entity k's weighted squares have the gradient G_kθ - (moments), so
    the G_k of the formula must solve the normal equations that least squares satisfies; S_*ᵀ = S_*, since S_* is symmetric.
    The sums printed up to k are put to every entity with k = 2."""
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
def indices(formula) -> Finding:
    """K = 3, d = 2, generations 1 … 4 of the lifted eq. (4) against a workflow in which block j of y_t holds labels of
    the entity that the formula names, made by its estimate θ̂_{t-1,k} (there is no entity t once t > K)."""
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
    return Finding(True, "eq. (4) is this workflow, generations 1 … 4, at a random rational point")


@check(
    "E13",
    "exact",
    (lambda beta: beta, lambda beta: 1 - beta),
    printed={"β weights public data": (lambda beta: 1 - beta, lambda beta: beta)},
    mutations={"β for both": (lambda beta: beta, lambda beta: beta)},
)
def meaning_of_beta(formula) -> Finding:
    """Random rational P_t (K = 2, d = 2): which of private and public data has weight āβ; at β = 1 the public block of
    P is 0, so β weights the private data."""
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
            return Finding(False, f"GP has other weights at β = {float(beta):.3f}; at β = 1 its public block is 0")
    return Finding(True, "GP = ā[βS~, b̄ 1⊗S_*] at two random rational points")


@check(
    "text.projection",
    "exact",
    lambda K: fmpq(1, K),
    mutations={"1 for 1/K": lambda K: fmpq(1), "1/K²": lambda K: fmpq(1, K**2)},
)
def averaging(formula) -> Finding:
    """Π = c(1_{K×K}⊗I_d) in rational arithmetic, K = 1 … 5, d = 1 … 3: symmetric, Π² = Π, rank d."""
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
def first_generation(formula) -> Finding:
    """Random rational ecosystem (K = 2, d = 2): the off-diagonal private blocks of M at weight α of the pool: 0 at α_0
    = 0, and M_1 = P + QP_0 has others."""
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
def prediction_error(formula) -> Finding:
    """E‖X~(b + Lz)‖² for z uniform on ±e_i√n (mean 0, covariance I), summed exactly over all 2n points, against the
    formula with Cov = LL' (d = 2, n = 3)."""
    rng = random.Random(6)
    X, L, bias = random_matrix(rng, 3, 2), random_matrix(rng, 2, 3), random_matrix(rng, 2, 1)
    squares = fmpq(0)
    for i in range(3):
        column = fmpq_mat([[L[0, i]], [L[1, i]]])
        # ‖X(b ± √3 l)‖² averaged over the sign is ‖Xb‖² + 3‖Xl‖²
        squares += trace(gram(X * bias)) + 3 * trace(gram(X * column))
    return Finding(
        squares / 3 == formula(gram(X), L * L.transpose(), bias),
        "the expectation over all points is compared with the formula",
    )


@check(
    "text.best_unbiased",
    "symbolic",
    lambda V: V,
    mutations={"half the variance": lambda V: V / 2, "twice the variance": lambda V: 2 * V},
)
def gauss_markov(formula) -> Finding:
    """Words with X the stack of all real features, X'X = Σ S~_k + S_*, and V = (X'X)⁻¹: every L with LX = I is VX' + N with
    NX = 0, and LL' is the formula plus NN' ⪰ 0, which is 0 for pooled least squares, N = 0."""
    X, N = letters("X N")
    (V,) = symmetric("V")
    rules = {adjoint(X) * X * V: 1, V * adjoint(X) * X: 1, N * X: 0, adjoint(X) * adjoint(N): 0}
    L = V * adjoint(X) + N
    variance = same(L * adjoint(L), formula(V) + N * adjoint(N), rules)
    return all_hold([same(L * X, 1, rules), variance])
