"""Transfer matrix tr(M_kj)/d in the limit, the weight that every entity puts on every dataset."""

from typing import Any

import numpy as np
from bokeh.models import ColumnDataSource, FixedTicker, HoverTool, Range1d

from .canvas import INK, PAPER, canvas, heat_scale, image
from .family import Setting
from .model import Prediction, state

_MOST_ENTITIES_WITH_NUMBERS = 10
_MOST_TICKS = 10
_ROUNDING = 1e-9
_TIPS = [("entity", "$y{0}"), ("dataset (0: public)", "$x{0}"), ("weight", "@image{0.00000}")]


class TransferMatrix:
    """Plot of the transfer matrix, updated with new numbers; without cells if there is no limit."""

    def __init__(self) -> None:
        self.columns, self.rows = Range1d(start=-0.5, end=1.5), Range1d(start=1.5, end=0.5)
        self.plot = canvas("whose data", "entity", x_range=self.columns, y_range=self.rows)
        self.colors = heat_scale(self.plot)
        self.image = ColumnDataSource({"image": [], "dw": [], "dh": []})
        heat = image(self.plot, self.image, self.colors, x=-0.5, y=0.5, dw="dw", dh="dh")
        self.cells = ColumnDataSource({"x": [], "y": [], "text": [], "color": []})
        place: dict[str, Any] = {"text_align": "center", "text_baseline": "middle", "text_font_size": "11px"}
        self.plot.text("x", "y", text="text", color="color", source=self.cells, **place)
        self.plot.add_tools(HoverTool(renderers=[heat], tooltips=_TIPS))
        self.datasets, self.entities = FixedTicker(), FixedTicker()
        self.plot.xaxis.ticker, self.plot.yaxis.ticker = self.datasets, self.entities
        self.plot.xaxis.major_label_overrides = {0: "public"}

    def show(self, setting: Setting, here: Prediction) -> None:
        """Draw new numbers; the public column, which comes first, may exceed the scale, which is that of private data."""
        count = setting.entities
        weights = np.asarray(here.transfer)[:count][:, [-1, *range(count)]]
        self._fit(count)
        if state(here) == "converges":
            private = weights[:, 1:]
            lowest = private.min()
            self.colors.update(low=-_scale(-lowest) if lowest < -_ROUNDING else 0.0, high=_scale(private.max()))
            self.cells.data = self._numbers(weights) if count <= _MOST_ENTITIES_WITH_NUMBERS else _NOTHING
        else:
            self.colors.update(low=0.0, high=1.0)
            self.cells.data = {"x": [count / 2], "y": [count / 2 + 0.5], "text": ["no limit"], "color": [INK]}
        self.image.data = {"image": [weights], "dw": [count + 1], "dh": [count]}

    def _fit(self, count: int) -> None:
        self.columns.end = self.rows.start = count + 0.5
        step = -(-count // _MOST_TICKS)
        self.entities.ticks = list(range(step, count + 1, step))
        self.datasets.ticks = [0, *self.entities.ticks]

    def _numbers(self, weights: np.ndarray) -> dict[str, Any]:
        middle = ((self.colors.low or 0.0) + (self.colors.high or 0.0)) / 2
        cells = list(np.ndenumerate(weights))
        return {
            "x": [column for (_, column), _ in cells],
            "y": [row + 1 for (row, _), _ in cells],
            "text": [f"{weight:.3f}" for _, weight in cells],
            "color": [PAPER if weight < middle else INK for _, weight in cells],
        }


_NOTHING: dict[str, Any] = {"x": [], "y": [], "text": [], "color": []}


def _scale(largest: float) -> float:
    """Value rounded up to a quarter of a decade, so that colors do not change with every small move of a slider."""
    return float(10 ** (np.ceil(4 * np.log10(max(largest, 1e-6))) / 4))
