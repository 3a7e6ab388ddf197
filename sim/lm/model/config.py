"""Configuration of a decoder: its sizes, and the choices in which OPT and Llama differ."""

import math
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

from crossfeed.errors import InvalidInput


@dataclass(frozen=True)
class RopeScaling:
    """Llama 3's scaling of the low rotary frequencies, for contexts longer than those of the original training.

    Attributes:
        factor: factor by which wavelengths longer than `original_context / low_frequency_factor` grow.
        low_frequency_factor: sets the wavelength from which on the full factor applies.
        high_frequency_factor: wavelengths shorter than `original_context / high_frequency_factor` stay as they are.
        original_context: context of the original training, in tokens.
    """

    factor: float
    low_frequency_factor: float
    high_frequency_factor: float
    original_context: int

    def __post_init__(self):
        if not 1 <= self.factor < math.inf:
            raise InvalidInput(f"rope_scaling factor is {self.factor}, but must be at least 1 and finite")
        if not 0 < self.low_frequency_factor < self.high_frequency_factor < math.inf:
            raise InvalidInput(
                f"rope_scaling has low_frequency_factor {self.low_frequency_factor} and high_frequency_factor "
                f"{self.high_frequency_factor}, but they must be positive, finite, and the first below the second"
            )
        if self.original_context < 1:
            raise InvalidInput(f"rope_scaling's original context is {self.original_context}, but must be at least 1")


@dataclass(frozen=True)
class TransformerConfig:
    """Sizes and choices of a decoder-only transformer. The defaults are Llama's choices; `opt_config` makes OPT's.

    Attributes:
        vocabulary: number of tokens.
        hidden: width of the residual stream.
        layers: number of blocks.
        heads: number of attention heads.
        kv_heads: heads of keys and values, each shared by `heads / kv_heads` query heads.
        head_size: width of a head.
        feed_forward: inner width of the feed-forward part.
        context: length of the longest sequence, in tokens.
        word_embedding: width of the token embeddings; where it differs from `hidden`, projections connect the two.
        positions: learned vectors added to the embeddings, or rotary embeddings of queries and keys.
        norm: LayerNorm with bias, or RMSNorm.
        norm_first: whether a block normalizes before attention and feed-forward, or after each residual sum.
        final_norm: whether the last block's output is normalized.
        activation: ReLU, or SiLU times a gate (SwiGLU).
        attention_bias: whether the four attention projections have biases.
        feed_forward_bias: whether the feed-forward projections have biases.
        tied_head: whether the logits reuse the token embeddings.
        norm_epsilon: constant added to the variance.
        rope_theta: base of the rotary frequencies, `rope_theta ** (-2 i / head_size)` radians per token.
        rope_scaling: Llama 3's scaling of these frequencies, if any.
        dtype: dtype of the activations. Softmax, statistics of norms and logits are float32 in any case.
        parameter_dtype: dtype of the parameters.
        remat: whether the backward pass recomputes each block instead of keeping its intermediate results.
    """

    vocabulary: int
    hidden: int
    layers: int
    heads: int
    kv_heads: int
    head_size: int
    feed_forward: int
    context: int
    word_embedding: int
    positions: Literal["learned", "rotary"] = "rotary"
    norm: Literal["layer", "rms"] = "rms"
    norm_first: bool = True
    final_norm: bool = True
    activation: Literal["relu", "swiglu"] = "swiglu"
    attention_bias: bool = False
    feed_forward_bias: bool = False
    tied_head: bool = False
    norm_epsilon: float = 1e-5
    rope_theta: float = 10_000.0
    rope_scaling: RopeScaling | None = None
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    parameter_dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    remat: bool = False

    def __post_init__(self):
        for field in fields(self):
            value = getattr(self, field.name)
            if field.type is int and (type(value) is not int or value < 1):
                raise InvalidInput(f"{field.name} is {value!r}, but must be a positive whole number")
            choices = get_args(field.type)
            if isinstance(value, str) and value not in choices:
                raise InvalidInput(f"{field.name} is '{value}', but must be one of {', '.join(choices)}")
        for name, value in (("norm_epsilon", self.norm_epsilon), ("rope_theta", self.rope_theta)):
            if not 0 < value < math.inf:
                raise InvalidInput(f"{name} is {value}, but must be positive and finite")
        if self.heads % self.kv_heads:
            raise InvalidInput(f"heads is {self.heads}, but must be a multiple of kv_heads, {self.kv_heads}")
        if self.positions == "rotary" and self.head_size % 2:
            raise InvalidInput(f"head_size is {self.head_size}, but rotary positions need an even one")
        if self.tied_head is False and self.word_embedding != self.hidden:
            raise InvalidInput(
                f"word_embedding is {self.word_embedding} and hidden {self.hidden}: they may differ with a tied head only"
            )


def llama_config(
    vocabulary: int,
    hidden: int,
    layers: int,
    heads: int,
    feed_forward: int,
    context: int,
    kv_heads: int | None = None,
    tied_head: bool = True,
    head_size: int | None = None,
    **choices: Any,
) -> TransformerConfig:
    """Configuration of a Llama: rotary positions, RMSNorm before each part, SwiGLU, no biases.

    Arguments are fields of `TransformerConfig`, also those in `choices`.
    """
    return TransformerConfig(
        vocabulary=vocabulary,
        hidden=hidden,
        layers=layers,
        heads=heads,
        kv_heads=heads if kv_heads is None else kv_heads,
        head_size=_head_size(hidden, heads) if head_size is None else head_size,
        feed_forward=feed_forward,
        context=context,
        word_embedding=hidden,
        tied_head=tied_head,
        **choices,
    )


def opt_config(
    vocabulary: int,
    hidden: int,
    layers: int,
    heads: int,
    feed_forward: int,
    context: int,
    word_embedding: int | None = None,
    norm_first: bool = True,
    **choices: Any,
) -> TransformerConfig:
    """Configuration of an OPT: learned positions, LayerNorm before (OPT-350m: after) each part, ReLU, biases, tied head.

    Arguments are fields of `TransformerConfig`, also those in `choices`.
    """
    return TransformerConfig(
        vocabulary=vocabulary,
        hidden=hidden,
        layers=layers,
        heads=heads,
        kv_heads=heads,
        head_size=_head_size(hidden, heads),
        feed_forward=feed_forward,
        context=context,
        word_embedding=hidden if word_embedding is None else word_embedding,
        positions="learned",
        norm="layer",
        norm_first=norm_first,
        final_norm=choices.pop("final_norm", norm_first),
        activation="relu",
        attention_bias=choices.pop("attention_bias", True),
        feed_forward_bias=choices.pop("feed_forward_bias", True),
        tied_head=True,
        **choices,
    )


def _head_size(hidden: int, heads: int) -> int:
    if heads < 1:
        raise InvalidInput(f"heads is {heads}, but must be a positive whole number")
    if hidden % heads:
        raise InvalidInput(f"hidden is {hidden}, but must be a multiple of heads, {heads}")
    return hidden // heads
