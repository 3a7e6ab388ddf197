"""Positions of tokens within documents, and rotary embeddings of them."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from .config import TransformerConfig

POSITION_OFFSET = 2
"""Rows of a learned position table before that of position 0: OPT's tables have two unused rows."""


def positions_in_segments(segments: Int[Array, "batch length"]) -> Int[Array, "batch length"]:
    """Position of each token within its segment, a run of equal numbers."""
    index = jnp.arange(segments.shape[1], dtype=jnp.int32)[None]
    begins = jnp.concatenate([jnp.ones_like(segments[:, :1], bool), segments[:, 1:] != segments[:, :-1]], axis=1)
    # `jax.lax.cummax` takes quadratic time on CPU.
    return index - jax.lax.associative_scan(jnp.maximum, jnp.where(begins, index, 0), axis=1)


def frequencies(config: TransformerConfig) -> Float[np.ndarray, " pairs"]:
    """Rotary frequencies in radians per token, one per pair of coordinates of a head, with Llama 3's scaling if there is one."""
    exponents = np.arange(0, config.head_size, 2, dtype=np.float32) / np.float32(config.head_size)
    unscaled = 1 / np.float32(config.rope_theta) ** exponents
    scaling = config.rope_scaling
    if scaling is None:
        return unscaled
    turns = scaling.original_context * unscaled / np.float32(2 * np.pi)  # within the original context
    low, high = scaling.low_frequency_factor, scaling.high_frequency_factor
    kept = np.clip((turns - low) / (high - low), 0, 1)
    return (kept * unscaled + (1 - kept) * unscaled / scaling.factor).astype(np.float32)


def rotation(
    config: TransformerConfig, positions: Int[Array, "batch length"]
) -> tuple[Float[Array, "batch length 1 pairs"], Float[Array, "batch length 1 pairs"]]:
    """Cosines and sines of the angles by which queries and keys at these positions are rotated."""
    angles = positions[:, :, None, None].astype(jnp.float32) * frequencies(config)[None, None, None]
    return jnp.cos(angles).astype(config.dtype), jnp.sin(angles).astype(config.dtype)


def rotate(
    vectors: Float[Array, "batch length heads head_size"],
    turn: tuple[Float[Array, "#batch length 1 pairs"], Float[Array, "#batch length 1 pairs"]],
) -> Float[Array, "batch length heads head_size"]:
    """Vectors with coordinates i and i + head_size / 2 rotated against each other, the layout of Hugging Face's Llama."""
    cosine, sine = turn
    first, second = jnp.split(vectors, 2, axis=-1)
    return jnp.concatenate([first * cosine - second * sine, second * cosine + first * sine], axis=-1)
