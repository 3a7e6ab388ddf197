"""Execution of a sweep: tiles are distributed over processes and devices, computed by compiled programs, and stored."""

import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, groupby, islice
from math import prod
from pathlib import Path

import jax
import numpy as np
from jaxtyping import Array, Float, Int, UInt32

from crossfeed.errors import InvalidInput
from crossfeed.random_keys import pinned_generator

from .description import BEFORE
from .extension import Kept, end_extension, extends
from .interpolation import POINTS, Evaluate, Values, interpolated_plane
from .plan import Plan
from .programs import Fixed, Program, Programs
from .quantities import OF_INTERPOLATION, QUANTITIES
from .spec import Spec
from .store import Store


@dataclass(frozen=True)
class Share:
    """Tiles of a sweep that one of several processes computes: every `processes`-th, from number `process` on.

    Attributes:
        process: index of the process, from 0.
        processes: number of processes that share the sweep.
    """

    process: int = 0
    processes: int = 1


ALONE = Share()

_LEAST_SIZE = 1e-3  # of pure numbers, whose errors are relative to it where they are smaller


def create_sweep(spec: Spec, path: Path) -> None:
    """Create the empty store of a sweep.

    Args:
        spec: from `read_spec` or `parse_spec`.
        path: the store's folder, which must not exist yet.

    Raises:
        InvalidInput: the path exists or cannot be written, or the sweep needs more memory than its spec allows.
    """
    plan = Plan(spec)
    plan.points_at_once  # noqa: B018  # refuses what does not fit the memory before there is a store
    Store.create(path, plan)


def run_sweep(
    spec: Spec,
    path: Path,
    share: Share = ALONE,
    report: Callable[[int, int], None] = lambda done, total: None,
    note: Callable[[str], object] = warnings.warn,
) -> None:
    """Compute the tiles of a sweep that its store lacks.

    However often it is interrupted, the finished store is the same bit by bit on the same kind of machine.

    Args:
        spec: the one that the store was created with.
        path: the store, from `create_sweep`, empty or partly filled.
        share: the tiles of this process; all of them by default.
        report: called with the number of finished points and of all points of this share.
        note: called with a sentence for every damaged chunk, which is removed and computed again, and on what else was damaged
            and is written again.

    Raises:
        InvalidInput: there is no store, or it belongs to another or a smaller spec, or to other random numbers.
        CrossfeedError: the disk is full.
    """
    plan = Plan(spec)
    if extends(spec, path):
        raise InvalidInput(f"{path} holds a smaller sweep than the spec: --extend keeps it and computes the rest")
    store, kept = Store.open(path, plan, note), Kept.within(path, plan, note)
    ours = range(share.process, plan.tiles, share.processes)
    for number in ours:
        for file in store.clear(plan.tile(number)):
            note(f"{file} is damaged, and is computed again")
    missing = {number: _missing_points(plan, number, kept) for number in ours if not store.done(plan.tile(number))}
    total = sum(plan.points_of(number) for number in ours)
    done = total - sum(plan.points_of(number) for number in missing)
    report(done, total)
    most = plan.rows_per_tile * len(plan.alphas)
    if kept:
        most = max(len(_missing_points(plan, number, kept)) for number in range(plan.tiles))
    with pinned_generator():
        compute = _computed(plan, missing, most) if spec.interpolate is None else _interpolated(plan, missing)
        for number, values in chain(_taken_over(plan, missing), compute):
            if kept:
                kept.put(plan.tile(number), values)
            store.write(plan.tile(number), values)
            done += plan.points_of(number)
            report(done, total)
    if any(path.glob(f"{BEFORE}*")) and all(store.done(plan.tile(number)) for number in range(plan.tiles)):
        end_extension(path)


def _missing_points(plan: Plan, number: int, kept: Kept | None) -> Int[np.ndarray, " _"]:
    """Indices within a tile of the points that have to be computed."""
    points = np.arange(plan.points_of(number))
    return points if kept is None else points[~kept.whole(plan.tile(number))]


def _taken_over(plan: Plan, missing: dict[int, Int[np.ndarray, " _"]]) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
    """Room for the values of every tile of which all points are kept."""
    for number in [number for number, points in missing.items() if not len(points)]:
        yield number, _room(plan, plan.points_of(number))


def _room(plan: Plan, points: int) -> dict[str, np.ndarray]:
    return {
        name: np.zeros((points, *plan.value_shape(name)), dtype=QUANTITIES[name].dtype) for name in plan.spec.quantities
    }


def _computed(
    plan: Plan, missing: dict[int, Int[np.ndarray, " _"]], wanted: int
) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
    """Values of tiles, tile by tile, at their missing points; the next ones are computed while the caller stores these.

    Args:
        wanted: number of points that programs are compiled for, the same for all tiles and however often a sweep is continued.
    """
    devices = jax.local_device_count()
    waiting = None
    programs = Programs(plan, plan.spec.quantities)
    to_compute = [number for number, points in missing.items() if len(points)]
    for program, same in groupby(to_compute, lambda number: programs.program(plan.tile(number))):
        for together in _batched(same, devices):
            points = {number: missing[number] for number in together}
            started = points, program(*_inputs(plan, programs, points, wanted, devices))
            if waiting:
                yield from _unpacked(plan, *waiting)
            waiting = started
    if waiting:
        yield from _unpacked(plan, *waiting)


def _interpolated(plan: Plan, missing: dict[int, Int[np.ndarray, " _"]]) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
    """Values of tiles, each of which is a whole plane of α and β, where any are missing."""
    wanted = [
        name for name in plan.spec.quantities if QUANTITIES[name].dtype == "float64" and name not in OF_INTERPOLATION
    ]
    names = ("spectral_radius", *(name for name in wanted if name != "spectral_radius"))
    lengths = [prod(plan.value_shape(name)) for name in names]
    floors = np.repeat([_LEAST_SIZE if QUANTITIES[name].units == "1" else 0.0 for name in names], lengths)
    programs = Programs(plan, (*names, "reason"))
    for number in [number for number, points in missing.items() if len(points)]:
        tile = plan.tile(number)
        evaluate = _evaluator(plan, programs.program(tile), programs.fixed(tile), names)
        plane = interpolated_plane(evaluate, plan.alphas, plan.betas, plan.spec.interpolate or 0.0, floors)
        split = np.split(plane.numbers, np.cumsum(lengths)[:-1], axis=-1)
        values = dict(zip(names, split, strict=True)) | dict(
            zip(OF_INTERPOLATION, (plane.estimate, plane.found), strict=True)
        )
        values["reason"] = plane.reason
        yield (
            number,
            {
                name: values[name].reshape(plan.points_of(number), *plan.value_shape(name))
                for name in plan.spec.quantities
            },
        )


def _evaluator(plan: Plan, program: Program, fixed: Fixed, names: tuple[str, ...]) -> Evaluate:
    """Function that computes points of one plane, in blocks of one size that all devices share."""
    devices = jax.local_device_count()
    block = POINTS + -POINTS % plan.points_at_once
    on_devices = jax.tree.map(lambda leaf: np.stack([leaf] * devices), fixed)

    def evaluate(alphas: Float[np.ndarray, " point"], betas: Float[np.ndarray, " point"]) -> Values:
        # The points computed together do not depend on the number of devices, and so no bit of their results does.
        filled = np.minimum(np.arange(len(alphas) + -len(alphas) % (devices * block)), len(alphas) - 1)
        blocks = filled.reshape(-1, devices, block)
        unused = np.zeros((devices, block), np.uint32)
        results = [program(on_devices, alphas[one], betas[one], unused) for one in blocks]

        def gathered(name: str) -> np.ndarray:
            return np.concatenate([np.asarray(one[name]).reshape(devices * block, -1) for one in results])[
                : len(alphas)
            ]

        return Values(np.concatenate([gathered(name) for name in names], axis=1), gathered("reason")[:, 0])

    return evaluate


def _inputs(
    plan: Plan, programs: Programs, points: dict[int, Int[np.ndarray, " _"]], wanted: int, devices: int
) -> tuple[
    Fixed,
    Float[np.ndarray, "device point"],
    Float[np.ndarray, "device point"],
    UInt32[np.ndarray, "device point"],
]:
    """What is fixed, α, β and indices of points for one tile per device; the last tile is repeated if there are too few."""
    numbers = [*points, *[list(points)[-1]] * (devices - len(points))]
    columns = len(plan.alphas)
    wanted += -wanted % plan.points_at_once
    each = []
    for number in numbers:
        tile = plan.tile(number)
        place = points[number][np.minimum(np.arange(wanted), len(points[number]) - 1)]
        row = tile.rows.start + place // columns
        first = number // plan.blocks * len(plan.betas) * columns
        index = (first + row * columns + place % columns) % 2**32
        each.append((programs.fixed(tile), plan.alphas[place % columns], plan.betas[row], index.astype(np.uint32)))
    return jax.tree.map(lambda *leaves: np.stack(leaves), *each)


def _unpacked(
    plan: Plan, points: dict[int, Int[np.ndarray, " _"]], results: dict[str, Array]
) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
    """Values of each tile at the points that were computed, without those that only fill its group."""
    arrays = {name: np.asarray(value) for name, value in results.items()}
    for place, (number, computed) in enumerate(points.items()):
        values = _room(plan, plan.points_of(number))
        for name, array in arrays.items():
            values[name][computed] = array[place].reshape(-1, *plan.value_shape(name))[: len(computed)]
        yield number, values


def _batched(numbers: Iterable[int], size: int) -> Iterator[tuple[int, ...]]:
    """The numbers in tuples of this size, the last of which may be shorter."""
    numbers = iter(numbers)
    while batch := tuple(islice(numbers, size)):
        yield batch
