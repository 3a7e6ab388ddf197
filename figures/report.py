"""Output of a figure: a vector and a raster image, its data as CSV, its conclusion in a sentence, and headline numbers."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from crossfeed.atomic_write import atomic_write
from crossfeed.errors import InvalidInput

from .style import note, styled


@dataclass(frozen=True)
class Request:
    """Destination of a figure, and the effort it may take.

    Attributes:
        folder: an existing folder to write to.
        quick: use coarser grids and fewer replicates.
        seed: seed of all random numbers.
    """

    folder: Path
    quick: bool = False
    seed: int = 0


@dataclass(frozen=True)
class Report:
    """Description of a finished figure.

    Attributes:
        name: stem of its files.
        title: heading.
        says: conclusion of the figure in one sentence.
        setting: parameters that made it.
        numbers: headline numbers, for `report.json`.
        files: names of the files written.
    """

    name: str
    title: str
    says: str
    setting: str
    numbers: Mapping[str, object]
    files: list[str] = field(default_factory=list)


def save(request: Request, report: Report, figure: Figure, columns: Mapping[str, ArrayLike]) -> Report:
    """Write `name.svg`, `name.png` and `name.csv`, each whole or not at all, and return the report with these files.

    The setting goes below the picture unless there is a note already.

    Args:
        columns: data of the figure, arrays that broadcast against each other.
    """
    if not figure.get_supxlabel():
        with styled():
            note(figure, report.setting)
    for suffix in ("svg", "png"):
        write_figure(figure, request.folder / f"{report.name}.{suffix}")
    save_table(request.folder / f"{report.name}.csv", columns)
    report.files.extend(f"{report.name}.{suffix}" for suffix in ("svg", "png", "csv"))
    return report


def write_figure(figure: Figure, path: Path) -> None:
    """Write a figure, whole or not at all, in the format of the suffix; it holds no date, so that equal figures are equal files.

    Raises:
        InvalidInput: the suffix is not .png, .svg or .pdf.
    """
    dates = {".png": None, ".svg": "Date", ".pdf": "CreationDate"}
    if path.suffix.lower() not in dates:
        raise InvalidInput(f"{path.name} must end in .png, .svg or .pdf")
    date = dates[path.suffix.lower()]
    with styled(), atomic_write(path) as part:
        figure.savefig(part, dpi=150, metadata={date: None} if date else None)


def save_table(path: Path, columns: Mapping[str, ArrayLike]) -> None:
    """Write arrays that broadcast against each other as the columns of one CSV table, with their names as header."""
    arrays = np.broadcast_arrays(*(np.asarray(column) for column in columns.values()))
    with atomic_write(path) as part, part.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*(array.ravel().tolist() for array in arrays), strict=True))
