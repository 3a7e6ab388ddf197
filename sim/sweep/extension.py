"""Extension of a finished or unfinished sweep: more quantities, values of axes, draws or generations; what is there is kept."""

import os
import shutil
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from jaxtyping import Bool

from crossfeed.atomic_write import why_unwritable
from crossfeed.differences import differences, summary
from crossfeed.errors import InvalidInput

from .description import (
    BEFORE,
    ROOT,
    belongs_to,
    broken_files,
    describe_broken,
    empty_store_beside,
    holds_another,
    identity,
    randomness,
    read_attributes,
    read_spec_of,
    restore,
)
from .plan import Plan, Tile
from .quantities import QUANTITIES, any_errors
from .spec import Spec, digits
from .store import Store


def extend_sweep(spec: Spec, path: Path, note: Callable[[str], object] = warnings.warn) -> None:
    """Make the store of a sweep one of a larger sweep, for `run_sweep` to fill; it may be called again after an interruption.

    Args:
        spec: all that the store holds and more.
        path: the store.
        note: called with a sentence on what was damaged and is written again.

    Raises:
        InvalidInput: there is no store, the spec lacks something that the store holds or changes it, another extension is
            unfinished, or the store is damaged or cannot be written.
    """
    plan = Plan(spec)
    plan.points_at_once  # noqa: B018  # refuses what does not fit the memory
    before = path / BEFORE
    if before.exists() and belongs_to(path, plan):
        restore(path, plan, note)
        return
    old = read_spec_of(before if before.exists() else path)
    _check_extends(path, old, spec)
    if before.exists():
        described = (path / ROOT).exists() and not belongs_to(path, Plan(old))
        if described or holds_another(path, plan, Plan(old)):
            raise InvalidInput(f"{path} is being extended by another spec: finish that with --resume")
    else:
        if identity(old) == identity(spec):
            return
        if broken := broken_files(path):
            raise InvalidInput(
                f"in {path}, {describe_broken(path, broken)}: restore that with the earlier spec and --resume"
            )
    try:
        if not before.exists():
            _link(path, before)
        _replace_description(path, plan)
    except OSError as error:
        raise InvalidInput(f"cannot write {path}: {why_unwritable(path, error)}") from error


def _link(path: Path, before: Path) -> None:
    """Second name for every file of a store, in a folder that appears whole or not at all; copies where links do not exist."""
    part = path / f"{BEFORE}.{os.getpid()}.part"

    def link(source: str, target: str) -> None:
        try:
            os.link(source, target)
        except OSError:
            shutil.copyfile(source, target)

    try:
        shutil.copytree(path, part, copy_function=link, ignore=shutil.ignore_patterns(".*", "*.partial"), symlinks=True)
        part.rename(before)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _replace_description(path: Path, plan: Plan) -> None:
    """Empty a store but for what it was before; the attributes go first and come last."""
    (path / ROOT).unlink(missing_ok=True)
    for entry in [entry for entry in path.iterdir() if not entry.name.startswith(".")]:
        shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    with empty_store_beside(path, plan) as part:
        for entry in sorted(part.iterdir(), key=lambda entry: entry.name == ROOT.name):
            entry.rename(path / entry.name)


def _check_extends(path: Path, old: Spec, new: Spec) -> None:
    """Refuse a spec that lacks or changes something that the store holds.

    Raises:
        InvalidInput: it does.
    """
    before, after = identity(old), identity(new)
    if lost := set(old.quantities) - set(new.quantities):
        raise InvalidInput(f"{path} holds {', '.join(sorted(lost))}, which the spec leaves out")
    if new.generations < old.generations:
        raise InvalidInput(f"{path} holds generations to {old.generations}, but the spec to {new.generations}")
    if new.draws < old.draws:
        raise InvalidInput(f"{path} holds {old.draws} draws, but the spec {new.draws}")
    for name in old.axes.keys() & new.axes.keys():
        if lost := set(map(digits, old.values(name))) - set(map(digits, new.values(name))):
            raise InvalidInput(f"{path} holds {name} = {min(lost)}, which the spec leaves out")
        after["axes"][name] = before["axes"][name]
    grown = [name for name in new.axes if old.values(name) != new.values(name)]
    grown += ["generations"] if new.generations > old.generations else []
    if grown and any(name.startswith("monte_carlo") for name in old.quantities):
        raise InvalidInput(
            f"{path} holds Monte Carlo, whose noise belongs to its grid: {grown[0]} cannot grow, draws can"
        )
    if old.interpolate is not None:
        within = ["quantities"] if set(old.quantities) != set(new.quantities) else []
        within += [name for name in grown if name in ("alpha", "beta", "generations")]
        if within:
            raise InvalidInput(
                f"{path} holds interpolated planes, whose patches belong to their quantities, alpha, beta and "
                f"generations: {within[0]} cannot grow, other axes and draws can"
            )
    for settings in (before, after):
        settings["ecosystem"].pop("draws", None)
        for key in ("quantities", "generations", "memory_mib"):
            settings["sweep"].pop(key)
    if changed := differences(before, after, "the spec"):
        raise InvalidInput(f"{path} holds another sweep: {summary(changed)}")
    stored = read_attributes(path / BEFORE if (path / BEFORE).exists() else path)["randomness"]
    if stored and (changed := differences(stored, randomness(new), "this installation")):
        raise InvalidInput(f"{path} was begun with other random numbers: {summary(changed)}")


def extends(spec: Spec, path: Path) -> bool:
    """Whether a spec holds all that a store does, and more points, quantities or generations.

    Not of a store whose extension by another spec is unfinished, which has to end first.
    """
    if (path / BEFORE).exists():
        return False
    try:
        old = read_spec_of(path)
        _check_extends(path, old, spec)
    except InvalidInput:
        return False
    return (
        Plan(spec).points > Plan(old).points
        or len(spec.quantities) > len(old.quantities)
        or spec.generations > old.generations
    )


@dataclass(frozen=True)
class Kept:
    """Values of a smaller sweep that the store of a larger one has to take over.

    Attributes:
        store: the smaller store.
        plan: of the larger sweep.
    """

    store: Store
    plan: Plan

    @staticmethod
    def within(store: Path, plan: Plan, note: Callable[[str], object]) -> "Kept | None":
        """What a store that is being extended keeps; None if it is not being extended, or nothing can be kept.

        Args:
            store: the store.
            plan: of the larger sweep.
            note: called with a sentence for every piece that is damaged; such chunks are removed, and computed again.
        """
        before = store / BEFORE
        if not before.exists():
            return None
        try:
            old = Plan(read_spec_of(before))
        except InvalidInput as error:
            if isinstance(error.__cause__, OSError):  # what cannot be read now may be sound
                raise
            note(f"{before} is damaged, and all that it held is computed again")
            return None
        opened = Store.open(before, old, note)
        for file in chain.from_iterable(opened.clear(tile) for tile in map(old.tile, range(old.tiles))):
            note(f"{file} is damaged, and is computed again")
        return Kept(opened, plan)

    @property
    def _old(self) -> Plan:
        return self.store.plan

    @cached_property
    def _arrays(self) -> dict[str, Any]:
        group = zarr.open_group(self.store.path, mode="r")
        old = self._old.spec.quantities
        # Once errors are asked for, `reason` tells of those that are no numbers too.
        stale = any_errors(self.plan.spec.quantities) and not any_errors(old)
        return {name: group[name] for name in old if not (stale and name == "reason")}

    @cached_property
    def _positions(self) -> dict[str, dict[str, int]]:
        """Index of every value of every parameter of the smaller sweep."""
        spec = self._old.spec
        return {
            name: {digits(one): index for index, one in enumerate(spec.values(name))} for name in (*spec.axes, "draw")
        }

    @cached_property
    def _finished(self) -> Bool[np.ndarray, "..."]:
        """Points in finished tiles."""
        finished = np.zeros([len(values) for values in self._old.spec.swept.values()], dtype=bool)
        for tile in map(self._old.tile, range(self._old.tiles)):
            finished[self.store.place(tile)] = self.store.done(tile)
        return finished

    @cached_property
    def _regions(self) -> dict[str, tuple[np.ndarray, ...]]:
        """Where the values of a point of the smaller sweep stand among those of the larger one."""
        old, new = self._old.trailing, self.plan.trailing
        inside = {dim: np.arange(size) for dim, size in old.items()}
        inside["dataset"][-1] = new["dataset"] - 1  # the public one comes last
        return {name: np.ix_(*(inside[dim] for dim in QUANTITIES[name].dims)) for name in self._arrays}

    def _lookup(self, tile: Tile) -> tuple[tuple[int, ...], np.ndarray, np.ndarray, np.ndarray] | None:
        """Index of a tile's ecosystem in the smaller store, of its rows and columns, and which of its points are finished there."""
        point = self.plan.parameters(tile.outer)
        fixed = {name: each.get(digits(point[name]), -1) for name, each in self._positions.items() if name in point}
        if -1 in fixed.values():
            return None
        place = tuple(fixed[name] for name in self._old.spec.swept if name in fixed)
        rows, columns = (
            np.array([self._positions[name].get(digits(one), -1) for one in values.tolist()])
            for name, values in (("beta", self.plan.betas[tile.rows]), ("alpha", self.plan.alphas))
        )
        known = (rows >= 0)[:, None] & (columns >= 0)
        return place, rows, columns, known & self._plane(self._finished[place], rows, columns)

    def _plane(self, values: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Values at rows and columns, of an array whose first axes are those of β and α that the smaller sweep has."""
        for axis, name in enumerate(("beta", "alpha")):
            if name not in self._old.spec.swept:
                values = np.expand_dims(values, axis)
        return values[np.maximum(rows, 0)][:, np.maximum(columns, 0)]

    def whole(self, tile: Tile) -> Bool[np.ndarray, " point"]:
        """At which points of a tile all values are kept, so that nothing has to be computed."""
        points = (tile.rows.stop - tile.rows.start) * len(self.plan.alphas)
        same = all(
            name in self._arrays and self._old.value_shape(name) == self.plan.value_shape(name)
            for name in self.plan.spec.quantities
        )
        found = self._lookup(tile) if same else None
        return np.zeros(points, dtype=bool) if found is None else found[3].ravel()

    def put(self, tile: Tile, values: dict[str, np.ndarray]) -> None:
        """Overwrite computed values of a tile, arrays with a row per point, by those that are kept."""
        if (found := self._lookup(tile)) is None:
            return
        place, rows, columns, known = found
        for name, array in self._arrays.items():
            kept = self._plane(np.asarray(array[place]), rows, columns)[known]
            old = values[name][known.ravel()]
            old[(slice(None), *self._regions[name])] = kept
            values[name][known.ravel()] = old


def end_extension(path: Path) -> None:
    """Remove what a store was before its extension, when that is finished."""
    before, gone = path / BEFORE, path / f"{BEFORE}.{os.getpid()}.part"
    with suppress(FileNotFoundError):  # another process was first
        before.rename(gone)
    for left in path.glob(f"{BEFORE}.*.part"):  # by this process, or by one that was killed
        shutil.rmtree(left, ignore_errors=True)
