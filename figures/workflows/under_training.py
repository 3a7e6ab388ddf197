"""Few gradient steps per generation: stability, error, and how long it takes entities to influence each other."""

from dataclasses import dataclass
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from crossfeed.random_keys import seeded_key

from ...theory import (
    PAPER,
    Ecosystem,
    GradientSteps,
    Law,
    Weights,
    Workflow,
    ecosystem_from_grams,
    limit,
    mse,
    random_gaussian,
    trajectory,
    transfer,
    worst_case,
)
from ..report import Report, Request, save
from ..settings import Dimension, Entities, InnerWeight, Positive, Seed, Within, check_rank
from ..style import DASHES, MARKERS, SERIES, color, grid_of_axes, line, styled, wide_line
from .table import table_of_panels

KNOWN = ((1, 3, -1), (2, 0, -3), (1, 2, 2))  # each entity's only private row, and its only published one: stable if
ASKED = ((2, 1, 3), (3, 3, 1), (3, 0, 0))  # trained to the end at α = 1/2, β = 1, but not after few steps
RANK, ROWS, SIZE = 2, 4, 3  # K = d = 3 in the first two panels

_OUT = 2.5  # where the exact minimizer is drawn, in units of the most steps
_EARLY = 2  # generation whose transfer is told


@dataclass(frozen=True)
class Settings:
    """Settings of the figure; under_training.toml says what they are and holds the shipped ones."""

    seed: Seed
    steps: Annotated[
        tuple[int, ...], Within(1, 10_000, longest=20)
    ]  # of size 1/L, L the largest eigenvalue of training data
    strength: Positive
    shown: Annotated[tuple[int, ...], Within(1, 10_000, longest=SERIES)]
    entities: Entities
    dimension: Dimension
    rank: Dimension
    alpha: InnerWeight
    beta: InnerWeight
    generations: Annotated[int, Within(_EARLY, 10_000)]

    def __post_init__(self) -> None:
        check_rank(self.rank, self.dimension)


@dataclass(frozen=True)
class Case:
    """An ecosystem and constant weights.

    Attributes:
        name: of the ecosystem, in the legend.
        ecosystem: the ecosystem.
        alpha: α.
        beta: β.
    """

    name: str
    ecosystem: Ecosystem
    alpha: float
    beta: float

    @property
    def rate(self) -> float:
        """1/L, with L the largest eigenvalue of the weighted Gram matrices of all entities' training data."""
        ecosystem = self.ecosystem
        private, public, pool = map(np.asarray, (ecosystem.private.gram, ecosystem.public.gram, ecosystem.pool_gram))
        grams = (1 - self.alpha) * (self.beta * private + (1 - self.beta) * public) + self.alpha * pool
        return 1 / float(np.linalg.eigvalsh(grams).max())


@dataclass(frozen=True)
class UnderTraining:
    """The numbers of the figure; the last entry of the axis `steps` is the exact minimizer.

    Attributes:
        radius: spectral radius of the recursion.
        error: mean MSE of the entities in the limit; infinite where there is none.
        heard: weight on the private data of all others by generation, mean over entities.
        settled: that weight in the limit.
    """

    radius: Float[np.ndarray, "steps case"]
    error: Float[np.ndarray, "steps case"]
    heard: Float[np.ndarray, "shown generation"]
    settled: Float[np.ndarray, " shown"]


def cases(settings: Settings) -> list[Case]:
    """Cases of the first two panels, all with K = d = 3."""
    known, asked = (np.einsum("ka,kb->kab", rows, rows) for rows in (np.array(KNOWN), np.array(ASKED)))
    misaligned = ecosystem_from_grams(known, np.zeros((SIZE, SIZE)), asked)
    drawn = random_gaussian(seeded_key(settings.seed), SIZE, SIZE, RANK, ROWS)
    aligned = ecosystem_from_grams(drawn.private.gram, drawn.public.gram, drawn.synthetic.gram)
    return [
        Case("misaligned", misaligned, 0.5, 1.0),
        Case("worst case", worst_case(SIZE, settings.strength), 0.5, 1.0),
        Case("aligned, α = 0.5", aligned, 0.5, 0.5),
        Case("aligned, α = 0.9", aligned, 0.9, 0.5),
    ]


def typical_case(settings: Settings) -> Case:
    """The case of the last panel, with features as in the paper's Figure 2."""
    ecosystem = random_gaussian(seeded_key(settings.seed), settings.entities, settings.dimension, settings.rank)
    return Case("typical", ecosystem, settings.alpha, settings.beta)


def compute(settings: Settings) -> UnderTraining:
    """Exact numbers of all panels."""
    every, typical = cases(settings), typical_case(settings)
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *(case.ecosystem for case in every))
    numbers = [jnp.array([getattr(case, name) for case in every]) for name in ("alpha", "beta", "rate")]

    def limits(steps: int | None) -> list[np.ndarray]:
        def of_case(ecosystem: Ecosystem, alpha: Array, beta: Array, rate: Array) -> tuple[Array, Array]:
            law = limit(ecosystem, Weights(alpha, beta), _workflow(steps, rate), throw=False)
            assert law.spectral_radius is not None  # a limit always has one
            return law.spectral_radius, mse(law).mean()

        return [np.asarray(values) for values in jax.jit(jax.vmap(of_case))(stacked, *numbers)]

    def paths(steps: int | None) -> tuple[np.ndarray, float]:
        weights, workflow = Weights(settings.alpha, settings.beta), _workflow(steps, typical.rate)
        path = jax.jit(lambda ecosystem: trajectory(ecosystem, weights, settings.generations, _heard, workflow))
        end = jax.jit(lambda ecosystem: _heard(limit(ecosystem, weights, workflow, throw=False)))
        return np.asarray(path(typical.ecosystem)), float(end(typical.ecosystem))

    radius, error = (np.stack(rows) for rows in zip(*map(limits, (*settings.steps, None)), strict=True))
    heard, settled = zip(*map(paths, (*settings.shown, None)), strict=True)
    return UnderTraining(radius, error, np.stack(heard), np.array(settled))


def _workflow(steps: int | None, rate: float | Array) -> Workflow:
    return PAPER if steps is None else Workflow(GradientSteps(steps, rate))


def _heard(law: Law) -> Float[Array, ""]:
    """Weight of an entity on the private data of all others, averaged over entities."""
    weights = transfer(law)[:, :-1]
    return (weights.sum(1) - jnp.diagonal(weights)).mean()


def draw(request: Request, settings: Settings) -> Report:
    """Compute and write the figure."""
    found, every = compute(settings), cases(settings)
    columns = table_of_panels(
        {
            case.name: {
                "steps": [*settings.steps, np.inf],
                "alpha": case.alpha,
                "spectral_radius": found.radius[:, number],
                "mse": found.error[:, number],
            }
            for number, case in enumerate(every)
        }
        | {
            "transfer": {
                "steps": np.array([*settings.shown, np.inf])[:, None],
                "alpha": settings.alpha,
                "generation": np.arange(settings.generations + 1),
                "transfer": found.heard,
                "transfer_in_limit": found.settled[:, None],
            }
        }
    )
    return save(
        request, _report(request, found, settings), _figure(found, settings, [case.name for case in every]), columns
    )


def _report(request: Request, found: UnderTraining, settings: Settings) -> Report:
    told = {str(n): float(found.radius[i, 0]) for i, n in enumerate(settings.steps[:3])}
    exact = float(found.radius[-1, 0])
    saved = float(1 - found.error[0, -1] / found.error[-1, -1])
    early = found.heard[:, _EARLY] / found.settled
    radii = "/".join(f"{radius:.3f}" for radius in told.values())
    measured = (
        f"ρ of the misaligned ecosystem is {exact:.3f} for the exact minimizer and {radii} with {'/'.join(told)} steps; after "
        f"{_EARLY} generations {early[0]:.0%} of the final transfer is there with {settings.shown[0]} steps, and with the exact "
        f"minimizer {early[-1]:.0%}."
    )
    return Report(
        "under_training",
        "Few gradient steps instead of the exact minimizer",
        measured
        if request.changed
        else f"Too few steps can destabilize: ρ is {exact:.3f} for the exact minimizer and {radii} with {'/'.join(told)} steps, "
        "through a complex pair of eigenvalues; where the minimizer diverges, few steps only slow it down. Limit "
        "means do not depend on steps: one "
        f"step averages noise over generations (aligned, α = 0.9: {saved:.0%} less error), but is slow: after 2 generations "
        f"{early[0]:.0%} of the final transfer is there, with the exact minimizer {early[-1]:.0%}.",
        "Exact; steps of size 1/λ_max(G) from the last estimate; first estimates are fitted exactly. Left and middle: K = d = 3. "
        f"Misaligned: private rows {_rows(KNOWN)}, published rows {_rows(ASKED)}, α = 1/2, β = 1. Worst-case family: "
        f"L = {settings.strength:g}, α = 1/2, β = 1. Aligned: S = S~, {ROWS} private rows of rank {RANK}, β = 1/2. Right: "
        f"K = {settings.entities}, private features of rank {settings.rank} in d = {settings.dimension}, S = S~, "
        f"α = {settings.alpha:g}, β = {settings.beta:g} (seed {settings.seed}).",
        {
            "spectral_radius_of_minimizer": exact,
            "spectral_radius_by_steps": told,
            "error_saved_by_one_step": saved,
            "transfer_after_2": {
                str(n): float(share) for n, share in zip((*settings.shown, "exact"), early, strict=True)
            },
        },
    )


def _rows(rows: tuple[tuple[int, ...], ...]) -> str:
    return ", ".join(f"({', '.join(map(str, row))})" for row in rows)


def _figure(found: UnderTraining, settings: Settings, names: list[str]) -> Figure:
    """Three panels: the spectral radius, the error in the limit, and the transfer by generation."""
    with styled():
        figure, (axes,) = grid_of_axes(1, 3, (10.5, 3.9))
        radii, errors, heard = axes
        for number, name in enumerate(names):
            _draw_by_steps(radii, settings.steps, number, found.radius[:, number], name)
            if np.isfinite(found.error[:, number]).all():
                ratio = found.error[:, number] / found.error[-1, number]
                _draw_by_steps(errors, settings.steps, number, ratio, name)
        radii.axhline(1, color="#888888", linewidth=0.8)
        radii.set(
            title="stability",
            ylabel="spectral radius ρ",
            ylim=(min(0.45, 0.9 * found.radius.min()), max(1.75, 1.1 * found.radius.max())),
        )
        errors.set(title="error in the limit", ylabel="mean MSE, relative to exact", ylim=(0, 1.05))
        generation = np.arange(settings.generations + 1)
        wide_line(heard, generation, found.heard[-1], "exact")
        for number, steps in enumerate(settings.shown):
            line(heard, number, generation, found.heard[number], f"{steps} step{'s' if steps > 1 else ''}")
        heard.axhline(found.settled[-1], color="#888888", linewidth=0.8)
        heard.set(title="transfer (gray line: limit)", xlabel="generation", ylim=(0, None))
        heard.set_ylabel("weight on others' private data")
        radii.legend(loc="upper left")
        errors.legend(loc="lower right")
        heard.legend(loc="lower right")
    return figure


def _draw_by_steps(
    panel: Axes, steps: tuple[int, ...], number: int, values: Float[np.ndarray, " steps"], label: str
) -> None:
    """Values against the number of steps, with that of the exact minimizer at the right."""
    out = _OUT * max(steps)
    panel.plot(steps, values[:-1], DASHES[number], color=color(number))
    look: dict[str, Any] = {"color": color(number), "markersize": 4, "markerfacecolor": "white"}
    panel.plot([*steps, out], values, MARKERS[number], **look)
    panel.plot([], [], DASHES[number] + MARKERS[number], label=label, **look)
    panel.set(xscale="log", xlabel="gradient steps per generation")
    panel.set_xticks([*steps, out], [*map(str, steps), "exact"])
    panel.minorticks_off()
