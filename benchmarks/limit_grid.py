"""Limit errors of all entities and the spectral radius on a 101 × 101 grid of α and β."""

import jax
import jax.numpy as jnp
import numpy as np
from baselines import NumpyConsensus, ScipyLifted
from crossfeed.sim import sharded_vmap
from crossfeed.theory import Weights, limit, mse, mspe, random_gaussian
from timing import Claim, assert_agree, compiled, interleaved

ENTITIES, DIMENSION, RANK, POINTS = 4, 15, 5, 101
SAMPLE = 100  # random grid points on which a loop is timed; its time is scaled to the grid
SLOW_SAMPLE = 10


def measure() -> list[Claim]:
    ecosystem = random_gaussian(jax.random.key(0), ENTITIES, DIMENSION, RANK)
    axis = jnp.linspace(0.005, 0.985, POINTS)
    alphas, betas = (values.ravel() for values in jnp.meshgrid(axis, axis, indexing="ij"))

    def point(alpha: jax.Array, beta: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        law = limit(ecosystem, Weights(alpha, beta))
        assert law.spectral_radius is not None  # which every limit has
        return mse(law), mspe(law), law.spectral_radius

    grid, compile_seconds = compiled(lambda *pairs: sharded_vmap(point, *pairs), alphas, betas)
    results = grid(alphas, betas)
    claims = []
    for baseline, target, sample in ((NumpyConsensus, 12, SAMPLE), (ScipyLifted, 50, SLOW_SAMPLE)):
        chosen = np.random.default_rng(0).choice(POINTS**2, sample, replace=False)
        one = baseline(ecosystem)
        pairs = [(float(alphas[i]), float(betas[i])) for i in chosen]
        values = [one(*pair) for pair in pairs]
        for name, ours, theirs in zip(("mse", "mspe", "radius"), results, zip(*values, strict=True), strict=True):
            assert_agree(name, ours[chosen], np.stack(theirs))

        times = interleaved(lambda: grid(alphas, betas), lambda one=one, pairs=pairs: [one(*pair) for pair in pairs])
        scale = POINTS**2 / sample
        claims.append(
            Claim(
                f"limit on a {POINTS}×{POINTS} grid, distributed over the cores, against {baseline.__name__}",
                times.ratio * scale,
                target,
                details={
                    "entities": ENTITIES,
                    "dimension": DIMENSION,
                    "rank": RANK,
                    "grid_seconds": times.a_seconds,
                    "baseline_seconds_scaled_to_grid": times.b_seconds * scale,
                    "baseline_points_timed": sample,
                    "compile_seconds": compile_seconds,
                    "ratios": [ratio * scale for ratio in times.ratios],
                },
            )
        )
    return claims
