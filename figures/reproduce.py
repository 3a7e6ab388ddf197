"""All figures of the paper's theory part and their checks, with their data and a page to read."""

import json
import os
import platform
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from crossfeed.atomic_write import atomic_write

from . import calibration, lemma1, phase_diagram, prediction_error, real_data, relative_efficiency
from .drawing import Drawing, Drawn, draw_all, finished
from .page import write_page
from .settings import Changes

STAGES = {
    "fig2": Drawing("Figure 2", relative_efficiency.Settings, relative_efficiency.draw),
    "fig2_calibrated": Drawing("Figure 2, calibrated", calibration.Settings, calibration.draw),
    "fig4": Drawing("Figure 4", prediction_error.Settings, prediction_error.draw),
    "lemma1": Drawing("Lemma 1", lemma1.Settings, lemma1.draw),
    "phase_diagram": Drawing("phase diagram", phase_diagram.Settings, phase_diagram.draw),
    "real_data": Drawing("real data", real_data.Settings, real_data.draw),
}


def reproduce(folder: Path, quick: bool = False, changes: Sequence[Changes] = ()) -> Iterator[Drawn]:
    """Iterator that makes all figures, one by one; `report.json` and `index.html` are written after the last.

    Raises:
        InvalidInput: as `draw_all`.
    """
    return finished(draw_all(STAGES, folder, quick, changes), lambda made: _describe(made, folder, quick))


def _describe(made: list[Drawn], folder: Path, quick: bool) -> None:
    """Write `report.json` and `index.html`."""
    versions = {name: version(name) for name in ("crossfeed", "jax", "jaxlib", "numpy", "equinox", "optax")}
    machine = f"{platform.machine()} with {os.cpu_count()} cores, Python {platform.python_version()}"
    content = {
        "quick": quick,
        "machine": machine,
        "versions": versions,
        "seconds": {one.report.name: round(one.seconds, 2) for one in made},
        "figures": {one.report.name: _described(one) for one in made},
    }
    with atomic_write(folder / "report.json") as part:
        part.write_text(json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
    stack = ", ".join(f"{name} {number}" for name, number in versions.items())
    write_page(folder / "index.html", [one.report for one in made], f"{machine}; {stack}.")


def _described(one: Drawn) -> dict[str, object]:
    report = one.report
    return {
        "title": report.title,
        "says": report.says,
        "setting": report.setting,
        "settings": asdict(one.settings),
        "numbers": report.numbers,
        "files": report.files,
    }
