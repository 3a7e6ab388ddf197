"""Recursive fitting of a Gaussian: every entity fits mean and variance to samples that all entities drew from their last fits."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key, PRNGKeyArray

from crossfeed.errors import InvalidInput
from crossfeed.formulas.ecosystem import check_shares
from crossfeed.formulas.memories import Memory, Replace

from ..theory.ecosystem import as_array, equal_shares
from .sharding import sharded_vmap


class GaussianFits(eqx.Module):
    """Means over replicates at generations 1..T, with standard errors; generation 1 is fitted to real samples.

    Attributes:
        variance: mean fitted variance, in units of the true one.
        variance_se: its standard error.
        mean_error: mean squared error of the fitted mean, in the same units.
        mean_error_se: its standard error.
        variance_error: mean squared error of the fitted variance, in squared units.
        variance_error_se: its standard error.

    Example:
        >>> import jax
        >>> from crossfeed.sim import GaussianFits, simulate_gaussian_fitting
        >>> isinstance(simulate_gaussian_fitting(jax.random.key(0), 10, 2, 10), GaussianFits)
        True
    """

    variance: Float[Array, "generation entity"]
    variance_se: Float[Array, "generation entity"]
    mean_error: Float[Array, "generation entity"]
    mean_error_se: Float[Array, "generation entity"]
    variance_error: Float[Array, "generation entity"]
    variance_error_se: Float[Array, "generation entity"]


def simulate_gaussian_fitting(
    key: PRNGKeyArray,
    samples: int,
    generations: int,
    replicates: int,
    entities: int = 1,
    shares: Float[Array, " entity"] | None = None,
    memory: Memory | None = None,
    unbiased: bool = False,
) -> GaussianFits:
    """Monte Carlo of recursive Gaussian fitting from a standard normal truth.

    At every later generation each entity draws `samples` numbers from its own fit. All entities train on the pool of all these,
    in which entity j has weight w_j, or on what the memory keeps of all pools so far and of the real samples of their own.

    Args:
        key: decides all random numbers.
        samples: n ≥ 2 numbers per entity and generation.
        generations: T ≥ 1.
        replicates: at least 2.
        entities: K ≥ 1.
        shares: w_j of the pool; equal if None.
        memory: what is kept of earlier pools, and of the own real samples: `Replace()` if None, `Accumulate()` or `Forget(rate)`.
        unbiased: divide by n - 1 instead of n, for equal weights of one generation of samples.

    Raises:
        InvalidInput: a value lies outside its range, or `unbiased` is asked of accumulation or of unequal shares.

    Example:
        >>> import jax
        >>> from crossfeed.sim import simulate_gaussian_fitting
        >>> fits = simulate_gaussian_fitting(jax.random.key(0), samples=10, generations=3, replicates=1000)
        >>> print(f"{fits.variance[0, 0]:.1f} {fits.variance[2, 0]:.1f}")  # 0.9 of the generation before
        0.9 0.7
    """
    for name, value, least in (
        ("samples", samples, 2),
        ("generations", generations, 1),
        ("replicates", replicates, 2),
        ("entities", entities, 1),
    ):
        if value < least:
            raise InvalidInput(f"{name} is {value}, but must be at least {least}")
    weights = equal_shares(entities) if shares is None else as_array("shares", shares)
    if weights.shape != (entities,):
        raise InvalidInput(f"shares must have shape ({entities},), but has shape {weights.shape}")
    check_shares(np.asarray(weights))
    memory = memory or Replace()
    if unbiased and (not isinstance(memory, Replace) or shares is not None):
        raise InvalidInput(
            "unbiased is for equal weights of one generation of samples: without shares, and with the memory Replace()"
        )
    keys = jax.random.split(key, replicates)
    means, variances = _replicates(keys, weights, samples, generations, memory, unbiased)
    found = []
    for values in (variances, means**2, (variances - 1) ** 2):
        found += [values.mean(0), values.std(0, ddof=1) / jnp.sqrt(float(replicates))]
    return GaussianFits(*found)


@eqx.filter_jit
def _replicates(
    keys: Key[Array, " replicate"],
    shares: Float[Array, " entity"],
    samples: int,
    generations: int,
    memory: Memory,
    unbiased: bool,
) -> tuple[Float[Array, "replicate generation entity"], Float[Array, "replicate generation entity"]]:
    """Fitted means and variances of every replicate; compiled once for all of one shape."""
    return sharded_vmap(lambda key: _replicate(key, shares, samples, generations, memory, unbiased), keys)


def _replicate(
    key: PRNGKeyArray,
    shares: Float[Array, " entity"],
    samples: int,
    generations: int,
    memory: Memory,
    unbiased: bool,
) -> tuple[Float[Array, "generation entity"], Float[Array, "generation entity"]]:
    """Fitted means and variances of one replicate, from the weights, sums and squares of all that is remembered."""
    entities = len(shares)
    keys = jax.random.split(key, generations)
    real = jax.random.normal(keys[0], (entities, samples), float)
    count = float(samples)
    totals = jnp.stack([jnp.full(entities, count), real.sum(1), (real**2).sum(1)])

    def fit(totals: Float[Array, "3 entity"], pooled: float) -> tuple[Float[Array, " entity"], Float[Array, " entity"]]:
        weight, first, second = totals
        mean = first / weight
        spread = jnp.maximum(second / weight - mean**2, 0)
        return mean, spread * (pooled / (pooled - 1)) if unbiased else spread

    def generation(
        state: tuple[Float[Array, "3 entity"], tuple[Array, Array]], key: PRNGKeyArray
    ) -> tuple[tuple[Array, tuple[Array, Array]], tuple[Array, Array]]:
        totals, (mean, variance) = state
        drawn = mean[:, None] + jnp.sqrt(variance)[:, None] * jax.random.normal(key, (entities, samples), float)
        moments = jnp.stack([jnp.full(entities, count), drawn.sum(1), (drawn**2).sum(1)])
        pool = jnp.broadcast_to((moments @ shares)[:, None], totals.shape)
        totals = memory.kept * totals + pool
        now = fit(totals, count * entities)
        return (totals, now), now

    first = fit(totals, count)
    _, (means, variances) = jax.lax.scan(generation, (totals, first), keys[1:])
    return jnp.concatenate([first[0][None], means]), jnp.concatenate([first[1][None], variances])
