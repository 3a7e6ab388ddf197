"""Exact law of all estimates at every generation, in NumPy; `crossfeed.theory.trajectory` compiles the same for JAX."""

from collections.abc import Callable, Mapping

from .arrays import is_zero, namespace
from .ecosystem import Ecosystem
from .law import Law, law_of_generation
from .shapes import Array
from .state_space import advance, exchange, fit_entities, nothing_published, transition
from .weights import Weights
from .workflow import PAPER, Workflow


def trajectory(
    ecosystem: Ecosystem,
    weights: Weights,
    generations: int,
    measure: Callable[[Law], Mapping[str, Array]],
    workflow: Workflow = PAPER,
) -> dict[str, Array]:
    """Values of measures of the exact law at generations 0..T (Theorems 1 and 2).

    Args:
        ecosystem: the ecosystem.
        weights: weights of all entities and generations; α at generation 0 is taken as 0.
        generations: T, at least 0.
        measure: function of a `Law`, which gives arrays by name.
        workflow: estimator, pool and memory; the paper's if not given.

    Returns:
        These arrays with a leading axis of length T+1.

    Raises:
        InvalidInput: T is negative, or the shape of the weights does not fit K or T.
    """
    xp, shared = namespace(ecosystem.shares), exchange(ecosystem, workflow)
    alpha, beta = weights.per_generation(ecosystem.entities, generations)
    fitted = fit_entities(workflow, shared, alpha[0], beta[0], 1.0, first=True)
    state, held = nothing_published(workflow, shared), 0.0
    found = [measure(law_of_generation(shared, fitted, state))]
    step = transition(shared, fitted)
    for now in range(1, generations + 1):
        state, held = advance(step, state), shared.kept * held + 1
        if now == 1 or not (weights.constant and is_zero(shared.kept)):
            fitted = fit_entities(workflow, shared, alpha[now], beta[now], held)
            step = transition(shared, fitted)
        found.append(measure(law_of_generation(shared, fitted, state)))
    return {name: xp.stack([values[name] for values in found]) for name in found[0]}
