"""Change of every entity's prediction error on every task by synthetic data, over α and β; by default on real data."""

from dataclasses import dataclass
from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from matplotlib.figure import Figure

from crossfeed.errors import DependsOnTheta, InvalidInput, NoLimit

from ..decide import Measure, best_weights
from ..sim import bundled_ecosystem, cached_tile, sharded_grid
from ..sim.real_data import DATASETS
from ..theory import Ecosystem, Weights, limit, mspe, save_ecosystem
from .report import Report, Request, save
from .settings import Points, Within
from .style import grid_of_axes, heat_map, styled

_SHOWN = 5  # entities and tasks drawn; the CSV holds all
_LARGEST_CHANGE = 1.0  # end of the color scale, in powers of two


@dataclass(frozen=True)
class Settings:
    """Settings of the figure; real_data.toml says what they are and holds the shipped ones."""

    dataset: str
    entities: Annotated[int, Within(1, 100)]
    points: Points

    def __post_init__(self) -> None:
        if self.dataset not in DATASETS:
            raise InvalidInput(f"dataset is {self.dataset!r}, but must be one of {', '.join(DATASETS)}")


@dataclass(frozen=True)
class TaskErrors:
    """Exact prediction errors of all entities in the limit, with and without synthetic data.

    Attributes:
        alphas: values of α.
        betas: values of β.
        errors: MSPE of every entity on every task; `inf` where there is no limit.
        alone: the same at α = 0, without synthetic data.
        tasks: indices of the entities with private data, which have a task.
        best: (α, β) of the common weights with the smallest geometric mean error over entities and tasks.
        at_best: errors of every entity on every task there.
        best_alone: index of β with the smallest geometric mean error at α = 0.
    """

    alphas: Float[np.ndarray, " alpha"]
    betas: Float[np.ndarray, " beta"]
    errors: Float[np.ndarray, "beta alpha entity entity"]
    alone: Float[np.ndarray, "beta 1 entity entity"]
    tasks: Int[np.ndarray, " task"]
    best: tuple[float, float]
    at_best: Float[np.ndarray, "entity entity"]
    best_alone: int

    def log_ratio(
        self, errors: Float[np.ndarray, "*several entity entity"]
    ) -> Float[np.ndarray, "*several entity task"]:
        """Logarithm of errors over those at α = 0 with the best β there."""
        return np.log(errors[..., self.tasks]) - np.log(self.alone[self.best_alone, 0][:, self.tasks])


def draw(request: Request, settings: Settings) -> Report:
    """Compute and write the figure of a data set of scikit-learn's."""
    ecosystem = bundled_ecosystem(settings.dataset, settings.entities)
    save_ecosystem(ecosystem, request.folder / "real_data_ecosystem.npz")
    source = f"scikit-learn's {settings.dataset} data, {settings.entities} entities that own different slices"
    report = draw_ecosystem(request, ecosystem, "real_data", source, settings.points)
    report.files.append("real_data_ecosystem.npz")
    return report


def draw_ecosystem(request: Request, ecosystem: Ecosystem, name: str, source: str, points: int) -> Report:
    """Compute and write heat maps over (α, β) of the change of every entity's MSPE on every task by synthetic data.

    Args:
        name: stem of the files.
        source: description of the ecosystem, for the figure and for error messages.
        points: number of values of α, and of β.

    Raises:
        NoLimit, InvalidInput, DependsOnTheta: as `compute`.
    """
    found = compute(ecosystem, source, points)
    everyone = np.arange(1, ecosystem.entities + 1)
    columns = {
        "beta": found.betas[:, None, None, None],
        "alpha": found.alphas[:, None, None],
        "entity": everyone[:, None],
        "task": everyone,
        "mspe": found.errors,
        "mspe_without_synthetic_data": found.alone,
    }
    return save(request, _report(found, ecosystem, name, source), _figure(found), columns)


def compute(ecosystem: Ecosystem, source: str, points: int) -> TaskErrors:
    """Exact prediction errors over a grid with this number of values of α and of β.

    Args:
        source: description of the ecosystem, for error messages.

    Raises:
        NoLimit: there is no limit at any of these weights.
        InvalidInput: no entity has private data, and so a task.
        DependsOnTheta: estimates are biased, and the ecosystem has no θ.
    """
    alphas, betas = np.linspace(0.01, 0.95, points), np.linspace(0.01, 0.99, points)
    errors = _errors(ecosystem, alphas, betas)
    alone = _errors(ecosystem, np.zeros(1), betas)
    if np.isnan(errors).any() or np.isnan(alone).any():
        raise DependsOnTheta(
            f"{source}: some estimates are biased, so their error depends on theta, which is not given"
        )
    if not np.isfinite(errors).any() or not np.isfinite(alone).any():
        raise NoLimit(f"{source}: there is no limit at any α and β, so there is no error to predict")
    tasks = np.flatnonzero(np.asarray(ecosystem.private.gram).any(axis=(1, 2)))
    if not len(tasks):
        raise InvalidInput(f"{source}: private is zero for every entity, so there is no task to predict an error on")
    row_alone = np.log(alone[..., tasks]).mean(axis=(1, 2, 3)).argmin()
    found = best_weights(ecosystem, Measure(lambda law: jnp.log(mspe(law)[:, tasks]).mean())).weights
    best = float(found.alpha), float(found.beta)
    at_best = np.asarray(mspe(limit(ecosystem, found)))
    return TaskErrors(alphas, betas, errors, alone, tasks, best, at_best, int(row_alone))


def _errors(
    ecosystem: Ecosystem, alphas: Float[np.ndarray, " alpha"], betas: Float[np.ndarray, " beta"]
) -> Float[np.ndarray, "beta alpha entity task"]:
    def error(beta: Float[Array, ""], alpha: Float[Array, ""]) -> Float[Array, "entity task"]:
        return mspe(limit(ecosystem, Weights(alpha, beta)))

    over_grid = jax.jit(
        lambda *axes: sharded_grid(error, *axes, tile=cached_tile(ecosystem.entities, ecosystem.dimension))
    )
    return np.asarray(over_grid(jnp.asarray(betas), jnp.asarray(alphas)))


def _figure(found: TaskErrors) -> Figure:
    """One heat map of the change per entity and task, with the best common weights marked."""
    change = found.log_ratio(found.errors) / np.log(2)
    change = np.where(np.isfinite(change), change, np.nan)[:, :, :_SHOWN, :_SHOWN]  # white where there is no limit
    rows, columns = change.shape[2:]
    largest = min(np.nanmax(np.abs(change)), _LARGEST_CHANGE)  # the middle of the scale is no change
    levels, limits = np.arange(-6, 6.5, 0.5), {"vmin": -largest, "vmax": largest}
    with styled():
        size = (2.6 * columns + 1, 2.3 * rows)
        figure, axes = grid_of_axes(rows, columns, size, sharex=True, sharey=True)
        panels = [(entity, task, panel) for entity, row in enumerate(axes) for task, panel in enumerate(row)]
        images = []
        for entity, task, panel in panels:
            images.append(heat_map(panel, found.alphas, found.betas, change[:, :, entity, task], levels, **limits))
            panel.plot(*found.best, "*", color="white", markeredgecolor="black", markersize=9)
            panel.set_title(f"entity {entity + 1} on task {found.tasks[task] + 1}")
            panel.set(xlabel="α, synthetic", ylabel="β, private")
            panel.label_outer()
        label = "log₂ of MSPE over the best at α = 0"
        figure.colorbar(images[0], ax=[panel for _, _, panel in panels], label=label, extend="both")
    return figure


def _report(found: TaskErrors, ecosystem: Ecosystem, name: str, source: str) -> Report:
    alpha, beta = found.best
    beta_alone = float(found.betas[found.best_alone])
    ratio = found.log_ratio(found.at_best)
    own = np.arange(ecosystem.entities)[:, None] == found.tasks
    gains = {"own task": float(np.exp(ratio[own].mean()))}
    if ecosystem.entities > 1:
        gains["others' tasks"] = float(np.exp(ratio[~own].mean()))
    changes = " and ".join(f"by {value:.2f} on the {task}" for task, value in gains.items())
    cut = f"; the first {_SHOWN} of {ecosystem.entities} entities" if ecosystem.entities > _SHOWN else ""
    return Report(
        name,
        "Prediction error on every task, over α and β",
        f"The best common weights (α = {alpha:.2f}, β = {beta:.2f}, star) multiply the error that entities reach without "
        f"synthetic data {changes}.",
        f"{source}; d = {ecosystem.dimension}; exact limit; log₂ of the MSPE over that of the same entity at α = 0 and "
        f"β = {beta_alone:.2f}, the best β there; negative values are gains. Best: smallest geometric mean over entities and "
        f"tasks{cut}.",
        {
            "best_alpha": alpha,
            "best_beta": beta,
            "best_beta_without_synthetic_data": beta_alone,
            "error_ratio": gains,
        },
    )
