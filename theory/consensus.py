"""Exact law of all estimates, at every generation and in the limit, from the recursion of the state.

Entities influence each other only through the channels of the pool, d numbers each. Following the law of these instead of that
of all K d parameters is exact and costs O(K d³) operations per generation for the paper's single pool (`docs/theory.md`,
section 2). An estimator that starts from its previous estimate adds these to the state, and costs O(K³ d³).
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from crossfeed.errors import InvalidInput

from .ecosystem import Ecosystem
from .estimators import Fit
from .law import Law
from .linear_algebra import spectral_radius_of
from .measures import mse
from .results import RESULTS
from .state_space import (
    Exchange,
    State,
    Transition,
    advance,
    exchange,
    fit_entities,
    fits_of_generations,
    nothing_published,
    transition,
)
from .steady import steady_mse
from .stein import has_limit, refuse_unit_root, stable_stein
from .tracing import is_concrete
from .weights import Weights
from .workflow import PAPER, Workflow


def spectral_radius(ecosystem: Ecosystem, weights: Weights, workflow: Workflow = PAPER) -> Float[Array, ""]:
    """Spectral radius of the recursion of all estimates, which have a limit where it is below one (Theorem 3).

    Computed as that of the state's recursion, which has the same nonzero eigenvalues as the paper's Kd × Kd matrix Q
    (`docs/theory.md`, section 2).

    Args:
        ecosystem: the ecosystem.
        weights: weights that are constant over generations, of shape () or (K).
        workflow: estimator, pool and memory; the paper's if not given.

    Returns:
        The factor by which a perturbation grows per generation in the long run, at least 0 and without unit. NaN where
        an entity's data are too ill-conditioned for float64.

    Raises:
        InvalidInput: the weights change between generations, their shape does not fit K, or the memory keeps all pools.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.theory import Weights, spectral_radius, symmetric_ecosystem
        >>> print(f"{spectral_radius(symmetric_ecosystem(2, jnp.eye(3)), Weights(0.3, 0.5)):.4f}")
        0.3000
    """
    shared, fitted = _steady(ecosystem, weights, workflow)
    return _radius(fitted, transition(shared, fitted))


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
        measure: function of a `Law`, such as `mse`. Under tracing from generation 1 on. `mse` itself, not within another
            function, takes O(K d²) operations per generation if weights are constant and all read one pool.
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
    start = jax.tree.map(jnp.asarray, measure(_law(shared, fits.first, state)))
    if not generations:
        return jax.tree.map(lambda value: value[None], start)

    steady = transition(shared, fits.later) if fits.steady else None
    if measure is mse and steady is not None and fits.later.carry is None and len(shared.write) == 1:
        later = steady_mse(shared, fits.first, fits.later, steady, generations)
        return jnp.concatenate([start[None], later])

    def generation(state: State, fitted: Fit, _: None) -> tuple[State, PyTree]:
        step = transition(shared, fitted) if steady is None else steady
        return advance(step, state), measure(_law(shared, fitted, state))

    later = fits.scan(generation, advance(transition(shared, fits.first), state))
    return jax.tree.map(lambda value, rest: jnp.concatenate([value[None], rest]), start, later)


def limit(ecosystem: Ecosystem, weights: Weights, workflow: Workflow = PAPER, *, throw: bool = True) -> Law:
    """Law of all estimates as the number of generations goes to infinity, for constant weights (Theorem 3).

    It does not depend on generation 0. A law that does not exist has `exists = False` and says why in its `result`; its errors
    are `inf`, and its other measures NaN or `inf`.

    Args:
        ecosystem: the ecosystem.
        weights: weights that are constant over generations, of shape () or (K).
        workflow: estimator, pool and memory; the paper's if not given.
        throw: raise an error where there is no limit, if nothing is traced.

    Returns:
        The limit law, with the spectral radius of the recursion.

    Raises:
        NoLimit: the spectral radius is at least 1, or so close below that float64 cannot tell (1e-10).
        CrossfeedError: an entity's data are too ill-conditioned for float64.
        InvalidInput: the weights change between generations, their shape does not fit K, or the memory keeps all pools.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.theory import Weights, limit, mse, symmetric_ecosystem
        >>> law = limit(symmetric_ecosystem(2, jnp.eye(3)), Weights(0.5, 0.5))
        >>> print(f"{mse(law)[0]:.4f}")
        1.7188
    """
    shared, fitted = _steady(ecosystem, weights, workflow)
    step = transition(shared, fitted)
    radius = _radius(fitted, step)
    if throw:
        refuse_unit_root(radius)
    exists = has_limit(radius)
    # Where there is no limit, a feedback of 0 stands in and the result is discarded, so that gradients of the other laws in a
    # batch stay finite.
    feedback = jnp.where(exists, step.feedback, 0)
    resolvent = jnp.linalg.inv(jnp.eye(len(feedback)) - feedback)
    state = State(
        resolvent @ step.private,
        resolvent @ step.public,
        resolvent @ step.truth,
        stable_stein(feedback, step.noise),
    )
    reason = RESULTS.where(jnp.isnan(radius), RESULTS.ill_conditioned, RESULTS.no_limit)
    return Law(shared, fitted, state, radius, RESULTS.where(exists, RESULTS.successful, reason))


def _radius(fitted: Fit, step: Transition) -> Float[Array, ""]:
    """Spectral radius of the recursion; infinite if gradient steps are so long that float64 cannot hold where they lead."""
    if fitted.carry is None:
        return spectral_radius_of(step.feedback)
    held = jnp.isfinite(step.feedback).all()
    return jnp.where(held, spectral_radius_of(jnp.where(held, step.feedback, 0)), jnp.inf)


def _law(shared: Exchange, fitted: Fit, state: State) -> Law:
    return Law(shared, fitted, state, None, RESULTS.successful)


def _steady(ecosystem: Ecosystem, weights: Weights, workflow: Workflow) -> tuple[Exchange, Fit]:
    """The estimates of late generations, for constant weights."""
    kept = workflow.memory.kept
    if is_concrete(kept) and kept == 1:
        raise InvalidInput(
            f"memory is {workflow.memory}, with which the synthetic data grow for ever: no recursion with a limit; ask for a "
            "trajectory"
        )
    shared = exchange(ecosystem, workflow)
    fitted = fit_entities(workflow, shared, *weights.per_entity(ecosystem.entities), 1 / (1 - shared.kept))
    return shared, fitted
