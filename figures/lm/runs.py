"""Measures of several language-model runs together, and their statistics over seeds."""

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from crossfeed.differences import differences, summary
from crossfeed.errors import InvalidInput

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
    if not folders:
        raise InvalidInput("runs is missing: name the folder of at least one run")
    opened = [open_measures(folder) for folder in folders]
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
        raise InvalidInput(f"the runs do not fit together: {' '.join(str(error).split())}") from error


def _settings(data: xr.Dataset) -> dict[str, Any]:
    """Settings that runs must have in common to be shown together."""
    return {
        name: value for name, value in measured_study(data).as_dict().items() if name not in ("seeds", "alpha", "beta")
    }


def over_seeds(values: xr.DataArray) -> tuple[xr.DataArray, xr.DataArray]:
    """Mean and sample standard deviation over the seeds that have a value; the deviation of fewer than two is NaN."""
    mean, count = values.mean("seed"), values.count("seed")
    return mean, (((values - mean) ** 2).sum("seed") / (count - 1).where(count > 1)) ** 0.5
