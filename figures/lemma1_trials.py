"""Random trials of Lemma 1: distribution of its slack, growth outside its condition, and the worst ecosystem."""

import json
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from crossfeed.atomic_write import atomic_write
from crossfeed.random_keys import seeded_key

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
from .report import Report, Request, save, save_table
from .style import DASHES, MARKERS, color, grid_of_axes, styled
from .workflows.table import table_of_panels

_POINTS = 2000  # points of a curve over all trials, denser toward the largest values


@dataclass(frozen=True)
class TrialReport:
    """Outcome of random trials of Lemma 1.

    Attributes:
        summary: headline numbers, the content of `lemma1.json`.
        files: names of the files written.
        complaint: numbers of ecosystems within the condition that are not proved to obey the lemma; empty if all are.
    """

    summary: dict[str, object]
    files: list[str]
    complaint: str


def run_trials(request: Request, seed: int, trials: int, sizes: Sizes, progress: Callable[[int], None]) -> TrialReport:
    """Test Lemma 1 on random ecosystems within and outside its condition, decide the extremal ones exactly, and write the results.

    Args:
        request: the folder.
        seed: seed of the random ecosystems.
        trials: number of ecosystems within the condition, and of those outside it.
        sizes: ranges of K and d.
        progress: called with the number of ecosystems drawn so far.

    Raises:
        InvalidInput: more trials than fit the memory.
    """
    folder = request.folder
    found = survey(seed, trials, sizes, progress)
    files, divergence = ["extremal.npz"], None
    save_ecosystem(found.extremal.drawn.trimmed()[0], folder / "extremal.npz")
    if found.worst is not None and found.worst.enclosure.verdict == "unstable":
        ecosystem, weights = found.worst.drawn.trimmed()
        divergence = simulate_divergence(seeded_key(seed), ecosystem, weights, found.worst.enclosure.upper)
        save_ecosystem(ecosystem, folder / "worst.npz")
        files.append("worst.npz")
    summary: dict[str, object] = {
        "seed": seed,
        "entities_max": sizes.most_entities,
        "features_max": sizes.most_features,
    }
    summary |= summarize_survey(found, divergence)
    files += draw_trials(request, seed, found, divergence).files
    with atomic_write(folder / "lemma1.json") as part:
        part.write_text(json.dumps(summary, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
    return TrialReport(summary, [*files, "lemma1.json"], found.complaint)


def draw_trials(request: Request, seed: int, found: Survey, divergence: Divergence | None) -> Report:
    """Write the figure: slack within the condition, exceedance of ρ = 1 outside it, and the worst ecosystem's error."""
    edges, counts = slack_histogram(found.slack)
    report = Report(
        "slack",
        "Lemma 1 by trial",
        f"{len(found.slack)} ecosystems within the condition, {found.decided.get('above', 0)} proved to lie above the bound.",
        f"Seed {seed}.",
        {},
    )
    columns = {"slack_from": 10.0 ** edges[:-1], "slack_to": 10.0 ** edges[1:], "ecosystems": counts}
    for name, numbers in _curves(found, divergence).items():
        save_table(request.folder / f"{name}.csv", numbers)
        report.files.append(f"{name}.csv")
    return save(request, report, _figure(found, 10.0**edges, counts, divergence), columns)


def _curves(found: Survey, divergence: Divergence | None) -> dict[str, dict[str, np.ndarray]]:
    """Numbers behind the other panels, by the stem of their file."""
    panels = {}
    for kind, name in enumerate(OUTSIDE):
        growth, above = _exceedance(found.outside_of(kind) - 1)
        panels[name] = {"growth": growth, "fraction_above": above}
    tables = {"outside": table_of_panels(panels)}
    if divergence is not None:
        exact, simulated = np.asarray(divergence.exact), np.asarray(divergence.simulated)
        numbers = {"generation": np.arange(len(exact)), "exact": exact, "simulated": simulated}
        tables["divergence"] = numbers | {"standard_error": np.asarray(divergence.simulated_se)}
    return tables


def _figure(found: Survey, edges: np.ndarray, counts: np.ndarray, divergence: Divergence | None) -> Figure:
    """Histogram of the slack, exceedance curves of ρ(Q), and the worst ecosystem's error by generation if there is one."""
    columns = 3 if divergence is not None else 2
    with styled():
        figure, (axes,) = grid_of_axes(1, columns, (4.1 * columns, 3.6))
        axes[0].stairs(counts, edges, fill=True, color=color(1))
        axes[0].set(
            xlabel="slack of Lemma 1's bound, 1/(1+εδ) - ρ(Q)",
            ylabel="ecosystems",
            xscale="log",
            yscale="log",
            title="within the condition (first bin: zero to rounding)",
        )
        _draw_outside(axes[1], found)
        if divergence is not None:
            _draw_divergence(axes[2], divergence)
    return figure


def _exceedance(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sorted values, thinned out below the largest, and the fraction of all that is at least as large as each."""
    ordered, count = np.sort(values), len(values)
    if not count:
        return ordered, ordered
    shown = count - np.unique(np.geomspace(1, count, _POINTS).astype(int))
    return ordered[shown], (1 - np.arange(count) / count)[shown]


def _draw_outside(axes: Axes, found: Survey) -> None:
    for kind, name in enumerate(OUTSIDE):
        growth = found.outside_of(kind) - 1
        share = (growth > EXCESS).mean() if len(growth) else 0.0
        axes.plot(*_exceedance(growth), DASHES[kind], color=color(kind), label=f"{name}: {share:.2%}")
    axes.set(
        xlabel="ρ(Q) - 1, growth per generation",
        ylabel="fraction of ecosystems above",
        xlim=(EXCESS, 1),
        ylim=(1 / max(10, len(found.slack)), 1),
        xscale="log",
        yscale="log",
        title="outside the condition",
    )
    axes.legend(loc="lower left", title="with ρ(Q) > 1")


def _draw_divergence(axes: Axes, divergence: Divergence) -> None:
    exact, simulated = np.asarray(divergence.exact), np.asarray(divergence.simulated)
    time, radius = np.arange(len(exact)), float(divergence.spectral_radius)
    every = max(1, len(exact) // 20)
    axes.plot(time, exact, color=color(0), label="exact (Theorem 2)")
    axes.plot(time, exact[-1] * radius ** (time - time[-1]), DASHES[3], color=color(2), label=f"growth by {radius:.4f}")
    axes.errorbar(
        time[::every],
        simulated[::every],
        yerr=2 * np.asarray(divergence.simulated_se)[::every],
        fmt=MARKERS[0],
        color=color(1),
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
