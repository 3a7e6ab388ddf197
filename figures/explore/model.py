"""Computations of `crossfeed explore`: a family of ecosystems with sliders, at one setting and over the (α, β) plane.

Entity j publishes labels for inputs along its topic e_j. The direction of its private data turns with the misalignment, from
e_j itself (S_j ∝ S~_j, where Lemma 1 proves stability) to u_j ∝ e_j - 1/√m, where at β = 1 the family is that of Theorem U
(`theory.worst_case`). All values are traced, K included, so that moving a slider compiles nothing.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from crossfeed.errors import InvalidInput
from crossfeed.random_keys import seeded_key

from ...formulas.measures import minimum_variance
from ...formulas.memories import Accumulate
from ...formulas.pools import Network
from ...formulas.stein import UNIT_ROOT_TOLERANCE, has_limit
from ...formulas.workflow import PAPER, Workflow
from ...sim.sharding import sharded_grid
from ...sim.sweep.quantities import QUANTITIES, Point
from ...theory.ecosystem import Dataset, Ecosystem
from ...theory.stability import universal_bound
from ...theory.weights import Weights

MOST_ENTITIES = 50
FEATURES = 8
GENERATIONS = 50
GRID = 41
PUBLIC_STRENGTH = 2.0
LEAST_STRENGTH, MOST_STRENGTH = 2.0, 50.0
_GOLDEN = 0.618033988749895  # any number of its multiples modulo 1 fill (0, 1) evenly


class Setting(NamedTuple):
    """Values of the sliders.

    Attributes:
        alpha: α in [0, 1], weight of synthetic data.
        beta: β in [0, 1], weight of private against public data.
        entities: K from 1 to `MOST_ENTITIES`.
        volume: c > 0, synthetic over private data of an entity.
        misalignment: angle between an entity's private data and its topic, over `worst_angle`; in [0, 1].
    """

    alpha: float
    beta: float
    entities: int
    volume: float
    misalignment: float


class Prediction(NamedTuple):
    """Exact results at one setting; NaN for entities beyond K, and where there is no limit.

    Attributes:
        spectral_radius: ρ(Q).
        universal_bound: Theorem U's bound on ρ(Q) for all weights; NaN if the workflow is not the paper's.
        minimum_variance: MSE of the best unbiased estimator that sees all real data.
        mse: MSE of every entity at generations 0..T.
        mean_mse: mean of `mse` over entities.
        limit_mse: mean MSE in the limit; `inf` where there is no limit.
        efficiency: mean relative efficiency in the limit.
        homogenization: mean correlation of two entities' errors in the limit; NaN for a single entity.
        transfer: tr(M_kj)/d in the limit, the weight that entity k puts on dataset j; the public one is last.
        turn: angle between an entity's private data and its topic, in radians.
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
    """Phase diagrams over the plane of weights, for `GRID` values of α and of β from 0 to 1.

    Attributes:
        spectral_radius: ρ(Q).
        efficiency: mean relative efficiency in the limit; NaN where there is no limit.
    """

    spectral_radius: Float[Array, "beta alpha"]
    efficiency: Float[Array, "beta alpha"]


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
    angle = setting.misalignment * worst_angle(topics)
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


def predict(setting: Setting, workflow: Workflow = PAPER) -> Prediction:
    """Exact results at one setting, to be jitted."""
    ecosystem = turned_ecosystem(setting)
    point = _point(ecosystem, setting.alpha, setting.beta, workflow)

    def found(name: str) -> Array:
        return QUANTITIES[name].compute(point)

    return Prediction(
        spectral_radius=found("spectral_radius"),
        universal_bound=universal_bound(ecosystem) if workflow == PAPER else jnp.asarray(jnp.nan),
        minimum_variance=minimum_variance(ecosystem),
        mse=found("mse_trajectory"),
        mean_mse=found("mean_mse_trajectory"),
        limit_mse=found("mean_mse"),
        efficiency=found("mean_relative_efficiency"),
        homogenization=found("homogenization"),
        transfer=found("transfer"),
        turn=setting.misalignment * worst_angle(jnp.clip(setting.entities, 2, FEATURES)),
    )


def scan_weights(setting: Setting, workflow: Workflow = PAPER) -> Diagram:
    """Phase diagram of a setting, whose own weights it does not depend on; to be jitted."""
    ecosystem = turned_ecosystem(setting)

    def at(beta: Float[Array, ""], alpha: Float[Array, ""]) -> Diagram:
        point = _point(ecosystem, alpha, beta, workflow)
        names = ("spectral_radius", "mean_relative_efficiency")
        return Diagram(*(QUANTITIES[name].compute(point) for name in names))

    axis = jnp.linspace(0.0, 1.0, GRID)
    return sharded_grid(at, axis, axis)


def state(prediction: Prediction) -> str:
    """`converges`, `diverges`, or `drifts` where ρ(Q) cannot be told from one."""
    if has_limit(prediction.spectral_radius):
        return "converges"
    return "drifts" if prediction.spectral_radius <= 1 + UNIT_ROOT_TOLERANCE else "diverges"


def best_weights(diagram: Diagram) -> tuple[float, float, float]:
    """(β, α, mean relative efficiency) where the efficiency is highest."""
    row, column = np.unravel_index(np.nanargmax(diagram.efficiency), diagram.efficiency.shape)
    return row / (GRID - 1), column / (GRID - 1), float(diagram.efficiency[row, column])


def weight_shares(setting: Setting, prediction: Prediction) -> tuple[float, float, float]:
    """Weights on own private, others' private and public data, averaged over entities; NaN where there is no limit."""
    weights = np.asarray(prediction.transfer)[: setting.entities]
    private = weights[:, : setting.entities]
    own = np.trace(private) / setting.entities
    return own, private.sum() / setting.entities - own, weights[:, -1].mean()


def check_workflow(workflow: Workflow) -> None:
    """Refuse a workflow that the page cannot show at every setting.

    Raises:
        InvalidInput: it is for a fixed number of entities, has no limit, or carries all estimates from one generation to the next.
    """
    if isinstance(workflow.pool, Network):
        raise InvalidInput(
            "pool.kind is 'network', which is for a fixed number of entities, but here a slider moves it"
        )
    if isinstance(workflow.memory, Accumulate):
        raise InvalidInput("memory.kind is 'accumulate', with which there is no limit to show")
    if workflow.estimator.carries:
        raise InvalidInput(
            "estimator.kind is 'gradient-steps', which takes too long for a page that follows the sliders"
        )


def _point(ecosystem: Ecosystem, alpha: float | Array, beta: float | Array, workflow: Workflow) -> Point:
    return Point(ecosystem, Weights(alpha, beta), GENERATIONS, 1, seeded_key(0), workflow)
