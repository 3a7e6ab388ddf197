"""Values of arguments that several commands share: checks, and what files hold."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from crossfeed.formulas.ecosystem import Ecosystem
    from crossfeed.formulas.weights import Weights
    from crossfeed.formulas.workflow import Workflow

MOST_GENERATIONS = 10**6  # results hold all of them
MOST_REPLICATES = 10**10


def load_workflow(path: Path | None) -> Workflow:
    """The workflow of a file; the paper's if there is none.

    Raises:
        InvalidInput: the file cannot be read, or an entry is wrong.
    """
    if path is None:
        from crossfeed.formulas.workflow import PAPER

        return PAPER
    from crossfeed.formulas.workflow_file import read_workflow

    return read_workflow(path)


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


def check_readable(path: Path) -> None:
    """Refuse a file that cannot be opened, before the imports that reading it takes.

    Raises:
        InvalidInput: it is missing, no file, or must not be read.
    """
    from crossfeed.errors import InvalidInput
    from crossfeed.reading import check_regular

    try:
        check_regular(path)
        path.open("rb").close()
    except OSError as error:
        raise InvalidInput(f"cannot read {path}: {error.strerror or error}") from error


def check_toml(path: Path) -> None:
    """Refuse a file that is not TOML, before the imports that checking its settings takes.

    Raises:
        InvalidInput: it cannot be read, or is not TOML.
    """
    from crossfeed.reading import read_text_file
    from crossfeed.toml_reader import parse_toml

    parse_toml(read_text_file(path), str(path))


def check_there(what: str, *paths: Path) -> None:
    """Refuse folders that are missing, before the imports that opening them takes.

    Raises:
        InvalidInput: one is.
    """
    from crossfeed.errors import InvalidInput

    if missing := next((path for path in paths if not path.exists()), None):
        raise InvalidInput(f"there is no {what} at {missing}")


def check_sweeps(*paths: Path) -> None:
    """Refuse folders that are missing, or runs of language models, before the imports that opening a sweep takes.

    Raises:
        InvalidInput: one is.
    """
    from crossfeed.errors import InvalidInput

    check_there("sweep", *paths)
    for path in paths:
        if (path / "study.json").exists():
            raise InvalidInput(f"{path} is a run of language models, and no sweep")


def check_runs(*paths: Path) -> None:
    """Refuse folders that are no runs of language models, before the imports that opening them takes.

    Raises:
        InvalidInput: one is missing, or holds no run.
    """
    from crossfeed.errors import InvalidInput

    check_there("run", *paths)
    for path in paths:
        if not any((path / name).exists() for name in ("study.json", "measures.zarr")):
            raise InvalidInput(f"{path} holds no run of language models: it has neither study.json nor measures.zarr")


def read_inputs(
    eco: Path, alpha: tuple[float, ...], beta: tuple[float, ...], workflow_file: Path | None
) -> tuple[Ecosystem, Weights, Workflow]:
    """Ecosystem, weights and workflow in the arrays of NumPy, without JAX.

    Raises:
        InvalidInput: a file cannot be read, or there are neither one nor K weights, or they lie outside [0, 1].
    """
    from crossfeed.formulas.ecosystem_file import read_ecosystem
    from crossfeed.formulas.weights import Weights

    ecosystem = read_ecosystem(eco)
    weights = Weights(*parse_weights(alpha, beta, ecosystem.entities))
    return ecosystem, weights, load_workflow(workflow_file)


def parse_weights(alpha: tuple[float, ...], beta: tuple[float, ...], entities: int) -> tuple[np.ndarray, np.ndarray]:
    """Arguments of `Weights` from one value for all entities, or one per entity.

    Raises:
        InvalidInput: the number of values is neither 1 nor the number of entities.
    """
    import numpy as np

    from crossfeed.errors import InvalidInput

    for name, values in (("alpha", alpha), ("beta", beta)):
        if len(values) not in (1, entities):
            raise InvalidInput(
                f"{name} has {len(values)} values, but needs one for all, or one for each of the {entities} entities"
            )
    return np.squeeze(np.array(alpha)), np.squeeze(np.array(beta))
