"""One page on runs of language models: who gains, what comes next and how far to trust it, and what other weights do."""

from collections.abc import Mapping

import numpy as np
import xarray as xr
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from crossfeed.errors import InvalidInput

from ...decide import LossAdvice, LossRuns, advise_on_losses, by_kind
from ...sim.lm import check_held
from ..page import write_page
from ..report import Report, Request, save
from ..style import MARKERS, color, grid_of_axes, line, styled
from ..workflows.table import table_of_panels
from .advice_words import KINDS, Similarities, seeds, sentences
from .plots import setting
from .tables import between_models

_SHOWN = 12  # models with bars of their own
_INTRODUCTION = (
    "Losses and similarities are measured. Forecasts, the factor per generation and the effect of changing α come from a linear "
    "recursion of losses fitted to these runs from generation 1 on (docs/decide.md), with intervals of 90 % for one run; "
    "differences between runs are judged at 95 %, by their spread over seeds, or, of one seed, by the noise of a generation."
)


def draw_loss_advice(
    request: Request, data: xr.Dataset, alpha: float | None, beta: float | None, source: str
) -> Report:
    """Compute the advice on one α and β of runs, and write the picture and the page `advice.html`.

    Args:
        request: where to write.
        data: measures of runs, from `open_runs`.
        alpha: α in use; None if the runs have a single one.
        beta: β in use; None if the runs have a single one.
        source: name of the runs.

    Raises:
        InvalidInput: no run has this α or β, one is missing, no seed is finished there, or there are too few generations.
    """
    alpha, beta = _in_use("alpha", alpha, data.alpha.values), _in_use("beta", beta, data.beta.values)
    losses = data.loss.transpose("seed", "alpha", "beta", "generation", "entity", "dataset")
    _refuse_unfinished(losses.sel(alpha=alpha, beta=beta))
    runs = LossRuns(losses.values, tuple(data.alpha.values.tolist()), tuple(data.beta.values.tolist()))
    found, written = advise_on_losses(runs, alpha, beta), _similarities(data.sel(alpha=alpha, beta=beta))
    unfinished = int(np.isfinite(runs.losses[..., 0, 0, 0]).sum() - runs.finished.sum())
    left_out = f", {unfinished} unfinished runs left out" if unfinished else ""
    report = Report(
        "advice",
        f"Advice on {source} at α = {alpha:g}, β = {beta:g}",
        "\n".join(sentences(found, written)),
        f"K = {data.sizes['entity']}; test losses in nats per token, means over {seeds(len(found.used))} at the weights in "
        f"use{left_out}; {setting(data)}.",
        {"spectral_radius": found.spectral_radius[0]},
    )
    save(request, report, _figure(found, written), table_of_panels(_panels(found, written)))
    write_page(request.folder / "advice.html", [report], "Made by crossfeed advise.", _INTRODUCTION)
    report.files.append("advice.html")
    return report


def _in_use(name: str, value: float | None, held: Float[np.ndarray, " value"]) -> float:
    if value is not None:
        check_held(name, value, held.tolist())
        return value
    if len(held) > 1:
        shown = ", ".join(f"{one:g}" for one in held)
        raise InvalidInput(f"{name} is missing: the runs have {shown}, so name the one in use with --{name}")
    return float(held[0])


def _refuse_unfinished(losses: xr.DataArray) -> None:
    """Refuse weights at which no seed is finished."""
    reached = losses.notnull().all(("entity", "dataset"))
    if not reached.all("generation").any():
        most, last = int(reached.sum("generation").max()) - 1, int(losses.generation[-1])
        where = f"α = {float(losses.alpha):g}, β = {float(losses.beta):g}"
        now = "it has not begun" if most < 0 else f"it has reached generation {most} of {last}"
        raise InvalidInput(f"the run at {where} is not finished: {now}; continue it with crossfeed lm run --resume")


def _similarities(cell: xr.Dataset) -> Similarities | None:
    """None where there is a single model, or completions were not compared twice."""
    if cell.sizes["entity"] < 2:
        return None
    similarity = between_models(cell.similarity).mean("dataset").transpose("seed", "generation")
    similarity = similarity.dropna("generation", how="all").dropna("seed")
    if similarity.sizes["seed"] == 0 or similarity.sizes["generation"] < 2:
        return None
    return similarity.generation.values.astype(float), similarity.values


def _panels(found: LossAdvice, written: Similarities | None) -> dict[str, Mapping[str, ArrayLike]]:
    """All numbers of the page."""
    kinds = np.array(KINDS)
    last, expected = found.used.shape[1] - 1, found.expected
    ahead = last + 1 + np.arange(len(expected.mean))[:, None]
    panels: dict[str, Mapping[str, ArrayLike]] = {
        "measured": {
            "generation": np.arange(last + 1)[:, None],
            "kind": kinds,
            "mean": by_kind(found.used.mean(0)).mean(-1),
        },
        "forecast": {
            "generation": ahead,
            "kind": kinds,
            "mean": expected.mean,
            "low": expected.low,
            "high": expected.high,
        },
        "since generation 0": _of_models(found.since_start.mean, found.since_start.margin),
        "spectral radius": dict(zip(("mean", "low", "high"), found.spectral_radius, strict=True)),
    }
    if found.over_alone is not None:
        panels["against training alone"] = _of_models(found.over_alone.mean, found.over_alone.margin)
    if (test := found.backtest) is not None:
        panels["forecast from the first half"] = {
            "generation": test.seen,
            "kind": kinds,
            "error": test.forecast,
            "error_of_persistence": test.persistence,
            "covered": test.covered,
        }
    for (alpha, beta), change in found.elsewhere.items():
        panels[f"runs at alpha {alpha:g}, beta {beta:g} against those in use"] = {
            "kind": kinds,
            "mean": change.mean,
            "margin": change.margin,
        }
    if len(found.alphas):
        changed = found.changed
        panels["changing alpha now"] = {
            "generation": int(ahead[-1, 0]),
            "kind": kinds,
            "alpha": found.alphas[:, None],
            "mean": changed.mean,
            "low": changed.low,
            "high": changed.high,
        }
    if written:
        panels["similarity"] = {"generation": written[0], "mean": written[1].mean(0)}
    return panels


def _of_models(
    mean: Float[np.ndarray, "kind entity"], margin: Float[np.ndarray, "kind entity"]
) -> dict[str, ArrayLike]:
    return {
        "model": np.arange(1, mean.shape[1] + 1),
        "kind": np.array(KINDS)[:, None],
        "mean": mean,
        "margin": margin,
    }


def _figure(found: LossAdvice, written: Similarities | None) -> Figure:
    """Losses with their forecast, who gains, what other α would do, and similarity, as far as the runs tell."""
    drawn = [_draw_losses, _draw_gains]
    drawn += [_draw_other_alpha] if len(found.alphas) else []
    with styled():
        count = len(drawn) + (written is not None)
        figure, (panels,) = grid_of_axes(1, count, (3.3 * count, 3.6))
        for draw, panel in zip(drawn, panels, strict=False):
            draw(panel, found)
        if written:
            _draw_similarity(panels[-1], *written)
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=4)
    return figure


def _draw_losses(panel: Axes, found: LossAdvice) -> None:
    measured = by_kind(found.used.mean(0)).mean(-1)
    last, expected = len(measured) - 1, found.expected
    ahead = np.arange(last, last + 1 + len(expected.mean))
    for number, kind in enumerate(KINDS):
        if np.isnan(measured[-1, number]):
            continue
        now = measured[-1:, number]
        panel.plot(measured[:, number], MARKERS[number], color=color(number), markerfacecolor="white", markersize=3.5)
        line(panel, number, ahead, np.concatenate([now, expected.mean[:, number]]), f"loss on {kind}")
        low, high = (np.concatenate([now, values[:, number]]) for values in (expected.low, expected.high))
        panel.fill_between(ahead, low, high, color=color(number), alpha=0.2, linewidth=0)
        panel.plot(ahead[[0, -1]], np.repeat(now, 2), color="#888888", linewidth=0.8)
    panel.plot([], [], color="#888888", linewidth=0.8, label="last loss kept")
    panel.set(xlabel="generation", ylabel="nats per token", title="measured, and forecast")
    panel.xaxis.set_major_locator(MaxNLocator(integer=True))


def _draw_gains(panel: Axes, found: LossAdvice) -> None:
    """Differences of every model: filled against training alone, or else against generation 0."""
    change, against = (found.over_alone, "training alone") if found.over_alone else (found.since_start, "generation 0")
    models = min(change.mean.shape[1], _SHOWN)
    kinds = [number for number in range(len(KINDS)) if np.isfinite(change.mean[number]).all()]
    for place, number in enumerate(kinds):
        x = np.arange(1, models + 1) + (place - (len(kinds) - 1) / 2) * 0.8 / len(kinds)
        mean, margin = change.mean[number, :models], change.margin[number, :models]
        panel.bar(
            x, mean, 0.8 / len(kinds), yerr=margin, color=color(number), ecolor="#888888", error_kw={"linewidth": 0.9}
        )
    panel.axhline(0, color="#888888", linewidth=0.8)
    panel.set_axisbelow(True)
    panel.set(xlabel="model", title=f"loss minus that of {against}", xticks=np.arange(1, models + 1))


def _draw_other_alpha(panel: Axes, found: LossAdvice) -> None:
    for number in range(len(KINDS)):
        mean, low, high = (values[:, number] for values in (found.changed.mean, found.changed.low, found.changed.high))
        if np.isfinite(mean).all():
            line(panel, number, found.alphas, mean)
            panel.fill_between(found.alphas, low, high, color=color(number), alpha=0.2, linewidth=0)
    panel.axvline(found.alpha, color="#888888", linewidth=0.8)
    end = found.used.shape[1] - 1 + len(found.expected.mean)
    panel.set(xlabel="α from now on (line: in use)", title=f"change of the loss by generation {end}")


def _draw_similarity(panel: Axes, generations: np.ndarray, values: np.ndarray) -> None:
    panel.plot(generations, values.T, color="#bbbbbb", linewidth=0.8)
    panel.plot(generations, values.mean(0), MARKERS[3], linestyle="-", color=color(3), markersize=3.5)
    panel.set(xlabel="generation", title="similarity of two models' completions")
    panel.xaxis.set_major_locator(MaxNLocator(integer=True))
