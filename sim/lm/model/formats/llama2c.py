"""Model files of llama2.c: a header of seven numbers, then the tensors of a Llama in a fixed order, float32."""

import math
from pathlib import Path

import numpy as np

from crossfeed.errors import InvalidInput
from crossfeed.reading import read_bytes

from ..config import TransformerConfig, llama_config

_HEADER = ("dim", "hidden_dim", "n_layers", "n_heads", "n_kv_heads", "vocab_size", "max_seq_len")


def load_llama2c(path: Path) -> tuple[TransformerConfig, dict[str, np.ndarray]]:
    """Configuration and tensors of a llama2.c model, with Hugging Face's names and layout.

    Raises:
        InvalidInput: the file is missing, is no such model, or ends too early; the message names the tensor.
    """
    content = read_bytes(path)
    if len(content) < 4 * len(_HEADER):
        raise InvalidInput(f"{path} is {len(content)} bytes long, too short for a llama2.c model")
    dim, inner, layers, heads, kv_heads, vocabulary, context = np.frombuffer(content, "<i4", len(_HEADER)).tolist()
    tied, vocabulary = vocabulary > 0, abs(vocabulary)  # a negative size means that the head is not tied
    header = dict(zip(_HEADER, (dim, inner, layers, heads, kv_heads, vocabulary, context), strict=True))
    for name, value in header.items():
        if not 0 < value < 2**24:
            raise InvalidInput(f"{path} is not a llama2.c model: {name} would be {value}")
    if dim % heads:
        raise InvalidInput(f"{path} is not a llama2.c model: dim would be {dim} with {heads} heads")
    config = llama_config(vocabulary, dim, layers, heads, inner, context, kv_heads, tied)
    head, kv_dim = dim // heads, kv_heads * (dim // heads)
    layout = {
        "model.embed_tokens": (vocabulary, dim),
        "input_layernorm": (layers, dim),
        "self_attn.q_proj": (layers, dim, dim),
        "self_attn.k_proj": (layers, kv_dim, dim),
        "self_attn.v_proj": (layers, kv_dim, dim),
        "self_attn.o_proj": (layers, dim, dim),
        "post_attention_layernorm": (layers, dim),
        "mlp.gate_proj": (layers, inner, dim),
        "mlp.down_proj": (layers, dim, inner),
        "mlp.up_proj": (layers, inner, dim),
        "model.norm": (dim,),
        "cosines": (context, head // 2),
        "sines": (context, head // 2),
    }
    tensors = _tensors(path, content, layout if tied else {**layout, "lm_head": (vocabulary, dim)})
    for name in ("self_attn.q_proj", "self_attn.k_proj"):
        tensors[name] = _halves(tensors[name], head)
    named = {}
    for name, value in tensors.items():
        if name.startswith(("model.", "lm_head")):
            named[f"{name}.weight"] = value
        elif name not in ("cosines", "sines"):
            named |= {f"model.layers.{i}.{name}.weight": part for i, part in enumerate(value)}
    return config, named


def _tensors(path: Path, content: bytes, layout: dict[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """Tensors of a file by name.

    Args:
        path: the file, for messages.
        content: its bytes.
        layout: shape of each tensor, in the order of the file.
    """
    tensors, start = {}, 4 * len(_HEADER)
    for name, shape in layout.items():
        stop = start + 4 * math.prod(shape)
        if stop > len(content):
            raise InvalidInput(
                f"{path} ends within the tensor '{name}': it has {len(content)} bytes, not {stop} or more"
            )
        tensors[name] = np.frombuffer(content, "<f4", math.prod(shape), start).reshape(shape)
        start = stop
    if start < len(content):
        raise InvalidInput(f"{path} has {len(content) - start} bytes after its last tensor")
    return tensors


def _halves(weights: np.ndarray, head: int) -> np.ndarray:
    """Weights with rotary pairs of neighboring rows (2i, 2i + 1) moved to rows (i, i + head / 2), as `rotate` expects."""
    layers, rows, columns = weights.shape
    return weights.reshape(layers, rows // head, head // 2, 2, columns).swapaxes(2, 3).reshape(weights.shape)
