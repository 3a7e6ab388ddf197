"""What each entity gains on every task from training on the others' outputs, over α and β; by default on real data."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from crossfeed.errors import DependsOnTheta, InvalidInput, NoLimit

from ..sim import bundled_ecosystem, sharded_grid
from ..theory import Ecosystem, Weights, limit, mspe, save_ecosystem
from .report import Report, Request, save
from .style import grid_of_axes, heat_map, styled

DATASET, ENTITIES = "diabetes", 3
_SHOWN = 5  # entities and tasks drawn; the CSV holds all
_LARGEST_CHANGE = 1.0  # log₂; the scale ends there


def draw(request: Request) -> Report:
    """The figure for scikit-learn's bundled diabetes data."""
    ecosystem = bundled_ecosystem(DATASET, ENTITIES)
    save_ecosystem(ecosystem, request.folder / "real_data_ecosystem.npz")
    source = f"scikit-learn's {DATASET} data, {ENTITIES} entities own different slices"
    report = draw_ecosystem(request, ecosystem, "real_data", source)
    report.files.append("real_data_ecosystem.npz")
    return report


def draw_ecosystem(request: Request, ecosystem: Ecosystem, name: str, source: str) -> Report:
    """MSPE of every entity on every task, relative to its best without synthetic data, as heat maps over (α, β).

    Raises:
        NoLimit: there is none at any of these weights.
        InvalidInput: no entity has private data, hence a task.
        DependsOnTheta: estimates are biased, and the ecosystem has no θ.
    """
    points = 31 if request.quick else 61
    alphas, betas = np.linspace(0.01, 0.95, points), np.linspace(0.01, 0.99, points)
    errors = _errors(ecosystem, alphas, betas)
    alone = _errors(ecosystem, np.zeros(1), betas)
    if np.isnan(errors).any() or np.isnan(alone).any():
        raise DependsOnTheta(
            f"{source}: some estimates are biased, so their error depends on theta, which is not given"
        )

    if not np.isfinite(errors).any() or not np.isfinite(alone).any():
        raise NoLimit(f"{source}: there is no limit at any α and β, so there is no error to predict")
    # An entity without private data has no task to err on.
    tasks = np.flatnonzero(np.asarray(ecosystem.private).any(axis=(1, 2)))
    if not len(tasks):
        raise InvalidInput(f"{source}: private is zero for every entity, so there is no task to predict an error on")
    # The best common weights, and the best that entities reach without each other's outputs: geometric means over tasks.
    log_errors, log_alone = np.log(errors[..., tasks]), np.log(alone[..., tasks])
    row, column = np.unravel_index(log_errors.mean(axis=(2, 3)).argmin(), errors.shape[:2])
    row_alone = log_alone.mean(axis=(1, 2, 3)).argmin()
    ratio = log_errors[row, column] - log_alone[row_alone, 0]
    own = np.arange(ecosystem.entities)[:, None] == tasks
    gains = {"own task": np.exp(ratio[own].mean())}
    if ecosystem.entities > 1:
        gains["others' tasks"] = np.exp(ratio[~own].mean())
    best = (alphas[column], betas[row])
    change = (log_errors - log_alone[row_alone, 0]) / np.log(2)
    cut = f"; the first {_SHOWN} of {ecosystem.entities} entities" if ecosystem.entities > _SHOWN else ""
    report = Report(
        name,
        "Prediction error on every task, over α and β",
        f"At the best common weights (α = {best[0]:.2f}, β = {best[1]:.2f}, star) the error is, of what the best β gives without "
        f"each other's outputs, {' and '.join(f'{value:.2f} on the {task}' for task, value in gains.items())}.",
        f"{source}; d = {ecosystem.dimension}; exact limit; log₂ of MSPE over the MSPE of the same entity at α = 0 and the "
        f"β = {betas[row_alone]:.2f} that is best there: negative is a gain. Best: smallest geometric mean over entities and "
        f"tasks{cut}.",
        {
            "best_alpha": float(best[0]),
            "best_beta": float(best[1]),
            "best_beta_without_synthetic_data": float(betas[row_alone]),
            "error_ratio": {task: float(value) for task, value in gains.items()},
        },
    )
    everyone = np.arange(1, ecosystem.entities + 1)
    columns = {
        "beta": betas[:, None, None, None],
        "alpha": alphas[:, None, None],
        "entity": everyone[:, None],
        "task": everyone,
        "mspe": errors,
        "mspe_without_synthetic_data": alone,
    }
    with styled():
        return save(request, report, _heat_maps(alphas, betas, change, tasks, best), columns)


def _errors(ecosystem: Ecosystem, alphas, betas) -> Float[np.ndarray, "beta alpha entity task"]:
    error = lambda beta, alpha: mspe(limit(ecosystem, Weights(alpha, beta)))  # noqa: E731
    over_grid = jax.jit(lambda *axes: sharded_grid(error, *axes))
    return np.asarray(over_grid(jnp.asarray(betas), jnp.asarray(alphas)))


def _heat_maps(alphas, betas, change: Float[np.ndarray, "beta alpha entity task"], tasks, best):
    change = np.where(np.isfinite(change), change, np.nan)[:, :, :_SHOWN, :_SHOWN]  # no limit: left white
    rows, columns = change.shape[2:]
    largest = min(np.nanmax(np.abs(change)), _LARGEST_CHANGE)  # the middle of the scale is no change
    limits = {"vmin": -largest, "vmax": largest}
    size = (2.6 * columns + 1, 2.3 * rows)
    figure, axes = grid_of_axes(rows, columns, size, sharex=True, sharey=True)
    panels = [(entity, task, panel) for entity, row in enumerate(axes) for task, panel in enumerate(row)]
    images = []
    for entity, task, panel in panels:
        images.append(heat_map(panel, alphas, betas, change[:, :, entity, task], np.arange(-6, 6.5, 0.5), **limits))
        panel.plot(*best, "*", color="white", markeredgecolor="black", markersize=9)
        panel.set_title(f"entity {entity + 1} on task {tasks[task] + 1}")
        panel.set(xlabel="α, synthetic", ylabel="β, private")
        panel.label_outer()
    figure.colorbar(
        images[0], ax=[panel for _, _, panel in panels], label="log₂ of MSPE over the best at α = 0", extend="both"
    )
    return figure
