"""What `crossfeed explore` shows: a family of ecosystems with sliders, or an ecosystem of one's own.

Entity j of the family publishes labels for inputs along its topic e_j. The direction of its private data turns with the
misalignment, from e_j itself (S_j ∝ S~_j, where Lemma 1 proves stability) to u_j ∝ e_j - 1/√m, where at β = 1 the family is that of
Theorem U (`theory.worst_case`). All values are traced, K included, so that moving a slider compiles nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from ...sim.sharding import CACHED_TILE, cached_tile
from ...theory.ecosystem import Dataset, Ecosystem

MOST_ENTITIES = 50
FEATURES = 8
PUBLIC_STRENGTH = 2.0
LEAST_STRENGTH, MOST_STRENGTH = 2.0, 50.0
_GOLDEN = 0.618033988749895  # any number of its multiples modulo 1 fill (0, 1) evenly
_GRIDS = ((2e4, 41), (2e5, 21))  # K d³ up to which a phase diagram takes seconds, and its points per axis
_COARSE = 11


class Setting(NamedTuple):
    """Values of the sliders.

    Attributes:
        alpha: α in [0, 1], weight of synthetic data.
        beta: β in [0, 1], weight of private against public data.
        entities: K, of the family from 1 to `MOST_ENTITIES`.
        volume: c > 0, synthetic over private data of an entity of the family, or a factor of all that an own ecosystem publishes.
        misalignment: angle between an entity's private data and its topic, over `worst_angle`; in [0, 1]. None if the ecosystem
            is one's own.
    """

    alpha: float
    beta: float
    entities: int
    volume: float
    misalignment: float | None


@dataclass(frozen=True)
class Family:
    """Ecosystems that the sliders choose from.

    Attributes:
        ecosystem: the ecosystem of a setting.
        start: the setting that the page opens with.
        grid: points of the phase diagram per axis.
        tile: points of it that are computed at once.
        source: name of one's own ecosystem; empty for the family with topics.
    """

    ecosystem: Callable[[Setting], Ecosystem]
    start: Setting
    grid: int
    tile: int
    source: str = ""


def turned_ecosystem(setting: Setting) -> Ecosystem:
    """Ecosystem of a setting, padded to `MOST_ENTITIES`.

    With m = min(K, d) topics, at least two, entity j has topic j mod m. S_j = c L_j e e', S~_j = L_j v v', and S_* is a
    multiple of the identity; v is e turned toward u ∝ e - 1/√m. The strengths L_j are spread evenly over a logarithmic range,
    so that entities differ in the size of their data; the shares w_j ∝ 1/L_j give all w_j S_j the same size. σ² = 1 and
    θ = (1, …, 1).
    """
    everyone = jnp.arange(MOST_ENTITIES)
    topics = jnp.clip(setting.entities, 2, FEATURES)
    topic = jnp.eye(FEATURES)[everyone % topics]
    common = jnp.where(jnp.arange(FEATURES) < topics, 1 / jnp.sqrt(topics), 0.0)
    angle = turn(setting)
    away = topic / jnp.sqrt(topics) - common[None, :]  # orthogonal to the topic
    away = away / jnp.linalg.norm(away, axis=1, keepdims=True)
    known = jnp.cos(angle) * topic + jnp.sin(angle) * away
    present = everyone < setting.entities
    counted = present.astype(float)
    strength = LEAST_STRENGTH * (MOST_STRENGTH / LEAST_STRENGTH) ** ((everyone + 1).astype(float) * _GOLDEN % 1)
    size = (strength * counted)[:, None, None]
    shares = counted / strength
    truth = jnp.ones(FEATURES)
    return Ecosystem(
        private=Dataset(size * known[:, :, None] * known[:, None, :], truth=truth),
        public=Dataset(PUBLIC_STRENGTH * jnp.eye(FEATURES), truth=truth),
        synthetic=Dataset(setting.volume * size * topic[:, :, None] * topic[:, None, :]),
        shares=shares / shares.sum(),
        present=present,
    )


def worst_angle(topics: Int[Array, ""] | int) -> Float[Array, ""]:
    """Angle in radians between e_j and u_j ∝ e_j - 1/√m, at which growth is fastest."""
    return jnp.arccos(jnp.sqrt((1 - 1 / jnp.sqrt(topics)) / 2))


def turn(setting: Setting) -> Float[Array, ""]:
    """Angle in radians between an entity's private data and its topic; NaN for an ecosystem of one's own."""
    if setting.misalignment is None:
        return jnp.asarray(jnp.nan)
    return setting.misalignment * worst_angle(jnp.clip(setting.entities, 2, FEATURES))


TOPICS = Family(turned_ecosystem, Setting(0.5, 0.7, 8, 1.0, 0.4), 41, CACHED_TILE)
"""The family with topics."""


def own_family(ecosystem: Ecosystem, source: str) -> Family:
    """One's own ecosystem, of which the sliders move the weights and the volume of what is published.

    The phase diagram is the coarser, the longer a point of it takes.
    """
    entities, size = ecosystem.entities, ecosystem.dimension

    def scaled(setting: Setting) -> Ecosystem:
        published = setting.volume * ecosystem.synthetic.gram
        return eqx.tree_at(lambda e: e.synthetic.gram, ecosystem, published)

    grid = next((points for work, points in _GRIDS if entities * size**3 <= work), _COARSE)
    start = Setting(0.5, 0.5, entities, 1.0, None)
    return Family(scaled, start, grid, cached_tile(entities, size), source)
