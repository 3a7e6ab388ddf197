"""Runs of different settings side by side: what differs in their settings, and their tables as one; numbers for programs."""

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any

import xarray as xr

from ...sim.lm import measured_inputs, measured_study
from .runs import over_seeds
from .tables import Table, TableCell, between_models, first_and_last


def settings_table(groups: Mapping[str, xr.Dataset]) -> Table:
    """Table of the settings in which runs differ, one column per group of runs that differ in seeds, α and β only.

    Args:
        groups: measures by the names of the runs, from `open_groups`.
    """
    settings = [_flat(_described(data)) for data in groups.values()]
    names = sorted({name for flat in settings for name in flat})
    rows = []
    for name in names:
        values = [flat.get(name, "–") for flat in settings]
        if len({*values}) > 1:
            rows.append((TableCell(name), *map(TableCell, values)))
    return Table("Settings that differ", ("", *groups), tuple(rows))


def _described(data: xr.Dataset) -> dict[str, Any]:
    """Settings of runs, with the cells that they hold, and the beginnings of the digests of what they read."""
    cells = {name: data[name].values.tolist() for name in ("seed", "alpha", "beta")}
    inputs = {name: digest[:8] for name, digest in measured_inputs(data).items()}
    study = measured_study(data).without_places()
    return {name: value for name, value in study.items() if name not in ("seeds", "alpha", "beta")} | cells | inputs


def _flat(values: Any, name: str = "") -> dict[str, str]:
    """Values of nested dictionaries and lists as text, by their dotted names."""
    if isinstance(values, dict) and values:
        parts = {f"{name}.{key}".lstrip("."): value for key, value in values.items()}
    elif isinstance(values, list) and any(isinstance(value, dict) for value in values):
        parts = {f"{name}[{number}]": value for number, value in enumerate(values)}
    else:
        return {name: values if isinstance(values, str) else json.dumps(values)}
    return {inner: text for part, value in parts.items() for inner, text in _flat(value, part).items()}


def side_by_side(tables: Mapping[str, Table]) -> Table:
    """One table of the same rows of several, each row with the name of its runs.

    Args:
        tables: tables of one measure by the names of the runs; columns of one weight are one, however many seeds they have.
    """
    columns = list(dict.fromkeys(_weight(name) for table in tables.values() for name in table.header[1:]))
    names = list(dict.fromkeys(row[0].text for table in tables.values() for row in table.rows))
    rows = []
    for name in names:
        for runs, table in tables.items():
            for row in table.rows:
                if row[0].text == name:
                    cells = dict(zip(map(_weight, table.header[1:]), row[1:], strict=True))
                    known = (cells.get(column, TableCell("")) for column in columns)
                    rows.append((TableCell(name), TableCell(runs), *known))
    title = next(iter(tables.values())).title.partition(", seed")[0].partition(", mean ±")[0]
    return Table(title, ("", "run", *columns), tuple(rows))


def _weight(column: str) -> str:
    """Name of a column without its number of seeds."""
    return column.partition(" (")[0]


def records(runs: str, data: xr.Dataset) -> Iterator[dict[str, Any]]:
    """Losses and similarities, first and last, as the rows of a table for programs; missing numbers are NaN.

    Args:
        runs: name of the runs.
        data: their measures.
    """
    loss = data.loss.sel(dataset=data.task.values)
    yield from _records(runs, "loss", *first_and_last(loss), ("entity", "dataset"))
    if data.sizes["entity"] > 1:
        yield from _records(runs, "similarity", *first_and_last(between_models(data.similarity)), ("dataset",))


def _records(
    runs: str, measure: str, first: xr.DataArray, last: xr.DataArray, axes: Sequence[str]
) -> Iterator[dict[str, Any]]:
    (mean, deviation), count = over_seeds(last), last.count("seed")
    numbers = {"first": first.mean("seed"), "last": mean, "deviation": deviation}
    names = (*axes, "beta", "alpha")
    for values in product(*(mean[name].values.tolist() for name in names)):
        at = dict(zip(names, values, strict=True))
        yield {
            "runs": runs,
            "measure": measure,
            "entity": at.get("entity"),
            **{name: at[name] for name in ("dataset", "alpha", "beta")},
            "seeds": int(count.sel(at)),
            **{name: float(values.sel(at)) for name, values in numbers.items()},
        }
