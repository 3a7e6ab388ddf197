"""Tokenizers: from a Hugging Face folder, from a llama2.c file, or newly trained."""

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tokenizers
from jaxtyping import Int
from tokenizers import decoders, models, normalizers, pre_tokenizers, trainers

from crossfeed.errors import InvalidInput
from crossfeed.reading import read_bytes, read_json

_BYTES = 256
_END = "<|end|>"


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
        """Token ids of a text, without `bos` and `eos`."""
        return self.backend.encode(text, add_special_tokens=False).ids

    def decode(self, ids: Sequence[int] | Int[np.ndarray, " token"]) -> str:
        """Text of token ids, without `eos` and special tokens; bytes that are not UTF-8 become U+FFFD."""
        return self.backend.decode([int(i) for i in ids if i != self.eos], skip_special_tokens=True)

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
    return _tokenizer(backend, 0, 0)  # special tokens come first


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
    bos, eos = (_special_token(folder / "config.json", name) for name in ("bos_token_id", "eos_token_id"))
    if eos is None:
        raise InvalidInput(f"{folder / 'config.json'} has no eos_token_id, but a text must end somewhere")
    if (path := folder / "tokenizer.json").exists():
        return read_tokenizer(path, bos, eos)
    if (folder / "vocab.json").exists():
        vocabulary, merges = (str(folder / name) for name in ("vocab.json", "merges.txt"))
        try:
            backend = tokenizers.Tokenizer(models.BPE.from_file(vocabulary, merges))
        except Exception as error:
            raise InvalidInput(f"{folder} holds no tokenizer in vocab.json and merges.txt: {error}") from error
        _byte_level(backend)
        backend.add_special_tokens([token for i in {bos, eos} if i is not None and (token := backend.id_to_token(i))])
        return _tokenizer(backend, bos, eos)
    raise InvalidInput(f"{folder} holds neither tokenizer.json nor vocab.json")


def read_tokenizer(path: Path, bos: int | None, eos: int) -> Tokenizer:
    """The tokenizer of a `tokenizer.json`.

    Args:
        path: the file.
        bos: token before a text, if there is one.
        eos: token after a text.

    Raises:
        InvalidInput: the file is missing or damaged.
    """
    content = read_bytes(path).decode(errors="replace")
    try:
        return _tokenizer(tokenizers.Tokenizer.from_str(content), bos, eos)
    except Exception as error:  # the library raises nothing more specific
        raise InvalidInput(f"{path} is not a tokenizer: {error}") from error


def _special_token(path: Path, name: str) -> int | None:
    """Id of a special token in a `config.json`, the first one if it lists several; None if it has none."""
    token = read_json(path).get(name)
    token = token[0] if isinstance(token, list) and token else token
    if token is not None and (type(token) is not int or token < 0):
        raise InvalidInput(f"{path}: {name} is {token!r}, but must be the number of a token")
    return token


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
    return _tokenizer(backend, 1, 2)


def _tokenizer(backend: tokenizers.Tokenizer, bos: int | None, eos: int) -> Tokenizer:
    """A tokenizer that, whatever its file says, neither truncates nor pads, and encodes names of special tokens as text."""
    backend.no_truncation()
    backend.no_padding()
    backend.encode_special_tokens = True
    return Tokenizer(backend, bos, eos)


def _byte_level(backend: tokenizers.Tokenizer) -> None:
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
