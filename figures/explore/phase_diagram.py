"""Efficiency or ρ(Q) over (α, β), with the edge of the region that has a limit, the best and the current weights."""

from typing import Any

import numpy as np
from bokeh.models import ColumnDataSource, HoverTool
from bokeh.plotting.contour import contour_data
from scipy.ndimage import distance_transform_edt

from crossfeed.formulas.stein import UNIT_ROOT_TOLERANCE

from .canvas import INK, PAPER, canvas, heat_scale, image, rounded_up
from .family import Setting
from .model import Diagram, best_weights, with_limits

_TIPS = [("α", "$x{0.00}"), ("β", "$y{0.00}"), ("ρ(Q)", "@radius{0.0000}"), ("efficiency", "@efficiency{0.0000}")]


class PhaseDiagram:
    """Plot of the phase diagram, updated with new numbers.

    Args:
        grid: points per axis.
    """

    def __init__(self, grid: int) -> None:
        half = 0.5 / (grid - 1)  # half the width of a cell
        side = (-half, 1 + half)
        self.plot = canvas("α, weight of synthetic data", "β, weight of private data", x_range=side, y_range=side)
        self.colors = heat_scale(self.plot)
        self.image = ColumnDataSource({"image": [], "radius": [], "efficiency": []})
        size = 1 + 2 * half
        heat = image(self.plot, self.image, self.colors, x=-half, y=-half, dw=size, dh=size)
        self.edge, self.label, self.best, self.current = (ColumnDataSource({"x": [], "y": []}) for _ in range(4))
        self.plot.line("x", "y", source=self.edge, color=INK, line_width=4.5)
        self.plot.line("x", "y", source=self.edge, color=PAPER, line_width=2)
        words: dict[str, Any] = {"text": {"value": "no limit"}, "text_align": "center", "text_baseline": "middle"}
        self.plot.text("x", "y", source=self.label, text_color=INK, **words)
        # Overlays are not clipped at the edge of the plane, as other marks are.
        look: dict[str, Any] = {"fill_color": PAPER, "line_color": INK, "line_width": 2.5, "level": "overlay"}
        self.plot.scatter("x", "y", source=self.best, marker="diamond", size=15, **look)
        self.plot.scatter("x", "y", source=self.current, marker="circle", size=13, **look)
        self.plot.add_tools(HoverTool(renderers=[heat], tooltips=_TIPS))

    def show(self, diagram: Diagram, variable: str) -> None:
        """Draw a new phase diagram, or another variable of it."""
        values = getattr(diagram, variable)
        self.colors.high = rounded_up(np.nanmax(values, initial=0.0)) or 1.0
        self.image.data = {"image": [values], "radius": [diagram.spectral_radius], "efficiency": [diagram.efficiency]}
        self.edge.data = _edge(diagram)
        self.label.data = _roomy_place(diagram)
        best = best_weights(diagram)
        self.best.data = {"x": [best[1]], "y": [best[0]]} if best else {"x": [], "y": []}

    def mark(self, setting: Setting) -> None:
        """Move the circle to the current weights."""
        self.current.data = {"x": [setting.alpha], "y": [setting.beta]}


def _edge(diagram: Diagram) -> dict[str, Any]:
    """Line on which ρ(Q) reaches one; its parts are separated by NaN."""
    axis = _axis(diagram)
    found = contour_data(axis, axis, diagram.spectral_radius, [1 - UNIT_ROOT_TOLERANCE], want_fill=False).line_data
    return {"x": found.xs[0], "y": found.ys[0]} if found else {"x": np.empty(0), "y": np.empty(0)}


def _roomy_place(diagram: Diagram) -> dict[str, Any]:
    """Position where the words "no limit", four times as wide as high, have most room; empty if there is too little."""
    inside = np.pad(~with_limits(diagram), 1)
    room = np.asarray(distance_transform_edt(inside, sampling=(1, 0.25)))[1:-1, 1:-1]
    row, column = np.unravel_index(room.argmax(), room.shape)
    axis = _axis(diagram)
    return {"x": [axis[column]], "y": [axis[row]]} if room.max() > 1.4 else {"x": [], "y": []}


def _axis(diagram: Diagram) -> np.ndarray:
    """Values of α, and of β."""
    return np.linspace(0, 1, len(diagram.spectral_radius))
