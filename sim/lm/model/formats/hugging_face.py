"""Hugging Face's format of OPT and Llama: entries of `config.json`, and names and shapes of the tensors."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flax import nnx

from crossfeed.errors import InvalidInput

from ..config import RopeScaling, TransformerConfig, llama_config, opt_config
from ..transformer import abstract_transformer

_OPT = {
    "embedding": "model.decoder.embed_tokens",
    "position_embedding": "model.decoder.embed_positions",
    "project_in": "model.decoder.project_in",
    "project_out": "model.decoder.project_out",
    "final_norm": "model.decoder.final_layer_norm",
    "layers.attention.query": "model.decoder.layers.{}.self_attn.q_proj",
    "layers.attention.key": "model.decoder.layers.{}.self_attn.k_proj",
    "layers.attention.value": "model.decoder.layers.{}.self_attn.v_proj",
    "layers.attention.output": "model.decoder.layers.{}.self_attn.out_proj",
    "layers.attention_norm": "model.decoder.layers.{}.self_attn_layer_norm",
    "layers.feed_forward.up": "model.decoder.layers.{}.fc1",
    "layers.feed_forward.down": "model.decoder.layers.{}.fc2",
    "layers.feed_forward_norm": "model.decoder.layers.{}.final_layer_norm",
}
_LLAMA = {
    "embedding": "model.embed_tokens",
    "final_norm": "model.norm",
    "output": "lm_head",
    "layers.attention.query": "model.layers.{}.self_attn.q_proj",
    "layers.attention.key": "model.layers.{}.self_attn.k_proj",
    "layers.attention.value": "model.layers.{}.self_attn.v_proj",
    "layers.attention.output": "model.layers.{}.self_attn.o_proj",
    "layers.attention_norm": "model.layers.{}.input_layernorm",
    "layers.feed_forward.gate": "model.layers.{}.mlp.gate_proj",
    "layers.feed_forward.up": "model.layers.{}.mlp.up_proj",
    "layers.feed_forward.down": "model.layers.{}.mlp.down_proj",
    "layers.feed_forward_norm": "model.layers.{}.post_attention_layernorm",
}

_ROPE_ENTRIES = ("rope_theta", "rope_type", "type", "partial_rotary_factor")
_LLAMA3_ENTRIES = ("factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings")


@dataclass(frozen=True)
class StoredParameter:
    """A parameter of the model as tensors of a file.

    Attributes:
        path: path of the parameter in the model.
        names: names of its tensors, one per layer, or a single one.
        shape: shape of each tensor.
        transposed: whether the file holds the transposed matrices.
    """

    path: tuple[str, ...]
    names: list[str]
    shape: tuple[int, ...]
    transposed: bool


def stored_parameters(config: TransformerConfig) -> list[StoredParameter]:
    """Every parameter of a model of this configuration, as a Hugging Face file stores it."""
    modules = _OPT if config.positions == "learned" else _LLAMA
    state = nnx.state(abstract_transformer(config))
    parameters = []
    for path, leaf in nnx.to_flat_state(state):
        *module, leaf_name = map(str, path)
        name = f"{modules['.'.join(module)]}.{'bias' if leaf_name == 'bias' else 'weight'}"
        stacked = module[0] == "layers"
        shape = leaf.shape[1:] if stacked else leaf.shape
        transposed = leaf_name == "kernel"
        names = [name.format(i) for i in range(config.layers)] if stacked else [name]
        stored_shape = shape[::-1] if transposed else shape
        parameters.append(StoredParameter((*module, leaf_name), names, stored_shape, transposed))
    return parameters


def read_config(record: dict[str, Any], path: Path, **choices: Any) -> TransformerConfig:
    """The configuration that a `config.json` describes.

    Args:
        record: content of the `config.json`.
        path: its path, for messages.
        choices: fields of the configuration that the file leaves open, such as `dtype`.

    Raises:
        InvalidInput: another family, a missing entry, or a variant that `Transformer` does not implement.
    """
    entry = _Entries(record, path)
    family = entry("model_type", str)
    if family not in ("opt", "llama"):
        raise InvalidInput(f"{path}: model_type is '{family}', but must be 'opt' or 'llama'")
    try:
        return _read_opt(entry, choices) if family == "opt" else _read_llama(entry, choices)
    except InvalidInput as error:
        raise error if str(path) in str(error) else InvalidInput(f"{path}: {error}") from error


class _Entries:
    """Entries of a `config.json`, checked for their types as they are read."""

    def __init__(self, record: dict[str, Any], path: Path):
        self.record = record
        self.path = path

    def __call__(self, name: str, expected: type, default: Any = None) -> Any:
        value = self.record.get(name)
        value = default if value is None else value
        if value is None:
            raise InvalidInput(f"{self.path} has no entry '{name}'")
        if expected is float and type(value) is int and abs(value) < 2**63:
            value = float(value)
        if type(value) is not expected:
            raise InvalidInput(f"{self.path}: {name} is {value!r}, but must be of type {expected.__name__}")
        return value

    def require(self, name: str, value: Any, otherwise: str) -> None:
        """Refuse a variant of the architecture: where entry `name` is given, it must be `value`."""
        found = self.record.get(name, value)
        if found != value:
            raise InvalidInput(f"{self.path}: {name} is {found!r}, but {otherwise}")


def _read_opt(entry: _Entries, choices: dict[str, Any]) -> TransformerConfig:
    entry.require("activation_function", "relu", "only 'relu' is supported")
    entry.require("layer_norm_elementwise_affine", True, "norms without parameters are not supported")
    entry.require("tie_word_embeddings", True, "an OPT's head is always tied")
    norm_first = entry("do_layer_norm_before", bool, True)
    bias = entry("enable_bias", bool, True)
    return opt_config(
        vocabulary=entry("vocab_size", int),
        hidden=entry("hidden_size", int),
        layers=entry("num_hidden_layers", int),
        heads=entry("num_attention_heads", int),
        feed_forward=entry("ffn_dim", int),
        context=entry("max_position_embeddings", int),
        word_embedding=entry("word_embed_proj_dim", int, entry("hidden_size", int)),
        norm_first=norm_first,
        final_norm=norm_first and not entry("_remove_final_layer_norm", bool, False),
        attention_bias=bias,
        feed_forward_bias=bias,
        **choices,
    )


def _read_llama(entry: _Entries, choices: dict[str, Any]) -> TransformerConfig:
    entry.require("hidden_act", "silu", "only 'silu' is supported")
    heads, hidden = entry("num_attention_heads", int), entry("hidden_size", int)
    rope = _read_rope(entry)
    return llama_config(
        vocabulary=entry("vocab_size", int),
        hidden=hidden,
        layers=entry("num_hidden_layers", int),
        heads=heads,
        feed_forward=entry("intermediate_size", int),
        context=entry("max_position_embeddings", int),
        kv_heads=entry("num_key_value_heads", int, heads),
        tied_head=entry("tie_word_embeddings", bool, False),
        head_size=None if entry.record.get("head_dim") is None else entry("head_dim", int),
        attention_bias=entry("attention_bias", bool, False),
        feed_forward_bias=entry("mlp_bias", bool, False),
        norm_epsilon=entry("rms_norm_eps", float, 1e-6),
        rope_theta=rope("rope_theta", float, entry("rope_theta", float, 10_000.0)),
        rope_scaling=_read_scaling(rope),
        **choices,
    )


def _read_rope(entry: _Entries) -> _Entries:
    """Table of the rotary frequencies, checked for entries that would change them unseen.

    Newer files keep base and scaling together in `rope_parameters`, older ones the scaling alone in `rope_scaling`. Where a
    file has both, the older table counts, as in transformers 5 (`convert_rope_params_to_dict`).
    """
    older, newer = (entry(name, dict, {}) for name in ("rope_scaling", "rope_parameters"))
    name, table = ("rope_scaling", older) if older else ("rope_parameters", newer)
    for record, where in ((entry.record, ""), (table, f"{name} ")):
        factor = record.get("partial_rotary_factor")
        if factor is not None and factor != 1:
            raise InvalidInput(f"{where}partial_rotary_factor is {factor!r}, but only whole heads are rotated")
    if older and "rope_theta" not in older and entry.record.get("rope_theta") is None and "rope_theta" in newer:
        raise InvalidInput("rope_theta stands in rope_parameters only, which does not count beside rope_scaling")
    given = {key for key, value in table.items() if value is not None}
    if layered := next((key for key in table if isinstance(table[key], dict)), None):
        raise InvalidInput(f"{name} has a table for the layers '{layered}', but all layers must have the same")
    known = {*_ROPE_ENTRIES, *(_LLAMA3_ENTRIES if _rope_type(table) == "llama3" else ())}
    if _rope_type(table) in ("default", "llama3") and (unknown := sorted(given - known)):
        raise InvalidInput(f"{name} has the entry '{unknown[0]}', which rope_type '{_rope_type(table)}' does not have")
    if {"type", "rope_type"} <= given and table["type"] != table["rope_type"]:
        raise InvalidInput(f"{name} has type {table['type']!r} and rope_type {table['rope_type']!r}, which differ")
    original = entry.record.get("original_max_position_embeddings")
    if original is not None and original != table.get("original_max_position_embeddings", original):
        raise InvalidInput(f"original_max_position_embeddings is {original!r}, but another in {name}")
    return _Entries(table, entry.path)


def _rope_type(table: dict[str, Any]) -> Any:
    return table.get("rope_type") or table.get("type") or "default"


def _read_scaling(rope: _Entries) -> RopeScaling | None:
    rope_type = rope("rope_type", str, _rope_type(rope.record))
    if rope_type == "default":
        return None
    if rope_type != "llama3":
        raise InvalidInput(f"rope_type is '{rope_type}', but must be 'llama3' or 'default'")
    return RopeScaling(
        factor=rope("factor", float),
        low_frequency_factor=rope("low_freq_factor", float),
        high_frequency_factor=rope("high_freq_factor", float),
        original_context=rope("original_max_position_embeddings", int),
    )


def write_config(config: TransformerConfig, bos: int | None, eos: int) -> dict[str, Any]:
    """Content of a `config.json`, as `read_config` and `transformers` read it.

    Args:
        config: configuration of the model.
        bos: token before a text, if there is one.
        eos: token after a text.

    Raises:
        InvalidInput: the configuration mixes choices of the two families, which no `config.json` describes.
    """
    common = {
        "vocab_size": config.vocabulary,
        "hidden_size": config.hidden,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "max_position_embeddings": config.context,
        "tie_word_embeddings": config.tied_head,
        "torch_dtype": config.parameter_dtype,
        "bos_token_id": bos,
        "eos_token_id": eos,
    }
    family = _opt_entries(config) if config.positions == "learned" else _llama_entries(config)
    record = common | family
    choices = {"dtype": config.dtype, "parameter_dtype": config.parameter_dtype, "remat": config.remat}
    if read_config(record, Path("config.json"), **choices) != config:
        raise InvalidInput("the model mixes choices of OPT and Llama, so no config.json describes it")
    return record


def _opt_entries(config: TransformerConfig) -> dict[str, Any]:
    return {
        "architectures": ["OPTForCausalLM"],
        "model_type": "opt",
        "ffn_dim": config.feed_forward,
        "word_embed_proj_dim": config.word_embedding,
        "do_layer_norm_before": config.norm_first,
        "_remove_final_layer_norm": config.norm_first and not config.final_norm,
        "activation_function": "relu",
        "enable_bias": config.attention_bias,
    }


def _llama_entries(config: TransformerConfig) -> dict[str, Any]:
    scaling = config.rope_scaling
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "intermediate_size": config.feed_forward,
        "num_key_value_heads": config.kv_heads,
        "head_dim": config.head_size,
        "hidden_act": "silu",
        "attention_bias": config.attention_bias,
        "mlp_bias": config.feed_forward_bias,
        "rms_norm_eps": config.norm_epsilon,
        "rope_theta": config.rope_theta,
        "rope_scaling": scaling
        and {
            "rope_type": "llama3",
            "factor": scaling.factor,
            "low_freq_factor": scaling.low_frequency_factor,
            "high_freq_factor": scaling.high_frequency_factor,
            "original_max_position_embeddings": scaling.original_context,
        },
    }
