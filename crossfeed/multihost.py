"""Several processes, on one host or many, that run the same program over all their devices."""

import socket
import time
from collections.abc import Callable
from typing import TypeVar, cast

import jax
import numpy as np
from jax.experimental import multihost_utils

from crossfeed.errors import CrossfeedError, InvalidInput

_Result = TypeVar("_Result")

_PATIENCE = 300
"""Seconds that a process waits for process 0 to start."""


def join_processes(coordinator: str | None, processes: int, process: int) -> None:
    """Wait for the other processes, if there are any; JAX then sees the devices of all.

    Args:
        coordinator: HOST:PORT of process 0; None for a process alone.
        processes: how many there are.
        process: which of them this is, from 0.

    Raises:
        InvalidInput: an argument is out of its range or missing, or the others cannot be reached.
    """
    if processes < 1:
        raise InvalidInput(f"processes is {processes}, but must be at least 1")
    if not 0 <= process < processes:
        raise InvalidInput(f"process is {process}, but must lie between 0 and {processes - 1}")
    if coordinator is None:
        if processes > 1:
            raise InvalidInput(f"coordinator is missing: give the HOST:PORT of process 0 to all {processes}")
        return
    host, _, port = coordinator.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 2**16:
        raise InvalidInput(f"coordinator is {coordinator!r}, but must be HOST:PORT")
    try:
        # JAX would end the program with pages of errors.
        if process == 0:
            socket.create_server(("", int(port))).close()
        else:
            _await(host, int(port))
        jax.distributed.initialize(coordinator, processes, process)
    except (OSError, RuntimeError, UnicodeError) as error:  # a host's name may be none
        raise InvalidInput(f"cannot join the others at {coordinator}: {' '.join(str(error).split())[:200]}") from error


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


def together(action: Callable[[], _Result]) -> _Result:
    """What every process does by itself, such as reading; if one fails, all stop.

    Args:
        action: waits for no other process. What ends a process, such as Ctrl-C, is not passed on.

    Raises:
        CrossfeedError: another process failed. Where it failed: what it raised.
    """
    failure = result = None
    try:
        result = action()
    except Exception as error:  # whatever it is, the others must not wait for ever
        failure = error
    failed = np.flatnonzero(multihost_utils.process_allgather(np.array(failure is not None)))
    if len(failed):
        raise failure or CrossfeedError(f"process {failed[0]} stopped, so this process stops too")
    return cast(_Result, result)


def first_alone(action: Callable[[], object]) -> None:
    """Process 0 acts, the others wait for it and stop if it fails.

    Raises:
        CrossfeedError: process 0 failed. There: what it raised.
    """
    together(lambda: action() if jax.process_index() == 0 else None)


def as_first(value: int) -> int:
    """Process 0's value, where each has its own."""
    return int(multihost_utils.broadcast_one_to_all(np.int32(value)))


def check_alike(fingerprint: str, what: str) -> None:
    """See that all processes have the same.

    Args:
        fingerprint: of what each has, hexadecimal and equally long.
        what: it is, for the message.

    Raises:
        InvalidInput: a process has another than process 0.
    """
    of_all = multihost_utils.process_allgather(np.frombuffer(bytes.fromhex(fingerprint), np.uint8))
    if len(others := np.flatnonzero((of_all != of_all[0]).any(axis=1))):
        raise InvalidInput(f"{what} of process {others[0]} differ from those of process 0")


def gathered(values: jax.Array | np.ndarray) -> np.ndarray:
    """An array in this process's memory, wherever its parts are; all processes call it for the same arrays in the same order."""
    if isinstance(values, jax.Array) and not values.is_fully_addressable:
        return multihost_utils.process_allgather(values, tiled=True)
    return np.asarray(values)
