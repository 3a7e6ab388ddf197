"""Random numbers of the exchange: independent streams, so that an interrupted generation is repeated exactly."""

from enum import IntEnum

import numpy as np


class Purpose(IntEnum):
    """What random numbers are drawn for. The values are part of the seed: changing one changes every run."""

    TRAINING_TEXTS = 0
    PROMPTS = 1
    ROW_ORDER = 2


def random_stream(seed: int, generation: int, entity: int, purpose: Purpose) -> np.random.Generator:
    """Generator of random numbers that depends on these four numbers only.

    Args:
        seed: seed of the cell.
        generation: number of the generation, from 0.
        entity: number of the entity, from 0.
        purpose: what the numbers are drawn for.
    """
    return np.random.default_rng([seed, generation, entity, int(purpose)])
