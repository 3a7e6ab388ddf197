"""Tables of language-model runs: losses as in Tables 3, 6 and 7 of the paper, likeness as in Table 4, and the pattern score."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import xarray as xr

from ..sim.lm import FIRST, LEVELS, PAIRS, direction, open_measures, pattern_score, published_directions
from ..theory import InvalidInput


@dataclass(frozen=True)
class Cell:
    """One cell of a table.

    Attributes:
        text: what it shows.
        direction: -1 better, 1 worse, 0 constant or no judgement.
    """

    text: str
    direction: int = 0


@dataclass(frozen=True)
class Table:
    """A table for people.

    Attributes:
        title: what it shows, and from how many seeds.
        header: of the columns.
        rows: each with its name first.
    """

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def markdown(self) -> str:
        """The table in Markdown; ▲ marks a rise, ▼ a fall, nothing a change of at most 0.1."""
        marks = {-1: " ▼", 0: "", 1: " ▲"}
        lines = [f"**{self.title}**", "", _line(self.header), _line("---" for _ in self.header)]
        lines += [_line(cell.text + marks[cell.direction] for cell in row) for row in self.rows]
        return "\n".join(lines) + "\n"


def _line(cells) -> str:
    return "| " + " | ".join(cells) + " |"


def open_runs(folders: Sequence[Path]) -> xr.Dataset:
    """The measures of runs that differ in their seeds only, joined along the seed.

    Raises:
        InvalidInput: a folder holds no run, two runs share a seed, or their axes differ.
    """
    opened = [open_measures(folder) for folder in folders]
    if len(opened) == 1:
        return opened[0]
    seeds = np.concatenate([data.seed.values for data in opened])
    if len(set(seeds)) < len(seeds):
        raise InvalidInput(f"the runs share a seed: {sorted(seeds.tolist())}")
    try:
        return xr.concat(opened, "seed", join="exact", combine_attrs="override")
    except ValueError as error:
        raise InvalidInput(f"the runs do not fit together: {' '.join(str(error).split())}") from error


def loss_table(data: xr.Dataset) -> Table:
    """First → last test loss of every entity on every task, in nats a token; means over seeds, ± their standard deviation."""
    first, last = _ends(data.loss.sel(dataset=data.task.values))
    columns = _columns(data)
    rows = []
    for entity, (place, task) in product(data.entity.values, enumerate(data.task.values)):
        at = {"entity": entity, "dataset": task}
        cells = [_changed(first.sel(at | weights), last.sel(at | weights)) for weights in columns]
        rows.append((Cell(f"M{entity} on T{place + 1} {task}"), *cells))
    return Table(f"Test loss, first → last generation{_seeds(data)}", _header(columns), tuple(rows))


def similarity_table(data: xr.Dataset) -> Table:
    """First → last cosine similarity between two models' completions, mean over pairs of models."""
    first, last = _ends(_between(data.similarity))
    columns = _columns(data)
    rows = []
    for dataset in data.dataset.values:
        cells = []
        for weights in columns:
            one, other = (float(values.sel(weights | {"dataset": dataset}).mean()) for values in (first, last))
            cells.append(Cell(f"{one:.2f} → {other:.2f}"))
        rows.append((Cell(f"on {dataset}"), *cells))
    return Table(f"Similarity between models{_seeds(data)}", _header(columns), tuple(rows))


def _between(similarity: xr.DataArray) -> xr.DataArray:
    """Mean over pairs of different entities."""
    return similarity.where(similarity.entity != similarity.other).mean(("entity", "other"))


def score_lines(data: xr.Dataset) -> list[str]:
    """The pattern score against each published table, and the cells that disagree.

    Raises:
        InvalidInput: the run is not of the paper's form: two entities, α and β of 0, 0.5 and 1.
    """
    directions = run_directions(data)
    lines = []
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
    """Directions of a run's mean losses, [pair, (β, α)].

    Raises:
        InvalidInput: as `score_lines`.
    """
    levels = set(LEVELS)
    if data.sizes["entity"] != 2 or not levels <= set(data.alpha.values) or not levels <= set(data.beta.values):
        raise InvalidInput("the pattern score is for two entities and α and β of 0, 0.5 and 1")
    first, last = (values.mean("seed") for values in _ends(data.loss.sel(dataset=data.task.values)))
    if last.sel(alpha=list(LEVELS), beta=list(LEVELS)).isnull().any():
        raise InvalidInput("the run is not finished: some of its losses are not there yet")
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


def _ends(values: xr.DataArray) -> tuple[xr.DataArray, xr.DataArray]:
    return values.isel(generation=0), values.isel(generation=-1)


def _columns(data: xr.Dataset) -> list[dict[str, float]]:
    return [{"beta": b, "alpha": a} for b, a in product(data.beta.values.tolist(), data.alpha.values.tolist())]


def _header(columns: list[dict[str, float]]) -> tuple[str, ...]:
    return ("", *(f"β={one['beta']:g} α={one['alpha']:g}" for one in columns))


def _seeds(data: xr.Dataset) -> str:
    count = data.sizes["seed"]
    return f", mean ± standard deviation of {count} seeds" if count > 1 else f", seed {data.seed.values[0]}"


def _changed(first: xr.DataArray, last: xr.DataArray) -> Cell:
    one, other = float(first.mean()), float(last.mean())
    if np.isnan(other):
        return Cell(f"{one:.2f} → …")
    spread = f" ± {float(last.std(ddof=1)):.2f}" if last.size > 1 else ""
    return Cell(f"{one:.2f} → {other:.2f}{spread}", int(direction(np.array(one), np.array(other))))
