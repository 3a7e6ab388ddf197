"""Any number of trials of Lemma 1: the distribution of its slack, growth outside its condition, and the worst ecosystem."""

import json
from collections.abc import Callable
from dataclasses import dataclass

import jax
import numpy as np

from crossfeed.atomic_write import atomic_write

from ..proofs_check.lemma1 import (
    EXCESS,
    OUTSIDE,
    Divergence,
    Sizes,
    Survey,
    simulate_divergence,
    slack_histogram,
    summarize_survey,
    survey,
)
from ..theory import save_ecosystem
from .report import Report, Request, save
from .style import COLORS, DASHES, MARKERS, grid_of_axes, styled

_POINTS = 2000  # of a curve over all trials, the largest all shown


@dataclass(frozen=True)
class TrialReport:
    """What trials leave behind.

    Attributes:
        summary: their numbers, as `lemma1.json` holds them.
        files: names of the files written.
        complaint: which ecosystems within the condition are not proved to obey the lemma; empty if all are.
    """

    summary: dict[str, object]
    files: list[str]
    complaint: str


def run_trials(request: Request, trials: int, sizes: Sizes, progress: Callable[[int], None]) -> TrialReport:
    """Draw ecosystems within and outside Lemma 1's condition, decide the extremal ones exactly, and write what was found.

    Args:
        trials: ecosystems within the condition, and as many for the outside.
        progress: receives the number of ecosystems drawn so far.

    Raises:
        InvalidInput: more trials than memory holds.
    """
    folder, seed = request.folder, request.seed
    found = survey(seed, trials, sizes, progress)
    files, divergence = ["extremal.npz"], None
    save_ecosystem(found.extremal.drawn.trimmed()[0], folder / "extremal.npz")
    if found.worst is not None and found.worst.enclosure.verdict == "unstable":
        ecosystem, weights = found.worst.drawn.trimmed()
        divergence = simulate_divergence(jax.random.key(seed), ecosystem, weights, found.worst.enclosure.upper)
        save_ecosystem(ecosystem, folder / "worst.npz")
        files.append("worst.npz")
    summary = {"seed": seed, "entities_max": sizes.most_entities, "features_max": sizes.most_features}
    summary |= summarize_survey(found, divergence)
    files += draw_trials(request, found, divergence).files
    with atomic_write(folder / "lemma1.json") as part:
        part.write_text(json.dumps(summary, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
    return TrialReport(summary, [*files, "lemma1.json"], found.complaint)


def draw_trials(request: Request, found: Survey, divergence: Divergence | None) -> Report:
    """Histogram of slack within the condition, exceedance of ρ = 1 outside it, and the worst ecosystem's error by generation."""
    edges, counts = slack_histogram(found.slack)
    columns = 3 if divergence is not None else 2
    with styled():
        figure, (axes,) = grid_of_axes(1, columns, (4.1 * columns, 3.6))
        axes[0].stairs(counts, 10.0**edges, fill=True, color=COLORS[1])
        axes[0].set(
            xlabel="slack of Lemma 1's bound, 1/(1+εδ) - ρ(Q)",
            ylabel="ecosystems",
            xscale="log",
            yscale="log",
            title="within the condition (first bin: zero to rounding)",
        )
        for kind, name in enumerate(OUTSIDE):
            growth = np.sort(found.outside_of(kind)) - 1
            share = (growth > EXCESS).mean() if len(growth) else 0.0
            above = 1 - np.arange(len(growth)) / max(1, len(growth))
            shown = len(growth) - np.unique(np.geomspace(1, len(growth), _POINTS).astype(int)) if len(growth) else []
            axes[1].plot(growth[shown], above[shown], DASHES[kind], color=COLORS[kind], label=f"{name}: {share:.2%}")
        axes[1].set(
            xlabel="ρ(Q) - 1, growth a generation",
            ylabel="fraction of ecosystems above",
            xlim=(EXCESS, 1),
            ylim=(1 / max(10, len(found.slack)), 1),
            xscale="log",
            yscale="log",
            title="outside the condition",
        )
        axes[1].legend(loc="lower left", title="with ρ(Q) > 1")
        if divergence is not None:
            _draw_divergence(axes[2], divergence)
        report = Report(
            "slack",
            "Lemma 1 by trial",
            f"{len(found.slack)} ecosystems within the condition, {found.decided.get('above', 0)} proved to lie above the bound.",
            f"Seed {request.seed}.",
            {},
        )
        numbers = {"slack_from": 10.0 ** edges[:-1], "slack_to": 10.0 ** edges[1:], "ecosystems": counts}
        return save(request, report, figure, numbers)


def _draw_divergence(axes, divergence: Divergence) -> None:
    exact, simulated = np.asarray(divergence.exact), np.asarray(divergence.simulated)
    time, radius = np.arange(len(exact)), float(divergence.spectral_radius)
    every = max(1, len(exact) // 20)
    axes.plot(time, exact, color=COLORS[0], label="exact (Theorem 2)")
    axes.plot(
        time, exact[-1] * radius ** (time - time[-1]), DASHES[3], color=COLORS[2], label=f"growth by {radius:.4f}"
    )
    axes.errorbar(
        time[::every],
        simulated[::every],
        yerr=2 * np.asarray(divergence.simulated_se)[::every],
        fmt=MARKERS[0],
        color=COLORS[1],
        markerfacecolor="white",
        markersize=3.5,
        label="simulated",
    )
    axes.set(
        xlabel="generation",
        ylabel="root mean squared error of all entities, σ",
        yscale="log",
        title="the worst ecosystem outside the condition",
    )
    axes.legend(loc="upper left")
