"""`crossfeed figure`, `reproduce` and `figures`: one figure, those of the theorems, and the gallery, with anyone's settings."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from .folder import output_folder
from .inputs import checked_seed
from .look import FolderLookOptions

if TYPE_CHECKING:
    from ..figures.drawing import Drawn
    from ..figures.settings import Changes

_Spec = Annotated[Path | None, tyro.conf.arg(metavar="FILE.toml", help_behavior_hint="(optional)")]
_Set = Annotated[tyro.conf.UseAppendAction[list[str]], tyro.conf.arg(name="set", metavar="KEY=VALUE")]
_Seed = Annotated[int | None, tyro.conf.arg(metavar="INT", help_behavior_hint="(default: that of each figure, 0)")]


@dataclass(frozen=True)
class FigureCommand:
    """Draw one figure of `reproduce` or of the gallery, with its settings or with yours: K, d, ranks, α, β, T, replicates, seed.

    A setting is given by --set, for instance --set entities=20 --set 'beta=[0.2, 0.8]', or in a TOML file; what you change is
    written below the figure.
    """

    name: tyro.conf.Positional[
        Annotated[str | None, tyro.conf.arg(metavar="NAME", help_behavior_hint="(required without --list)")]
    ] = None
    """Name of the figure."""
    spec: _Spec = None
    """Settings that differ from those of the figure; --show prints a file to start from."""
    changes: _Set = field(default_factory=list)
    """Change one setting; repeat the option for more."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="PATH", help_behavior_hint="(default: results/NAME)")] = None
    """Folder to write to."""
    quick: bool = False
    """Use the settings of the table [quick]: coarser grids and fewer replicates."""
    listing: Annotated[bool, tyro.conf.arg(name="list")] = False
    """List the figures."""
    show: bool = False
    """Print the figure's settings as TOML."""
    look: FolderLookOptions = field(default_factory=FolderLookOptions)

    def run(self) -> None:
        """Draw the figure and print its conclusion, or print what there is to know about it."""
        from crossfeed.errors import InvalidInput

        from ..figures.catalog import FIGURES
        from ..figures.drawing import draw_all
        from ..figures.settings import shipped_text

        if (self.listing or self.show) and (self.spec or self.changes or self.out or self.quick):
            raise InvalidInput(
                f"--{'list' if self.listing else 'show'} draws nothing: give it no --spec, --set, --out or --quick"
            )
        if self.listing:
            print("\n".join(f"{name:32}{drawing.title}" for name, drawing in FIGURES.items()))
            return
        if self.name is None:
            raise InvalidInput("figure needs NAME; crossfeed figure --list names all figures")
        if self.name not in FIGURES:
            near = get_close_matches(self.name, FIGURES, n=1, cutoff=0.5)
            advice = f"did you mean {near[0]}?" if near else "crossfeed figure --list names all"
            raise InvalidInput(f"there is no figure {self.name!r}: {advice}")
        if self.show:
            print(shipped_text(FIGURES[self.name].settings), end="")
            return
        out = self.out or Path("results", self.name)
        changes = _changes(self.spec, self.changes)
        with self.look.looking_in_folder(), output_folder(out) as folder:
            report = next(draw_all({self.name: FIGURES[self.name]}, folder, self.quick, changes)).report
        print(report.says)
        print(report.setting)
        print("\n".join(str(out / name) for name in report.files))


@dataclass(frozen=True)
class ReproduceCommand:
    """Reproduce the figures of the paper's theorems and their checks: images, CSV files, report.json, and index.html to read."""

    out: Path
    """Folder to write to; figures of an earlier run in it are replaced."""
    quick: bool = False
    """Use coarser grids and fewer replicates; takes about a minute."""
    seed: _Seed = None
    """Seed of all random numbers."""
    changes: _Set = field(default_factory=list)
    """Change a setting of all figures that have it, for instance entities=6 (crossfeed figure NAME --show); may be repeated."""
    look: FolderLookOptions = field(default_factory=FolderLookOptions)

    def run(self) -> None:
        """Make all figures, with progress on stderr."""
        from ..figures.reproduce import STAGES, reproduce

        changes = _changes(None, self.changes, self.seed)
        titles = [drawing.title for drawing in STAGES.values()]
        with self.look.looking_in_folder(page=True), output_folder(self.out) as folder:
            _make(titles, reproduce(folder, self.quick, changes), folder)


@dataclass(frozen=True)
class FiguresCommand:
    """Draw the gallery: phase diagrams for many K, best weights, trajectories, stability, volume, and workflows."""

    out: Path
    """Folder to write to; unfinished sweeps in it are continued."""
    quick: bool = False
    """Use coarser grids and fewer ecosystems."""
    seed: _Seed = None
    """Seed of all random numbers."""
    changes: _Set = field(default_factory=list)
    """Change a setting of all figures that have it, for instance rank=3 (crossfeed figure NAME --show); may be repeated."""
    look: FolderLookOptions = field(default_factory=FolderLookOptions)

    def run(self) -> None:
        """Make all figures, with progress on stderr."""
        from ..figures.sweeps import GALLERY, draw_gallery

        changes = _changes(None, self.changes, self.seed)
        titles = [drawing.title for drawing in GALLERY.values()]
        with self.look.looking_in_folder(page=True), output_folder(self.out) as folder:
            _make(titles, draw_gallery(folder, self.quick, changes), folder)


def _changes(spec: Path | None, words: list[str], seed: int | None = None) -> list[Changes]:
    """Settings that a user gives, of which later ones win."""
    from ..figures.settings import changes_from_file, changes_from_words

    given = [*words] if seed is None else [f"seed={checked_seed(seed)}", *words]
    return ([changes_from_file(spec)] if spec else []) + ([changes_from_words(given)] if given else [])


def _make(titles: list[str], figures: Iterable[Drawn], out: Path) -> None:
    """Make the figures one by one, and print the conclusion of each."""
    from .progress import progress_bar

    with progress_bar() as progress:
        task = progress.add_task(titles[0], total=len(titles))
        for done, one in enumerate(figures, 1):
            report = one.report
            progress.console.print(f"[bold]{report.title}[/bold]\n  {report.says}", highlight=False, soft_wrap=True)
            progress.update(task, completed=done, description=titles[done] if done < len(titles) else "page")
    print(out / "index.html")
