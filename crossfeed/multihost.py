"""One program run by several processes, on one host or many, over the devices of all (`jax.distributed`).

Every function here also works in a process that runs alone, where it has nobody to wait for.
"""

import socket
import time
from collections.abc import Callable
from typing import TypeVar, cast

import jax
import numpy as np
from jax.experimental import multihost_utils

from crossfeed.errors import CrossfeedError, InvalidInput, reason_of

_Result = TypeVar("_Result")

_PATIENCE = 300
"""Seconds for which a process waits for process 0 to accept connections."""


def join_processes(coordinator: str | None, processes: int, process: int) -> None:
    """Connect this process to the others of its run, after which JAX sees the devices of all of them.

    To be called before anything asks JAX for its devices.

    Args:
        coordinator: HOST:PORT of process 0; None for a process that runs alone.
        processes: number of processes, at least 1.
        process: index of this process, from 0 to `processes` - 1.

    Raises:
        InvalidInput: an argument is out of its range or missing, or the other processes cannot be reached.

    Example:
        >>> from crossfeed.multihost import join_processes
        >>> join_processes(None, processes=1, process=0)  # alone: nothing to do
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
        # Checked here, because JAX would end the program with pages of errors.
        if process == 0:
            socket.create_server(("", int(port))).close()
        else:
            _await(host, int(port))
        jax.distributed.initialize(coordinator, processes, process)
    except (OSError, RuntimeError, UnicodeError) as error:  # UnicodeError: not a host name
        raise InvalidInput(f"cannot join the others at {coordinator}: {reason_of(error)}") from error


def _await(host: str, port: int) -> None:
    """Wait until process 0 accepts connections; raises an OSError if that takes too long or the host is unknown."""
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            return socket.create_connection((host, port), timeout=10).close()
        except OSError as error:
            if isinstance(error, socket.gaierror) or time.monotonic() > end:
                raise
        time.sleep(0.2)


def together(action: Callable[[], _Result]) -> _Result:
    """Result of an action that every process carries out by itself, such as reading a file; if one fails, all stop.

    Args:
        action: a function that waits for no other process. Only an `Exception` it raises stops the other processes; an
            interrupt such as Ctrl-C does not.

    Returns:
        What `action` returned in this process.

    Raises:
        CrossfeedError: `action` failed in another process. A process where it failed raises the original exception.

    Example:
        >>> from crossfeed.multihost import together
        >>> together(lambda: 1 + 1)
        2
    """
    failure = result = None
    try:
        result = action()
    except Exception as error:  # any failure: the other processes must not wait forever
        failure = error
    failed = np.flatnonzero(multihost_utils.process_allgather(np.array(failure is not None)))
    if len(failed):
        raise failure or CrossfeedError(f"process {failed[0]} stopped, so this process stops too")
    return cast(_Result, result)


def first_alone(action: Callable[[], object]) -> None:
    """Carry out an action in process 0 only, while the others wait for it and stop if it fails.

    Args:
        action: a function that waits for no other process; its result is dropped.

    Raises:
        CrossfeedError: `action` failed. Process 0 raises the original exception.

    Example:
        >>> from crossfeed.multihost import first_alone
        >>> first_alone(lambda: print("written once"))
        written once
    """
    together(lambda: action() if jax.process_index() == 0 else None)


def as_first(value: int) -> int:
    """Value that process 0 passed, in every process.

    Args:
        value: this process's own value, from -2³¹ to 2³¹ - 1.

    Example:
        >>> from crossfeed.multihost import as_first
        >>> as_first(7)
        7
    """
    return int(multihost_utils.broadcast_one_to_all(np.int32(value)))


def check_alike(fingerprint: str, what: str) -> None:
    """Refuse to go on unless all processes hold the same data or settings.

    Args:
        fingerprint: hash of what this process holds, in hexadecimal digits, of the same length in every process.
        what: name of it in the message; a plural such as "the settings".

    Raises:
        InvalidInput: the fingerprint of a process differs from that of process 0.

    Example:
        >>> from crossfeed.multihost import check_alike
        >>> check_alike("c0ffee", "the settings")
    """
    of_all = multihost_utils.process_allgather(np.frombuffer(bytes.fromhex(fingerprint), np.uint8))
    if len(others := np.flatnonzero((of_all != of_all[0]).any(axis=1))):
        raise InvalidInput(f"{what} of process {others[0]} differ from those of process 0")


def gathered(values: jax.Array | np.ndarray) -> np.ndarray:
    """NumPy copy of an array whose parts may lie on the devices of other processes.

    All processes have to call it for the same arrays in the same order.

    Args:
        values: an array of any shape, sharded or not.

    Returns:
        The whole array, with the same shape and type, in the memory of every process.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.multihost import gathered
        >>> gathered(jnp.arange(3))
        array([0, 1, 2])
    """
    if isinstance(values, jax.Array) and not values.is_fully_addressable:
        return multihost_utils.process_allgather(values, tiled=True)
    return np.asarray(values)
