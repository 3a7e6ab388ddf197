"""`crossfeed sweep`: grids of weights and ecosystems, computed into a store that survives interruptions."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from crossfeed.errors import InvalidInput

from .inputs import check_sweeps, check_toml
from .interruption import leave_at_once
from .output import print_json, print_notes, print_table
from .processes import Processes


@dataclass(frozen=True)
class SweepRun:
    """Run the sweep that a TOML file describes (docs/sweeps.md).

    The store is Zarr: xarray.open_zarr(STORE) reads it, even while it grows. Killed at any moment and continued with --resume,
    it ends the same bit by bit. To share the work between processes, on one host or many, start the command once per process.
    """

    spec: tyro.conf.Positional[Annotated[Path, tyro.conf.arg(metavar="SPEC.toml")]]
    """File that describes the sweep."""
    out: Path
    """Folder of the store."""
    resume: bool = False
    """Continue an existing store instead of creating one."""
    extend: bool = False
    """Compute what the spec has more than an existing store: quantities, values of axes, draws or generations. All else is kept."""
    shared: Processes = field(default_factory=Processes)
    json: bool = False
    """Print the final status as one JSON object."""

    def check(self) -> None:
        """Refuse two ways at once, and a file that is not TOML; of several processes, all would have to."""
        if self.resume and self.extend:
            raise InvalidInput("resume and extend are both given, but --extend goes on after an interruption too")
        if self.shared.processes == 1:
            check_toml(self.spec)

    def run(self) -> None:
        """Run the sweep, with progress on stderr, and print how much is finished."""
        from .progress import progress_bar

        self.shared.join()
        from crossfeed.multihost import first_alone, together

        from ..sim.sweep import Share, create_sweep, extend_sweep, read_spec, run_sweep

        spec = together(lambda: read_spec(self.spec))
        if self.extend:
            first_alone(lambda: extend_sweep(spec, self.out, _note))
        elif not self.resume:
            first_alone(lambda: create_sweep(spec, self.out))
        leave_at_once(self.out.exists)
        with progress_bar("{task.fields[rate]}") as progress:
            task = progress.add_task("points", rate="")

            def report(done: int, total: int) -> None:
                speed = progress.tasks[task].speed
                rate = f"{speed:,.0f} per second" if speed else ""
                progress.update(task, completed=done, total=total, rate=rate)

            run_sweep(spec, self.out, Share(self.shared.process, self.shared.processes), report, _note)
        first_alone(lambda: None)  # waits until all processes are finished
        if self.shared.process == 0:
            SweepStatus(self.out, self.json).run()


@dataclass(frozen=True)
class SweepStatus:
    """Show how much of a sweep is finished."""

    store: tyro.conf.Positional[Annotated[Path, tyro.conf.arg(metavar="STORE")]]
    """Store of the sweep."""
    json: bool = False
    """Print one JSON object."""

    def check(self) -> None:
        """Refuse a store that is missing."""
        check_sweeps(self.store)

    def run(self) -> None:
        """Read the store and print its status."""
        from ..sim.sweep import status_of

        status = status_of(self.store)
        if self.json:
            print_json(vars(status))
            return
        share = status.points / status.all_points
        interpolated = "" if status.interpolated is None else f"; {status.interpolated} points are interpolated"
        print(
            f"{self.store}: {status.points} of {status.all_points} points ({share:.1%}), "
            f"{status.tiles} of {status.all_tiles} tiles{interpolated}"
        )
        if status.points and status.interpolated == 0:
            _note(
                "no finished point is interpolated: the grid is too coarse, or the tolerance too small (docs/sweeps.md)"
            )
        for file in status.damaged:
            _note(f"{self.store / file} is damaged: --resume computes it again")


@dataclass(frozen=True)
class SweepCompare:
    """Show two sweeps side by side: the settings that differ, and every quantity at the points that both have finished."""

    first: tyro.conf.Positional[Annotated[Path, tyro.conf.arg(metavar="STORE")]]
    """Store of a sweep."""
    second: tyro.conf.Positional[Annotated[Path, tyro.conf.arg(metavar="STORE")]]
    """Store of another sweep."""
    json: bool = False
    """Print one JSON object."""

    def check(self) -> None:
        """Refuse stores that are missing."""
        check_sweeps(self.first, self.second)

    def run(self) -> None:
        """Compare the stores and print both tables."""
        from ..sim.sweep import compare_sweeps

        found = compare_sweeps(self.first, self.second)
        if self.json:
            quantities = {name: vars(each) for name, each in found.quantities.items()}
            print_json({"settings": found.settings, "points": found.points, "quantities": quantities})
            return
        print_table(
            f"settings that differ between {self.first} and {self.second}",
            ["setting", "first", "second"],
            ((name, *map(_brief, values)) for name, values in found.settings.items()),
        )
        print_table(
            f"{found.points} points in both, mean over all values that are finite in both",
            ["quantity", "values", "first", "second", "largest gap", "in one only"],
            (
                (name, each.values, each.first, each.second, each.largest, each.unmatched)
                for name, each in found.quantities.items()
            ),
        )


def _brief(value: object) -> str:
    if isinstance(value, list) and len(value) > 4:
        return f"{len(value)} values, {value[0]} to {value[-1]}"
    return ", ".join(map(str, value)) if isinstance(value, list) else "-" if value is None else str(value)


def _note(sentence: str) -> None:
    print_notes([sentence])
