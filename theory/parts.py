"""Workflows under JAX: base classes for parts of one's own, and the records of `crossfeed.formulas` as pytrees."""

import equinox as eqx
import jax
from jaxtyping import Array, Float

from crossfeed.formulas.ecosystem import Dataset, Ecosystem
from crossfeed.formulas.estimators import (
    Estimator,
    FullRankLeastSquares,
    GradientSteps,
    LeastSquares,
    Ridge,
    Solution,
    solve_entities,
)
from crossfeed.formulas.memories import Accumulate, Forget, Memory, Replace
from crossfeed.formulas.pools import Network, Pool, Shared
from crossfeed.formulas.shapes import Scalar
from crossfeed.formulas.weights import Weights
from crossfeed.formulas.workflow import Workflow

from .pytrees import for_jax, register_pytree


class AbstractEstimator(Estimator, eqx.Module):
    """Base class of estimators of one's own, which need `solve`, and `carries` if they start from the previous estimate; those
    that do without the kernel may say so by `uses_kernel = False`.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.theory import AbstractEstimator, Solution
        >>> class Zero(AbstractEstimator):
        ...     def solve(self, gram, kernel):
        ...         return Solution(jnp.zeros_like(gram), jnp.eye(len(gram)), None)
        >>> Zero().carries
        False
    """


class AbstractPool(Pool, eqx.Module):
    """Base class of pools of one's own, which need `write` and `read`. Entities write into channels and read from them: entity k
    reads the moment Σ_c read[k, c] m_c with m_c = Σ_j write[c, j] X_j'y_j.

    Attributes:
        fresh: fraction of everybody's published rows whose labels come from people instead of models, in [0, 1].

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.theory import AbstractPool, symmetric_ecosystem
        >>> class Apart(AbstractPool):
        ...     fresh: float = 0.0
        ...     def write(self, ecosystem):
        ...         return jnp.eye(ecosystem.entities)
        ...     def read(self, ecosystem):
        ...         return jnp.eye(ecosystem.entities)
        >>> print(Apart().read(symmetric_ecosystem(2, jnp.eye(3))))
        [[1. 0.]
         [0. 1.]]
    """

    fresh: eqx.AbstractVar[Scalar]


class AbstractMemory(Memory, eqx.Module):
    """Base class of memories of one's own, which need `kept`. What is read at generation t is the sum of all pools so far, of
    which those of earlier generations have been multiplied by `kept` once per generation: m̄_t = kept m̄_{t-1} + m_t.

    Example:
        >>> from crossfeed.theory import AbstractMemory
        >>> class Half(AbstractMemory):
        ...     @property
        ...     def kept(self):
        ...         return 0.5
        >>> Half().kept
        0.5
    """


for _part in (
    LeastSquares,
    FullRankLeastSquares,
    Ridge,
    GradientSteps,
    Shared,
    Network,
    Replace,
    Accumulate,
    Forget,
    Workflow,
):
    register_pytree(_part)
for _numpy in (Dataset, Ecosystem, Weights):  # what commands have read, which a compiled program may take as it is
    register_pytree(_numpy)


@for_jax(solve_entities)
def _solve_entities(
    gram: Float[Array, "entity d d"], kernel: Float[Array, "entity d d"], estimator: Estimator
) -> Solution:
    return jax.vmap(estimator.solve)(gram, kernel)
