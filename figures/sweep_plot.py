"""Figures of any sweep: heat maps over two axes or lines over one, with small multiples over further axes."""

from collections.abc import Mapping
from json import loads
from pathlib import Path
from typing import Literal

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator
from zarr.storage import LocalStore

from crossfeed.errors import InvalidInput, reason_of

from ..sim.sweep import OF_INTERPOLATION, finished_points
from .style import (
    SERIES,
    color_bar,
    color_scale,
    grid_of_panels,
    heat_map,
    line,
    mean_and_band,
    name_axes,
    note,
    styled,
    wrapped,
)

_MOST_PANELS = 12
_LEVELS = 7
_ENTITY = "entity"
_COUNTED = (_ENTITY, "task")  # axes whose values are names rather than sizes
_MEAN = "; mean over entities, band: the middle 80 % of them"
_SYMBOLS = {
    "entities": "K",
    "dimension": "d",
    "alpha": "α",
    "beta": "β",
    "mixing": "λ",
    "volume": "c",
    "generation": "t",
}


def open_sweep(path: Path) -> xr.Dataset:
    """Store of a sweep, read lazily, with a coordinate `finished` that is True at the computed points.

    Raises:
        InvalidInput: it is not the store of a sweep, or files are missing or damaged.
    """
    finished = finished_points(path)
    try:
        # As a store: xarray takes a name with :: for a chain of file systems.
        return xr.open_zarr(LocalStore(path, read_only=True)).assign_coords(finished=finished)
    except Exception as error:  # xarray and Zarr raise exceptions of many types
        raise InvalidInput(f"{path} cannot be read: {reason_of(error)}") from error


def plot_sweep(data: xr.Dataset, variable: str, chosen: Mapping[str, float], x: str | None, y: str | None) -> Figure:
    """Figure of one variable of a sweep, averaged over random ecosystems.

    Heat maps over x and y if y is given or both α and β are free, else lines over x. Further axes become lines, then panels. More
    entities than lines can show become their mean, with a band that holds the middle 80 % of them.

    Args:
        data: from `open_sweep`.
        variable: name of the variable.
        chosen: values at which axes are held; the nearest ones on the axes are used, and named below the figure.
        x: horizontal axis; if None, α, the generation, or the fastest varying axis.
        y: vertical axis of heat maps; if None, β where x is α and β is free.

    Raises:
        InvalidInput: there is no such variable or axis, a chosen value lies outside its axis, no value is finite, x and y are
            the same axis, or there are too many panels.
    """
    values, held, share = _drawn(data, variable, chosen)
    x, y, rest = _choose_axes(values, x, y)
    averaged = y is None and _ENTITY in rest and values.sizes[_ENTITY] > SERIES
    if averaged:
        values = values.where((values != np.inf).all(_ENTITY))  # a mean of the others would not represent them
    finite = values.where(np.isfinite(values))
    if variable in OF_INTERPOLATION:
        finite = finite.where(values > 0)
    if not finite.notnull().any():
        why = "every value is computed" if variable in OF_INTERPOLATION else "it has no limit, or is not defined"
        raise InvalidInput(f"{variable} has no finite value here: {why}")
    with styled():
        figure = _heat_maps(finite, x, y, rest) if y else _lines(finite, x, rest, averaged)
        missing = finite.isnull().all(_ENTITY) if averaged else finite.isnull()
        blank = bool((missing & finite.finished).any())
        blank_where = "where values are computed" if variable in OF_INTERPOLATION else "where there is no finite value"
        note(figure, _setting(data, held, share, blank_where if blank else None) + _MEAN * averaged)
        return figure


def plotted_values(data: xr.Dataset, variable: str, chosen: Mapping[str, float]) -> dict[str, np.ndarray]:
    """Numbers behind a figure of one variable, averaged over random ecosystems: its free axes, and the variable itself.

    Args:
        data: from `open_sweep`.
        variable: name of the variable.
        chosen: values at which axes are held, as in `plot_sweep`.

    Returns:
        Arrays that broadcast against each other, by name; NaN and infinities as in the store, NaN where nothing is computed yet.

    Raises:
        InvalidInput: there is no such variable or axis, a chosen value lies outside its axis, or nothing is computed.
    """
    values, held, _ = _drawn(data, variable, chosen)
    names = [str(dim) for dim in values.dims]
    axes = np.meshgrid(*(values[name].values for name in names), indexing="ij", sparse=True)
    return {name: np.asarray(value) for name, value in held.items()} | dict(
        zip(names, axes, strict=True), **{variable: values.where(values.finished).values}
    )


def _drawn(
    data: xr.Dataset, variable: str, chosen: Mapping[str, float]
) -> tuple[xr.DataArray, dict[str, float], float]:
    """Variable with axes held, averaged over draws; where they are held; and the share of its points that are computed."""
    values, held = _held(data, variable, chosen)
    if "draw" in values.dims and "flag_values" in values.attrs:
        raise InvalidInput(f"{variable} is a code, and codes have no mean over draws: hold one with --at draw=NUMBER")
    share = float(values.finished.mean())
    if share == 0:
        raise InvalidInput(
            f"{variable} is not computed yet here: continue with crossfeed sweep run SPEC --out STORE --resume, "
            "or --extend if that was begun"
        )
    try:
        values = values.load()
    except Exception as error:  # Zarr's codecs raise exceptions of many types
        raise InvalidInput(
            f"{variable} cannot be read, since a chunk is damaged: crossfeed sweep run SPEC --out STORE --resume computes it again"
        ) from error
    if "draw" in values.dims:
        values = mean_over_draws(values)
    return values, held, share


def mean_over_draws(values: xr.DataArray) -> xr.DataArray:
    """Mean over the computed draws; NaN where one of them has no value, since the others would not represent it.

    Args:
        values: variable of `open_sweep` with the dimension `draw`.
    """
    count = values.finished.sum("draw")
    total = values.where(values.finished, 0).sum("draw", skipna=False)
    mean = (total / count.where(count > 0)).rename(values.name).assign_attrs(values.attrs)
    return mean.assign_coords(finished=values.finished.any("draw"))


def _held(data: xr.Dataset, variable: str, chosen: Mapping[str, float]) -> tuple[xr.DataArray, dict[str, float]]:
    """Variable with axes held at the values nearest to the chosen ones, and these values."""
    if variable not in data.data_vars:
        raise InvalidInput(f"variable is {variable!r}, but the sweep holds {', '.join(map(str, data.data_vars))}")
    values = data[variable]
    for name, value in chosen.items():
        if name not in values.dims:
            raise InvalidInput(f"{variable} has no axis {name!r} to hold; it has {', '.join(map(str, values.dims))}")
        values = values.isel({name: _nearest(values[name], value)})
    return values, {name: values[name].item() for name in chosen}


def _choose_axes(values: xr.DataArray, x: str | None, y: str | None) -> tuple[str, str | None, list[str]]:
    """Horizontal axis, vertical axis of heat maps if there is one, and the remaining axes."""
    free = [str(dim) for dim in values.dims]
    if not free:
        raise InvalidInput(f"{values.name} is one number here, {float(values):.6g}: leave an axis free")
    for name in (x, y):
        if name is not None and name not in free:
            raise InvalidInput(f"{name!r} is not a free axis of {values.name}; free are {', '.join(free)}")
    if x is not None and x == y:
        raise InvalidInput(f"x and y are both {x!r}: a heat map needs two axes")
    if x is None and free == [y]:
        raise InvalidInput(f"{y!r} is the only free axis of {values.name}: give it as x, or leave another one free")
    if x is None:
        x = next(name for name in ("alpha", "generation", *reversed(free)) if name in free and name != y)
    if y is None and x == "alpha" and "beta" in free:
        y = "beta"
    return x, y, [name for name in free if name not in (x, y)]


def _nearest(axis: xr.DataArray, value: float) -> int:
    """Index of the axis' value nearest to this one, which must lie within the axis up to rounding; on it, if it holds counts."""
    low, high = float(axis.min()), float(axis.max())
    slack = 1e-9 * max(abs(low), abs(high))
    if not low - slack <= value <= high + slack:
        raise InvalidInput(f"{axis.name} is to be held at {value:g}, but runs from {low:g} to {high:g}")
    nearest = int(np.abs(axis.values - value).argmin())
    if np.issubdtype(axis.dtype, np.integer) and axis.values[nearest] != value:
        raise InvalidInput(f"{axis.name} is to be held at {value:g}, but has {', '.join(map(str, axis.values[:20]))}")
    return nearest


def _setting(data: xr.Dataset, held: dict[str, float], share: float, blank: str | None) -> str:
    """Note below a figure: what made the numbers, the share of points that are computed, and where some are blank."""
    spec = loads(data.attrs["crossfeed_sweep"]["spec"])
    options = spec["options"]
    fixed = {name: value for name, value in spec["axes"].items() if not isinstance(value, list)}
    fixed |= {name: options[name] for name in ("public_rows", "noise_variance") if name in options} | held
    draws = options.get("draws", 1)
    given = Path(options.get("path", options.get("name", ""))).name
    kinds = [table["kind"] for table in spec["workflow"].values()]
    parts = [
        f"family {spec['family']} {given}".rstrip(),
        *kinds,
        *map(_at, fixed, fixed.values()),
        f"seed {spec['seed']}",
    ]
    if draws > 1 and "draw" not in held:
        parts.append(f"mean of {draws} draws" if share == 1 else f"mean of the computed ones of {draws} draws")
    if share < 1:
        parts.append(f"unfinished: {share:.1%} of the points are computed")
    if tolerance := spec.get("interpolate"):
        parts.append(f"interpolated, to a relative tolerance of {tolerance:g}")
    if blank:
        parts.append(f"blank {blank}" + (" in some draw" if draws > 1 and "draw" not in held else ""))
    return "; ".join(parts)


def _label(array: xr.DataArray) -> str:
    name, units = array.attrs.get("long_name", str(array.name)), array.attrs.get("units", "1")
    return name if units == "1" else f"{name} ({units})"


def _at(name: str, value: float) -> str:
    return f"{_SYMBOLS.get(name, name)} = {value:.4g}"


def _panels(values: xr.DataArray, over: list[str]) -> list[tuple[str, xr.DataArray]]:
    """Title and values of every combination of these axes' values."""
    if not over:
        return [("", values)]
    stacked = values.stack(panel=over)
    if stacked.sizes["panel"] > _MOST_PANELS:
        mapped = ", or map the entities with --y entity" if _ENTITY in over else ""
        raise InvalidInput(
            f"{stacked.sizes['panel']} panels, one for each {' × '.join(over)}, are more than the {_MOST_PANELS} that fit: "
            f"hold an axis with --at NAME=VALUE, draw along it with --x{mapped}"
        )
    titles = [", ".join(map(_at, over, place)) for place in stacked.indexes["panel"]]
    return [(title, stacked.isel(panel=number)) for number, title in enumerate(titles)]


def _heat_maps(values: xr.DataArray, x: str, y: str, rest: list[str]) -> Figure:
    panels = _panels(values, rest)
    figure, axes = grid_of_panels(len(panels), 2.7, 2.4)
    low, high = np.nanpercentile(values, [0.5, 99.5])
    scale = color_scale(low, high)
    locator = LogLocator(subs=(1, 3)) if isinstance(scale, LogNorm) else MaxNLocator(_LEVELS)
    levels = locator.tick_values(low, high)
    if values.name == "spectral_radius":
        levels = np.union1d(levels, 1.0)  # the edge of stability
    for panel, (title, part) in zip(axes, panels, strict=True):
        part = part.transpose(y, x)
        panel.set_title(wrapped(title))
        _scale(panel, "x", part[x])
        _scale(panel, "y", part[y])
        if part.notnull().any():
            # Contours of a constant would trace its rounding, and those of what is constant on patches their edges.
            constant = float(part.max() - part.min()) <= 1e-9 * max(abs(low), abs(high))
            constant |= part.name in OF_INTERPOLATION
            heat_map(
                panel,
                part[x],
                part[y],
                part.values,
                [] if constant or x in _COUNTED or y in _COUNTED else levels,
                norm=scale,
            )
        else:
            _say_why_empty(panel, part)
    name_axes(axes, _label(values[x]), _label(values[y]))
    color_bar(figure, axes, values, scale, _label(values))
    return figure


def _lines(values: xr.DataArray, x: str, rest: list[str], averaged: bool) -> Figure:
    rest = [name for name in rest if not (averaged and name == _ENTITY)]
    lines = next((name for name in reversed(rest) if values.sizes[name] <= SERIES), None)
    panels = _panels(values, [name for name in rest if name != lines])
    figure, axes = grid_of_panels(len(panels), 3.0, 2.4)
    for panel, (title, part) in zip(axes, panels, strict=True):
        panel.set_title(wrapped(title))
        _scale(panel, "x", part[x])
        if not part.notnull().any():
            _say_why_empty(panel, part)
            continue
        each = [(None, part)] if lines is None else [(value, part.sel({lines: value})) for value in part[lines].values]
        for number, (value, curve) in enumerate(each):
            label = None if value is None else _at(str(lines), value)
            if averaged:
                mean_and_band(panel, number, curve[x], curve.transpose(x, _ENTITY), label)
            else:
                line(panel, number, curve[x], curve, label)
    name_axes(axes, _label(values[x]), _label(values))
    if lines is not None:
        next(panel for panel in axes if panel.lines).legend()
    return figure


def _say_why_empty(panel: Axes, part: xr.DataArray) -> None:
    words = "no value" if part.finished.any() else "not computed yet"
    panel.text(0.5, 0.5, words, transform=panel.transAxes, ha="center")


def _scale(panel: Axes, direction: Literal["x", "y"], values: xr.DataArray) -> None:
    """Make an axis logarithmic if its values are spaced so, and limit its ticks so that labels of neighboring panels fit."""
    panel.locator_params(direction, nbins=5, steps=[1, 2, 5, 10])
    if values.size > 2 and (values > 0).all():
        steps = np.diff(np.log(values.values))
        if np.ptp(steps) < 1e-6 * abs(steps).max():
            (panel.set_xscale if direction == "x" else panel.set_yscale)("log")
