"""Random ecosystems within and outside Lemma 1's condition, of varying size in arrays of one shape.

Feature matrices contain small integers times powers of two, λ is a multiple of 1/64, and γ is a power of two. No Gram
matrix and no mixture γS = λS~ + (1-λ)S_* is therefore rounded: the condition holds exactly, ranks are as intended, and
whatever the trials find can be proved for exactly the same numbers.
"""

import math
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from crossfeed.errors import InvalidInput

from ...theory import Dataset, Ecosystem, Weights, ecosystem_from_grams

OUTSIDE = ("unrelated prompts", "β > λ")
"""Ways to violate the condition: S is not a mixture of S~ and S_*, or β exceeds λ."""

_LARGEST = 31  # largest absolute entry of a feature matrix before scaling
_WEAKEST_ROW = 4  # rows of an ill-conditioned feature matrix are halved up to this many times
_SCALE = 3  # Gram matrices are scaled by up to 4 to this power, up or down
_FRACTIONS = 64  # λ is a multiple of one over this
_LOGIT = 7.0  # α lies between sigmoid(-7) and sigmoid(7), within 1e-3 of both ends


class Sizes(NamedTuple):
    """Inclusive ranges of K and d; draws are uniform and padded to the largest size."""

    least_entities: int
    most_entities: int
    least_features: int
    most_features: int

    def check(self) -> None:
        """Raise `InvalidInput` unless 1 ≤ least ≤ most."""
        for name in ("entities", "features"):
            least, most = getattr(self, f"least_{name}"), getattr(self, f"most_{name}")
            if not 1 <= least <= most:
                raise InvalidInput(
                    f"{name} range from {least} to {most}, but must start at 1 or more and not end below its start"
                )


class Draw(eqx.Module):
    """A random ecosystem with weights, padded with zeros beyond its K entities and d features.

    Attributes:
        ecosystem: the padded ecosystem; padded entities have no share.
        weights: weights, constant and equal for all entities.
        entities: K.
        features: d.
        mixing: λ with γS = λS~ + (1-λ)S_*; NaN if there is none.
        scale: γ.
        kind: index into `OUTSIDE`; -1 within the condition.
    """

    ecosystem: Ecosystem
    weights: Weights
    entities: Int[Array, ""]
    features: Int[Array, ""]
    mixing: Float[Array, ""]
    scale: Float[Array, ""]
    kind: Int[Array, ""]

    def trimmed(self) -> tuple[Ecosystem, Weights]:
        """The ecosystem and weights without the padding."""
        count, size = int(self.entities), int(self.features)
        whole = self.ecosystem
        return (
            ecosystem_from_grams(
                whole.private.gram[:count, :size, :size],
                whole.public.gram[:size, :size],
                whole.synthetic.gram[:count, :size, :size],
                whole.shares[:count],
                theta=jnp.zeros(size),
            ),
            self.weights,
        )


def draw_within(key: PRNGKeyArray, sizes: Sizes) -> Draw:
    """A random ecosystem that satisfies Lemma 1's condition.

    It has 0 < λ ≤ 1 (λ = 1 in a quarter of the draws), 0 < β ≤ λ (β = λ in a quarter) and α < 1. Ranks are uniform,
    from 1 to d for private and from 0 to d for public data. Half of the ecosystems are deliberately ill-conditioned,
    and half have unequal shares.
    """
    (level, fraction, edge, inner, gamma), data = _data(key, sizes, sizes.most_entities)
    private, public, shares, entities, features = data
    mixing = jnp.where(edge < 0.25, 1.0, (jnp.floor(fraction * _FRACTIONS) + 1) / _FRACTIONS)
    scale = 4.0 ** jnp.round((2 * gamma - 1) * _SCALE)
    beta = mixing * jnp.minimum(4 * (inner + 2**-32) / 3, 1.0)  # one in four is λ
    synthetic = _mixture(private, public, mixing, scale)
    ecosystem = _ecosystem(private, public, synthetic, shares, entities)
    return Draw(ecosystem, Weights(_alpha(level), beta), entities, features, mixing, scale, jnp.array(-1))


def draw_outside(key: PRNGKeyArray, sizes: Sizes) -> Draw:
    """A random ecosystem outside Lemma 1's condition in one of the `OUTSIDE` ways; α < 1 and β > 0 still hold."""
    (level, fraction, beta, gamma, coin), data = _data(key, sizes, 2 * sizes.most_entities)
    grams, public, shares, entities, features = data
    private, unrelated = jnp.split(grams, 2)
    mixing = (jnp.floor(fraction * (_FRACTIONS - 1)) + 1) / _FRACTIONS  # below one, so that β can exceed it
    scale = 4.0 ** jnp.round((2 * gamma - 1) * _SCALE)
    kind = jnp.where(coin < 0.5, 0, 1)
    synthetic = jnp.where(kind == 0, unrelated / scale, _mixture(private, public, mixing, scale))
    beta = jnp.where(kind == 0, 1 - beta, 1 - beta * (1 - mixing))
    ecosystem = _ecosystem(private, public, synthetic, shares, entities)
    nothing = jnp.where(kind == 0, jnp.nan, 1.0)
    return Draw(ecosystem, Weights(_alpha(level), beta), entities, features, mixing * nothing, scale * nothing, kind)


def _ecosystem(
    private: Float[Array, "entity d d"],
    public: Float[Array, "d d"],
    synthetic: Float[Array, "entity d d"],
    shares: Float[Array, " entity"],
    entities: Int[Array, ""],
) -> Ecosystem:
    return Ecosystem(
        private=Dataset(private),
        public=Dataset(public),
        synthetic=Dataset(synthetic),
        shares=shares,
        present=jnp.arange(len(shares)) < entities,
    )


def _mixture(
    private: Float[Array, "entity d d"],
    public: Float[Array, "d d"],
    mixing: Float[Array, ""],
    scale: Float[Array, ""],
) -> Float[Array, "entity d d"]:
    """(λS~_k + (1-λ)S_*)/γ, and zero for padded entities."""
    there = jnp.trace(private, axis1=-2, axis2=-1)[:, None, None] > 0
    return jnp.where(there, mixing * private + (1 - mixing) * public[None], 0) / scale


def _alpha(level: Float[Array, ""]) -> Float[Array, ""]:
    """α from a uniform number, such that its logit is uniform on ±`_LOGIT`."""
    return jax.nn.sigmoid(_LOGIT * (2 * level - 1))


def _data(key: PRNGKeyArray, sizes: Sizes, sets: int) -> tuple[list[Array], tuple[Array, Array, Array, Array, Array]]:
    """Five uniform numbers; Gram matrices of `sets` private datasets and a public one, pool shares, K and d."""
    most = sizes.most_features
    shape = (sets + 1, most, most + 1)
    # One call for all random numbers, because each call adds seconds of compilation.
    words = jax.random.bits(key, (9 + 3 * (sets + 1) + -(-math.prod(shape) // 4),), jnp.uint32)
    scalars, each, rest = jnp.split(words, (9, 9 + 3 * (sets + 1)))
    count, width, unequal, hard, *free = scalars.astype(float) / 2**32
    rank, size, share = each.reshape(3, sets + 1).astype(float) / 2**32
    numbers = jax.lax.bitcast_convert_type(rest, jnp.uint8).ravel()[: math.prod(shape)].reshape(shape)
    entities = _whole(count, sizes.least_entities, sizes.most_entities)
    features = _whole(width, sizes.least_features, sizes.most_features)
    hard = hard < 0.5
    halvings = jnp.where(hard, numbers[..., most] % (_WEAKEST_ROW + 1), 0)
    digits = (numbers[..., :most] % (2 * _LARGEST + 1)).astype(float) - _LARGEST
    entry = jnp.where((jnp.arange(most) < features)[None, None], digits, 0)
    entry = entry.at[..., 0].set(jnp.where((entry == 0).all(-1), 1.0, entry[..., 0]))  # a zero row would lower the rank
    is_public = jnp.arange(sets + 1) == sets
    ranks = jnp.where(is_public, _whole(rank, 0, features), _whole(rank, 1, features))
    there = is_public | (jnp.arange(sets + 1) % sizes.most_entities < entities)
    seen = there[:, None, None] & (jnp.arange(most)[None, :, None] < ranks[:, None, None])
    scale = 2.0 ** jnp.where(hard, _whole(size, -_SCALE, _SCALE), 0).astype(float)
    rows = jnp.where(seen, entry * (scale[:, None] * 0.5 ** halvings.astype(float))[..., None], 0)
    grams = rows.mT @ rows
    weights: Array = jnp.where(unequal < 0.5, 1.0, 0.05 + share[: sizes.most_entities])  # pyright: ignore[reportAssignmentType]
    weights = jnp.where(jnp.arange(sizes.most_entities) < entities, weights, 0)
    return free, (grams[:-1], grams[-1], weights / weights.sum(), entities, features)


def _whole(uniform: Float[Array, "*n"], least: int | Array, most: int | Array) -> Int[Array, "*n"]:
    """A uniform integer from `least` to `most`, made from a uniform number in [0, 1)."""
    return least + jnp.floor(uniform * jnp.asarray(most - least + 1, float)).astype(int)
