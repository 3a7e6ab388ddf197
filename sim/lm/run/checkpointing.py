"""Checkpoints of a run, saved with Orbax after every generation, and checked against their digests when they are read."""

import json
import logging
import shutil
from contextlib import closing
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp

from crossfeed.atomic_write import atomic_write
from crossfeed.errors import CrossfeedError, InvalidInput, reason_of
from crossfeed.multihost import as_first, first_alone, gathered, together
from crossfeed.reading import check_regular, read_json

from ..study.study import Study
from ..train.population import Population
from .digests import digests_of_files, digests_of_leaves, first_difference

_DIGESTS, _OLDER = "digests.json", "saved by an older version"
_METADATA, _BELONGING = "_CHECKPOINT_METADATA", {"crossfeed_digests": _DIGESTS}
"""Orbax's metadata of a checkpoint, and what they say if digests belong to it; those of older versions do not."""
_NONE, _LOST = -1, -2
"""Codes of no checkpoint, and of one that was saved and is gone."""
_GONE = "its checkpoint is gone"
_METADATA_BYTES = 2**20
"""Upper bound on the bytes that a checkpoint takes beside its arrays."""


class Checkpoints:
    """Checkpoints in a folder: pytrees of arrays, one per generation, saved completely or not at all. Only the last is kept.

    Of several processes all read, and the first one writes.

    Args:
        folder: folder of the checkpoints, made if need be.

    Raises:
        CrossfeedError: the metadata of a checkpoint are damaged. By `save`, the disk is full or cannot be written; the checkpoint
            before stays. By `latest` and `restore`, the checkpoint is damaged or gone, or a process does not see it.
    """

    def __init__(self, folder: Path):
        first_alone(lambda: folder.mkdir(parents=True, exist_ok=True))
        self._folder = folder
        self._manager = together(lambda: _sound_manager(folder))

    @property
    def latest(self) -> int | None:
        """Last generation that was saved, as process 0 sees it (files appear late to the others); None if there is none."""
        here = self._manager.latest_step()
        step = as_first(here if here is not None else _LOST if _is_lost(self._folder) else _NONE)
        if step == _LOST:
            raise CrossfeedError(_damaged(self._folder, _GONE))
        return step if step != _NONE else None

    def save(self, generation: int, tree: Any) -> None:
        """Save the pytree of a generation."""
        here = jax.tree.map(gathered, tree)
        first_alone(lambda: self._write(generation, here))

    def _write(self, generation: int, tree: Any) -> None:
        cannot, until = f"cannot write to {self._folder}", "go on with --resume when there is room"
        for left_by_a_kill in self._folder.glob("*.orbax-checkpoint-tmp"):
            shutil.rmtree(left_by_a_kill, ignore_errors=True)
        needed = sum(leaf.nbytes for leaf in jax.tree.leaves(tree)) + _METADATA_BYTES
        # Checked first, because on a full disk the threads of Orbax print pages of errors.
        if (free := shutil.disk_usage(self._folder).free) < needed:
            raise CrossfeedError(f"{cannot}: {free:,} bytes are free, and {needed:,} needed; {until}")
        try:
            # The digests come first, so that no checkpoint is without; those of the last one are kept until it is replaced.
            kept = _known_digests(self._folder)
            unknown = {"arrays": _OLDER if kept is None else {}}
            digests = {str(step): (kept or {}).get(str(step), unknown) for step in self._manager.all_steps()}
            arrays = {"arrays": digests_of_leaves(tree)}
            self._write_digests(digests | {str(generation): arrays})
            self._manager.save(generation, args=ocp.args.PyTreeSave(tree), custom_metadata=_BELONGING)
            self._write_digests({str(generation): arrays | {"files": digests_of_files(self._folder / str(generation))}})
        except InvalidInput as error:
            raise CrossfeedError(f"{error}; {until}") from error
        except (OSError, ValueError) as error:  # Orbax raises a ValueError if the disk fills up meanwhile
            raise CrossfeedError(f"{cannot}: {reason_of(error)}; {until}") from error

    def _write_digests(self, digests: dict[str, Any]) -> None:
        with atomic_write(self._folder / _DIGESTS) as part:
            part.write_text(json.dumps(digests), encoding="utf-8")

    def restore(self, like: Any) -> Any:
        """Last pytree, or the part of it that `like` has.

        Args:
            like: pytree with the structure, shapes and dtypes to restore; nothing else is read.
        """
        wanted = jax.tree.map(lambda leaf: np.empty(leaf.shape, leaf.dtype), like)
        step = self.latest
        return together(lambda: self._read(step, wanted))

    def _read(self, step: int | None, wanted: Any) -> Any:
        try:
            _check_files(self._folder)
            found = self._manager.restore(step, args=ocp.args.PyTreeRestore(wanted, partial_restore=True))
            _check_arrays(self._folder, step, found)
        except Exception as error:  # Orbax raises errors of many types
            _refuse_unreadable(self._folder, error)
            raise CrossfeedError(_damaged(self._folder / str(step), reason_of(error))) from error
        return found

    def close(self) -> None:
        """Release the folder."""
        self._manager.close()


def _manager(folder: Path) -> ocp.CheckpointManager:
    """Manager of the checkpoints in a folder; each process has its own, so that none waits for another.

    Raises:
        Exception: the metadata of a checkpoint are damaged, or something is no file, such as a pipe that Orbax would wait for.
    """
    for path in folder.rglob("*"):
        check_regular(path)
    here = jax.process_index()
    alone = ocp.options.MultiprocessingOptions(here, {here}, f"process{here}")
    options = ocp.CheckpointManagerOptions(
        max_to_keep=1,
        enable_async_checkpointing=False,
        create=False,
        multiprocessing_options=alone,
    )
    handlers = ocp.PyTreeCheckpointHandler(multiprocessing_options=alone)
    logger = logging.getLogger("absl")
    level = logger.level
    logger.setLevel(logging.CRITICAL)  # it prints damaged metadata, which are named when the checkpoint is read
    try:
        return ocp.CheckpointManager(folder.resolve(), options=options, item_handlers=handlers)
    finally:
        logger.setLevel(level)


def _sound_manager(folder: Path) -> ocp.CheckpointManager:
    try:
        return _manager(folder)
    except Exception as error:  # Orbax raises errors of many types
        _refuse_unreadable(folder, error)
        raise CrossfeedError(_damaged(folder, reason_of(error))) from error


def _refuse_unreadable(folder: Path, error: Exception) -> None:
    """Say that a checkpoint cannot be read, as without permission, rather than that it is damaged: it may be sound.

    Raises:
        CrossfeedError: the system is at fault.
    """
    cause = error.__cause__ or error
    if isinstance(cause, OSError) and not isinstance(cause, FileNotFoundError | NotADirectoryError | IsADirectoryError):
        raise CrossfeedError(f"cannot read {folder}: {cause.strerror or cause}") from error


def _damaged(path: Path, why: str) -> str:
    return f"{path} is damaged ({why}): with --resume, it is computed again"


def _read_digests(folder: Path) -> dict[str, Any] | None:
    """Digests of the checkpoints in a folder by generation; None if it has none, as those of older versions.

    Raises:
        ValueError: they are damaged, or gone although they belong to a checkpoint.
    """
    path = folder / _DIGESTS
    if path.exists() or path.is_symlink():
        digests = read_json(path)
        if not all(isinstance(known, dict) for known in digests.values()):
            raise ValueError(f"{_DIGESTS} is damaged")
        return digests
    if any(step.name.isdecimal() and _has_digests(step) for step in folder.iterdir()):
        raise ValueError(f"{_DIGESTS} is gone")
    return None


def _has_digests(checkpoint: Path) -> bool:
    """Whether digests belong to a checkpoint; True if it does not tell."""
    try:
        return read_json(checkpoint / _METADATA).get("custom_metadata") == _BELONGING
    except InvalidInput:
        return True


def _known_digests(folder: Path) -> dict[str, Any] | None:
    """As `_read_digests`, but none of any generation if they are damaged."""
    try:
        return _read_digests(folder)
    except ValueError:
        return {}


def _is_lost(folder: Path) -> bool:
    """Whether a checkpoint was saved completely and none is there any more."""
    digests = _known_digests(folder) or {}
    saved = any("files" in known for known in digests.values())
    return saved and not any((folder / step).is_dir() for step in digests)


def _check_files(folder: Path) -> None:
    """Raise a ValueError if a file of a checkpoint is not the one that was saved.

    Checked before Orbax reads them, whose threads print pages of errors about damaged files. A run that was killed right after
    it saved a checkpoint has left no digests of its files, only of its arrays.
    """
    for step, digests in (_read_digests(folder) or {}).items():
        if "files" in digests and (folder / step).is_dir():
            name = first_difference(digests["files"], digests_of_files(folder / step))
            if name is not None:
                raise ValueError(f"{name} is not what was saved")


def _check_arrays(folder: Path, step: int | None, tree: Any) -> None:
    """Raise a ValueError if an array of a checkpoint is not the one that was saved."""
    if (digests := _read_digests(folder)) is None:
        return
    saved = digests[str(step)]["arrays"] if str(step) in digests else {}
    for name, digest in digests_of_leaves(tree).items():
        if saved != _OLDER and saved.get(name) != digest:
            raise ValueError(f"{name} is not what was saved")


def discard_damaged(folder: Path) -> str | None:
    """Delete the checkpoints in a folder if the last one is damaged. To be called in one process only.

    Args:
        folder: folder of checkpoints.

    Returns:
        Why it is damaged, or None if it is not.

    Raises:
        CrossfeedError: they cannot be read.
    """
    try:
        _check_files(folder)
        with closing(_manager(folder)) as manager:
            if (step := manager.latest_step()) is not None:
                _check_arrays(folder, step, manager.restore(step, args=ocp.args.PyTreeRestore()))
            elif _is_lost(folder):
                raise ValueError(_GONE)
        return None
    except Exception as error:  # Orbax raises errors of many types
        _refuse_unreadable(folder, error)
        shutil.rmtree(folder)
        return reason_of(error)


def restore_models(checkpoints: Checkpoints, shapes: Population, study: Study) -> Population:
    """Models of the last generation that was saved.

    Args:
        checkpoints: of a cell, or of generation 0.
        shapes: the shapes of the models, from `Population.shapes`.
        study: the study that is run.
    """
    state = checkpoints.restore({"models": shapes.state})["models"]
    return shapes.with_state(state, study.training.batch)
