"""Random numbers that are the same in NumPy and JAX."""

from statistics import NormalDist

import numpy as np

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_KEYS = 0, 0, 0x1BD11BDA  # of seed 0, and their parity


def normal_numbers(count: int) -> np.ndarray:
    """The first standard normal numbers that `jax.random.normal` draws of seed 0, by its counter-based generator.

    Threefry-2x32 of Salmon et al., Parallel random numbers: as easy as 1, 2, 3 (SC 2011).
    """
    high, low = np.zeros(count, np.uint32), np.arange(count, dtype=np.uint32)
    for group in range(5):
        for rotation in _ROTATIONS[group % 2]:
            high = high + low
            low = (low << np.uint32(rotation) | low >> np.uint32(32 - rotation)) ^ high
        high = high + np.uint32(_KEYS[(group + 1) % 3])
        low = low + np.uint32(_KEYS[(group + 2) % 3] + group + 1)
    bits = high.astype(np.uint64) << np.uint64(32) | low
    uniform = (bits >> np.uint64(12)) * 2.0**-52  # of 52 bits, in [0, 1)
    inverse = NormalDist().inv_cdf
    return np.array([inverse(max(float(one), 2.0**-54)) for one in uniform])
