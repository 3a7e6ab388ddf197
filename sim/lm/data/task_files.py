"""Tasks and public text from a user's files, or from the `datasets` library by name."""

import math
import re
from collections.abc import Iterator
from pathlib import Path
from string import ascii_uppercase
from typing import Any

from crossfeed.errors import InvalidInput, reason_of
from crossfeed.reading import json_lines, read_text_file

from .tasks import Example, question

_TEXTS = (".txt", ".md")
_CALCULATOR = re.compile(r"<<[^>]*>>")
_LAYOUTS = "GSM8K and SciQ have question with answer or correct_answer, ARC has question, choices and answerKey"
_CHOICES = "question, choices (text and label, or MMLU's list of texts) and an answerKey or answer among the labels"


def read_examples(path: Path) -> tuple[Example, ...]:
    """Examples of a JSONL file in the layout of GSM8K, SciQ (short or full), ARC (two layouts) or MMLU.

    GSM8K's calculator annotations <<…>> are removed: they call a tool that the models do not have.

    Raises:
        InvalidInput: the file is missing, empty or damaged; the message names file and line.
    """
    return tuple(_example(record, where) for where, record in json_lines(path))


def hub_examples(name: str, split: str) -> tuple[Example, ...]:
    """Examples of a data set that the `datasets` library loads.

    Args:
        name: 'owner/name' or 'owner/name:configuration'.
        split: name of the split, such as 'train'.

    Raises:
        InvalidInput: the library is not installed, or it cannot load the data set.
    """
    records = _hub_records(name, split)
    return tuple(_example(record, f"{name} {split} record {number}") for number, record in enumerate(records, 1))


def read_documents(path: Path) -> list[str]:
    """Texts of one `.txt` or `.md` file, or of those below a folder, in the order of their names: `.md` where no `.txt` is there.

    Raises:
        InvalidInput: there is none, or one is empty or not text, or named otherwise.
    """
    if path.suffix not in _TEXTS and path.is_file():
        raise InvalidInput(f"{path} is neither a folder nor a file ending in {' or '.join(_TEXTS)}")
    if path.is_dir():
        files = next(filter(None, (sorted(path.rglob(f"*{suffix}")) for suffix in _TEXTS)), [])
        if not files:
            raise InvalidInput(f"{path} holds no file ending in {' or '.join(_TEXTS)}")
    else:
        files = [path]
    return [read_text_file(file) for file in files]


def hub_documents(name: str, split: str = "train", most: int = 50_000) -> list[str]:
    """Texts of a data set that the `datasets` library loads.

    Args:
        name: as for `hub_examples`.
        split: name of the split.
        most: number of texts to stop after.

    Raises:
        InvalidInput: as `hub_examples`, or its records hold no `text`.
    """
    texts = []
    for number, record in zip(range(most), _hub_records(name, split), strict=False):
        if not isinstance(record.get("text"), str):
            raise InvalidInput(f"{name} {split} record {number + 1} has no field 'text' with text in it")
        texts.append(record["text"])
    return texts


def _hub_records(name: str, split: str) -> Iterator[dict[str, Any]]:
    try:
        from datasets import load_dataset  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise InvalidInput(
            f"{name!r} is neither a file nor built in, and to load it by name the library 'datasets' must be installed"
        ) from None
    owner, _, configuration = name.partition(":")
    try:
        # Records come over the network one by one.
        yield from load_dataset(owner, configuration or None, split=split, streaming=True)
    except Exception as error:  # whatever the network or the hub says
        raise InvalidInput(f"cannot load the data set {name!r}: {reason_of(error)}") from error


def _example(record: Any, where: str) -> Example:
    if not isinstance(record, dict):
        raise InvalidInput(f"{where} is not an object: {_LAYOUTS}")
    asked = record.get("question")
    if "choices" in record or (isinstance(asked, dict) and "choices" in asked):
        return _multiple_choice(record, where)
    answer = _text(record.get("correct_answer", record.get("answer")))
    for field, value in (("question", asked), ("answer", answer and _CALCULATOR.sub("", answer))):
        if not isinstance(value, str) or not value.strip():
            raise InvalidInput(f"{where} has no text in '{field}': {_LAYOUTS}")
    assert isinstance(asked, str)
    assert isinstance(answer, str)
    return question(asked, _CALCULATOR.sub("", answer))


def _multiple_choice(record: dict[str, Any], where: str) -> Example:
    """Example of a record of ARC or MMLU.

    The question is a text, or a record of `stem` and perhaps `choices`. Choices are a table of columns, a list of records, or
    a list of texts, which get letters.
    """
    asked = record.get("question")
    try:
        stem, inner = (asked["stem"], asked) if isinstance(asked, dict) else (asked, {})
        choices = record["choices"] if "choices" in record else inner["choices"]
        plain = isinstance(choices, list) and not any(isinstance(choice, dict) for choice in choices)
        pairs = list(zip(ascii_uppercase, map(_text, choices), strict=False) if plain else _labelled(choices))
        key = record["answerKey"] if "answerKey" in record else record["answer"]
        if plain and type(key) is int and 0 <= key < len(pairs):  # MMLU counts from 0
            key = pairs[key][0]
        labels = [label for label, _ in pairs]
        answer = dict(pairs)[_text(key)]
        if not isinstance(stem, str) or not stem.strip() or None in labels or None in (text for _, text in pairs):
            raise ValueError("no text")
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise InvalidInput(f"{where} is not an ARC record: {_CHOICES}") from error
    if len({*labels}) < len(labels) or (plain and len(choices) > len(pairs)):
        raise InvalidInput(f"{where} is not an ARC record: two choices have one label, or there are more than 26")
    if not answer or not answer.strip():
        raise InvalidInput(f"{where} is not an ARC record: the right choice is empty")
    shown = " ".join(f"({label}) {text}" for label, text in pairs)
    return question(f"{stem.strip()} {shown}", answer)


def _labelled(choices: Any) -> Iterator[tuple[str | None, str | None]]:
    """Label and text of each choice."""
    if isinstance(choices, dict):
        yield from zip(map(_text, choices["label"]), map(_text, choices["text"]), strict=True)
    else:
        yield from ((_text(choice["label"]), _text(choice["text"])) for choice in choices)


def _text(value: Any) -> str | None:
    """A text, or a finite number as text; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    return None if isinstance(value, float) and not math.isfinite(value) else str(value)
