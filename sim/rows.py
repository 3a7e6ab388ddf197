"""The literal sampler of the workflow for linear models: every label of every row is drawn, and every regression solved."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from crossfeed.errors import InvalidInput
from crossfeed.formulas.arrays import is_concrete, is_zero
from crossfeed.formulas.estimators import GradientSteps, Ridge
from crossfeed.formulas.shapes import Scalar
from crossfeed.formulas.workflow import PAPER, Workflow

from ..theory.ecosystem import Ecosystem
from ..theory.features import Features, smallest_features
from ..theory.linear_algebra import pseudo_inverse_of_rows
from ..theory.schedule import Schedule, make_schedule
from ..theory.weights import Weights
from .samplers import Estimates, Sampler, normal, truths

_SAME_GRAM = 1e-9  # relative: two ways to sum one Gram matrix differ by rounding only


class RowTrainer(eqx.Module):
    """The regression of every entity as a linear map of all labels it trains on, and of its previous estimate.

    Attributes:
        private: the map of the entity's own private labels.
        public: the map of the public labels.
        synthetic: the map of the labels that each entity published, summed over the generations that are remembered.
        carry: the map of the previous estimate.
    """

    private: Float[Array, "entity d rows"]
    public: Float[Array, "entity d public_rows"]
    synthetic: Float[Array, "entity d publisher synthetic_rows"]
    carry: Float[Array, "entity d d"]


class RowState(eqx.Module):
    """What a replicate of the rows consists of.

    Attributes:
        private: labels of the private data.
        public: labels of the public data.
        published: labels of the synthetic data, each summed over the generations that are remembered.
        estimates: θ̂_k of every entity.
    """

    private: Float[Array, "entity rows replicate"]
    public: Float[Array, "public_rows replicate"]
    published: Float[Array, "publisher synthetic_rows replicate"]
    estimates: Estimates


class RowSampler(Sampler):
    """Sampler that draws every label of every dataset and solves each entity's regression, as the paper says.

    It uses no Gram matrices, and so checks `MomentSampler` independently. `make_row_sampler` builds one.

    Attributes:
        ecosystem: what is simulated.
        workflow: estimator, pool and memory, each one of ours.
        features: the rows of all datasets.
        human: which synthetic rows people label instead of the models, as a fraction of 0 or 1 per row.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.sim import make_row_sampler
        >>> from crossfeed.theory import symmetric_ecosystem
        >>> make_row_sampler(symmetric_ecosystem(2, jnp.eye(3))).features.private.shape
        (2, 3, 3)
    """

    ecosystem: Ecosystem
    workflow: Workflow
    features: Features
    human: Float[Array, " synthetic_rows"]

    def schedule(self, weights: Weights, generations: int) -> Schedule:
        """The regressions of generations 0..T."""
        return make_schedule(self.workflow, weights, self.ecosystem.entities, generations, self._trainer)

    def init(self, key: PRNGKeyArray, first: RowTrainer, replicates: int) -> RowState:
        """Draw the labels ỹ_k and y_*."""
        key_private, key_public = jax.random.split(key)
        private_truth, public_truth = truths(self.ecosystem)
        private = jnp.einsum("kna,ka->kn", self.features.private, private_truth)
        public = self.features.public @ public_truth
        state = RowState(
            _labels(key_private, private, self.ecosystem.private.noise_variance[:, None], replicates),
            _labels(key_public, public, self.ecosystem.public.noise_variance[None], replicates),
            jnp.zeros((*self.features.synthetic.shape[:2], replicates)),
            jnp.zeros((self.ecosystem.entities, self.ecosystem.dimension, replicates)),
        )
        return self._train(first, state)

    def step(self, key: PRNGKeyArray, now: RowTrainer, state: RowState) -> RowState:
        """Draw labels x'θ̂_k + noise, or x'θ_* + noise where people label."""
        _, human_truth = truths(self.ecosystem)
        human = self.human[None, :, None]
        of_people = (self.features.synthetic @ human_truth)[..., None]
        mean = (1 - human) * (self.features.synthetic @ state.estimates) + human * of_people
        variance = (1 - human) * self.ecosystem.synthetic.noise_variance[:, None, None]
        variance = variance + human * self.ecosystem.public.noise_variance
        published = self.workflow.memory.kept * state.published + mean + jnp.sqrt(variance) * normal(key, mean.shape)
        return self._train(now, eqx.tree_at(lambda s: s.published, state, published))

    def estimates(self, state: RowState) -> Estimates:
        """θ̂_k."""
        return state.estimates

    def _train(self, now: RowTrainer, state: RowState) -> RowState:
        estimates = (
            now.private @ state.private
            + now.public @ state.public
            + jnp.einsum("kaji,jir->kar", now.synthetic, state.published)
            + now.carry @ state.estimates
        )
        return eqx.tree_at(lambda s: s.estimates, state, estimates)

    def _trainer(
        self, alpha: Float[Array, " entity"], beta: Float[Array, " entity"], held: Scalar, first: bool
    ) -> RowTrainer:
        """Regressions on private, public and pooled rows, the latter `held` times, with the mean of their remembered labels."""
        rows, public_rows = self.features.private.shape[1], self.features.public.shape[0]
        publishers, synthetic_rows = self.features.synthetic.shape[:2]
        pooled = self.features.synthetic.reshape(-1, self.ecosystem.dimension)
        readers = self.workflow.pool.read(self.ecosystem) @ self.workflow.pool.write(self.ecosystem)
        regress = _regression(self.workflow, first)

        def solve(
            alpha: Float[Array, ""],
            beta: Float[Array, ""],
            private: Float[Array, "rows d"],
            read: Float[Array, " publisher"],
        ) -> tuple[Float[Array, "d all_rows"], Float[Array, "d d"]]:
            design = jnp.concatenate([private, self.features.public, pooled])
            of_real = [jnp.full(rows, (1 - alpha) * beta), jnp.full(public_rows, (1 - alpha) * (1 - beta))]
            weights = jnp.concatenate([*of_real, alpha * held * jnp.repeat(read, synthetic_rows)])
            return regress(design, weights)

        maps, carry = jax.vmap(solve)(alpha, beta, self.features.private, readers)
        private, public, synthetic = jnp.split(maps, [rows, rows + public_rows], axis=2)
        synthetic = synthetic.reshape(*synthetic.shape[:2], publishers, synthetic_rows) / held
        return RowTrainer(private, public, synthetic, carry)


_Regression = Callable[
    [Float[Array, "rows d"], Float[Array, " rows"]], tuple[Float[Array, "d rows"], Float[Array, "d d"]]
]


def _regression(workflow: Workflow, first: bool) -> _Regression:
    """Minimizer of Σ_i weight_i (y_i - x_i'θ)² (+ μ‖θ‖²) as maps of y and of the previous estimate, or steps toward it."""
    estimator = workflow.estimator

    def least_squares(
        design: Float[Array, "rows d"], weights: Float[Array, " rows"]
    ) -> tuple[Float[Array, "d rows"], Float[Array, "d d"]]:
        root = jnp.sqrt(weights)
        size = design.shape[1]
        return pseudo_inverse_of_rows(root[:, None] * design) * root[None, :], jnp.zeros((size, size))

    def ridge(
        design: Float[Array, "rows d"], weights: Float[Array, " rows"]
    ) -> tuple[Float[Array, "d rows"], Float[Array, "d d"]]:
        assert isinstance(estimator, Ridge)
        size = design.shape[1]
        penalty = jnp.full(size, 1.0) * estimator.penalty
        maps, carry = least_squares(jnp.concatenate([design, jnp.eye(size)]), jnp.concatenate([weights, penalty]))
        return maps[:, : len(weights)], carry

    def gradient_steps(
        design: Float[Array, "rows d"], weights: Float[Array, " rows"]
    ) -> tuple[Float[Array, "d rows"], Float[Array, "d d"]]:
        assert isinstance(estimator, GradientSteps)
        maps, carry = jnp.zeros(design.T.shape), jnp.eye(design.shape[1])
        rate = estimator.rate
        for _ in range(estimator.steps):
            maps = maps + rate * (design.T * weights[None, :]) @ (jnp.eye(len(weights)) - design @ maps)
            carry = carry - rate * (design.T * weights[None, :]) @ (design @ carry)
        return maps, carry

    if isinstance(estimator, Ridge):
        return ridge
    return gradient_steps if isinstance(estimator, GradientSteps) and not first else least_squares


def make_row_sampler(ecosystem: Ecosystem, features: Features | None = None, workflow: Workflow = PAPER) -> RowSampler:
    """Literal sampler of an ecosystem, which draws every label.

    Args:
        ecosystem: with K entities and d features; without a truth, θ = 0 is simulated.
        features: rows with the ecosystem's Gram matrices; if None, d rows per dataset that have them.
        workflow: estimator, pool and memory, each one of ours; the paper's if not given.

    Returns:
        A sampler for `simulate`.

    Raises:
        InvalidInput: the rows have other Gram matrices than the ecosystem, and both are concrete.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.sim import make_row_sampler
        >>> from crossfeed.theory import symmetric_ecosystem
        >>> make_row_sampler(symmetric_ecosystem(2, jnp.eye(3))).features.private.shape
        (2, 3, 3)
    """
    if features is not None:
        _refuse_other_rows(ecosystem, features)
    rows = smallest_features(ecosystem) if features is None else features
    human = jnp.zeros(rows.synthetic.shape[1])
    fresh = workflow.pool.fresh
    if not is_zero(fresh):
        # A fraction of every row: two rows in the place of one, which have its Gram matrix together.
        of_models, of_people = jnp.sqrt(1.0 - fresh) * rows.synthetic, jnp.sqrt(fresh) * rows.synthetic
        rows = eqx.tree_at(lambda f: f.synthetic, rows, jnp.concatenate([of_models, of_people], axis=1))
        human = jnp.concatenate([human, jnp.ones_like(human)])
    return RowSampler(ecosystem, workflow, rows, human)


def _refuse_other_rows(ecosystem: Ecosystem, features: Features) -> None:
    for name in ("private", "public", "synthetic"):
        rows, given = getattr(features, name), getattr(ecosystem, name).gram
        gap = jnp.abs(given - rows.mT @ rows).max()
        if is_concrete(gap) and gap > _SAME_GRAM * jnp.abs(given).max():
            raise InvalidInput(f"{name}: the rows' Gram matrices differ from the ecosystem's by up to {float(gap):.3g}")


def _labels(
    key: PRNGKeyArray, mean: Float[Array, "*rows"], variance: Float[Array, "..."], replicates: int
) -> Float[Array, "*rows replicate"]:
    """Labels with this mean, and variances that broadcast to it."""
    return mean[..., None] + jnp.sqrt(variance)[..., None] * normal(key, (*mean.shape, replicates))
