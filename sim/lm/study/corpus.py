"""Texts of a study, read and tokenized: private tasks, public text, and held-out tests."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from crossfeed.errors import InvalidInput, naming

from ..data.builtin_tasks import BUILTIN_TASKS, builtin_task
from ..data.public_text import python_documentation
from ..data.task_files import hub_documents, hub_examples, read_documents, read_examples
from ..data.tasks import Example, Task, unique_names, without_duplicates
from ..data.texts import Texts, encode_examples, encode_passages
from ..data.tokenizer import Tokenizer
from .study import PYTHON, EntitySettings, Study

_MOST_TESTS = 1000
"""Greatest number of examples that are held out of a task without a file of tests."""
_PROMPT = 32
"""Tokens of a public passage that count as its prompt, or a quarter of the passage if that is less."""


@dataclass(frozen=True)
class Material:
    """Texts of a study before they are tokenized.

    Attributes:
        tasks: task of each entity, without duplicates.
        public: documents of public text to train on.
        public_test: held-out documents of public text.
    """

    tasks: list[Task]
    public: list[str]
    public_test: list[str]


def read_material(study: Study) -> Material:
    """Texts of a study, read from the files that it names.

    Raises:
        InvalidInput: a file is missing or damaged, or a task has no examples left once duplicates are removed.
    """
    tasks = []
    for number, entity in enumerate(study.entities, 1):
        with naming(f"the task of entity {number}"):
            tasks.append(_task(entity))
    with naming("public.text"):
        documents = _documents(study.public)
    tasks = without_duplicates(tasks)
    return Material(tasks, *_split_documents(list(dict.fromkeys(documents))))


def _documents(public: str) -> list[str]:
    if public == PYTHON:
        return python_documentation()
    # Paths were resolved when the study was read.
    return read_documents(Path(public)) if Path(public).is_absolute() else hub_documents(public)


def _split_documents(documents: list[str]) -> tuple[list[str], list[str]]:
    """Documents to train on and held-out ones.

    A random twentieth of the documents is held out where there are 100 or more, else the last twentieth of every document.
    """
    if len(documents) >= 100:
        cut = len(documents) * 19 // 20
        shuffled = [documents[i] for i in np.random.default_rng(0).permutation(len(documents))]
        return shuffled[:cut], shuffled[cut:]
    cuts = [len(document) * 19 // 20 for document in documents]
    return (
        [document[:cut] for document, cut in zip(documents, cuts, strict=True)],
        [document[cut:] for document, cut in zip(documents, cuts, strict=True)],
    )


def _task(entity: EntitySettings) -> Task:
    if entity.task in BUILTIN_TASKS:
        return builtin_task(entity.task)
    path = Path(entity.task)
    if not path.is_absolute():
        return Task(entity.task, hub_examples(entity.task, "train"), hub_examples(entity.task, "test"))
    examples = read_examples(path)
    name = path.parent.name if path.stem.startswith("train") else path.stem
    if entity.test:
        return Task(name, examples, read_examples(Path(entity.test)))
    if len(examples) < 2:
        raise InvalidInput(
            f"{path} has 1 example, but without a file of tests it needs 2 or more: every tenth is held out"
        )
    return Task(name, *_held_out(examples))


def _held_out(examples: Sequence[Example]) -> tuple[tuple[Example, ...], tuple[Example, ...]]:
    """Examples to train on and held-out ones: every tenth, or fewer so that they are `_MOST_TESTS` at most."""
    every = max(10, -(-len(examples) // _MOST_TESTS))
    return tuple(e for i, e in enumerate(examples) if i % every), tuple(examples[::every])


@dataclass(frozen=True)
class Corpus:
    """Texts of a study as tokens.

    Attributes:
        names: name of each task.
        private: private training texts of each entity.
        public: passages of public text to train on.
        fresh: human texts set apart for the pool; empty unless `pool.fresh` asks for them.
        all_private: private training texts of all entities.
        tests: held-out texts of each task.
        public_test: held-out passages of public text.
        references: reference completions of the tests of each task, as text.
        fitting: share of each task's training examples that fit `training.length`; the others are left out.
        tests_too_long: number of each task's test examples that are longer and therefore left out.
    """

    names: tuple[str, ...]
    private: tuple[Texts, ...]
    public: Texts
    fresh: Texts
    all_private: Texts
    tests: tuple[Texts, ...]
    public_test: Texts
    references: tuple[tuple[str, ...], ...]
    fitting: tuple[float, ...]
    tests_too_long: tuple[int, ...]

    def fingerprint(self) -> str:
        """Hash of all texts, which identifies them."""
        digest = hashlib.sha256()
        for texts in (*self.private, self.public, self.fresh, *self.tests, self.public_test):
            digest.update(texts.tokens.tobytes() + texts.starts.tobytes() + texts.prompts.tobytes())
        return digest.hexdigest()


def make_corpus(study: Study, material: Material, tokenizer: Tokenizer) -> Corpus:
    """Corpus of a study: its texts as tokens.

    Raises:
        InvalidInput: there is too little public text for one passage, too little private text to set some apart, or no example
            of a task fits `training.length`.
    """
    length = study.training.length
    names = [task.name for task in material.tasks]
    train = [_fitting(tokenizer, task.train, length, f"training examples of {task.name}") for task in material.tasks]
    fresh = Texts.join([], [])
    if study.pool.fresh:
        fresh = Texts.concatenate([texts.select(range(0, len(texts), 4)) for texts, _ in train])
        if len(fresh) < study.generations:
            raise InvalidInput(
                f"pool.fresh needs a text for each of {study.generations} generations, but only {len(fresh)} can be set apart"
            )
        if short := [name for name, (texts, _) in zip(names, train, strict=True) if len(texts) < 2]:
            raise InvalidInput(f"pool.fresh sets the only training example of {short[0]} apart: it needs 2 or more")
        fresh = fresh.select(np.random.default_rng(0).permutation(len(fresh)))
        train = [(texts.select([i for i in range(len(texts)) if i % 4]), share) for texts, share in train]
    private = tuple(texts for texts, _ in train)
    prompt = min(_PROMPT, length // 4)
    public = encode_passages(tokenizer, material.public, length, prompt)
    public_test = encode_passages(tokenizer, material.public_test, length, prompt)
    for part, texts in (("to train on", public), ("to hold out", public_test)):
        if not len(texts):
            raise InvalidInput(f"public text is too short: there is no passage of about {length} tokens {part}")
    tests, references, too_long = [], [], []
    for task in material.tasks:
        texts = encode_examples(tokenizer, task.test)
        fits = texts.lengths <= length
        kept = np.flatnonzero(fits)[: study.measures.test_items]
        if not len(kept):
            raise InvalidInput(f"training.length is {length}, and no test example of {task.name} fits it")
        too_long.append(int((~fits).sum()))
        tests.append(texts.select(kept))
        references.append(tuple(task.test[i].completion for i in kept))
    return Corpus(
        tuple(unique_names(names)),
        private,
        public,
        fresh,
        Texts.concatenate(private),
        tuple(tests),
        public_test,
        tuple(references),
        tuple(share for _, share in train),
        tuple(too_long),
    )


def _fitting(tokenizer: Tokenizer, examples: Sequence[Example], length: int, what: str) -> tuple[Texts, float]:
    """Texts of the examples of at most `length` tokens, and their share of all examples; `what` names them in messages."""
    texts = encode_examples(tokenizer, examples)
    kept = np.flatnonzero(texts.lengths <= length)
    if not len(kept):
        raise InvalidInput(f"training.length is {length}, and none of the {what} fits it")
    return texts.select(kept), len(kept) / len(texts)
