"""Runs of language models opened together, and what their seeds say between them."""

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import xarray as xr

from ..sim.lm import open_measures
from ..theory import InvalidInput

_CELL = ("seed", "alpha", "beta")


def open_runs(folders: Sequence[Path]) -> xr.Dataset:
    """The measures of runs that differ in seeds, α and β only; NaN where no run has a cell.

    Raises:
        InvalidInput: a folder holds no run, two runs share a cell, or their other axes differ.
    """
    opened = [open_measures(folder) for folder in folders]
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


def over_seeds(values: xr.DataArray) -> tuple[xr.DataArray, xr.DataArray]:
    """Mean and standard deviation (n - 1 in the denominator) over the seeds that have a value.

    The deviation is NaN where fewer than two have one.
    """
    mean, count = values.mean("seed"), values.count("seed")
    return mean, (((values - mean) ** 2).sum("seed") / (count - 1).where(count > 1)) ** 0.5
