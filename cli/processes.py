"""Arguments of commands that several processes can share."""

from dataclasses import dataclass
from typing import Annotated

import tyro


@dataclass(frozen=True)
class Processes:
    """To share the work between processes, on one host or many, start the command once per process."""

    coordinator: Annotated[str | None, tyro.conf.arg(metavar="HOST:PORT", help_behavior_hint="(default: none)")] = None
    """Address of process 0; required for more than one process."""
    processes: int = 1
    """Number of processes."""
    process: int = 0
    """Index of this process, from 0."""

    def join(self) -> None:
        """Wait for the other processes, if there are any; JAX then sees the devices of all."""
        from crossfeed.multihost import join_processes

        join_processes(self.coordinator, self.processes, self.process)
