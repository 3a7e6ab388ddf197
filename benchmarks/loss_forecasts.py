"""Forecasts of losses of language models that train on each other's text, held against what came.

Two and three small models, three seeds, four α; ten CPU minutes, and a run that was interrupted goes on where it ended. All
runs are fitted together on their first generations and forecast to the end, and each α is inferred from the fit to the other α.
Fits start at generation 0 or 1, because the first exchange moves losses more than the next few together. Losses, scores and a
figure go to results/benchmarks/loss_forecasts.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from crossfeed.decide import Forecast, LossRun, fit_losses
from crossfeed.figures.report import save_table, write_figure
from crossfeed.figures.style import COLORS, DASHES, MARKERS, grid_of_axes, styled
from crossfeed.sim.lm import Study, holds_run, open_measures, parse_study, start_run
from jaxtyping import Bool, Float
from matplotlib.figure import Figure
from timing import RESULTS, Claim

FOLDER = RESULTS / "loss_forecasts"
TASKS = {
    2: ("science", "arithmetic"),
    3: ("science:chemistry", "science:biology", "arithmetic:shopping"),
}
SEEN = 7  # last generation that fits read, the first half
FIRST = (0, 1)  # first generation that they read
METHODS = ("together", "alone", "persistence", "trend")
_STUDY = """
[study]
alpha = [0, 0.3, 0.6, 0.9]
beta = [0.5]
seeds = [0, 1, 2]
generations = 14
samples = 1000
{entities}
[model]
layers = 1
width = 32
heads = 2
context = 128
pretrain_steps = 100
pretrain_rate = 3e-3
[initial]
steps = 300
learning_rate = 3e-3
[training]
steps = 10
batch = 8
length = 128
learning_rate = 2e-3
warmup = 0.1
[pool]
new_tokens = 64
[measures]
test_items = 100
text_items = 2
text_every = 100
"""


@dataclass
class Tried:
    """A run that was fitted together with the others, and forecast.

    Attributes:
        seed: seed of the run.
        run: all of its losses.
        first: first generation that the fits read.
        forecast: by the fit to all runs.
        alone: by the fit to this run.
        alpha: α of this run and its standard error, inferred from the fit to the runs of other α.
    """

    seed: int
    run: LossRun
    first: int
    forecast: Forecast
    alone: Forecast
    alpha: tuple[float, float]

    @property
    def came(self) -> Float[np.ndarray, "ahead entity dataset"]:
        return self.run.losses[SEEN + 1 :]

    def misses(self) -> Iterator[Float[np.ndarray, "ahead entity dataset"]]:
        """Errors of `METHODS`."""
        means = (self.forecast.mean, self.alone.mean, self.forecast.persistence, self.forecast.trend)
        return (mean - self.came for mean in means)

    def held(self) -> Bool[np.ndarray, "ahead entity dataset"]:
        """Whether intervals of 90 % hold what came."""
        return (self.forecast.low < self.came) & (self.came < self.forecast.high)


def measure() -> list[Claim]:
    found = {}
    for entities in TASKS:
        run(entities)
        found[entities] = evaluate(finished(entities))
    write(found, FOLDER)
    return [claim for entities, tried in found.items() for claim in claims(entities, tried)]


def study(entities: int) -> Study:
    named = "".join(f'[[entity]]\ntask = "{task}"\n' for task in TASKS[entities])
    return parse_study(_STUDY.format(entities=named), f"the study of {entities} entities")


def run(entities: int) -> None:
    """Train the models of one study, or go on where an interrupted run ended."""
    folder = FOLDER / f"entities{entities}"
    start_run(study(entities), folder, holds_run(folder), lambda progress: None)


def finished(entities: int) -> dict[int, list[LossRun]]:
    """Runs of every seed of which all α are finished."""
    loss = open_measures(FOLDER / f"entities{entities}").loss.isel(beta=0)
    return {
        int(seed): [LossRun(float(alpha), loss.sel(seed=seed, alpha=alpha).values) for alpha in loss.alpha.values]
        for seed in loss.seed.values
        if loss.sel(seed=seed).notnull().all()
    }


def evaluate(runs: dict[int, list[LossRun]]) -> list[Tried]:
    """Every run of every seed, from each first generation."""
    flat = [(seed, run) for seed, alike in runs.items() for run in alike]
    return [one for first in FIRST for one in _from_generation(first, flat)]


def _from_generation(first: int, runs: Sequence[tuple[int, LossRun]]) -> Iterator[Tried]:
    past = [LossRun(run.alpha, run.losses[first : SEEN + 1]) for _, run in runs]
    together = fit_losses(past)
    others = {alpha: fit_losses([run for run in past if run.alpha != alpha]) for alpha in together.alphas}
    for (seed, whole), seen in zip(runs, past, strict=True):
        ahead = len(whole.losses) - SEEN - 1
        alone = fit_losses([seen]).forecast(seen, ahead)
        yield Tried(seed, whole, first, together.forecast(seen, ahead), alone, others[seen.alpha].infer_alpha(seen))


def kinds(entities: int) -> dict[str, Bool[np.ndarray, "entity dataset"]]:
    """Losses on the own task, on those of others, and on public text."""
    own = np.eye(entities, entities + 1, dtype=bool)
    public = np.broadcast_to(np.arange(entities + 1) == entities, own.shape)
    return {"own": own, "others": ~own & ~public, "public": public}


def scores(entities: int, tried: Sequence[Tried]) -> list[dict[str, float | str]]:
    """Root mean square errors of all methods and coverage, for each first generation and kind of loss."""
    rows = []
    for first in FIRST:
        alike = [one for one in tried if one.first == first]
        for kind, mask in kinds(entities).items():
            squares = np.mean([[(miss[:, mask] ** 2).mean() for miss in one.misses()] for one in alike], axis=0)
            covered = float(np.mean([one.held()[:, mask] for one in alike]))
            errors = dict(zip(METHODS, np.sqrt(squares).tolist(), strict=True))
            rows.append({"entities": entities, "first": first, "losses": kind, **errors, "coverage": covered})
    return rows


def claims(entities: int, tried: Sequence[Tried]) -> list[Claim]:
    """What was hoped for, with the fits from generation 1 for forecasts and from 0 for α."""
    late = [row for row in scores(entities, tried) if row["first"] == 1]
    inferred = [(one.run.alpha, *one.alpha) for one in tried if one.first == 0]
    return [
        *(
            Claim(
                f"K = {entities}: error of forecasts of losses ({row['losses']}), relative to persistence",
                float(row["together"]) / float(row["persistence"]),
                1,
                at_least=False,
                details=row,
            )
            for row in late
        ),
        Claim(
            f"K = {entities}: intervals of 90 % hold what came",
            float(np.mean([one.held().mean() for one in tried if one.first == 1])),
            0.85,
        ),
        Claim(
            f"K = {entities}: error of α of runs left out (root mean square)",
            float(np.sqrt(np.mean([(found - alpha) ** 2 for alpha, found, _ in inferred]))),
            0.1,
            at_least=False,
            details={"alpha, inferred, standard error": inferred},
        ),
    ]


def write(found: dict[int, list[Tried]], folder: Path) -> None:
    """Scores, inferred α and the figure."""
    rows = [row for entities, tried in found.items() for row in scores(entities, tried)]
    save_table(folder / "scores.csv", {name: [row[name] for row in rows] for name in rows[0]})
    inferred = [
        (entities, one.seed, one.first, one.run.alpha, *one.alpha) for entities, tried in found.items() for one in tried
    ]
    names = ("entities", "seed", "first", "alpha", "inferred", "standard_error")
    save_table(folder / "alpha.csv", dict(zip(names, zip(*inferred, strict=True), strict=True)))
    write_figure(draw(found), folder / "loss_forecasts.png")


def draw(found: dict[int, list[Tried]]) -> Figure:
    """Losses of model 1 of the first seed, and their forecasts from generation 1."""
    with styled():
        figure, rows = grid_of_axes(len(found), 3, (10, 2.9 * len(found)), sharex=True)
        for panels, (entities, tried) in zip(rows, found.items(), strict=True):
            shown = [one for one in tried if one.first == 1 and one.seed == tried[0].seed]
            titles = ("its own task", "the task of model 2", "public text")
            for panel, title, dataset in zip(panels, titles, (0, 1, entities), strict=True):
                for number, one in enumerate(shown):
                    color, losses = COLORS[number], one.run.losses[:, 0, dataset]
                    ahead = np.arange(SEEN + 1, len(losses))
                    panel.plot(losses, MARKERS[number], color=color, markerfacecolor="white", markersize=3.5)
                    mean, low, high = (getattr(one.forecast, name)[:, 0, dataset] for name in ("mean", "low", "high"))
                    panel.plot(ahead, mean, DASHES[number], color=color, label=f"α = {one.run.alpha:g}")
                    panel.fill_between(ahead, low, high, color=color, alpha=0.15, linewidth=0)
                panel.axvline(SEEN + 0.5, color="#888888", linewidth=0.8)
                panel.set_title(f"K = {entities}: loss of model 1 on {title}")
            panels[0].set_ylabel("nats per token")
        for panel in rows[-1]:
            panel.set_xlabel("generation")
        figure.legend(*rows[0][0].get_legend_handles_labels(), loc="outside upper center", ncols=4)
    return figure
