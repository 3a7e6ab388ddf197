"""Arguments of commands that several processes can share."""

from dataclasses import dataclass


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
        """Wait for the other processes, if there are any; JAX then sees the devices of all."""
        from crossfeed.multihost import join_processes

        join_processes(self.coordinator, self.processes, self.process)
