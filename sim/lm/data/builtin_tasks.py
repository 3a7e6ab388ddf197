"""Tasks that every machine has, by name: `science`, `arithmetic`, or one topic of them, such as `science:biology`."""

import numpy as np

from .builtin_arithmetic import ARITHMETIC
from .builtin_science import SCIENCE
from .tasks import Example, Task

_FIELDS = {"science": SCIENCE, "arithmetic": ARITHMETIC}
_TOPICS = {f"{field}:{topic}": (maker,) for field, makers in _FIELDS.items() for topic, maker in makers.items()}
_MAKERS = {field: tuple(makers.values()) for field, makers in _FIELDS.items()} | _TOPICS

BUILTIN_TASKS = tuple(_MAKERS)
"""Names of the built-in tasks."""

_TEST, _ATTEMPTS = 200, 20


def builtin_task(name: str, train: int = 2000) -> Task:
    """A built-in task, the same on every machine and for every run.

    Args:
        name: one of `BUILTIN_TASKS`.
        train: greatest number of training examples; topics with few different questions, such as `science:astronomy`, have
            fewer. There are 200 test examples.
    """
    random = np.random.default_rng([BUILTIN_TASKS.index(name)])
    makers = _MAKERS[name]
    examples: dict[str, Example] = {}
    for attempt in range((train + _TEST) * _ATTEMPTS):
        example = makers[attempt % len(makers)](random)
        examples.setdefault(example.prompt, example)
        if len(examples) == train + _TEST:
            break
    shuffled = [list(examples.values())[i] for i in random.permutation(len(examples))]
    return Task(name, tuple(shuffled[_TEST:]), tuple(shuffled[:_TEST]))
