"""Closed forms: equal features, ridge regression and networks of readers with these, and the known laws of `theory.baselines`."""

import random
from collections.abc import Callable
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from crossfeed.proofs_check.exact import identity, random_gram, random_rational, trace
from crossfeed.theory import (
    Network,
    Ridge,
    Weights,
    Workflow,
    baselines,
    bias_map,
    covariance,
    limit,
    mse,
    spectral_radius,
    symmetric,
    symmetric_ecosystem,
)
from flint import fmpq, fmpq_mat

from .points import COUNT, SIZE, Comparison, Pair, formula, fraction, number, shares

GENERATIONS = 6


@cache
def program(kind: str) -> Callable[..., dict[str, Any]]:
    """Measures of the limit with equal features, for a penalty or for readers."""

    def compute(gram, alpha, beta, part):
        workflow = Workflow(Ridge(part)) if kind == "ridge" else Workflow(pool=Network(part))
        ecosystem, weights = symmetric_ecosystem(COUNT, gram), Weights(alpha, beta)
        law = limit(ecosystem, weights, workflow, throw=False)
        radius = spectral_radius(ecosystem, weights, workflow)
        return {"mse": mse(law), "bias_map": bias_map(law), "covariance": covariance(law), "radius": radius}

    return jax.jit(compute)


def _computed(kind: str, gram: fmpq_mat, alpha: fmpq, beta: fmpq, part: Any) -> dict[str, Any]:
    return program(kind)(*(jnp.array(number(value)) for value in (gram, alpha, beta, part)))


def _one_pool(gram: fmpq_mat, alpha: fmpq, beta: fmpq) -> dict[str, Any]:
    return _computed("network", gram, alpha, beta, fmpq_mat(COUNT, COUNT, [fmpq(1, COUNT)] * COUNT**2))


def _radius(rng: random.Random) -> Pair:
    """Q = αΠ has the eigenvalue α, that of Π times α."""
    gram, a, b = random_gram(rng, SIZE, SIZE), fraction(rng), fraction(rng)
    return number(formula("symmetric.radius")(a, fmpq(1))), _one_pool(gram, a, b)["radius"]


def _relative_error(rng: random.Random) -> Pair:
    a, b, count = fraction(rng), fraction(rng), rng.randint(1, 9)
    stated = number(formula("symmetric.error")(a, b, fmpq(count)))
    return stated, symmetric.relative_error(number(a), number(b), count)


def _limit_error(rng: random.Random) -> Pair:
    gram, a, b = random_gram(rng, SIZE, SIZE), fraction(rng), fraction(rng)
    error = trace(gram.inv()) * formula("symmetric.exact")(a, b, fmpq(COUNT))
    return number([error] * COUNT), _one_pool(gram, a, b)["mse"]


def _without_public(rng: random.Random) -> Pair:
    a, count = fraction(rng), rng.randint(1, 9)
    stated = number(formula("symmetric.no_public")(a, fmpq(count)))
    return stated, symmetric.relative_efficiency_without_public(number(a), count)


def _readers(rng: random.Random) -> tuple[fmpq_mat, fmpq_mat, fmpq, fmpq]:
    """S, W, α and β."""
    return random_gram(rng, SIZE, SIZE), fmpq_mat([shares(rng) for _ in range(COUNT)]), fraction(rng), fraction(rng)


def _network_error(rng: random.Random) -> Pair:
    gram, W, a, b = _readers(rng)
    errors = [trace(gram.inv()) * error for error in formula("network.error")(a, b, W)]
    return number(errors), _computed("network", gram, a, b, W)["mse"]


def _network_spectrum(rng: random.Random) -> Pair:
    gram, W, a, b = _readers(rng)
    polynomial = formula("network.spectrum")(a, W, 1)
    roots = np.roots(number(list(polynomial.coeffs()))[::-1])
    return np.abs(roots).max(), _computed("network", gram, a, b, W)["radius"]


def _ridge(rng: random.Random) -> tuple[fmpq_mat, fmpq, fmpq, fmpq]:
    """S, α, β and μ."""
    return random_gram(rng, SIZE, SIZE), fraction(rng), fraction(rng), fraction(rng)


def _ridge_mean(rng: random.Random) -> Pair:
    gram, a, b, penalty = _ridge(rng)
    stated = number(formula("ridge.mean")(gram, a, penalty) - identity(SIZE))
    return [stated] * COUNT, _computed("ridge", gram, a, b, penalty)["bias_map"]


def _ridge_covariance(rng: random.Random) -> Pair:
    gram, a, b, penalty = _ridge(rng)
    shrunk = gram * (gram + penalty * identity(SIZE)).inv()
    stated = number(formula("ridge.covariance")(gram, a, b, COUNT, shrunk))
    return [stated] * COUNT, _computed("ridge", gram, a, b, penalty)["covariance"]


def _sizes(rng: random.Random) -> tuple[int, int, float]:
    """d, T and d/(T-d-1)."""
    features = rng.randint(1, 9)
    rows = features + rng.randint(2, 9)
    return features, rows, number(features * formula("baseline.wishart")(fmpq(rows), features))


def _replace(rng: random.Random) -> Pair:
    features, rows, each = _sizes(rng)
    stated = [formula("baseline.replace")(g, each) for g in range(1, GENERATIONS + 1)]
    return stated, baselines.replace(features, rows, GENERATIONS)


def _accumulate(rng: random.Random) -> Pair:
    (features, rows, each), (term, _) = _sizes(rng), formula("baseline.accumulate")
    stated = each * np.cumsum([number(term(i)) for i in range(1, GENERATIONS + 1)])
    return stated, baselines.accumulate(features, rows, GENERATIONS)


def _growing(rng: random.Random) -> Pair:
    features, rows, each = _sizes(rng)
    stated = [each * number(formula("baseline.growing")(g)) for g in range(1, GENERATIONS + 1)]
    return stated, baselines.replace_growing(features, rows, GENERATIONS)


def _subsample_alone(rng: random.Random) -> Pair:
    term, _ = formula("baseline.subsample")
    steps = np.cumsum([1.0, *(number(term(fmpq(g))) for g in range(2, GENERATIONS + 1))])
    stated = [value + (g - 1) / g for g, value in enumerate(steps, 1)]
    return stated, baselines.subsample(1, GENERATIONS)


def _fresh_real(rng: random.Random) -> Pair:
    weight, ratio = fraction(rng), fraction(rng)
    return number(formula("baseline.fresh_real")[1](weight, ratio)), baselines.fresh_data_limit(
        number(weight), number(ratio)
    )


def _gaussian(rng: random.Random) -> Pair:
    rows = rng.randint(2, 99)
    stated = np.cumprod([number(formula("baseline.gaussian")(fmpq(t), rows)) for t in range(1, GENERATIONS + 1)])
    return stated, baselines.gaussian_accumulate(rows, GENERATIONS)


def _overparameterized(rng: random.Random) -> Pair:
    rows = rng.randint(1, 9)
    features = rows + rng.randint(1, 9)
    stated = [number(formula("baseline.overparameterized")(fmpq(features, rows), n)) for n in range(1, GENERATIONS + 1)]
    return stated, baselines.replace_overparameterized(features, rows, GENERATIONS)


def _pool_error(rng: random.Random) -> Pair:
    count, p, c, noise = rng.randint(1, 9), *(fraction(rng) for _ in range(3))
    stated = [formula("accumulate.error")(g, count, p, c, noise) for g in range(1, GENERATIONS + 1)]
    return number(stated), baselines.pool_accumulate(count, number(p), number(c), number(noise), GENERATIONS)


def _pool_limit(rng: random.Random) -> Pair:
    count, p, c, noise = rng.randint(1, 9), *(fraction(rng) for _ in range(3))
    sum_of_noise = number(formula("accumulate.limit")[0](c))
    stated = number(p**2 / count + (1 - p) ** 2) + number(noise) * sum_of_noise
    return stated, baselines.pool_accumulate_limit(count, number(p), number(c), number(noise))


def _unequal(claim: str) -> tuple[Any, Any]:
    """The formula, and W₂ of shares."""
    return formula(claim)[0], lambda drawn: sum((w**2 for w in drawn), fmpq(0))


def _pool_shares(rng: random.Random) -> Pair:
    drawn, (stated, concentration) = shares(rng, 3), _unequal("accumulate.shares")
    errors = [[stated(t, w, concentration(drawn)) for w in drawn] for t in range(1, GENERATIONS + 1)]
    return number(errors), baselines.pool_accumulate_shares(number(drawn), GENERATIONS)


def _recursion_shares(rng: random.Random) -> Pair:
    drawn, (stated, concentration) = shares(rng, 3), _unequal("recursion.shares")
    errors = [stated(t, concentration(drawn)) for t in range(GENERATIONS + 1)]
    return number(errors), baselines.pool_recursion_shares(number(drawn), GENERATIONS)


def _pool_fresh(rng: random.Random) -> Pair:
    features, rows, _ = _sizes(rng)
    pool, D = rng.randint(1, 20), features + 1
    terms = [formula("accumulate.fresh")(fmpq(pool, rows), fmpq(rows), fmpq(D), fmpq(j)) for j in range(1, GENERATIONS)]
    stated = features * np.cumsum(number([fmpq(1, rows - D), *terms]))
    return stated, baselines.pool_accumulate_fresh(features, rows, pool, GENERATIONS)


def _subsample(rng: random.Random) -> Pair:
    count = rng.randint(1, 9)
    stated = [formula("accumulate.subsample")[0](g, count) for g in range(2, GENERATIONS + 1)]
    return number(stated), baselines.subsample(count, GENERATIONS)[1:]


def _mixed(rng: random.Random) -> Pair:
    weight, values, (step, _) = fraction(rng), [fmpq(1)], formula("accumulate.mixed")
    for t in range(2, GENERATIONS + 1):
        values.append(step(t, weight, values[-1]))
    return number(values), baselines.accumulate_mixed(number(weight), GENERATIONS)


def _hidden(rng: random.Random) -> Pair:
    real, rows = fraction(rng), [rng.randint(2, 99) for _ in range(GENERATIONS)]
    step, errors = formula("fresh.hidden")[0], [fmpq(1)]
    for n in rows[1:]:
        errors.append(step(fmpq(1), errors[-1], n, rows[0], real))
    return number(errors), baselines.hidden_data(number(real), rows)


def _price(rng: random.Random) -> Pair:
    a, b, distance = fraction(rng), fraction(rng), random_rational(rng)
    stated = formula("truths.price")(a, b) * distance
    return [number(stated)], baselines.homogenization_price(number(a), number(b), [number(distance)])


CLOSED_FORMS: dict[str, Comparison] = {
    "symmetric.radius": _radius,
    "symmetric.error": _relative_error,
    "symmetric.exact": _limit_error,
    "symmetric.no_public": _without_public,
    "network.error": _network_error,
    "network.spectrum": _network_spectrum,
    "ridge.mean": _ridge_mean,
    "ridge.covariance": _ridge_covariance,
    "baseline.replace": _replace,
    "baseline.accumulate": _accumulate,
    "baseline.subsample": _subsample_alone,
    "baseline.growing": _growing,
    "baseline.fresh_real": _fresh_real,
    "baseline.gaussian": _gaussian,
    "baseline.overparameterized": _overparameterized,
    "accumulate.error": _pool_error,
    "accumulate.limit": _pool_limit,
    "accumulate.shares": _pool_shares,
    "accumulate.fresh": _pool_fresh,
    "accumulate.subsample": _subsample,
    "accumulate.mixed": _mixed,
    "recursion.shares": _recursion_shares,
    "fresh.hidden": _hidden,
    "truths.price": _price,
}
