"""Exact law of all estimates at every generation, as a compiled loop."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, PyTree

from crossfeed.formulas import measures as formulas
from crossfeed.formulas.ecosystem import Ecosystem
from crossfeed.formulas.estimators import Fit
from crossfeed.formulas.law import Law, law_of_generation
from crossfeed.formulas.reasons import reason
from crossfeed.formulas.results import RESULTS
from crossfeed.formulas.state_space import State, advance, exchange, nothing_published, transition
from crossfeed.formulas.weights import Weights
from crossfeed.formulas.workflow import PAPER, Workflow

from .eager import any_nan, as_one_program
from .laws import mse
from .schedule import fits_of_generations
from .steady import steady_mse


def _may_be_refused(
    found: PyTree,
    ecosystem: Ecosystem,
    weights: Weights,
    generations: int,
    measure: Callable[[Law], PyTree],
    workflow: Workflow = PAPER,
) -> Bool[Array, ""]:
    """Whether the measure may depend on a truth that is not known, or on data that do not span."""
    shared = exchange(ecosystem, workflow)
    first = fits_of_generations(workflow, shared, weights, generations).first
    unknown = reason(law_of_generation(shared, first, nothing_published(workflow, shared))) == RESULTS.depends_on_truth
    return unknown | any_nan(found)


@as_one_program(_may_be_refused)
def trajectory(
    ecosystem: Ecosystem,
    weights: Weights,
    generations: int,
    measure: Callable[[Law], PyTree],
    workflow: Workflow = PAPER,
) -> PyTree:
    """Values of a measure of the exact law at generations 0..T (Theorems 1 and 2).

    Weights may differ between entities and generations; shares and the ranks of the data are arbitrary.

    Args:
        ecosystem: the ecosystem.
        weights: weights of all entities and generations, of any shape that `Weights` allows; α at generation 0 is
            taken as 0.
        generations: T, at least 0.
        measure: pure function of a `Law`, such as `mse`, which is compiled once. `mse` itself, not within another function, takes
            O(K d²) operations per generation if weights are constant and all read one pool.
        workflow: estimator, pool and memory; the paper's if not given.

    Returns:
        What `measure` returns, with a leading axis of length T+1 in every array.

    Raises:
        InvalidInput: T is negative, or the shape of the weights does not fit K or T.
        DependsOnTheta: `measure` raises it at generation 0.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.theory import Weights, mse, symmetric_ecosystem, trajectory
        >>> errors = trajectory(symmetric_ecosystem(2, jnp.eye(3)), Weights(0.5, 0.5), 10, mse)
        >>> print(errors.shape, f"{errors[0, 0]:.4f} {errors[10, 0]:.4f}")
        (11, 2) 1.5000 1.7187
    """
    shared = exchange(ecosystem, workflow)
    fits = fits_of_generations(workflow, shared, weights, generations)
    state = nothing_published(workflow, shared)
    start = jax.tree.map(jnp.asarray, measure(law_of_generation(shared, fits.first, state)))
    if not generations:
        return jax.tree.map(lambda value: value[None], start)

    steady = transition(shared, fits.later) if fits.steady else None
    if measure in (mse, formulas.mse) and steady is not None and fits.later.carry is None and len(shared.write) == 1:
        later = steady_mse(shared, fits.first, fits.later, steady, generations)
        return jnp.concatenate([start[None], later])

    def generation(state: State, fitted: Fit, _: None) -> tuple[State, PyTree]:
        step = transition(shared, fitted) if steady is None else steady
        return advance(step, state), measure(law_of_generation(shared, fitted, state))

    later = fits.scan(generation, advance(transition(shared, fits.first), state))
    return jax.tree.map(lambda value, rest: jnp.concatenate([value[None], rest]), start, later)
