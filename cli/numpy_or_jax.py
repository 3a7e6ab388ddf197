"""Choice of NumPy, which need not start and compile, or of JAX where that is faster."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from crossfeed.formulas.ecosystem import Ecosystem
    from crossfeed.formulas.workflow import Workflow

_MOST_OPERATIONS = 10**8  # in NumPy a second or two, which JAX takes to start and compile

_T = TypeVar("_T")


def by_numpy_or_jax(by_numpy: Callable[[], _T], by_jax: Callable[[], _T], operations: int) -> _T:
    """Result of `by_numpy`; of `by_jax` beyond 10⁸ operations, or where NumPy finds no eigenvalues.

    Args:
        by_numpy: function that does without JAX.
        by_jax: function that may import JAX, which is set up for programs that run once.
        operations: how many operations it takes.
    """
    import numpy as np

    if operations <= _MOST_OPERATIONS:
        try:
            with np.errstate(all="ignore"):
                return by_numpy()
        except np.linalg.LinAlgError:  # no eigenvalues of what exceeds float64, where JAX has NaN
            pass
    from .jax_setup import set_up_jax

    set_up_jax(run_once=True)
    return by_jax()


def compiled(function: Callable[..., _T], *arguments: Any) -> _T:
    """Result of a function as JAX compiles it; for `by_jax`, since JAX has to be set up before."""
    import equinox as eqx

    from .. import theory as _  # noqa: F401, makes the records pytrees

    return eqx.filter_jit(function)(*arguments)


def state_size(ecosystem: Ecosystem, workflow: Workflow) -> int:
    """Numbers that entities exchange or carry to the next generation, whose recursion's matrix is as large."""
    carried = ecosystem.entities if workflow.estimator.carries else 0
    return (len(workflow.pool.write(ecosystem)) + carried) * ecosystem.dimension
