"""The three pictures, and how they follow new numbers."""

import math

import numpy as np
from bokeh.models import (
    BasicTickFormatter,
    ColorBar,
    ColumnDataSource,
    FixedTicker,
    HoverTool,
    LinearColorMapper,
    LogTicker,
    Range1d,
)
from bokeh.plotting import figure
from bokeh.plotting.contour import contour_data
from matplotlib import colormaps
from matplotlib.colors import to_hex
from scipy.ndimage import distance_transform_edt

from ...sim.explore import GENERATIONS, GRID, Diagram, Here, Setting
from ...theory.stein import UNIT_ROOT_TOLERANCE
from ..style import COLOURS, DASHES, HEAT
from .words import best_weights, state

_PALETTE = [to_hex(colour) for colour in colormaps[HEAT](np.arange(256))]
_DASHES = {"-": "solid", "--": "dashed", "-.": "dashdot", ":": "dotted"}
_AXIS = np.linspace(0, 1, GRID)
_HEIGHT = 330
_MOST_CELLS_WITH_NUMBERS = 10
_MOST_TICKS = 10
_LABELS = {"efficiency": "mean relative efficiency", "spectral_radius": "spectral radius ρ(Q)"}


def _blank(**kwargs):
    plot = figure(height=_HEIGHT, sizing_mode="stretch_width", toolbar_location=None, tools="", min_border=5, **kwargs)
    plot.grid.grid_line_color = "#dddddd"
    plot.outline_line_color = None
    plot.title.text_font_style = "normal"
    for axis in plot.axis:
        axis.axis_label_text_font_style = "normal"
    return plot


class Trajectories:
    """MSE of every entity against the generation, its mean, its limit, and the best possible."""

    def __init__(self):
        self.plot = _blank(y_axis_type="log", x_range=(0, GENERATIONS), y_range=Range1d(1, 10))
        self.plot.xaxis.axis_label = "generation"
        self.plot.yaxis.axis_label = "MSE (units of σ²)"
        self.plot.yaxis.ticker = LogTicker(desired_num_ticks=6, num_minor_ticks=9)
        self.plot.yaxis.formatter = BasicTickFormatter(precision=1, power_limit_high=5, power_limit_low=-3)
        self.each = ColumnDataSource({"xs": [], "ys": [], "name": []})
        self.mean = ColumnDataSource({"x": np.arange(GENERATIONS + 1), "y": np.ones(GENERATIONS + 1)})
        self.level = [ColumnDataSource({"x": [0, GENERATIONS], "y": [1, 1]}) for _ in range(2)]
        lines = self.plot.multi_line(
            "xs", "ys", source=self.each, color="#888888", alpha=0.6, line_width=1, legend_label="each entity"
        )
        mean = self.plot.line("x", "y", source=self.mean, color=COLOURS[0], line_width=2.5, legend_label="mean")
        labels = "limit of the mean", "best that all real data allows"
        for number, (source, label) in enumerate(zip(self.level, labels, strict=True), 1):
            dash = _DASHES[DASHES[number]]
            self.plot.line(
                "x", "y", source=source, color=COLOURS[number], line_dash=dash, line_width=2, legend_label=label
            )
        self.plot.add_layout(self.plot.legend[0], "above")
        self.plot.legend.orientation = "horizontal"
        self.plot.legend.ncols = 2
        self.plot.legend.border_line_color = None
        self.plot.add_tools(
            HoverTool(renderers=[lines], tooltips=[("", "@name"), ("generation", "$data_x{0}"), ("MSE", "$data_y")]),
            HoverTool(renderers=[mean], tooltips=[("mean MSE", "@y{0.00000}"), ("generation", "@x")], mode="vline"),
        )

    def show(self, setting: Setting, here: Here) -> None:
        """Draw new numbers; the limit only where there is one."""
        curves = list(np.asarray(here.mse)[:, : setting.entities].T)
        generations = np.arange(GENERATIONS + 1)
        names = [f"entity {k + 1}" for k in range(setting.entities)]
        self.each.data = {"xs": [generations] * len(curves), "ys": curves, "name": names}
        self.mean.data = {"x": generations, "y": np.asarray(here.mean_mse)}
        limit = float(here.limit_mse) if state(here) == "settles" else math.nan
        levels = limit, float(here.minimum_variance)
        for source, value in zip(self.level, levels, strict=True):
            source.data = {"x": [0, GENERATIONS], "y": [value, value]}
        seen = np.concatenate([*curves, [value for value in levels if math.isfinite(value)]])
        # Steps of half a decade, so that the axis stands still while a dial moves a little.
        low, high = np.floor(2 * np.log10(seen.min())), np.ceil(2 * np.log10(seen.max()))
        self.plot.y_range.update(start=10 ** (low / 2), end=10 ** (high / 2))


class PhaseDiagram:
    """Efficiency or ρ(Q) over (α, β), with the edge of the region that has a limit, the best weights, and where we are."""

    def __init__(self):
        self.plot = _blank(x_range=(0, 1), y_range=(0, 1))
        self.plot.grid.visible = False
        self.plot.xaxis.axis_label = "α, weight of synthetic data"
        self.plot.yaxis.axis_label = "β, weight of private data"
        self.mapper = LinearColorMapper(_PALETTE, low=0, high=1, nan_color="#ffffff")
        empty = np.zeros((GRID, GRID))
        self.image = ColumnDataSource({"image": [empty], "radius": [empty], "efficiency": [empty]})
        half = 0.5 / (GRID - 1)
        heat = self.plot.image(
            "image", x=-half, y=-half, dw=1 + 2 * half, dh=1 + 2 * half, source=self.image, color_mapper=self.mapper
        )
        self.edge = ColumnDataSource({"x": [], "y": []})
        self.plot.line("x", "y", source=self.edge, color="#111111", line_width=4.5)
        self.plot.line("x", "y", source=self.edge, color="#ffffff", line_width=2)
        self.label = ColumnDataSource({"x": [], "y": []})
        self.plot.text(
            "x", "y", text={"value": "no limit"}, source=self.label, text_align="center", text_baseline="middle"
        )
        self.best, self.current = (ColumnDataSource({"x": [0.5], "y": [0.5]}) for _ in range(2))
        for source, marker, size in ((self.best, "diamond", 14), (self.current, "circle", 13)):
            self.plot.scatter(
                "x",
                "y",
                source=source,
                marker=marker,
                size=size,
                fill_color="#ffffff",
                line_color="#111111",
                line_width=2.5,
            )
        self.bar = ColorBar(color_mapper=self.mapper, width=10, title_text_font_style="normal", label_standoff=4)
        self.plot.add_layout(self.bar, "right")
        tips = [
            ("α", "$x{0.00}"),
            ("β", "$y{0.00}"),
            ("ρ(Q)", "@radius{0.0000}"),
            ("efficiency", "@efficiency{0.0000}"),
        ]
        self.plot.add_tools(HoverTool(renderers=[heat], tooltips=tips))

    def show(self, diagram: Diagram, variable: str) -> None:
        """Draw a new plane, or another variable of it."""
        values = np.asarray(getattr(diagram, variable))
        finite = values[np.isfinite(values)]
        self.mapper.update(low=0.0, high=math.ceil(20 * finite.max()) / 20)
        self.image.data = {"image": [values], "radius": [diagram.spectral_radius], "efficiency": [diagram.efficiency]}
        line = contour_data(
            _AXIS, _AXIS, diagram.spectral_radius, [1 + 10 * UNIT_ROOT_TOLERANCE], want_fill=False
        ).line_data
        self.edge.data = {"x": line.xs[0], "y": line.ys[0]} if line else {"x": [], "y": []}
        depth = distance_transform_edt(np.pad(np.isnan(diagram.efficiency), 1))[1:-1, 1:-1]
        row, column = np.unravel_index(depth.argmax(), depth.shape)
        deep = int(depth.max() > 3)  # or the words would not fit
        self.label.data = {"x": [_AXIS[column]] * deep, "y": [_AXIS[row]] * deep}
        beta, alpha, _ = best_weights(diagram)
        self.best.data = {"x": [alpha], "y": [beta]}
        self.plot.title.text = _LABELS[variable]

    def mark(self, setting: Setting) -> None:
        """Move the circle."""
        self.current.data = {"x": [setting.alpha], "y": [setting.beta]}


class Transfer:
    """tr(M_kj)/d in the limit, the weight that every entity puts on every dataset; empty where there is no limit."""

    def __init__(self):
        self.plot = _blank(x_range=Range1d(0.5, 2.5), y_range=Range1d(1.5, 0.5))
        self.plot.grid.visible = False
        self.plot.xaxis.axis_label = "private data of entity"
        self.plot.yaxis.axis_label = "entity"
        self.mapper = LinearColorMapper(_PALETTE, low=0, high=1, nan_color="#ffffff")
        self.image = ColumnDataSource({"image": [np.zeros((1, 2))], "dw": [2], "dh": [1]})
        heat = self.plot.image("image", x=0.5, y=0.5, dw="dw", dh="dh", source=self.image, color_mapper=self.mapper)
        self.cells = ColumnDataSource({"x": [], "y": [], "text": [], "color": []})
        self.plot.text(
            "x",
            "y",
            text="text",
            color="color",
            source=self.cells,
            text_align="center",
            text_baseline="middle",
            text_font_size="11px",
        )
        self.plot.add_layout(ColorBar(color_mapper=self.mapper, width=10, label_standoff=4), "right")
        self.plot.add_tools(HoverTool(renderers=[heat], tooltips=[("weight", "@image{0.00000}")]))

    def show(self, setting: Setting, here: Here) -> None:
        """Draw new numbers. The public column may lie beyond the end of the scale, which is that of private data."""
        count = setting.entities
        weights = np.asarray(here.transfer)[:count][:, [*range(count), -1]]
        if state(here) == "settles":
            private = weights[:, :count]
            self.mapper.update(low=min(0.0, private.min()), high=private.max() or 1.0)
        self.image.data = {"image": [weights], "dw": [count + 1], "dh": [count]}
        self.plot.x_range.update(start=0.5, end=count + 1.5)
        self.plot.y_range.update(start=count + 0.5, end=0.5)
        ticks = list(range(1, count + 1, -(-count // _MOST_TICKS)))
        self.plot.yaxis.ticker = FixedTicker(ticks=ticks)
        self.plot.xaxis.ticker = FixedTicker(ticks=[*ticks, count + 1])
        self.plot.xaxis.major_label_overrides = {count + 1: "public"}
        self.cells.data = self._texts(weights)

    def _texts(self, weights: np.ndarray) -> dict[str, list]:
        shown = np.argwhere(np.isfinite(weights)) if len(weights) <= _MOST_CELLS_WITH_NUMBERS else []
        if not np.isfinite(weights).all():
            rows, columns = weights.shape
            middle = {"x": [(columns + 1) / 2], "y": [(rows + 1) / 2]}
            return middle | {"text": ["no limit"], "color": ["#111111"]}
        dark = weights < (self.mapper.low + self.mapper.high) / 2
        return {
            "x": [column + 1 for _, column in shown],
            "y": [row + 1 for row, _ in shown],
            "text": [f"{weights[row, column]:.3f}" for row, column in shown],
            "color": ["#ffffff" if dark[row, column] else "#111111" for row, column in shown],
        }
