"""One look for all figures: readable in grey, since lines differ in lightness, dashes and markers."""

from textwrap import fill

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

COLORS = ("#111111", "#2f6fb0", "#e08a2e", "#7ab87a")
DASHES = ("-", "--", "-.", ":")
MARKERS = ("o", "s", "^", "D")
HEAT = "cividis"  # lightness rises evenly, for color-blind readers and for print

_LABEL_WIDTH = 30  # characters
_NOTE_LETTERS = 16  # of a note that fit an inch
_FROM_EDGE, _APART = 0.02, 0.085  # of labels on contours, in shares of a panel

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
    "svg.hashsalt": "crossfeed",  # the same figure gives the same file
    "svg.fonttype": "none",
}


def styled():
    """Context in which figures are made, drawn and saved."""
    return matplotlib.rc_context(_SETTINGS)  # pyright: ignore[reportArgumentType]


def grid_of_axes(rows: int, columns: int, size: tuple[float, float], **kwargs) -> tuple[Figure, list[list[Axes]]]:
    """A figure and its axes, always as a list of rows."""
    figure = Figure(figsize=size, layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, **kwargs).tolist()


def line(axes: Axes, number: int, x, y, label: str | None = None) -> None:
    """The exact curve of series `number`."""
    axes.plot(x, y, DASHES[number], color=COLORS[number], label=label)


def points(axes: Axes, number: int, x, y, error=None) -> None:
    """Measured points of series `number`, with bars of two standard errors if they are random."""
    axes.errorbar(
        x,
        y,
        yerr=None if error is None else 2 * error,
        fmt=MARKERS[number],
        color=COLORS[number],
        markerfacecolor="white",
        markersize=3.5,
        linewidth=0.9,
        capsize=1.5,
    )


def plain_log_axis(axes: Axes) -> None:
    """A logarithmic y axis labeled 10, 20, 50, … instead of powers."""
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def heat_map(axes: Axes, x, y, values, levels, **kwargs) -> QuadMesh:
    """Values over x and y with labeled contours; the image, for a color bar."""
    image = axes.pcolormesh(x, y, values, cmap=HEAT, shading="nearest", rasterized=True, **kwargs)
    # White lines with a dark edge show on both ends of the scale.
    contours = axes.contour(x, y, values, levels=levels, colors="white", linewidths=0.8)
    edge: list[AbstractPathEffect] = [withStroke(linewidth=1.8, foreground="#222222")]
    contours.set_path_effects(edge)
    for label in axes.clabel(contours, fontsize=7, manual=_places_for_labels(axes, contours)):
        label.set_path_effects(edge)
    axes.grid(visible=False)
    return image


def color_scale(low: float, high: float) -> Normalize:
    """Logarithmic where values are positive and span more than two powers of ten, else linear."""
    return LogNorm(low, high) if 0 < 100 * low < high else Normalize(low, high)


def color_bar(figure: Figure, axes: list[Axes], values, scale: Normalize, label: str) -> None:
    """One bar for panels that share a scale; an arrow, which the label explains, where values lie beyond it."""
    below, above = bool(np.nanmin(values) < scale.vmin), bool(np.nanmax(values) > scale.vmax)
    extend = ("both" if above else "min") if below else ("max" if above else "neither")
    arrows = "" if extend == "neither" else "\narrow: values beyond the scale"
    figure.colorbar(ScalarMappable(scale, cmap=HEAT), ax=axes, label=f"{wrapped(label)}{arrows}", extend=extend)


def note(figure: Figure, text: str) -> None:
    """The setting that made a figure, in small letters below it."""
    figure.supxlabel(fill(text, int(_NOTE_LETTERS * figure.get_figwidth())), fontsize=7, color="#555555")


def wrapped(text: str) -> str:
    """A label broken into lines that fit the side of a small panel."""
    return fill(text, _LABEL_WIDTH)


def _places_for_labels(axes: Axes, contours: ContourSet) -> list[tuple[float, float]]:
    """Where labels of contours fit, in data coordinates: inside the panel, and away from each other."""
    within = axes.transScale + axes.transLimits  # from data to shares of the panel
    kept: list[np.ndarray] = []
    places = []
    for label in axes.clabel(contours, fontsize=7, inline=False):
        place = np.asarray(within.transform(label.get_position()))
        if (abs(place - 0.5) < 0.5 - _FROM_EDGE).all() and all(abs(place - one).max() > _APART for one in kept):
            kept.append(place)
            places.append(label.get_position())
        label.remove()
    return places
