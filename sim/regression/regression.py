"""A regime of recursive training by regression: its data, its parts, and one generation of it."""

from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from crossfeed.errors import InvalidInput
from crossfeed.formulas.arrays import is_concrete, require_float64
from crossfeed.formulas.ecosystem import check_finite, check_shares
from crossfeed.formulas.memories import Memory, Replace

from ...theory.ecosystem import as_array, equal_shares
from ...theory.features import Features
from .curation import AbstractCuration, KeepAll
from .fitting import FITS, AbstractFitting, MaximumLikelihood
from .labels import AbstractLabels, Gaussian


class Regression(eqx.Module):
    """Recursive training by regression, in regimes that have no exact law. What is simulated is what the parts say, row by row.

    Args:
        features: rows of the private, public and synthetic data of K entities, without padding.
        truth: θ, of shape (d) for all, or (K, d) for the private data of each entity with `public_truth` beside it.
        public_truth: θ_* of the public data, and of what people label; the truth if that is one for all.
        labels: distribution of all labels, of people and of models.
        fitting: how an entity fits its weighted rows.
        curation: what of the pool an entity trains on.
        shares: w_k of the pool; equal if None.
        memory: what entities keep of earlier pools: `Replace()`, `Accumulate()` or `Forget(rate)`.
        inputs: `fixed`, or `fresh`: the synthetic rows are drawn anew at every generation, Gaussian with their second moment.
        real: `kept`, or `fresh`: private and public rows and labels are drawn anew at every generation, likewise.
        human: fraction of the published rows that people label, drawn anew at every generation.
        observed: labels of the private and of the public rows, where these are real; drawn from the truth if None.

    Raises:
        InvalidInput: shapes do not fit, or a value lies outside its range.

    Example:
        >>> import jax.numpy as jnp, numpy as np
        >>> from crossfeed.sim.regression import Bernoulli, Regression
        >>> from crossfeed.theory import stack_features
        >>> rows = np.ones((20, 1))
        >>> regression = Regression(stack_features([rows, rows], rows), truth=jnp.zeros(1), labels=Bernoulli())
        >>> regression.entities, regression.memory
        (2, Replace())
    """

    features: Features
    truth: Float[Array, "entity d"]
    public_truth: Float[Array, " d"]
    labels: AbstractLabels
    fitting: AbstractFitting
    curation: AbstractCuration
    shares: Float[Array, " entity"]
    memory: Memory
    inputs: Literal["fixed", "fresh"] = eqx.field(static=True)
    real: Literal["kept", "fresh"] = eqx.field(static=True)
    human: float = eqx.field(static=True)
    observed: tuple[Float[Array, "entity rows"], Float[Array, " public_rows"]] | None

    def __init__(
        self,
        features: Features,
        truth: Float[Array, " d"] | Float[Array, "entity d"],
        public_truth: Float[Array, " d"] | None = None,
        *,
        labels: AbstractLabels | None = None,
        fitting: AbstractFitting | None = None,
        curation: AbstractCuration | None = None,
        shares: Float[Array, " entity"] | None = None,
        memory: Memory | None = None,
        inputs: Literal["fixed", "fresh"] = "fixed",
        real: Literal["kept", "fresh"] = "kept",
        human: float = 0.0,
        observed: tuple[Float[Array, "entity rows"], Float[Array, " public_rows"]] | None = None,
    ):
        entities, _, size = features.private.shape
        self.features, truth = features, as_array("truth", truth)
        if truth.shape not in ((size,), (entities, size)):
            raise InvalidInput(f"truth must have shape ({size},) or ({entities}, {size}), but has shape {truth.shape}")
        if truth.ndim == 2 and public_truth is None:
            raise InvalidInput("truth is one per entity, so public_truth is needed")
        self.truth = jnp.broadcast_to(truth, (entities, size))
        self.public_truth = truth if public_truth is None else as_array("public_truth", public_truth)
        self.labels, self.fitting = labels or Gaussian(), fitting or MaximumLikelihood()
        self.curation = curation or KeepAll()
        self.shares = equal_shares(entities) if shares is None else as_array("shares", shares)
        self.memory = memory or Replace()
        self.inputs, self.real, self.human = inputs, real, human
        for name, array, shape in (("public_truth", self.public_truth, (size,)), ("shares", self.shares, (entities,))):
            if array.shape != shape:
                raise InvalidInput(f"{name} must have shape {shape}, but has shape {array.shape}")
        rows = {"private": features.private, "public": features.public, "synthetic": features.synthetic}
        arrays = {"truth": self.truth, "public_truth": self.public_truth, "shares": self.shares} | rows
        for name, array in arrays.items():
            require_float64(name, array)
            if is_concrete(array):
                check_finite(name, np.asarray(array))
        if is_concrete(self.shares):
            check_shares(np.asarray(self.shares))
        for name in ("private", "synthetic"):
            if is_concrete(rows[name]) and not np.asarray(rows[name]).any(-1).all():
                raise InvalidInput(f"{name} holds a row of zeros, but every row is one of data here, without padding")
        for name, value, choices in (
            ("inputs", inputs, ("fixed", "fresh")),
            ("real", real, ("kept", "fresh")),
        ):
            if value not in choices:
                raise InvalidInput(f"{name} is {value!r}, but must be {choices[0]!r} or {choices[1]!r}")
        if not 0 <= human <= 1:
            raise InvalidInput(f"human is {human}, but must lie in [0, 1]")
        self.observed = None
        if observed is not None:
            self.observed = as_array("observed[0]", observed[0]), as_array("observed[1]", observed[1])
            if real == "fresh":
                raise InvalidInput("real is 'fresh', but the labels are observed")
            shapes = features.private.shape[:2], features.public.shape[:1]
            for name, labels_of, shape in zip(("private", "public"), self.observed, shapes, strict=True):
                if labels_of.shape != shape:
                    raise InvalidInput(
                        f"observed {name} labels must have shape {shape}, but have shape {labels_of.shape}"
                    )
                if is_concrete(labels_of):
                    check_finite(f"observed {name} labels", np.asarray(labels_of))
                    self.labels.check(f"observed {name} labels", np.asarray(labels_of))

    @property
    def entities(self) -> int:
        """K, the number of entities."""
        return self.features.private.shape[0]

    @property
    def dimension(self) -> int:
        """d, the number of features."""
        return self.features.private.shape[2]


class Real(eqx.Module):
    """Real rows and their labels."""

    private: Float[Array, "entity rows d"]
    private_labels: Float[Array, "entity rows"]
    public: Float[Array, "public_rows d"]
    public_labels: Float[Array, " public_rows"]


class Pool(eqx.Module):
    """Published rows that are remembered, with the weight that each reader gives them; zero for those yet to come."""

    rows: Float[Array, "slot publisher rows d"]
    labels: Float[Array, "slot publisher rows"]
    weights: Float[Array, "slot entity publisher rows"]


class Run(eqx.Module):
    """One replicate between generations."""

    real: Real
    pool: Pool
    estimates: Float[Array, "entity d"]
    outcomes: FITS


def draw_real(key: PRNGKeyArray, regression: Regression) -> Real:
    """Labels of the real rows, unless they are observed, and these rows themselves if they are fresh."""
    if regression.observed is not None:
        return Real(
            regression.features.private, regression.observed[0], regression.features.public, regression.observed[1]
        )
    key_private, key_public, *keys = jax.random.split(key, 4)
    private, public = regression.features.private, regression.features.public
    if regression.real == "fresh":
        private, public = _redrawn(keys[0], private), _redrawn(keys[1], public)
    of_private = jnp.einsum("kna,ka->kn", private, regression.truth)
    labels = regression.labels.draw(key_private, of_private)
    return Real(private, labels, public, regression.labels.draw(key_public, public @ regression.public_truth))


def begin(key: PRNGKeyArray, regression: Regression, beta: Float[Array, " entity"], slots: int) -> Run:
    """Generation 0, which is trained on real data alone."""
    key_data, key_fit = jax.random.split(key)
    synthetic = regression.features.synthetic
    rows = jnp.zeros((slots, *synthetic.shape))
    pool = Pool(rows, rows[..., 0], jnp.zeros((slots, regression.entities, *synthetic.shape[:2])))
    real = draw_real(key_data, regression)
    nothing = jnp.zeros((regression.entities, regression.dimension))
    run = Run(real, pool, nothing, jax.vmap(lambda _: FITS.successful)(beta))
    return _train(key_fit, regression, regression.fitting.first, jnp.zeros_like(beta), beta, run)


def proceed(
    key: PRNGKeyArray,
    regression: Regression,
    alpha: Float[Array, " entity"],
    beta: Float[Array, " entity"],
    slot: Int[Array, ""],
    run: Run,
) -> Run:
    """Publish, curate and train: the next generation, whose pool goes into a slot of the memory."""
    key_inputs, key_labels, key_human, key_real, key_fit = jax.random.split(key, 5)
    rows = regression.features.synthetic
    if regression.inputs == "fresh":
        rows = _redrawn(key_inputs, rows)
    predictor = jnp.einsum("jna,ja->jn", rows, run.estimates)
    if regression.human:
        by_people = jax.random.uniform(key_human, predictor.shape, float) < regression.human
        predictor = jnp.where(by_people, rows @ regression.public_truth, predictor)
    labels = regression.labels.draw(key_labels, predictor)
    kept = regression.curation.weights(regression.labels, rows, labels, run.estimates, regression.public_truth)
    pool = Pool(
        run.pool.rows.at[slot].set(rows),
        run.pool.labels.at[slot].set(labels),
        (regression.memory.kept * run.pool.weights).at[slot].set(kept * regression.shares[None, :, None]),
    )
    real = draw_real(key_real, regression) if regression.real == "fresh" else run.real
    return _train(key_fit, regression, regression.fitting, alpha, beta, Run(real, pool, run.estimates, run.outcomes))


def _train(
    key: PRNGKeyArray,
    regression: Regression,
    fitting: AbstractFitting,
    alpha: Float[Array, " entity"],
    beta: Float[Array, " entity"],
    run: Run,
) -> Run:
    pooled = run.pool.rows.reshape(-1, regression.dimension)
    real = run.real

    def of_entity(
        key: PRNGKeyArray,
        alpha: Float[Array, ""],
        beta: Float[Array, ""],
        own: tuple[Float[Array, "rows d"], Float[Array, " rows"]],
        read: Float[Array, "slot publisher published_rows"],
        previous: Float[Array, " d"],
    ) -> tuple[Float[Array, " d"], FITS]:
        rows = jnp.concatenate([own[0], real.public, pooled])
        label = jnp.concatenate([own[1], real.public_labels, run.pool.labels.ravel()])
        weight = jnp.concatenate(
            [
                jnp.full(len(own[1]), (1 - alpha) * beta),
                jnp.full(len(real.public_labels), (1 - alpha) * (1 - beta)),
                alpha * read.ravel(),
            ]
        )
        return fitting.fit(key, regression.labels, rows, label, weight, previous)

    found, outcomes = jax.vmap(of_entity, (0, 0, 0, 0, 1, 0))(
        jax.random.split(key, regression.entities),
        alpha,
        beta,
        (real.private, real.private_labels),
        run.pool.weights,
        run.estimates,
    )
    # An entity that reads the pool of one that failed has failed as well.
    failed_before = run.outcomes != FITS.successful
    spoiled = failed_before | ((alpha > 0) & (failed_before & (regression.shares > 0)).any())
    outcomes = jax.vmap(lambda spoiled, outcome: FITS.where(spoiled, FITS.earlier, outcome))(spoiled, outcomes)
    failed = outcomes != FITS.successful
    return Run(real, run.pool, jnp.where(failed[:, None], 0.0, found), outcomes)


def _redrawn(key: PRNGKeyArray, rows: Float[Array, "*sets rows d"]) -> Float[Array, "*sets rows d"]:
    """Gaussian rows with the second moment X'X/n of the given ones."""
    values, vectors = jnp.linalg.eigh(rows.mT @ rows / rows.shape[-2])
    root = vectors * jnp.sqrt(jnp.maximum(values, 0))[..., None, :]
    return jax.random.normal(key, rows.shape, float) @ root.mT
