"""Estimators: how an entity turns the moments X'y of its data into an estimate, as linear maps."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from functools import singledispatch
from math import inf
from typing import ClassVar, NamedTuple

from crossfeed.errors import InvalidInput

from .arrays import is_concrete, namespace
from .linear_algebra import identity_like, inverse_on_range
from .shapes import Array, Float, Scalar


class Solution(NamedTuple):
    """An estimate as a linear map: θ̂ = gain @ moment + carry @ θ̂_previous.

    Attributes:
        gain: the map of the weighted moment of the training data; symmetric.
        unseen: I - gain G - carry, what the estimate misses of the truth when it trains on labels without noise; None if that
            is known to be zero before any value is.
        carry: the map of the entity's previous estimate; None if the estimator starts anew at every generation.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.theory import LeastSquares, Solution
        >>> isinstance(LeastSquares().solve(jnp.eye(2), jnp.zeros((2, 2))), Solution)
        True
    """

    gain: Float[Array, "*entity d d"]
    unseen: Float[Array, "*entity d d"] | None
    carry: Float[Array, "*entity d d"] | None


class Estimator(ABC):
    """How one entity, or each of a stack of them, turns moments into an estimate; the base class of all estimators.

    Attributes:
        carries: whether estimates start from the entity's previous one.
        uses_kernel: whether `solve` needs the kernel, which is decided only then.
    """

    carries: ClassVar[bool] = False
    uses_kernel: ClassVar[bool] = True

    @abstractmethod
    def solve(self, gram: Float[Array, "*entity d d"], kernel: Float[Array, "*entity d d"]) -> Solution:
        """Estimate of one entity at one generation.

        Args:
            gram: G, the weighted Gram matrix of all its training data.
            kernel: orthogonal projector onto the kernel of G, decided from the data; zero unless the estimator uses it.
        """

    @property
    def first(self) -> "Estimator":
        """The estimator of generation 0, which has no previous estimate."""
        return self


@singledispatch
def solve_entities(
    gram: Float[Array, "entity d d"], kernel: Float[Array, "entity d d"], estimator: Estimator
) -> Solution:
    """Estimates of all entities."""
    return estimator.solve(gram, kernel)


@dataclass(frozen=True)
class LeastSquares(Estimator):
    """Weighted least squares of minimum norm, the paper's estimator (§5): θ̂ = G⁺ moment.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.theory import LeastSquares
        >>> print(LeastSquares().solve(2 * jnp.eye(2), jnp.zeros((2, 2))).gain)
        [[0.5 0. ]
         [0.  0.5]]
    """

    def solve(self, gram: Float[Array, "*entity d d"], kernel: Float[Array, "*entity d d"]) -> Solution:
        """G⁺; what it misses is the kernel of G."""
        inverse, kernel = inverse_on_range(gram, kernel)
        return Solution(inverse, kernel, None)


@dataclass(frozen=True)
class FullRankLeastSquares(LeastSquares):
    """Least squares where somebody has checked that the data of every entity have full rank: programs hold nothing for others.

    For data of less rank, results are NaN or mean nothing.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.formulas.estimators import FullRankLeastSquares
        >>> print(FullRankLeastSquares().solve(2 * jnp.eye(2), jnp.zeros((2, 2))).unseen)
        None
    """

    uses_kernel: ClassVar[bool] = False

    def solve(self, gram: Float[Array, "*entity d d"], kernel: Float[Array, "*entity d d"]) -> Solution:
        """G⁻¹."""
        return super().solve(gram, kernel)._replace(unseen=None)


@dataclass(frozen=True)
class Ridge(Estimator):
    """Ridge regression: θ̂ = (G + μI)⁻¹ moment. At μ = 0 it is least squares.

    Attributes:
        penalty: μ ≥ 0, in the units of the Gram matrices.

    Raises:
        InvalidInput: the penalty is negative or not finite; unless traced.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.theory import Ridge
        >>> print(Ridge(2.0).solve(2 * jnp.eye(2), jnp.zeros((2, 2))).gain)
        [[0.25 0.  ]
         [0.   0.25]]
    """

    penalty: Scalar

    def __post_init__(self) -> None:
        if is_concrete(self.penalty) and not 0 <= self.penalty < inf:
            raise InvalidInput(f"penalty is {float(self.penalty):.6g}, but must be at least 0 and finite")

    def solve(self, gram: Float[Array, "*entity d d"], kernel: Float[Array, "*entity d d"]) -> Solution:
        """(G + μI)⁻¹; what it misses is μ (G + μI)⁻¹."""
        xp, identity = namespace(gram), identity_like(gram)
        penalized = xp.asarray(self.penalty > 0)
        kernel = xp.where(penalized, 0.0, kernel)
        inverse, kernel = inverse_on_range(gram + self.penalty * identity, kernel)
        return Solution(inverse, xp.where(penalized, self.penalty * inverse, kernel), None)


@dataclass(frozen=True)
class GradientSteps(Estimator):
    """Gradient descent on the weighted squared loss, from the entity's previous estimate; generation 0 is fitted exactly.

    After n steps of size η, θ̂ = (I - F) G⁺ moment + F θ̂_previous with F = (I - ηG)ⁿ.

    Attributes:
        steps: n ≥ 1.
        rate: η > 0, in the inverse units of the Gram matrices. Steps shrink the error in every direction if η < 2/λ_max(G).

    Raises:
        InvalidInput: there is no step, or the rate is not positive and finite; the latter unless traced.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.theory import GradientSteps
        >>> solution = GradientSteps(steps=2, rate=0.25).solve(2 * jnp.eye(2), jnp.zeros((2, 2)))
        >>> print(f"{solution.gain[0, 0]:.3f} {solution.carry[0, 0]:.2f}")
        0.375 0.25
    """

    carries: ClassVar[bool] = True
    uses_kernel: ClassVar[bool] = False

    steps: int = field(metadata={"static": True})  # as `eqx.field(static=True)` does
    rate: Scalar

    def __post_init__(self) -> None:
        if self.steps % 1 != 0:
            raise InvalidInput(f"steps is {self.steps}, but must be a whole number")
        if self.steps < 1:
            raise InvalidInput(f"steps is {self.steps}, but must be at least 1")
        if is_concrete(self.rate) and not 0 < self.rate < inf:
            raise InvalidInput(f"rate is {float(self.rate):.6g}, but must be positive and finite")

    @property
    def first(self) -> LeastSquares:
        """Least squares."""
        return LeastSquares()

    def solve(self, gram: Float[Array, "*entity d d"], kernel: Float[Array, "*entity d d"]) -> Solution:
        """η Σ_{s<n} (I - ηG)ˢ, which is (I - F) G⁺ on the range of G, and F, by as many products as n has binary digits."""
        xp, identity = namespace(gram), identity_like(gram)
        shrink, reach = identity - self.rate * gram, self.rate * identity
        carry, gain = identity, xp.zeros_like(gram)
        for digit in bin(self.steps)[:1:-1]:
            if digit == "1":
                carry, gain = carry @ shrink, gain + carry @ reach
            shrink, reach = shrink @ shrink, reach + shrink @ reach
        return Solution(gain, xp.zeros_like(gram), carry)


class Fit(NamedTuple):
    """Estimates of all entities at one generation: θ̂_k = gain_k (p_k u_k + q_k u_* + α_k m_k) + carry_k θ̂_{t-1,k}.

    u_k = X~_k'ỹ_k and u_* are the moments of the real data, m_k that of what entity k reads of the pool.

    Attributes:
        gain: gain_k.
        unseen: what the estimate of entity k misses of the truth, exactly zero for least squares at full rank; None if that is
            known to be zero before any value is.
        carry: carry_k, or None.
        private_weight: p_k = (1 - α_k) β_k, the weight of entity k's private data.
        public_weight: q_k = (1 - α_k)(1 - β_k), the weight of the public data.
        synthetic_weight: α_k, the weight of the pool.
    """

    gain: Float[Array, "entity d d"]
    unseen: Float[Array, "entity d d"] | None
    carry: Float[Array, "entity d d"] | None
    private_weight: Float[Array, " entity"]
    public_weight: Float[Array, " entity"]
    synthetic_weight: Float[Array, " entity"]

    @property
    def unseen_or_zero(self) -> Float[Array, "entity d d"]:
        """What estimates miss of the truth, in numbers."""
        return namespace(self.gain).zeros_like(self.gain) if self.unseen is None else self.unseen


def fit(
    estimator: Estimator,
    grams: tuple[Float[Array, "entity d d"], Float[Array, "d d"], Float[Array, "entity d d"]],
    weights: Float[Array, "entity 3"],
    kernels: Float[Array, "entity d d"],
) -> Fit:
    """Estimates of all entities for the weights of one generation.

    Args:
        estimator: the estimator of every entity.
        grams: Gram matrices of private data, of public data, and of what each entity reads of the pool.
        weights: p_k, q_k and α_k of each entity.
        kernels: orthogonal projector onto the kernel of each entity's training data.
    """
    private, public, pool = grams
    p, q, alpha = (weight[:, None, None] for weight in weights.T)
    solutions = solve_entities(p * private + q * public[None] + alpha * pool, kernels, estimator)
    return Fit(solutions.gain, solutions.unseen, solutions.carry, *weights.T)
