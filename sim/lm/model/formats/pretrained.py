"""Pretrained models: Hugging Face folders of the OPT and Llama families, read and written, and llama2.c's `.bin`, read."""

import json
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import jax.numpy as jnp
import numpy as np
from flax import nnx
from safetensors import SafetensorError, safe_open
from safetensors.flax import save_file

from crossfeed.atomic_write import atomic_write
from crossfeed.errors import InvalidInput
from crossfeed.reading import check_fetched, check_regular, read_json

from ...data.tokenizer import Tokenizer, load_tokenizer
from ..config import TransformerConfig
from ..transformer import Transformer, abstract_transformer
from .hugging_face import read_config, stored_parameters, write_config
from .llama2c import load_llama2c

_IGNORED = ("rotary_emb.inv_freq", "rotary_emb.cos_cached", "rotary_emb.sin_cached")
"""Tensors of older Llama files that follow from the configuration."""

_WANTED = [
    "config.json",
    "generation_config.json",
    "*.safetensors",
    "*.safetensors.index.json",
    "tokenizer.json",
    "vocab.json",
    "merges.txt",
]
_OTHERS = ("pytorch_model*.bin", "pytorch_model.bin.index.json", "*.pth", "*.gguf", "*.h5", "*.msgpack")
"""Files of other formats, which have to be converted."""
_DTYPES = ("F32", "F16", "BF16", "F64")
_HEAD = "lm_head.weight"
_LONGEST = 2**24
"""Upper bound on contexts, in tokens, as of llama2.c files: no tensor of a model with rotary positions tells it."""


@dataclass(frozen=True)
class PretrainedModel:
    """A pretrained model and its tokenizer."""

    model: Transformer
    tokenizer: Tokenizer


def load_pretrained(
    source: str | Path,
    tokenizer: str | Path | None = None,
    *,
    dtype: str = "float32",
    parameter_dtype: str | None = None,
    remat: bool = False,
) -> PretrainedModel:
    """A model and its tokenizer, read from files.

    Args:
        source: as for `load_model`.
        tokenizer: another folder to read the tokenizer from, or a llama2.c tokenizer, which a `.bin` model needs.
        dtype: as for `load_model`.
        parameter_dtype: as for `load_model`.
        remat: as for `load_model`.

    Raises:
        InvalidInput: as for `load_model`; or the tokenizer is missing, damaged, or knows a token that the model does not.
    """
    path = Path(source)
    if path.suffix == ".bin" and tokenizer is None:
        raise InvalidInput(f"{path} is a llama2.c model, which needs a tokenizer: give its .bin file too")
    path = path if path.suffix == ".bin" else _folder(source)
    model = load_model(path, dtype=dtype, parameter_dtype=parameter_dtype, remat=remat)
    read = load_tokenizer(Path(tokenizer or path))
    if beyond := read.beyond(model.config.vocabulary):
        token, number = beyond
        raise InvalidInput(
            f"{path}: the model has {model.config.vocabulary} tokens, but {token!r} is number {number} of its tokenizer"
        )
    if (most := max(read.bos or 0, read.eos)) >= model.config.vocabulary:
        raise InvalidInput(
            f"{path}: the model has {model.config.vocabulary} tokens, but token {most} begins or ends a text"
        )
    return PretrainedModel(model, read)


def load_model(
    source: str | Path, *, dtype: str = "float32", parameter_dtype: str | None = None, remat: bool = False
) -> Transformer:
    """A model without its tokenizer, read from files.

    Args:
        source: a Hugging Face folder, the name of one on the hub, or a llama2.c `.bin` file.
        dtype: dtype of the activations.
        parameter_dtype: dtype of the parameters; that of the file if None.
        remat: whether training recomputes the blocks instead of keeping their intermediate results.

    Raises:
        InvalidInput: a file or tensor is missing, of the wrong shape, damaged or not supported; the message names it.
    """
    path = Path(source)
    config, values = load_llama2c(path) if path.suffix == ".bin" else _load_folder(_folder(source))
    if broken := next(
        (name for name, value in values.items() if not np.isfinite(value.astype(np.float32)).all()), None
    ):
        raise InvalidInput(f"{path}: the tensor '{broken}' holds numbers that are not finite")
    if parameter_dtype:
        values = {name: value.astype(parameter_dtype) for name, value in values.items()}
        config = replace(config, parameter_dtype=parameter_dtype)
    return _model(replace(config, dtype=dtype, remat=remat), values)


def save_pretrained(model: Transformer, tokenizer: Tokenizer, folder: Path) -> None:
    """Write a model as a Hugging Face folder, which `model.base` of a study and `transformers` read.

    It holds `config.json`, `model.safetensors` and `tokenizer.json`; reading it gives the same parameters, bit by bit.

    Args:
        model: the model.
        tokenizer: its tokenizer.
        folder: folder to write, made if need be.

    Raises:
        InvalidInput: the folder cannot be written, or the model mixes choices of the two families.
    """
    record = write_config(model.config, tokenizer.bos, tokenizer.eos)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidInput(f"cannot write {folder}: {error.strerror or error}") from error
    state = dict(nnx.to_flat_state(nnx.state(model)))
    tensors = {}
    for parameter in stored_parameters(model.config):
        value = state[parameter.path][...]
        for name, part in zip(parameter.names, value if parameter.path[0] == "layers" else [value], strict=True):
            tensors[name] = part.T if parameter.transposed else part
    with atomic_write(folder / "model.safetensors") as part:
        save_file(tensors, part, metadata={"format": "pt"})
    with atomic_write(folder / "tokenizer.json") as part:
        tokenizer.save(part)
    with atomic_write(folder / "config.json") as part:
        part.write_text(json.dumps(record, indent=2) + "\n")


def _folder(source: str | Path) -> Path:
    path = Path(source)
    if path.is_dir():
        return path
    if path.is_absolute() or len(path.parts) != 2 or path.exists():
        raise InvalidInput(f"cannot read {source}: it is neither a folder, a .bin file nor a name on the hub")
    from huggingface_hub import snapshot_download

    try:
        folder = Path(snapshot_download(str(source), allow_patterns=_WANTED))
    except Exception as error:  # the library's errors, and those of what it fetches with
        message = str(error).strip().split("\n")[0]
        raise InvalidInput(
            f"'{source}' is no folder, and cannot be loaded from the Hugging Face hub: {message}"
        ) from error
    if not any(folder.glob("*.safetensors")):
        raise InvalidInput(
            f"'{source}' has no .safetensors file on the hub; if it has pytorch_model.bin, download and convert it first"
        )
    return folder


@dataclass(frozen=True)
class _Stored:
    """A tensor of a file, as the file's header describes it.

    Attributes:
        file: the file.
        name: name of the tensor in the file.
        dtype: name of its dtype in the file.
        shape: its shape.
    """

    file: Path
    name: str
    dtype: str
    shape: tuple[int, ...]

    def value(self) -> np.ndarray:
        """The tensor itself, float64 rounded to float32."""
        with _opened(self.file) as tensors:
            value = tensors.get_tensor(self.name)
        return value.astype(np.float32) if self.dtype == "F64" else value


def _load_folder(folder: Path) -> tuple[TransformerConfig, dict[str, np.ndarray]]:
    path = folder / "config.json"
    config = read_config(read_json(path), path)
    found = _headers(folder)
    _check_sizes(config, path, found)
    parameters = stored_parameters(config)
    embedding = next(parameter.names[0] for parameter in parameters if parameter.path[0] == "embedding")
    if (
        config.tied_head and embedding not in found and _HEAD in found
    ):  # the matrix that both share, under its other name
        found[embedding] = found.pop(_HEAD)
    expected = {name: parameter.shape for parameter in parameters for name in parameter.names}
    for name, stored in found.items():
        if name not in expected:
            _check_extra(config, name, stored, found.get(embedding))
        elif stored.dtype not in _DTYPES:
            raise InvalidInput(
                f"{stored.file}: the tensor '{name}' is of type {stored.dtype}, but must be one of {', '.join(_DTYPES)}"
            )
        elif stored.shape != expected[name]:
            have, want = (" × ".join(map(str, shape)) for shape in (stored.shape, expected[name]))
            raise InvalidInput(f"{stored.file}: the tensor '{name}' is {have}, but config.json makes it {want}")
    if missing := next((name for name in expected if name not in found), None):
        raise InvalidInput(f"{folder} lacks the tensor '{missing}', which its config.json calls for")
    values = {name: found[name].value() for name in found if name in expected}
    return replace(config, parameter_dtype=next(iter(values.values())).dtype.name), values


def _check_sizes(config: TransformerConfig, path: Path, found: Mapping[str, _Stored]) -> None:
    """Refuse sizes beyond those of the tensors, before a model of these sizes is described."""
    widest = max((size for stored in found.values() for size in stored.shape), default=0)
    most = {"layers": len(found), "context": _LONGEST}
    for name in ("vocabulary", "hidden", "heads", "kv_heads", "head_size", "feed_forward", "word_embedding"):
        most[name] = widest
    for name, limit in most.items():
        if (size := getattr(config, name)) > limit:
            raise InvalidInput(f"{path}: {name} is {size}, above the {limit} that the model's files have room for")


def _check_extra(config: TransformerConfig, name: str, stored: _Stored, embedding: _Stored | None) -> None:
    """Refuse a tensor that the model has no parameter for, unless it repeats what the model has."""
    if name.endswith(_IGNORED):
        return
    if name != _HEAD or not config.tied_head:
        raise InvalidInput(f"{stored.file} holds the tensor '{name}', which a model of its config.json does not have")
    if embedding and not (
        (stored.dtype, stored.shape) == (embedding.dtype, embedding.shape)
        and np.array_equal(stored.value(), embedding.value())
    ):
        raise InvalidInput(f"{stored.file}: config.json ties '{_HEAD}' to the embeddings, but the two differ")


def _headers(folder: Path) -> dict[str, _Stored]:
    """Every tensor of a folder by its name within a causal language model; none is read."""
    found: dict[str, _Stored] = {}
    for file in _files(folder):
        with _opened(file) as tensors:
            for name in tensors.keys():  # noqa: SIM118 (not a mapping)
                # Files of a decoder without its head omit the first part of the names.
                whole = name if name.startswith(("model.", "lm_head.")) else f"model.{name}"
                if whole in found:
                    raise InvalidInput(f"{file} holds the tensor '{name}', which {found[whole].file} holds too")
                described = tensors.get_slice(name)
                found[whole] = _Stored(file, name, described.get_dtype(), tuple(described.get_shape()))
    return found


def _files(folder: Path) -> list[Path]:
    """The safetensors files of a folder."""
    index = folder / "model.safetensors.index.json"
    if index.exists():
        names = read_json(index).get("weight_map")
        if not isinstance(names, dict) or not all(isinstance(file, str) for file in names.values()):
            raise InvalidInput(f"{index} has no entry 'weight_map' with the file of every tensor")
        if outside := next((file for file in names.values() if Path(file).name != file), None):
            raise InvalidInput(f"{index} names the file {outside!r}, but must name files beside it")
        return [folder / file for file in dict.fromkeys(names.values())]
    whole = folder / "model.safetensors"
    if not whole.exists() and (other := next((path for kind in _OTHERS for path in folder.glob(kind)), None)):
        raise InvalidInput(f"{folder} holds {other.name} but no model.safetensors; convert it first")
    return [whole]


@contextmanager
def _opened(file: Path) -> Generator[safe_open]:
    """Context manager with an open safetensors file."""
    try:
        check_regular(file)
        with open(file, "rb") as plain:
            check_fetched(file, plain.read(100))
        with safe_open(file, framework="numpy") as tensors:
            yield tensors
    except OSError as error:
        raise InvalidInput(f"cannot read {file}: {error.strerror or error}") from error
    except SafetensorError as error:
        raise InvalidInput(f"{file} is not a whole safetensors file: {error}") from error


def _model(config: TransformerConfig, values: Mapping[str, np.ndarray]) -> Transformer:
    """A transformer with these parameters, by Hugging Face's names."""
    graph, state = nnx.split(abstract_transformer(config))
    leaves = dict(nnx.to_flat_state(state))
    for parameter in stored_parameters(config):
        parts = [values[name].T if parameter.transposed else values[name] for name in parameter.names]
        whole = np.stack(parts) if parameter.path[0] == "layers" else parts[0]
        leaves[parameter.path] = leaves[parameter.path].replace(jnp.asarray(whole))
    return nnx.merge(graph, nnx.from_flat_state(leaves))
