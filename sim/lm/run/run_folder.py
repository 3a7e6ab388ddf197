"""Folder of a run: paths of its parts, and the record of its study."""

import hashlib
import json
import platform
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
from filelock import FileLock, Timeout

from crossfeed.atomic_write import atomic_write, why_unwritable
from crossfeed.differences import differences, summary
from crossfeed.errors import InvalidInput
from crossfeed.multihost import first_alone
from crossfeed.reading import read_bytes, read_json

from ..data.tokenizer import Tokenizer, read_tokenizer
from ..model.config import RopeScaling, TransformerConfig
from ..study.corpus import Corpus
from ..study.study import Study, from_dict, why_unreadable
from .checkpointing import discard_damaged
from .digests import digest_of_record

_RECORD, _TOKENIZER, _LOCK = "study.json", "tokenizer.json", ".lock"
_DIGEST = "sha256"
_ENTRIES = {
    *("study", "fingerprints", "part_of_examples_that_fit", "made_with", "tokenizer", "models"),
    _DIGEST,  # records of older versions have none
}


@dataclass(frozen=True)
class Cell:
    """One combination of seed, α and β of a study."""

    seed: int
    alpha: float
    beta: float


def cell_folder(folder: Path, study: Study, cell: Cell) -> Path:
    """Folder of the checkpoints of a cell after generation 0.

    At α = 1 no real data are read, so cells that differ in β only are the same if they share generation 0.
    """
    every_beta = cell.alpha == 1 and study.initial.beta >= 0
    return folder / "cells" / f"seed{cell.seed}_alpha{cell.alpha:g}{'' if every_beta else f'_beta{cell.beta:g}'}"


def initial_folder(folder: Path, study: Study, cell: Cell) -> Path:
    """Folder of the checkpoint of generation 0 of a cell, which other cells share."""
    return folder / "initial" / f"seed{cell.seed}_beta{study.initial_beta(cell.beta):g}"


def check_vacant(folder: Path) -> None:
    """Check that a run can be started in a folder.

    Raises:
        InvalidInput: the folder is not empty.
    """
    if folder.exists() and (
        not folder.is_dir() or any(path.name not in (_LOCK, _TOKENIZER) for path in folder.iterdir())
    ):
        way = ", or continue it with --resume" if (folder / _RECORD).exists() else ""
        raise InvalidInput(f"{folder} exists already: choose another name{way}")


@contextmanager
def held(folder: Path) -> Generator[None]:
    """Lock a folder, which is made if need be, against other runs; however the process ends, the lock is released.

    Raises:
        InvalidInput: another process has locked the folder, or it cannot be written.
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
    """Write the record of a run, and what is needed to use its models later.

    Args:
        folder: folder of the run.
        study: the study.
        corpus: its texts.
        fingerprints: fingerprints of its `Inputs`.
        tokenizer: tokenizer of all models.
        configs: configuration of each entity's model.

    Raises:
        InvalidInput: the folder is not empty, or cannot be written.
    """
    check_vacant(folder)
    with atomic_write(folder / _TOKENIZER) as part:
        tokenizer.save(part)
        digest = hashlib.sha256(part.read_bytes()).hexdigest()
    record = {
        "study": study.as_dict(),
        "fingerprints": dict(fingerprints),
        "part_of_examples_that_fit": dict(zip(corpus.names, corpus.fitting, strict=True)),
        "made_with": _made_with(),
        "tokenizer": {"bos": tokenizer.bos, "eos": tokenizer.eos, _DIGEST: digest},
        "models": [asdict(config) for config in configs],
    }
    _write_record(folder, record)


def _write_record(folder: Path, record: dict[str, Any]) -> None:
    with atomic_write(folder / _RECORD) as part:
        part.write_text(json.dumps(record | {_DIGEST: _digest(record)}, indent=1) + "\n", encoding="utf-8")


def _digest(record: dict[str, Any]) -> str:
    """Digest of a record, but for what only tells how it was made."""
    return digest_of_record({name: value for name, value in record.items() if name not in ("made_with", _DIGEST)})


def _made_with() -> dict[str, Any]:
    """Versions and devices that rounding depends on."""
    return {
        "versions": {name: version(name) for name in ("crossfeed", "jax", "jaxlib", "flax", "optax", "numpy")},
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
        "devices": f"{jax.device_count()} × {jax.devices()[0].device_kind}",
        "processes": jax.process_count(),
    }


def restore_tokenizer(folder: Path, tokenizer: Tokenizer) -> None:
    """Write the tokenizer of a run again if its file is damaged or missing."""
    known = read_record(folder)["tokenizer"].get(_DIGEST)
    path = folder / _TOKENIZER
    if known and not (path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == known):
        with atomic_write(path) as part:
            tokenizer.save(part)


def discard_all_damaged(folder: Path) -> list[tuple[Path, str]]:
    """Folders of damaged checkpoints of a run, which are deleted, and why they were damaged. For one process alone."""
    places = sorted(place for kind in ("base", "initial", "cells") for place in (folder / kind).glob("*"))
    found = [(place, discard_damaged(place)) for place in places if place.is_dir()]
    return [(place, why) for place, why in found if why is not None]


def changed_since(folder: Path) -> list[str]:
    """Changes since a run was started that affect rounding, in words."""
    return differences(read_record(folder)["made_with"], _made_with(), "this process")


def check_settings(folder: Path, study: Study, extend: bool) -> None:
    """Check that a run is one of this study; the files that both name may lie elsewhere.

    Args:
        folder: folder of the run.
        study: the study.
        extend: whether the study may hold more cells and generations than the run, see `extendable`.

    Raises:
        InvalidInput: there is no run, or it has other settings.
    """
    # A setting that the record lacks was added to crossfeed later, and has its default value there.
    held = study_of(folder)
    expected = extendable(held, study, folder) if extend else held
    if changed := differences(expected.without_places(), study.without_places(), "the study"):
        if not extend and _extends(study, held, folder):
            raise InvalidInput(f"{folder} holds a smaller study: --extend keeps it and computes the rest")
        raise InvalidInput(f"{folder} holds another study: {summary(changed)}")


def _extends(study: Study, held: Study, folder: Path) -> bool:
    """Whether a study holds all that a run does, and more seeds, α, β or generations."""
    try:
        same = extendable(held, study, folder).without_places() == study.without_places()
    except InvalidInput:
        return False
    grown = any(len(getattr(study, name)) > len(getattr(held, name)) for name in ("seeds", "alpha", "beta"))
    return same and (grown or study.generations > held.generations)


def extendable(held: Study, study: Study, folder: Path) -> Study:
    """The study of a run with the seeds, α, β, generations and intervals of measures of another one, which extends it.

    Args:
        held: study of the run.
        study: study that extends it.
        folder: folder of the run, for messages.

    Raises:
        InvalidInput: the other one lacks what the run holds, or has other generations although the run divides human texts
            among them.
    """
    for name in ("seeds", "alpha", "beta"):
        for value in getattr(held, name):
            if value not in getattr(study, name):
                raise InvalidInput(f"{folder} holds {name} {value:g}, which the study lacks: an extension keeps all")
    if study.generations < held.generations:
        raise InvalidInput(f"generations is {study.generations}, but {folder} holds {held.generations}")
    if study.generations > held.generations and held.pool.fresh:
        raise InvalidInput(
            f"generations is {study.generations}, but stays {held.generations}: pool.fresh divides texts among generations"
        )
    return replace(
        held,
        seeds=study.seeds,
        alpha=study.alpha,
        beta=study.beta,
        generations=study.generations,
        measures=replace(held.measures, text_every=study.measures.text_every),
    )


def check_inputs(folder: Path, fingerprints: Mapping[str, str]) -> None:
    """Check that texts, pretrained models and embedding are those that a run was started with.

    Args:
        folder: folder of the run.
        fingerprints: fingerprints of the `Inputs` as they are now.

    Raises:
        InvalidInput: they have changed, or there is no run.
    """
    for what, fingerprint in read_record(folder)["fingerprints"].items():
        if fingerprint != fingerprints.get(what):
            raise InvalidInput(f"the {what} that {folder} was started with have changed: start a new run")


def record_study(folder: Path, study: Study) -> None:
    """Replace the study in the record of a run, by one that `check_settings` has accepted."""
    record = read_record(folder)
    if record["study"] != study.as_dict():
        _write_record(folder, record | {"study": study.as_dict()})


def read_record(folder: Path) -> dict[str, Any]:
    """Record of a run, as `create_run` wrote it.

    Raises:
        InvalidInput: there is no run, or its record is damaged.
    """
    if not (folder / _RECORD).exists():
        raise InvalidInput(f"there is no run at {folder}: it has no {_RECORD}")
    damaged = f"{folder / _RECORD} is damaged, or of another version of crossfeed"
    try:
        record = read_json(folder / _RECORD)
        _configs(record)
        for part in ("fingerprints", "made_with", "tokenizer"):
            dict(record[part])
        study = record["study"]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidInput(damaged + why_unreadable(error)) from error
    from_dict(study, str(folder / _RECORD))
    if unknown := sorted(record.keys() - _ENTRIES):
        raise InvalidInput(f"{damaged}: it has the entry '{unknown[0]}'")
    if record.get(_DIGEST, digest := _digest(record)) != digest:
        raise InvalidInput(f"{damaged}: its digest is that of other settings")
    return record


def _configs(record: dict[str, Any]) -> list[TransformerConfig]:
    configs = []
    for values in record["models"]:
        scaling = values["rope_scaling"]
        configs.append(TransformerConfig(**values | {"rope_scaling": scaling and RopeScaling(**scaling)}))
    return configs


def models_of(folder: Path) -> tuple[list[TransformerConfig], Tokenizer]:
    """Configuration of each model of a run, and their tokenizer.

    Raises:
        InvalidInput: as for `read_record`, or the tokenizer is missing or damaged.
    """
    record = read_record(folder)
    bos, eos, digest = (record["tokenizer"].get(name) for name in ("bos", "eos", _DIGEST))
    if digest and digest != hashlib.sha256(read_bytes(folder / _TOKENIZER)).hexdigest():
        raise InvalidInput(f"{folder / _TOKENIZER} is damaged: with --resume, it is written again")
    if type(eos) is not int:
        raise InvalidInput(f"{folder / _RECORD} names no token after a text")
    return _configs(record), read_tokenizer(folder / _TOKENIZER, bos, eos)


def study_of(folder: Path) -> Study:
    """Study of a run.

    Raises:
        InvalidInput: as for `read_record`.
    """
    return from_dict(read_record(folder)["study"], str(folder / _RECORD))


def holds_run(folder: Path) -> bool:
    """Whether a run has been started in a folder.

    Args:
        folder: folder that may hold a run.

    Returns:
        True if it holds the record of a run.
    """
    return (folder / _RECORD).is_file()


def check_held(name: str, value: float | int, held: Iterable[float | int]) -> None:
    """Check that a run has a value of seed, α or β.

    Args:
        name: name of the quantity, for the message.
        value: the value.
        held: values that the run has.

    Raises:
        InvalidInput: the run does not have this value.
    """
    if value not in (held := tuple(held)):
        shown = [f"{one:g}" if isinstance(one, float) else str(one) for one in (value, *held)]
        raise InvalidInput(f"{name} is {shown[0]}, but the run holds {', '.join(shown[1:])}")
