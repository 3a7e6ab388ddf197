"""`crossfeed sweep`: any grid of weights and ecosystems, into a store that outlives interruptions."""

from dataclasses import dataclass, field
from pathlib import Path

import tyro

from .interruption import leave_at_once
from .output import print_json
from .processes import Processes


@dataclass(frozen=True)
class SweepRun:
    """Run the sweep that a TOML file describes (docs/sweeps.md).

    The store is Zarr: xarray.open_zarr(STORE) reads it, also while it grows. Killed at any moment and continued with
    --resume, it ends the same bit by bit. With several processes, on one host or many, start the command once for each.
    """

    spec: tyro.conf.Positional[Path]
    """SPEC.toml."""
    out: Path
    """The store to write, a folder."""
    resume: bool = False
    """Go on with the store instead of making it."""
    shared: Processes = field(default_factory=Processes)
    json: bool = False
    """Print the status at the end as one JSON object."""

    def run(self) -> None:
        """Run, with progress on stderr, and print how much is finished."""
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

            run_sweep(spec, self.out, Share(self.shared.process, self.shared.processes), report)
        first_alone(lambda: None)  # all have come to the end
        if self.shared.process == 0:
            SweepStatus(self.out, self.json).run()


@dataclass(frozen=True)
class SweepStatus:
    """Say how much of a sweep is finished."""

    store: tyro.conf.Positional[Path]
    """The store of a sweep."""
    json: bool = False
    """Print one JSON object."""

    def run(self) -> None:
        """Look and print."""
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
