"""Lemma 1 on random ecosystems: ρ(Q) against its explicit bound, and what happens outside its condition."""

import numpy as np

from ..proofs_check.lemma1 import Sizes, survey
from .report import Report, Request, save
from .style import COLORS, DASHES, grid_of_axes, styled

SIZES = Sizes(least_entities=2, most_entities=8, least_features=2, most_features=4)
_GROUPS = ((2, 3), (4, 5), (6, 8))  # of K, shown apart
_VISIBLE = 0.001  # a growth that a researcher would notice within a thousand generations


def draw(request: Request) -> Report:
    """Left: within the condition, every ecosystem lies on or above the line. Right: with unrelated prompts ρ(Q) may exceed one."""
    found = survey(request.seed, 3000 if request.quick else 60_000, SIZES)
    radius, bound = found.within.spectral_radius, found.within.spectral_radius + found.slack
    unrelated, entities = found.outside.kind == 0, found.outside.entities
    excess = {
        f"K = {least} to {most}": found.radius_outside[unrelated & (least <= entities) & (entities <= most)] - 1
        for least, most in _GROUPS
    }
    large_beta = found.outside_of(1)
    growing = {name: float((values > _VISIBLE).mean()) for name, values in excess.items()}
    worst = found.worst
    assert worst is not None  # K, d ≥ 2: unrelated prompts are no mixture

    with styled():
        figure, (axes,) = grid_of_axes(1, 2, (9, 3.6))
        shown = slice(None, None, max(1, len(radius) // 6000))
        lowest = 1e-6
        gaps = [np.maximum(1 - values[shown], lowest) for values in (bound, radius)]
        axes[0].plot(*gaps, ".", color=COLORS[1], markersize=2, alpha=0.5, rasterized=True)
        axes[0].plot([lowest, 1], [lowest, 1], color=COLORS[0], label="ρ(Q) = bound")
        axes[0].set(
            xlabel=f"1 - bound of Lemma 1 (drawn at {lowest:g} if less)",
            ylabel="1 - ρ(Q)",
            xscale="log",
            yscale="log",
            title="within the condition: ρ(Q) below the bound is above the line",
        )
        axes[0].legend(loc="lower right")
        for number, (name, values) in enumerate(excess.items()):
            above = 1 - np.arange(len(values)) / len(values)
            axes[1].plot(np.sort(values), above, DASHES[number], color=COLORS[number], label=name)
        axes[1].set(
            xlabel="ρ(Q) - 1, growth a generation",
            ylabel="fraction of ecosystems above",
            xlim=(1e-4, 1),
            ylim=(1e-5, 1),
            xscale="log",
            yscale="log",
            title="outside the condition: unrelated prompts",
        )
        axes[1].legend(loc="lower left")
        verdict = f"ρ(Q) against the bound: {found.complaint}" if found.complaint else "ρ(Q) never exceeds the bound"
        report = Report(
            "lemma1",
            "Lemma 1 on random ecosystems",
            f"Within the condition {verdict} ({len(radius)} ecosystems); where entities publish on inputs unrelated to "
            f"what they know, up to {max(growing.values()):.1%} diverge by more than {_VISIBLE:.1%} a generation, and the worst "
            f"(K = {worst.drawn.entities}, d = {worst.drawn.features}) by a factor {worst.enclosure.lower:.3f}. With mixtures of "
            f"what they know and public inputs, but β > λ, the largest ρ(Q) is {large_beta.max():.6f}.",
            f"{len(radius)} random ecosystems within and {int(unrelated.sum())} with unrelated prompts, K from 2 to 8, d from "
            f"2 to 4; ranks from 1, λ, γ, α and β random; seed {request.seed}. Lemma 1: γS = λS~ + (1-λ)S_* and β ≤ λ give "
            "ρ(Q) ≤ 1/(1+εδ), see docs/theory.md.",
            {
                "trials": len(radius),
                "smallest_slack": float(found.slack.min()),
                "violations": found.decided.get("above", 0),
                "decided_exactly": found.decided,
                "growing_outside": growing,
                "largest_spectral_radius_outside": worst.enclosure.lower,
                "largest_spectral_radius_where_beta_exceeds_mixing": float(large_beta.max()),
            },
        )
        return save(
            request,
            report,
            figure,
            {
                "entities": found.within.entities,
                "dimension": found.within.features,
                "spectral_radius": radius,
                "bound": bound,
                "entities_outside": entities,
                "dimension_outside": found.outside.features,
                "kind_outside": found.outside.kind,
                "spectral_radius_outside": found.radius_outside,
            },
        )
