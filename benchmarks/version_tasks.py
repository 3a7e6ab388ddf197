"""Tasks of `versions.py`, which run with whatever version of crossfeed is imported: read a name, answer with time and result."""

import json
import os
import re
import resource
import sys
from collections.abc import Callable

from crossfeed.cli.jax_setup import set_up_jax

# One core, on which CPU time is that of the work: XLA's threads spin while they wait for each other.
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
set_up_jax()

import jax
import jax.numpy as jnp
import numpy as np
from crossfeed.sim import sharded_grid
from crossfeed.theory import Weights, limit, mse, random_gaussian, trajectory
from timing import cpu_seconds

try:
    from crossfeed.sim import cached_tile
except ImportError:  # an earlier version, which knows one size
    cached_tile = None

CALLS = 5
"""Timed calls of a task in a row, after an untimed one that evicts the other version's numbers from the CPU's cache."""


def main() -> None:
    tasks: dict[str, Callable[[], jax.Array]] = {}
    for line in sys.stdin:
        name = line.strip()
        if name.startswith("memory"):
            make(name.replace("memory", "limit"))()
            answer(0.0, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)
            continue
        if name not in tasks:
            tasks[name] = make(name)
        result = np.asarray(tasks[name]()).ravel()[:1000].tolist()
        answer(float(np.median([cpu_seconds(tasks[name]) for _ in range(CALLS)])), result)


def answer(seconds: float, result: object) -> None:
    print(json.dumps({"seconds": seconds, "result": result}), flush=True)


def make(task: str) -> Callable[[], jax.Array]:
    """The task as a compiled function without arguments."""
    numbers = [int(number) for number in re.findall(r"\d+", task)]
    if "K = d" in task:
        numbers = [numbers[0], numbers[0]]
    entities, dimension = numbers[-2:]
    ecosystem = random_gaussian(
        jax.random.key(0), entities, dimension, max(1, dimension // 3), public_rows=2 * dimension
    )
    if task.startswith("limit"):
        error = jax.jit(lambda ecosystem, alpha: mse(limit(ecosystem, Weights(alpha, 0.5))))
        return lambda: error(ecosystem, 0.4)
    if task.startswith("trajectory"):
        alpha = jnp.linspace(0.1, 0.9, 101)[:, None] if "change" in task else jnp.array(0.5)
        path = jax.jit(lambda ecosystem, alpha: trajectory(ecosystem, Weights(alpha, 0.5), 100, mse))
        return lambda: path(ecosystem, alpha)
    axis = jnp.linspace(0.01, 0.98, numbers[0])
    tile = {} if cached_tile is None else {"tile": cached_tile(entities, dimension)}

    def point(alpha: jax.Array, beta: jax.Array) -> tuple[jax.Array, jax.Array | None]:
        law = limit(ecosystem, Weights(alpha, beta))
        return mse(law).mean(), law.spectral_radius

    grid = jax.jit(lambda axis: sharded_grid(point, axis, axis, **tile)[0])
    return lambda: grid(axis)


if __name__ == "__main__":
    main()
