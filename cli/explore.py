"""`crossfeed explore`: interactive page."""

import logging
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from .arguments import WorkflowFile
from .inputs import blaming, load_workflow

OwnEcosystem = tyro.conf.Positional[
    Annotated[Path | None, tyro.conf.arg(metavar="ECOSYSTEM.npz", help_behavior_hint="(default: the family)")]
]


@dataclass(frozen=True)
class ExploreCommand:
    """Open an interactive page: errors, phase diagram, transfer and distance to safety for the values of sliders.

    The sliders are α, β, the number of entities, the volume of synthetic data and the misalignment; for an ecosystem of one's own,
    α, β and the volume. The page is served to this machine only and needs no network. Ctrl-C stops the server.
    """

    eco: OwnEcosystem = None
    """Ecosystem to show instead of the family with sliders."""
    port: int = 8650
    """Port to listen on; 0 chooses a free one."""
    no_browser: bool = False
    """Print the address without opening a browser."""

    workflow: WorkflowFile = None
    """TOML file with the tables [estimator], [pool] and [memory]."""

    def check(self) -> None:
        """Refuse files that cannot be read."""
        from crossfeed.formulas.ecosystem_file import read_ecosystem

        if self.eco is not None:
            read_ecosystem(self.eco)
        load_workflow(self.workflow)

    def run(self) -> None:
        """Serve until interrupted."""
        from tornado.platform.asyncio import BaseAsyncIOLoop

        from ..figures.explore import TOPICS, Programs, make_server, own_family
        from ..theory import load_ecosystem
        from .progress import progress_bar

        # A shell starts background processes with interrupts ignored; the server has to end at one all the same.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        # Bokeh warns when a tab is closed or reloaded while a result is being computed, which is harmless.
        logging.getLogger("bokeh.server.views.ws").setLevel(logging.ERROR)
        family = TOPICS if self.eco is None else own_family(load_ecosystem(self.eco), self.eco.name)
        programs = Programs(load_workflow(self.workflow), family)
        server = make_server(self.port, programs)
        with progress_bar() as progress, blaming(self.workflow):
            task = progress.add_task("compiling the theory", total=2)
            for done in programs.compile():
                progress.update(task, completed=done)
        loop = server.io_loop
        assert isinstance(loop, BaseAsyncIOLoop)  # Tornado has no other
        # Not by an exception, which Python swallows where it falls into the callback of a weak reference.
        signal.signal(signal.SIGINT, lambda *_: loop.asyncio_loop.call_soon_threadsafe(loop.stop))
        address = f"http://localhost:{server.port}/"
        print(f"{address}  (Ctrl-C stops)", flush=True)
        if not self.no_browser:
            loop.add_callback(server.show, "/")
        server.start()  # discards the sessions of closed tabs and keeps the others alive
        loop.start()
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # pressed again while the process ends
        server.stop()
