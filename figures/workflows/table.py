"""One table for a figure whose panels show different things."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike


def table_of_panels(panels: Mapping[str, Mapping[str, ArrayLike]]) -> dict[str, np.ndarray]:
    """Columns of all panels below each other, with the panel's name as the first; NaN where a panel lacks a column.

    Args:
        panels: columns of each panel, arrays that broadcast against each other.
    """
    long = {name: np.broadcast_arrays(*map(np.asarray, columns.values())) for name, columns in panels.items()}
    names = dict.fromkeys(column for columns in panels.values() for column in columns)
    table: dict[str, list[np.ndarray]] = {"panel": [], **{column: [] for column in names}}
    for panel, arrays in long.items():
        columns = dict(zip(panels[panel], arrays, strict=True))
        missing = np.full(arrays[0].size, np.nan)
        table["panel"].append(np.full(arrays[0].size, panel))
        for column in names:
            table[column].append(columns[column].ravel() if column in columns else missing)
    return {column: np.concatenate(parts) for column, parts in table.items()}
