"""Laws of the estimates: Theorems 1 to 3, the consensus form, measures."""

import random
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import jax
import numpy as np
from crossfeed.proofs_check.exact import (
    beside,
    block,
    block_diagonal,
    column,
    identity,
    operators,
    solve_stein,
    stack,
    trace,
)
from crossfeed.proofs_check.rational import RationalEcosystem, consensus_feedback, pseudo_inverse, total
from crossfeed.theory import (
    Ecosystem,
    Law,
    Weights,
    bias_map,
    conditional_covariance,
    covariance,
    limit,
    mean_map,
    minimum_variance,
    mspe,
    spectral_radius,
    trajectory,
)
from flint import fmpq, fmpq_mat

from .points import COUNT, NOISE, SIZE, Comparison, Pair, ecosystem, floating, formula, fraction, number, radius

GENERATIONS = 3


def _measures(law: Law) -> dict[str, Any]:
    return {
        "mean_map": mean_map(law),
        "bias_map": bias_map(law),
        "conditional_covariance": conditional_covariance(law),
        "covariance": covariance(law),
        "mspe": mspe(law),
    }


@cache
def program() -> Callable[[Ecosystem, Weights], tuple[dict[str, Any], dict[str, Any], Any]]:
    """Every measure of the limit and at generations 0..T, and ρ(Q), in one program."""

    def compute(ecosystem, weights):
        in_limit = _measures(limit(ecosystem, weights, throw=False))
        radius = spectral_radius(ecosystem, weights)
        return in_limit, trajectory(ecosystem, weights, GENERATIONS, _measures), radius

    return jax.jit(compute)


def _computed(eco: RationalEcosystem, truth: list[fmpq] | None = None) -> tuple[dict[str, Any], dict[str, Any], Any]:
    return program()(*floating(eco, truth))


def _blocks(matrix: fmpq_mat) -> np.ndarray:
    """Blocks (k, k) of a lifted matrix."""
    return np.array([number(block(matrix, k, k, SIZE)) for k in range(COUNT)])


def _lifted(blocks: Any) -> np.ndarray:
    """The matrix of blocks (k, j)."""
    return np.concatenate([np.concatenate(list(row), axis=1) for row in np.asarray(blocks)])


def _first(eco: RationalEcosystem) -> RationalEcosystem:
    """The ecosystem of generation 0, which has no synthetic data."""
    return replace(eco, alpha=[fmpq(0)] * COUNT)


def _published(eco: RationalEcosystem) -> fmpq_mat:
    """σ² diag(S_k⁺)."""
    return NOISE * block_diagonal([pseudo_inverse(gram) for gram in eco.synthetic])


def _real(eco: RationalEcosystem) -> fmpq_mat:
    """diag(S~⁺, S_*⁺)."""
    return block_diagonal([pseudo_inverse(gram) for gram in (*eco.private, eco.public)])


def _means(eco: RationalEcosystem) -> list[fmpq_mat]:
    """M_0 … M_T by theorem1.mean."""
    step, now = formula("theorem1.mean"), operators(eco)
    means = [operators(_first(eco)).real]
    for _ in range(GENERATIONS):
        means.append(step(now.real, now.recursive, means[-1]))
    return means


def _covariances(eco: RationalEcosystem) -> list[fmpq_mat]:
    """C_0 … C_T by theorem1.covariance."""
    step, Q = formula("theorem1.covariance"), operators(eco).recursive
    found = [fmpq_mat(Q.nrows(), Q.nrows())]
    for _ in range(GENERATIONS):
        found.append(step(Q, _published(eco), found[-1]))
    return found


def _mean(rng: random.Random) -> Pair:
    eco = ecosystem(rng)
    return [number(M) for M in _means(eco)], [_lifted(M) for M in _computed(eco)[1]["mean_map"]]


def _conditional(rng: random.Random) -> Pair:
    eco = ecosystem(rng)
    return [_blocks(C) for C in _covariances(eco)], _computed(eco)[1]["conditional_covariance"]


def _total(rng: random.Random) -> Pair:
    eco, stated = ecosystem(rng), formula("theorem2.covariance")
    pairs = zip(_means(eco), _covariances(eco), strict=True)
    return [_blocks(stated(NOISE, M, _real(eco), C)) for M, C in pairs], _computed(eco)[1]["covariance"]


def _expectation(rng: random.Random) -> Pair:
    """With public data of rank one and private data of none, G_0 is singular."""
    eco, (stated, _) = ecosystem(rng, private_rank=0, public_rank=1), formula("theorem2.mean")
    gram, Q = operators(_first(eco)).gram, operators(eco).recursive
    unseen, product = identity(gram.nrows()) - pseudo_inverse(gram) * gram, identity(gram.nrows())
    ones, maps = stack([identity(SIZE)] * COUNT), []
    for _ in range(GENERATIONS + 1):
        maps.append(number(stated(product, unseen) * ones - ones).reshape(COUNT, SIZE, SIZE))
        product = Q * product
    return maps, _computed(eco)[1]["bias_map"]


def _prediction(rng: random.Random) -> Pair:
    """At generation 0, where G_0 is singular and estimates are biased."""
    eco, truth = ecosystem(rng, private_rank=1, public_rank=0), [fraction(rng) for _ in range(SIZE)]
    first, stated = operators(_first(eco)), formula("text.mspe")
    spread = NOISE * first.real * _real(eco) * first.real.transpose()
    seen = pseudo_inverse(first.gram) * first.gram
    biases = [(block(seen, k, k, SIZE) - identity(SIZE)) * column(truth) for k in range(COUNT)]
    errors = [[stated(task, block(spread, k, k, SIZE), biases[k]) for task in eco.private] for k in range(COUNT)]
    return number(errors), _computed(eco, truth)[1]["mspe"][0]


def _mean_limit(rng: random.Random) -> Pair:
    eco = ecosystem(rng)
    now = operators(eco)
    settled = (identity(now.recursive.nrows()) - now.recursive).inv()
    return number(formula("eq1.limit")(settled, now.real)), _lifted(_computed(eco)[0]["mean_map"])


def _conditional_limit(rng: random.Random) -> Pair:
    eco = ecosystem(rng)
    Q = operators(eco).recursive
    C = solve_stein(Q, formula("eq2.limit")(Q, _published(eco)))
    return _blocks(C), _computed(eco)[0]["conditional_covariance"]


def _total_limit(rng: random.Random) -> Pair:
    eco = ecosystem(rng)
    now = operators(eco)
    M = (identity(now.recursive.nrows()) - now.recursive).solve(now.real)
    C = solve_stein(now.recursive, now.recursive * _published(eco) * now.recursive.transpose())
    return _blocks(formula("theorem3.covariance")(NOISE, M, _real(eco), C)), _computed(eco)[0]["covariance"]


def _consensus(eco: RationalEcosystem) -> tuple[fmpq_mat, fmpq_mat, fmpq_mat, fmpq_mat]:
    """A, B, H and N of the consensus form."""
    A = stack([a * pseudo_inverse(eco.training_gram(k)) for k, a in enumerate(eco.alpha)])
    B = beside([w * s for w, s in zip(eco.shares, eco.synthetic, strict=True)])
    return (
        A,
        B,
        consensus_feedback(eco),
        NOISE * total(w**2 * s for w, s in zip(eco.shares, eco.synthetic, strict=True)),
    )


def _consensus_limit(rng: random.Random) -> Pair:
    eco, (mean, stein) = ecosystem(rng), formula("consensus.limit")
    A, B, H, N = _consensus(eco)
    found = _computed(eco)[0]
    stated = _joined(number(mean(operators(eco).real, A, H, B)), _blocks(A * stein(H, N) * A.transpose()))
    return stated, _joined(_lifted(found["mean_map"]), found["conditional_covariance"])


def _joined(*parts: Any) -> np.ndarray:
    """All entries."""
    return np.concatenate([np.ravel(part) for part in parts])


def _consensus_covariance(rng: random.Random) -> Pair:
    eco, step = ecosystem(rng), formula("consensus.covariance")
    A, _, H, N = _consensus(eco)
    X = fmpq_mat(SIZE, SIZE)
    stated = []
    for _ in range(GENERATIONS + 1):
        stated.append(_blocks(A * X * A.transpose()))
        X = step(X, N, H)
    return stated, _computed(eco)[1]["conditional_covariance"]


def _spectrum(rng: random.Random) -> Pair:
    eco = ecosystem(rng)
    return radius(formula("consensus.spectrum")(eco)), _computed(eco)[2]


def _best(rng: random.Random) -> Pair:
    eco = ecosystem(rng)
    inverse = total([*eco.private, eco.public]).inv()
    return number(formula("text.best_unbiased")(NOISE) * trace(inverse)), minimum_variance(floating(eco)[0])


LAWS: dict[str, Comparison] = {
    "theorem1.mean": _mean,
    "theorem1.covariance": _conditional,
    "theorem2.mean": _expectation,
    "theorem2.covariance": _total,
    "text.mspe": _prediction,
    "text.best_unbiased": _best,
    "eq1.limit": _mean_limit,
    "eq2.limit": _conditional_limit,
    "theorem3.covariance": _total_limit,
    "consensus.limit": _consensus_limit,
    "consensus.covariance": _consensus_covariance,
    "consensus.spectrum": _spectrum,
}
