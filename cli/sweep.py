"""`crossfeed sweep`: any grid of weights and ecosystems, into a store that outlives interruptions."""

from dataclasses import dataclass, field
from pathlib import Path

import tyro

from .interruption import leave_at_once
from .output import print_json
from .processes import Processes
from .progress import progress_bar


@dataclass(frozen=True)
class SweepCommand:
    """Run the sweep that a TOML file describes (docs/sweeps.md); `crossfeed sweep status STORE` says how far one is.

    The store is Zarr: xarray.open_zarr(STORE) reads it, also while it grows. Killed at any moment and continued with
    --resume, it ends the same bit by bit. With several processes, on one host or many, start the command once for each.
    """

    spec: tyro.conf.Positional[Path]
    """SPEC.toml, or the word status."""
    store: tyro.conf.Positional[Path | None] = None
    """After the word status: the store to look at."""
    out: Path | None = None
    """The store to write, a folder."""
    resume: bool = False
    """Go on with the store instead of making it."""
    shared: Processes = field(default_factory=Processes)
    json: bool = False
    """Print the status as one JSON object."""

    def run(self) -> None:
        """Run, or report."""
        from ..theory import InvalidInput

        if str(self.spec) == "status":
            if self.store is None:
                raise InvalidInput("store is missing: crossfeed sweep status STORE")
            self._print_status(self.store)
            return
        if self.store is not None:
            raise InvalidInput(f"{self.store} is one argument too many: give the store with --out")
        if self.out is None:
            raise InvalidInput("out is missing: name the store to write with --out")
        self._run(self.out)

    def _run(self, out: Path) -> None:
        self.shared.join()
        from ..sim.processes import first_alone, together
        from ..sim.sweep import Share, create_sweep, read_spec, run_sweep

        spec = together(lambda: read_spec(self.spec))
        if not self.resume:
            first_alone(lambda: create_sweep(spec, out))
        leave_at_once(out.exists)
        with progress_bar("{task.fields[rate]}") as progress:
            task = progress.add_task("points", rate="")

            def report(done: int, total: int) -> None:
                speed = progress.tasks[task].speed
                rate = f"{speed:,.0f} a second" if speed else ""
                progress.update(task, completed=done, total=total, rate=rate)

            run_sweep(spec, out, Share(self.shared.process, self.shared.processes), report)
        first_alone(lambda: None)  # all have come to the end
        if self.shared.process == 0:
            self._print_status(out)

    def _print_status(self, path: Path) -> None:
        from ..sim.sweep import status_of

        status = status_of(path)
        if self.json:
            print_json(vars(status))
            return
        share = status.points / status.all_points
        print(
            f"{path}: {status.points} of {status.all_points} points ({share:.1%}), {status.tiles} of {status.all_tiles} tiles"
        )
