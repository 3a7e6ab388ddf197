"""Conditions of the theorems: what of the workflow they cover, and why a bound does not apply."""

from typing import NamedTuple

from ..arrays import constant, namespace
from ..ecosystem import Ecosystem
from ..estimators import LeastSquares, Ridge
from ..linear_algebra import RANK_TOLERANCE, identity_like, kernel_projector
from ..results import Codes
from ..shapes import Array, Bool, Float, Int, Scalar
from ..weights import Weights
from ..workflow import Workflow

_SAME_READERS = 1e-12  # largest difference of two rows of W that counts as rounding


class CONDITIONS(metaclass=Codes):
    """Codes of why a bound applies or not. `CONDITIONS[code]` is the sentence that says it.

    Example:
        >>> from crossfeed.theory import CONDITIONS
        >>> print(CONDITIONS[CONDITIONS.network])
        the theorem is about one pool, but entities read different ones
    """

    sentences = (
        "",
        "the theorem is about least squares and ridge, not about this estimator",
        "nothing is forgotten, so there is no recursion with constant coefficients",
        "the theorem is about one pool, but entities read different ones",
        "an entity publishes about directions that its real data do not cover",
        "no entity's prompts are what it knows beside the same multiple of public data for all",
        "the prompts are no mixture of private and public inputs with the same λ and γ for all entities",
        "the entities do not share α < 1 and β",
        "private data have no weight, β = 0",
        "private data have more weight than among the prompts, β > λ",
        "entities publish labels for different inputs",
        "the theorem is about the paper's workflow",
    )
    (
        applies,
        estimator,
        memory,
        network,
        unknown_directions,
        no_mixture,
        no_common_mixture,
        unequal_weights,
        no_private_weight,
        private_weight,
        different_prompts,
        workflow,
    ) = range(len(sentences))


def publishes(ecosystem: Ecosystem, shares: Float[Array, " entity"]) -> Bool[Array, " entity"]:
    """Which entities publish: those with rows of their own and a share of the pool."""
    return (shares > 0) & (namespace(shares).trace(ecosystem.synthetic.gram, axis1=1, axis2=2) > 0)


def scaled(gram: Float[Array, "*batch d d"]) -> Float[Array, "*batch d d"]:
    """Gram matrix with trace 1, or zero if it is zero, so that the size of data does not decide ranks of sums."""
    xp = namespace(gram)
    return gram / xp.maximum(xp.trace(gram, axis1=-2, axis2=-1), xp.finfo(float).tiny)[..., None, None]


def in_common_units(*kinds: Float[Array, "... d d"]) -> tuple[list[Float[Array, "... d d"]], list[Float[Array, ""]]]:
    """Gram matrices of several kinds of data in units in which neither a kind nor a feature is large or small.

    No unit decides whether matrices are proportional, but squares of their entries exceed float64 in many of them.

    Returns:
        The matrices, and the size that each kind was divided by.
    """
    xp = namespace(kinds[0])
    sizes = [constant(xp.where((grams != 0).any(), xp.abs(grams).max(), 1.0)) for grams in kinds]
    grams = [kind / size for kind, size in zip(kinds, sizes, strict=True)]
    diagonals = [xp.diagonal(gram, axis1=-2, axis2=-1).reshape(-1, gram.shape[-1]) for gram in grams]
    features = xp.sqrt(xp.maximum(xp.concatenate(diagonals).max(0), 0))
    unit = constant(1 / xp.where(features > 0, features, 1))
    sides = (unit[:, None], unit[None])  # one after the other: their product may overflow
    return [
        gram * xp.broadcast_to(sides[0], gram.shape) * xp.broadcast_to(sides[1], gram.shape) for gram in grams
    ], sizes


class Reading(NamedTuple):
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
    one_pool: Bool[Array, ""]
    kept: Scalar
    model: Scalar
    condition: Int[Array, ""]

    @property
    def shares(self) -> Float[Array, " entity"]:
        """w_j, if there is one pool."""
        return self.readers[0]

    @property
    def on_one_pool(self) -> Int[Array, ""]:
        """The condition for theorems about one pool."""
        refused = (self.condition == CONDITIONS.applies) & ~self.one_pool
        return namespace(self.readers).where(refused, CONDITIONS.network, self.condition)

    def radius(self, bound: Float[Array, ""]) -> Float[Array, ""]:
        """Bound of the workflow's ρ for a bound of ρ(H)."""
        return self.kept + (1 - self.kept) * self.model * bound


def reading(ecosystem: Ecosystem, workflow: Workflow) -> Reading:
    """Who reads whom, and whether the workflow is one that theorems cover."""
    xp = namespace(ecosystem.shares)
    readers = xp.maximum(xp.asarray(workflow.pool.read(ecosystem) @ workflow.pool.write(ecosystem)), 0)
    kept = xp.asarray(workflow.memory.kept, float)
    covered = isinstance(workflow.estimator, LeastSquares | Ridge)
    condition = xp.where(kept < 1, CONDITIONS.applies, CONDITIONS.memory)
    return Reading(
        readers=readers,
        one_pool=(xp.abs(readers - readers[:1]) <= _SAME_READERS).all(),
        kept=xp.where(kept < 1, kept, 0.0),
        model=1 - xp.asarray(workflow.pool.fresh, float),
        condition=condition if covered else xp.full_like(condition, CONDITIONS.estimator),
    )


class Knowledge(NamedTuple):
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
    xp, own, common = namespace(alpha), ecosystem.private.gram, ecosystem.public.gram
    private, public = (1 - alpha) * beta, (1 - alpha) * (1 - beta)
    penalty = xp.asarray(workflow.estimator.penalty if isinstance(workflow.estimator, Ridge) else 0.0, float)
    real = private[:, None, None] * own + public[:, None, None] * common[None]
    kept = xp.asarray(workflow.memory.kept, float)
    return Knowledge(
        real=real + penalty * identity_like(common)[None],
        kernel=constant((penalty == 0).astype(float) * kernels_of(private, public, own, common)),
        private_weight=private,
        public_weight=public,
        synthetic_weight=alpha / xp.where(kept < 1, 1 - kept, 1.0),
        penalty=penalty,
    )


def kernels_of(
    private_weight: Float[Array, " entity"],
    public_weight: Float[Array, " entity"],
    private: Float[Array, "entity d d"],
    public: Float[Array, "d d"],
) -> Float[Array, "entity d d"]:
    """Orthogonal projectors onto what entities' real data do not cover, decided from data that carry weight, at one size."""
    on_private, on_public = (
        (weight > RANK_TOLERANCE).astype(float)[:, None, None] for weight in (private_weight, public_weight)
    )
    return kernel_projector(on_private * scaled(private) + on_public * scaled(public)[None])
