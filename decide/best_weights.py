"""Best weights: the α and β with which an ecosystem does best, in the limit or after some generations."""

from collections.abc import Callable
from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from crossfeed.errors import DependsOnTheta, InvalidInput, NoLimit
from crossfeed.formulas.arrays import is_concrete
from crossfeed.formulas.shapes import Scalar
from crossfeed.random_keys import pinned_generator, seeded_key

from ..theory import (
    PAPER,
    Dataset,
    Ecosystem,
    Law,
    Weights,
    Workflow,
    homogenization,
    limit,
    mse,
    trajectory,
)
from .minimization import Minimum, minimize, spread_starts
from .objectives import AbstractObjective, MeanError, Measure

_STARTS = 12
_COMMON, _UNEQUAL = 5, 3  # starts of weights per entity
_PERTURBED = 3  # further starts of a search in many dimensions, beside the best weights in few
_PENALTY = 1e3  # of a homogenization above the level of a point of the front


class Best(eqx.Module):
    """Best weights, and what they reach.

    Attributes:
        weights: the best weights.
        value: the objective there; `inf` where there is no limit, or no number, at any weights tried.
        mse: mean squared error of every entity there, in squared units of θ.
        homogenization: mean correlation of two entities' errors there; NaN for a single entity.
        spectral_radius: of the recursion there; of a schedule, that of its last weights.
        values: the objective's value at the end of every search, one per start; `inf` where there is none.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.decide import Best, best_weights
        >>> from crossfeed.theory import symmetric_ecosystem
        >>> isinstance(best_weights(symmetric_ecosystem(2, jnp.eye(1))), Best)
        True
    """

    weights: Weights
    value: Float[Array, "..."]
    mse: Float[Array, "... entity"]
    homogenization: Float[Array, "..."]
    spectral_radius: Float[Array, "..."]
    values: Float[Array, "... start"]


def best_weights(
    ecosystem: Ecosystem,
    objective: AbstractObjective | None = None,
    workflow: Workflow = PAPER,
    *,
    each: Literal["ecosystem", "entity"] = "ecosystem",
) -> Best:
    """Constant weights with the smallest value of an objective in the limit, among those that have a limit.

    Searches from many starts by gradients through the exact law. Where the objective has several minima, `Best.values` shows
    them; no search can exclude a smaller one that no start leads to.

    Args:
        ecosystem: the ecosystem.
        objective: what is to be small; `MeanError()` if None.
        workflow: estimator, pool and memory; the paper's if not given.
        each: "ecosystem" for one α and β for all, "entity" for weights of their own; those of absent entities mean nothing.

    Raises:
        NoLimit: there is no limit at any weights tried.
        DependsOnTheta: estimates are biased at all of them, and the ecosystem has no truth.
        InvalidInput: the memory keeps all pools, or `each` is another word.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.decide import best_weights
        >>> from crossfeed.theory import symmetric_ecosystem
        >>> best = best_weights(symmetric_ecosystem(2, jnp.eye(1)))
        >>> print(f"{best.weights.alpha:.4f} {best.weights.beta:.4f}")
        0.2177 0.5537
    """
    if each not in ("ecosystem", "entity"):
        raise InvalidInput(f"each is {each!r}, but must be 'ecosystem' or 'entity'")
    objective = MeanError() if objective is None else objective
    starts = _starts() if each == "ecosystem" else _own_starts(ecosystem.entities)
    found = _search(_of_limit, (ecosystem, workflow), objective, starts)
    _refuse_nothing(found)
    return _best(found, _entity_weights(found.point))


def best_schedule(
    ecosystem: Ecosystem, generations: int, objective: AbstractObjective | None = None, workflow: Workflow = PAPER
) -> Best:
    """Weights for every generation 0..T, the same for all entities, with the smallest value of an objective at generation T.

    Args:
        ecosystem: the ecosystem.
        generations: T, at least 1.
        objective: what is to be small at generation T; `MeanError()` if None.
        workflow: estimator, pool and memory; the paper's if not given.

    Raises:
        InvalidInput: there is no generation to train.
        DependsOnTheta: as `best_weights`.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.decide import best_schedule, best_weights
        >>> from crossfeed.theory import symmetric_ecosystem
        >>> ecosystem = symmetric_ecosystem(2, jnp.eye(1))
        >>> print(f"{best_weights(ecosystem).mse[0]:.4f} {best_schedule(ecosystem, 5).mse[0]:.4f}")
        0.4712 0.4286
    """
    if generations < 1:
        raise InvalidInput(f"generations is {generations}, but must be at least 1")
    objective = MeanError() if objective is None else objective
    parts = (ecosystem, workflow)
    constant = _search(_After(generations), parts, objective, spread_starts(_STARTS, 2))
    size = generations + 1
    found = _search(_After(generations), parts, objective, _around(jnp.repeat(constant.point, size)))
    _refuse_nothing(found)
    alpha, beta = found.point.reshape(2, size, 1)
    return _best(found, Weights(alpha.at[0].set(0.0), beta))


def pareto_front(
    ecosystem: Ecosystem,
    objective: AbstractObjective | None = None,
    workflow: Workflow = PAPER,
    *,
    points: int = 11,
) -> Best:
    """Pareto front of accuracy against homogenization: constant weights that no others beat in both at once.

    At levels of homogenization between that of the best weights and the least, the objective with a penalty on what exceeds the
    level is minimized. This also finds those points of the front that no price on homogenization leads to.

    Args:
        ecosystem: at least two entities.
        objective: what is to be small beside homogenization; `MeanError()` if None.
        workflow: estimator, pool and memory; the paper's if not given.
        points: number of levels, at least 2.

    Raises:
        InvalidInput: there is a single entity, or fewer than 2 points.
        NoLimit, DependsOnTheta: as `best_weights`.

    Returns:
        One point per level along the leading axis of every array, from the most to the least homogenized.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.decide import pareto_front
        >>> from crossfeed.theory import symmetric_ecosystem
        >>> front = pareto_front(symmetric_ecosystem(2, jnp.eye(1)), points=3)
        >>> print(front.homogenization.round(2), front.mse[:, 0].round(3))
        [0.6  0.3  0.01] [0.471 0.517 0.869]
    """
    if ecosystem.entities < 2:
        raise InvalidInput("a single entity has no homogenization: at least two are needed")
    if points < 2:
        raise InvalidInput(f"points is {points}, but must be at least 2")
    objective = MeanError() if objective is None else objective
    parts, starts = (ecosystem, workflow), _starts()
    top = _search(_of_limit, parts, objective, starts)
    _refuse_nothing(top)
    alone = _search(_of_limit, parts, Measure(homogenization), starts)
    levels = jnp.linspace(top.aux.homogenization, alone.value, points)

    def at(level: Float[Array, ""]) -> Minimum:
        return _search(_of_limit, parts, _Below(objective, level), starts)

    found = eqx.filter_jit(jax.vmap(at))(levels)
    return _best(found, Weights(found.point[:, :1], found.point[:, 1:]))


class _Below(AbstractObjective):
    """An objective with a penalty on homogenization above a level."""

    objective: AbstractObjective
    level: Float[Array, ""]

    def __call__(self, law: Law) -> Float[Array, ""]:
        return self.objective(law) + _PENALTY * jnp.maximum(homogenization(law) - self.level, 0) ** 2


class Design(eqx.Module):
    """Best weights together with the best volume of synthetic data and overlap of real data.

    Attributes:
        best: the best weights, and what they reach.
        volume: best factor c on what every entity publishes.
        overlap: best fraction of their private data that all entities make public.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.decide import Design, best_design
        >>> from crossfeed.theory import symmetric_ecosystem
        >>> isinstance(best_design(symmetric_ecosystem(2, jnp.eye(1)), volume=(1.0, 1.0)), Design)
        True
    """

    best: Best
    volume: Float[Array, ""]
    overlap: Float[Array, ""]


def best_design(
    ecosystem: Ecosystem,
    objective: AbstractObjective | None = None,
    workflow: Workflow = PAPER,
    *,
    volume: tuple[float, float] = (1.0, 1.0),
    overlap: tuple[float, float] = (0.0, 0.0),
) -> Design:
    """Weights, volume of synthetic data and overlap of real data with the smallest value of an objective in the limit.

    Volume c makes c S_k of what entity k publishes. Overlap o makes a fraction o of everybody's private data public: S~_k
    becomes (1 - o) S~_k, and S_* becomes S_* + o Σ_k S~_k.

    Args:
        ecosystem: data with one truth for all, if the overlap may vary.
        objective: what is to be small; `MeanError()` if None.
        workflow: estimator, pool and memory; the paper's if not given.
        volume: smallest and largest c, positive.
        overlap: smallest and largest o, in [0, 1].

    Raises:
        InvalidInput: a range is empty or outside these bounds, or data that differ in truth or noise are to overlap.
        NoLimit, DependsOnTheta: as `best_weights`.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.decide import best_design
        >>> from crossfeed.theory import symmetric_ecosystem
        >>> design = best_design(symmetric_ecosystem(2, jnp.eye(1)), volume=(0.1, 100.0))
        >>> print(f"{design.volume:.0f} {1 / 3 / design.best.mse[0]:.2f}")  # relative efficiency
        100 0.95
    """
    if not 0 < volume[0] <= volume[1] < jnp.inf:
        raise InvalidInput(f"volume is {volume}, but must be a range of positive numbers")
    if not 0 <= overlap[0] <= overlap[1] <= 1:
        raise InvalidInput(f"overlap is {overlap}, but must be a range within [0, 1]")
    if overlap[1] > 0 and not can_merge(ecosystem):
        raise InvalidInput("private and public data differ in truth or noise variance, so they cannot be merged")
    parts = (ecosystem, workflow, jnp.log(jnp.array(volume)), jnp.array(overlap))
    objective = MeanError() if objective is None else objective
    found = _search(_of_design, parts, objective, spread_starts(_STARTS, 4))
    _refuse_nothing(found)
    return Design(_best(found, _entity_weights(found.point[:2])), *_volume_and_overlap(parts[2], parts[3], found.point))


def can_merge(ecosystem: Ecosystem) -> bool:
    """Whether private and public data have one truth and one noise variance, so that private rows can be made public."""
    noise = bool((ecosystem.private.noise_variance == ecosystem.public.noise_variance).all())
    return noise and not bool(ecosystem.truths_differ)


def redesigned(ecosystem: Ecosystem, volume: Scalar, overlap: Scalar) -> Ecosystem:
    """The ecosystem with a factor on what is published, and a fraction of all private data made public."""
    private, public, synthetic = ecosystem.private, ecosystem.public, ecosystem.synthetic
    of_present = jnp.where(ecosystem.present[:, None, None], private.gram, 0).sum(0)
    return Ecosystem(
        private=Dataset((1 - overlap) * private.gram, private.noise_variance, private.truth),
        public=Dataset(public.gram + overlap * of_present, public.noise_variance, public.truth),
        synthetic=Dataset(volume * synthetic.gram, synthetic.noise_variance),
        shares=ecosystem.shares,
        present=ecosystem.present,
    )


class _Reached(eqx.Module):
    """What the weights of a point reach."""

    mse: Float[Array, " entity"]
    homogenization: Float[Array, ""]
    spectral_radius: Float[Array, ""]


def _reached(law: Law) -> _Reached:
    radius = jnp.asarray(jnp.nan) if law.spectral_radius is None else law.spectral_radius
    return _Reached(mse(law), homogenization(law), radius)


_Problem = Callable[..., tuple[Float[Array, ""], _Reached]]


def _of_limit(
    parts: tuple[Ecosystem, Workflow], objective: AbstractObjective, point: Float[Array, " n"]
) -> tuple[Float[Array, ""], _Reached]:
    law = limit(parts[0], _entity_weights(point), parts[1], throw=False)
    return objective(law), _reached(law)


def _of_design(
    parts: tuple[Ecosystem, Workflow, Float[Array, "2"], Float[Array, "2"]],
    objective: AbstractObjective,
    point: Float[Array, "4"],
) -> tuple[Float[Array, ""], _Reached]:
    ecosystem, workflow, logarithms, overlaps = parts
    changed = redesigned(ecosystem, *_volume_and_overlap(logarithms, overlaps, point))
    return _of_limit((changed, workflow), objective, point[:2])


def _volume_and_overlap(
    logarithms: Float[Array, "2"], overlaps: Float[Array, "2"], point: Float[Array, "4"]
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    (lowest, highest), (least, most) = logarithms, overlaps
    return jnp.exp(lowest + (highest - lowest) * point[2]), least + (most - least) * point[3]


class _After(eqx.Module):
    """A problem that is equal to another with the same number of generations, so that it compiles once."""

    generations: int

    def __call__(
        self, parts: tuple[Ecosystem, Workflow], objective: AbstractObjective, point: Float[Array, " n"]
    ) -> tuple[Float[Array, ""], _Reached]:
        alpha, beta = point.reshape(2, -1, 1)
        weights = Weights(alpha[0, 0], beta[0, 0]) if len(alpha) == 1 else Weights(alpha, beta)
        both = trajectory(parts[0], weights, self.generations, lambda law: (objective(law), _reached(law)), parts[1])
        return jax.tree.map(lambda values: values[-1], both)


def _entity_weights(point: Float[Array, " n"]) -> Weights:
    """Weights from the values of α and then of β: one for all entities, or one per entity."""
    alpha, beta = point.reshape(2, -1)
    return Weights(alpha[0], beta[0]) if len(alpha) == 1 else Weights(alpha, beta)


def _search(
    problem: _Problem,
    parts: tuple[Any, ...],
    objective: AbstractObjective,
    starts: Float[Array | np.ndarray, "start n"],
) -> Minimum:
    """Minimum of an objective, of all its stages one after another."""
    found = None
    for stage in objective.stages():
        found = _minimum(problem, parts, stage, jnp.asarray(starts if found is None else found.points))
    assert found is not None
    return found


@eqx.filter_jit
def _minimum(
    problem: _Problem, parts: tuple[Any, ...], objective: AbstractObjective, starts: Float[Array, "start n"]
) -> Minimum:
    return minimize(lambda point: problem(parts, objective, point), starts)


def _starts(count: int = _STARTS) -> Float[np.ndarray, "start 2"]:
    """Weights all over the box, and training alone, where a search stays: it has a limit also where all others diverge."""
    return np.concatenate([spread_starts(count, 2), [[0.0, 0.5]]])


def _own_starts(entities: int) -> Float[np.ndarray, "start n"]:
    """Common weights, and others: searches from common ones keep them common where all entities are alike."""
    return np.concatenate([_starts(_COMMON).repeat(entities, axis=1), spread_starts(_UNEQUAL, 2 * entities)])


def _around(point: Float[Array, " n"]) -> Float[Array, "start n"]:
    """The point itself, and others around it at random."""
    with pinned_generator():
        noise = jax.random.uniform(seeded_key(0), (_PERTURBED, len(point)), point.dtype)
    return jnp.clip(jnp.concatenate([point[None], 0.6 * point[None] + 0.4 * noise]), 1e-4, 1 - 1e-4)


def _best(found: Minimum, weights: Weights) -> Best:
    reached: _Reached = found.aux
    return Best(weights, found.value, reached.mse, reached.homogenization, reached.spectral_radius, found.values)


def _refuse_nothing(found: Minimum) -> None:
    """Refuse a search that has found no number, unless traced."""
    if not is_concrete(found.value) or jnp.isfinite(found.value):
        return
    reached: _Reached = found.aux
    if jnp.isnan(reached.mse).any():
        raise DependsOnTheta("estimates are biased, so their errors depend on theta, which is not given")
    raise NoLimit("there is no limit at any weights tried, so none are best")
