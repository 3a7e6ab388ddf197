"""Use the models that a run ended with: evaluate them on tasks, and complete prompts."""

import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import jax
import numpy as np
from jaxtyping import Float

from crossfeed.errors import CrossfeedError, InvalidInput

from ..data.task_files import read_examples
from ..data.tasks import Example, unique_names
from ..data.texts import encode_examples, encode_prompt
from ..evaluation.measure import completion_losses
from ..evaluation.text_measures import accuracy
from ..study.study import Study
from ..train.population import Population
from .checkpointing import Checkpoints, restore_models
from .inputs import read_inputs
from .precision import in_single_precision
from .run_folder import Cell, cell_folder, check_held, check_inputs, initial_folder, models_of, study_of

_LOOKS, _PAUSE = 5, 0.1  # seconds


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


@in_single_precision
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


@in_single_precision
def evaluate_files(cell: OpenCell, files: Sequence[Path], items: int) -> Evaluation:
    """Loss and accuracy (with the likeliest tokens) on the first examples of JSONL files, or of the run's own tests.

    Raises:
        InvalidInput: a file cannot be read, or `items` is below 1; without files, the run's own texts are not as they were.
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
        written = population.generate_text(prompts, greedy, length, jax.random.key(0), _silent)
        references = [examples[i].completion for i in kept]
        right.append([accuracy(own, references) for own in written])
    losses = completion_losses(population, scored, length)
    return Evaluation(names, [len(texts) for texts in scored], losses, np.array(right).T)


def _own_tests(cell: OpenCell) -> list[tuple[str, tuple[Example, ...]]]:
    inputs = read_inputs(cell.study)
    check_inputs(cell.folder, inputs.fingerprints())
    return [(task.name, task.test) for task in inputs.material.tasks]


@in_single_precision
def complete_prompt(cell: OpenCell, prompt: str, temperature: float | None) -> list[str]:
    """What each entity's model writes after a prompt.

    Raises:
        InvalidInput: a negative temperature, or a prompt that is no text, or too long for the model.
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
        raise InvalidInput("the prompt is empty, and the tokenizer has no mark of the beginning")
    if temperature is not None and not 0 <= temperature < np.inf:
        raise InvalidInput(f"temperature is {temperature}, but must be at least 0 and finite")
    settings = cell.study.pool if temperature is None else replace(cell.study.pool, temperature=temperature)
    written = cell.population.generate_text([tokens], settings, longest, jax.random.key(0), _silent)
    return [own[0] for own in written]


def _silent(what: str, tokens: int) -> None:
    """Reports to nobody."""
