"""Advice on an ecosystem: whether it is stable, who gains, what the best weights buy, what selfish entities do, what helps."""

from collections.abc import Callable
from dataclasses import dataclass

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from crossfeed.errors import DependsOnTheta, NoLimit
from crossfeed.formulas.ecosystem import Dataset

from ..theory import PAPER, Ecosystem, Weights, Workflow, limit, mse
from ..theory.ecosystem import check_all_present
from .best_weights import Best, best_weights, can_merge, redesigned
from .games import Equilibrium, equilibria

_MOST_NAMED = 10  # entities whose silence is tried


@dataclass(frozen=True)
class Change:
    """A change of the ecosystem, and the mean squared error it leads to.

    Attributes:
        name: what is changed.
        mse: mean over entities in the limit, at the same weights; infinite where there is no limit.

    Example:
        >>> from crossfeed.decide import Change
        >>> Change("publish twice as much", 0.5).name
        'publish twice as much'
    """

    name: str
    mse: float


@dataclass(frozen=True)
class Advice:
    """What the theory says of an ecosystem at given weights.

    Attributes:
        weights: the weights in use.
        spectral_radius: ρ of the recursion there; stable below 1.
        mse: of every entity in the limit; `inf` if unstable.
        alone: of every entity if it did not read the pool, with the same β.
        best: the best common weights.
        selfish: the cheapest equilibrium found if each chooses its own weights; None if none was.
        changes: single changes at the same weights, the most helpful first.

    Example:
        >>> from crossfeed.decide import Advice
        >>> sorted(Advice.__annotations__)
        ['alone', 'best', 'changes', 'mse', 'selfish', 'spectral_radius', 'weights']
    """

    weights: Weights
    spectral_radius: float
    mse: Float[np.ndarray, " entity"]
    alone: Float[np.ndarray, " entity"]
    best: Best
    selfish: Equilibrium | None
    changes: tuple[Change, ...]


def advise(ecosystem: Ecosystem, weights: Weights, workflow: Workflow = PAPER) -> Advice:
    """What the theory says of an ecosystem at given weights, and what would help.

    Args:
        ecosystem: the ecosystem.
        weights: the weights in use, constant over generations.
        workflow: estimator, pool and memory; the paper's if not given.

    Raises:
        InvalidInput: an entity is absent.
        NoLimit: there is no limit at any weights tried.
        DependsOnTheta: an estimate is biased, and the ecosystem has no truth.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.decide import advise
        >>> from crossfeed.theory import Weights, symmetric_ecosystem
        >>> found = advise(symmetric_ecosystem(2, jnp.eye(1)), Weights(0.5, 0.5))
        >>> print(f"{found.spectral_radius:.2f} {found.mse[0]:.4f} {found.best.mse[0]:.4f}")
        0.50 0.5729 0.4712
    """
    check_all_present(ecosystem)
    alpha, beta = weights.per_entity(ecosystem.entities)
    changes = _changes(ecosystem)
    cases = jax.tree.map(lambda *leaves: jnp.stack(leaves), ecosystem, ecosystem, *changes.values())
    alphas = jnp.stack([alpha, 0 * alpha, *[alpha] * len(changes)])
    radii, errors = (np.asarray(values) for values in _reached(cases, alphas, beta, workflow))
    now, alone, *changed = errors
    if np.isnan(now).any():
        raise DependsOnTheta("estimates are biased, so their errors depend on theta, which is not given")
    best = best_weights(ecosystem, workflow=workflow)
    try:
        selfish = equilibria(ecosystem, workflow)[0]
    except NoLimit:
        selfish = None
    tried = [Change(name, float(error.mean())) for name, error in zip(changes, changed, strict=True)]
    useful = sorted((c for c in tried if np.isfinite(c.mse)), key=lambda change: change.mse)
    return Advice(Weights(alpha, beta), float(radii[0]), now, alone, best, selfish, tuple(useful))


@eqx.filter_jit
def _reached(
    ecosystems: Ecosystem, alpha: Float[Array, "case entity"], beta: Float[Array, " entity"], workflow: Workflow
) -> tuple[Float[Array, " case"], Float[Array, "case entity"]]:
    """Spectral radii and errors in the limit of several ecosystems of one shape."""

    def of(ecosystem: Ecosystem, alpha: Float[Array, " entity"]) -> tuple[Float[Array, ""], Float[Array, " entity"]]:
        law = limit(ecosystem, Weights(alpha, beta), workflow, throw=False)
        assert law.spectral_radius is not None  # a limit always has one
        return law.spectral_radius, mse(law)

    return jax.vmap(of)(ecosystems, alpha)


def _changes(ecosystem: Ecosystem) -> dict[str, Ecosystem]:
    """Single changes to try, by name."""

    def scaled(part: Callable[[Ecosystem], Dataset], factors: Float[Array, "..."]) -> Ecosystem:
        data = part(ecosystem)
        return eqx.tree_at(lambda e: part(e).gram, ecosystem, factors[..., None, None] * data.gram)

    everyone = jnp.ones(ecosystem.entities)
    changes = {
        "twice as many published rows": scaled(lambda e: e.synthetic, 2 * everyone),
        "ten times as many published rows": scaled(lambda e: e.synthetic, 10 * everyone),
        "twice as many public rows": scaled(lambda e: e.public, jnp.asarray(2.0)),
        "twice as many private rows": scaled(lambda e: e.private, 2 * everyone),
        "equal shares of the pool": eqx.tree_at(lambda e: e.shares, ecosystem, everyone / ecosystem.entities),
    }
    if can_merge(ecosystem):
        changes["a tenth of all private rows made public"] = redesigned(ecosystem, 1.0, 0.1)
    for entity in range(min(ecosystem.entities, _MOST_NAMED)) if ecosystem.entities > 1 else ():
        silent = everyone.at[entity].set(0.0)
        changes[f"entity {entity + 1} publishes nothing"] = scaled(lambda e: e.synthetic, silent)
    return changes
