"""Theorem 1, eq. (4) and E1: the distribution of θ̂_t given the initial data (§5, App. E.1)."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from flint import fmpq, fmpq_mat
from sympy import Expr, adjoint

from ..exact import (
    Data,
    Operators,
    beside,
    block_diagonal,
    feature_inverse,
    gram,
    identity,
    kron,
    operators,
    random_data,
    random_rational,
    train,
    zero,
)
from ..ledger import Finding, check
from ..noncommutative import all_hold, matrices, same
from ..rational import RationalEcosystem, pseudo_inverse

_GENERATIONS = 3


@dataclass(frozen=True)
class Run:
    """The workflow at one random rational point: every θ̂_t as a linear map of the real labels and the noise.

    Attributes:
        data: features of every generation.
        weights: (α_t, β_t) of every generation.
        estimates: θ̂_t by the workflow; columns are ỹ_1 … ỹ_K, y_*, then the noise w_1, w_2, … of every generation.
        real: number of columns that belong to real labels.
        noise: σ².
    """

    data: list[Data]
    weights: list[tuple[fmpq, fmpq]]
    estimates: list[fmpq_mat]
    real: int
    noise: fmpq

    def labels_to_fits(self) -> fmpq_mat:
        """diag(X~⁺, X_*⁺), which maps real labels to each dataset's own least-squares fit."""
        return block_diagonal([feature_inverse(x) for x in (*self.data[0].private, self.data[0].public)])

    def real_part(self, generation: int) -> fmpq_mat:
        """The part of θ̂_t that is linear in the real labels."""
        return columns(self.estimates[generation], 0, self.real)

    def noise_covariance(self, generation: int) -> fmpq_mat:
        """Covariance of θ̂_t given the real labels."""
        noise = columns(self.estimates[generation], self.real, self.estimates[generation].ncols())
        return self.noise * noise * noise.transpose()


def columns(matrix: fmpq_mat, start: int, stop: int) -> fmpq_mat:
    """Columns `start` to `stop` - 1 of a matrix."""
    return fmpq_mat([row[start:stop] for row in matrix.tolist()])


def run_workflow(
    seed: int, ranks: Sequence[int] = (1, 2), public_rank: int = 1, published: Sequence[int] = (2, 1), size: int = 2
) -> Run:
    """The workflow in a random ecosystem whose weights and synthetic features vary over generations."""
    rng = random.Random(seed)
    start = random_data(rng, ranks, public_rank, published, size)
    fresh = [random_data(rng, ranks, public_rank, published, size).synthetic for _ in range(_GENERATIONS)]
    data = [start, *(Data(start.private, start.public, synthetic) for synthetic in fresh)]
    weights = [(fmpq(0), random_rational(rng))] + [
        (random_rational(rng), random_rational(rng)) for _ in range(_GENERATIONS)
    ]
    rows = [x.nrows() for x in (*start.private, start.public)] + [x.nrows() for d in data[1:] for x in d.synthetic]
    inputs, before = [], 0
    for count in rows:
        inputs.append(columns(identity(sum(rows)), before, before + count).transpose())
        before += count
    entities = len(ranks)
    labels, noises = inputs[: entities + 1], inputs[entities + 1 :]
    silent = [zero(x.nrows(), sum(rows)) for x in start.synthetic]
    estimates = [train(start, *weights[0], labels, silent)]
    for t in range(1, _GENERATIONS + 1):
        each = [fmpq_mat(estimates[-1].tolist()[k * size : (k + 1) * size]) for k in range(entities)]
        noise = noises[(t - 1) * entities : t * entities]
        pool = [x * e + w for x, e, w in zip(data[t].synthetic, each, noise, strict=True)]
        estimates.append(train(data[t], *weights[t], labels, pool))
    return Run(data, weights, estimates, sum(rows[: entities + 1]), random_rational(rng))


def generation_operators(run: Run, generation: int) -> tuple[fmpq_mat, fmpq_mat, fmpq_mat]:
    """P_t, Q_t and S_t of one generation."""
    now = operators(run.data[generation].with_weights(*run.weights[generation]))
    return now.real, now.recursive, block_diagonal([gram(x) for x in run.data[generation].synthetic])


_RUNS = (1, 2)


def _with_gram(change: Callable[[RationalEcosystem], fmpq_mat]) -> Callable[..., fmpq_mat]:
    """Eq. (4) with G plus the given change in place of G."""

    def expression(
        ecosystem: RationalEcosystem, now: Operators, fits: fmpq_mat, last: fmpq_mat, noise: fmpq_mat
    ) -> fmpq_mat:
        moments = now.gram * (now.real * fits + now.recursive * (last + noise))
        return pseudo_inverse(now.gram + change(ecosystem)) * moments

    return expression


@check(
    "eq4",
    "exact",
    lambda ecosystem, now, fits, last, noise: now.real * fits + now.recursive * last + now.recursive * noise,
    mutations={
        "noise not passed through Q": lambda ecosystem, now, fits, last, noise: (
            now.real * fits + now.recursive * last + noise
        ),
        "real data left out": lambda ecosystem, now, fits, last, noise: now.recursive * (last + noise),
        "α²S̲ in G": _with_gram(lambda eco: kron(identity(2), (eco.alpha[0] ** 2 - eco.alpha[0]) * eco.pool_gram)),
        "S_* with weight ā in G": _with_gram(
            lambda eco: kron(identity(2), (1 - eco.alpha[0]) * eco.beta[0] * eco.public)
        ),
        "āβ²S~ in G": _with_gram(
            lambda eco: (1 - eco.alpha[0]) * (eco.beta[0] ** 2 - eco.beta[0]) * block_diagonal(eco.private)
        ),
    },
)
def one_generation(formula: Callable[..., fmpq_mat]) -> Finding:
    """θ̂_t as a linear map of all labels, computed by K weighted least-squares problems of minimum norm from the
    stacked weighted rows, without the formula of G, equals the formula at two random rational points (K = 2, d = 2,
    singular S~, S_*, S_t; error probability below 10⁻¹²)."""
    for seed in _RUNS:
        run = run_workflow(seed)
        entities, inputs = len(run.data[0].private), run.estimates[0].ncols()
        fits = beside([run.labels_to_fits(), zero(run.labels_to_fits().nrows(), inputs - run.real)])
        for t in range(1, _GENERATIONS + 1):
            ecosystem = run.data[t].with_weights(*run.weights[t])
            start = run.real + sum(x.nrows() for d in run.data[1:t] for x in d.synthetic)
            width = sum(x.nrows() for x in run.data[t].synthetic)
            inverse = block_diagonal([feature_inverse(x) for x in run.data[t].synthetic])
            noise = beside([zero(inverse.nrows(), start), inverse, zero(inverse.nrows(), inputs - start - width)])
            if formula(ecosystem, operators(ecosystem), fits, run.estimates[t - 1], noise) != run.estimates[t]:
                return Finding(
                    False, f"at generation {t} the map differs from least squares (K = {entities}, seed {seed})"
                )
    return Finding(
        True, f"equal to least squares at {len(_RUNS)} random rational points, {_GENERATIONS} generations each"
    )


@check(
    "theorem1.mean",
    "exact",
    lambda P, Q, M: P + Q * M,
    mutations={"P subtracted": lambda P, Q, M: Q * M - P, "recursion dropped": lambda P, Q, M: P},
)
def mean_recursion(formula: Callable[..., fmpq_mat]) -> Finding:
    """M_t of the recursion times diag(X~⁺, X_*⁺) equals the workflow's map of the real labels, at random rational
    points with singular data (error probability below 10⁻¹²)."""
    for seed in _RUNS:
        run = run_workflow(seed)
        M = generation_operators(run, 0)[0]
        for t in range(_GENERATIONS + 1):
            if t:
                P, Q, _ = generation_operators(run, t)
                M = formula(P, Q, M)
            if M * run.labels_to_fits() != run.real_part(t):
                return Finding(False, f"M_{t} differs from the workflow's (seed {seed})")
    return Finding(True, f"M_0 … M_{_GENERATIONS} equal the workflow's at {len(_RUNS)} random rational points")


def _covariance(formula: Callable[..., fmpq_mat]) -> Finding:
    """Whether the recursion gives the covariance of the workflow's estimates."""
    for seed in _RUNS:
        run = run_workflow(seed)
        C = zero(*[run.estimates[0].nrows()] * 2)
        for t in range(1, _GENERATIONS + 1):
            _, Q, S = generation_operators(run, t)
            C = formula(Q, run.noise * pseudo_inverse(S), C)
            if run.noise_covariance(t) != C:
                kind = "not even symmetric" if C.transpose() != C else "symmetric, but not the workflow's"
                return Finding(False, f"C_{t} at a random rational point (K = 2, d = 2, seed {seed}) is {kind}")
    return Finding(True, f"C_1 … C_{_GENERATIONS} equal the workflow's at {len(_RUNS)} random rational points")


def _corrected(Q: fmpq_mat, noise: fmpq_mat, C: fmpq_mat) -> fmpq_mat:
    """One step of the recursion of C_t."""
    return Q * (noise + C) * Q.transpose()


def _printed(Q: fmpq_mat, noise: fmpq_mat, C: fmpq_mat) -> fmpq_mat:
    """One step of the recursion of C_t as printed."""
    return Q * (noise + C) * Q


@check(
    "theorem1.covariance",
    "exact",
    _corrected,
    mutations={
        "Qᵀ first": lambda Q, noise, C: Q.transpose() * (noise + C) * Q,
        "S instead of S⁺": lambda Q, noise, C: Q * (pseudo_inverse(noise) + C) * Q.transpose(),
        "earlier noise dropped": lambda Q, noise, C: Q * noise * Q.transpose(),
    },
)
def covariance_recursion(formula: Callable[..., fmpq_mat]) -> Finding:
    """C_t of the recursion equals the covariance of the workflow's estimates under independent label noise, at
    random rational points with singular data (error probability below 10⁻¹²)."""
    return _covariance(formula)


@check(
    "E1",
    "exact",
    _corrected,
    printed={"last factor Q": _printed},
    mutations={"both factors Qᵀ": lambda Q, n, C: Q.transpose() * (n + C) * Q.transpose()},
)
def last_factor(formula: Callable[..., fmpq_mat]) -> Finding:
    """As theorem1.covariance, with the last factor as printed and as corrected."""
    return _covariance(formula)


@check(
    "theorem1.moments",
    "symbolic",
    lambda X, Xp: (adjoint(X) * X * Xp, Xp * adjoint(Xp)),
    mutations={
        "X X' instead of X'X": lambda X, Xp: (X * adjoint(X) * Xp, Xp * adjoint(Xp)),
        "X⁺'X⁺ instead of X⁺X⁺'": lambda X, Xp: (adjoint(X) * X * Xp, adjoint(Xp) * Xp),
    },
)
def pseudo_inverse_moments(formula: Callable[[Expr, Expr], tuple[Expr, Expr]]) -> Finding:
    """Noncommutative algebra with Penrose's four equations: S X⁺ = X', and X⁺X⁺' satisfies the equations that
    define S⁺."""
    X, Xp = matrices("X Xp")
    XT, XpT = adjoint(X), adjoint(Xp)
    rules = {
        X * Xp * X: X,
        Xp * X * Xp: Xp,
        XpT * XT: X * Xp,  # (X X⁺)' = X X⁺
        XT * XpT: Xp * X,  # (X⁺X)' = X⁺X
        XT * X * Xp: XT,  # follows: X'(X X⁺)' = (X X⁺ X)'
        Xp * X * XT: XT,
        Xp * Xp.adjoint() * XT: Xp * X * Xp,
    }
    moment, inverse = formula(X, Xp)
    S = XT * X
    return all_hold(
        [same(moment, XT, rules), same(S * inverse * S, S, rules), same(inverse * S * inverse, inverse, rules)]
    )
