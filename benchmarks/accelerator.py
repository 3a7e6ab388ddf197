"""A diagram, limits and the simulator on whatever device JAX has, with the fraction of that device's float64 rate they reach.

The same program runs on CPUs and GPUs. The rate is measured: that of a product of two large matrices. Operations are counted
from the formulas, so fractions are comparable between devices and not exact. On a CPU all sizes are a hundredth.
"""

import jax
import jax.numpy as jnp
import numpy as np
from crossfeed.sim import cached_tile, make_moment_sampler, sharded_grid, sharded_vmap, simulate_moments
from crossfeed.theory import Ecosystem, Weights, limit, mse, random_gaussian
from timing import Claim, compiled, matmul_rate, median_seconds

ENTITIES, DIMENSION = 4, 15
SIDE, LIMITS, REPLICATES, GENERATIONS = 1000, 10**5, 10**6, 20
TILE = 4096  # points at once where there is no small cache to stay in
DOUBLINGS, SQUARINGS = 6, 12  # of typical points
REACHED = 0.0  # nothing is promised: the fractions are to be read


def measure() -> list[Claim]:
    accelerated = jax.default_backend() != "cpu"
    scale = 1 if accelerated else 100
    tile = TILE if accelerated else cached_tile(ENTITIES, DIMENSION)
    rate = matmul_rate()
    ecosystem = random_gaussian(jax.random.key(0), ENTITIES, DIMENSION, 5, public_rows=2 * DIMENSION)
    side = int(SIDE / scale**0.5)
    axis = jnp.linspace(0.01, 0.98, side)
    diagram, _ = compiled(lambda axis: sharded_grid(lambda a, b: values(ecosystem, a, b), axis, axis, tile=tile), axis)
    alphas = jnp.asarray(np.random.default_rng(0).uniform(0.05, 0.95, (LIMITS // scale, ENTITIES)))
    limits, _ = compiled(
        lambda alphas: sharded_vmap(lambda a: values(ecosystem, a, jnp.array(0.5)), alphas, tile=tile), alphas
    )
    sampler, replicates = make_moment_sampler(ecosystem), REPLICATES // scale
    key = jax.random.key(1)
    simulated, _ = compiled(lambda key: simulate_moments(sampler, Weights(0.5, 0.5), GENERATIONS, replicates, key), key)
    per_point = operations_of_a_limit(ENTITIES, DIMENSION)
    per_replicate = 2 * GENERATIONS * 2 * ENTITIES * DIMENSION**2
    work = [
        (f"diagram of {side} × {side}", lambda: diagram(axis), per_point * side**2),
        (f"{len(alphas)} limits with weights of their own", lambda: limits(alphas), per_point * len(alphas)),
        (f"{replicates} simulated replicates", lambda: simulated(key), per_replicate * replicates),
    ]
    claims = []
    for name, run, operations in work:
        seconds = median_seconds(run, repeats=3)
        details = {
            "seconds": seconds,
            "gflops": operations / seconds / 1e9,
            "device_gflops": rate / 1e9,
            "device": jax.devices()[0].device_kind,
        }
        claims.append(
            Claim(f"fraction of the float64 rate, {name}", operations / seconds / rate, REACHED, details=details)
        )
    return claims


def values(ecosystem: Ecosystem, alpha: jax.Array, beta: jax.Array) -> tuple[jax.Array, jax.Array]:
    law = limit(ecosystem, Weights(alpha, beta))
    assert law.spectral_radius is not None  # which every limit has
    return mse(law).mean(), law.spectral_radius


def operations_of_a_limit(entities: int, size: int) -> float:
    """Floating-point operations of ρ and the mean MSE: seven products and inverses per entity, and those of the recursion."""
    return 2 * size**3 * (7 * entities + 3 * DOUBLINGS + SQUARINGS + 4)
