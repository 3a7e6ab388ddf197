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
        """Wait for the other processes, if there are any; JAX then sees the devices of all.

        Raises:
            InvalidInput: the arguments do not go together.
        """
        import jax

        from ..theory import InvalidInput

        if not 0 <= self.process < self.processes:
            raise InvalidInput(f"process is {self.process}, but must lie between 0 and {self.processes - 1}")
        if (self.processes > 1) != (self.coordinator is not None):
            raise InvalidInput("coordinator and processes go together: give both or neither")
        if self.coordinator:
            jax.distributed.initialize(self.coordinator, self.processes, self.process)
