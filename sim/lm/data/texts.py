"""Tokenized texts, and training rows packed with several texts each."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from .tasks import Example
from .tokenizer import Tokenizer


@dataclass(frozen=True)
class Texts:
    """Tokenized texts, stored one after another. Indexing gives the tokens of one text.

    Attributes:
        tokens: tokens of all texts, int32.
        starts: position in `tokens` where each text starts, and where the last one ends; int64 [texts + 1].
        prompts: number of prompt tokens of each text, the token before the text included; int32 [texts].
    """

    tokens: np.ndarray
    starts: np.ndarray
    prompts: np.ndarray

    @classmethod
    def join(cls, texts: Sequence[np.ndarray], prompts: Sequence[int] | np.ndarray) -> "Texts":
        """Texts from the tokens of each and their numbers of prompt tokens."""
        starts = np.concatenate([[0], np.cumsum([len(text) for text in texts], dtype=np.int64)])
        tokens = np.concatenate([np.zeros(0, np.int32), *texts]).astype(np.int32)
        return cls(tokens, starts, np.asarray(prompts, np.int32))

    @classmethod
    def concatenate(cls, parts: Sequence["Texts"]) -> "Texts":
        """All texts of several parts, in order."""
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
        """Texts with these indices, in this order."""
        return Texts.join([self[i] for i in indices], self.prompts[np.asarray(indices, np.int64)])

    @property
    def lengths(self) -> np.ndarray:
        """Number of tokens of each text."""
        return np.diff(self.starts)

    def prompt(self, index: int | np.integer) -> np.ndarray:
        """Tokens of the prompt of a text."""
        return self[index][: self.prompts[index]]

    def completion(self, index: int | np.integer) -> np.ndarray:
        """Tokens that follow the prompt of a text."""
        return self[index][self.prompts[index] :]


def encode_examples(tokenizer: Tokenizer, examples: Iterable[Example]) -> Texts:
    """Examples as texts: prompt, completion and end token."""
    texts, prompts = [], []
    for example in examples:
        prompt = encode_prompt(tokenizer, example.prompt)
        whole = encode_prompt(tokenizer, example.prompt + example.completion)
        # Encoded together, because some tokenizers put a space before every text. A token that spans prompt and completion
        # counts as completion.
        same = next((i for i, (a, b) in enumerate(zip(prompt, whole, strict=False)) if a != b), len(prompt))
        texts.append(np.array([*whole, tokenizer.eos]))
        prompts.append(same)
    return Texts.join(texts, prompts)


def encode_passages(tokenizer: Tokenizer, documents: Iterable[str], length: int, prompt: int) -> Texts:
    """Passages of documents, without end tokens; the last passage of a document is shorter, and dropped if very short.

    Args:
        tokenizer: the tokenizer.
        documents: texts to cut into passages.
        length: number of tokens of a passage, the token before the text included.
        prompt: number of tokens of a passage that count as its prompt.
    """
    room = length - len(encode_prompt(tokenizer, ""))
    texts = []
    for document in documents:
        tokens = tokenizer.encode(document)
        pieces = (tokens[at : at + room] for at in range(0, len(tokens), room))
        texts += [
            np.array(encode_prompt(tokenizer, "") + piece)
            for piece in pieces
            if len(piece) > min(2 * prompt, room // 2)
        ]
    return Texts.join(texts, [prompt] * len(texts))


def encode_prompt(tokenizer: Tokenizer, prompt: str) -> list[int]:
    """Tokens of a prompt, after the token that stands before every text, if there is one."""
    return ([] if tokenizer.bos is None else [tokenizer.bos]) + tokenizer.encode(prompt)


@dataclass(frozen=True)
class Rows:
    """Texts packed into rows of equal length.

    Attributes:
        tokens: token ids, int32 [..., row, length].
        segments: number of the text within all rows, from 1; 0 at padding; same shape.
        counted: whether the loss counts the token; same shape.
    """

    tokens: np.ndarray
    segments: np.ndarray
    counted: np.ndarray


def first_fit(lengths: Sequence[int] | np.ndarray, rows: int, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Row and column at which each of the leading texts starts, by first fit: a text goes into the first row with room.

    It stops at the first text that fits into no row. Skipping that one and going on would favor short texts.

    Args:
        lengths: number of tokens of each text, none above `length`.
        rows: number of rows.
        length: tokens per row.
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
    """Rows packed with the leading texts that fit, as `first_fit` places them.

    Args:
        texts: tokens of each text.
        prompts: number of prompt tokens of each text.
        rows: number of rows.
        length: tokens per row.
        whole: whether the loss counts the prompt of each text too. Its first token never counts: nothing precedes it.
    """
    lengths = np.array([len(text) for text in texts], np.int64)
    row, column = first_fit(lengths, rows, length)
    used = len(row)
    lengths, text = lengths[:used], np.repeat(np.arange(used), lengths[:used])
    within = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    position = row[text] * length + column[text] + within
    flat = {
        name: np.zeros(rows * length, dtype) for name, dtype in (("tokens", "i4"), ("segments", "i4"), ("counted", "?"))
    }
    flat["tokens"][position] = np.concatenate([np.zeros(0, np.int32), *texts[:used]])
    flat["segments"][position] = text + 1
    flat["counted"][position] = within >= np.where(whole[text], 1, np.maximum(prompts[text], 1))
    return Rows(**{name: values.reshape(rows, length) for name, values in flat.items()})


def pack_all(texts: Texts, length: int) -> Rows:
    """Rows packed with all texts, of which the loss counts the completions.

    Args:
        texts: the texts, none longer than `length`.
        length: tokens per row.
    """
    row, _ = first_fit(texts.lengths, len(texts), length)
    each = [texts[i] for i in range(len(texts))]
    return pack(each, texts.prompts, int(row.max(initial=0)) + 1, length, np.zeros(len(texts), bool))
