"""Style of all figures; they are readable in gray, since lines differ in lightness, dashes and markers."""

from contextlib import AbstractContextManager
from textwrap import fill
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import QuadMesh
from matplotlib.colors import LogNorm, Normalize
from matplotlib.contour import ContourSet
from matplotlib.figure import Figure
from matplotlib.patheffects import AbstractPathEffect, withStroke
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter
from numpy.typing import ArrayLike

COLORS = ("#111111", "#2f6fb0", "#e08a2e", "#7ab87a")
DASHES = ("-", "--", "-.", ":")
MARKERS = ("o", "s", "^", "D")
HEAT = "cividis"  # its lightness rises evenly, for color-blind readers and for print

_LABEL_WIDTH = 30  # characters
_NOTE_LETTERS = 16  # characters of a note per inch
_FROM_EDGE, _APART = 0.02, 0.085  # least distances of contour labels from the edge and from each other, in panel widths

_SETTINGS = {
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.5,
    "legend.frameon": False,
    "lines.linewidth": 1.4,
    "svg.hashsalt": "crossfeed",  # makes equal figures equal files
    "svg.fonttype": "none",
}


def styled() -> AbstractContextManager[None]:
    """Context with the style, in which figures are made, drawn and saved."""
    return matplotlib.rc_context(_SETTINGS)  # pyright: ignore[reportArgumentType]


def grid_of_axes(rows: int, columns: int, size: tuple[float, float], **kwargs: Any) -> tuple[Figure, list[list[Axes]]]:
    """Figure of this size in inches with a grid of axes, as a list of rows."""
    figure = Figure(figsize=size, layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, **kwargs).tolist()


def line(axes: Axes, number: int, x: ArrayLike, y: ArrayLike, label: str | None = None) -> None:
    """Draw the exact curve of series `number`, from 0."""
    axes.plot(x, y, DASHES[number], color=COLORS[number], label=label)


def points(axes: Axes, number: int, x: ArrayLike, y: ArrayLike, error: ArrayLike | None = None) -> None:
    """Draw measured points of series `number`, from 0, with bars of two standard errors if these are given."""
    axes.errorbar(
        x,
        y,
        yerr=None if error is None else 2 * np.asarray(error),
        fmt=MARKERS[number],
        color=COLORS[number],
        markerfacecolor="white",
        markersize=3.5,
        linewidth=0.9,
        capsize=1.5,
    )


def wide_line(axes: Axes, x: ArrayLike, y: ArrayLike, label: str | None = None) -> None:
    """Draw the curve that others are compared with, wide and light."""
    axes.plot(x, y, color="#bbbbbb", linewidth=4, label=label, zorder=1.5)


def crosses(axes: Axes, x: ArrayLike, y: ArrayLike, label: str | None = None) -> None:
    """Mark values of a closed form on an exact curve."""
    axes.plot(x, y, "+", color=COLORS[0], markersize=5, markeredgewidth=0.9, label=label)


def plain_log_axis(axes: Axes) -> None:
    """Make the y axis logarithmic with labels 10, 20, 50, … instead of powers."""
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def heat_map(axes: Axes, x: ArrayLike, y: ArrayLike, values: ArrayLike, levels: ArrayLike, **kwargs: Any) -> QuadMesh:
    """Draw values over x and y with labeled contours, and return the image for a color bar."""
    image = axes.pcolormesh(x, y, values, cmap=HEAT, shading="nearest", rasterized=True, **kwargs)
    # White lines with a dark edge are visible at both ends of the color scale.
    contours = axes.contour(x, y, values, levels=levels, colors="white", linewidths=0.8)
    edge: list[AbstractPathEffect] = [withStroke(linewidth=1.8, foreground="#222222")]
    contours.set_path_effects(edge)
    for label in axes.clabel(contours, fontsize=7, manual=_places_for_labels(axes, contours)):
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
    arrows = "" if extend == "neither" else "\narrow: values beyond the scale"
    figure.colorbar(ScalarMappable(scale, cmap=HEAT), ax=axes, label=f"{wrapped(label)}{arrows}", extend=extend)


def note(figure: Figure, text: str) -> None:
    """Write the setting that made a figure in small letters below it."""
    text = text.replace(" = ", "\u00a0=\u00a0")  # lines do not break there
    figure.supxlabel(fill(text, int(_NOTE_LETTERS * figure.get_figwidth())), fontsize=7, color="#555555")


def wrapped(text: str) -> str:
    """Label broken into lines that fit the side of a small panel."""
    return fill(text, _LABEL_WIDTH)


def _places_for_labels(axes: Axes, contours: ContourSet) -> list[tuple[float, float]]:
    """Positions of contour labels in data coordinates that are inside the panel and apart from each other."""
    within = axes.transScale + axes.transLimits  # from data coordinates to fractions of the panel
    kept: list[np.ndarray] = []
    places = []
    for label in axes.clabel(contours, fontsize=7, inline=False):
        place = np.asarray(within.transform(label.get_position()))
        if (abs(place - 0.5) < 0.5 - _FROM_EDGE).all() and all(abs(place - one).max() > _APART for one in kept):
            kept.append(place)
            places.append(label.get_position())
        label.remove()
    return places
