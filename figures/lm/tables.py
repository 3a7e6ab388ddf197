"""Tables of language-model runs: losses as in Tables 3, 6 and 7 of the paper, similarity as in Table 4, and the pattern score."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product

import numpy as np
import xarray as xr

from crossfeed.errors import InvalidInput

from .published import FIRST, LEVELS, PAIRS, direction, pattern_score, published_directions
from .runs import over_seeds


@dataclass(frozen=True)
class TableCell:
    """Cell of a table.

    Attributes:
        text: content.
        direction: -1 for a fall of more than 0.1, 1 for such a rise, 0 for neither or without judgment.
    """

    text: str
    direction: int = 0

    @property
    def marked(self) -> str:
        """Text with ▲ for a rise of more than 0.1, and ▼ for a fall."""
        return self.text + {-1: " ▼", 0: "", 1: " ▲"}[self.direction]


@dataclass(frozen=True)
class Table:
    """Table to print.

    Attributes:
        title: heading, with the number of seeds.
        header: names of the columns.
        rows: cells, of which the first is the name of the row.
    """

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[TableCell, ...], ...]

    def markdown(self) -> str:
        """Table in Markdown."""
        lines = [f"**{self.title}**", "", _line(self.header), _line("---" for _ in self.header)]
        lines += [_line(cell.marked for cell in row) for row in self.rows]
        return "\n".join(lines) + "\n"


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def loss_table(data: xr.Dataset) -> Table:
    """Table of first → last test loss of every entity on every task, in nats per token, as mean ± standard deviation over seeds."""
    first, last = first_and_last(data.loss.sel(dataset=data.task.values))
    rows = []
    for entity, (place, task) in product(data.entity.values, enumerate(data.task.values)):
        at = {"entity": entity, "dataset": task}
        name = f"M{entity} on T{place + 1} {task}"
        rows.append((TableCell(name), *_changes(first.sel(at), last.sel(at), data, judged=True)))
    return Table(f"Test loss, first → last generation{_seeds(data)}", _header(data), tuple(rows))


def similarity_table(data: xr.Dataset) -> Table:
    """Table of first → last cosine similarity between the completions of two models, averaged over pairs of models."""
    first, last = first_and_last(between_models(data.similarity))
    rows = []
    for dataset in data.dataset.values:
        at = {"dataset": dataset}
        rows.append((TableCell(f"on {dataset}"), *_changes(first.sel(at), last.sel(at), data, judged=False)))
    return Table(f"Similarity between models{_seeds(data)}", _header(data), tuple(rows))


def between_models(similarity: xr.DataArray) -> xr.DataArray:
    """Mean over pairs of different entities of what is measured between them."""
    return similarity.where(similarity.entity != similarity.other).mean(("entity", "other"))


def score_lines(data: xr.Dataset) -> list[str]:
    """Pattern score against each published table, the number of cells with its direction of change, and the cells that differ.

    Raises:
        InvalidInput: the run does not have the form of the paper, two entities and α and β of 0, 0.5 and 1.
    """
    directions = run_directions(data)
    counts = _finished(data)
    lines = [f"means of {min(counts)} to {max(counts)} seeds per cell"] if len(set(counts)) > 1 else []
    for model in FIRST:
        lines.append(f"pattern score against {model}: {pattern_score(directions, model)} of 36")
        published = published_directions(model)
        for (row, (entity, task)), (column, (beta, alpha)) in product(
            enumerate(PAIRS), enumerate(product(LEVELS, LEVELS))
        ):
            ours, theirs = directions[row, column], published[row, column]
            if ours != theirs:
                words = {-1: "falls", 0: "is constant", 1: "rises"}
                lines.append(
                    f"  M{entity} on T{task}, β={beta:g}, α={alpha:g}: {words[ours]}, published {words[theirs]}"
                )
    return lines


def run_directions(data: xr.Dataset) -> np.ndarray:
    """Directions of change of a run's mean losses, by `PAIRS` and (β, α).

    Raises:
        InvalidInput: as `score_lines`.
    """
    levels = set(LEVELS)
    if data.sizes["entity"] != 2 or not levels <= set(data.alpha.values) or not levels <= set(data.beta.values):
        raise InvalidInput("the pattern score needs two entities and α and β of 0, 0.5 and 1")
    first, last = (values.mean("seed") for values in first_and_last(data.loss.sel(dataset=data.task.values)))
    if last.sel(alpha=list(LEVELS), beta=list(LEVELS)).isnull().any():
        raise InvalidInput("the run is not finished: some of its losses are missing")
    tasks = data.task.values
    ends = [
        np.array(
            [
                [values.sel(entity=k, dataset=tasks[m - 1], alpha=a, beta=b) for b, a in product(LEVELS, LEVELS)]
                for k, m in PAIRS
            ]
        )
        for values in (first, last)
    ]
    return direction(ends[0], ends[1])


def first_and_last(values: xr.DataArray) -> tuple[xr.DataArray, xr.DataArray]:
    """Values of the first and last generation; seeds that are not finished are left out of both, unless none is."""
    first, last = values.isel(generation=0), values.isel(generation=-1)
    finished = last.notnull()
    return first.where(finished | ~finished.any("seed")), last


def _columns(data: xr.Dataset) -> list[dict[str, float]]:
    return [{"beta": b, "alpha": a} for b, a in product(data.beta.values.tolist(), data.alpha.values.tolist())]


def _finished(data: xr.Dataset) -> list[int]:
    """Number of seeds that have reached the last generation, by column."""
    done = data.loss.isel(generation=-1).notnull().all(("entity", "dataset")).sum("seed")
    return [int(done.sel(weights)) for weights in _columns(data)]


def _header(data: xr.Dataset) -> tuple[str, ...]:
    """Names of the columns, with their numbers of seeds if these differ."""
    counts = _finished(data)
    tell = len(set(counts)) > 1
    names = [f"β={weights['beta']:g} α={weights['alpha']:g}" for weights in _columns(data)]
    return (
        "",
        *(f"{name} ({n} seed{'s' * (n != 1)})" if tell else name for name, n in zip(names, counts, strict=True)),
    )


def _seeds(data: xr.Dataset) -> str:
    if data.sizes["seed"] == 1:
        return f", seed {data.seed.values[0]}"
    counts = set(_finished(data))
    several = f"{min(counts)} finished seed{'s' * (counts != {1})}" if len(counts) == 1 else "the finished seeds"
    return f", mean ± standard deviation of {several}"


def _changes(first: xr.DataArray, last: xr.DataArray, data: xr.Dataset, judged: bool) -> list[TableCell]:
    """Cells of a row: first and last value by column."""
    one, (other, deviation) = first.mean("seed"), over_seeds(last)
    cells = []
    for weights in _columns(data):
        begun, ended, spread = (float(values.sel(weights)) for values in (one, other, deviation))
        text = f"{_number(begun)} → {_number(ended)}" + (f" ± {spread:.2f}" if np.isfinite(spread) else "")
        moved = int(direction(np.array(begun), np.array(ended))) if judged and np.isfinite(ended) else 0
        cells.append(TableCell(text, moved))
    return cells


def _number(value: float) -> str:
    return f"{round(value, 2) + 0:.2f}" if np.isfinite(value) else "…"  # + 0: no minus before zero
