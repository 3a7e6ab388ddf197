"""Tokenizers: from a Hugging Face folder, from a llama2.c file, or newly trained."""

import math
import os
import struct
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import tokenizers
from jaxtyping import Int
from tokenizers import decoders, models, normalizers, pre_tokenizers, trainers

from crossfeed.errors import InvalidInput, reason_of
from crossfeed.reading import read_bytes, read_json, read_text_file

_BYTES = 256
_END = "<|end|>"


_BYTE_TOKENS = frozenset(f"<0x{byte:02X}>" for byte in range(_BYTES))
_PROBE = "Question: What is 1 + 2?\nAnswer: 3"


@contextmanager
def _calling(what: str) -> Generator[None]:
    """Context manager that turns errors of the `tokenizers` library into `InvalidInput`, whose message begins with `what`."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit, InvalidInput):
        raise
    except BaseException as error:  # a panic of the library is no Exception
        raise InvalidInput(f"{what}: {reason_of(error)}") from error


def _start(text: str) -> str:
    """Beginning of a text, quoted."""
    return repr(text if len(text) <= 40 else f"{text[:40]}…")


@dataclass(frozen=True)
class Tokenizer:
    """A tokenizer and its tokens for the beginning and the end of a text.

    Attributes:
        backend: tokenizer of the `tokenizers` library.
        bos: token before a text; None if the model was trained without one.
        eos: token after a text.
    """

    backend: tokenizers.Tokenizer
    bos: int | None
    eos: int

    @property
    def size(self) -> int:
        """Number of tokens, special ones included."""
        return self.backend.get_vocab_size()

    def encode(self, text: str) -> list[int]:
        """Token ids of a text, without `bos` and `eos`.

        Raises:
            InvalidInput: the tokenizer cannot encode the text, or would drop a character of it.
        """
        with _calling(f"the tokenizer cannot encode {_start(text)}"):
            ids = self.backend.encode(text, add_special_tokens=False).ids
            dropped = self._drops and self._dropped_from(text)
        if dropped:
            raise InvalidInput(f"the tokenizer has no token for a character of {_start(dropped)}, and would drop it")
        return ids

    def decode(self, ids: Sequence[int] | Int[np.ndarray, " token"]) -> str:
        """Text of token ids, without `eos` and special tokens; bytes that are not UTF-8 become U+FFFD."""
        with _calling("the tokenizer cannot decode tokens"):
            return self.backend.decode([int(i) for i in ids if i != self.eos], skip_special_tokens=True)

    def beyond(self, vocabulary: int) -> tuple[str, int] | None:
        """Token and id of the largest id that a text may be encoded to, if it is not below `vocabulary`.

        Special tokens that were added to the vocabulary do not count: texts are never encoded to them.
        """
        added = self.backend.get_added_tokens_decoder()
        plain = {token.content: number for number, token in added.items() if not token.special}
        ids = self.backend.get_vocab(with_added_tokens=False) | plain
        token = max(ids, key=lambda token: ids[token], default="")
        return (token, ids[token]) if ids and ids[token] >= vocabulary else None

    @cached_property
    def _symbols(self) -> frozenset[str]:
        return frozenset(self.backend.get_vocab(with_added_tokens=False))

    @cached_property
    def _drops(self) -> bool:
        """Whether characters may be dropped: a BPE does so with those that it lacks, and has no other token for."""
        model = self.backend.model
        if not isinstance(model, models.BPE) or model.unk_token is not None:
            return False
        if model.byte_fallback:
            return not self._symbols >= _BYTE_TOKENS
        byte_level = (
            self.backend.pre_tokenizer is not None and b"ByteLevel" in self.backend.pre_tokenizer.__getstate__()
        )
        affixes = model.continuing_subword_prefix or model.end_of_word_suffix
        return bool(affixes) or not byte_level or not self._symbols.issuperset(pre_tokenizers.ByteLevel.alphabet())

    def _dropped_from(self, text: str) -> str:
        """First piece of a text that has a character without a token; empty if there is none."""
        backend, model = self.backend, self.backend.model
        assert isinstance(model, models.BPE)
        plain = backend.normalizer.normalize_str(text) if backend.normalizer else text
        pieces = backend.pre_tokenizer.pre_tokenize_str(plain) if backend.pre_tokenizer else [(plain, (0, len(plain)))]
        prefix, suffix = model.continuing_subword_prefix or "", model.end_of_word_suffix or ""
        for piece, (start, stop) in pieces:
            if model.ignore_merges and piece in self._symbols:
                continue
            symbols = [f"{prefix if at else ''}{character}" for at, character in enumerate(piece)]
            symbols[-1:] = [symbol + suffix for symbol in symbols[-1:]]
            for symbol, character in zip(symbols, piece, strict=True):
                in_bytes = {f"<0x{byte:02X}>" for byte in character.encode()} if model.byte_fallback else {symbol}
                if symbol not in self._symbols and not in_bytes <= self._symbols:
                    return plain[start:stop]
        return ""

    def same_as(self, other: "Tokenizer") -> bool:
        """Whether both encode every text to the same ids, with the same tokens at its ends."""
        return (self.bos, self.eos, self.backend.to_str()) == (other.bos, other.eos, other.backend.to_str())

    def save(self, path: Path) -> None:
        """Write the tokenizer as a `tokenizer.json`."""
        self.backend.save(str(path))


def train_tokenizer(texts: Iterable[str], vocabulary: int) -> Tokenizer:
    """A byte-level BPE tokenizer trained on texts; `bos` and `eos` are the same token.

    Args:
        texts: texts to train on.
        vocabulary: greatest number of tokens.

    Raises:
        InvalidInput: fewer tokens than the bytes and the end token need.
    """
    if vocabulary < _BYTES + 1:
        raise InvalidInput(f"vocabulary is {vocabulary}, but must be at least {_BYTES + 1}: the bytes and an end token")
    backend = tokenizers.Tokenizer(models.BPE())
    _byte_level(backend)
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[_END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator(texts, trainer)
    return _tokenizer(backend, 0, 0, "a new tokenizer")  # special tokens come first


def load_tokenizer(path: Path) -> Tokenizer:
    """The tokenizer of a file or folder.

    Args:
        path: a llama2.c `.bin` file, or a Hugging Face folder with `tokenizer.json`, or `vocab.json` and `merges.txt`.

    Raises:
        InvalidInput: there is none, or it is damaged, or the folder's `config.json` names no end token.
    """
    if path.is_dir():
        return _hugging_face_tokenizer(path)
    if path.suffix == ".bin":
        return _llama2c_tokenizer(path)
    raise InvalidInput(f"tokenizer is {path}, but must be a folder with tokenizer.json or a llama2.c .bin file")


def _hugging_face_tokenizer(folder: Path) -> Tokenizer:
    bos, eos = (_special_token(folder, name) for name in ("bos_token_id", "eos_token_id"))
    if eos is None:
        raise InvalidInput(f"{folder / 'config.json'} has no eos_token_id, but a text must end somewhere")
    if (path := folder / "tokenizer.json").exists():
        return read_tokenizer(path, bos, eos)
    if (folder / "vocab.json").exists():
        return _vocabulary_and_merges(folder, bos, eos)
    raise InvalidInput(f"{folder} holds neither tokenizer.json nor vocab.json")


def _vocabulary_and_merges(folder: Path, bos: int | None, eos: int) -> Tokenizer:
    """The byte-level BPE of a folder with `vocab.json` and `merges.txt`."""
    vocabulary = read_json(folder / "vocab.json")
    lines = read_text_file(folder / "merges.txt").split("\n")
    split = (line.partition(" ") for line in lines if line and not line.startswith("#version"))
    pairs = [(left, right) for left, _, right in split]
    with _calling(f"{folder} holds no tokenizer in vocab.json and merges.txt"), _silent_library():
        backend = tokenizers.Tokenizer(models.BPE(vocab=vocabulary, merges=pairs))
    _byte_level(backend)
    backend.add_special_tokens([token for i in {bos, eos} if i is not None and (token := backend.id_to_token(i))])
    return _tokenizer(backend, bos, eos, str(folder))


def read_tokenizer(path: Path, bos: int | None, eos: int) -> Tokenizer:
    """The tokenizer of a `tokenizer.json`.

    Args:
        path: the file.
        bos: token before a text, if there is one.
        eos: token after a text.

    Raises:
        InvalidInput: the file is missing or damaged.
    """
    content = read_bytes(path)
    with _calling(f"{path} is not a tokenizer"), _silent_library():
        backend = tokenizers.Tokenizer.from_str(content.decode("utf-8-sig"))
    return _tokenizer(backend, bos, eos, str(path))


def _special_token(folder: Path, name: str) -> int | None:
    """Id of a special token in `config.json`, or else in `generation_config.json`, the first one if there are several."""
    for path in (folder / "config.json", folder / "generation_config.json"):
        if path.name != "config.json" and not path.exists():
            continue
        token = read_json(path).get(name)
        token = token[0] if isinstance(token, list) and token else token
        if token is not None and (type(token) is not int or token < 0):
            raise InvalidInput(f"{path}: {name} is {token!r}, but must be the number of a token")
        if token is not None:
            return token
    return None


@contextmanager
def _silent_library() -> Generator[None]:
    """Context manager that drops what the `tokenizers` library writes to stderr itself: the stack of a panic."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _llama2c_tokenizer(path: Path) -> Tokenizer:
    """The BPE tokenizer that a llama2.c file describes.

    The file lists pieces with scores. Two adjacent pieces merge if their concatenation is a piece, the one with the best score
    first; characters without a piece are encoded as bytes.
    """
    content, start = read_bytes(path), 4  # the first number is the longest piece's length
    pieces: list[str] = []
    scores: list[float] = []
    while start < len(content):
        try:
            score, length = struct.unpack_from("<fi", content, start)
            piece = content[start + 8 : start + 8 + length].decode()
        except (struct.error, UnicodeDecodeError) as error:
            raise InvalidInput(f"{path} is damaged at byte {start}, token {len(pieces)}") from error
        if length < 0 or start + 8 + length > len(content):
            raise InvalidInput(f"{path} ends within token {len(pieces)}")
        if not math.isfinite(score):
            raise InvalidInput(f"{path}: the score of token {len(pieces)} is {score}")
        pieces.append(piece)
        scores.append(score)
        start += 8 + length
    if len(pieces) < 3 + _BYTES:
        raise InvalidInput(f"{path} holds {len(pieces)} tokens, but llama2.c's have at least {3 + _BYTES}")
    vocabulary = {piece: i for i, piece in enumerate(pieces)}
    if len(vocabulary) < len(pieces):
        raise InvalidInput(f"{path} holds the same token twice")
    ranked = sorted(range(3 + _BYTES, len(pieces)), key=lambda i: -scores[i])
    splits = ((pieces[i][:at], pieces[i][at:]) for i in ranked for at in range(1, len(pieces[i])))
    merges = [(left, right) for left, right in splits if left in vocabulary and right in vocabulary]
    backend = tokenizers.Tokenizer(models.BPE(vocab=vocabulary, merges=merges, unk_token=pieces[0], byte_fallback=True))
    backend.normalizer = normalizers.Prepend(" ")
    backend.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    backend.add_special_tokens(pieces[:3])
    return _tokenizer(backend, 1, 2, str(path))


def _tokenizer(backend: tokenizers.Tokenizer, bos: int | None, eos: int, source: str) -> Tokenizer:
    """A tokenizer that, whatever its file says, encodes a text always alike, whole, and names of special tokens as text.

    Args:
        backend: tokenizer of the library.
        bos: token before a text, if there is one.
        eos: token after a text.
        source: its file or folder, for messages.

    Raises:
        InvalidInput: it can encode no text.
    """
    backend.no_truncation()
    backend.no_padding()
    backend.encode_special_tokens = True
    for at_random in ("dropout", "alpha", "nbest_size"):  # of BPE, and of a unigram model
        if hasattr(backend.model, at_random):
            setattr(backend.model, at_random, None)
    with _calling(f"{source}: the tokenizer cannot encode {_PROBE!r}"), _silent_library():
        backend.decode(backend.encode(_PROBE, add_special_tokens=False).ids)
    return Tokenizer(backend, bos, eos)


def _byte_level(backend: tokenizers.Tokenizer) -> None:
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
