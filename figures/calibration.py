"""Figure 2 calibrated: an ecosystem fitted to the 360 published points, by gradients through the exact theory."""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float
from matplotlib.figure import Figure

from crossfeed.random_keys import seeded_key

from ..theory import Ecosystem, ecosystem_from_grams, save_ecosystem
from .relative_efficiency import BETAS, DIMENSION, ENTITIES, RANK, efficiency_curves
from .report import Report, Request, save
from .style import grid_of_axes, line, points, styled

ALPHAS = np.linspace(0.001, 0.99, 30)  # the published grid
_READING = 0.0002  # accuracy to which the published plot can be read
_PUBLIC_ROWS = 20


@dataclass(frozen=True)
class Calibration:
    """Ecosystem fitted to the published points.

    Attributes:
        ecosystem: the fitted ecosystem.
        published: the published relative efficiencies.
        residual: fitted minus published.
        fine: values of α for smooth curves.
        curves: exact relative efficiencies of the fitted ecosystem at `fine`.
    """

    ecosystem: Ecosystem
    published: Float[np.ndarray, "beta alpha entity"]
    residual: Float[np.ndarray, "beta alpha entity"]
    fine: Float[np.ndarray, " fine"]
    curves: Float[np.ndarray, "beta fine entity"]


class FeatureGuess(eqx.Module):
    """Features to fit: the private rows of every entity, for which it also publishes labels, and the public rows."""

    private: Float[Array, "entity rank d"]
    public: Float[Array, "rows d"]

    def ecosystem(self) -> Ecosystem:
        """Ecosystem of these features, with σ² = 1, on which relative efficiency does not depend."""
        private = self.private.mT @ self.private
        return ecosystem_from_grams(private, self.public.T @ self.public, private)


def published_points() -> Float[np.ndarray, "beta alpha entity"]:
    """Relative efficiencies read off the vector graphic of Figure 2 of arXiv 2505.21677 v3, to about ± 0.0002."""
    values = np.full((len(BETAS), len(ALPHAS), ENTITIES), np.nan)
    with Path(__file__).with_name("fig2_published_points.csv").open() as file:
        for row in csv.DictReader(file):
            place = np.abs(ALPHAS - float(row["alpha"])).argmin()
            values[BETAS.index(float(row["beta"])), place, int(row["model"]) - 1] = float(row["relative_efficiency"])
    return values


def fit(
    target: Float[Array, "beta alpha entity"], steps: int, seed: int
) -> tuple[FeatureGuess, Float[Array, "beta alpha entity"]]:
    """Features whose exact efficiencies are closest to the target, by L-BFGS from a random start, and their residuals."""
    key_private, key_public = jax.random.split(seeded_key(seed))
    start = FeatureGuess(
        jax.random.normal(key_private, (ENTITIES, RANK, DIMENSION), dtype=float),
        jax.random.normal(key_public, (_PUBLIC_ROWS, DIMENSION), dtype=float),
    )

    def residuals(guess: FeatureGuess) -> Float[Array, "beta alpha entity"]:
        return efficiency_curves(guess.ecosystem(), jnp.asarray(ALPHAS), jnp.array(BETAS)) - target

    def loss(guess: FeatureGuess) -> Float[Array, ""]:
        return (residuals(guess) ** 2).sum()

    optimizer = optax.lbfgs(memory_size=30)  # its type annotations do not allow modules as parameters, hence Any below
    value_and_grad = optax.value_and_grad_from_state(loss)

    def step(carry: tuple[Any, optax.OptState], _: None) -> tuple[tuple[Any, optax.OptState], None]:
        guess, state = carry
        value, gradient = value_and_grad(guess, state=state)
        with jax.numpy_dtype_promotion("standard"):  # Optax's line search mixes integer types
            update, state = optimizer.update(gradient, state, guess, value=value, grad=gradient, value_fn=loss)
        return (optax.apply_updates(guess, update), state), None

    @jax.jit
    def run(start: Any) -> tuple[FeatureGuess, Float[Array, "beta alpha entity"]]:
        (guess, _), _ = jax.lax.scan(step, (start, optimizer.init(start)), None, length=steps)
        return guess, residuals(guess)

    return run(start)


def compute(seed: int, steps: int, points: int) -> Calibration:
    """Fit to the published points, with this number of L-BFGS steps and of points on the curves."""
    published = published_points()
    guess, residual = fit(jnp.asarray(published), steps, seed)
    ecosystem, fine = guess.ecosystem(), jnp.linspace(0.001, 0.99, points)
    curves = jax.jit(efficiency_curves)(ecosystem, fine, jnp.array(BETAS))
    return Calibration(ecosystem, published, np.asarray(residual), np.asarray(fine), np.asarray(curves))


def draw(request: Request) -> Report:
    """Compute and write the figure, and the fitted ecosystem."""
    found = compute(request.seed, *((60, 100) if request.quick else (300, 300)))
    save_ecosystem(found.ecosystem, request.folder / "fig2_calibrated_ecosystem.npz")
    columns = {
        "beta": np.array(BETAS)[:, None, None],
        "alpha": ALPHAS[:, None],
        "model": np.arange(1, ENTITIES + 1),
        "published": found.published,
        "fitted": found.published + found.residual,
        "residual": found.residual,
    }
    return save(request, _report(found), _figure(found), columns)


def _figure(found: Calibration) -> Figure:
    """Published points with the fitted curves above, and the residuals below."""
    with styled():
        figure, axes = grid_of_axes(2, ENTITIES, (10, 4.4), sharex=True, sharey="row", height_ratios=[3, 1.3])
        for entity in range(ENTITIES):
            top, bottom = axes[0][entity], axes[1][entity]
            for b, beta in enumerate(BETAS):
                line(top, b, found.fine, found.curves[b, :, entity], f"β = {beta}")
                points(top, b, ALPHAS, found.published[b, :, entity])
                points(bottom, b, ALPHAS, found.residual[b, :, entity])
            top.set_title(f"entity {entity + 1}")
            bottom.axhspan(-_READING, _READING, color="#dddddd")
            bottom.set(xlabel="α, weight of synthetic data", xlim=(0, 1))
        axes[0][0].set_ylabel("relative efficiency")
        axes[0][0].legend()
        axes[1][0].set_ylabel("fit - published")
    return figure


def _report(found: Calibration) -> Report:
    size = np.abs(found.residual)
    largest, rms = float(size.max()), float(np.sqrt((found.residual**2).mean()))
    return Report(
        "fig2_calibrated",
        "Figure 2 calibrated to the published points",
        f"One ecosystem reproduces all {size.size} published points to within {largest:.4f}, with a root mean square error of "
        f"{rms:.5f}; {np.mean(size <= _READING):.0%} of them to within the ± {_READING} to which the plot can be read (gray band).",
        f"K = {ENTITIES}, d = {DIMENSION}, rank {RANK}, S = S~; lines: exact theory of the fitted ecosystem; points: read off "
        "Figure 2 of arXiv 2505.21677 v3.",
        {"points": size.size, "largest_residual": largest, "rms_residual": rms},
        ["fig2_calibrated_ecosystem.npz"],
    )
