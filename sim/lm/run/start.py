"""Whole runs: start or resume one, and use the models it ended with."""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from functools import wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

import jax
import numpy as np
from jaxtyping import Float

from crossfeed.errors import CrossfeedError, InvalidInput
from crossfeed.multihost import check_alike, first_alone, together

from ..data.task_files import read_examples
from ..data.tasks import Example, numbered
from ..data.texts import begin, encode_examples
from ..evaluation.measure import completion_losses
from ..evaluation.text_measures import accuracy
from ..study.study import Study
from ..train.population import Population
from .checkpointing import Checkpoints
from .inputs import left_out, read_inputs
from .run import Listener, Progress, Runner, restored
from .run_folder import (
    Cell,
    cell_folder,
    changed_since,
    check_held,
    check_inputs,
    check_settings,
    check_vacant,
    create_run,
    held,
    initial_folder,
    models_of,
    study_of,
)

_LOOKS, _PAUSE = 5, 0.1  # seconds
_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


def _single_precision(action: Callable[_Arguments, _Result]) -> Callable[_Arguments, _Result]:
    """Models are float32, whatever JAX's default is: double precision would draw other samples."""

    @wraps(action)
    def in_single_precision(*arguments: _Arguments.args, **named: _Arguments.kwargs) -> _Result:
        with jax.enable_x64(False):  # as a decorator it does not nest
            return action(*arguments, **named)

    return in_single_precision


@_single_precision
def start_run(study: Study, folder: Path, resume: bool, listen: Listener) -> None:
    """Run a study into a folder, or go on with what is there; by all processes of JAX's, which see the same files.

    Raises:
        InvalidInput: the processes cannot share a batch, or differ in what they are to run; text, a checkpoint or the embedding
            cannot be had; the folder is taken, or holds another study, or another process runs into it.
        CrossfeedError: the disk is full.
    """
    if study.training.batch % jax.process_count():
        raise InvalidInput(
            f"training.batch is {study.training.batch}, but must be a multiple of the {jax.process_count()} processes"
        )
    check_alike(study.fingerprint(), "the settings")
    listen(Progress(0, 1, "reading text", 0))
    first_alone(lambda: check_settings(folder, study) if resume else check_vacant(folder))
    with ExitStack() as stack:
        if resume:
            stack.enter_context(held(folder))
        runner, notes = together(lambda: _runner(study, folder, listen))
        for what, fingerprint in runner.fingerprints.items():
            check_alike(fingerprint, f"the {what}")
        if not resume:  # what cannot be run leaves no folder
            stack.enter_context(held(folder))
        first_alone(lambda: notes.extend(_go_on(folder, runner)) if resume else _create(folder, runner))
        for note in notes:
            listen(Progress(0, 1, "", 0, note))
        runner.run()


def _go_on(folder: Path, runner: Runner) -> list[str]:
    check_inputs(folder, runner.fingerprints)
    return [f"{change}: what is computed from here on may differ" for change in changed_since(folder)]


def _create(folder: Path, runner: Runner) -> None:
    create_run(folder, runner.study, runner.corpus, runner.fingerprints, runner.tokenizer, runner.model_configs)


def _runner(study: Study, folder: Path, listen: Listener) -> tuple[Runner, list[str]]:
    runner = Runner(study, read_inputs(study), folder, listen)
    return runner, list(left_out(study, runner.corpus, runner.measurer.sizes.item))


@dataclass(frozen=True)
class OpenCell:
    """The last models of one cell of a run, those of generation 0 if it has no others yet.

    Attributes:
        folder: of the run.
        generation: that they have reached.
    """

    folder: Path
    study: Study
    population: Population
    generation: int


@_single_precision
def open_cell(folder: Path, seed: int | None, alpha: float, beta: float) -> OpenCell:
    """Load a cell of a run.

    Raises:
        InvalidInput: there is no such run, no such cell, or its generation 0 is not finished.
    """
    study = study_of(folder)
    seed = study.seeds[0] if seed is None else seed
    for name, value, known in (("seed", seed, study.seeds), ("alpha", alpha, study.alpha), ("beta", beta, study.beta)):
        check_held(name, value, known)
    shapes = Population.shapes(*models_of(folder))
    cell = Cell(seed, float(alpha), float(beta))
    for path in (cell_folder(folder, study, cell), initial_folder(folder, study, cell)):
        if path.is_dir() and (found := _last_models(path, shapes, study)):
            return OpenCell(folder, study, *found)
    raise InvalidInput(f"the run at {folder} has not come to α {alpha:g}, β {beta:g}, seed {seed} yet")


def _last_models(path: Path, shapes: Population, study: Study) -> tuple[Population, int] | None:
    """The models saved last at a place and their generation, if there are any.

    A run that goes on replaces what is there, and a look amid that finds nothing or half of it: another look helps.
    """
    failure = None
    for _ in range(_LOOKS):
        try:
            with closing(Checkpoints(path)) as snapshots:
                if snapshots.latest is not None:
                    return restored(snapshots, shapes, study), snapshots.latest
            failure = None
        except OSError as error:
            failure = CrossfeedError(f"cannot read {path}: {error.strerror or error}")
        except CrossfeedError as error:
            failure = error
        time.sleep(_PAUSE)
    if failure:
        raise failure
    return None


@dataclass(frozen=True)
class Evaluation:
    """How models do on tasks.

    Attributes:
        tasks: their names.
        items: examples of each.
        loss: nats a token of the completions, [entity, task].
        accuracy: part of exact answers, [entity, task].
    """

    tasks: list[str]
    items: list[int]
    loss: Float[np.ndarray, "entity task"]
    accuracy: Float[np.ndarray, "entity task"]


@_single_precision
def evaluate_files(cell: OpenCell, files: Sequence[Path], items: int) -> Evaluation:
    """Loss and accuracy (with the likeliest tokens) on the first examples of JSONL files, or of the run's own tests.

    Raises:
        InvalidInput: a file cannot be read, or `items` is below 1; without files, the run's own texts are not as they were.
    """
    if items < 1:
        raise InvalidInput(f"items is {items}, but must be at least 1")
    tests = [(file.stem, read_examples(file)) for file in files] or _own_tests(cell)
    names = numbered([name for name, _ in tests])
    population, length = cell.population, cell.study.training.length
    greedy = replace(cell.study.pool, temperature=0.0)
    scored, right = [], []
    for name, (_, examples) in zip(names, tests, strict=True):
        texts = encode_examples(population.tokenizer, examples)
        kept = np.flatnonzero(texts.lengths <= length)[:items]
        if not len(kept):
            raise InvalidInput(f"no example of {name} fits the {length} tokens of the run's training.length")
        texts = texts.select(kept)
        scored.append(texts)
        prompts = [texts.prompt(i) for i in range(len(texts))]
        written = population.write_plain(prompts, greedy, length, jax.random.key(0), _silent)
        references = [examples[i].completion for i in kept]
        right.append([accuracy(own, references) for own in written])
    losses = completion_losses(population, scored, length)
    return Evaluation(names, [len(texts) for texts in scored], losses, np.array(right).T)


def _own_tests(cell: OpenCell) -> list[tuple[str, tuple[Example, ...]]]:
    inputs = read_inputs(cell.study)
    check_inputs(cell.folder, inputs.fingerprints())
    return [(task.name, task.test) for task in inputs.material.tasks]


@_single_precision
def complete_prompt(cell: OpenCell, prompt: str, temperature: float | None) -> list[str]:
    """What each entity's model writes after a prompt.

    Raises:
        InvalidInput: a negative temperature, or a prompt that is no text, or too long for the model.
    """
    try:
        prompt.encode()
    except UnicodeEncodeError as error:
        raise InvalidInput(f"the prompt is {prompt!r}, which is not UTF-8 text") from error
    tokens = np.array(begin(cell.population.tokenizer, prompt), np.int32)
    longest = cell.study.training.length
    if len(tokens) >= longest:
        raise InvalidInput(f"the prompt has {len(tokens)} tokens, but must have fewer than {longest}")
    if not len(tokens):
        raise InvalidInput("the prompt is empty, and the tokenizer has no mark of the beginning")
    if temperature is not None and not 0 <= temperature < np.inf:
        raise InvalidInput(f"temperature is {temperature}, but must be at least 0 and finite")
    settings = cell.study.pool if temperature is None else replace(cell.study.pool, temperature=temperature)
    written = cell.population.write_plain([tokens], settings, longest, jax.random.key(0), _silent)
    return [own[0] for own in written]


def _silent(what: str, tokens: int) -> None:
    """Reports to nobody."""
