"""Time of the limit for up to ten thousand entities: it grows linearly with K."""

import jax
import numpy as np
from crossfeed.theory import Ecosystem, Weights, limit, mse, random_gaussian
from crossfeed.theory.lifted import covariance
from crossfeed.theory.lifted import limit as lifted_limit
from timing import Claim, assert_agree, compiled, fit_slope, seconds

DIMENSION, RANK = 15, 5
ENTITIES = (10, 30, 100, 200, 500, 1000, 2000, 5000, 10_000)
FITTED_FROM = 100  # fixed costs dominate below
ROUNDS = 7


def errors(ecosystem: Ecosystem) -> jax.Array:
    return mse(limit(ecosystem, Weights(0.5, 0.5)))


def measure() -> list[Claim]:
    _assert_right()
    ecosystems = [random_gaussian(jax.random.key(k), k, DIMENSION, RANK) for k in ENTITIES]
    runs = [compiled(errors, ecosystem)[0] for ecosystem in ecosystems]
    # Several rounds of all sizes in turn: a busy moment affects one round, not the slope.
    rounds = [[seconds(lambda r=r, e=e: r(e)) for r, e in zip(runs, ecosystems, strict=True)] for _ in range(ROUNDS)]
    times = np.median(rounds, axis=0)
    fitted = np.array(ENTITIES) >= FITTED_FROM
    slope, error = fit_slope(np.array(ENTITIES)[fitted], times[fitted])
    details = {
        "dimension": DIMENSION,
        "entities": ENTITIES,
        "seconds": times.tolist(),
        "slope_standard_error": error,
        "fitted_from": FITTED_FROM,
    }
    return [Claim("log-log slope of the limit's time against K", slope, 1.1, at_least=False, details=details)]


def _assert_right() -> None:
    """Check that the timed function equals the lifted form for a small ecosystem."""
    small = random_gaussian(jax.random.key(1), 3, 4, 2)
    total = covariance(small, lifted_limit(small, Weights(0.5, 0.5)))
    assert_agree("mse", jax.jit(errors)(small), np.trace(np.reshape(total, (3, 4, 3, 4)).diagonal(axis1=0, axis2=2)))
