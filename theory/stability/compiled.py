"""The stability formulas under JAX: their loops, and what programs with several bounds trace once."""

from collections.abc import Callable
from functools import partial

import jax
from jaxtyping import Array, Bool, Float

from crossfeed.formulas.bisection import bisect, halve, middle
from crossfeed.formulas.stability.knowledge import inverse_kappa, sharp_knowledge_bound
from crossfeed.formulas.stability.norms import Ascent, ascend, climb, goes_on, largest_sum_of_norms, start
from crossfeed.formulas.stability.summary import every_theorem

from ..eager import as_one_program
from ..ecosystem import Ecosystem
from ..pytrees import for_jax


@for_jax(bisect)
def _bisect(
    low: Float[Array, "*shape"],
    high: Float[Array, "*shape"],
    lies_above: Callable[[Float[Array, "*shape"]], Bool[Array, "*shape"]],
    steps: int,
) -> Float[Array, "*shape"]:
    return middle(jax.lax.fori_loop(0, steps, lambda _, ends: halve(ends, lies_above), (low, high)))


@for_jax(ascend)
def _ascend(squares: Float[Array, "entity d d"]) -> Ascent:
    return jax.lax.while_loop(goes_on, partial(climb, squares), start(squares))


# Compiled by themselves, these are traced once for all the bounds of a program that need them.
for _formula in (largest_sum_of_norms, inverse_kappa, sharp_knowledge_bound):
    for_jax(_formula)(jax.jit(_formula.dispatch(object)))
every_theorem.register(Ecosystem, as_one_program()(every_theorem.dispatch(object)))  # that of JAX's arrays
