"""`crossfeed explore`: an interactive page."""

import logging
import signal
from dataclasses import dataclass


@dataclass(frozen=True)
class ExploreCommand:
    """Open a page with dials for α, β, K, volume and misalignment; errors, phase diagram and transfer follow them.

    It is served to this machine only and needs no network. Ctrl-C stops it.
    """

    port: int = 8650
    """Port to listen on; 0 takes any that is free."""
    no_browser: bool = False
    """Only print the address."""

    def run(self) -> None:
        """Serve until interrupted."""
        from ..figures.explore import Programs, make_server
        from .progress import progress_bar

        # A shell starts what runs in its background with interrupts ignored; a server must end by one all the same.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        # Bokeh warns when a tab is closed or reloaded while an answer is on its way, which is no fault.
        logging.getLogger("bokeh.server.views.ws").setLevel(logging.ERROR)
        programs = Programs()
        server = make_server(self.port, programs)
        with progress_bar() as progress:
            task = progress.add_task("compiling the theory", total=2)
            for done in programs.compile():
                progress.update(task, completed=done)
        address = f"http://localhost:{server.port}/"
        print(f"{address}  (Ctrl-C stops)", flush=True)
        if not self.no_browser:
            server.io_loop.add_callback(server.show, "/")
        server.start()  # discards the sessions of closed tabs, and keeps the others alive
        try:
            server.io_loop.start()
        except KeyboardInterrupt:
            server.stop()
