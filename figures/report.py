"""Output of a figure: a vector and a raster image, its data as CSV, its conclusion in a sentence, and headline numbers."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from crossfeed.atomic_write import atomic_write
from crossfeed.errors import InvalidInput

from .style import current_look, note, styled


@dataclass(frozen=True)
class Request:
    """Destination of a figure.

    Attributes:
        folder: an existing folder to write to.
        changed: settings that a user changed, in words for the figure; empty if there are none.
    """

    folder: Path
    changed: str = ""


@dataclass(frozen=True)
class Report:
    """Description of a finished figure.

    Attributes:
        name: stem of its files.
        title: heading.
        says: conclusion of the figure in one sentence, or several, one per line.
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
    """Write a figure and its data as `name.csv`, each file whole or not at all, and return the report with these files.

    The picture is written in the formats of the look. The setting goes below it unless there is a note already, and so do
    settings that a user changed.

    Args:
        columns: data of the figure, arrays that broadcast against each other.
    """
    changed = f"\nChanged: {request.changed}." if request.changed else ""
    report = replace(report, setting=report.setting + changed)
    if changed or not figure.get_supxlabel():
        with styled():
            note(figure, figure.get_supxlabel() + changed if figure.get_supxlabel() else report.setting)
    names = [f"{report.name}.{suffix}" for suffix in current_look().formats]
    for name in names:
        write_figure(figure, request.folder / name)
    save_table(request.folder / f"{report.name}.csv", columns)
    report.files.extend([*names, f"{report.name}.csv"])
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
        figure.savefig(part, dpi=current_look().dpi, metadata={date: None} if date else None)


def save_table(path: Path, columns: Mapping[str, ArrayLike]) -> None:
    """Write arrays that broadcast against each other as the columns of one CSV table, with their names as header."""
    arrays = np.broadcast_arrays(*(np.asarray(column) for column in columns.values()))
    with atomic_write(path) as part, part.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*(array.ravel().tolist() for array in arrays), strict=True))
