"""A run's folder: where its parts are, and the record of what is run."""

import json
import os
import platform
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ...theory.failures import InvalidInput
from ...theory.whole_file import whole_file
from ..differences import differences
from .corpus import Corpus
from .study import Study, from_dict

_RECORD = "study.json"


@dataclass(frozen=True)
class Cell:
    """One combination of the study's lists."""

    seed: int
    alpha: float
    beta: float


def cell_folder(folder: Path, study: Study, cell: Cell) -> Path:
    """Where a run keeps the generations of a cell after the first.

    At α = 1 nothing real is read: where generation 0 is common, cells that differ in β are one and the same.
    """
    every_beta = cell.alpha == 1 and study.initial.beta >= 0
    return folder / "cells" / f"seed{cell.seed}_alpha{cell.alpha:g}{'' if every_beta else f'_beta{cell.beta:g}'}"


def initial_folder(folder: Path, study: Study, cell: Cell) -> Path:
    """Where a run keeps generation 0 of a cell, which others share."""
    return folder / "initial" / f"seed{cell.seed}_beta{study.initial_beta(cell.beta):g}"


def check_vacant(folder: Path) -> None:
    """See that a run can be started.

    Raises:
        InvalidInput: something is there already.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InvalidInput(f"{folder} exists already: choose another name, or continue it with --resume")


def create_run(folder: Path, study: Study, corpus: Corpus, fingerprints: Mapping[str, str]) -> None:
    """Write down what is run.

    Args:
        fingerprints: of `Inputs`.

    Raises:
        InvalidInput: the folder cannot be written.
    """
    record = {
        "study": study.as_dict(),
        "fingerprints": dict(fingerprints),
        "part_of_examples_that_fit": dict(zip(corpus.names, corpus.fitting, strict=True)),
        "versions": {name: version(name) for name in ("crossfeed", "jax", "flax", "optax", "numpy")},
        "machine": f"{platform.machine()} with {os.cpu_count()} cores, Python {platform.python_version()}",
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidInput(f"cannot write {folder}: {error.strerror}") from error
    with whole_file(folder / _RECORD) as part:
        part.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def check_settings(folder: Path, study: Study) -> None:
    """See that a run is one of this study.

    Raises:
        InvalidInput: there is none, or it was made with other settings.
    """
    record = read_record(folder)
    # A setting that a record does not have was added since, and has its default there.
    if changed := differences(from_dict(record["study"]).as_dict(), study.as_dict(), "the study"):
        raise InvalidInput(f"{folder} holds another study: {'; '.join(changed)}")


def check_inputs(folder: Path, fingerprints: Mapping[str, str]) -> None:
    """See that a run read the texts and checkpoints that its study names now.

    Args:
        fingerprints: of `Inputs`.

    Raises:
        InvalidInput: they have changed, or there is no run.
    """
    for what, fingerprint in read_record(folder)["fingerprints"].items():
        if fingerprint != fingerprints[what]:
            raise InvalidInput(f"the {what} that {folder} was started with have changed: start a new run")


def read_record(folder: Path) -> dict[str, Any]:
    """What `create_run` wrote.

    Raises:
        InvalidInput: there is no run, or its record is damaged.
    """
    try:
        record = json.loads((folder / _RECORD).read_text(encoding="utf-8"))
        from_dict(record["study"])
        if "text" in record:  # a run from before checkpoints were recorded
            record["fingerprints"] = {"texts": record.pop("text")}
        dict(record["fingerprints"])
        return record
    except OSError as error:
        raise InvalidInput(f"there is no run at {folder}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidInput(f"{folder / _RECORD} is damaged: {error}") from error


def study_of(folder: Path) -> Study:
    """The study of a run.

    Raises:
        InvalidInput: as `read_record`.
    """
    return from_dict(read_record(folder)["study"])


def holds_run(folder: Path) -> bool:
    """Whether a run has been started there."""
    return (folder / _RECORD).is_file()


def check_held(name: str, value: float | int, held: Iterable[float | int]) -> None:
    """See that a run has a value of seed, α or β.

    Raises:
        InvalidInput: it has others only.
    """
    if value not in (held := tuple(held)):
        shown = [f"{one:g}" if isinstance(one, float) else str(one) for one in (value, *held)]
        raise InvalidInput(f"{name} is {shown[0]}, but the run holds {', '.join(shown[1:])}")
