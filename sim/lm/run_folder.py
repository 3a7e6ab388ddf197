"""A run's folder: what was run, Orbax checkpoints after every generation, and the measures as one Zarr store."""

import json
import os
import platform
import shutil
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
import xarray as xr

from ...theory.failures import CrossfeedError, InvalidInput
from ...theory.whole_file import whole_file
from ..differences import differences
from ..processes import first_alone, gathered
from .corpus import Corpus
from .measure import AXES, DRAWN_AXES, LABELS
from .pool import SOURCES
from .study import Study, from_dict
from .text_measures import DISTINCT

_RECORD, _MEASURES = "study.json", "measures.zarr"
_RECORDS = 2**20
"""Bytes that a checkpoint takes beside its arrays, at most."""


@dataclass(frozen=True)
class Cell:
    """One combination of the study's lists."""

    seed: int
    alpha: float
    beta: float


def cell_folder(folder: Path, study: Study, cell: Cell) -> Path:
    """Where a run keeps a cell's checkpoints.

    At α = 1 nothing real is read: where generation 0 is common, cells that differ in β are one and the same.
    """
    every_beta = cell.alpha == 1 and study.initial.beta >= 0
    return folder / "cells" / f"seed{cell.seed}_alpha{cell.alpha:g}{'' if every_beta else f'_beta{cell.beta:g}'}"


def check_vacant(folder: Path) -> None:
    """See that a run can be started.

    Raises:
        InvalidInput: something is there already.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InvalidInput(f"{folder} exists already: choose another name, or continue it with --resume")


def create_run(folder: Path, study: Study, corpus: Corpus) -> None:
    """Write down what is run.

    Raises:
        InvalidInput: the folder cannot be written.
    """
    record = {
        "study": study.as_dict(),
        "text": corpus.fingerprint(),
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


def check_texts(folder: Path, corpus: Corpus) -> None:
    """See that a run read the texts that its study names now.

    Raises:
        InvalidInput: they have changed, or there is no run.
    """
    if read_record(folder)["text"] != corpus.fingerprint():
        raise InvalidInput(f"the texts that {folder} was started with have changed: start a new run")


def read_record(folder: Path) -> dict[str, Any]:
    """What `create_run` wrote.

    Raises:
        InvalidInput: there is no run, or its record is damaged.
    """
    try:
        record = json.loads((folder / _RECORD).read_text(encoding="utf-8"))
        from_dict(record["study"])
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


class Checkpoints:
    """Pytrees of arrays, one a generation, each there whole or not at all; only the last is kept.

    Of several processes all read, and the first writes.

    Raises:
        CrossfeedError: from `save`, the disk is full or cannot be written; what was saved before stays.
    """

    def __init__(self, folder: Path):
        here = jax.process_index()
        if here == 0:
            folder.mkdir(parents=True, exist_ok=True)
        # Each process has a manager of its own, which waits for no other process.
        alone = ocp.options.MultiprocessingOptions(here, {here}, f"process{here}")
        options = ocp.CheckpointManagerOptions(
            max_to_keep=1,
            enable_async_checkpointing=False,
            create=False,
            multiprocessing_options=alone,
        )
        self._folder = folder
        self._manager = ocp.CheckpointManager(
            folder.resolve(),
            options=options,
            item_handlers=ocp.PyTreeCheckpointHandler(multiprocessing_options=alone),
        )

    @property
    def latest(self) -> int | None:
        """The last generation that was saved."""
        return self._manager.latest_step()

    def save(self, generation: int, tree: Any) -> None:
        """Save a pytree."""
        here = jax.tree.map(gathered, tree)
        first_alone(lambda: self._write(generation, here))

    def _write(self, generation: int, tree: Any) -> None:
        cannot, until = f"cannot write to {self._folder}", "go on with --resume when there is room"
        needed = sum(leaf.nbytes for leaf in jax.tree.leaves(tree)) + _RECORDS
        # On a full disk Orbax's threads print pages of errors.
        if (free := shutil.disk_usage(self._folder).free) < needed:
            raise CrossfeedError(f"{cannot}: {free:,} bytes are free, and {needed:,} needed; {until}")
        try:
            self._manager.save(generation, args=ocp.args.PyTreeSave(tree))
        except (OSError, ValueError) as error:  # its storage raises a ValueError where the disk is full after all
            raise CrossfeedError(f"{cannot}: {' '.join(str(error).split())[:200]}; {until}") from error

    def restore(self, like: Any) -> Any:
        """The last pytree, or as much of it as `like` has: its structure and types, and nothing else is read."""
        wanted = jax.tree.map(lambda leaf: np.empty(leaf.shape, leaf.dtype), like)
        try:
            return self._manager.restore(self.latest, args=ocp.args.PyTreeRestore(wanted, partial_restore=True))
        except Exception as error:  # Orbax raises errors of many types
            raise CrossfeedError(
                f"{self._folder / str(self.latest)} is damaged ({' '.join(str(error).split())[:200]}): "
                "delete that folder's parent and resume, and it is computed again"
            ) from error

    def close(self) -> None:
        """Let go of the folder."""
        self._manager.close()


def write_measures(folder: Path, study: Study, corpus: Corpus, cells: dict[Cell, dict[str, np.ndarray]]) -> None:
    """The measures of all cells as far as they are there, NaN elsewhere; replaces those written before."""
    shape = (len(study.seeds), len(study.alpha), len(study.beta))
    variables = {}
    for name, example in next(iter(cells.values())).items():
        axes = DRAWN_AXES if name == "coordinates" else ("generation", *AXES[name])
        together = np.full((*shape, *example.shape), np.nan, example.dtype)
        for cell, measures in cells.items():
            at = (study.seeds.index(cell.seed), study.alpha.index(cell.alpha), study.beta.index(cell.beta))
            together[at] = measures[name]
        label, units = LABELS[name]
        variables[name] = (("seed", "alpha", "beta", *axes), together, {"long_name": label, "units": units})
    entities = np.arange(len(study.entities)) + 1
    coordinates = {
        "seed": list(study.seeds),
        "alpha": ("alpha", list(study.alpha), {"long_name": "α, weight of synthetic data"}),
        "beta": ("beta", list(study.beta), {"long_name": "β, weight of private data"}),
        "generation": np.arange(study.generations + 1),
        "entity": entities,
        "other": entities,
        "task": list(corpus.names),
        "dataset": [*corpus.names, "public"],
        "source": list(SOURCES),
        "n": list(DISTINCT),
        "moment": ["first", "last"],
    }
    attributes = {
        "crossfeed_study": json.dumps(study.as_dict()),
        "test_examples_too_long": list(corpus.tests_too_long),  # of each task; left out
    }
    data = xr.Dataset(variables, coordinates, attributes)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # text and consolidated metadata are extensions of Zarr 3, which xarray reads
            _replace(folder / _MEASURES, lambda part: data.to_zarr(part, consolidated=True))
    except OSError as error:
        raise CrossfeedError(
            f"cannot write {folder / _MEASURES}: {error.strerror or error}; go on with --resume"
        ) from error


def _replace(whole: Path, write: Callable[[Path], object]) -> None:
    """Write a folder anew; the one before stays until the new one is complete, also if a kill cuts in."""
    part, old = (whole.with_name(f".{whole.name}.{ending}") for ending in ("part", "old"))
    if old.exists() and not whole.exists():
        old.rename(whole)
    for left_by_a_kill in (part, old):
        shutil.rmtree(left_by_a_kill, ignore_errors=True)
    write(part)
    if whole.exists():
        whole.rename(old)
    part.rename(whole)
    shutil.rmtree(old, ignore_errors=True)


def open_measures(folder: Path) -> xr.Dataset:
    """The measures of a run, in memory.

    Raises:
        InvalidInput: there are none, or they cannot be read.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return xr.open_zarr(folder / _MEASURES).load()
    except Exception as error:  # whatever stands at the path
        raise InvalidInput(
            f"cannot open the measures of a run at {folder}: {' '.join(str(error).split())[:200]}"
        ) from error
