"""A run's folder: where its parts are, and the record of what is run."""

import json
import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
from filelock import FileLock, Timeout

from crossfeed.atomic_write import atomic_write, why_unwritable
from crossfeed.differences import differences, summary
from crossfeed.errors import InvalidInput
from crossfeed.multihost import first_alone

from ..data.tokenizer import Tokenizer, read_tokenizer
from ..model.config import RopeScaling, TransformerConfig
from ..study.corpus import Corpus
from ..study.study import Study, from_dict

_RECORD, _TOKENIZER, _LOCK = "study.json", "tokenizer.json", ".lock"


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
    if folder.exists() and (
        not folder.is_dir() or any(path.name not in (_LOCK, _TOKENIZER) for path in folder.iterdir())
    ):
        raise InvalidInput(f"{folder} exists already: choose another name, or continue it with --resume")


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Keep others from running into a folder, which is made if need be; however a process ends, it lets go.

    Raises:
        InvalidInput: another process runs into it, or it cannot be written.
    """
    lock = FileLock(folder / _LOCK)
    first_alone(lambda: _take(lock, folder))
    try:
        yield
    finally:
        lock.release()


def _take(lock: FileLock, folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(blocking=False)
    except Timeout:
        raise InvalidInput(f"another process is running into {folder}") from None
    except OSError as error:
        raise InvalidInput(f"cannot write {folder}: {why_unwritable(folder, error)}") from error


def create_run(
    folder: Path,
    study: Study,
    corpus: Corpus,
    fingerprints: Mapping[str, str],
    tokenizer: Tokenizer,
    configs: Sequence[TransformerConfig],
) -> None:
    """Write down what is run, and what its models need to be used later.

    Args:
        fingerprints: of `Inputs`.
        configs: of the entities' models.

    Raises:
        InvalidInput: something is there already, or the folder cannot be written.
    """
    check_vacant(folder)
    record = {
        "study": study.as_dict(),
        "fingerprints": dict(fingerprints),
        "part_of_examples_that_fit": dict(zip(corpus.names, corpus.fitting, strict=True)),
        "made_with": _made_with(),
        "tokenizer": {"bos": tokenizer.bos, "eos": tokenizer.eos},
        "models": [asdict(config) for config in configs],
    }
    with atomic_write(folder / _TOKENIZER) as part:
        tokenizer.save(part)
    with atomic_write(folder / _RECORD) as part:
        part.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def _made_with() -> dict[str, Any]:
    """What rounding depends on."""
    return {
        "versions": {name: version(name) for name in ("crossfeed", "jax", "jaxlib", "flax", "optax", "numpy")},
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
        "devices": f"{jax.device_count()} × {jax.devices()[0].device_kind}",
        "processes": jax.process_count(),
    }


def changed_since(folder: Path) -> list[str]:
    """What rounding depends on and is not as it was when a run was started, in words."""
    return differences(read_record(folder)["made_with"], _made_with(), "this process")


def check_settings(folder: Path, study: Study) -> None:
    """See that a run is one of this study.

    Raises:
        InvalidInput: there is none, or it was made with other settings.
    """
    record = read_record(folder)
    # A setting that a record does not have was added since, and has its default there.
    if changed := differences(from_dict(record["study"]).as_dict(), study.as_dict(), "the study"):
        raise InvalidInput(f"{folder} holds another study: {summary(changed)}")


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
        _configs(record)
        for part in ("fingerprints", "made_with", "tokenizer"):
            dict(record[part])
        return record
    except OSError as error:
        raise InvalidInput(f"there is no run at {folder}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidInput(f"{folder / _RECORD} is damaged, or of another version of crossfeed: {error}") from error


def _configs(record: dict[str, Any]) -> list[TransformerConfig]:
    configs = []
    for values in record["models"]:
        scaling = values["rope_scaling"]
        configs.append(TransformerConfig(**values | {"rope_scaling": scaling and RopeScaling(**scaling)}))
    return configs


def models_of(folder: Path) -> tuple[list[TransformerConfig], Tokenizer]:
    """The configurations of a run's models, and their tokenizer.

    Raises:
        InvalidInput: as `read_record`, or the tokenizer is missing or damaged.
    """
    record = read_record(folder)
    return _configs(record), read_tokenizer(folder / _TOKENIZER, record["tokenizer"]["bos"], record["tokenizer"]["eos"])


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
