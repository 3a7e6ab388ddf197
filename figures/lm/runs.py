"""Measures of several language-model runs together, and their statistics over seeds."""

import json
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from crossfeed.differences import differences, summary
from crossfeed.errors import InvalidInput, reason_of

from ...sim.lm import measured_inputs, measured_study, open_measures

_CELL = ("seed", "alpha", "beta")


def open_runs(folders: Sequence[Path]) -> xr.Dataset:
    """Measures of runs that differ in seeds, α and β only; NaN in cells that no run has.

    Args:
        folders: those of the runs, at least one.

    Raises:
        InvalidInput: no folder is given, one holds no run, two runs share a cell, or they differ in other axes, settings, texts
            or checkpoints.
    """
    return _joined(folders, _opened(folders))


def open_groups(folders: Sequence[Path]) -> dict[str, xr.Dataset]:
    """Measures of runs, joined where they differ in seeds, α and β only, by the names of their folders.

    Args:
        folders: those of the runs, at least one.

    Raises:
        InvalidInput: no folder is given, one holds no run, or two runs of one group share a cell.
    """
    groups: dict[str, list[tuple[Path, xr.Dataset]]] = {}
    for folder, data in zip(folders, _opened(folders), strict=True):
        key = json.dumps([_settings(data), measured_inputs(data), data.task.values.tolist()], sort_keys=True)
        groups.setdefault(key, []).append((folder, data))
    return {
        ", ".join(str(folder) for folder, _ in group): _joined(*map(list, zip(*group, strict=True)))
        for group in groups.values()
    }


def _opened(folders: Sequence[Path]) -> list[xr.Dataset]:
    if not folders:
        raise InvalidInput("runs is missing: name the folder of at least one run")
    return [open_measures(folder) for folder in folders]


def _joined(folders: Sequence[Path], opened: Sequence[xr.Dataset]) -> xr.Dataset:
    """Measures of runs that fit together."""
    for other, there in zip(opened[1:], folders[1:], strict=True):
        if changed := differences(_settings(opened[0]), _settings(other), str(there)):
            raise InvalidInput(f"{folders[0]} and {there} do not fit together: {summary(changed)}")
        read, theirs = measured_inputs(opened[0]), measured_inputs(other)
        for what in read.keys() & theirs.keys():
            if read[what] != theirs[what]:
                raise InvalidInput(f"{folders[0]} and {there} do not fit together: their {what} differ")
    for (one, here), (other, there) in combinations(zip(opened, folders, strict=True), 2):
        shared = [np.intersect1d(one[name], other[name]) for name in _CELL]
        if all(map(len, shared)):
            seed, alpha, beta = (values[0] for values in shared)
            raise InvalidInput(f"{here} and {there} share a cell: seed {seed}, α = {alpha:g}, β = {beta:g}")
        for name in one.indexes.keys() - set(_CELL):
            if not one.indexes[name].equals(other.indexes[name]):
                raise InvalidInput(f"{here} and {there} do not fit together: they differ in '{name}'")
    try:
        return xr.merge(opened, join="outer", compat="no_conflicts", combine_attrs="override")
    except ValueError as error:
        raise InvalidInput(f"the runs do not fit together: {reason_of(error)}") from error


def _settings(data: xr.Dataset) -> dict[str, Any]:
    """Settings that runs must have in common to be shown together."""
    settings = measured_study(data).without_places()
    return {name: value for name, value in settings.items() if name not in ("seeds", "alpha", "beta")}


def over_seeds(values: xr.DataArray) -> tuple[xr.DataArray, xr.DataArray]:
    """Mean and sample standard deviation over the seeds that have a value; the deviation of fewer than two is NaN."""
    mean, count = values.mean("seed"), values.count("seed")
    return mean, (((values - mean) ** 2).sum("seed") / (count - 1).where(count > 1)) ** 0.5
