"""What `crossfeed explore` computes: a family of ecosystems with dials, at one setting and over the (α, β) plane.

Entity j publishes about topic e_j. What it knows turns with the misalignment, from e_j itself (S_j ∝ S~_j, where Lemma 1
promises stability) to u_j ∝ e_j - 1/√m, where at β = 1 the family is that of Theorem U (`theory.worst_case`). All values are
traced, also K, so that no move of a dial compiles anything.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ...sim.sharding import sharded_grid
from ...sim.sweep.padded import PaddedEcosystem
from ...sim.sweep.quantities import QUANTITIES, Point
from ...theory.ecosystem import Ecosystem
from ...theory.measures import minimum_variance
from ...theory.stability import universal_bound
from ...theory.stein import UNIT_ROOT_TOLERANCE, has_limit
from ...theory.weights import Weights

MOST_ENTITIES = 50
FEATURES = 8
GENERATIONS = 50
GRID = 41
PUBLIC_STRENGTH = 2.0
LEAST_STRENGTH, MOST_STRENGTH = 2.0, 50.0
_GOLDEN = 0.618033988749895  # multiples of it fill (0, 1) evenly, however many there are


class Setting(NamedTuple):
    """Where the dials stand.

    Attributes:
        alpha: α in [0, 1], weight of synthetic data.
        beta: β in [0, 1], weight of private against public data.
        entities: K in 1..MOST_ENTITIES.
        volume: c > 0; at 1 an entity publishes as much as its private data.
        misalignment: in [0, 1], how far what an entity knows has turned from what it publishes about.
    """

    alpha: float
    beta: float
    entities: int
    volume: float
    misalignment: float


class Prediction(NamedTuple):
    """What the theory says of one setting; entities beyond K are NaN, and so is a limit that does not exist.

    Attributes:
        spectral_radius: ρ(Q).
        universal_bound: Theorem U's bound on ρ(Q) for all weights.
        minimum_variance: MSE of the best unbiased estimator that sees all real data.
        mse: of every entity at generations 0..T.
        mean_mse: its mean over entities.
        limit_mse: mean MSE in the limit; `inf` where there is none.
        efficiency: mean relative efficiency in the limit.
        homogenization: mean correlation of two entities' errors in the limit; NaN for a lone entity.
        transfer: tr(M_kj)/d in the limit, the weight entity k puts on dataset j (last: public).
        turn: angle between what an entity publishes about and what it knows, in radians.
    """

    spectral_radius: Float[Array, ""]
    universal_bound: Float[Array, ""]
    minimum_variance: Float[Array, ""]
    mse: Float[Array, "generation entity"]
    mean_mse: Float[Array, " generation"]
    limit_mse: Float[Array, ""]
    efficiency: Float[Array, ""]
    homogenization: Float[Array, ""]
    transfer: Float[Array, "entity dataset"]
    turn: Float[Array, ""]


class Diagram(NamedTuple):
    """Phase diagrams over the plane of weights, both from 0 to 1 in GRID steps; NaN efficiency where there is no limit."""

    spectral_radius: Float[Array, "beta alpha"]
    efficiency: Float[Array, "beta alpha"]


def turned_ecosystem(setting: Setting) -> PaddedEcosystem:
    """The ecosystem at a setting, in arrays with room for MOST_ENTITIES.

    With m = min(K, d) topics, at least two, entity j has topic j mod m. S_j = c L_j e e', S~_j = L_j v v' and S_* a multiple
    of the identity, where v has turned from e toward u ∝ e - 1/√m. The strengths L_j are spread evenly over a logarithmic
    range, since entities differ in how much they know; shares are such that the pool holds equally much of each, w_j S_j.
    σ² = 1 and θ = (1, …, 1).
    """
    everyone = jnp.arange(MOST_ENTITIES)
    topics = jnp.clip(setting.entities, 2, FEATURES)
    topic = jnp.eye(FEATURES)[everyone % topics]
    common = jnp.where(jnp.arange(FEATURES) < topics, 1 / jnp.sqrt(topics), 0.0)
    angle = setting.misalignment * worst_angle(topics)
    away = topic / jnp.sqrt(topics) - common[None, :]  # orthogonal to the topic
    away = away / jnp.linalg.norm(away, axis=1, keepdims=True)
    known = jnp.cos(angle) * topic + jnp.sin(angle) * away
    present = everyone < setting.entities
    counted = present.astype(float)
    strength = LEAST_STRENGTH * (MOST_STRENGTH / LEAST_STRENGTH) ** ((everyone + 1).astype(float) * _GOLDEN % 1)
    size = (strength * counted)[:, None, None]
    shares = counted / strength
    return PaddedEcosystem(
        Ecosystem(
            size * known[:, :, None] * known[:, None, :],
            PUBLIC_STRENGTH * jnp.eye(FEATURES),
            setting.volume * size * topic[:, :, None] * topic[:, None, :],
            shares / shares.sum(),
            1.0,
            jnp.ones(FEATURES),
        ),
        present,
    )


def worst_angle(topics: Int[Array, ""] | int) -> Float[Array, ""]:
    """Angle in radians between e_j and u_j ∝ e_j - 1/√m, where growth is fastest."""
    return jnp.arccos(jnp.sqrt((1 - 1 / jnp.sqrt(topics)) / 2))


def predict(setting: Setting) -> Prediction:
    """All that is shown of one setting but the phase diagram; jit it."""
    padded = turned_ecosystem(setting)
    point = _point(padded, setting.alpha, setting.beta)
    found = lambda name: QUANTITIES[name].compute(point)  # noqa: E731
    return Prediction(
        spectral_radius=found("spectral_radius"),
        universal_bound=universal_bound(padded.ecosystem),
        minimum_variance=minimum_variance(padded.ecosystem),
        mse=found("mse_trajectory"),
        mean_mse=found("mean_mse_trajectory"),
        limit_mse=found("mean_mse"),
        efficiency=found("mean_relative_efficiency"),
        homogenization=found("homogenization"),
        transfer=found("transfer"),
        turn=setting.misalignment * worst_angle(jnp.clip(setting.entities, 2, FEATURES)),
    )


def scan_weights(setting: Setting) -> Diagram:
    """The phase diagram; it does not depend on the setting's own weights. Jit it."""
    padded = turned_ecosystem(setting)

    def at(beta, alpha):
        point = _point(padded, alpha, beta)
        names = ("spectral_radius", "mean_relative_efficiency")
        return Diagram(*(QUANTITIES[name].compute(point) for name in names))

    axis = jnp.linspace(0.0, 1.0, GRID)
    return sharded_grid(at, axis, axis)


def state(prediction: Prediction) -> str:
    """`settles`, `diverges`, or `drifts` where ρ(Q) cannot be told from one."""
    if has_limit(prediction.spectral_radius):
        return "settles"
    return "drifts" if prediction.spectral_radius <= 1 + UNIT_ROOT_TOLERANCE else "diverges"


def best_weights(diagram: Diagram) -> tuple[float, float, float]:
    """(β, α, mean relative efficiency) where efficiency is highest."""
    row, column = np.unravel_index(np.nanargmax(diagram.efficiency), diagram.efficiency.shape)
    return row / (GRID - 1), column / (GRID - 1), float(diagram.efficiency[row, column])


def weight_shares(setting: Setting, prediction: Prediction) -> tuple[float, float, float]:
    """Mean over entities of the weight on own private, others' private and public data; NaN where there is no limit."""
    weights = np.asarray(prediction.transfer)[: setting.entities]
    private = weights[:, : setting.entities]
    own = np.trace(private) / setting.entities
    return own, private.sum() / setting.entities - own, weights[:, -1].mean()


def _point(padded: PaddedEcosystem, alpha, beta) -> Point:
    return Point(padded, Weights(alpha, beta), GENERATIONS, 1, jax.random.key(0))
