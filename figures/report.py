"""What a figure leaves behind: a vector and a pixel image, its numbers as CSV, one sentence, and a few headline numbers."""

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
    """Where a figure goes and how much work it may take.

    Attributes:
        folder: an existing folder.
        quick: coarser grids and fewer replicates, for a look in a minute.
        seed: of every random draw.
    """

    folder: Path
    quick: bool = False
    seed: int = 0


@dataclass(frozen=True)
class Report:
    """One finished figure.

    Attributes:
        name: stem of its files.
        title: heading.
        says: one sentence of what the picture says.
        setting: the setting that made it.
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
    """Write `name.svg`, `name.png` and `name.csv`, each whole or not at all; the report with its files named.

    The setting goes below the picture unless something stands there already.
    """
    if not figure.get_supxlabel():
        note(figure, report.setting)
    for suffix in ("svg", "png"):
        write_figure(figure, request.folder / f"{report.name}.{suffix}")
    save_table(request.folder / f"{report.name}.csv", columns)
    report.files.extend(f"{report.name}.{suffix}" for suffix in ("svg", "png", "csv"))
    return report


def write_figure(figure: Figure, path: Path) -> None:
    """Write a figure, whole or not at all, without the date, so that equal figures are equal files; the suffix says how.

    Raises:
        InvalidInput: the suffix is none of .png, .svg and .pdf.
    """
    dates = {".png": None, ".svg": "Date", ".pdf": "CreationDate"}
    if path.suffix not in dates:
        raise InvalidInput(f"{path.name} must end in .png, .svg or .pdf")
    date = dates[path.suffix]
    with styled(), atomic_write(path) as part:
        figure.savefig(part, dpi=150, metadata={date: None} if date else None)


def save_table(path: Path, columns: Mapping[str, ArrayLike]) -> None:
    """Write columns that broadcast against each other as one long table with a header."""
    arrays = np.broadcast_arrays(*(np.asarray(column) for column in columns.values()))
    with atomic_write(path) as part, part.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*(array.ravel().tolist() for array in arrays), strict=True))
