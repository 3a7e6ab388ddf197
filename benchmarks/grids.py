"""The grid of α and β that benchmarks compare on."""

import jax
from crossfeed.sim import cached_tile, sharded_grid
from crossfeed.theory import Ecosystem, Weights, limit, mse


def grid(ecosystem: Ecosystem, axis: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Mean MSE and ρ, for every α and β on the axis."""

    def point(alpha: jax.Array, beta: jax.Array) -> tuple[jax.Array, jax.Array]:
        law = limit(ecosystem, Weights(alpha, beta))
        assert law.spectral_radius is not None  # which every limit has
        return mse(law).mean(), law.spectral_radius

    return sharded_grid(point, axis, axis, tile=cached_tile(ecosystem.entities, ecosystem.dimension))
