"""Checkpoints of a run, saved with Orbax after every generation."""

import shutil
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp

from crossfeed.errors import CrossfeedError
from crossfeed.multihost import as_first, first_alone, gathered, together

from ..study.study import Study
from ..train.population import Population

_METADATA_BYTES = 2**20
"""Upper bound on the bytes that a checkpoint takes beside its arrays."""


class Checkpoints:
    """Checkpoints in a folder: pytrees of arrays, one per generation, saved completely or not at all. Only the last is kept.

    Of several processes all read, and the first one writes.

    Args:
        folder: folder of the checkpoints, made if need be.

    Raises:
        CrossfeedError: by `save`, the disk is full or cannot be written; the checkpoint before stays. By `restore`, the
            checkpoint is damaged, or a process does not see it.
    """

    def __init__(self, folder: Path):
        here = jax.process_index()
        first_alone(lambda: folder.mkdir(parents=True, exist_ok=True))
        # Each process has its own manager, so that none waits for another.
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
        """Last generation that was saved, as process 0 sees it (files appear late to the others); None if there is none."""
        step = as_first(-1 if (here := self._manager.latest_step()) is None else here)
        return step if step >= 0 else None

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
            self._manager.save(generation, args=ocp.args.PyTreeSave(tree))
        except (OSError, ValueError) as error:  # Orbax raises a ValueError if the disk fills up meanwhile
            raise CrossfeedError(f"{cannot}: {' '.join(str(error).split())[:200]}; {until}") from error

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
            return self._manager.restore(step, args=ocp.args.PyTreeRestore(wanted, partial_restore=True))
        except Exception as error:  # Orbax raises errors of many types
            raise CrossfeedError(
                f"{self._folder / str(step)} is damaged ({' '.join(str(error).split())[:200]}): "
                f"delete {self._folder} and go on with --resume, and it is computed again"
            ) from error

    def close(self) -> None:
        """Release the folder."""
        self._manager.close()


def restore_models(checkpoints: Checkpoints, shapes: Population, study: Study) -> Population:
    """Models of the last generation that was saved.

    Args:
        checkpoints: of a cell, or of generation 0.
        shapes: the shapes of the models, from `Population.shapes`.
        study: the study that is run.
    """
    state = checkpoints.restore({"models": shapes.state})["models"]
    return shapes.with_state(state, study.training.batch)
