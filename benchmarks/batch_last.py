"""Grids of small ecosystems with the batch of matrices last, against the batch first with LAPACK's inverses, in CPU time.

Which way of writing a product is quick depends on the version of XLA (`theory/small_matrices.py`): a version that turns the
chosen one slow misses the targets.
"""

from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
from crossfeed.theory import linear_algebra, random_gaussian, small_matrices
from grids import grid
from timing import Claim, assert_agree, compiled, cpu_seconds

SIZES = {(4, 4): 2.5, (10, 8): 1.15, (4, 12): 0.85}
"""For K and d, the ratio of the times that is to be reached."""
POINTS = 41
PAIRS = 5


def measure() -> list[Claim]:
    return [claim_of(*size, target) for size, target in SIZES.items()]


def claim_of(entities: int, dimension: int, target: float) -> Claim:
    ecosystem = random_gaussian(jax.random.key(0), entities, dimension, max(1, dimension // 3))
    axis = jnp.linspace(0.01, 0.98, POINTS)
    last = compiled(lambda axis: grid(ecosystem, axis), axis)[0]
    with (
        mock.patch.object(small_matrices, "MOST_ROWS", 0),
        mock.patch.object(linear_algebra, "_MOST_ELIMINATED_ROWS", 0),
    ):
        first = compiled(lambda axis: grid(ecosystem, axis), axis)[0]
    for name, one, other in zip(("mse", "radius"), last(axis), first(axis), strict=True):
        assert_agree(name, one, other)
    pairs = [(cpu_seconds(lambda: last(axis)), cpu_seconds(lambda: first(axis))) for _ in range(PAIRS)]
    details = {"microseconds_per_point": (np.median(pairs, axis=0) / POINTS**2 * 1e6).tolist(), "pairs": pairs}
    ratio = float(np.median([theirs / ours for ours, theirs in pairs]))
    return Claim(
        f"grid of {POINTS} × {POINTS}, K = {entities}, d = {dimension}, batch last against batch first",
        ratio,
        target,
        details=details,
    )
