"""Coalitions: which entities gain by training together, and which partitions of all entities nobody wants to leave."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from crossfeed.errors import InvalidInput

from ..theory import PAPER, Ecosystem, Weights, Workflow, limit, mse
from .games import Costs

Members = tuple[int, ...]
CostOfMembers = Callable[[Members], Sequence[float] | np.ndarray]

MOST_ENTITIES = 9
"""Most entities whose partitions are enumerated: 21147 of them."""

_INDIFFERENT = 1e-9  # relative saving below which nobody moves


@dataclass(frozen=True)
class Partition:
    """Division of all entities into coalitions.

    Attributes:
        coalitions: members of each coalition, in order.
        costs: cost of every entity.
        individually_stable: whether no entity gains by leaving to be alone, or by joining another coalition none of whose members
            would lose.
        core_stable: whether there is no coalition that all its members would prefer.

    Example:
        >>> from crossfeed.decide import Partition, partitions
        >>> isinstance(partitions(1, lambda members: [1.0])[0], Partition)
        True
    """

    coalitions: tuple[Members, ...]
    costs: tuple[float, ...]
    individually_stable: bool
    core_stable: bool


def partitions(entities: int, costs: CostOfMembers) -> tuple[Partition, ...]:
    """All divisions of entities into coalitions and whether they are stable, the cheapest on average first.

    Args:
        entities: number of entities, from 1 to `MOST_ENTITIES`.
        costs: from the members of a coalition to the cost of each, in their order.

    Raises:
        InvalidInput: there are fewer or more entities.

    Example:
        >>> from crossfeed.decide import partitions
        >>> from crossfeed.theory.baselines import federation_uniform
        >>> rows = (25, 25, 25)
        >>> for p in partitions(3, lambda c: federation_uniform(sizes=[rows[k] for k in c], noise_variance=10.0)):
        ...     if p.core_stable:
        ...         print(p.coalitions, p.costs)
        ((0,), (1,), (2,)) (0.4, 0.4, 0.4)
    """
    if not 1 <= entities <= MOST_ENTITIES:
        raise InvalidInput(f"entities is {entities}, but must lie between 1 and {MOST_ENTITIES}")
    everyone = range(entities)
    groups = [group for size in range(1, entities + 1) for group in combinations(everyone, size)]
    table = {group: dict(zip(group, map(float, costs(group)), strict=True)) for group in groups}
    found = [_judge(division, table) for division in _divisions(entities)]
    return tuple(sorted(found, key=lambda partition: sum(partition.costs)))


def coalition_costs(
    ecosystem: Ecosystem, weights: Weights, workflow: Workflow = PAPER, costs: Costs = mse
) -> CostOfMembers:
    """Cost in the limit of every member of a coalition that shares a pool, and nothing else but the public data.

    Args:
        ecosystem: all entities; within a coalition, shares are in proportion to these.
        weights: weights of all entities, constant over generations; entities that are alone use them too.
        workflow: estimator, pool and memory; the paper's if not given.
        costs: what each entity wants to be small.

    Returns:
        Function from the members of a coalition to their costs, for `partitions`.

    Raises:
        InvalidInput: an entity has no share.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.decide import coalition_costs
        >>> from crossfeed.theory import Weights, symmetric_ecosystem
        >>> costs = coalition_costs(symmetric_ecosystem(3, jnp.eye(1)), Weights(0.3, 0.6))
        >>> print(costs((0, 2)).round(4), costs((1,)).round(4))
        [0.4777 0.4777] [0.6189]
    """
    shares = np.asarray(ecosystem.shares)
    if (shares <= 0).any():
        raise InvalidInput(
            f"shares[{int(shares.argmin())}] is 0, so a coalition of that entity alone would have no pool"
        )

    @jax.jit
    def of(present: Bool[Array, " entity"]) -> Float[Array, " entity"]:
        counted = jnp.where(present, ecosystem.shares, 0)
        members = Ecosystem(
            private=ecosystem.private,
            public=ecosystem.public,
            synthetic=ecosystem.synthetic,
            shares=counted / counted.sum(),
            present=present,
        )
        return costs(limit(members, weights, workflow, throw=False))

    def of_members(members: Members) -> Float[np.ndarray, " member"]:
        present = np.isin(np.arange(ecosystem.entities), members)
        return np.asarray(of(jnp.asarray(present)))[list(members)]

    return of_members


def _divisions(entities: int) -> Iterator[tuple[Members, ...]]:
    """All partitions of 0..n-1."""
    if not entities:
        yield ()
        return
    last = entities - 1
    for division in _divisions(last):
        for place, group in enumerate(division):
            yield (*division[:place], (*group, last), *division[place + 1 :])
        yield (*division, (last,))


def _judge(division: tuple[Members, ...], table: dict[Members, dict[int, float]]) -> Partition:
    now = {entity: cost for group in division for entity, cost in table[group].items()}

    def prefers(entity: int, group: Members) -> bool:
        return table[group][entity] < now[entity] * (1 - _INDIFFERENT)

    def welcome(entity: int, group: Members) -> bool:
        joined = tuple(sorted((*group, entity)))
        hurt = any(table[joined][member] > now[member] * (1 + _INDIFFERENT) for member in group)
        return prefers(entity, joined) and not hurt

    moves = any(
        prefers(entity, (entity,)) or any(welcome(entity, group) for group in division if entity not in group)
        for entity in now
    )
    blocked = any(all(prefers(entity, group) for entity in group) for group in table)
    return Partition(division, tuple(now[entity] for entity in sorted(now)), not moves, not blocked)
