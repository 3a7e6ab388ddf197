"""Computations of `crossfeed explore`: an ecosystem at one setting of the sliders, and over the (α, β) plane."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from crossfeed.errors import InvalidInput
from crossfeed.formulas.measures import minimum_variance
from crossfeed.formulas.memories import Accumulate
from crossfeed.formulas.pools import Network
from crossfeed.formulas.stein import UNIT_ROOT_TOLERANCE, has_limit
from crossfeed.formulas.workflow import PAPER, Workflow
from crossfeed.random_keys import seeded_key

from ...sim.sharding import sharded_grid
from ...sim.sweep.quantities import QUANTITIES, Point
from ...theory.ecosystem import Ecosystem
from ...theory.stability import summarize_stability
from ...theory.weights import Weights
from .family import TOPICS, Family, Setting, turn

GENERATIONS = 50


class Prediction(NamedTuple):
    """Exact results at one setting; NaN for entities beyond K, and where there is no limit.

    Attributes:
        spectral_radius: ρ(Q).
        universal_bound: Theorem U's bound on ρ(Q) for all weights; NaN if the workflow is not the paper's.
        kappa: κ of the entity that knows least of what it publishes; at least 1/4 excludes growth (Theorem K).
        knowledge_change: factor of all real data from which on Theorem K excludes growth; NaN where it gives none.
        public_change: factor of public data from which on growth is excluded whatever entities know; NaN where there is none.
        minimum_variance: MSE of the best unbiased estimator that sees all real data.
        mse: MSE of every entity at generations 0..T.
        mean_mse: mean of `mse` over entities.
        limit_mse: mean MSE in the limit; `inf` where there is no limit.
        efficiency: mean relative efficiency in the limit.
        homogenization: mean correlation of two entities' errors in the limit; NaN for a single entity.
        transfer: tr(M_kj)/d in the limit, the weight that entity k puts on dataset j; the public one is last.
        turn: angle between an entity's private data and its topic, in radians; NaN if the ecosystem is one's own.
    """

    spectral_radius: Float[Array, ""]
    universal_bound: Float[Array, ""]
    kappa: Float[Array, ""]
    knowledge_change: Float[Array, ""]
    public_change: Float[Array, ""]
    minimum_variance: Float[Array, ""]
    mse: Float[Array, "generation entity"]
    mean_mse: Float[Array, " generation"]
    limit_mse: Float[Array, ""]
    efficiency: Float[Array, ""]
    homogenization: Float[Array, ""]
    transfer: Float[Array, "entity dataset"]
    turn: Float[Array, ""]


class Diagram(NamedTuple):
    """Phase diagrams over the plane of weights, for equally spaced values of α and of β from 0 to 1.

    Attributes:
        spectral_radius: ρ(Q).
        efficiency: mean relative efficiency in the limit; NaN where there is no limit.
    """

    spectral_radius: Float[Array, "beta alpha"]
    efficiency: Float[Array, "beta alpha"]


def predict(setting: Setting, workflow: Workflow = PAPER, family: Family = TOPICS) -> Prediction:
    """Exact results at one setting, to be jitted."""
    ecosystem = family.ecosystem(setting)
    point = _point(ecosystem, setting.alpha, setting.beta, workflow)
    stability = summarize_stability(ecosystem, point.weights, workflow)

    def found(name: str) -> Array:
        return QUANTITIES[name].compute(point)

    return Prediction(
        spectral_radius=found("spectral_radius"),
        universal_bound=jnp.asarray(jnp.nan) if stability.paper is None else stability.paper.universal,
        kappa=stability.knowledge.kappa.min(),
        knowledge_change=stability.knowledge.change,
        public_change=stability.anchor.change,
        minimum_variance=minimum_variance(ecosystem),
        mse=found("mse_trajectory"),
        mean_mse=found("mean_mse_trajectory"),
        limit_mse=found("mean_mse"),
        efficiency=found("mean_relative_efficiency"),
        homogenization=found("homogenization"),
        transfer=found("transfer"),
        turn=turn(setting),
    )


def scan_weights(setting: Setting, workflow: Workflow = PAPER, family: Family = TOPICS) -> Diagram:
    """Phase diagram of a setting, whose own weights it does not depend on; to be jitted."""
    ecosystem = family.ecosystem(setting)

    def at(beta: Float[Array, ""], alpha: Float[Array, ""]) -> Diagram:
        point = _point(ecosystem, alpha, beta, workflow)
        names = ("spectral_radius", "mean_relative_efficiency")
        return Diagram(*(QUANTITIES[name].compute(point) for name in names))

    axis = jnp.linspace(0.0, 1.0, family.grid)
    return sharded_grid(at, axis, axis, tile=family.tile)


def state(prediction: Prediction) -> str:
    """`converges`, `diverges`, `drifts` where ρ(Q) cannot be told from one, or `unknown` where it cannot be computed."""
    if np.isnan(prediction.spectral_radius):
        return "unknown"
    if has_limit(prediction.spectral_radius):
        return "converges"
    return "drifts" if prediction.spectral_radius <= 1 + UNIT_ROOT_TOLERANCE else "diverges"


def with_limits(diagram: Diagram) -> np.ndarray:
    """Where on the plane of weights training has a limit, as `has_limit`."""
    return np.asarray(diagram.spectral_radius) < 1 - UNIT_ROOT_TOLERANCE


def best_weights(diagram: Diagram) -> tuple[float, float, float] | None:
    """(β, α, mean relative efficiency) where the efficiency is highest; None if it is defined nowhere."""
    if np.isnan(diagram.efficiency).all():
        return None
    row, column = np.unravel_index(np.nanargmax(diagram.efficiency), diagram.efficiency.shape)
    last = len(diagram.efficiency) - 1
    return row / last, column / last, float(diagram.efficiency[row, column])


def weight_shares(setting: Setting, prediction: Prediction) -> tuple[float, float, float]:
    """Weights on own private, others' private and public data, averaged over entities; NaN where there is no limit."""
    weights = np.asarray(prediction.transfer)[: setting.entities]
    private = weights[:, : setting.entities]
    own = np.trace(private) / setting.entities
    return own, private.sum() / setting.entities - own, weights[:, -1].mean()


def check_workflow(workflow: Workflow, family: Family = TOPICS) -> None:
    """Refuse a workflow that the page cannot show at every setting.

    Raises:
        InvalidInput: it is for another number of entities, has no limit, or carries all estimates from one generation to the next.
    """
    if isinstance(workflow.pool, Network) and not family.source:
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
    return Point(ecosystem, Weights(alpha, beta), GENERATIONS, 1, lambda: seeded_key(0), workflow)
