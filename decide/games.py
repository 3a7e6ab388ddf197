"""Selfish entities: each chooses its own weights, so that its own error in the limit is small."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from crossfeed.errors import InvalidInput, NoLimit
from crossfeed.formulas.arrays import is_concrete
from crossfeed.formulas.linear_algebra import spectral_radius_of

from ..theory import PAPER, Ecosystem, Law, Weights, Workflow, limit, mse, mspe
from ..theory.ecosystem import check_all_present
from .best_weights import best_weights
from .minimization import TOLERANCE, descend, spread_starts
from .objectives import AbstractObjective

Costs = Callable[[Law], Float[Array, " entity"]]


class _MeanCost(AbstractObjective):
    """Logarithm of the mean cost, what is best for all."""

    costs: Costs = eqx.field(static=True)

    def __call__(self, law: Law) -> Float[Array, ""]:
        return jnp.log(self.costs(law).mean())


_STARTS = 2  # of a best response, beside the present weights
_EDGE = 1e-5  # distance from 0 or 1 within which a weight counts as pressed against it
_DIFFERENCE = 1e-6
_SHARE, _LEAST_SHARE = 0.7, 0.02  # of the way to the best response that a round goes
_ROUGH = 1e-3  # tolerance of a response, relative to the last way to it
_REMEMBERED = 6  # rounds that the next one is extrapolated from
_NEAR = 1e-2  # in every weight: rounds that end this near an equilibrium that was found before are taken to lead to it
_SETTLED = 1e-5  # largest distance of an equilibrium from the best responses to it: errors of costs are of its square
_ALMOST = 1e-4  # the same after the last round


def own_task_errors(law: Law) -> Float[Array, " entity"]:
    """Prediction error of every entity on its own private data: a cost of selfish entities.

    Args:
        law: joint law of the estimates.

    Returns:
        The diagonal of `mspe`, in units of σ².

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.decide import own_task_errors
        >>> from crossfeed.theory import Weights, limit, symmetric_ecosystem
        >>> print(own_task_errors(limit(symmetric_ecosystem(2, jnp.eye(3)), Weights(0.5, 0.5))).round(4))
        [1.7188 1.7188]
    """
    return jnp.diagonal(mspe(law))


def best_responses(
    ecosystem: Ecosystem, weights: Weights, workflow: Workflow = PAPER, costs: Costs = mse
) -> tuple[Weights, Float[Array, " entity"]]:
    """Weights that each entity would choose while all others keep theirs, and the cost it would then have.

    Args:
        ecosystem: the ecosystem.
        weights: weights of all entities, constant over generations.
        workflow: estimator, pool and memory; the paper's if not given.
        costs: what each entity wants to be small in the limit.

    Returns:
        The best response of every entity, and its cost if it alone deviates; `inf` where nothing it can do leads to a limit.

    Raises:
        InvalidInput: the shape of the weights does not fit, or an entity is absent.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.decide import best_responses
        >>> from crossfeed.theory import Weights, symmetric_ecosystem
        >>> responses, costs = best_responses(symmetric_ecosystem(2, jnp.eye(1)), Weights(0.0, 0.5))
        >>> print(costs.round(4))  # at (0, 0.5) it is 0.5
        [0.468 0.468]
    """
    check_all_present(ecosystem)
    point = jnp.stack(weights.per_entity(ecosystem.entities))
    responses, reached = _respond(ecosystem, workflow, costs, point)
    return Weights(*responses), reached


class Equilibrium(eqx.Module):
    """A Nash equilibrium of entities that choose their own weights, and what it costs.

    Attributes:
        weights: weights of every entity.
        costs: cost of every entity; `inf` where the search found no equilibrium.
        gain: most that an entity could still save by other weights, relative to its cost.
        spectral_radius: of the best-response map: perturbations of the equilibrium die out, if all respond at once, where it is
            below one.
        optimum: cost of every entity at the weights, one α and β per entity, with the smallest mean cost.
        optimal_weights: these weights.
        anarchy: price of anarchy, the mean cost over that at the optimum.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.decide import Equilibrium, equilibria
        >>> from crossfeed.theory import symmetric_ecosystem
        >>> isinstance(equilibria(symmetric_ecosystem(2, jnp.eye(1)))[0], Equilibrium)
        True
    """

    weights: Weights
    costs: Float[Array, " entity"]
    gain: Float[Array, ""]
    spectral_radius: Float[Array, ""]
    optimum: Float[Array, " entity"]
    optimal_weights: Weights
    anarchy: Float[Array, ""]


def equilibria(
    ecosystem: Ecosystem,
    workflow: Workflow = PAPER,
    costs: Costs = mse,
    *,
    starts: int = 3,
    most_rounds: int = 200,
) -> tuple[Equilibrium, ...]:
    """Nash equilibria that best responses lead to from several starts, the cheapest on average first.

    Rounds of damped local responses of all entities at once are accelerated by Anderson's mixing. Where they settle, each response
    is searched for from several starts, and rounds go on if one is found elsewhere. Equilibria of which no weight differs by more
    than 0.01 count as one.

    Args:
        ecosystem: the ecosystem.
        workflow: estimator, pool and memory; the paper's if not given.
        costs: what each entity wants to be small in the limit.
        starts: number of starts, at least 1.
        most_rounds: most best responses of all entities, at least 1.

    Raises:
        InvalidInput: there is no start or no round, or an entity is absent.
        NoLimit: responses from no start settle.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.decide import equilibria
        >>> from crossfeed.theory import symmetric_ecosystem
        >>> nash = equilibria(symmetric_ecosystem(2, jnp.eye(1)))[0]
        >>> print(f"{nash.weights.alpha[0]:.4f} {nash.weights.beta[0]:.4f} {nash.anarchy:.4f}")
        0.2296 0.5304 1.0028
    """
    for name, value in (("starts", starts), ("most_rounds", most_rounds)):
        if value < 1:
            raise InvalidInput(f"{name} is {value}, but must be at least 1")
    check_all_present(ecosystem)
    optimal = best_weights(ecosystem, _MeanCost(costs), workflow, each="entity").weights
    first = np.stack(optimal.per_entity(ecosystem.entities))
    optimum, _ = _at(ecosystem, workflow, costs, jnp.asarray(first))
    others = 0.05 + 0.9 * spread_starts(starts - 1, first.size).reshape(-1, *first.shape)
    found: list[Equilibrium] = []
    for start in (first, *others):
        known = [np.stack([e.weights.alpha, e.weights.beta]) for e in found]
        settled = _settle(ecosystem, workflow, costs, start, most_rounds, known)
        if settled is None:
            continue
        point, reached = settled
        cost, radius = _at(ecosystem, workflow, costs, point)
        found.append(_equilibrium(point, cost, reached, radius, optimum, optimal))
    if not found:
        raise NoLimit(
            f"best responses do not settle in {most_rounds} rounds from any start, so no equilibrium was found"
        )
    return tuple(sorted(found, key=lambda e: float(e.costs.mean())))


@jax.jit
def _equilibrium(
    point: Float[Array, "2 entity"],
    cost: Float[Array, " entity"],
    reached: Float[Array, " entity"],
    radius: Float[Array, ""],
    optimum: Float[Array, " entity"],
    optimal: Weights,
) -> Equilibrium:
    """The record, in one program: its quotients one by one would each be compiled."""
    gain = ((cost - reached) / cost).max()
    return Equilibrium(Weights(*point), cost, gain, radius, optimum, optimal, cost.mean() / optimum.mean())


def publishing(
    ecosystem: Ecosystem,
    weights: Weights,
    entity: int,
    factors: Float[Array, " factor"],
    workflow: Workflow = PAPER,
    costs: Costs = mse,
) -> Float[Array, "factor entity"]:
    """Costs of all entities if one publishes a multiple of what it does: 0 withholds everything, large numbers flood the pool.

    All rows of the pool weigh as much as before, so the multiple c makes S_k into c S_k.

    Args:
        ecosystem: the ecosystem.
        weights: weights of all entities, constant over generations.
        entity: index of the entity that publishes more or less, from 0.
        factors: multiples, not negative.
        workflow: estimator, pool and memory; the paper's if not given.
        costs: what each entity wants to be small in the limit.

    Returns:
        One row per multiple; `inf` where there is no limit.

    Raises:
        InvalidInput: there is no such entity, or a multiple is negative.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.decide import publishing
        >>> from crossfeed.theory import Weights, symmetric_ecosystem
        >>> print(publishing(symmetric_ecosystem(2, jnp.eye(1)), Weights(0.5, 0.5), 0, jnp.array([0.0, 1.0])).round(3))
        [[0.514 0.625]
         [0.573 0.573]]
    """
    if not 0 <= entity < ecosystem.entities:
        raise InvalidInput(f"entity is {entity}, but must lie between 0 and {ecosystem.entities - 1}")
    if is_concrete(factors) and not ((factors >= 0) & jnp.isfinite(factors)).all():
        raise InvalidInput(f"factors are {factors.tolist()}, but must not be negative")
    volumes = jnp.ones((len(factors), ecosystem.entities)).at[:, entity].set(factors)
    return _at_volumes(ecosystem, weights, volumes, workflow, costs)


@eqx.filter_jit
def _at_volumes(
    ecosystem: Ecosystem, weights: Weights, volumes: Float[Array, "case entity"], workflow: Workflow, costs: Costs
) -> Float[Array, "case entity"]:
    """Costs where every entity publishes a multiple of what it does."""

    def of(volumes: Float[Array, " entity"]) -> Float[Array, " entity"]:
        grams = volumes[:, None, None] * ecosystem.synthetic.gram
        changed = eqx.tree_at(lambda e: e.synthetic.gram, ecosystem, grams)
        return costs(limit(changed, weights, workflow, throw=False))

    return jax.vmap(of)(volumes)


def _costs(
    ecosystem: Ecosystem, workflow: Workflow, costs: Costs, point: Float[Array, "2 entity"]
) -> Float[Array, " entity"]:
    return costs(limit(ecosystem, Weights(*point), workflow, throw=False))


_Responses = tuple[Float[Array, "2 entity"], Float[Array, " entity"]]


@eqx.filter_jit
def _respond_from(
    ecosystem: Ecosystem,
    workflow: Workflow,
    costs: Costs,
    point: Float[Array, "2 entity"],
    starts: Float[Array, "2 entity"],
    tolerance: Float[Array, ""],
) -> _Responses:
    """Best responses of all entities that a search from one start each leads to, and their costs."""

    def of(entity: Int[Array, ""], start: Float[Array, "2"]) -> tuple[Float[Array, "2"], Float[Array, ""]]:
        def cost(own: Float[Array, "2"]) -> tuple[Float[Array, ""], None]:
            return jnp.log(_costs(ecosystem, workflow, costs, point.at[:, entity].set(own))[entity]), None

        response, value, _ = descend(cost, jnp.clip(start, 1e-4, 1 - 1e-4), tolerance)
        return response, jnp.exp(value)

    responses, reached = jax.vmap(of)(jnp.arange(ecosystem.entities), starts.T)
    return responses.T, reached


def _respond(ecosystem: Ecosystem, workflow: Workflow, costs: Costs, point: Float[Array, "2 entity"]) -> _Responses:
    """Best responses of all entities, the best of those from several starts, and their costs."""
    spread = [jnp.asarray(np.broadcast_to(start[:, None], point.shape)) for start in spread_starts(_STARTS, 2)]
    exactly = jnp.asarray(TOLERANCE, point.dtype)
    tried = [_respond_from(ecosystem, workflow, costs, point, start, exactly) for start in (*spread, point)]
    return _cheapest(tried)


@jax.jit
def _cheapest(tried: list[_Responses]) -> _Responses:
    """The cheapest response of every entity among several."""
    responses, reached = (jnp.stack(values) for values in zip(*tried, strict=True))
    best = reached.argmin(0)
    return jnp.take_along_axis(responses, best[None, None], 0)[0], jnp.take_along_axis(reached, best[None], 0)[0]


def _settle(
    ecosystem: Ecosystem,
    workflow: Workflow,
    costs: Costs,
    point: Float[np.ndarray, "2 entity"],
    most_rounds: int,
    known: list[np.ndarray],
) -> tuple[Float[Array, "2 entity"], Float[Array, " entity"]] | None:
    """Weights that rounds of responses lead to, and the costs of the best responses there.

    None if rounds do not settle, or do so near weights that are known.

    The more entities answer each other, the more they overshoot, so damping grows whenever a way to the responses is longer than
    the last. Anderson's mixing (Walker and Ni 2011) extrapolates the last rounds to where the way would vanish.
    """

    def is_known() -> bool:
        return any(np.abs(point - other).max() < _NEAR for other in known)

    points: list[np.ndarray] = []
    ways: list[np.ndarray] = []
    share, last = _SHARE, np.inf
    for _ in range(most_rounds):
        here = jnp.asarray(point)
        tolerance = jnp.asarray(np.clip(_ROUGH * last, TOLERANCE, _ROUGH))
        way = np.asarray(_respond_from(ecosystem, workflow, costs, here, here, tolerance)[0]) - point
        if np.abs(way).max() < _NEAR and is_known():
            return None
        if np.abs(way).max() < _SETTLED:
            responses, reached = _respond(ecosystem, workflow, costs, here)
            way = np.asarray(responses) - point
            if np.abs(way).max() < _SETTLED:
                return here, reached
            points, ways, last = [], [], np.inf  # some entity leaves for weights that are better than those near
        size = np.abs(way).max()
        share, last = max(share / 2, _LEAST_SHARE) if size > last else share, size
        points, ways = [*points, point][-_REMEMBERED:], [*ways, way][-_REMEMBERED:]
        point = np.clip(point + _mixed(points, ways, share), 0, 1)
    if is_known():
        return None
    here = jnp.asarray(point)
    responses, reached = _respond(ecosystem, workflow, costs, here)
    return (here, reached) if np.abs(np.asarray(responses) - point).max() < _ALMOST else None


def _mixed(points: list[np.ndarray], ways: list[np.ndarray], share: float) -> Float[np.ndarray, "2 entity"]:
    """Step from the last point by Anderson's mixing, of which `share` is the damping."""
    moves, changes = (np.diff(np.reshape(values, (len(values), -1)), axis=0).T for values in (points, ways))
    weights = np.linalg.lstsq(changes, ways[-1].ravel(), rcond=1e-8)[0]
    return share * ways[-1] - ((moves + share * changes) @ weights).reshape(ways[-1].shape)


@eqx.filter_jit
def _at(
    ecosystem: Ecosystem, workflow: Workflow, costs: Costs, point: Float[Array, "2 entity"]
) -> tuple[Float[Array, " entity"], Float[Array, ""]]:
    """Costs, and the spectral radius of the best-response map, by the implicit function theorem.

    Where own slopes vanish, H dx_k = -C dx_others with H the second derivatives of entity k's cost in its own weights. A weight
    pressed against 0 or 1 stays there.
    """
    entities = point.shape[1]
    everyone = jnp.arange(entities)

    def cost_and_slopes(
        entity: Int[Array, ""], step: Float[Array, "2"]
    ) -> tuple[Float[Array, ""], Float[Array, "2 entity"]]:
        """Cost of one entity, and its slopes in the weights of all, after a step of its own weights."""
        at = point.at[:, entity].add(step)
        return jax.value_and_grad(lambda x: _costs(ecosystem, workflow, costs, x)[entity])(at)

    # By central differences of exact slopes: eigenvalues, which a limit needs, have no second derivatives in JAX.
    steps = _DIFFERENCE * jnp.concatenate([jnp.zeros((1, 2)), jnp.eye(2), -jnp.eye(2)])
    found = jax.vmap(cost_and_slopes)(jnp.repeat(everyone, len(steps)), jnp.tile(steps, (entities, 1)))
    values, slopes = jax.tree.map(lambda leaf: leaf.reshape(entities, len(steps), *leaf.shape[1:]), found)
    second = (slopes[:, 1:3] - slopes[:, 3:]) / (2 * _DIFFERENCE)
    free = ((point > _EDGE) & (point < 1 - _EDGE)).astype(point.dtype).T
    own = second[everyone, :, :, everyone] * free[:, :, None] * free[:, None, :]
    own = own + jax.vmap(jnp.diag)(1 - free)
    cross = (second * free[:, :, None, None]).at[everyone, :, :, everyone].set(0)
    response = -jnp.linalg.solve(own, cross.reshape(entities, 2, -1)).reshape(entities, 2, 2, entities)
    return values[:, 0], spectral_radius_of(response.transpose(1, 0, 2, 3).reshape(2 * entities, 2 * entities))
