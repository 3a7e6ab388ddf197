"""Any number of trials of Lemma 1: the distribution of its slack, growth outside its condition, and the worst ecosystem."""

import numpy as np

from ..proofs_check.lemma1 import EXCESS, OUTSIDE, Divergence, Survey, slack_histogram
from .report import Report, Request, save
from .style import COLOURS, DASHES, MARKERS, grid_of_axes, styled

_POINTS = 2000  # of a curve over all trials, the largest all shown


def draw_trials(request: Request, found: Survey, divergence: Divergence | None) -> Report:
    """Histogram of slack within the condition, exceedance of ρ = 1 outside it, and the worst ecosystem's error by generation."""
    edges, counts = slack_histogram(found.slack)
    columns = 3 if divergence is not None else 2
    with styled():
        figure, (axes,) = grid_of_axes(1, columns, (4.1 * columns, 3.6))
        axes[0].stairs(counts, 10.0**edges, fill=True, color=COLOURS[1])
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
            axes[1].plot(growth[shown], above[shown], DASHES[kind], color=COLOURS[kind], label=f"{name}: {share:.2%}")
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
    axes.plot(time, exact, color=COLOURS[0], label="exact (Theorem 2)")
    axes.plot(
        time, exact[-1] * radius ** (time - time[-1]), DASHES[3], color=COLOURS[2], label=f"growth by {radius:.4f}"
    )
    axes.errorbar(
        time[::every],
        simulated[::every],
        yerr=2 * np.asarray(divergence.simulated_se)[::every],
        fmt=MARKERS[0],
        color=COLOURS[1],
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
