"""The limit on a 101 × 101 grid of α and β, K = 4, d = 15, against loops over NumPy and SciPy."""

from functools import partial

import alternatives
import jax
import jax.numpy as jnp
import numpy as np
from compare import Ratio, interleave
from crossfeed.theory import Weights, limit, mse, mspe, random_gaussian

POINTS, ENTITIES, DIMENSION, RANK = 101, 4, 15, 5
_TILE = 1024  # points at once: what they need stays near the cache, and neighbours in α converge alike
# What a loop runs at a grid point, on how many points it is timed, and the target.
_LOOPS = {
    "NumPy, consensus form": (alternatives.consensus_limit, 500, 12),
    "NumPy, consensus form, full rank only": (partial(alternatives.consensus_limit, invert=np.linalg.inv), 500, 12),
    "SciPy, lifted form": (alternatives.lifted_limit, 40, 50),
}


def measure() -> list[Ratio]:
    """The loops against one compiled map; all agree to 1e-8 on the sampled points."""
    ecosystem = random_gaussian(jax.random.key(0), ENTITIES, DIMENSION, RANK, public_rows=2 * DIMENSION)
    arrays = alternatives.Arrays(ecosystem)
    values = jnp.linspace(0.005, 0.995, POINTS)
    alphas, betas = (grid.ravel() for grid in jnp.meshgrid(values, values, indexing="ij"))

    def point(ecosystem, alpha, beta):
        law = limit(ecosystem, Weights(alpha, beta))
        return law.spectral_radius, mse(law), mspe(law)

    grid = jax.jit(lambda e, a, b: jax.lax.map(lambda ab: point(e, *ab), (a, b), batch_size=_TILE))
    ours = lambda: grid(ecosystem, alphas, betas)  # noqa: E731
    exact = [np.asarray(x) for x in ours()]
    ratios = []
    for name, (one, sample, target) in _LOOPS.items():
        chosen = np.random.default_rng(0).choice(len(alphas), sample, replace=False)
        pairs = [(float(alphas[i]), float(betas[i])) for i in chosen]
        loop = lambda one=one, pairs=pairs: [one(arrays, *pair) for pair in pairs]  # noqa: E731
        for found, wanted in zip(zip(*loop(), strict=True), exact, strict=True):
            np.testing.assert_allclose(np.array(found), wanted[chosen], rtol=1e-8)
        ratios.append(
            Ratio(
                f"limit on a {POINTS} × {POINTS} grid (K = {ENTITIES}, d = {DIMENSION}) against a loop ({name})",
                *interleave(ours, loop, scale=len(alphas) / len(pairs)),
                target=target,
                note=f"loop timed on {len(pairs)} points and scaled to {len(alphas)}",
            )
        )
    return ratios
