"""Arguments of commands that several processes can share."""

import socket
import time
from dataclasses import dataclass

_PATIENCE = 300
"""Seconds that a process waits for process 0 to start."""


@dataclass(frozen=True)
class Processes:
    """Several processes, on one host or many: start the command once for each."""

    coordinator: str | None = None
    """HOST:PORT of process 0, for several processes."""
    processes: int = 1
    """How many processes share the work."""
    process: int = 0
    """Which of them this is, from 0."""

    def join(self) -> None:
        """Wait for the other processes, if there are any; JAX then sees the devices of all.

        Raises:
            InvalidInput: an argument is out of its range or missing, or the others cannot be reached.
        """
        import jax

        from ..theory import InvalidInput

        if self.processes < 1:
            raise InvalidInput(f"processes is {self.processes}, but must be at least 1")
        if not 0 <= self.process < self.processes:
            raise InvalidInput(f"process is {self.process}, but must lie between 0 and {self.processes - 1}")
        if self.coordinator is None:
            if self.processes > 1:
                raise InvalidInput(f"coordinator is missing: give the HOST:PORT of process 0 to all {self.processes}")
            return
        host, _, port = self.coordinator.rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) < 2**16:
            raise InvalidInput(f"coordinator is {self.coordinator!r}, but must be HOST:PORT")
        try:
            # JAX would end the program with pages of errors.
            if self.process == 0:
                socket.create_server(("", int(port))).close()
            else:
                _await(host, int(port))
            jax.distributed.initialize(self.coordinator, self.processes, self.process)
        except (OSError, RuntimeError, UnicodeError) as error:  # a host's name may be none
            raise InvalidInput(
                f"cannot join the others at {self.coordinator}: {' '.join(str(error).split())[:200]}"
            ) from error


def _await(host: str, port: int) -> None:
    """Wait until somebody listens; an OSError if that takes too long, or there is no such host."""
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            return socket.create_connection((host, port), timeout=10).close()
        except OSError as error:
            if isinstance(error, socket.gaierror) or time.monotonic() > end:
                raise
        time.sleep(0.2)
