"""`crossfeed reproduce`, the figures of the theorems, and `crossfeed figures`, the gallery."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .folder import output_folder
from .inputs import checked_seed

if TYPE_CHECKING:
    from ..figures.report import Report


@dataclass(frozen=True)
class ReproduceCommand:
    """Reproduce the figures of the paper's theorems and their checks: images, CSV files, report.json, and index.html to read."""

    out: Path
    """Folder to write to; figures of an earlier run in it are replaced."""
    quick: bool = False
    """Use coarser grids and fewer replicates; takes about a minute."""
    seed: int = 0
    """Seed of all random numbers."""

    def run(self) -> None:
        """Make all figures, with progress on stderr."""
        from ..figures.report import Request
        from ..figures.reproduce import STAGES, reproduce

        seed = checked_seed(self.seed)
        with output_folder(self.out) as folder:
            _make(list(STAGES), reproduce(Request(folder, self.quick, seed)), self.out)


@dataclass(frozen=True)
class FiguresCommand:
    """Draw the gallery: phase diagrams for many K, best weights, trajectories, stability, volume, and workflows."""

    out: Path
    """Folder to write to; unfinished sweeps in it are continued."""
    quick: bool = False
    """Use coarser grids and fewer ecosystems."""
    seed: int = 0
    """Seed of all random numbers."""

    def run(self) -> None:
        """Make all figures, with progress on stderr."""
        from ..figures.report import Request
        from ..figures.sweeps import GALLERY, draw_gallery

        seed = checked_seed(self.seed)
        with output_folder(self.out) as folder:
            _make(list(GALLERY), draw_gallery(Request(folder, self.quick, seed)), self.out)


def _make(names: list[str], figures: Iterator[tuple[str, Report]], out: Path) -> None:
    """Make the figures one by one, and print the conclusion of each."""
    from .progress import progress_bar

    with progress_bar() as progress:
        task = progress.add_task(names[0], total=len(names))
        for done, (_, report) in enumerate(figures, 1):
            progress.console.print(f"[bold]{report.title}[/bold]\n  {report.says}", highlight=False, soft_wrap=True)
            progress.update(task, completed=done, description=names[done] if done < len(names) else "page")
    print(out / "index.html")
