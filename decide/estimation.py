"""Estimation: weights, shares, volume and noise of an ecosystem from observed generations, with uncertainty."""

from dataclasses import dataclass

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optimistix as optx
from jaxtyping import Array, Float, PRNGKeyArray

from crossfeed.errors import InvalidInput
from crossfeed.formulas.ecosystem import check_finite
from crossfeed.formulas.shapes import Scalar
from crossfeed.random_keys import pinned_generator, seeded_key

from ..theory import PAPER, Dataset, Ecosystem, Weights, Workflow, joint_law
from ..theory.ecosystem import check_all_present
from .likelihood import log_likelihood

LEVEL = 0.9
"""Posterior probability of an interval."""

_STARTS = 3
_ROUNDS = 4
_SAMPLES = 400  # per round
_FREEDOM = 4.0  # of the t distributions that propose samples
_FLATTEST = 0.05  # least curvature: no direction is wider than a wide prior
_WORTH = 10.0  # effective samples that count as much as the curvature at the mode
_WIDER = 1.2
_DIFFERENCE = 1e-4
_NULL = 1e-8  # singular value of the law's Jacobian, relative to the largest, that counts as zero
_TILT = 1e-3  # change of a quantity along directions the law does not change in, relative to all, that counts as none
_LEAST_SAMPLES = 30.0  # effective number of samples below which intervals are rough
_JITTER = 1e-6  # probe noise of estimates seen exactly, relative to their size
_NOISE_SPREAD, _VOLUME_SPREAD, _SHARE_SPREAD = 1.5, 1.0, 1.0  # standard deviations of the priors' logarithms


class Unknowns(eqx.Module):
    """What is inferred, with its prior: uniform for α and β, log-normal with median 1 for the others.

    Attributes:
        alpha: α_k.
        beta: β_k.
        shares: w_k of the pool.
        volume: factor on what is published, in units of the ecosystem's.
        noise: factor on all noise variances, in units of the ecosystem's.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.decide import Unknowns
        >>> print(Unknowns.from_free(jnp.zeros(7), 2).shares)
        [0.5 0.5]
    """

    alpha: Float[Array, " entity"]
    beta: Float[Array, " entity"]
    shares: Float[Array, " entity"]
    volume: Float[Array, ""]
    noise: Float[Array, ""]

    @staticmethod
    def from_free(free: Float[Array, " n"], entities: int) -> "Unknowns":
        """From numbers without bounds: 2K logits of α and β, K - 1 of shares, and two logarithms."""
        alpha, beta, shares, rest = jnp.split(free, [entities, 2 * entities, 3 * entities - 1])
        logits = jnp.concatenate([jnp.zeros(1), shares])
        return Unknowns(
            jax.nn.sigmoid(alpha), jax.nn.sigmoid(beta), jax.nn.softmax(logits), jnp.exp(rest[0]), jnp.exp(rest[1])
        )

    def ecosystem(self, given: Ecosystem) -> Ecosystem:
        """The ecosystem with these shares, volume and noise."""
        scaled = [
            Dataset(data.gram, self.noise * data.noise_variance, data.truth) for data in (given.private, given.public)
        ]
        synthetic = Dataset(self.volume * given.synthetic.gram, self.noise * given.synthetic.noise_variance)
        return Ecosystem(private=scaled[0], public=scaled[1], synthetic=synthetic, shares=self.shares)


@dataclass(frozen=True)
class Quantity:
    """Posterior of one number.

    Attributes:
        name: what it is.
        median: posterior median.
        low, high: ends of the central interval of probability `LEVEL`.
        identified: whether the law of what was observed depends on it; if not, data say nothing of the number by itself, however
            many there are, and the interval is that of a ridge which the prior alone bounds.

    Example:
        >>> from crossfeed.decide import Quantity
        >>> Quantity("alpha[0]", 0.5, 0.4, 0.6, True).name
        'alpha[0]'
    """

    name: str
    median: float
    low: float
    high: float
    identified: bool


@dataclass(frozen=True)
class Estimation:
    """Posterior of what drives an ecosystem, given observed generations.

    Attributes:
        quantities: α, β, shares, volume, noise, and for each entity āβ/(αc), real over synthetic data, which is what is left of its
            weights without public data (c is the volume).
        effective_samples: of the importance sampling; intervals are rough below 30.

    Example:
        >>> from crossfeed.decide import Estimation
        >>> Estimation((), 100.0).rough
        False
    """

    quantities: tuple[Quantity, ...]
    effective_samples: float

    @property
    def rough(self) -> bool:
        """Whether there are too few samples for the digits of the intervals."""
        return self.effective_samples < _LEAST_SAMPLES


class Posterior(eqx.Module):
    """Weighted samples of the posterior.

    Attributes:
        mode: the most probable free numbers (`Unknowns.from_free`).
        samples: free numbers.
        weights: importance weights, which sum to 1.

    Example:
        >>> from crossfeed.decide import Posterior
        >>> sorted(Posterior.__annotations__)
        ['mode', 'samples', 'weights']
    """

    mode: Float[Array, " n"]
    samples: Float[Array, "sample n"]
    weights: Float[Array, " sample"]


def estimate(
    ecosystem: Ecosystem,
    estimates: Float[Array, "generation entity d"],
    probe_noise: float = 0.0,
    workflow: Workflow = PAPER,
) -> Estimation:
    """Posterior of weights, shares, volume and noise, given what the parameters of all entities were at generations 0..T.

    The likelihood is exact (`likelihood.log_likelihood`). Samples come from t distributions around the
    posterior's mode and are weighted to be those of the posterior (adaptive importance sampling).

    Args:
        ecosystem: features of all data; weights, shares, volume and noise are inferred, the last two in units of these.
        estimates: observed parameters.
        probe_noise: variance of the noise with which they were observed; 0 if exactly.
        workflow: estimator, pool and memory.

    Raises:
        InvalidInput: shapes do not fit, a number is not finite, noise is negative, data have truths that differ, or an entity
            is absent.

    Example:
        >>> import jax.numpy as jnp
        >>> import numpy as np
        >>> from crossfeed.decide import estimate
        >>> from crossfeed.theory import symmetric_ecosystem
        >>> seen = jnp.asarray(np.random.default_rng(0).normal(size=(1, 2, 1)))  # generation 0 alone
        >>> found = estimate(symmetric_ecosystem(2, jnp.eye(1)), seen)
        >>> [q.name for q in found.quantities if q.identified]
        ['beta[0]', 'beta[1]', 'noise']
    """
    check_all_present(ecosystem)
    _check(ecosystem, estimates, probe_noise)
    spread = float(jnp.var(estimates))
    noise = jnp.asarray(max(probe_noise, _JITTER * spread))  # an array, so that another one compiles nothing
    with pinned_generator():
        found = posterior(ecosystem, estimates, noise, workflow, seeded_key(0))
    null = _unseen_directions(ecosystem, found.mode, min(len(estimates) - 1, 3), workflow)
    entities = ecosystem.entities
    values = np.asarray(jax.vmap(lambda free: _numbers(free, entities))(found.samples))
    slopes = np.asarray(jax.jacfwd(lambda free: _numbers(free, entities))(found.mode))
    tilt = np.linalg.norm(slopes @ null, axis=1) / np.linalg.norm(slopes, axis=1)
    weights = np.asarray(found.weights)
    quantities = [
        Quantity(name, *_quantiles(column, weights), bool(unseen < _TILT))
        for name, column, unseen in zip(_names(entities), values.T, tilt, strict=True)
    ]
    return Estimation(tuple(quantities), float(1 / (weights**2).sum()))


@eqx.filter_jit
def posterior(
    ecosystem: Ecosystem,
    estimates: Float[Array, "generation entity d"],
    probe_noise: Scalar,
    workflow: Workflow,
    key: PRNGKeyArray,
) -> Posterior:
    """Samples of the posterior, by adaptive importance sampling.

    Args:
        ecosystem: features of all data.
        estimates: observed parameters.
        probe_noise: variance of the noise with which they were observed, positive.
        workflow: estimator, pool and memory.
        key: of the random numbers.

    Example:
        >>> import jax
        >>> import jax.numpy as jnp
        >>> from crossfeed.decide import posterior
        >>> from crossfeed.theory import PAPER, symmetric_ecosystem
        >>> seen = jnp.zeros((1, 2, 1)).at[0, 0, 0].set(1.0)
        >>> posterior(symmetric_ecosystem(2, jnp.eye(1)), seen, jnp.array(0.1), PAPER, jax.random.key(0)).samples.shape
        (1600, 7)
    """
    entities = ecosystem.entities
    size = 3 * entities + 1

    def surprise(free: Float[Array, " n"]) -> Float[Array, ""]:
        unknown = Unknowns.from_free(free, entities)
        weights = Weights(unknown.alpha, unknown.beta)
        fit = log_likelihood(unknown.ecosystem(ecosystem), weights, workflow, estimates, probe_noise)
        value = -fit - _log_prior(free, entities)
        return jnp.where(jnp.isfinite(value), value, 1e12)

    def with_value(free: Float[Array, " n"], _: None) -> tuple[Float[Array, ""], Float[Array, ""]]:
        value = surprise(free)
        return value, value

    def descend(start: Float[Array, " n"]) -> tuple[Float[Array, " n"], Float[Array, ""]]:
        solver = optx.BFGS(1e-6, 1e-6)
        found = optx.minimise(with_value, solver, start, has_aux=True, max_steps=200, throw=False)
        return found.value, found.aux

    def sample(
        proposal: _Proposal, key: PRNGKeyArray
    ) -> tuple[_Proposal, tuple[_Proposal, Float[Array, "sample n"], Float[Array, " sample"]]]:
        samples = proposal.draw(key)
        exact = -jax.lax.map(surprise, samples, batch_size=50)
        adapted = _adapted(proposal, samples, jax.nn.softmax(exact - proposal.log_density(samples)))
        return adapted, (proposal, samples, exact)

    key_starts, *keys = jax.random.split(key, 1 + _ROUNDS)
    starts = jax.random.normal(key_starts, (_STARTS, size), float)
    modes, values = jax.vmap(descend)(starts)
    mode = modes[values.argmin()]
    moves = _DIFFERENCE * jnp.eye(size)
    slopes = jax.vmap(jax.grad(surprise))(mode[None] + jnp.concatenate([moves, -moves]))
    curvature = (slopes[:size] - slopes[size:]) / (2 * _DIFFERENCE)
    eigenvalues, axes = jnp.linalg.eigh((curvature + curvature.T) / 2)
    first = _Proposal(mode, axes / jnp.sqrt(jnp.maximum(eigenvalues, _FLATTEST))[None])
    _, (proposals, samples, exact) = jax.lax.scan(sample, first, jnp.stack(keys))  # compiles the likelihood once
    samples = samples.reshape(-1, size)
    # As if drawn from the mixture of all rounds, so that none alone has to cover the posterior.
    proposed = jax.nn.logsumexp(jax.vmap(lambda proposal: proposal.log_density(samples))(proposals), axis=0)
    return Posterior(mode, samples, jax.nn.softmax(exact.reshape(-1) - proposed))


class _Proposal(eqx.Module):
    """Multivariate t distribution; `root` @ `root`' is its scale."""

    center: Float[Array, " n"]
    root: Float[Array, "n n"]

    def draw(self, key: PRNGKeyArray) -> Float[Array, "sample n"]:
        key_normal, key_scale = jax.random.split(key)
        normal = jax.random.normal(key_normal, (_SAMPLES, len(self.center)), float)
        gamma = jax.random.gamma(key_scale, _FREEDOM / 2, (_SAMPLES, 1), float)
        return self.center[None] + normal * jnp.sqrt(_FREEDOM / 2 / gamma) @ self.root.T

    def log_density(self, samples: Float[Array, "sample n"]) -> Float[Array, " sample"]:
        """Up to a constant that all of them share."""
        size = len(self.center)
        standard = jnp.linalg.solve(self.root, (samples - self.center[None]).T)
        shape = (_FREEDOM + size) / 2 * jnp.log1p((standard**2).sum(0) / _FREEDOM)
        return -shape - jnp.linalg.slogdet(self.root)[1]


def _adapted(first: _Proposal, samples: Float[Array, "sample n"], weights: Float[Array, " sample"]) -> _Proposal:
    """Proposal with the moments of weighted samples, as far as there are enough of them, and a little wider."""
    trust = 1 / (weights**2).sum()
    share = trust / (trust + _WORTH)
    center = share * (weights @ samples) + (1 - share) * first.center
    apart = samples - center[None]
    spread = share * (apart.T * weights[None]) @ apart + (1 - share) * first.root @ first.root.T
    return _Proposal(center, jnp.linalg.cholesky(_WIDER * spread))


def _log_prior(free: Float[Array, " n"], entities: int) -> Float[Array, ""]:
    weights, shares, rest = jnp.split(free, [2 * entities, 3 * entities - 1])
    uniform = (jax.nn.log_sigmoid(weights) + jax.nn.log_sigmoid(-weights)).sum()
    spreads = jnp.array([_VOLUME_SPREAD, _NOISE_SPREAD])
    return uniform - ((shares / _SHARE_SPREAD) ** 2).sum() / 2 - ((rest / spreads) ** 2).sum() / 2


def draw_prior(key: PRNGKeyArray, entities: int) -> Float[Array, " n"]:
    """Free numbers (`Unknowns.from_free`) drawn from the prior.

    Args:
        key: of the random numbers.
        entities: K.

    Example:
        >>> import jax
        >>> from crossfeed.decide import draw_prior
        >>> draw_prior(jax.random.key(0), 2).shape
        (7,)
    """
    spreads = jnp.array([_SHARE_SPREAD] * (entities - 1) + [_VOLUME_SPREAD, _NOISE_SPREAD])
    uniform, normal = jax.random.split(key)
    logits = jax.random.logistic(uniform, (2 * entities,), float)
    return jnp.concatenate([logits, spreads * jax.random.normal(normal, spreads.shape, float)])


def _numbers(free: Float[Array, " n"], entities: int) -> Float[Array, " number"]:
    unknown = Unknowns.from_free(free, entities)
    ratio = (1 - unknown.alpha) * unknown.beta / (unknown.alpha * unknown.volume)
    rest = jnp.stack([unknown.volume, unknown.noise])
    return jnp.concatenate([unknown.alpha, unknown.beta, unknown.shares, rest, ratio])


def _names(entities: int) -> list[str]:
    each = {
        name: [f"{name}[{k}]" for k in range(entities)] for name in ("alpha", "beta", "share", "real_over_synthetic")
    }
    return [*each["alpha"], *each["beta"], *each["share"], "volume", "noise", *each["real_over_synthetic"]]


def _unseen_directions(
    ecosystem: Ecosystem, mode: Float[Array, " n"], generations: int, workflow: Workflow
) -> Float[np.ndarray, "n null"]:
    """Directions in the free numbers in which the law of the estimates does not change: the kernel of its Jacobian."""
    jacobian = np.asarray(_jacobian_of_law(ecosystem, mode, generations, workflow))
    square = np.zeros((len(mode), len(mode)))  # so that there are as many singular values as numbers
    _, values, right = np.linalg.svd(np.vstack([jacobian, square]), full_matrices=False)
    return right[values <= _NULL * values[0]].T


@eqx.filter_jit
def _jacobian_of_law(
    ecosystem: Ecosystem, mode: Float[Array, " n"], generations: int, workflow: Workflow
) -> Float[Array, "number n"]:
    def covariances(free: Float[Array, " n"]) -> Float[Array, " number"]:
        unknown = Unknowns.from_free(free, ecosystem.entities)
        law = joint_law(unknown.ecosystem(ecosystem), Weights(unknown.alpha, unknown.beta), generations, workflow)
        return law.covariance.reshape(-1)

    return jax.jacfwd(covariances)(mode)


def _quantiles(values: np.ndarray, weights: np.ndarray) -> tuple[float, float, float]:
    """Median and ends of the central interval."""
    order = np.argsort(values)
    levels = np.cumsum(weights[order]) - weights[order] / 2
    wanted = [0.5, (1 - LEVEL) / 2, (1 + LEVEL) / 2]
    median, low, high = np.interp(wanted, levels, values[order])
    return float(median), float(low), float(high)


def _check(ecosystem: Ecosystem, estimates: Array, probe_noise: float) -> None:
    shape = (ecosystem.entities, ecosystem.dimension)
    if estimates.ndim != 3 or not len(estimates) or estimates.shape[1:] != shape:
        raise InvalidInput(
            f"estimates must have shape (T+1, {shape[0]}, {shape[1]}) for this ecosystem, but have shape {estimates.shape}"
        )
    check_finite("estimates", np.asarray(estimates))
    if not (estimates != estimates.reshape(-1)[0]).any():
        raise InvalidInput("estimates are all the same number, which says nothing")
    if not 0 <= probe_noise < np.inf:
        raise InvalidInput(f"probe_noise is {probe_noise:.6g}, but must not be negative")
    if ecosystem.truths_differ:
        raise InvalidInput("the truths of the data differ, but estimation needs one truth for all")
