"""Page of one browser tab: sliders, and pictures that follow them."""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bokeh.document import Document
from bokeh.events import ConnectionLost, DocumentReady, Pan, Tap
from bokeh.models import ColumnDataSource, CustomJS

from . import words
from .family import (
    FEATURES,
    LEAST_STRENGTH,
    MOST_ENTITIES,
    MOST_STRENGTH,
    PUBLIC_STRENGTH,
    TOPICS,
    Family,
    Setting,
)
from .latest_only import LatestOnly
from .model import GENERATIONS, Diagram, Prediction, state
from .phase_diagram import PhaseDiagram
from .trajectories import Trajectories
from .transfer_matrix import TransferMatrix


def sliders_of(setting: Setting) -> dict[str, Any]:
    """Values of the sliders. They are one row of a data source, which both Bokeh and the browser may change."""
    volume = {"log_volume": math.log10(setting.volume)}
    values = {name: value for name, value in setting._asdict().items() if name != "volume" and value is not None}
    return values | volume | {"diagram": "efficiency"}


def setting_of(sliders: Mapping[str, Any]) -> Setting:
    """Setting from the sliders' values, in the theory's units.

    Types are fixed too: a browser sends 1.0 as the integer 1, for which JAX would compile anew.
    """
    return Setting(
        float(sliders["alpha"]),
        float(sliders["beta"]),
        int(sliders["entities"]),
        10.0 ** sliders["log_volume"],
        float(sliders["misalignment"]) if "misalignment" in sliders else None,
    )


class Page:
    """Content of the document of one browser tab."""

    def __init__(
        self,
        document: Document,
        predict: Callable[[Setting], Prediction],
        scan: Callable[[Setting], Diagram],
        family: Family = TOPICS,
    ) -> None:
        self.document, self.family = document, family
        self.sliders, self.said = ColumnDataSource(_one_row(sliders_of(family.start))), ColumnDataSource({})
        self.trajectories = Trajectories(words.unit(family.start))
        self.diagram, self.transfer = PhaseDiagram(family.grid), TransferMatrix()
        self.here = LatestOnly(document, predict, self.show_here)
        self.plane = LatestOnly(document, scan, self.show_plane)
        self.last_here: tuple[Setting, Prediction] | None = None
        self.last_plane: tuple[Setting, Diagram] | None = None
        self.drawn: tuple[Setting, str] | None = None

    def open(self) -> None:
        """Fill the document, connect the sliders, and request the first numbers."""
        self.sliders.on_change("data", lambda attr, old, new: self.ask())
        pointed = CustomJS(args={"sliders": self.sliders}, code="pointAt(sliders, cb_obj)")
        self.diagram.plot.js_on_event(Tap, pointed)
        self.diagram.plot.js_on_event(Pan, pointed)
        for name in ("trajectories", "diagram", "transfer"):
            plot = getattr(self, name).plot
            plot.name = name
            plot.tags = [self.sliders, self.said]  # a source belongs to the document only through a model
            self.document.add_root(plot)
        connect = CustomJS(args={"sliders": self.sliders, "said": self.said}, code="connectPage(sliders, said)")
        self.document.js_on_event(DocumentReady, connect)
        self.document.js_on_event(ConnectionLost, CustomJS(code="lostServer()"))
        self.document.title = "crossfeed explore"
        self.document.template = _read("page.html")  # pyright: ignore[reportAttributeAccessIssue]
        shown = {"source": self.family.source, "grid": self.family.grid, "unit": words.unit(self.family.start)}
        self.document.template_variables.update(_FIXED | shown)
        self.document.template_variables.update({"style": _read("page.css"), "script": _read("page.js")})
        self.ask()

    def ask(self) -> None:
        """Request the numbers for the sliders' values."""
        self.here.want(setting_of(_row(self.sliders)))
        self.draw_plane()

    def show_here(self, setting: Setting, here: Prediction) -> None:
        """Show the results at one setting, and request its phase diagram, which takes longer."""
        self.last_here = setting, here
        self.trajectories.show(setting, here)
        self.transfer.show(setting, here)
        self.diagram.mark(setting)
        self.say()
        self.plane.want(_without_weights(setting))

    def show_plane(self, setting: Setting, plane: Diagram) -> None:
        """Show a new phase diagram."""
        self.last_plane = setting, plane
        self.draw_plane()
        self.say()

    def draw_plane(self) -> None:
        """Draw the phase diagram of the chosen variable, unless it is drawn already."""
        if self.last_plane is None:
            return
        setting, plane = self.last_plane
        variable = _row(self.sliders)["diagram"]
        if (setting, variable) != self.drawn:
            self.diagram.show(plane, variable)
            self.drawn = setting, variable

    def say(self) -> None:
        """Write all sentences and numbers, those of the phase diagram only if it belongs to the current setting."""
        if self.last_here is None:
            return
        setting, here = self.last_here
        texts = {
            "caption": words.caption(setting),
            "state": state(here),
            "verdict": words.verdict(here),
            "about_errors": words.about_errors(setting, here),
            "about_transfer": words.about_transfer(setting, here),
            "about_turn": words.about_turn(setting, here),
            "about_safety": words.about_safety(here),
        }
        if self.last_plane is not None and self.last_plane[0] == _without_weights(setting):
            texts["about_weights"] = words.about_weights(here, self.last_plane[1])
            texts["plane_caption"] = words.plane_caption(setting)
        self.said.data = _one_row(_row(self.said) | words.numbers(setting, here) | texts)


_FIXED = {
    "most_entities": MOST_ENTITIES,
    "features": FEATURES,
    "generations": GENERATIONS,
    "least": LEAST_STRENGTH,
    "most": MOST_STRENGTH,
    "public": PUBLIC_STRENGTH,
}


def _one_row(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: [value] for name, value in values.items()}


def _row(source: ColumnDataSource) -> dict[str, Any]:
    return {str(name): values[0] for name, values in source.data.items()}


def _without_weights(setting: Setting) -> Setting:
    """Setting without its weights, on which the phase diagram does not depend."""
    return setting._replace(alpha=0.0, beta=0.0)


def _read(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")
