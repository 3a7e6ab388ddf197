"""Running a sweep: tiles are dealt to processes and devices, worked out by one compiled program, and stored as they come."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from ...theory.weights import Weights
from ..sharding import over_devices
from .families import make_family
from .plan import Plan
from .quantities import QUANTITIES, Point
from .spec import Spec
from .store import Store


@dataclass(frozen=True)
class Share:
    """Which tiles are ours: every `processes`-th, beginning with `process`."""

    process: int = 0
    processes: int = 1


ALONE = Share()


def create_sweep(spec: Spec, path: Path) -> None:
    """Make the empty store of a sweep.

    Raises:
        InvalidInput: something is there already, it cannot be written, or the sweep needs more memory than allowed.
    """
    plan = Plan(spec)
    plan.points_at_once  # noqa: B018  # refuses, before there is a store, what does not fit
    Store.create(path, plan)


def run_sweep(
    spec: Spec,
    path: Path,
    share: Share = ALONE,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Compute what is missing of our share of a sweep. However often it is interrupted, the store ends the same bit by bit.

    Args:
        path: the store that `create_sweep` made, as far as it has come.
        report: is told the finished points and all points of our share.

    Raises:
        InvalidInput: there is no store, or it belongs to another spec.
        CrossfeedError: a finished tile is damaged, or the disk is full.
    """
    plan = Plan(spec)
    store = Store.open(path, plan)
    ours = range(share.process, plan.tiles, share.processes)
    for number in ours:
        store.check(plan.tile(number))
    missing = [number for number in ours if not store.done(plan.tile(number))]
    total = sum(plan.points_of(number) for number in ours)
    done = total - sum(plan.points_of(number) for number in missing)
    report(done, total)
    for number, values in _computed(plan, missing):
        store.write(plan.tile(number), values)
        done += plan.points_of(number)
        report(done, total)


def _computed(plan: Plan, numbers: list[int]) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
    """The values of tiles; while some are stored, the next are being worked out."""
    devices = jax.local_device_count()
    waiting = None
    for dimension, same in groupby(numbers, lambda number: plan.dimension_of(plan.tile(number))):
        program = _program(plan, dimension)
        for together in _batched(same, devices):
            started = together, program(*_inputs(plan, together, devices))
            if waiting:
                yield from _unpacked(plan, *waiting)
            waiting = started
    if waiting:
        yield from _unpacked(plan, *waiting)


def _program(plan: Plan, dimension: int):
    """Every device works out one tile, point by point in groups that fit the memory."""
    spec = plan.spec
    key_family, key_simulation = jax.random.split(jax.random.key(spec.seed))
    family = make_family(spec, dimension, key_family)

    def tile(parameters, alphas, betas, indices):
        padded = family(parameters)

        def point(alpha, beta, index):
            key = jax.random.fold_in(key_simulation, index)
            at = Point(padded, Weights(alpha, beta), spec.generations, spec.replicates, key)
            return {name: QUANTITIES[name].compute(at) for name in spec.quantities}

        grouped = (values.reshape(-1, plan.points_at_once) for values in (alphas, betas, indices))
        return jax.lax.map(lambda group: jax.vmap(point)(*group), tuple(grouped))

    # One tile a device: the program of a device is then the same for any number of them, and so are the results' bits.
    single = lambda *own: jax.tree.map(lambda x: x[None], tile(*jax.tree.map(lambda x: x[0], own)))  # noqa: E731
    return jax.jit(over_devices(single, jax.local_devices()))


def _inputs(plan: Plan, numbers: tuple[int, ...], devices: int):
    """Parameters, α, β and point numbers of one tile for every device; the last tile fills up where there are too few."""
    numbers = numbers + numbers[-1:] * (devices - len(numbers))
    columns = len(plan.alphas)
    wanted = plan.rows_a_tile * columns
    wanted += -wanted % plan.points_at_once
    each = []
    for number in numbers:
        tile = plan.tile(number)
        place = np.minimum(np.arange(wanted), plan.points_of(number) - 1)
        row = tile.rows.start + place // columns
        first = number // plan.blocks * len(plan.betas) * columns
        index = (first + row * columns + place % columns) % 2**32
        each.append((plan.parameters(tile), plan.alphas[place % columns], plan.betas[row], index.astype(np.uint32)))
    return jax.tree.map(lambda *leaves: jnp.stack([jnp.asarray(leaf) for leaf in leaves]), *each)


def _unpacked(plan: Plan, numbers: tuple[int, ...], results) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
    arrays = {name: np.asarray(value) for name, value in results.items()}
    for place, number in enumerate(numbers):
        count = plan.points_of(number)
        yield (
            number,
            {name: value[place].reshape(-1, *plan.value_shape(name))[:count] for name, value in arrays.items()},
        )


def _batched(numbers: Iterator[int], size: int) -> Iterator[tuple[int, ...]]:
    while batch := tuple(islice(numbers, size)):
        yield batch
