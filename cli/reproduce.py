"""`crossfeed reproduce`: the main job."""

from dataclasses import dataclass
from pathlib import Path

from .arguments import checked_seed
from .folder import make_folder
from .output import progress_bar


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
        names = list(STAGES)
        with progress_bar() as progress:
            task = progress.add_task(names[0], total=len(names))
            for done, (_, report) in enumerate(reproduce(request), 1):
                progress.console.print(f"[bold]{report.title}[/bold]\n  {report.says}", highlight=False, soft_wrap=True)
                progress.update(task, completed=done, description=names[done] if done < len(names) else "page")
        print(self.out / "index.html")
