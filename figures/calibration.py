"""Figure 2 calibrated: an ecosystem fitted to the 360 published points, by gradients through the exact theory."""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float
from matplotlib.figure import Figure

from crossfeed.random_keys import seeded_key

from ..theory import Ecosystem, ecosystem_from_grams, save_ecosystem
from .relative_efficiency import efficiency_curves
from .report import Report, Request, save, save_table
from .settings import Dimension, Points, Seed, Within, check_rank
from .style import grid_of_axes, line, points, styled

ENTITIES, BETAS = 4, (0.1, 0.5, 0.9)
ALPHAS = np.linspace(0.001, 0.99, 30)  # the published grid
_READING = 0.0002  # accuracy to which the published plot can be read


@dataclass(frozen=True)
class Settings:
    """Settings of the figure; calibration.toml says what they are and holds the shipped ones."""

    seed: Seed
    dimension: Dimension
    rank: Dimension
    public_rows: Dimension
    steps: Annotated[int, Within(1, 10_000)]
    points: Points

    def __post_init__(self) -> None:
        check_rank(self.rank, self.dimension)


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
    target: Float[Array, "beta alpha entity"], settings: Settings
) -> tuple[FeatureGuess, Float[Array, "beta alpha entity"]]:
    """Features whose exact efficiencies are closest to the target, by L-BFGS from a random start, and their residuals."""
    key_private, key_public = jax.random.split(seeded_key(settings.seed))
    start = FeatureGuess(
        jax.random.normal(key_private, (ENTITIES, settings.rank, settings.dimension), dtype=float),
        jax.random.normal(key_public, (settings.public_rows, settings.dimension), dtype=float),
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
        (guess, _), _ = jax.lax.scan(step, (start, optimizer.init(start)), None, length=settings.steps)
        return guess, residuals(guess)

    return run(start)


def compute(settings: Settings) -> Calibration:
    """Fit to the published points."""
    published = published_points()
    guess, residual = fit(jnp.asarray(published), settings)
    ecosystem, fine = guess.ecosystem(), jnp.linspace(0.001, 0.99, settings.points)
    curves = jax.jit(efficiency_curves)(ecosystem, fine, jnp.array(BETAS))
    return Calibration(ecosystem, published, np.asarray(residual), np.asarray(fine), np.asarray(curves))


def draw(request: Request, settings: Settings) -> Report:
    """Compute and write the figure, and the fitted ecosystem."""
    found = compute(settings)
    save_ecosystem(found.ecosystem, request.folder / "fig2_calibrated_ecosystem.npz")
    columns = {
        "beta": np.array(BETAS)[:, None, None],
        "alpha": ALPHAS[:, None],
        "model": np.arange(1, ENTITIES + 1),
        "published": found.published,
        "fitted": found.published + found.residual,
        "residual": found.residual,
    }
    curves = {"beta": columns["beta"], "alpha": found.fine[:, None], "model": columns["model"], "fitted": found.curves}
    save_table(request.folder / "fig2_calibrated_curves.csv", curves)
    return save(request, _report(found, settings), _figure(found), columns)


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


def _report(found: Calibration, settings: Settings) -> Report:
    size = np.abs(found.residual)
    largest, rms = float(size.max()), float(np.sqrt((found.residual**2).mean()))
    return Report(
        "fig2_calibrated",
        "Figure 2 calibrated to the published points",
        f"One ecosystem reproduces all {size.size} published points to within {largest:.4f}, with a root mean square error of "
        f"{rms:.5f}; {np.mean(size <= _READING):.0%} of them to within the ± {_READING} to which the plot can be read (gray band).",
        f"K = {ENTITIES}, d = {settings.dimension}, rank {settings.rank}, S = S~; lines: exact theory of "
        "the fitted ecosystem; points: read off Figure 2 of arXiv 2505.21677 v3.",
        {"points": size.size, "largest_residual": largest, "rms_residual": rms},
        ["fig2_calibrated_ecosystem.npz", "fig2_calibrated_curves.csv"],
    )
