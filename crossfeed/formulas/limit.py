"""The law that estimates tend to, and the spectral radius that says whether there is one.

Entities influence each other only through the channels of the pool, d numbers each. Following the law of these instead of that
of all K d parameters is exact and costs O(K d³) operations per generation for the paper's single pool (`docs/theory.md`,
section 2). An estimator that starts from its previous estimate adds these to the state, and costs O(K³ d³).
"""

from math import inf

from crossfeed.errors import InvalidInput

from .arrays import is_concrete, namespace
from .ecosystem import Ecosystem
from .estimators import Fit
from .law import Law
from .linear_algebra import product, product_unless_zero, spectral_radius_of
from .results import RESULTS
from .shapes import Array, Float
from .state_space import Exchange, State, Transition, exchange, fit_entities, transition
from .stein import geometric_sums, has_limit, refuse_unit_root
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
    xp = namespace(step.feedback)
    feedback = xp.where(exists, step.feedback, 0)
    inverse, sampling_covariance = geometric_sums(feedback, step.noise)
    state = State(
        product(inverse[None], step.private),
        product(inverse, step.public),
        step.truth if fitted.unseen is None else product_unless_zero(inverse, step.truth),
        sampling_covariance,
    )
    reason = xp.where(xp.isnan(radius), RESULTS.ill_conditioned, RESULTS.no_limit)
    return Law(shared, fitted, state, radius, xp.where(exists, RESULTS.successful, reason))


def _radius(fitted: Fit, step: Transition) -> Float[Array, ""]:
    """Spectral radius of the recursion; infinite if gradient steps are so long that float64 cannot hold where they lead."""
    if fitted.carry is None:
        return spectral_radius_of(step.feedback)
    xp = namespace(step.feedback)
    held = xp.isfinite(step.feedback).all()
    return xp.where(held, spectral_radius_of(xp.where(held, step.feedback, 0)), inf)


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
