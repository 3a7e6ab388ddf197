"""Tasks: prompts with reference completions, held-out tests, and the check of an answer."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from crossfeed.errors import InvalidInput


@dataclass(frozen=True)
class Example:
    """A prompt and the completion that continues it, as text."""

    prompt: str
    completion: str


@dataclass(frozen=True)
class Task:
    """What one entity knows: examples to train on, and others that are never trained on.

    Attributes:
        name: what to call it in tables.
        train: private examples.
        test: held-out examples.
    """

    name: str
    train: tuple[Example, ...]
    test: tuple[Example, ...]


def question(text: str, answer: str) -> Example:
    """The one form in which questions are asked of models."""
    return Example(f"Question: {text.strip()}\nAnswer:", f" {answer.strip()}")


_MARKED = re.compile(r"####\s*([^\n]*)")
_NOT_WORDS = re.compile(r"[^\w.+-]+")


def answer_of(completion: str) -> str:
    """What counts of a completion: after '####' if it has that, else its first line; without case, commas, articles and marks.

    An empty text if there is none.
    """
    marked = _MARKED.search(completion)
    lines = completion.strip().splitlines()
    text = marked[1] if marked else lines[0] if lines else ""
    stripped = (word.strip(".") for word in _NOT_WORDS.sub(" ", text.casefold().replace(",", "")).split())
    words = [word for word in stripped if word]
    return " ".join([word for word in words if word not in ("a", "an", "the")] or words)  # 'A' may be an answer


def answers_exactly(completion: str, reference: str) -> bool:
    """Whether a completion gives the answer of the reference; where that marks its answer with '####', so must the completion."""
    if "####" in reference and "####" not in completion:
        return False
    return bool(answer_of(reference)) and answer_of(completion) == answer_of(reference)


def without_duplicates(tasks: Sequence[Task]) -> list[Task]:
    """The tasks with every prompt once, and none of any task's test prompts among any task's training prompts.

    Raises:
        InvalidInput: nothing is left of a part.
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


def numbered(names: Sequence[str]) -> list[str]:
    """The names of tasks, made different from each other and from 'public', the public text's, by their place from 1."""
    taken = [*names, "public"]
    made = [f"{name} {place}" if taken.count(name) > 1 else name for place, name in enumerate(names, 1)]
    return made if made == [*names] else numbered(made)
