"""All figures made from sweeps and those of workflows, and the page that shows them."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from ..drawing import Drawing, Drawn, draw_all, finished
from ..page import write_page
from ..settings import Changes
from ..stability import breaking, safety
from ..workflows import accumulation, curation, different_truths, one_and_many, under_training, universality
from . import phase_diagrams, regions, trajectories, volume, worst_case


def _phase_diagrams(title: str, variable: str) -> Drawing:
    return Drawing(title, phase_diagrams.Settings, partial(phase_diagrams.draw, variable=variable))


GALLERY = {
    "phase_spectral_radius": _phase_diagrams("phase diagrams: ρ(Q)", "spectral_radius"),
    "phase_mean_relative_efficiency": _phase_diagrams("phase diagrams: efficiency", "mean_relative_efficiency"),
    "phase_homogenization": _phase_diagrams("phase diagrams: homogenization", "homogenization"),
    "phase_mean_transfer": _phase_diagrams("phase diagrams: transfer", "mean_transfer"),
    "optimum": Drawing("best weights against K", phase_diagrams.Settings, phase_diagrams.draw_optimum),
    "mse_to_100": Drawing("MSE to generation 100", trajectories.Settings, trajectories.draw),
    "regions": Drawing("regions of stability", regions.Settings, regions.draw),
    "worst_case": Drawing("worst case", worst_case.Settings, worst_case.draw),
    "volume": Drawing("volume", volume.Settings, volume.draw),
    "one_and_many": Drawing("one and many", one_and_many.Settings, one_and_many.draw),
    "accumulation": Drawing("accumulation", accumulation.Settings, accumulation.draw),
    "different_truths": Drawing("different truths", different_truths.Settings, different_truths.draw),
    "under_training": Drawing("under-training", under_training.Settings, under_training.draw),
    "universality": Drawing("universality", universality.Settings, universality.draw),
    "curation": Drawing("curation", curation.Settings, curation.draw),
    "stability_safety": Drawing("what makes an ecosystem safe", safety.Settings, safety.draw),
    "stability_breaking": Drawing("what breaks an ecosystem", breaking.Settings, breaking.draw),
}


def draw_gallery(folder: Path, quick: bool = False, changes: Sequence[Changes] = ()) -> Iterator[Drawn]:
    """Iterator that makes all figures, one by one; `index.html` is written after the last.

    Args:
        folder: an existing folder to write to.
        quick: as for `draw_all`.
        changes: as for `draw_all`.

    Raises:
        InvalidInput: as `draw_all`.
    """
    return finished(draw_all(GALLERY, folder, quick, changes), lambda made: _show(made, folder))


def _show(made: list[Drawn], folder: Path) -> None:
    reports = [one.report for one in made]
    write_page(folder / "index.html", reports, "The sweeps lie beside the figures as Zarr stores.")
