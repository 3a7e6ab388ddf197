"""Arguments that several commands share."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

if TYPE_CHECKING:
    from ..theory import Weights, Workflow

MOST_GENERATIONS = 10**6  # results hold all of them
MOST_REPLICATES = 10**10

EcosystemFile = tyro.conf.Positional[Annotated[Path, tyro.conf.arg(metavar="ECOSYSTEM.npz")]]
WorkflowFile = Annotated[
    Path | None, tyro.conf.arg(metavar="WORKFLOW.toml", help_behavior_hint="(default: the paper's workflow)")
]
EntityWeights = Annotated[tuple[float, ...], tyro.conf.arg(metavar="W [W ...]")]


def load_workflow(path: Path | None) -> Workflow:
    """The workflow of a file; the paper's if there is none.

    Raises:
        InvalidInput: the file cannot be read, or an entry is wrong.
    """
    from ..theory import PAPER, read_workflow

    return PAPER if path is None else read_workflow(path)


def blaming(path: Path | None) -> AbstractContextManager[None]:
    """Context manager that puts the name of a workflow's file, if there is one, in front of what does not fit the ecosystem."""
    from crossfeed.errors import naming

    return nullcontext() if path is None else naming(str(path))


def checked_count(name: str, value: int, most: int, least: int | None = None) -> int:
    """The value, which must lie between `least`, if given, and `most`.

    Raises:
        InvalidInput: it does not.
    """
    from crossfeed.errors import InvalidInput

    if least is not None and not least <= value <= most:
        raise InvalidInput(f"{name} is {value}, but must lie between {least} and {most}")
    if value > most:
        raise InvalidInput(f"{name} is {value}, but must be at most {most}")
    return value


def checked_seed(seed: int) -> int:
    """The seed, which must fit 64 bits.

    Raises:
        InvalidInput: it does not.
    """
    from crossfeed.errors import InvalidInput

    if not -(2**63) <= seed < 2**63:
        raise InvalidInput(f"seed is {seed}, but must lie between -2**63 and 2**63 - 1")
    return seed


def parse_weights(alpha: tuple[float, ...], beta: tuple[float, ...], entities: int) -> Weights:
    """Weights from one value for all entities, or one per entity.

    Raises:
        InvalidInput: the number of values is neither 1 nor the number of entities, or a value lies outside [0, 1].
    """
    import numpy as np

    from crossfeed.errors import InvalidInput

    from ..theory import Weights

    for name, values in (("alpha", alpha), ("beta", beta)):
        if len(values) not in (1, entities):
            raise InvalidInput(
                f"{name} has {len(values)} values, but needs one for all, or one for each of the {entities} entities"
            )
    return Weights(np.squeeze(np.array(alpha)), np.squeeze(np.array(beta)))
