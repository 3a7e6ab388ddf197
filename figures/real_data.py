"""A real ecosystem: what each entity gains on every task from training on the others' outputs, over α and β."""

import jax
import jax.numpy as jnp
import numpy as np

from ..sim import bundled_ecosystem
from ..theory import Ecosystem, Weights, limit, mspe, save_ecosystem
from .report import Report, Request, save
from .style import grid_of_axes, heat_map, styled

DATASET, ENTITIES = "diabetes", 3


def draw(request: Request) -> Report:
    """The figure for scikit-learn's bundled diabetes data."""
    ecosystem = bundled_ecosystem(DATASET, ENTITIES)
    save_ecosystem(ecosystem, request.folder / "real_data_ecosystem.npz")
    report = draw_ecosystem(request, ecosystem, f"scikit-learn's {DATASET} data, {ENTITIES} entities own different slices")
    report.files.append("real_data_ecosystem.npz")
    return report


def draw_ecosystem(request: Request, ecosystem: Ecosystem, source: str) -> Report:
    """MSPE of every entity on every task, relative to the same entity at α = 0, as K × K heat maps over (α, β)."""
    points = 31 if request.quick else 61
    alphas, betas = jnp.linspace(0.01, 0.95, points), jnp.linspace(0.01, 0.99, points)
    error = lambda beta, alpha: mspe(limit(ecosystem, Weights(alpha, beta)))  # noqa: E731
    over_grid = jax.jit(jax.vmap(jax.vmap(error, in_axes=(None, 0)), in_axes=(0, None)))
    errors = np.asarray(over_grid(betas, alphas))
    alone = np.asarray(over_grid(betas, jnp.zeros(1)))
    change = np.log2(errors / alone)
    entities = ecosystem.entities
    own = np.eye(entities, dtype=bool)
    # The best common weights, and the best that entities reach without each other's outputs: geometric means over tasks.
    row, column = np.unravel_index(np.log(errors).mean(axis=(2, 3)).argmin(), errors.shape[:2])
    row_alone = np.log(alone).mean(axis=(1, 2, 3)).argmin()
    ratio = errors[row, column] / alone[row_alone, 0]
    gain_own, gain_other = (np.exp(np.log(ratio[mask]).mean()) for mask in (own, ~own))

    limits = {"vmin": max(change.min(), -6), "vmax": min(change.max(), 6)}
    with styled():
        size = (2.6 * entities + 1, 2.3 * entities)
        figure, axes = grid_of_axes(entities, entities, size, sharex=True, sharey=True)
        image = None
        for entity, line in enumerate(axes):
            for task, panel in enumerate(line):
                values = change[:, :, entity, task]
                image = heat_map(panel, alphas, betas, values, np.arange(-6, 6.5, 0.5), **limits)
                panel.plot(alphas[column], betas[row], "*", color="white", markeredgecolor="black", markersize=9)
                panel.set_title(f"entity {entity + 1} on task {task + 1}")
            line[0].set_ylabel("β, private")
        for panel in axes[-1]:
            panel.set_xlabel("α, synthetic")
        figure.colorbar(image, ax=axes, label="log₂ of error relative to α = 0")
        report = Report(
            "real_data",
            "Real data: prediction error on every task",
            f"At the best common weights (α = {alphas[column]:.2f}, β = {betas[row]:.2f}, star) the error on the others' tasks "
            f"is {gain_other:.2f} and on the own task {gain_own:.2f} of what the best β gives without each other's outputs.",
            f"{source}; d = {ecosystem.dimension}; exact limit; log₂ of MSPE over MSPE of the same entity at α = 0 and the "
            "same β: negative is a gain.",
            {
                "best_alpha": float(alphas[column]),
                "best_beta": float(betas[row]),
                "best_beta_without_synthetic_data": float(betas[row_alone]),
                "error_ratio_own_task": float(gain_own),
                "error_ratio_other_tasks": float(gain_other),
            },
        )
        return save(
            request,
            report,
            figure,
            {
                "beta": betas[:, None, None, None],
                "alpha": alphas[:, None, None],
                "entity": np.arange(1, entities + 1)[:, None],
                "task": np.arange(1, entities + 1),
                "mspe": errors,
                "mspe_without_synthetic_data": alone,
            },
        )
