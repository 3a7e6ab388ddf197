"""`crossfeed reproduce`, the main job, and `crossfeed figures`, the pictures made from sweeps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .arguments import checked_seed
from .folder import make_folder

if TYPE_CHECKING:
    from ..figures.report import Report


@dataclass(frozen=True)
class ReproduceCommand:
    """Reproduce the theorem figures and their checks: pictures, CSV, report.json, and index.html to read."""

    out: Path
    """Folder to write to."""
    quick: bool = False
    """Coarser grids and fewer replicates, in under a minute."""
    seed: int = 0
    """Of every random draw."""

    def run(self) -> None:
        """Make all figures, with progress on stderr."""
        from ..figures.report import Request
        from ..figures.reproduce import STAGES, reproduce

        request = Request(make_folder(self.out), self.quick, checked_seed(self.seed))
        _make(list(STAGES), reproduce(request), self.out)


@dataclass(frozen=True)
class FiguresCommand:
    """Draw the figures made from sweeps: phase diagrams for many K, best weights, regions of stability, volume."""

    out: Path
    """Folder to write to; sweeps that are there already are continued."""
    quick: bool = False
    """Coarser grids and fewer ecosystems."""
    seed: int = 0
    """Of every random draw."""

    def run(self) -> None:
        """Make all figures, with progress on stderr."""
        from ..figures.report import Request
        from ..figures.sweeps import GALLERY, draw_gallery

        request = Request(make_folder(self.out), self.quick, checked_seed(self.seed))
        _make(list(GALLERY), draw_gallery(request), self.out)


def _make(names: list[str], figures: Iterator[tuple[str, Report]], out: Path) -> None:
    """Draw figure after figure and say what each says."""
    from .progress import progress_bar

    with progress_bar() as progress:
        task = progress.add_task(names[0], total=len(names))
        for done, (_, report) in enumerate(figures, 1):
            progress.console.print(f"[bold]{report.title}[/bold]\n  {report.says}", highlight=False, soft_wrap=True)
            progress.update(task, completed=done, description=names[done] if done < len(names) else "page")
    print(out / "index.html")
