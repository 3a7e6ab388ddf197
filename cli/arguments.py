"""Arguments that several commands share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import tyro

if TYPE_CHECKING:
    from ..theory import Weights

EntityWeights = Annotated[tuple[float, ...], tyro.conf.arg(metavar="W [W ...]")]


def checked_seed(seed: int) -> int:
    """The seed, if JAX can take it.

    Raises:
        InvalidInput: the seed does not fit 64 bits.
    """
    from ..theory import InvalidInput

    if not -(2**63) <= seed < 2**63:
        raise InvalidInput(f"seed is {seed}, but has to lie between -2**63 and 2**63 - 1")
    return seed


def parse_weights(alpha: tuple[float, ...], beta: tuple[float, ...], entities: int) -> Weights:
    """One value for all entities, or one an entity."""
    import numpy as np

    from ..theory import InvalidInput, Weights

    for name, values in (("alpha", alpha), ("beta", beta)):
        if len(values) not in (1, entities):
            raise InvalidInput(
                f"{name} has {len(values)} values, but needs one, or one for each of the {entities} entities"
            )
    return Weights(np.squeeze(np.array(alpha)), np.squeeze(np.array(beta)))
