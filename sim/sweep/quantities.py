"""Quantities that a sweep can compute at a point, as functions of traced values, so that unused parts cost nothing."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property

import jax.numpy as jnp
from jaxtyping import Array, PRNGKeyArray

from crossfeed.formulas.biases import bias
from crossfeed.formulas.homogenization import homogenization_of_errors
from crossfeed.formulas.law import Law
from crossfeed.formulas.limit import limit
from crossfeed.formulas.measures import efficiency_of_errors, mse, mse_of_biases, mspe
from crossfeed.formulas.reasons import reason_before_errors, reason_of_errors
from crossfeed.formulas.results import RESULTS
from crossfeed.formulas.workflow import PAPER, Workflow

from ...theory.consensus import trajectory
from ...theory.ecosystem import Ecosystem
from ...theory.stability import (
    anchor_bound,
    common_prompts,
    knowledge_bound,
    lemma1,
    lemma1_extended,
    prompt_bound,
    universal_bound,
)
from ...theory.transfer import transfer
from ...theory.weights import Weights
from ..monte_carlo import Simulation, simulate
from ..samplers import make_moment_sampler

REASONS = {
    "none": RESULTS.successful,
    "no_limit": RESULTS.no_limit,
    "ill_conditioned": RESULTS.ill_conditioned,
    "depends_on_theta": RESULTS.depends_on_truth,
    "data_do_not_span": RESULTS.data_do_not_span,
    "truths_differ": RESULTS.truths_differ,
}
"""Reasons for a missing value, in the order of their codes in a store."""


class Point:
    """Ecosystem and weights at one point of a sweep; the laws of its estimates are computed once, on first use.

    Attributes:
        ecosystem: with absent entities where others have more.
        weights: α and β.
        generations: T of trajectories and of Monte Carlo.
        replicates: of Monte Carlo.
        make_key: function that makes the key of Monte Carlo, called only where that is asked for.
        workflow: estimator, pool and memory.
        errors: whether errors in the limit are among what is computed, so that `reason` tells of those that are no numbers.
    """

    def __init__(
        self,
        ecosystem: Ecosystem,
        weights: Weights,
        generations: int,
        replicates: int,
        make_key: Callable[[], PRNGKeyArray],
        workflow: Workflow = PAPER,
        errors: bool = True,
    ) -> None:
        self.ecosystem, self.workflow, self.errors = ecosystem, workflow, errors
        self.weights, self.generations, self.replicates, self.make_key = weights, generations, replicates, make_key

    @cached_property
    def limit(self) -> Law:
        """Law of the estimates in the limit (Theorem 3)."""
        return limit(self.ecosystem, self.weights, self.workflow)

    @cached_property
    def mse(self) -> Array:
        """MSE of every entity in the limit, from which other errors follow."""
        return mse_of_biases(self.limit, self.bias)

    @cached_property
    def bias(self) -> Array:
        """Bias of every entity in the limit."""
        return bias(self.limit)

    @cached_property
    def relative_efficiency(self) -> Array:
        """Relative efficiency of every entity in the limit."""
        return efficiency_of_errors(self.limit, self.mse)

    @cached_property
    def reason(self) -> Array:
        """Code in `REASONS` of why a value of the limit is missing, 0 if none is."""
        why = reason_of_errors(self.limit, self.mse) if self.errors else reason_before_errors(self.limit)
        return jnp.argmax(jnp.stack([why == each for each in REASONS.values()])).astype(jnp.int8)

    @cached_property
    def mse_trajectory(self) -> Array:
        """MSE of every entity at generations 0..T (Theorem 2)."""
        return trajectory(self.ecosystem, self.weights, self.generations, mse, self.workflow)

    @cached_property
    def simulation(self) -> Simulation:
        """Monte Carlo estimates from the moment sampler."""
        sampler = make_moment_sampler(self.ecosystem, self.workflow)
        return simulate(sampler, self.weights, self.generations, self.replicates, self.make_key())

    def each(self, values: Array, axis: int = -1) -> Array:
        """Values of the entities along an axis, with NaN for absent entities."""
        shape = [1] * values.ndim
        shape[axis] = -1
        return jnp.where(self.ecosystem.present.reshape(shape), values, jnp.nan)

    def mean(self, values: Array) -> Array:
        """Mean over the entities on the last axis, of those that are present."""
        present = jnp.broadcast_to(self.ecosystem.present, values.shape)
        return jnp.where(present, values, 0).sum(-1) / self.ecosystem.present.sum().astype(values.dtype)


@dataclass(frozen=True)
class Quantity:
    """Variable that a sweep can store.

    Attributes:
        long_name: label for plots.
        units: σ² for multiples of the noise variance, 1 for pure numbers.
        compute: function from a point to the value there.
        dims: names of the value's dimensions, out of entity, task, dataset (entities, then public) and generation.
        of_limit: whether it is one of the limit.
        of_errors: whether it follows from the errors in the limit, of which float64 may leave no digit.
        of_paper: whether it is a statement about the paper's workflow alone.
        smooth: whether it depends smoothly on α and β, so that it can be interpolated.
        dtype: type of the stored numbers.
    """

    long_name: str
    units: str
    compute: Callable[[Point], Array]
    dims: tuple[str, ...] = ()
    of_limit: bool = False
    of_errors: bool = False
    of_paper: bool = False
    smooth: bool = True
    dtype: str = "float64"


def _spectral_radius(point: Point) -> Array:
    radius = point.limit.spectral_radius
    assert radius is not None  # a limit always has one
    return radius


def _transfer(point: Point) -> Array:
    weights = point.each(transfer(point.limit), axis=0)
    return jnp.where(jnp.append(point.ecosystem.present, True)[None, :], weights, jnp.nan)


def _mspe(point: Point) -> Array:
    return point.each(point.each(mspe(point.limit), axis=0))


def _from_others(point: Point) -> Array:
    """Weight of an entity on the private data of all others, averaged over entities."""
    weights = transfer(point.limit)[:, :-1]
    return point.mean(weights.sum(1) - jnp.diagonal(weights))


def _of_limit(long_name: str, units: str, compute: Callable[[Point], Array], dims: tuple[str, ...] = ()) -> Quantity:
    return Quantity(long_name, units, compute, dims, of_limit=True)


def _of_errors(long_name: str, units: str, compute: Callable[[Point], Array], dims: tuple[str, ...] = ()) -> Quantity:
    return Quantity(long_name, units, compute, dims, of_limit=True, of_errors=True)


def _of_paper(long_name: str, compute: Callable[[Point], Array]) -> Quantity:
    return Quantity(long_name, "1", compute, of_paper=True, smooth=False)


def _random(long_name: str, compute: Callable[[Point], Array]) -> Quantity:
    return Quantity(long_name, "σ²", compute, ("generation", "entity"), smooth=False)


def _of_interpolation(long_name: str) -> Quantity:
    return Quantity(long_name, "1", lambda p: jnp.zeros(()))  # where a value is computed


def _bound(long_name: str, compute: Callable[[Point], Array]) -> Quantity:
    """A bound that knows which workflows it covers, and is NaN for others."""
    return Quantity(long_name, "1", compute)


QUANTITIES: dict[str, Quantity] = {
    "spectral_radius": _of_limit("spectral radius ρ(Q)", "1", _spectral_radius),
    "reason": Quantity("why a value of the limit is missing", "1", lambda p: p.reason, of_limit=True, dtype="int8"),
    "mse": _of_errors("MSE in the limit", "σ²", lambda p: p.each(p.mse), ("entity",)),
    "mean_mse": _of_errors("mean MSE in the limit", "σ²", lambda p: p.mean(p.mse)),
    "mspe": _of_errors("MSPE in the limit", "σ²", _mspe, ("entity", "task")),
    "relative_efficiency": _of_errors("relative efficiency", "1", lambda p: p.each(p.relative_efficiency), ("entity",)),
    "mean_relative_efficiency": _of_errors("mean relative efficiency", "1", lambda p: p.mean(p.relative_efficiency)),
    "homogenization": _of_errors(
        "homogenization (mean error correlation)", "1", lambda p: homogenization_of_errors(p.limit, p.bias, p.mse)
    ),
    "transfer": _of_limit("transfer (weight on each dataset)", "1", _transfer, ("entity", "dataset")),
    "mean_transfer": _of_limit("transfer (weight on others' private data)", "1", _from_others),
    "lemma1_applies": _of_paper(
        "condition of Lemma 1 holds", lambda p: jnp.asarray(lemma1(p.ecosystem, p.weights).applies, float)
    ),
    "lemma1_bound": _of_paper("bound of Lemma 1", lambda p: lemma1(p.ecosystem, p.weights).bound),
    "common_prompts_stable": _of_paper(
        "common-prompt criterion says stable",
        lambda p: common_prompts(p.ecosystem, p.weights).stable.astype(float),
    ),
    "universal_bound": _of_paper("bound of Theorem U", lambda p: universal_bound(p.ecosystem)),
    "prompt_bound": _bound("bound of Theorem U*", lambda p: prompt_bound(p.ecosystem, p.workflow).bound),
    "anchor_bound": _bound(
        "bound from the public anchor, any private data",
        lambda p: anchor_bound(p.ecosystem, p.weights, p.workflow).bound_any_private,
    ),
    "knowledge_margin": _bound(
        "least κ minus 1/4", lambda p: knowledge_bound(p.ecosystem, p.weights, p.workflow).margin
    ),
    "knowledge_bound": _bound(
        "bound of Theorem K", lambda p: knowledge_bound(p.ecosystem, p.weights, p.workflow).bound
    ),
    "sharp_knowledge_bound": _bound(
        "bound of Theorem K for one pool", lambda p: knowledge_bound(p.ecosystem, p.weights, p.workflow).sharp
    ),
    "lemma1_extended_bound": _bound(
        "bound of Lemma 1 with weights of its own per entity",
        lambda p: lemma1_extended(p.ecosystem, p.weights, p.workflow).bound,
    ),
    "mse_trajectory": Quantity("MSE", "σ²", lambda p: p.each(p.mse_trajectory), ("generation", "entity")),
    "mean_mse_trajectory": Quantity("mean MSE", "σ²", lambda p: p.mean(p.mse_trajectory), ("generation",)),
    "monte_carlo_mse": _random("MSE by Monte Carlo", lambda p: p.each(p.simulation.mse)),
    "monte_carlo_mse_se": _random("standard error of the MSE", lambda p: p.each(p.simulation.mse_se)),
    "interpolation_estimate": _of_interpolation("estimated error of interpolation"),
    "interpolation_error": _of_interpolation("error of interpolation found at random points"),
}
OF_INTERPOLATION = ("interpolation_estimate", "interpolation_error")
"""Quantities that say how accurate the others are."""


def any_errors(names: Iterable[str]) -> bool:
    """Whether some of the quantities follow from errors, so that `reason` tells of those that are no numbers."""
    return any(QUANTITIES[name].of_errors for name in names)
