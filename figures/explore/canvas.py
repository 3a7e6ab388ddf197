"""Common parts of the page's pictures."""

from typing import Any

import numpy as np
from bokeh.models import ColorBar, ColumnDataSource, GlyphRenderer, LinearColorMapper
from bokeh.plotting import figure
from matplotlib import colormaps
from matplotlib.colors import to_hex

from ..style import COLORS, HEAT

INK = COLORS[0]
PAPER = "#ffffff"
_PALETTE = [to_hex(color) for color in colormaps[HEAT](np.arange(256))]
_HEIGHT = 330  # pixels


def canvas(x_label: str, y_label: str, **kwargs: Any) -> figure:
    """Empty plot as wide as its place on the page."""
    plot = figure(height=_HEIGHT, sizing_mode="stretch_width", toolbar_location=None, tools="", min_border=5, **kwargs)
    plot.grid.grid_line_color = "#dddddd"
    plot.outline_line_color = None
    plot.axis.minor_tick_line_color = None
    plot.axis.axis_label_text_font_style = "normal"
    plot.xaxis.axis_label, plot.yaxis.axis_label = x_label, y_label
    return plot


def heat_scale(plot: figure) -> LinearColorMapper:
    """Color scale for an image in a plot, with a color bar beside it; NaN is white."""
    mapper = LinearColorMapper(palette=_PALETTE, low=0, high=1, nan_color=PAPER)
    plot.grid.visible = False
    plot.add_layout(ColorBar(color_mapper=mapper, width=10, label_standoff=4), "right")
    return mapper


def image(plot: figure, source: ColumnDataSource, colors: LinearColorMapper, **place: Any) -> "GlyphRenderer[Any]":
    """Add the image of a data source to a plot."""
    return plot.image("image", source=source, color_mapper=colors, **place)  # pyright: ignore[reportCallIssue]


def rounded_up(value: float) -> float:
    """Value rounded up to a multiple of 0.05, so that a scale does not change with every small move of a slider."""
    return float(np.ceil(20 * value) / 20)
