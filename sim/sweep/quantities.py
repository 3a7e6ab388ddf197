"""Quantities that a sweep can compute at a point, as functions of traced values, so that unused parts cost nothing."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import jax.numpy as jnp
from jaxtyping import Array, PRNGKeyArray

from ...theory.consensus import Law, limit, trajectory
from ...theory.ecosystem import Ecosystem
from ...theory.homogenization import homogenization
from ...theory.measures import mse, mspe, relative_efficiency
from ...theory.stability import common_prompts, lemma1, universal_bound
from ...theory.transfer import transfer
from ...theory.weights import Weights
from ..monte_carlo import Simulation, simulate
from ..samplers import make_moment_sampler
from .padded import PaddedEcosystem


class Point:
    """Ecosystem and weights at one point of a sweep; the laws of its estimates are computed once, on first use.

    Attributes:
        ecosystem: with padding.
        present: which of its entities are no padding.
        weights: α and β.
        generations: T of trajectories and of Monte Carlo.
        replicates: of Monte Carlo.
        key: of Monte Carlo.
    """

    def __init__(
        self, padded: PaddedEcosystem, weights: Weights, generations: int, replicates: int, key: PRNGKeyArray
    ) -> None:
        self.ecosystem: Ecosystem = padded.ecosystem
        self.present = padded.present
        self.weights, self.generations, self.replicates, self.key = weights, generations, replicates, key

    @cached_property
    def limit(self) -> Law:
        """Law of the estimates in the limit (Theorem 3)."""
        return limit(self.ecosystem, self.weights)

    @cached_property
    def mse_trajectory(self) -> Array:
        """MSE of every entity at generations 0..T (Theorem 2)."""
        return trajectory(self.ecosystem, self.weights, self.generations, mse)

    @cached_property
    def simulation(self) -> Simulation:
        """Monte Carlo estimates from the moment sampler."""
        sampler = make_moment_sampler(self.ecosystem)
        return simulate(sampler, self.weights, self.generations, self.replicates, self.key)

    def each(self, values: Array, axis: int = -1) -> Array:
        """Values of the entities along an axis, with NaN in place of padding."""
        shape = [1] * values.ndim
        shape[axis] = -1
        return jnp.where(self.present.reshape(shape), values, jnp.nan)

    def mean(self, values: Array) -> Array:
        """Mean over the entities on the last axis, without padding."""
        present = jnp.broadcast_to(self.present, values.shape)
        return jnp.where(present, values, 0).sum(-1) / self.present.sum().astype(values.dtype)


@dataclass(frozen=True)
class Quantity:
    """Variable that a sweep can store.

    Attributes:
        long_name: label for plots.
        units: σ² for multiples of the noise variance, 1 for pure numbers.
        compute: function from a point to the value there.
        dims: names of the value's dimensions, out of entity, task, dataset (entities, then public) and generation.
    """

    long_name: str
    units: str
    compute: Callable[[Point], Array]
    dims: tuple[str, ...] = ()


def _spectral_radius(point: Point) -> Array:
    radius = point.limit.spectral_radius
    assert radius is not None  # a limit always has one
    return radius


def _transfer(point: Point) -> Array:
    weights = point.each(transfer(point.limit), axis=0)
    return jnp.where(jnp.append(point.present, True)[None, :], weights, jnp.nan)


def _mspe(point: Point) -> Array:
    return point.each(point.each(mspe(point.limit), axis=0))


def _from_others(point: Point) -> Array:
    """Weight of an entity on the private data of all others, averaged over entities."""
    weights = transfer(point.limit)[:, :-1]
    return point.mean(weights.sum(1) - jnp.diagonal(weights))


QUANTITIES: dict[str, Quantity] = {
    "spectral_radius": Quantity("spectral radius ρ(Q)", "1", _spectral_radius),
    "mse": Quantity("MSE in the limit", "σ²", lambda p: p.each(mse(p.limit)), ("entity",)),
    "mean_mse": Quantity("mean MSE in the limit", "σ²", lambda p: p.mean(mse(p.limit))),
    "mspe": Quantity("MSPE in the limit", "σ²", _mspe, ("entity", "task")),
    "relative_efficiency": Quantity(
        "relative efficiency", "1", lambda p: p.each(relative_efficiency(p.limit)), ("entity",)
    ),
    "mean_relative_efficiency": Quantity(
        "mean relative efficiency", "1", lambda p: p.mean(relative_efficiency(p.limit))
    ),
    "homogenization": Quantity(
        "homogenization (mean error correlation)", "1", lambda p: homogenization(p.limit, p.present)
    ),
    "transfer": Quantity("transfer (weight on each dataset)", "1", _transfer, ("entity", "dataset")),
    "mean_transfer": Quantity("transfer (weight on others' private data)", "1", _from_others),
    "lemma1_applies": Quantity(
        "condition of Lemma 1 holds", "1", lambda p: jnp.asarray(lemma1(p.ecosystem, p.weights).applies, float)
    ),
    "lemma1_bound": Quantity("bound of Lemma 1", "1", lambda p: lemma1(p.ecosystem, p.weights).bound),
    "common_prompts_stable": Quantity(
        "common-prompt criterion says stable",
        "1",
        lambda p: common_prompts(p.ecosystem, p.weights).stable.astype(float),
    ),
    "universal_bound": Quantity("bound of Theorem U", "1", lambda p: universal_bound(p.ecosystem)),
    "mse_trajectory": Quantity("MSE", "σ²", lambda p: p.each(p.mse_trajectory), ("generation", "entity")),
    "mean_mse_trajectory": Quantity("mean MSE", "σ²", lambda p: p.mean(p.mse_trajectory), ("generation",)),
    "monte_carlo_mse": Quantity(
        "MSE by Monte Carlo", "σ²", lambda p: p.each(p.simulation.mse), ("generation", "entity")
    ),
    "monte_carlo_mse_se": Quantity(
        "standard error of the MSE", "σ²", lambda p: p.each(p.simulation.mse_se), ("generation", "entity")
    ),
}
