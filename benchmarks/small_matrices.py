"""Grids of small ecosystems with the batch of matrices last, against the batch first and LAPACK, in CPU time.

Which way of writing a product is quick depends on the version of XLA (`theory/small_matrices.py`): a version that turns the
chosen one slow misses the targets.
"""

import jax
import jax.numpy as jnp
import numpy as np
from crossfeed.sim import cached_tile, sharded_grid
from crossfeed.theory import Ecosystem, Weights, limit, mse, random_gaussian, small_matrices
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
    most, programs = small_matrices.MOST_ROWS, {}
    for side, rows in (("last", most), ("first", 0)):
        small_matrices.MOST_ROWS = rows
        programs[side] = compiled(lambda axis: grid(ecosystem, axis), axis)[0]
    small_matrices.MOST_ROWS = most
    for name, one, other in zip(("mse", "radius"), *(run(axis) for run in programs.values()), strict=True):
        assert_agree(name, one, other)
    pairs = [[cpu_seconds(lambda run=run: run(axis)) for run in programs.values()] for _ in range(PAIRS)]
    details = {"microseconds_per_point": (np.median(pairs, axis=0) / POINTS**2 * 1e6).tolist(), "pairs": pairs}
    ratio = float(np.median([first / last for last, first in pairs]))
    return Claim(
        f"grid of {POINTS} × {POINTS}, K = {entities}, d = {dimension}, batch last against batch first",
        ratio,
        target,
        details=details,
    )


def grid(ecosystem: Ecosystem, axis: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Mean MSE and ρ, for every α and β on the axis."""

    def point(alpha: jax.Array, beta: jax.Array) -> tuple[jax.Array, jax.Array]:
        law = limit(ecosystem, Weights(alpha, beta))
        assert law.spectral_radius is not None  # which every limit has
        return mse(law).mean(), law.spectral_radius

    return sharded_grid(point, axis, axis, tile=cached_tile(ecosystem.entities, ecosystem.dimension))
