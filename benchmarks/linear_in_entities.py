"""The cost of the limit against the number of entities, up to 10,000."""

from dataclasses import dataclass
from statistics import median

import jax
import numpy as np
from compare import seconds
from crossfeed.theory import Weights, limit, mse, random_gaussian
from scipy.stats import linregress

DIMENSION = 15
ENTITIES = (10, 100, 300, 1000, 3000, 10_000)


@dataclass(frozen=True)
class Slope:
    """Growth of time with K: seconds at every K, and the slope of log time over log K from K = 100 on."""

    entities: tuple[int, ...]
    seconds: tuple[float, ...]
    slope: float
    standard_error: float
    target: float = 1.1

    @property
    def met(self) -> bool:
        """Whether the cost grows no faster than linearly."""
        return self.slope <= self.target


@jax.jit
def _ours(ecosystem):
    return mse(limit(ecosystem, Weights(0.5, 0.5)))


def measure() -> Slope:
    """Sizes are timed in turn, so that a slow minute slows all."""
    ecosystems = [random_gaussian(jax.random.key(0), k, DIMENSION, 5) for k in ENTITIES]
    for ecosystem in ecosystems:
        seconds(lambda ecosystem=ecosystem: _ours(ecosystem))
    rounds = [[seconds(lambda e=e: _ours(e)) for e in ecosystems] for _ in range(5)]
    times = tuple(median(column) for column in zip(*rounds, strict=True))
    line = linregress(np.log(ENTITIES[1:]), np.log(times[1:]))
    return Slope(ENTITIES, times, float(line.slope), float(line.stderr))
