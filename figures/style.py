"""Style of all figures; they are readable in gray, since lines differ in lightness, dashes and markers."""

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from textwrap import fill
from typing import Any

import matplotlib
import matplotlib.style
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import QuadMesh
from matplotlib.colors import LogNorm, Normalize
from matplotlib.contour import ContourSet
from matplotlib.figure import Figure
from matplotlib.patheffects import AbstractPathEffect, withStroke
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter
from numpy.typing import ArrayLike

from crossfeed.errors import InvalidInput, reason_of

COLORS = ("#111111", "#2f6fb0", "#e08a2e", "#7ab87a")
DASHES = ("-", "--", "-.", ":")
MARKERS = ("o", "s", "^", "D")
SERIES = len(COLORS)
"""Number of series that can be told apart in one panel."""
HEAT = "cividis"  # its lightness rises evenly, for color-blind readers and for print

_FORMATS = ("svg", "png", "pdf")
_LABEL_WIDTH = 30  # characters
_NOTE_LETTERS = 16  # characters of a note per inch
_FROM_EDGE, _APART = 0.02, 0.085  # least distances of contour labels from the edge and from each other, in panel widths
_MOST_COLUMNS = 4  # of a grid of panels
_BAND = (10, 90)  # percentiles

_SETTINGS = {
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.prop_cycle": cycler(color=COLORS),
    "grid.color": "#dddddd",
    "grid.linewidth": 0.5,
    "legend.frameon": False,
    "image.cmap": HEAT,
    "lines.linewidth": 1.4,
    "svg.hashsalt": "crossfeed",  # makes equal figures equal files
    "svg.fonttype": "none",
}


@dataclass(frozen=True)
class Look:
    """What a reader of figures may choose about all of them.

    Attributes:
        formats: kinds of files to write, of svg, png and pdf.
        size: width and height of a figure in inches, 2 to 40; None for that of the figure itself.
        dpi: dots per inch of raster images, 30 to 1200.
        style: a style sheet of Matplotlib by name or file, which goes on top of the project's; colors of series are those of its
            `axes.prop_cycle`, and that of heat maps its `image.cmap`.

    Raises:
        InvalidInput: a value lies outside its range, or there is no such style.
    """

    formats: tuple[str, ...] = ("svg", "png")
    size: tuple[float, float] | None = None
    dpi: int = 150
    style: str | None = None

    def __post_init__(self) -> None:
        for name in self.formats:
            if name not in _FORMATS:
                raise InvalidInput(f"format is {name!r}, but must be one of {', '.join(_FORMATS)}")
        if self.size is not None and not all(2 <= length <= 40 for length in self.size):
            raise InvalidInput(
                f"size is {self.size[0]:g}x{self.size[1]:g}, but both lengths must lie in [2, 40] inches"
            )
        if not 30 <= self.dpi <= 1200:
            raise InvalidInput(f"dpi is {self.dpi}, but must lie in [30, 1200]")
        if self.style is not None:
            with matplotlib.rc_context():
                try:
                    matplotlib.style.use(self.style)
                except OSError as error:
                    raise InvalidInput(
                        f"style is {self.style!r}, but there is no such style sheet: {reason_of(error)}"
                    ) from error


_DEFAULT_LOOK = Look()
_LOOK: ContextVar[Look] = ContextVar("look", default=_DEFAULT_LOOK)


@contextmanager
def looking(look: Look) -> Generator[None]:
    """Context manager in which all figures are made and written with this look."""
    token = _LOOK.set(look)
    try:
        yield
    finally:
        _LOOK.reset(token)


def current_look() -> Look:
    """The look of the figures made here: that of `looking`, or the default."""
    return _LOOK.get()


@contextmanager
def styled() -> Generator[None]:
    """Context manager with the style, in which figures are made, drawn and saved."""
    with matplotlib.rc_context(_SETTINGS):  # pyright: ignore[reportArgumentType]
        if (style := current_look().style) is not None:
            matplotlib.style.use(style)
        yield


def color(number: int) -> str:
    """Color of series `number`, from 0, in the style in force; colors repeat after the last."""
    cycle = matplotlib.rcParams["axes.prop_cycle"].by_key().get("color", COLORS)
    return cycle[number % len(cycle)]


def small_font() -> float:
    """Size in points of letters within a panel, seven ninths of others."""
    return matplotlib.rcParams["font.size"] * 7 / 9


def grid_of_axes(rows: int, columns: int, size: tuple[float, float], **kwargs: Any) -> tuple[Figure, list[list[Axes]]]:
    """Figure of this size in inches, unless the look has another, with a grid of axes, as a list of rows."""
    figure = Figure(figsize=current_look().size or size, layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, **kwargs).tolist()


def grid_of_panels(count: int, width: float, height: float) -> tuple[Figure, list[Axes]]:
    """Figure with this number of panels, of which `width` and `height` are in inches, on at most four columns."""
    rows = -(-count // _MOST_COLUMNS)
    columns = -(-count // rows)
    figure, axes = grid_of_axes(rows, columns, (width * columns + 1, height * rows + 0.4), sharex=True, sharey=True)
    flat = [panel for row in axes for panel in row]
    for empty in flat[count:]:
        empty.set_axis_off()
    return figure, flat[:count]


def name_axes(axes: list[Axes], x: str, y: str) -> None:
    """Label the y axes of the first column of a grid of panels, and the x axis of every panel without one below it."""
    grid = axes[0].get_gridspec()
    assert grid is not None  # panels of a figure always have one
    for number, panel in enumerate(axes):
        if number % grid.ncols == 0:
            panel.set_ylabel(wrapped(y))
        if number + grid.ncols >= len(axes):
            panel.set_xlabel(wrapped(x))
            panel.tick_params(labelbottom=True)


def line(axes: Axes, number: int, x: ArrayLike, y: ArrayLike, label: str | None = None) -> None:
    """Draw the exact curve of series `number`, from 0."""
    axes.plot(x, y, DASHES[number], color=color(number), label=label)


def points(axes: Axes, number: int, x: ArrayLike, y: ArrayLike, error: ArrayLike | None = None) -> None:
    """Draw measured points of series `number`, from 0, with bars of two standard errors if these are given."""
    axes.errorbar(
        x,
        y,
        yerr=None if error is None else 2 * np.asarray(error),
        fmt=MARKERS[number],
        color=color(number),
        markerfacecolor="white",
        markersize=3.5,
        linewidth=0.9,
        capsize=1.5,
    )


def mean_and_band(axes: Axes, number: int, x: ArrayLike, values: ArrayLike, label: str | None = None) -> None:
    """Draw the mean of many curves as series `number`, from 0, with a band that holds the middle 80 % of them at every x.

    Args:
        values: one row per x; NaN for a curve without a value there.
    """
    curves = np.asarray(values, float)
    low, high, mean = np.full((3, len(curves)), np.nan)
    some = ~np.isnan(curves).all(axis=1)
    low[some], high[some] = np.nanpercentile(curves[some], _BAND, axis=1)
    mean[some] = np.nanmean(curves[some], axis=1)
    axes.fill_between(np.asarray(x), low, high, color=color(number), alpha=0.2, linewidth=0)
    line(axes, number, x, mean, label)


def wide_line(axes: Axes, x: ArrayLike, y: ArrayLike, label: str | None = None) -> None:
    """Draw the curve that others are compared with, wide and light."""
    axes.plot(x, y, color="#bbbbbb", linewidth=4, label=label, zorder=1.5)


def crosses(axes: Axes, x: ArrayLike, y: ArrayLike, label: str | None = None) -> None:
    """Mark values of a closed form on an exact curve."""
    axes.plot(x, y, "+", color=color(0), markersize=5, markeredgewidth=0.9, label=label)


def plain_log_axis(axes: Axes) -> None:
    """Make the y axis logarithmic with labels 10, 20, 50, … instead of powers."""
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def heat_map(axes: Axes, x: ArrayLike, y: ArrayLike, values: ArrayLike, levels: ArrayLike, **kwargs: Any) -> QuadMesh:
    """Draw values over x and y with labeled contours, and return the image for a color bar."""
    image = axes.pcolormesh(x, y, values, shading="nearest", rasterized=True, **kwargs)
    # White lines with a dark edge are visible at both ends of the color scale.
    contours = axes.contour(x, y, values, levels=levels, colors="white", linewidths=0.8)
    edge: list[AbstractPathEffect] = [withStroke(linewidth=1.8, foreground="#222222")]
    contours.set_path_effects(edge)
    for label in axes.clabel(contours, fontsize=small_font(), manual=_places_for_labels(axes, contours)):
        label.set_path_effects(edge)
    axes.grid(visible=False)
    return image


def color_scale(low: float, high: float) -> Normalize:
    """Color scale, logarithmic if the range is positive and spans more than two powers of ten, else linear."""
    return LogNorm(low, high) if 0 < 100 * low < high else Normalize(low, high)


def color_bar(figure: Figure, axes: list[Axes], values: ArrayLike, scale: Normalize, label: str) -> None:
    """Add a color bar for panels that share a scale, with arrows, which the label explains, if values lie beyond it."""
    below, above = bool(np.nanmin(values) < scale.vmin), bool(np.nanmax(values) > scale.vmax)
    extend = ("both" if above else "min") if below else ("max" if above else "neither")
    arrows = "" if extend == "neither" else "\narrow: beyond the scale"
    figure.colorbar(ScalarMappable(scale), ax=axes, label=f"{wrapped(label)}{arrows}", extend=extend)


def note(figure: Figure, text: str) -> None:
    """Write the setting that made a figure in small letters below it."""
    text = text.replace(" = ", "\u00a0=\u00a0").replace(" %", "\u00a0%")  # lines do not break there
    width = int(_NOTE_LETTERS * figure.get_figwidth())
    figure.supxlabel(
        "\n".join(fill(paragraph, width) for paragraph in text.splitlines()), fontsize=small_font(), color="#555555"
    )


def wrapped(text: str) -> str:
    """Label broken into lines that fit the side of a small panel."""
    return fill(text, _LABEL_WIDTH)


def _places_for_labels(axes: Axes, contours: ContourSet) -> list[tuple[float, float]]:
    """Positions of contour labels in data coordinates that are inside the panel and apart from each other."""
    within = axes.transScale + axes.transLimits  # from data coordinates to fractions of the panel
    kept: list[np.ndarray] = []
    places = []
    for label in axes.clabel(contours, fontsize=small_font(), inline=False):
        place = np.asarray(within.transform(label.get_position()))
        if (abs(place - 0.5) < 0.5 - _FROM_EDGE).all() and all(abs(place - one).max() > _APART for one in kept):
            kept.append(place)
            places.append(label.get_position())
        label.remove()
    return places
