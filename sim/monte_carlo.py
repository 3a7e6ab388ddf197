"""Monte Carlo simulation of the workflow: replicates in batches, generations in one scan, pure functions throughout."""

from collections.abc import Callable
from functools import reduce
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PRNGKeyArray, PyTree

from crossfeed.errors import InvalidInput
from crossfeed.formulas.arrays import require_whole
from crossfeed.formulas.biases import biased

from ..theory.consensus import trajectory
from ..theory.eager import as_one_program
from ..theory.schedule import Schedule
from ..theory.weights import Weights
from .running_moments import RunningMoments, batch_moments, empty_like, merge_moment_stack, merge_moments
from .samplers import Sampler, truths
from .sharding import sharded_vmap

_BATCH_NUMBERS = 2**20
"""Numbers held per batch of replicates: large enough to amortize a step, small enough to stay in the cache."""
_PARTS = 24
"""Parts that a large run is cut into: devices share them, and progress is reported after each."""
_SMALL = 2400
"""Largest number of replicates that is not cut into parts."""


class Simulation(eqx.Module):
    """Monte Carlo estimates of means, covariances and errors, with standard errors, at generations 0..T.

    Attributes:
        replicates: number of replicates.
        mean: sample mean of θ̂_k.
        covariance: sample covariance of θ̂_k.
        joint_covariance: sample covariance of every pair of entities' estimates; None unless asked for.
        mse: sample mean of ‖θ̂_k - θ‖²; NaN where the estimate is biased and θ is unknown.
        mse_se: standard error of `mse`.
        mspe: sample mean of ‖X~_m (θ̂_k - θ)‖², entity k on task m; NaN as for `mse`.
        mspe_se: standard error of `mspe`.

    Example:
        >>> import jax
        >>> import jax.numpy as jnp
        >>> from crossfeed.sim import Simulation, make_moment_sampler, simulate
        >>> from crossfeed.theory import Weights, symmetric_ecosystem
        >>> sampler = make_moment_sampler(symmetric_ecosystem(2, jnp.eye(3)))
        >>> simulation = simulate(sampler, Weights(0.5, 0.5), 1, 10, jax.random.key(0))
        >>> isinstance(simulation, Simulation), simulation.mean.shape, simulation.joint_covariance
        (True, (2, 2, 3), None)
    """

    replicates: Float[Array, ""]
    mean: Float[Array, "generation entity d"]
    covariance: Float[Array, "generation entity d d"]
    joint_covariance: Float[Array, "generation entity entity d d"] | None
    mse: Float[Array, "generation entity"]
    mse_se: Float[Array, "generation entity"]
    mspe: Float[Array, "generation entity task"]
    mspe_se: Float[Array, "generation entity task"]


@as_one_program(runs_long=True)
def simulate(
    sampler: Sampler,
    weights: Weights,
    generations: int,
    replicates: int,
    key: PRNGKeyArray,
    joint: bool = False,
    batch_size: int | None = None,
) -> Simulation:
    """Monte Carlo estimates from independent replicates of the whole workflow; jits, and vmaps over weights and keys.

    Args:
        sampler: of an ecosystem with K entities and d features, from `make_moment_sampler` or `make_row_sampler`.
        weights: α and β, constant or per generation.
        generations: T ≥ 0; results hold generations 0..T.
        replicates: at least 2, since one has no standard error.
        key: decides all random numbers.
        joint: also estimate the covariance between entities, K² d² numbers per generation.
        batch_size: replicates drawn at once, which bounds the memory; as many as a core's cache holds if None. The random
            numbers depend on it.

    Returns:
        Estimates with leading axis T+1; `mse` (T+1, K) is in units of θ², `mspe` (T+1, K, K) summed over a task's rows.

    Raises:
        InvalidInput: fewer than two replicates, T negative, or weights that do not fit K and T.

    Example:
        >>> import jax
        >>> from crossfeed.sim import make_moment_sampler, simulate
        >>> from crossfeed.theory import Weights, random_gaussian
        >>> sampler = make_moment_sampler(random_gaussian(jax.random.key(0), entities=2, dimension=3, rank=2))
        >>> simulation = simulate(sampler, Weights(0.5, 0.5), generations=4, replicates=100, key=jax.random.key(1))
        >>> simulation.mse.shape, simulation.mspe.shape
        ((5, 2), (5, 2, 2))
    """
    _refuse_few(replicates)
    moments = simulate_moments(sampler, weights, generations, replicates, key, joint, batch_size)
    return summarize_moments(sampler, weights, moments)


def simulate_on_devices(
    sampler: Sampler,
    weights: Weights,
    generations: int,
    replicates: int,
    key: PRNGKeyArray,
    report: Callable[[int], None] = lambda done: None,
) -> Simulation:
    """Monte Carlo estimates from many replicates, drawn in parts that this process's devices share.

    Not to be traced, since it reports progress. The parts, and so the numbers, depend on the key and the number of replicates;
    the number of devices changes them by rounding at most.

    Args:
        sampler: as for `simulate`.
        weights: as for `simulate`.
        generations: T ≥ 0; results hold generations 0..T.
        replicates: at least 2.
        key: decides all random numbers; the same key gives other numbers than in `simulate`.
        report: called with the number of replicates finished so far.

    Returns:
        As `simulate`, without a joint covariance.

    Raises:
        InvalidInput: as `simulate`.

    Example:
        >>> import jax
        >>> from crossfeed.sim import make_moment_sampler, simulate_on_devices
        >>> from crossfeed.theory import Weights, random_gaussian
        >>> sampler = make_moment_sampler(random_gaussian(jax.random.key(0), entities=2, dimension=3, rank=2))
        >>> simulation = simulate_on_devices(sampler, Weights(0.5, 0.5), 4, 1000, jax.random.key(1))
        >>> int(simulation.replicates)
        1000
    """
    _refuse_few(replicates)
    parts = _PARTS if replicates > _SMALL else 1
    share, rest = divmod(replicates, parts)
    *keys, last = jax.random.split(key, parts + 1)
    run = eqx.filter_jit(simulate_moments)
    part = jax.jit(
        lambda keys: merge_moment_stack(
            sharded_vmap(lambda key: run(sampler, weights, generations, share, key), keys, tile=1)
        )
    )
    together = jax.local_device_count()
    found = []
    for start in range(0, parts, together):
        found.append(jax.block_until_ready(part(jnp.stack(keys[start : start + together]))))
        report(min(start + together, parts) * share)
    if rest:
        found.append(run(sampler, weights, generations, rest, last))
    return summarize_moments(sampler, weights, reduce(merge_moments, found))


@as_one_program(runs_long=True)
def simulate_moments(
    sampler: Sampler,
    weights: Weights,
    generations: int,
    replicates: int,
    key: PRNGKeyArray,
    joint: bool = False,
    batch_size: int | None = None,
) -> RunningMoments:
    """Sufficient statistics of independent replicates at generations 0..T; those of several runs add up by `merge_moments`.

    Args:
        sampler: as for `simulate`, as are all other arguments.
        weights: α and β.
        generations: T ≥ 0.
        replicates: at least 1.
        key: decides all random numbers.
        joint: also keep products between entities.
        batch_size: replicates drawn at once.

    Returns:
        Count, mean (T+1, K, d) and scatter (T+1, K, d, d), or (T+1, K, K, d, d) if joint, which `summarize_moments` turns
        into errors.

    Raises:
        InvalidInput: T is negative, or the weights do not fit K and T.

    Example:
        >>> import jax
        >>> from crossfeed.sim import make_moment_sampler, merge_moments, simulate_moments
        >>> from crossfeed.theory import Weights, random_gaussian
        >>> sampler = make_moment_sampler(random_gaussian(jax.random.key(0), entities=2, dimension=3, rank=2))
        >>> first, second = (simulate_moments(sampler, Weights(0.5, 0.5), 4, 50, jax.random.key(i)) for i in (1, 2))
        >>> merge_moments(first, second).count.tolist()
        [100.0, 100.0, 100.0, 100.0, 100.0]
    """
    require_whole("replicates", replicates)
    if batch_size is not None:
        require_whole("batch_size", batch_size)
        if batch_size < 1:
            raise InvalidInput(f"batch_size is {batch_size}, but must be at least 1")
    fits = sampler.schedule(weights, generations)
    largest = sum(leaf.size for leaf in jax.tree.leaves(jax.eval_shape(lambda: sampler.init(key, fits.first, 1))))
    batch = max(1, min(replicates, _BATCH_NUMBERS // largest if batch_size is None else batch_size))
    batches, rest = divmod(replicates, batch)

    def run(key: PRNGKeyArray, size: int) -> RunningMoments:
        return _run_batch(sampler, fits, size, key, joint)

    keys = jax.random.split(key, batches + 1)
    start = empty_like(jax.eval_shape(lambda: run(keys[0], batch)))
    total, _ = jax.lax.scan(lambda seen, key: (merge_moments(seen, run(key, batch)), None), start, keys[:-1])
    return merge_moments(total, run(keys[-1], rest)) if rest else total


@as_one_program()
def summarize_moments(sampler: Sampler, weights: Weights, moments: RunningMoments) -> Simulation:
    """Monte Carlo estimates and their standard errors from sufficient statistics of the replicates.

    Args:
        sampler: the one that the replicates were drawn with.
        weights: those that they were drawn with.
        moments: with a leading generation axis, from `simulate_moments`; at least 2 replicates.

    Returns:
        As `simulate`; the joint covariance only of joint moments.

    Example:
        >>> import jax
        >>> from crossfeed.sim import make_moment_sampler, simulate_moments, summarize_moments
        >>> from crossfeed.theory import Weights, random_gaussian
        >>> sampler = make_moment_sampler(random_gaussian(jax.random.key(0), entities=2, dimension=3, rank=2))
        >>> moments = simulate_moments(sampler, Weights(0.5, 0.5), 4, 100, jax.random.key(1))
        >>> summarize_moments(sampler, Weights(0.5, 0.5), moments).mse_se.shape
        (5, 2)
    """
    ecosystem = sampler.ecosystem
    count = moments.count[0]
    everyone = jnp.arange(ecosystem.entities)
    generations = moments.mean.shape[0] - 1
    own = moments.scatter[:, everyone, everyone] if moments.joint else moments.scatter
    private_truth, _ = truths(ecosystem)
    unknown = unknown_errors(sampler, weights, generations)
    to_own = moments.mean - private_truth[None]
    mse, mse_se = _squared_error(count, to_own[:, :, None], own, jnp.eye(ecosystem.dimension)[None])
    to_all = moments.mean[:, :, None] - private_truth[None, None]
    mspe, mspe_se = _squared_error(count, to_all, own, ecosystem.private.gram)
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


def unknown_errors(sampler: Sampler, weights: Weights, generations: int) -> Bool[Array, "generation entity"]:
    """Whether the error of each entity at generations 0..T depends on a true parameter that the ecosystem does not hold.

    Args:
        sampler: as for `simulate`.
        weights: as for `simulate`.
        generations: T ≥ 0.

    Returns:
        Boolean array of shape (T+1, K), True where `Simulation.mse` is NaN for this reason.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.sim import make_moment_sampler, unknown_errors
        >>> from crossfeed.theory import Weights, ecosystem_from_grams
        >>> grams = jnp.array([[[1.0, 0.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 1.0]]])
        >>> sampler = make_moment_sampler(ecosystem_from_grams(grams, jnp.zeros((2, 2)), grams))
        >>> print(unknown_errors(sampler, Weights(0.5, 1.0), 1))
        [[ True  True]
         [False False]]
    """
    ecosystem = sampler.ecosystem
    if ecosystem.private.truth is not None:
        return jnp.zeros((generations + 1, ecosystem.entities), bool)
    return trajectory(ecosystem, weights, generations, biased, sampler.workflow)


def _refuse_few(replicates: int) -> None:
    require_whole("replicates", replicates)
    if replicates < 2:
        raise InvalidInput(f"replicates is {replicates}, but a standard error needs at least 2")


def _squared_error(
    count: Float[Array, ""],
    error: Float[Array, "generation entity task d"],
    scatter: Float[Array, "generation entity d d"],
    grams: Float[Array, "task d d"],
) -> tuple[Float[Array, "generation entity task"], Float[Array, "generation entity task"]]:
    """Sample mean of e'Se for each Gram matrix S, and its standard error, at every generation.

    The estimates are Gaussian, so Var(e'Se) = 2 tr(SCSC) + 4 μ'SCSμ with their mean error μ and covariance C.
    """

    def at(
        generation: tuple[Float[Array, "entity task d"], Float[Array, "entity d d"]],
    ) -> tuple[Float[Array, "entity task"], Float[Array, "entity task"]]:
        error, scatter = generation
        covariance = scatter / (count - 1)
        pull = jnp.einsum("mab,kmb->kma", grams, error)
        mean = jnp.einsum("mab,kab->km", grams, scatter / count) + (error * pull).sum(-1)
        weighted = jnp.einsum("mab,kbc->kmac", grams, covariance)
        spread = 2 * jnp.einsum("kmab,kmba->km", weighted, weighted)
        offset = 4 * jnp.einsum("kma,kab,kmb->km", pull, covariance, pull)
        return mean, jnp.sqrt((spread + offset) / count)

    return jax.lax.map(at, (error, scatter))


def _run_batch(sampler: Sampler, fits: Schedule, replicates: int, key: PRNGKeyArray, joint: bool) -> RunningMoments:
    """Moments of one batch of replicates at generations 0..T."""
    key_initial, key_generations = jax.random.split(key)
    start = sampler.init(key_initial, fits.first, replicates)
    first = batch_moments(sampler.estimates(start), joint)
    if not fits.generations:
        return jax.tree.map(lambda leaf: leaf[None], first)

    def generation(state: PyTree, now: Any, key: PRNGKeyArray) -> tuple[PyTree, RunningMoments]:
        state = sampler.step(key, now, state)
        return state, batch_moments(sampler.estimates(state), joint)

    later = fits.scan(generation, start, jax.random.split(key_generations, fits.generations))
    return jax.tree.map(lambda a, b: jnp.concatenate([a[None], b]), first, later)
