"""Tiny random checkpoints of both families, made again from a seed by anyone: the parity goldens need not hold them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

PROMPT = [5, 17, 3, 88, 41, 9, 60]
NEW_TOKENS = 50
BATCH = [[5, 17, 3, 88, 41, 9, 60, 12, 33], [7, 7, 90, 2, 54, 0, 0, 0, 0]]
"""The second row is padded on the right, by the mask below."""
LENGTHS = [9, 5]

_OPT = {
    "model_type": "opt",
    "vocab_size": 97,
    "hidden_size": 24,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "ffn_dim": 40,
    "max_position_embeddings": 64,
    "word_embed_proj_dim": 24,
    "do_layer_norm_before": True,
    "activation_function": "relu",
    "bos_token_id": 2,
    "eos_token_id": 96,
}
_LLAMA = {
    "model_type": "llama",
    "vocab_size": 97,
    "hidden_size": 24,
    "num_hidden_layers": 3,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "intermediate_size": 40,
    "max_position_embeddings": 64,
    "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0,
    "tie_word_embeddings": True,
    "hidden_act": "silu",
    "bos_token_id": 2,
    "eos_token_id": 96,
}
_SCALING = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 16,
}

CONFIGS: dict[str, dict[str, Any]] = {
    "opt_norm_first": _OPT,
    "opt_norm_last_projected": _OPT | {"do_layer_norm_before": False, "word_embed_proj_dim": 12},
    "llama_tied": _LLAMA,
    "llama_untied_scaled": _LLAMA | {"tie_word_embeddings": False, "rope_scaling": _SCALING, "rope_theta": 500000.0},
}


def shapes(config: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    """The tensors of a checkpoint, written out by hand from Hugging Face's layout."""
    return _opt_shapes(config) if config["model_type"] == "opt" else _llama_shapes(config)


def _opt_shapes(config):
    hidden, inner, word = config["hidden_size"], config["ffn_dim"], config["word_embed_proj_dim"]
    root = "model.decoder."
    tensors = {
        f"{root}embed_tokens.weight": (config["vocab_size"], word),
        f"{root}embed_positions.weight": (config["max_position_embeddings"] + 2, hidden),
    }
    if word != hidden:
        tensors |= {f"{root}project_in.weight": (hidden, word), f"{root}project_out.weight": (word, hidden)}
    if config["do_layer_norm_before"]:
        tensors |= {f"{root}final_layer_norm.{leaf}": (hidden,) for leaf in ("weight", "bias")}
    for i in range(config["num_hidden_layers"]):
        layer = f"{root}layers.{i}."
        for name in ("q", "k", "v", "out"):
            tensors |= {
                f"{layer}self_attn.{name}_proj.weight": (hidden, hidden),
                f"{layer}self_attn.{name}_proj.bias": (hidden,),
            }
        tensors |= {f"{layer}fc1.weight": (inner, hidden), f"{layer}fc1.bias": (inner,)}
        tensors |= {f"{layer}fc2.weight": (hidden, inner), f"{layer}fc2.bias": (hidden,)}
        for norm in ("self_attn_layer_norm", "final_layer_norm"):
            tensors |= {f"{layer}{norm}.{leaf}": (hidden,) for leaf in ("weight", "bias")}
    return tensors


def _llama_shapes(config):
    hidden, inner = config["hidden_size"], config["intermediate_size"]
    kv = hidden * config["num_key_value_heads"] // config["num_attention_heads"]
    tensors = {"model.embed_tokens.weight": (config["vocab_size"], hidden), "model.norm.weight": (hidden,)}
    if not config["tie_word_embeddings"]:
        tensors["lm_head.weight"] = (config["vocab_size"], hidden)
    for i in range(config["num_hidden_layers"]):
        layer = f"model.layers.{i}."
        tensors |= {
            f"{layer}self_attn.q_proj.weight": (hidden, hidden),
            f"{layer}self_attn.k_proj.weight": (kv, hidden),
            f"{layer}self_attn.v_proj.weight": (kv, hidden),
            f"{layer}self_attn.o_proj.weight": (hidden, hidden),
            f"{layer}mlp.gate_proj.weight": (inner, hidden),
            f"{layer}mlp.up_proj.weight": (inner, hidden),
            f"{layer}mlp.down_proj.weight": (hidden, inner),
            f"{layer}input_layernorm.weight": (hidden,),
            f"{layer}post_attention_layernorm.weight": (hidden,),
        }
    return tensors


def tensors(name: str) -> dict[str, np.ndarray]:
    """Random values, large enough that every part of the model shows in the logits."""
    random = np.random.Generator(np.random.PCG64(list(CONFIGS).index(name)))
    values = {}
    for tensor, shape in shapes(CONFIGS[name]).items():
        # Uniform draws are the same with every NumPy, which normal ones need not be.
        value = 0.6 * (random.random(shape) - 0.5) * (24 / shape[-1]) ** 0.5 * (3.5 if len(shape) > 1 else 1)
        value *= 6 if "embed_positions" in tensor else 1  # or some models write the same token for ever
        values[tensor] = (value + (1 if "norm" in tensor and tensor.endswith("weight") else 0)).astype(np.float32)
    return values


def write_checkpoint(folder: Path, name: str, **entries) -> None:
    """A Hugging Face folder without a tokenizer; `entries` change its config.json."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(CONFIGS[name] | entries))
    save_file(tensors(name), folder / "model.safetensors", metadata={"format": "pt"})
