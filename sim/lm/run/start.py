"""Start a run of a study, or resume it."""

from contextlib import ExitStack
from pathlib import Path

import jax

from crossfeed.errors import InvalidInput
from crossfeed.multihost import check_alike, first_alone, together

from ..study.study import Study
from .inputs import left_out, read_inputs
from .precision import in_single_precision
from .run import Listener, Progress, Runner
from .run_folder import (
    changed_since,
    check_inputs,
    check_settings,
    check_vacant,
    create_run,
    discard_all_damaged,
    held,
    record_study,
    restore_tokenizer,
)


@in_single_precision
def start_run(study: Study, folder: Path, resume: bool, listen: Listener, extend: bool = False) -> None:
    """Run a study, or resume or extend its run. Where JAX has several processes, all of them call this and must see the same files.

    Args:
        study: the study, from `read_study`, `parse_study` or `quick_study`.
        folder: folder of the run, which keeps its measures and models.
        resume: whether to go on with the run in the folder; otherwise the folder must not exist or be empty.
        listen: called with the progress, many times per generation.
        extend: whether to go on with the run in the folder although the study holds more of it: more seeds, values of α or β,
            or generations, or measures of completions after other generations. What is there is kept.

    Raises:
        InvalidInput: the processes cannot divide a batch, or their studies differ; a text, a pretrained model or the embedding
            cannot be read; the folder is not empty, holds another study, or is in use by another process.
        CrossfeedError: the disk is full, or a loss is not finite.
    """
    if study.training.batch % jax.process_count():
        raise InvalidInput(
            f"training.batch is {study.training.batch}, but must be a multiple of the {jax.process_count()} processes"
        )
    check_alike(study.fingerprint(), "the settings")
    listen(Progress(0, 1, "reading text", 0))
    resume = resume or extend
    first_alone(lambda: check_settings(folder, study, extend) if resume else check_vacant(folder))
    with ExitStack() as stack:
        if resume:
            stack.enter_context(held(folder))
        runner, notes = together(lambda: _runner(study, folder, listen))
        for what, fingerprint in runner.fingerprints.items():
            check_alike(fingerprint, f"the {what}")
        if not resume:  # only now, so that a study that cannot be run leaves no folder
            stack.enter_context(held(folder))
        first_alone(lambda: notes.extend(_check_resumable(folder, runner)) if resume else _create(folder, runner))
        for note in notes:
            listen(Progress(0, 1, "", 0, note))
        runner.run()


def _check_resumable(folder: Path, runner: Runner) -> list[str]:
    """Changes since the run was started, in words, if none prevents it from going on; what is damaged is deleted."""
    check_inputs(folder, runner.fingerprints)
    restore_tokenizer(folder, runner.tokenizer)
    record_study(folder, runner.study)
    damaged = [f"{where} is damaged ({why}), and computed again" for where, why in discard_all_damaged(folder)]
    return damaged + [f"{change}: what is computed from here on may differ" for change in changed_since(folder)]


def _create(folder: Path, runner: Runner) -> None:
    create_run(folder, runner.study, runner.corpus, runner.fingerprints, runner.tokenizer, runner.model_configs)


def _runner(study: Study, folder: Path, listen: Listener) -> tuple[Runner, list[str]]:
    """The runner of a study, and sentences on what is left out of its texts."""
    runner = Runner(study, read_inputs(study), folder, listen)
    return runner, list(left_out(study, runner.corpus, runner.measurer.sizes.item))
