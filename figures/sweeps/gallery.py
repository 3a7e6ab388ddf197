"""All figures made from sweeps and those of workflows, and the page that shows them."""

from collections.abc import Callable, Iterator
from functools import partial

from ..page import write_page
from ..report import Report, Request
from ..stability import breaking, safety
from ..workflows import accumulation, curation, different_truths, one_and_many, under_training, universality
from . import phase_diagrams, stability, trajectories, volume
from .sizes import FULL, QUICK, Sizes


def _without_sweep(draw: Callable[[Request], Report]) -> Callable[[Request, Sizes], Report]:
    """A figure that needs no sweep, called as the others."""
    return lambda request, sizes: draw(request)


GALLERY: dict[str, Callable[[Request, Sizes], Report]] = {
    "phase diagrams: ρ(Q)": partial(phase_diagrams.draw, variable="spectral_radius"),
    "phase diagrams: efficiency": partial(phase_diagrams.draw, variable="mean_relative_efficiency"),
    "phase diagrams: homogenization": partial(phase_diagrams.draw, variable="homogenization"),
    "phase diagrams: transfer": partial(phase_diagrams.draw, variable="mean_transfer"),
    "best weights against K": phase_diagrams.draw_optimum,
    "MSE to generation 100": trajectories.draw,
    "regions of stability": stability.draw_regions,
    "worst case": stability.draw_worst_case,
    "volume": volume.draw,
    "one and many": _without_sweep(one_and_many.draw),
    "accumulation": _without_sweep(accumulation.draw),
    "different truths": _without_sweep(different_truths.draw),
    "under-training": _without_sweep(under_training.draw),
    "universality": _without_sweep(universality.draw),
    "curation": _without_sweep(curation.draw),
    "what makes an ecosystem safe": _without_sweep(safety.draw),
    "what breaks an ecosystem": _without_sweep(breaking.draw),
}


def draw_gallery(request: Request, sizes: Sizes | None = None) -> Iterator[tuple[str, Report]]:
    """Make all figures and yield name and report of each; `index.html` is written after the last.

    Args:
        sizes: of the sweeps; if None, those for a quick or a full request.
    """
    sizes = sizes or (QUICK if request.quick else FULL)
    reports = []
    for name, draw in GALLERY.items():
        reports.append(draw(request, sizes))
        yield name, reports[-1]
    write_page(
        request.folder / "index.html",
        reports,
        f"Seed {request.seed}; the sweeps lie beside the figures as Zarr stores.",
    )
