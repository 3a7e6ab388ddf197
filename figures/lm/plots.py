"""Figures of language-model runs: loss by generation (Figures 5 to 7) and embeddings of completions (Figure 3)."""

from itertools import product
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from sklearn.decomposition import PCA

from crossfeed.errors import InvalidInput

from ...sim.lm import SCRATCH, check_held, measured_study
from ..style import MARKERS, color, grid_of_axes, line, note, styled
from ..workflows.table import table_of_panels
from .runs import over_seeds

_MOST = 4  # values of α per figure


def loss_figure(data: xr.Dataset) -> Figure:
    """Figure of the test loss by generation, with a row per β, a column per model and task, and a line per α.

    With more than two entities there are two columns: means over entities on their own tasks, and on all others'. Lines are
    means over the seeds that have reached a generation, with bands of one standard deviation to both sides if there are several.

    Args:
        data: measures of runs, from `open_runs`.

    Raises:
        InvalidInput: there are more values of α than fit one figure.
    """
    if data.sizes["alpha"] > _MOST:
        raise InvalidInput(f"the runs have {data.sizes['alpha']} values of alpha, but at most {_MOST} fit one figure")
    columns = _loss_columns(data)
    with styled():
        size = (2.1 * len(columns) + 0.6, 1.9 * data.sizes["beta"] + 0.8)
        figure, axes = grid_of_axes(data.sizes["beta"], len(columns), size, sharex=True, sharey="col")
        for row, beta in zip(axes, data.beta.values, strict=True):
            for panel, (title, loss) in zip(row, columns.items(), strict=True):
                mean, deviation = over_seeds(loss.sel(beta=beta))
                for number, alpha in enumerate(data.alpha.values):
                    middle, band = mean.sel(alpha=alpha), deviation.sel(alpha=alpha)
                    line(panel, number, data.generation, middle, f"α = {alpha:g}")
                    if band.notnull().any():
                        low, high = middle - band, middle + band
                        panel.fill_between(data.generation, low, high, color=color(number), alpha=0.2, linewidth=0)
                if row is axes[0]:
                    panel.set_title(title)
                if row is axes[-1]:
                    panel.set_xlabel("generation")
                    panel.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
            row[0].set_ylabel(f"β = {beta:g}\ntest loss (nats per token)")
        figure.legend(*axes[0][0].get_legend_handles_labels(), loc="outside upper right", ncols=_MOST)
        banded = over_seeds(data.loss)[1].notnull().any()
        bands = "bands: one standard deviation over seeds; " if banded else ""
        means = f"means over {data.sizes['entity']} models; " if data.sizes["entity"] > 2 else ""
        note(figure, f"{means}{bands}{setting(data)}")
    return figure


def loss_values(data: xr.Dataset) -> dict[str, np.ndarray]:
    """Numbers behind `loss_figure`, as columns: mean over seeds and standard deviation of the loss in every panel and line.

    Args:
        data: as for `loss_figure`.
    """
    panels = {}
    for title, loss in _loss_columns(data).items():
        mean, deviation = (values.transpose("beta", "alpha", "generation").values for values in over_seeds(loss))
        axes = {"beta": data.beta.values[:, None, None], "alpha": data.alpha.values[:, None]}
        panels[title] = axes | {"generation": data.generation.values, "loss": mean, "standard_deviation": deviation}
    return table_of_panels(panels)


def _loss_columns(data: xr.Dataset) -> dict[str, xr.DataArray]:
    """Losses of every column, by title."""
    if data.sizes["entity"] <= 2:
        pairs = product(data.entity.values, data.task.values)
        return {f"model {k} on {task}": data.loss.sel(entity=k, dataset=task) for k, task in pairs}
    tasks = data.loss.sel(dataset=data.task.values)
    own = xr.DataArray(np.eye(data.sizes["entity"], dtype=bool), dims=("entity", "dataset"))
    return {
        "own task": tasks.where(own).mean(("entity", "dataset")),
        "others' tasks": tasks.where(~own).mean(("entity", "dataset")),
    }


def embedding_figure(data: xr.Dataset, beta: float) -> Figure:
    """Figure of the first two principal components of the completions' embeddings, with rows by dataset and columns by α.

    The components are those of all completions in a row, so that its panels can be compared. It shows the first seed that is
    finished at this β.

    Args:
        data: measures of runs, from `open_runs`.
        beta: one of the runs' values of β.

    Raises:
        InvalidInput: no run has this β, or no seed is finished there.
    """
    seed, planes = _planes(data, beta)
    with styled():
        titles = _titles(data)
        size = (2.1 * len(titles) + 0.6, 1.9 * data.sizes["dataset"] + 0.8)
        figure, axes = grid_of_axes(data.sizes["dataset"], len(titles), size, sharex="row", sharey="row")
        for row, (dataset, plane) in zip(axes, planes.items(), strict=True):
            for panel, values in zip(row, plane, strict=True):
                _clouds(panel, values)
            row[0].set_ylabel(f"completions of {dataset}\n2nd component")
        for panel, title in zip(axes[0], titles, strict=True):
            panel.set_title(title)
        for panel in axes[-1]:
            panel.set_xlabel("1st component")
        pairs = axes[0][0].get_legend_handles_labels()
        figure.legend(*pairs, loc="outside upper right", ncols=len(pairs[0]) // 2)
        left_out = data.sizes["entity"] - len(MARKERS)
        which = f"models 1 to {len(MARKERS)} of {data.sizes['entity']}; " if left_out > 0 else ""
        note(figure, f"{which}β = {beta:g}; {setting(data.isel(seed=[seed]))}")
    return figure


def embedding_values(data: xr.Dataset, beta: float) -> dict[str, np.ndarray]:
    """Numbers behind `embedding_figure`, as columns: both components of every completion.

    Args:
        data: as for `embedding_figure`.
        beta: as for `embedding_figure`.

    Raises:
        InvalidInput: as `embedding_figure`.
    """
    panels = {}
    for dataset, plane in _planes(data, beta)[1].items():
        for title, values in zip(_titles(data), plane, strict=True):
            numbers = {
                "model": np.arange(1, values.shape[0] + 1)[:, None],
                "completion": np.arange(1, values.shape[1] + 1),
            }
            panels[f"{dataset}, {title}"] = numbers | {"component_1": values[..., 0], "component_2": values[..., 1]}
    return table_of_panels(panels)


def _shown(data: xr.Dataset) -> list[tuple[str, float]]:
    """Moment and α of every column of embeddings."""
    return [("first", float(data.alpha[0]))] + [("last", float(alpha)) for alpha in data.alpha.values]


def _titles(data: xr.Dataset) -> list[str]:
    last = int(data.generation[-1])
    return ["generation 0", *(f"generation {last}, α = {alpha:g}" for _, alpha in _shown(data)[1:])]


def _planes(data: xr.Dataset, beta: float) -> tuple[int, dict[str, Float[np.ndarray, "panel entity item component=2"]]]:
    """Index of the seed that is shown, and the components of its completions by dataset."""
    check_held("beta", beta, data.beta.values)
    seed, drawn = _first_finished(data["coordinates"].sel(beta=beta))
    return seed, {
        dataset: _plane(np.stack([drawn.sel(moment=m, alpha=a, dataset=dataset).values for m, a in _shown(data)]))
        for dataset in data.dataset.values
    }


def _first_finished(coordinates: xr.DataArray) -> tuple[int, xr.DataArray]:
    """Index and coordinates of the first seed whose coordinates are complete."""
    finished = np.flatnonzero(coordinates.notnull().all([name for name in coordinates.dims if name != "seed"]))
    if not len(finished):
        raise InvalidInput("the run is not finished: some of its completions are missing")
    return int(finished[0]), coordinates.isel(seed=finished[0])


def _plane(
    points: Float[np.ndarray, "panel entity item coordinate"],
) -> Float[np.ndarray, "panel entity item component=2"]:
    """First two principal components of all points together."""
    components = PCA(2, svd_solver="full").fit_transform(points.reshape(-1, points.shape[-1]))
    return components.reshape(*points.shape[:-1], 2)


def _clouds(panel: Axes, values: Float[np.ndarray, "entity item component=2"]) -> None:
    """Draw the completions of each entity, and their mean."""
    for number, own in enumerate(values[: len(MARKERS)]):
        look: dict[str, Any] = {"color": color(number), "marker": MARKERS[number], "linestyle": "none"}
        panel.plot(*own.T, **look, markersize=2.5, alpha=0.5, label=f"model {number + 1}")
        panel.plot(*own.mean(axis=0), **look, markersize=9, markeredgecolor="white", label="its mean")
    panel.set(xticks=[], yticks=[])


def _layers(count: int) -> str:
    return f"{count} layer{'s' * (count > 1)}"


def setting(data: xr.Dataset) -> str:
    """Setting of the runs in words: what models start from, training, prompts and seeds."""
    study = measured_study(data)
    training, model, first = study.training, study.model, study.initial
    bases = [
        f"scratch ({_layers(entity.layers or model.layers)}, width {entity.width or model.width})"
        if base == SCRATCH
        else base.rsplit("/", 1)[-1]
        for entity, base in zip(study.entities, study.bases, strict=True)
    ]
    began = [f"{first.steps} steps"] if first.steps else []
    began += [f"learning rate {first.learning_rate:g}"] if first.learning_rate else []
    began += [f"β = {first.beta:g}"] if first.beta >= 0 else []
    differs = f" (generation 0: {', '.join(began)})" if began else ""
    seeds = f"seed{'s' * (data.sizes['seed'] > 1)} {', '.join(map(str, data.seed.values))}"
    return (
        f"base {', '.join(dict.fromkeys(bases))}; {training.steps} steps of {training.batch} × {training.length} tokens, "
        f"learning rate {training.learning_rate:g}{differs}; prompts {study.pool.prompts}; {seeds}"
    )
