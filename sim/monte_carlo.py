"""Monte Carlo of the workflow: replicates in batches, generations in one scan, everything a pure function."""

from collections.abc import Callable
from functools import reduce

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from crossfeed.errors import InvalidInput

from ..theory.consensus import trajectory
from ..theory.measures import biased
from ..theory.weights import Weights
from .running_moments import RunningMoments, batch_moments, empty_like, merge, merge_stack
from .samplers import Sampler
from .sharding import sharded_vmap

_BATCH_NUMBERS = 2**20
"""Numbers of one kind held at once: large enough to amortize a step, small enough to stay in the cache."""
_PARTS = 24
"""Parts of a large run: what devices share, and progress counts."""
_SMALL = 2400
"""Replicates up to which a run is not cut into parts."""


class Simulation(eqx.Module):
    """Estimates from replicates, with standard errors, at generations 0..T.

    Attributes:
        replicates: how many were drawn.
        mean: mean of θ̂.
        covariance: sample covariance of each entity's θ̂.
        joint_covariance: sample covariance of every pair of entities, or None if it was not asked for.
        mse: mean of ‖θ̂_k - θ‖²; NaN where the estimate is biased and θ is not known.
        mse_se: its standard error.
        mspe: mean of ‖X~_m (θ̂_k - θ)‖², entity k on task m; NaN as for `mse`.
        mspe_se: its standard error.
    """

    replicates: Float[Array, ""]
    mean: Float[Array, "generation entity d"]
    covariance: Float[Array, "generation entity d d"]
    joint_covariance: Float[Array, "generation entity entity d d"] | None
    mse: Float[Array, "generation entity"]
    mse_se: Float[Array, "generation entity"]
    mspe: Float[Array, "generation entity task"]
    mspe_se: Float[Array, "generation entity task"]


def simulate(
    sampler: Sampler,
    weights: Weights,
    generations: int,
    replicates: int,
    key: PRNGKeyArray,
    joint: bool = False,
) -> Simulation:
    """Draw the whole workflow `replicates` times; jits, and vmaps over weights, ecosystems and keys.

    Args:
        generations: T; results hold generations 0..T.
        joint: also estimate the covariance between entities, K² d² numbers a generation.

    Raises:
        InvalidInput: fewer than two replicates, which have no standard error; weights that do not fit.
    """
    _refuse_few(replicates)
    return summarize(sampler, weights, simulate_moments(sampler, weights, generations, replicates, key, joint))


def simulate_on_devices(
    sampler: Sampler,
    weights: Weights,
    generations: int,
    replicates: int,
    key: PRNGKeyArray,
    report: Callable[[int], None] = lambda done: None,
) -> Simulation:
    """`simulate` for many replicates, in parts that the devices of this process share. Not to be traced: it reports progress.

    The parts, and so the numbers, depend on the key and the number of replicates, not on the devices (but for rounding).

    Args:
        generations: T; results hold generations 0..T.
        report: receives the number of replicates finished so far.

    Raises:
        InvalidInput: as `simulate`.
    """
    _refuse_few(replicates)
    parts = _PARTS if replicates > _SMALL else 1
    share, rest = divmod(replicates, parts)
    *keys, last = jax.random.split(key, parts + 1)
    run = eqx.filter_jit(simulate_moments)
    part = jax.jit(
        lambda keys: merge_stack(sharded_vmap(lambda key: run(sampler, weights, generations, share, key), keys, tile=1))
    )
    together = jax.local_device_count()
    found = []
    for start in range(0, parts, together):
        found.append(jax.block_until_ready(part(jnp.stack(keys[start : start + together]))))
        report(min(start + together, parts) * share)
    if rest:
        found.append(run(sampler, weights, generations, rest, last))
    return summarize(sampler, weights, reduce(merge, found))


def simulate_moments(
    sampler: Sampler, weights: Weights, generations: int, replicates: int, key: PRNGKeyArray, joint: bool = False
) -> RunningMoments:
    """The moments behind `simulate`, with a leading generation axis: merge several of these to go on drawing."""
    drawn = jax.eval_shape(lambda key: (sampler.draw_initial(key, 1), sampler.nothing_published(1)), key)
    largest = sum(leaf.size for leaf in jax.tree.leaves(drawn))
    largest += sampler.ecosystem.entities * sampler.ecosystem.dimension
    batch = max(1, min(replicates, _BATCH_NUMBERS // largest))
    batches, rest = divmod(replicates, batch)
    run = lambda key, size: _run_batch(sampler, weights, generations, size, key, joint)  # noqa: E731
    keys = jax.random.split(key, batches + 1)
    start = empty_like(jax.eval_shape(lambda: run(keys[0], batch)))
    total, _ = jax.lax.scan(lambda seen, key: (merge(seen, run(key, batch)), None), start, keys[:-1])
    return merge(total, run(keys[-1], rest)) if rest else total


def summarize(sampler: Sampler, weights: Weights, moments: RunningMoments) -> Simulation:
    """Means, errors and standard errors of a moments with a leading generation axis."""
    ecosystem = sampler.ecosystem
    count = moments.count[0]
    everyone = jnp.arange(ecosystem.entities)
    generations = moments.mean.shape[0] - 1
    own = moments.scatter[:, everyone, everyone] if moments.joint else moments.scatter
    error = moments.mean - sampler.theta
    unknown = trajectory(ecosystem, weights, generations, biased) & (ecosystem.theta is None)
    mse, mse_se = _squared_error(count, error, own, jnp.eye(ecosystem.dimension)[None])
    mspe, mspe_se = _squared_error(count, error, own, ecosystem.private)
    covariance = moments.scatter / (count - 1)
    return Simulation(
        count,
        moments.mean,
        own / (count - 1),
        covariance if moments.joint else None,
        jnp.where(unknown, jnp.nan, mse[..., 0]),
        jnp.where(unknown, jnp.nan, mse_se[..., 0]),
        jnp.where(unknown[..., None], jnp.nan, mspe),
        jnp.where(unknown[..., None], jnp.nan, mspe_se),
    )


def _refuse_few(replicates: int) -> None:
    if replicates < 2:
        raise InvalidInput(f"replicates is {replicates}, but a standard error needs at least 2")


def _squared_error(count, error, scatter, grams) -> tuple[Array, Array]:
    """Mean over replicates of e'Se for each Gram matrix S, and its standard error, at every generation.

    The estimates are Gaussian, so Var(e'Se) = 2 tr(SCSC) + 4 μ'SCSμ with their mean error μ and covariance C.
    """

    def one(generation):
        error, scatter = generation
        covariance = scatter / (count - 1)
        pull = jnp.einsum("mab,kb->kma", grams, error)
        mean = jnp.einsum("mab,kab->km", grams, scatter / count) + jnp.einsum("ka,kma->km", error, pull)
        weighted = jnp.einsum("mab,kbc->kmac", grams, covariance)
        spread = 2 * jnp.einsum("kmab,kmba->km", weighted, weighted)
        offset = 4 * jnp.einsum("kma,kab,kmb->km", pull, covariance, pull)
        return mean, jnp.sqrt((spread + offset) / count)

    return jax.lax.map(one, (error, scatter))


def _run_batch(sampler, weights, generations, replicates, key, joint) -> RunningMoments:
    alpha, beta = weights.per_generation(sampler.ecosystem.entities, generations)
    key_initial, key_generations = jax.random.split(key)
    initial = sampler.draw_initial(key_initial, replicates)
    first = sampler.train(sampler.trainer(alpha[0], beta[0]), initial, sampler.nothing_published(replicates))
    steady = sampler.trainer(alpha[-1], beta[-1]) if weights.constant and generations else None

    def generation(estimates, now):
        key, alpha, beta = now
        trainer = sampler.trainer(alpha, beta) if steady is None else steady
        estimates = sampler.train(trainer, initial, sampler.publish(key, estimates))
        return estimates, batch_moments(estimates, joint)

    keys = jax.random.split(key_generations, generations)
    _, later = jax.lax.scan(generation, first, (keys, alpha[1:], beta[1:]))
    return jax.tree.map(lambda a, b: jnp.concatenate([a[None], b]), batch_moments(first, joint), later)
