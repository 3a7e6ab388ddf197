"""The generations of a run, for whatever follows them: the exact law, or samples of it."""

from collections.abc import Callable
from typing import Any, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from crossfeed.formulas.arrays import is_zero
from crossfeed.formulas.estimators import Fit
from crossfeed.formulas.shapes import Scalar
from crossfeed.formulas.state_space import Exchange, fit_entities
from crossfeed.formulas.weights import Weights
from crossfeed.formulas.workflow import Workflow

_Carry = TypeVar("_Carry")
Solver = Callable[[Float[Array, " entity"], Float[Array, " entity"], Scalar, bool], Any]
"""What the estimators are at one generation: from α, β, the number of pools that the memory holds, and whether it is the first."""


class Schedule(eqx.Module):
    """Estimators of all entities at generations 0..T.

    Attributes:
        first: those of generation 0.
        later: those of generations 1..T: with a leading axis, unless they are `steady`.
        steady: whether they are the same at all of these generations.
        generations: T.
    """

    first: PyTree
    later: PyTree
    steady: bool = eqx.field(static=True)
    generations: int = eqx.field(static=True)

    def scan(
        self, step: Callable[[_Carry, Any, Any], tuple[_Carry, PyTree]], start: _Carry, inputs: PyTree = None
    ) -> PyTree:
        """Outputs of `step(carry, estimators, input)` at generations 1..T, with a leading axis.

        Args:
            step: one generation.
            start: the carry at generation 1.
            inputs: one per generation, along a leading axis.
        """
        if self.steady:
            return jax.lax.scan(
                lambda carry, own: step(carry, self.later, own), start, inputs, length=self.generations
            )[1]
        return jax.lax.scan(lambda carry, now: step(carry, *now), start, (self.later, inputs))[1]


def make_schedule(workflow: Workflow, weights: Weights, entities: int, generations: int, solve: Solver) -> Schedule:
    """Estimators for all generations.

    Raises:
        InvalidInput: T is negative, or the shape of the weights does not fit K or T.
    """
    alpha, beta = weights.per_generation(entities, generations)
    first = solve(alpha[0], beta[0], 1.0, True)
    kept = workflow.memory.kept
    steady = weights.constant and is_zero(kept)
    if not generations or steady:
        return Schedule(first, solve(alpha[-1], beta[-1], 1.0, False) if generations else first, True, generations)
    held = _pools_held(kept, generations)
    later = jax.vmap(lambda alpha, beta, held: solve(alpha, beta, held, False))(alpha[1:], beta[1:], held)
    return Schedule(first, later, False, generations)


def _pools_held(kept: Scalar, generations: int) -> Float[Array, " generation"]:
    """How many times the Gram matrix of one pool the memory holds, at generations 1..T."""

    def remember(held: Float[Array, ""], _: None) -> tuple[Float[Array, ""], Float[Array, ""]]:
        held = kept * held + 1
        return held, held

    return jax.lax.scan(remember, jnp.zeros(()), length=generations)[1]


def fits_of_generations(workflow: Workflow, shared: Exchange, weights: Weights, generations: int) -> Schedule:
    """Estimates of all entities at generations 0..T.

    Raises:
        InvalidInput: T is negative, or the shape of the weights does not fit K or T.
    """

    def solve(alpha: Float[Array, " entity"], beta: Float[Array, " entity"], pools: Scalar, first: bool) -> Fit:
        return fit_entities(workflow, shared, alpha, beta, pools, first)

    return make_schedule(workflow, weights, shared.ecosystem.entities, generations, solve)
