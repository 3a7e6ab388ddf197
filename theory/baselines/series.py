"""Numbers of generations as floats, so that products with large numbers of rows do not overflow."""

import numpy as np
from numpy.typing import NDArray


def counted(first: int, last: int) -> NDArray[np.float64]:
    """Array of the whole numbers from the first to the last, both included."""
    return np.arange(first, last + 1, dtype=np.float64)
