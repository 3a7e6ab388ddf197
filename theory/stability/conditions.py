"""Conditions of the theorems: what of the workflow they cover, and why a bound does not apply."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from crossfeed.formulas.estimators import LeastSquares, Ridge
from crossfeed.formulas.linear_algebra import RANK_TOLERANCE, kernel_projector
from crossfeed.formulas.shapes import Scalar
from crossfeed.formulas.workflow import Workflow

from ..ecosystem import Ecosystem
from ..weights import Weights

_SAME_READERS = 1e-12  # largest difference of two rows of W that counts as rounding


class CONDITIONS(eqx.Enumeration):
    """Why a bound applies or not. `CONDITIONS[code]` is the sentence that says it.

    Example:
        >>> from crossfeed.theory import CONDITIONS
        >>> print(CONDITIONS[CONDITIONS.network])
        the theorem is about one pool, but entities read different ones
    """

    applies = ""
    estimator = "the theorem is about least squares and ridge, not about this estimator"
    memory = "nothing is forgotten, so there is no recursion with constant coefficients"
    network = "the theorem is about one pool, but entities read different ones"
    unknown_directions = "an entity publishes about directions that its real data do not cover"
    no_mixture = "no entity's prompts are what it knows beside the same multiple of public data for all"
    no_common_mixture = "the prompts are no mixture of private and public inputs with the same λ and γ for all entities"
    unequal_weights = "the entities do not share α < 1 and β"
    no_private_weight = "private data have no weight, β = 0"
    private_weight = "private data have more weight than among the prompts, β > λ"
    different_prompts = "entities publish labels for different inputs"
    workflow = "the theorem is about the paper's workflow"


def publishes(ecosystem: Ecosystem, shares: Float[Array, " entity"]) -> Bool[Array, " entity"]:
    """Which entities publish: those with rows of their own and a share of the pool."""
    return (shares > 0) & (jnp.trace(ecosystem.synthetic.gram, axis1=1, axis2=2) > 0)


def scaled(gram: Float[Array, "d d"]) -> Float[Array, "d d"]:
    """Gram matrix with trace 1, or zero if it is zero, so that the size of data does not decide ranks of sums."""
    return gram / jnp.maximum(jnp.trace(gram), jnp.finfo(float).tiny)


class Reading(eqx.Module):
    """What the theorems need to know of pool and memory.

    The feedback of the workflow is kept + (1 - kept) · model · H, where H is that of a pool of model labels alone of which
    nothing is remembered, and whose synthetic data weigh α/(1 - kept).

    Attributes:
        readers: W, what every entity (row) reads of every other.
        one_pool: whether all rows of W are equal.
        kept: factor of the memory, below 1.
        model: fraction of published rows whose labels models write.
        condition: `CONDITIONS.applies`, or what no theorem here covers.
    """

    readers: Float[Array, "entity entity"]
    one_pool: Array
    kept: Scalar
    model: Scalar
    condition: CONDITIONS

    @property
    def shares(self) -> Float[Array, " entity"]:
        """w_j, if there is one pool."""
        return self.readers[0]

    @property
    def on_one_pool(self) -> CONDITIONS:
        """The condition for theorems about one pool."""
        covered = self.condition == CONDITIONS.applies
        return CONDITIONS.where(covered & ~self.one_pool, CONDITIONS.network, self.condition)

    def radius(self, bound: Float[Array, ""]) -> Float[Array, ""]:
        """Bound of the workflow's ρ for a bound of ρ(H)."""
        return self.kept + (1 - self.kept) * self.model * bound


def reading(ecosystem: Ecosystem, workflow: Workflow) -> Reading:
    """Who reads whom, and whether the workflow is one that theorems cover."""
    readers = jnp.maximum(workflow.pool.read(ecosystem) @ workflow.pool.write(ecosystem), 0)
    kept = jnp.asarray(workflow.memory.kept, float)
    covered = isinstance(workflow.estimator, LeastSquares | Ridge)
    condition = CONDITIONS.where(kept < 1, CONDITIONS.applies, CONDITIONS.memory)
    return Reading(
        readers=readers,
        one_pool=(jnp.abs(readers - readers[:1]) <= _SAME_READERS).all(),
        kept=jnp.where(kept < 1, kept, 0.0),
        model=1 - jnp.asarray(workflow.pool.fresh, float),
        condition=condition if covered else CONDITIONS.estimator,
    )


class Knowledge(eqx.Module):
    """Gram matrices of what entities really know, and the weight of what they read.

    α_k G_k⁻¹ of entity k is that of `real` + `synthetic_weight` S̲.

    Attributes:
        real: p_k S~_k + q_k S_* + μ I, with the penalty μ of ridge regression.
        kernel: orthogonal projector onto the kernel of it.
        private_weight: p_k = (1 - α_k) β_k.
        public_weight: q_k = (1 - α_k)(1 - β_k).
        synthetic_weight: α_k, divided by 1 - kept, since the memory holds so many times what one generation publishes.
        penalty: μ.
    """

    real: Float[Array, "entity d d"]
    kernel: Float[Array, "entity d d"]
    private_weight: Float[Array, " entity"]
    public_weight: Float[Array, " entity"]
    synthetic_weight: Float[Array, " entity"]
    penalty: Scalar


def knowledge(ecosystem: Ecosystem, weights: Weights, workflow: Workflow) -> Knowledge:
    """What entities really know, for weights that are constant over generations.

    Raises:
        InvalidInput: the weights change between generations, or their shape does not fit K.
    """
    alpha, beta = weights.per_entity(ecosystem.entities)
    private, public = (1 - alpha) * beta, (1 - alpha) * (1 - beta)
    penalty = workflow.estimator.penalty if isinstance(workflow.estimator, Ridge) else 0.0
    penalty = jnp.asarray(penalty, float)
    real = private[:, None, None] * ecosystem.private.gram + public[:, None, None] * ecosystem.public.gram[None]
    kept = jnp.asarray(workflow.memory.kept, float)

    def kernel(p: Scalar, q: Scalar, own: Float[Array, "d d"]) -> Float[Array, "d d"]:
        return (penalty == 0).astype(float) * kernel_of(p, q, own, ecosystem.public.gram)

    return Knowledge(
        real=real + penalty * jnp.eye(ecosystem.dimension)[None],
        kernel=jax.lax.stop_gradient(jax.vmap(kernel)(private, public, ecosystem.private.gram)),
        private_weight=private,
        public_weight=public,
        synthetic_weight=alpha / jnp.where(kept < 1, 1 - kept, 1.0),
        penalty=penalty,
    )


def kernel_of(
    private_weight: Scalar, public_weight: Scalar, private: Float[Array, "d d"], public: Float[Array, "d d"]
) -> Float[Array, "d d"]:
    """Orthogonal projector onto what an entity's real data do not cover, decided from data that carry weight, at one size."""
    on_private, on_public = (jnp.asarray(weight > RANK_TOLERANCE, float) for weight in (private_weight, public_weight))
    return kernel_projector(on_private * scaled(private) + on_public * scaled(public))
