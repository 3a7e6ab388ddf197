"""One look for all figures: readable in grey, since lines differ in lightness, dashes and markers."""

import matplotlib
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure
from matplotlib.patheffects import AbstractPathEffect, withStroke
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

COLOURS = ("#111111", "#2f6fb0", "#e08a2e", "#7ab87a")
DASHES = ("-", "--", "-.", ":")
MARKERS = ("o", "s", "^", "D")
HEAT = "cividis"  # lightness rises evenly, for colour-blind readers and for print

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
    axes.plot(x, y, DASHES[number], color=COLOURS[number], label=label)


def points(axes: Axes, number: int, x, y, error=None) -> None:
    """Measured points of series `number`, with bars of two standard errors if they are random."""
    axes.errorbar(
        x,
        y,
        yerr=None if error is None else 2 * error,
        fmt=MARKERS[number],
        color=COLOURS[number],
        markerfacecolor="white",
        markersize=3.5,
        linewidth=0.9,
        capsize=1.5,
    )


def plain_log_axis(axes: Axes) -> None:
    """A logarithmic y axis labelled 10, 20, 50, … instead of powers."""
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def heat_map(axes: Axes, x, y, values, levels, **kwargs) -> QuadMesh:
    """Values over (α, β) with labelled contours; the image, for a colour bar."""
    image = axes.pcolormesh(x, y, values, cmap=HEAT, shading="nearest", rasterized=True, **kwargs)
    # White lines with a dark edge show on both ends of the scale.
    contours = axes.contour(x, y, values, levels=levels, colors="white", linewidths=0.8)
    edge: list[AbstractPathEffect] = [withStroke(linewidth=1.8, foreground="#222222")]
    contours.set_path_effects(edge)
    for label in axes.clabel(contours, fontsize=7):
        label.set_path_effects(edge)
    axes.grid(visible=False)
    return image
