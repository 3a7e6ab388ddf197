"""Figure 2: relative efficiency of every entity against α for three β, exact and by Monte Carlo."""

from dataclasses import dataclass
from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from matplotlib.figure import Figure

from crossfeed.random_keys import seeded_key

from ..sim import Decision, family_wise_test, make_moment_sampler, sharded_grid, simulate
from ..theory import Ecosystem, Weights, limit, minimum_variance, mse, random_gaussian, relative_efficiency, trajectory
from .report import Report, Request, save, save_table
from .settings import (
    Dimension,
    Entities,
    Generations,
    Points,
    Replicates,
    Seed,
    WeightSeries,
    Within,
    check_rank,
)
from .style import grid_of_axes, grid_of_panels, line, mean_and_band, name_axes, points, styled

_NUMBERS = ("", "one", "two", "three", "four")
_MOST_PANELS = 12  # entities with a panel of their own


@dataclass(frozen=True)
class Settings:
    """Settings of the figure; relative_efficiency.toml says what they are and holds the paper's."""

    seed: Seed
    entities: Entities
    dimension: Dimension
    rank: Dimension
    beta: WeightSeries
    points: Points
    generations: Generations
    replicates: Replicates
    sampled_alpha: Annotated[tuple[float, ...], Within(0, 1, longest=50)]

    def __post_init__(self) -> None:
        check_rank(self.rank, self.dimension)


@dataclass(frozen=True)
class Efficiencies:
    """Relative efficiencies of one random ecosystem over α and β.

    Attributes:
        alphas: values of α.
        exact: exact relative efficiencies in the limit.
        estimate: Monte Carlo estimates at the last generation.
        standard_error: standard errors of `estimate`.
        agreement: test of the simulated MSE against the exact MSE of the same generation.
    """

    alphas: Float[np.ndarray, " alpha"]
    exact: Float[np.ndarray, "beta alpha entity"]
    estimate: Float[np.ndarray, "beta sampled entity"]
    standard_error: Float[np.ndarray, "beta sampled entity"]
    agreement: Decision


def efficiency_curves(
    ecosystem: Ecosystem, alphas: Float[Array, " alpha"], betas: Float[Array, " beta"]
) -> Float[Array, "beta alpha entity"]:
    """Exact relative efficiency of every entity in the limit, over a grid of constant weights (Theorem 3)."""

    def efficiency(beta: Float[Array, ""], alpha: Float[Array, ""]) -> Float[Array, " entity"]:
        return relative_efficiency(limit(ecosystem, Weights(alpha, beta)))

    return jax.vmap(jax.vmap(efficiency, in_axes=(None, 0)), in_axes=(0, None))(betas, alphas)


def compute(settings: Settings) -> Efficiencies:
    """Exact and simulated relative efficiencies of one random ecosystem."""
    key_ecosystem, key_replicates = jax.random.split(seeded_key(settings.seed))
    ecosystem = random_gaussian(key_ecosystem, settings.entities, settings.dimension, settings.rank)
    betas, alphas = jnp.array(settings.beta), jnp.linspace(0.001, 0.99, settings.points)
    curves = jax.jit(efficiency_curves)(ecosystem, alphas, betas)
    sampler = make_moment_sampler(ecosystem)

    def monte_carlo(
        beta: Float[Array, ""], alpha: Float[Array, ""]
    ) -> tuple[Float[Array, " entity"], Float[Array, " entity"], Float[Array, " entity"]]:
        weights = Weights(alpha, beta)
        drawn = simulate(sampler, weights, settings.generations, settings.replicates, key_replicates)
        return drawn.mse[-1], drawn.mse_se[-1], trajectory(ecosystem, weights, settings.generations, mse)[-1]

    over_grid = jax.jit(lambda *axes: sharded_grid(monte_carlo, *axes, tile=1))
    error, error_se, exact = (np.asarray(x) for x in over_grid(betas, jnp.array(settings.sampled_alpha)))
    best = float(minimum_variance(ecosystem))
    agreement = family_wise_test([(error - exact) / error_se])
    efficiency, efficiency_se = best / error, best / error**2 * error_se
    return Efficiencies(np.asarray(alphas), np.asarray(curves), efficiency, efficiency_se, agreement)


def draw(request: Request, settings: Settings) -> Report:
    """Compute and write the figure, with a table of its Monte Carlo points."""
    found = compute(settings)
    axes = {"beta": np.array(settings.beta)[:, None, None], "entity": np.arange(1, settings.entities + 1)}
    exact = {"beta": axes["beta"], "alpha": found.alphas[:, None], "entity": axes["entity"]}
    sampled = exact | {"alpha": np.array(settings.sampled_alpha)[:, None]}
    simulated = {"relative_efficiency": found.estimate, "standard_error": found.standard_error}
    save_table(request.folder / "fig2_monte_carlo.csv", sampled | simulated)
    columns = exact | {"relative_efficiency": found.exact}
    return save(request, _report(found, settings), _figure(found, settings), columns)


def _figure(found: Efficiencies, settings: Settings) -> Figure:
    """One panel per entity, or one for the mean of many, with a line and Monte Carlo points for each β."""
    with styled():
        if settings.entities > _MOST_PANELS:
            return _figure_of_mean(found, settings)
        figure, panels = grid_of_panels(settings.entities, 2.25, 2.4)
        for entity, panel in enumerate(panels):
            for b, beta in enumerate(settings.beta):
                line(panel, b, found.alphas, found.exact[b, :, entity], f"β = {beta}")
                estimate, error = found.estimate[b, :, entity], found.standard_error[b, :, entity]
                points(panel, b, settings.sampled_alpha, estimate, error)
            panel.set(title=f"entity {entity + 1}", xlim=(0, 1))
        name_axes(panels, "α, weight of synthetic data", "relative efficiency")
        panels[0].set(ylim=(0, None))  # last, since it fixes the upper end of all panels
        panels[0].legend()
    return figure


def _figure_of_mean(found: Efficiencies, settings: Settings) -> Figure:
    """Mean over entities, with a band of the middle 80 %, and the mean of the Monte Carlo points."""
    figure, ((panel,),) = grid_of_axes(1, 1, (6, 3.6))
    for b, beta in enumerate(settings.beta):
        mean_and_band(panel, b, found.alphas, found.exact[b], f"β = {beta}")
        points(panel, b, settings.sampled_alpha, found.estimate[b].mean(axis=-1))
    panel.set(title=f"mean of {settings.entities} entities, band: the middle 80 % of them", xlim=(0, 1))
    panel.set(xlabel="α, weight of synthetic data", ylabel="relative efficiency", ylim=(0, None))
    panel.legend()
    return figure


def _report(found: Efficiencies, settings: Settings) -> Report:
    mean = found.exact.mean(axis=2)
    top = np.unravel_index(mean.argmax(), mean.shape)
    best, alpha = settings.beta[top[0]], float(found.alphas[top[1]])
    several = len(settings.beta) > 1
    of_these = f" of these {_NUMBERS[len(settings.beta)]}" if several else ""
    depends = ", and the best α depends on β: here" if several else ":"
    bars = "" if settings.entities > _MOST_PANELS else "; bars: two standard errors"
    return Report(
        "fig2",
        "Figure 2: relative efficiency against α",
        f"{_who_gains(found)}{depends} β = {best} with α = {alpha:.2f} is best{of_these} on average.",
        f"K = {settings.entities}, d = {settings.dimension}, private features of rank {settings.rank}, S = S~, one random "
        f"ecosystem (seed {settings.seed}); lines: exact limit (t → ∞); points: {settings.replicates} Monte Carlo replicates at "
        f"t = {settings.generations}{bars}.",
        {
            "best_mean_efficiency": float(mean[top]),
            "at_alpha": alpha,
            "at_beta": best,
            "monte_carlo": vars(found.agreement),
        },
        ["fig2_monte_carlo.csv"],
    )


def _who_gains(found: Efficiencies) -> str:
    """How many entities do best at a weight α between the ends of the grid, for every β."""
    best, entities = found.exact.argmax(axis=1), found.exact.shape[2]
    gaining = int(((best > 0) & (best < len(found.alphas) - 1)).all(axis=0).sum())
    who = "Every entity gains" if gaining == entities else f"{gaining} of {entities} entities gain"
    loses = "loses" if gaining == entities else "lose"
    return f"{who} from some synthetic data and {loses} from too much"
