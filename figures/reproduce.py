"""All figures of the paper's theory part and their checks, with their data and a page to read."""

import json
import os
import platform
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version

from crossfeed.atomic_write import atomic_write

from . import calibration, lemma1, phase_diagram, prediction_error, real_data, relative_efficiency
from .page import write_page
from .report import Report, Request

STAGES: dict[str, Callable[[Request], Report]] = {
    "Figure 2": relative_efficiency.draw,
    "Figure 2, calibrated": calibration.draw,
    "Figure 4": prediction_error.draw,
    "Lemma 1": lemma1.draw,
    "phase diagram": phase_diagram.draw,
    "real data": real_data.draw,
}


def reproduce(request: Request) -> Iterator[tuple[str, Report]]:
    """Make all figures and yield name and report of each; `report.json` and `index.html` are written after the last."""
    reports, seconds = [], {}
    for name, draw in STAGES.items():
        start = time.perf_counter()
        reports.append(draw(request))
        seconds[reports[-1].name] = round(time.perf_counter() - start, 2)
        yield name, reports[-1]
    versions = {name: version(name) for name in ("crossfeed", "jax", "jaxlib", "numpy", "equinox", "optax")}
    machine = f"{platform.machine()} with {os.cpu_count()} cores, Python {platform.python_version()}"
    content = {
        "seed": request.seed,
        "quick": request.quick,
        "machine": machine,
        "versions": versions,
        "seconds": seconds,
        "figures": {
            r.name: {"title": r.title, "says": r.says, "setting": r.setting, "numbers": r.numbers, "files": r.files}
            for r in reports
        },
    }
    with atomic_write(request.folder / "report.json") as part:
        part.write_text(json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
    stack = ", ".join(f"{name} {number}" for name, number in versions.items())
    write_page(request.folder / "index.html", reports, f"Seed {request.seed}; {machine}; {stack}.")
