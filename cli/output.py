"""Printing: JSON that every reader accepts, and tables for people."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

_SHOWN = 12  # columns of a table; --json prints everything


def print_json(values: Mapping[str, object]) -> None:
    """One JSON object; arrays become lists, and what is not a finite number becomes null."""
    print(json.dumps({name: _plain(value) for name, value in values.items()}, allow_nan=False))


def print_table(title: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table on stdout; wide ones are cut, saying so."""
    cut = len(header) > _SHOWN
    table = Table(
        title=title, title_justify="left", caption=f"{len(header) - _SHOWN} more columns with --json" if cut else None
    )
    for name in header[:_SHOWN]:
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(*(_text(value) for value in row[:_SHOWN]))
    Console().print(table)


def print_notes(notes: Sequence[str]) -> None:
    """What a person should know of the numbers, on stderr."""
    for note in notes:
        Console(stderr=True).print(f"note: {note}", highlight=False, markup=False, soft_wrap=True)


def progress_bar() -> Progress:
    """A progress bar on stderr that leaves no trace."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.0f}/{task.total:.0f}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )


def _plain(value: object) -> object:
    array = np.asarray(value)
    if array.dtype.kind == "f":
        flat = [x if math.isfinite(x) else None for x in array.ravel().tolist()]
        return _nest(flat, array.shape)
    return array.tolist() if isinstance(value, np.ndarray) or hasattr(value, "__jax_array__") else value


def _nest(flat: list, shape: tuple[int, ...]) -> object:
    if not shape:
        return flat[0]
    size = len(flat) // shape[0]
    return [_nest(flat[i * size : (i + 1) * size], shape[1:]) for i in range(shape[0])]


def _text(value: object) -> str:
    if isinstance(value, float | np.floating):
        return f"{value:.6g}" if math.isfinite(value) else "-"
    return str(value)
