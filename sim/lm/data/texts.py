"""Texts as tokens: flat stores, passages of public text, and rows packed full of texts."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from .tasks import Example
from .tokenizer import Tokenizer


@dataclass(frozen=True)
class Texts:
    """Tokenized texts, one after another.

    Attributes:
        tokens: of all texts, int32.
        starts: where each begins in `tokens`, and where the last ends.
        prompts: how many tokens of each are its prompt; at least the mark of the beginning, if the tokenizer has one.
    """

    tokens: np.ndarray
    starts: np.ndarray
    prompts: np.ndarray

    @classmethod
    def join(cls, texts: Sequence[np.ndarray], prompts: Sequence[int] | np.ndarray) -> "Texts":
        """Texts from their tokens."""
        starts = np.concatenate([[0], np.cumsum([len(text) for text in texts], dtype=np.int64)])
        tokens = np.concatenate([np.zeros(0, np.int32), *texts]).astype(np.int32)
        return cls(tokens, starts, np.asarray(prompts, np.int32))

    @classmethod
    def concatenate(cls, parts: Sequence["Texts"]) -> "Texts":
        """All texts of the parts, in order."""
        lengths = np.concatenate([part.lengths for part in parts])
        starts = np.concatenate([[0], np.cumsum(lengths)])
        return cls(
            np.concatenate([part.tokens for part in parts]), starts, np.concatenate([part.prompts for part in parts])
        )

    def __len__(self) -> int:
        return len(self.prompts)

    def __getitem__(self, index: int | np.integer) -> np.ndarray:
        return self.tokens[self.starts[index] : self.starts[index + 1]]

    def select(self, indices: Sequence[int] | np.ndarray) -> "Texts":
        """Some of the texts."""
        return Texts.join([self[i] for i in indices], self.prompts[np.asarray(indices, np.int64)])

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each text."""
        return np.diff(self.starts)

    def prompt(self, index: int | np.integer) -> np.ndarray:
        """Tokens of the prompt of a text."""
        return self[index][: self.prompts[index]]

    def completion(self, index: int | np.integer) -> np.ndarray:
        """Tokens that follow the prompt of a text."""
        return self[index][self.prompts[index] :]


def encode_examples(tokenizer: Tokenizer, examples: Iterable[Example]) -> Texts:
    """Prompt, completion and end mark of each example."""
    texts, prompts = [], []
    for example in examples:
        prompt = begin(tokenizer, example.prompt)
        whole = begin(tokenizer, example.prompt + example.completion)
        # Together, because some tokenizers put a space before every text; a token across the border is completion.
        same = next((i for i, (a, b) in enumerate(zip(prompt, whole, strict=False)) if a != b), len(prompt))
        texts.append(np.array([*whole, tokenizer.eos]))
        prompts.append(same)
    return Texts.join(texts, prompts)


def encode_passages(tokenizer: Tokenizer, documents: Iterable[str], length: int, prompt: int) -> Texts:
    """Documents cut into passages of `length` tokens, each with the beginning mark; what is left over is dropped if short.

    Args:
        prompt: how many tokens of a passage count as its prompt.
    """
    room = length - len(begin(tokenizer, ""))
    texts = []
    for document in documents:
        tokens = tokenizer.encode(document)
        pieces = (tokens[at : at + room] for at in range(0, len(tokens), room))
        texts += [np.array(begin(tokenizer, "") + piece) for piece in pieces if len(piece) > min(2 * prompt, room // 2)]
    return Texts.join(texts, [prompt] * len(texts))


def begin(tokenizer: Tokenizer, prompt: str) -> list[int]:
    """The tokens of a prompt after the mark of the beginning, if there is one."""
    return ([] if tokenizer.bos is None else [tokenizer.bos]) + tokenizer.encode(prompt)


@dataclass(frozen=True)
class Rows:
    """Texts packed into rows of equal length.

    Attributes:
        tokens: ids, int32 [..., row, length].
        segments: number of the text from 1, 0 at padding; same shape.
        counted: whether the loss counts a token; same shape.
    """

    tokens: np.ndarray
    segments: np.ndarray
    counted: np.ndarray


def first_fit(lengths: Sequence[int] | np.ndarray, rows: int, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Row and column of the leading texts, each put into the first row with room, up to the first that finds none.

    Stopping there keeps the texts a plain prefix of what was drawn: skipping long ones would prefer short ones.

    Args:
        lengths: of the texts, none above `length`.
    """
    room = np.full(rows, length)
    row_of, column_of = [], []
    for size in lengths:
        row = int(np.argmax(room >= size))
        if room[row] < size:
            break
        row_of.append(row)
        column_of.append(length - room[row])
        room[row] -= size
    return np.array(row_of, np.int64), np.array(column_of, np.int64)


def pack(texts: Sequence[np.ndarray], prompts: np.ndarray, rows: int, length: int, whole: np.ndarray) -> Rows:
    """The leading texts that fit, in rows.

    Args:
        prompts: prompt tokens of each text.
        whole: whether the loss of a text counts its prompt too (never its first token, which nothing predicts).
    """
    lengths = np.array([len(text) for text in texts], np.int64)
    row, column = first_fit(lengths, rows, length)
    used = len(row)
    lengths, text = lengths[:used], np.repeat(np.arange(used), lengths[:used])
    within = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    place = row[text] * length + column[text] + within
    flat = {
        name: np.zeros(rows * length, kind) for name, kind in (("tokens", "i4"), ("segments", "i4"), ("counted", "?"))
    }
    flat["tokens"][place] = np.concatenate([np.zeros(0, np.int32), *texts[:used]])
    flat["segments"][place] = text + 1
    flat["counted"][place] = within >= np.where(whole[text], 1, np.maximum(prompts[text], 1))
    return Rows(**{name: values.reshape(rows, length) for name, values in flat.items()})


def pack_all(texts: Texts, length: int) -> Rows:
    """All texts in as few rows as this takes; completions are counted, or all of a text that has no prompt."""
    row, _ = first_fit(texts.lengths, len(texts), length)
    each = [texts[i] for i in range(len(texts))]
    return pack(each, texts.prompts, int(row.max(initial=0)) + 1, length, np.zeros(len(texts), bool))
