"""Fitting: from weighted rows with labels to an estimate, or to the reason why there is none."""

from abc import abstractmethod
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from crossfeed.errors import InvalidInput

from .labels import AbstractLabels

_MOST_ITERATIONS = 300
_CONVERGED = 1e-12  # of the Newton decrement, which bounds the distance to the smallest loss, per unit of weight
_FLAT = 1e-8  # curvature of the loss over that of the data, below which the estimate runs to infinity
_LONGEST, _HALVINGS = 4.0, 9  # of a step: longer ones speed up reweighting, shorter ones save Newton from overshooting


class FITS(eqx.Enumeration):
    """Outcome of a fit. `FITS[code]` is the sentence that says it.

    Example:
        >>> from crossfeed.sim.regression import FITS
        >>> print(FITS[FITS.no_data])
        the rows that carry weight do not span the features
    """

    successful = ""
    no_data = "the rows that carry weight do not span the features"
    no_finite_estimate = (
        "the labels are separated by the features, or all zero: no finite estimate has the largest likelihood"
    )
    not_converged = "the fit did not converge within its iterations"
    earlier = "an estimate that this one depends on failed at an earlier generation"


class AbstractFitting(eqx.Module):
    """Base class of fittings."""

    @abstractmethod
    def fit(
        self,
        key: PRNGKeyArray,
        labels: AbstractLabels,
        rows: Float[Array, "rows d"],
        label: Float[Array, " rows"],
        weight: Float[Array, " rows"],
        previous: Float[Array, " d"],
    ) -> tuple[Float[Array, " d"], FITS]:
        """Estimate from weighted rows, and the outcome.

        Args:
            key: of what is random in the fit.
            labels: distribution of the labels.
            rows: inputs.
            label: their labels.
            weight: non-negative weights.
            previous: the entity's previous estimate, zero at generation 0.
        """

    @property
    def first(self) -> "AbstractFitting":
        """The fitting of generation 0."""
        return self


class MaximumLikelihood(AbstractFitting):
    """Weighted maximum likelihood by Newton's method with step halving; for Gaussian labels, weighted least squares.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from crossfeed.sim.regression import Bernoulli, FITS, MaximumLikelihood
        >>> rows, label = jnp.ones((4, 1)), jnp.array([1.0, 1.0, 1.0, 0.0])
        >>> found, why = MaximumLikelihood().fit(jax.random.key(0), Bernoulli(), rows, label, jnp.ones(4), jnp.zeros(1))
        >>> print(f"{found[0]:.6f}", why == FITS.successful)  # log 3
        1.098612 True
    """

    def fit(
        self,
        key: PRNGKeyArray,
        labels: AbstractLabels,
        rows: Float[Array, "rows d"],
        label: Float[Array, " rows"],
        weight: Float[Array, " rows"],
        previous: Float[Array, " d"],
    ) -> tuple[Float[Array, " d"], FITS]:
        """Where the weighted loss is smallest."""
        return _minimize(labels.loss, labels.slope, labels.information, rows, label, weight)


class Robust(AbstractFitting):
    """Huber's robust regression: quadratic loss of small residuals, linear of large ones.

    Attributes:
        threshold: residual from which on the loss is linear, in units of a label; positive.

    Raises:
        InvalidInput: the threshold is not positive.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from crossfeed.sim.regression import Gaussian, Robust
        >>> rows, label = jnp.ones((5, 1)), jnp.array([0.0, 0.0, 0.0, 0.0, 100.0])
        >>> found, _ = Robust(1.0).fit(jax.random.key(0), Gaussian(), rows, label, jnp.ones(5), jnp.zeros(1))
        >>> print(f"{found[0]:.4f}")  # the mean is 20
        0.2500
    """

    threshold: float

    def __check_init__(self) -> None:
        if not self.threshold > 0:
            raise InvalidInput(f"threshold is {self.threshold}, but must be positive")

    def fit(
        self,
        key: PRNGKeyArray,
        labels: AbstractLabels,
        rows: Float[Array, "rows d"],
        label: Float[Array, " rows"],
        weight: Float[Array, " rows"],
        previous: Float[Array, " d"],
    ) -> tuple[Float[Array, " d"], FITS]:
        """Where Huber's loss is smallest, by reweighted least squares, of which every step lowers the loss."""

        def loss(label: Float[Array, " rows"], predictor: Float[Array, " rows"]) -> Float[Array, " rows"]:
            size = jnp.abs(label - predictor)
            return jnp.where(size <= self.threshold, size**2 / 2, self.threshold * (size - self.threshold / 2))

        def slope(label: Float[Array, " rows"], predictor: Float[Array, " rows"]) -> Float[Array, " rows"]:
            return jnp.clip(predictor - label, -self.threshold, self.threshold)

        def curvature(predictor: Float[Array, " rows"]) -> Float[Array, " rows"]:
            size = jnp.abs(label - predictor)
            return jnp.where(size <= self.threshold, 1.0, self.threshold / jnp.where(size > 0, size, 1.0))

        return _minimize(loss, slope, curvature, rows, label, weight)


class StochasticGradient(AbstractFitting):
    """Stochastic gradient descent from the previous estimate, on batches drawn in proportion to the weights.

    The mean step is that of `theory.GradientSteps`: of size `rate` along the gradient of the whole weighted loss. Generation 0
    is fitted by maximum likelihood.

    Attributes:
        steps: number of steps, at least 1.
        batch: rows per step, at least 1.
        rate: size of a step, positive.

    Raises:
        InvalidInput: a number lies outside its range.

    Example:
        >>> from crossfeed.sim.regression import StochasticGradient
        >>> StochasticGradient(steps=100, batch=8, rate=0.001).first
        MaximumLikelihood()
    """

    steps: int = eqx.field(static=True)
    batch: int = eqx.field(static=True)
    rate: float

    def __check_init__(self) -> None:
        for name in ("steps", "batch"):
            if getattr(self, name) < 1:
                raise InvalidInput(f"{name} is {getattr(self, name)}, but must be at least 1")
        if not 0 < self.rate < jnp.inf:
            raise InvalidInput(f"rate is {self.rate}, but must be positive and finite")

    @property
    def first(self) -> AbstractFitting:
        """Maximum likelihood."""
        return MaximumLikelihood()

    def fit(
        self,
        key: PRNGKeyArray,
        labels: AbstractLabels,
        rows: Float[Array, "rows d"],
        label: Float[Array, " rows"],
        weight: Float[Array, " rows"],
        previous: Float[Array, " d"],
    ) -> tuple[Float[Array, " d"], FITS]:
        """Where the steps lead."""
        total = weight.sum()
        chances = jnp.cumsum(weight) / jnp.where(total > 0, total, 1)

        def step(estimate: Float[Array, " d"], key: PRNGKeyArray) -> tuple[Float[Array, " d"], None]:
            drawn = jnp.searchsorted(chances, jax.random.uniform(key, (self.batch,), float))
            drawn = jnp.minimum(drawn, len(rows) - 1)
            slopes = labels.slope(label[drawn], rows[drawn] @ estimate)
            return estimate - self.rate * total * (rows[drawn].T @ slopes) / self.batch, None

        found, _ = jax.lax.scan(step, previous, jax.random.split(key, self.steps))
        outcome = FITS.where(jnp.isfinite(found).all(), FITS.successful, FITS.not_converged)
        return found, FITS.where(total > 0, outcome, FITS.no_data)


_PerRow = Float[Array, " rows"]


def _minimize(
    loss: Callable[[_PerRow, _PerRow], _PerRow],
    slope: Callable[[_PerRow, _PerRow], _PerRow],
    curvature: Callable[[_PerRow], _PerRow],
    rows: Float[Array, "rows d"],
    label: _PerRow,
    weight: _PerRow,
) -> tuple[Float[Array, " d"], FITS]:
    """Minimum of Σ_i w_i loss(y_i, x_i'θ), from θ = 0, by Newton's method or with another curvature that bounds the loss."""
    total = weight.sum()
    share = weight / jnp.where(total > 0, total, 1)
    data = rows.T @ (share[:, None] * rows)
    values = jnp.linalg.eigvalsh(data)
    spans = values[0] > 1e-12 * jnp.maximum(values[-1], 0)
    # Coordinates in which the data are white, so that units of features do not matter.
    root = jnp.linalg.cholesky(jnp.where(spans, data, jnp.eye(len(data))))
    white = jax.scipy.linalg.solve_triangular(root, rows.T, lower=True).T
    shrinkages = _LONGEST * 0.5 ** jnp.arange(float(_HALVINGS))

    def at(point: Float[Array, " d"]) -> tuple[Float[Array, ""], Float[Array, " d"], Float[Array, "d d"]]:
        predictor = white @ point
        hessian = white.T @ ((share * curvature(predictor))[:, None] * white)
        return (share * loss(label, predictor)).sum(), white.T @ (share * slope(label, predictor)), hessian

    def proceed(state: tuple[Float[Array, " d"], Float[Array, ""], Int[Array, ""]]) -> tuple[Array, Array, Array]:
        point, _, count = state
        value, gradient, hessian = at(point)
        step = jnp.linalg.solve(hessian + _FLAT**2 * jnp.eye(len(hessian)), gradient)
        candidates = point[None] - shrinkages[:, None] * step[None]
        losses = jax.vmap(lambda one: (share * loss(label, white @ one)).sum())(candidates)
        losses = jnp.where(jnp.isfinite(losses), losses, jnp.inf)
        best = jnp.argmin(losses)
        shrinkage = jnp.where(losses[best] < value, shrinkages[best], 0.0)
        return point - shrinkage * step, (shrinkage > 0).astype(float) * (gradient @ step), count + 1

    start = (jnp.zeros(rows.shape[1]), jnp.asarray(jnp.inf), jnp.zeros((), int))
    point, decrement, _ = jax.lax.while_loop(
        lambda state: (state[1] > _CONVERGED) & (state[2] < _MOST_ITERATIONS) & spans, proceed, start
    )
    hessian = at(point)[2]
    flat = jnp.linalg.eigvalsh(hessian)[0] < _FLAT
    outcome = FITS.where(decrement > _CONVERGED, FITS.not_converged, FITS.successful)
    outcome = FITS.where(flat, FITS.no_finite_estimate, outcome)
    outcome = FITS.where(spans, outcome, FITS.no_data)
    return jax.scipy.linalg.solve_triangular(root.T, point, lower=False), outcome
