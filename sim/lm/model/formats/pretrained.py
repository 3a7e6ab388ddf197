"""Pretrained models: Hugging Face folders of the OPT and Llama families, read and written, and llama2.c's `.bin`, read."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import jax.numpy as jnp
import numpy as np
from flax import nnx
from safetensors import SafetensorError, safe_open
from safetensors.flax import save_file

from crossfeed.atomic_write import atomic_write
from crossfeed.errors import InvalidInput
from crossfeed.reading import read_json

from ...data.tokenizer import Tokenizer, load_tokenizer
from ..config import TransformerConfig
from ..transformer import Transformer
from .hugging_face import read_config, stored_parameters, write_config
from .llama2c import load_llama2c

_IGNORED = ("rotary_emb.inv_freq", "rotary_emb.cos_cached", "rotary_emb.sin_cached")
"""Tensors of older Llama files that follow from the configuration."""

_WANTED = ["config.json", "*.safetensors", "*.safetensors.index.json", "tokenizer.json", "vocab.json", "merges.txt"]


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
        InvalidInput: as for `load_model`; or the tokenizer is missing, damaged, or has more tokens than the model.
    """
    path = Path(source)
    if path.suffix == ".bin" and tokenizer is None:
        raise InvalidInput(f"{path} is a llama2.c model, which needs a tokenizer: give its .bin file too")
    path = path if path.suffix == ".bin" else _folder(source)
    model = load_model(path, dtype=dtype, parameter_dtype=parameter_dtype, remat=remat)
    read = load_tokenizer(Path(tokenizer or path))
    if read.size > model.config.vocabulary:
        raise InvalidInput(f"{path}: the model has {model.config.vocabulary} tokens, but its tokenizer {read.size}")
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
        return Path(snapshot_download(str(source), allow_patterns=_WANTED))
    except Exception as error:  # the library's errors, and those of what it fetches with
        message = str(error).strip().split("\n")[0]
        raise InvalidInput(
            f"'{source}' is no folder, and cannot be loaded from the Hugging Face hub: {message}"
        ) from error


def _load_folder(folder: Path) -> tuple[TransformerConfig, dict[str, np.ndarray]]:
    config = read_config(read_json(folder / "config.json"), folder / "config.json")
    expected = {name: parameter.shape for parameter in stored_parameters(config) for name in parameter.names}
    found = dict(_tensors(folder))
    values = {}
    for name, (file, value) in found.items():
        if name not in expected:
            _check_extra(config, name, file, value, found)
            continue
        if value.shape != expected[name]:
            have, want = (" × ".join(map(str, shape)) for shape in (value.shape, expected[name]))
            raise InvalidInput(f"{file}: the tensor '{name}' is {have}, but config.json makes it {want}")
        values[name] = value
    if missing := next((name for name in expected if name not in values), None):
        raise InvalidInput(f"{folder} lacks the tensor '{missing}', which its config.json calls for")
    return replace(config, parameter_dtype=next(iter(values.values())).dtype.name), values


def _check_extra(
    config: TransformerConfig, name: str, file: Path, value: np.ndarray, found: Mapping[str, tuple[Path, np.ndarray]]
) -> None:
    """Refuse a tensor that the model has no parameter for, unless it repeats what the model has."""
    if name.endswith(_IGNORED):
        return
    if name == "lm_head.weight" and config.tied_head:
        tied = found.get("model.embed_tokens.weight") or found.get("model.decoder.embed_tokens.weight")
        if tied is not None and np.array_equal(tied[1], value):
            return
        raise InvalidInput(f"{file}: config.json ties 'lm_head.weight' to the embeddings, but the two differ")
    raise InvalidInput(f"{file} holds the tensor '{name}', which a model of its config.json does not have")


def _tensors(folder: Path) -> Iterator[tuple[str, tuple[Path, np.ndarray]]]:
    """Name, file and value of every tensor of a folder; names are those within a causal language model."""
    index = folder / "model.safetensors.index.json"
    if index.exists():
        names = read_json(index).get("weight_map")
        if not isinstance(names, dict) or not all(isinstance(file, str) for file in names.values()):
            raise InvalidInput(f"{index} has no entry 'weight_map' with the file of every tensor")
        files = [folder / file for file in dict.fromkeys(names.values())]
    else:
        files = [folder / "model.safetensors"]
        if not files[0].exists() and (folder / "pytorch_model.bin").exists():
            raise InvalidInput(f"{folder} holds pytorch_model.bin but no model.safetensors; convert it first")
    for file in files:
        if not file.exists():
            raise InvalidInput(f"cannot read {file}: No such file or directory")
        try:
            with safe_open(file, framework="flax") as tensors:
                for name in tensors.keys():  # noqa: SIM118 (not a mapping)
                    # Files of a decoder without its head omit the first part of the names.
                    whole = name if name.startswith(("model.", "lm_head.")) else f"model.{name}"
                    yield whole, (file, np.asarray(tensors.get_tensor(name)))
        except (SafetensorError, OSError) as error:
            raise InvalidInput(f"{file} is not a whole safetensors file: {error}") from error


def _model(config: TransformerConfig, values: Mapping[str, np.ndarray]) -> Transformer:
    """A transformer with these parameters, by Hugging Face's names."""
    graph, state = nnx.split(nnx.eval_shape(lambda: Transformer(config, rngs=nnx.Rngs(0))))
    leaves = dict(nnx.to_flat_state(state))
    for parameter in stored_parameters(config):
        parts = [values[name].T if parameter.transposed else values[name] for name in parameter.names]
        whole = np.stack(parts) if parameter.path[0] == "layers" else parts[0]
        leaves[parameter.path] = leaves[parameter.path].replace(jnp.asarray(whole))
    return nnx.merge(graph, nnx.from_flat_state(leaves))
