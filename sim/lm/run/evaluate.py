"""Use of the last models of a run: evaluation on tasks, and completion of prompts."""

import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float

from crossfeed.errors import CrossfeedError, InvalidInput
from crossfeed.random_keys import seeded_key

from ..data.task_files import read_examples
from ..data.tasks import Example, accuracy, unique_names
from ..data.texts import encode_examples, encode_prompt
from ..evaluation.measure import completion_losses
from ..study.study import Study
from ..train.population import Population
from .checkpointing import Checkpoints, restore_models
from .inputs import read_inputs
from .measures_store import open_measures
from .precision import in_single_precision
from .run_folder import Cell, cell_folder, check_held, check_inputs, initial_folder, models_of, study_of

_ATTEMPTS, _PAUSE = 5, 0.1  # seconds


@dataclass(frozen=True)
class OpenCell:
    """Last models of one cell of a run: those of its last generation so far.

    Attributes:
        folder: folder of the run.
        study: study of the run.
        population: the models; `population.model(k)` is that of entity k, from 0, and `population.tokenizer` their tokenizer.
        generation: generation of the models.
    """

    folder: Path
    study: Study
    population: Population
    generation: int


@in_single_precision
def open_cell(folder: Path, seed: int | None, alpha: float, beta: float) -> OpenCell:
    """Last models of a cell of a run.

    Args:
        folder: folder of the run, which may be going on.
        seed: seed of the cell; the first one of the study if None.
        alpha: α of the cell.
        beta: β of the cell.

    Returns:
        The models, those of generation 0 if the cell has not gone further yet.

    Raises:
        InvalidInput: there is no run, it has no such cell, or generation 0 of the cell is not finished.
        CrossfeedError: a checkpoint is damaged or gone, or cannot be read.
    """
    study = study_of(folder)
    seed = study.seeds[0] if seed is None else seed
    for name, value, known in (("seed", seed, study.seeds), ("alpha", alpha, study.alpha), ("beta", beta, study.beta)):
        check_held(name, value, known)
    shapes = Population.shapes(*models_of(folder))
    cell = Cell(seed, float(alpha), float(beta))
    own, initial = cell_folder(folder, study, cell), initial_folder(folder, study, cell)
    found = _last_models(own, shapes, study)
    if found is None and (first := _last_models(initial, shapes, study)):
        found = _last_models(own, shapes, study)  # which a run that is going on may have saved meanwhile
        if found is None:
            _check_latest(folder, cell, first[1])
            found = first
    if found:
        return OpenCell(folder, study, *found)
    raise InvalidInput(f"the run at {folder} has not come to α {alpha:g}, β {beta:g}, seed {seed} yet")


def _check_latest(folder: Path, cell: Cell, generation: int) -> None:
    """Refuse models of a generation before the last one that has been measured: the checkpoints of later ones are gone.

    Raises:
        CrossfeedError: they are of an earlier one.
    """
    try:
        loss = open_measures(folder).loss.sel(vars(cell))
    except (InvalidInput, KeyError):  # none that can be read, or none of this cell yet
        return
    measured = loss.generation.values[loss.notnull().any([dim for dim in loss.dims if dim != "generation"])]
    if measured.size and generation < measured.max():
        raise CrossfeedError(
            f"{folder} has lost the models of α {cell.alpha:g}, β {cell.beta:g}, seed {cell.seed} after generation "
            f"{generation}: with --resume, they are computed again"
        )


def _last_models(path: Path, shapes: Population, study: Study) -> tuple[Population, int] | None:
    """Last models saved in a folder, and their generation; None if there are none.

    A run that is going on replaces its checkpoints. Reading them meanwhile may fail, so it is tried several times.
    """
    if not path.is_dir():
        return None
    failure = None
    for _ in range(_ATTEMPTS):
        try:
            with closing(Checkpoints(path)) as checkpoints:
                if checkpoints.latest is not None:
                    return restore_models(checkpoints, shapes, study), checkpoints.latest
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
    """Losses and accuracies of models on tasks.

    Attributes:
        tasks: names of the tasks.
        items: number of examples of each task.
        loss: mean loss per token of the completions, in nats.
        accuracy: share of completions, of the likeliest tokens, that give the right answer.
    """

    tasks: list[str]
    items: list[int]
    loss: Float[np.ndarray, "entity task"]
    accuracy: Float[np.ndarray, "entity task"]


@in_single_precision
def evaluate_files(cell: OpenCell, files: Sequence[Path], items: int) -> Evaluation:
    """Loss and accuracy of models on tasks.

    Args:
        cell: models, from `open_cell`.
        files: JSONL files of examples; if there are none, the tests of the run's own tasks.
        items: greatest number of examples of each, from the start of the file; those longer than `training.length` tokens are
            left out.

    Returns:
        Losses and accuracies of every model on every task.

    Raises:
        InvalidInput: a file cannot be read, no example of it fits, or `items` is below 1; without files, the texts of the run
            have changed.
    """
    if items < 1:
        raise InvalidInput(f"items is {items}, but must be at least 1")
    tests = [(file.stem, read_examples(file)) for file in files] or _own_tests(cell)
    names = unique_names([name for name, _ in tests])
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
        completions = population.generate_text(prompts, greedy, length, seeded_key(0), _no_report)
        references = [examples[i].completion for i in kept]
        right.append([accuracy(generated, references) for generated in completions])
    losses = completion_losses(population, scored, length)
    return Evaluation(names, [len(texts) for texts in scored], losses, np.array(right).T)


def _own_tests(cell: OpenCell) -> list[tuple[str, tuple[Example, ...]]]:
    inputs = read_inputs(cell.study)
    check_inputs(cell.folder, inputs.fingerprints())
    return [(task.name, task.test) for task in inputs.material.tasks]


@in_single_precision
def complete_prompt(cell: OpenCell, prompt: str, temperature: float | None) -> list[str]:
    """Completions of a prompt by each entity's model.

    Args:
        cell: models, from `open_cell`.
        prompt: text to complete.
        temperature: temperature of the sampling; that of the run if None, and 0 for the likeliest tokens.

    Returns:
        One completion per entity; the same ones at each call.

    Raises:
        InvalidInput: the temperature is negative, or the prompt is not valid text, empty, or too long.
    """
    try:
        prompt.encode()
    except UnicodeEncodeError as error:
        raise InvalidInput(f"the prompt is {prompt!r}, which is not UTF-8 text") from error
    tokens = np.array(encode_prompt(cell.population.tokenizer, prompt), np.int32)
    longest = cell.study.training.length
    if len(tokens) >= longest:
        raise InvalidInput(f"the prompt has {len(tokens)} tokens, but must have fewer than {longest}")
    if not len(tokens):
        raise InvalidInput("the prompt is empty, and the tokenizer has no token that begins a text")
    if temperature is not None and not 0 <= temperature < np.inf:
        raise InvalidInput(f"temperature is {temperature}, but must be at least 0 and finite")
    settings = cell.study.pool if temperature is None else replace(cell.study.pool, temperature=temperature)
    completions = cell.population.generate_text([tokens], settings, longest, seeded_key(0), _no_report)
    return [texts[0] for texts in completions]


def _no_report(what: str, tokens: int) -> None:
    """Ignore reports of progress."""
