"""Lemma 1 on random ecosystems: ρ(Q) against its explicit bound, and outside its condition."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..proofs_check.lemma1 import MOST_TRIALS, Sizes, Survey, survey
from .report import Report, Request, save
from .settings import Seed, Within
from .style import DASHES, color, grid_of_axes, styled

_MOST_GROUPS = 3  # of values of K, which share a curve
_VISIBLE = 0.001  # growth per generation that shows within a thousand generations
_LOWEST = 1e-6  # end of the axis of 1 - bound
_SHOWN = 6000  # ecosystems drawn


@dataclass(frozen=True)
class Settings:
    """Settings of the figure; lemma1.toml says what they are and holds the shipped ones."""

    seed: Seed
    trials: Annotated[int, Within(100, MOST_TRIALS)]
    entities_min: Annotated[int, Within(2, 50)]
    entities_max: Annotated[int, Within(2, 50)]
    dimension_min: Annotated[int, Within(2, 20)]
    dimension_max: Annotated[int, Within(2, 20)]

    def __post_init__(self) -> None:
        self.sizes.check()

    @property
    def sizes(self) -> Sizes:
        """Ranges of K and d."""
        return Sizes(self.entities_min, self.entities_max, self.dimension_min, self.dimension_max)


def draw(request: Request, settings: Settings) -> Report:
    """Survey random ecosystems, and write the figure."""
    found = survey(settings.seed, settings.trials, settings.sizes)
    excess = _excess(found, settings)
    columns = {
        "entities": found.within.entities,
        "dimension": found.within.features,
        "spectral_radius": found.within.spectral_radius,
        "bound": _bound(found),
        "entities_outside": found.outside.entities,
        "dimension_outside": found.outside.features,
        "kind_outside": found.outside.kind,
        "spectral_radius_outside": found.radius_outside,
    }
    return save(request, _report(found, excess, settings), _figure(found, excess), columns)


def _bound(found: Survey) -> np.ndarray:
    """Lemma 1's bound on ρ(Q) of the ecosystems within its condition."""
    return np.asarray(found.within.spectral_radius + found.slack)


def _excess(found: Survey, settings: Settings) -> dict[str, np.ndarray]:
    """ρ(Q) - 1 of the ecosystems with unrelated prompts, by number of entities."""
    unrelated, entities = found.outside.kind == 0, found.outside.entities
    from_largest = np.arange(settings.entities_min, settings.entities_max + 1)[::-1]
    groups = [group[::-1] for group in np.array_split(from_largest, _MOST_GROUPS)[::-1] if len(group)]
    return {
        f"K = {_span(group[0], group[-1])}": found.radius_outside[unrelated & np.isin(entities, group)] - 1
        for group in groups
    }


def _span(least: int, most: int) -> str:
    return f"{least} to {most}" if least < most else f"{least}"


def _figure(found: Survey, excess: dict[str, np.ndarray]) -> Figure:
    """Gap of ρ(Q) to one against that of the bound within the condition, and exceedance of one with unrelated prompts."""
    with styled():
        figure, ((within, outside),) = grid_of_axes(1, 2, (9, 3.6))
        _draw_within(within, found)
        for number, (name, values) in enumerate(excess.items()):
            above = 1 - np.arange(len(values)) / len(values)
            outside.plot(np.sort(values), above, DASHES[number], color=color(number), label=name)
        outside.set(
            xlabel="ρ(Q) - 1, growth per generation",
            ylabel="fraction of ecosystems above",
            xlim=(1e-4, 1),
            ylim=(1e-5, 1),
            xscale="log",
            yscale="log",
            title="outside the condition: unrelated prompts",
        )
        outside.legend(loc="lower left")
    return figure


def _draw_within(axes: Axes, found: Survey) -> None:
    shown = slice(None, None, max(1, len(found.slack) // _SHOWN))
    gaps = [np.maximum(1 - values[shown], _LOWEST) for values in (_bound(found), found.within.spectral_radius)]
    axes.plot(*gaps, ".", color=color(1), markersize=2, alpha=0.5, rasterized=True)
    axes.plot([_LOWEST, 1], [_LOWEST, 1], color=color(0), label="ρ(Q) = bound")
    axes.set(
        xlabel=f"1 - bound of Lemma 1 (drawn at {_LOWEST:g} if less)",
        ylabel="1 - ρ(Q)",
        xscale="log",
        yscale="log",
        title="within the condition: ρ(Q) below the bound is above the line",
    )
    axes.legend(loc="lower right")


def _report(found: Survey, excess: dict[str, np.ndarray], settings: Settings) -> Report:
    trials, unrelated, large_beta = len(found.slack), len(found.outside_of(0)), found.outside_of(1)
    growing = {name: float((values > _VISIBLE).mean()) for name, values in excess.items() if len(values)}
    verdict = f"ρ(Q) against the bound: {found.complaint}" if found.complaint else "ρ(Q) never exceeds the bound"
    worst = found.worst
    assert worst is not None  # K, d ≥ 2: unrelated prompts are no mixture of private and public inputs
    return Report(
        "lemma1",
        "Lemma 1 on random ecosystems",
        f"Within the condition {verdict} ({trials} ecosystems). Where entities publish labels for inputs unrelated to their "
        f"data, up to {max(growing.values()):.1%} grow by more than {_VISIBLE:.1%} per generation, the worst (K = "
        f"{worst.drawn.entities}, d = {worst.drawn.features}) by a factor of {worst.enclosure.lower:.3f}. Where the inputs are "
        f"mixtures of private and public ones, but β > λ, the largest ρ(Q) is {large_beta.max():.6f}.",
        f"{trials} random ecosystems within the condition and {unrelated} with unrelated prompts, K from {settings.entities_min} "
        f"to {settings.entities_max}, d from {settings.dimension_min} to {settings.dimension_max}; "
        f"ranks from 1, λ, γ, α and β random; seed {settings.seed}. "
        "Lemma 1: γS = λS~ + (1-λ)S_* and β ≤ λ give ρ(Q) ≤ 1/(1+εδ), see docs/theory.md.",
        {
            "trials": trials,
            "smallest_slack": float(found.slack.min()),
            "violations": found.decided.get("above", 0),
            "decided_exactly": found.decided,
            "growing_outside": growing,
            "largest_spectral_radius_outside": worst.enclosure.lower,
            "largest_spectral_radius_where_beta_exceeds_mixing": float(large_beta.max()),
        },
    )
