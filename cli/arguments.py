"""Arguments that several commands share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import tyro

if TYPE_CHECKING:
    from ..theory import Weights

MOST_GENERATIONS = 10**6  # results hold every one
MOST_REPLICATES = 10**10

EntityWeights = Annotated[tuple[float, ...], tyro.conf.arg(metavar="W [W ...]")]


def checked_count(name: str, value: int, most: int, least: int | None = None) -> int:
    """A count that this machine could work off.

    Raises:
        InvalidInput: it is above `most`, or below `least`.
    """
    from crossfeed.errors import InvalidInput

    if least is not None and not least <= value <= most:
        raise InvalidInput(f"{name} is {value}, but must lie between {least} and {most}")
    if value > most:
        raise InvalidInput(f"{name} is {value}, but must be at most {most}")
    return value


def checked_seed(seed: int) -> int:
    """The seed, if JAX can take it.

    Raises:
        InvalidInput: the seed does not fit 64 bits.
    """
    from crossfeed.errors import InvalidInput

    if not -(2**63) <= seed < 2**63:
        raise InvalidInput(f"seed is {seed}, but has to lie between -2**63 and 2**63 - 1")
    return seed


def parse_weights(alpha: tuple[float, ...], beta: tuple[float, ...], entities: int) -> Weights:
    """One value for all entities, or one an entity."""
    import numpy as np

    from crossfeed.errors import InvalidInput

    from ..theory import Weights

    for name, values in (("alpha", alpha), ("beta", beta)):
        if len(values) not in (1, entities):
            raise InvalidInput(
                f"{name} has {len(values)} values, but needs one, or one for each of the {entities} entities"
            )
    return Weights(np.squeeze(np.array(alpha)), np.squeeze(np.array(beta)))
