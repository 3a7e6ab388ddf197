"""MSE of every entity by generation, with its mean, its limit, and the smallest MSE that all real data allows."""

import math
from typing import Any

import numpy as np
from bokeh.models import ColumnDataSource, HoverTool, LogTickFormatter, Range1d

from ..style import COLORS, DASHES
from .canvas import canvas
from .family import Setting
from .model import GENERATIONS, Prediction, state

_DASHES = {"-": "solid", "--": "dashed", "-.": "dashdot", ":": "dotted"}
_STEPS = 5  # steps of the axis' ends per decade, so that it does not change with every small move of a slider
_MARGIN = 0.02  # decades


class Trajectories:
    """Plot of the trajectories, updated with new numbers."""

    def __init__(self, unit: str) -> None:
        self.range = Range1d(start=1, end=10)
        axes = {"y_axis_type": "log", "x_range": (0, GENERATIONS), "y_range": self.range}
        self.plot = canvas("generation", f"MSE (units of {unit})", **axes)
        self.plot.yaxis.formatter = LogTickFormatter(min_exponent=3)  # powers of ten only beyond a thousand
        self.each = ColumnDataSource({"xs": [], "ys": [], "name": []})
        self.mean = ColumnDataSource({"x": [], "y": []})
        self.levels = [ColumnDataSource({"x": [], "y": []}) for _ in range(2)]
        lines = self.plot.multi_line("xs", "ys", source=self.each, color="#888888", legend_label="each entity")
        mean = self.plot.line("x", "y", source=self.mean, color=COLORS[0], line_width=2.5, legend_label="mean")
        for number, label in enumerate(("limit of the mean", "best that all real data allows"), 1):
            look: dict[str, Any] = {"color": COLORS[number], "line_dash": _DASHES[DASHES[number]], "line_width": 2}
            self.plot.line("x", "y", source=self.levels[number - 1], legend_label=label, **look)
        self.plot.add_layout(self.plot.legend[0], "above")
        self.plot.legend.update(
            orientation="horizontal", ncols=2, border_line_color=None, padding=2, margin=0, spacing=10
        )
        self.plot.add_tools(
            HoverTool(renderers=[lines], tooltips=[("", "@name"), ("generation", "$data_x{0}"), ("MSE", "$data_y")]),
            HoverTool(renderers=[mean], tooltips=[("mean MSE", "@y{0.00000}"), ("generation", "@x")], mode="vline"),
        )

    def show(self, setting: Setting, here: Prediction) -> None:
        """Draw new numbers; the limit only if there is one."""
        curves = list(here.mse[:, : setting.entities].T)
        generations = np.arange(GENERATIONS + 1)
        names = [f"entity {k + 1}" for k in range(setting.entities)]
        self.each.data = {"xs": [generations] * len(curves), "ys": curves, "name": names}
        self.mean.data = {"x": generations, "y": np.asarray(here.mean_mse)}
        levels = [float(here.limit_mse)] if state(here) == "converges" else [], [float(here.minimum_variance)]
        levels = [[value for value in level if np.isfinite(value)] for level in levels]
        for source, level in zip(self.levels, levels, strict=True):
            source.data = {"x": [0, GENERATIONS] * len(level), "y": level * 2}
        seen = np.log10(np.concatenate([*curves, *levels]))
        seen = seen[np.isfinite(seen)]  # errors that depend on an unknown truth are NaN
        if not seen.size:
            return
        low, high = math.floor(_STEPS * (seen.min() - _MARGIN)), math.ceil(_STEPS * (seen.max() + _MARGIN))
        self.range.update(start=10 ** (low / _STEPS), end=10 ** (high / _STEPS))
