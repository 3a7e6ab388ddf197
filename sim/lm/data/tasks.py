"""Tasks: prompts with reference completions, and the comparison of answers."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from crossfeed.errors import InvalidInput


@dataclass(frozen=True)
class Example:
    """A prompt and its reference completion."""

    prompt: str
    completion: str


@dataclass(frozen=True)
class Task:
    """A task: what an entity knows and the others do not.

    Attributes:
        name: name shown in tables.
        train: training examples, private to the entity.
        test: held-out examples.
    """

    name: str
    train: tuple[Example, ...]
    test: tuple[Example, ...]


def question(text: str, answer: str) -> Example:
    """Example in the form in which every question is put to the models."""
    return Example(f"Question: {text.strip()}\nAnswer:", f" {answer.strip()}")


_MARKED = re.compile(r"####\s*([^\n]*)")
_NOT_WORDS = re.compile(r"[^\w.+-]+")


def answer_of(completion: str) -> str:
    """Answer that a completion gives, normalized for comparison; empty if there is none.

    It is the text after '####' if there is such a mark, else the first line, without case, commas, articles and punctuation.
    """
    marked = _MARKED.search(completion)
    lines = completion.strip().splitlines()
    text = marked[1] if marked else lines[0] if lines else ""
    stripped = (word.strip(".") for word in _NOT_WORDS.sub(" ", text.casefold().replace(",", "")).split())
    words = [word for word in stripped if word]
    return " ".join([word for word in words if word not in ("a", "an", "the")] or words)  # 'A' may be an answer


def answers_exactly(completion: str, reference: str) -> bool:
    """Whether a completion gives the answer of the reference.

    Where the reference marks its answer with '####', the completion must do so too.
    """
    if "####" in reference and "####" not in completion:
        return False
    return bool(answer_of(reference)) and answer_of(completion) == answer_of(reference)


def accuracy(completions: Sequence[str], references: Sequence[str]) -> float:
    """Share of completions that give the answer of their reference."""
    return float(np.mean([answers_exactly(*pair) for pair in zip(completions, references, strict=True)]))


def without_duplicates(tasks: Sequence[Task]) -> list[Task]:
    """Tasks in which every prompt occurs once, and no test prompt of any task is a training prompt of any task.

    Raises:
        InvalidInput: a task has no training or no test examples left.
    """
    cleaned = []
    tested: set[str] = set()
    for task in tasks:
        cleaned.append(replace(task, test=tuple(_new(task.test, set()))))
        tested |= {_normal(example.prompt) for example in task.test}
    cleaned = [replace(task, train=tuple(_new(task.train, set(tested)))) for task in cleaned]
    for task in cleaned:
        for part, examples in (("train", task.train), ("test", task.test)):
            if not examples:
                raise InvalidInput(f"task {task.name} has no {part} examples left once duplicates are removed")
    return cleaned


def _new(examples: Iterable[Example], seen: set[str]) -> Iterable[Example]:
    for example in examples:
        if (key := _normal(example.prompt)) not in seen:
            seen.add(key)
            yield example


def _normal(prompt: str) -> str:
    return " ".join(prompt.casefold().split())


def unique_names(names: Sequence[str]) -> list[str]:
    """Names of tasks, different from each other and from 'public': where one is not, its number in the list is appended."""
    taken = [*names, "public"]
    unique = [f"{name} {number}" if taken.count(name) > 1 else name for number, name in enumerate(names, 1)]
    return unique if unique == [*names] else unique_names(unique)
