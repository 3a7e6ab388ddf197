"""Several processes, on one host or many, that run the same program over all their devices."""

from collections.abc import Callable

import jax
import numpy as np
from jax.experimental import multihost_utils

from ..theory.failures import CrossfeedError


def first_alone(action: Callable[[], object]) -> None:
    """Process 0 acts, the others wait for it and stop if it fails.

    Raises:
        CrossfeedError: process 0 failed. There, what it raised.
    """
    if jax.process_count() == 1:
        action()
        return
    failure = None
    if jax.process_index() == 0:
        try:
            action()
        except Exception as error:  # whatever it is, the others must not wait for ever
            failure = error
    if multihost_utils.broadcast_one_to_all(np.array(failure is not None)):
        raise failure or CrossfeedError("process 0 stopped, so this process stops too")


def gathered(values: jax.Array | np.ndarray) -> np.ndarray:
    """An array in this process's memory, wherever its parts are; all processes have to call it for the same ones in the same order."""
    if isinstance(values, jax.Array) and not values.is_fully_addressable:
        return multihost_utils.process_allgather(values, tiled=True)
    return np.asarray(values)
