"""`crossfeed sweep`: grids of weights and ecosystems, computed into a store that survives interruptions."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from .interruption import leave_at_once
from .output import print_json, print_notes
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
    shared: Processes = field(default_factory=Processes)
    json: bool = False
    """Print the final status as one JSON object."""

    def run(self) -> None:
        """Run the sweep, with progress on stderr, and print how much is finished."""
        from .progress import progress_bar

        self.shared.join()
        from crossfeed.multihost import first_alone, together

        from ..sim.sweep import Share, create_sweep, read_spec, run_sweep

        spec = together(lambda: read_spec(self.spec))
        if not self.resume:
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

    def run(self) -> None:
        """Read the store and print its status."""
        from ..sim.sweep import status_of

        status = status_of(self.store)
        if self.json:
            print_json(vars(status))
            return
        share = status.points / status.all_points
        print(
            f"{self.store}: {status.points} of {status.all_points} points ({share:.1%}), "
            f"{status.tiles} of {status.all_tiles} tiles"
        )
        for file in status.damaged:
            _note(f"{self.store / file} is damaged: --resume computes it again")


def _note(sentence: str) -> None:
    print_notes([sentence])
