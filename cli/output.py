"""Output of the commands: JSON, tables and notes."""

import json
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

# NumPy and Rich are imported where they are used, so that `--help` does not wait for them.

_COLUMN = 14  # characters per column
_WIDTH_IN_FILES = 160


def print_json(values: Mapping[str, object]) -> None:
    """Print one JSON object; arrays become lists, and NaN and infinities become null."""
    print(json.dumps({name: plain(value) for name, value in values.items()}, allow_nan=False))


def print_table(
    title: str, header: Sequence[str], rows: Iterable[Sequence[object]], sentences: Sequence[str] = ()
) -> None:
    """Print a table on stdout; columns that do not fit are omitted, and the caption says so.

    Columns named in `sentences` hold text, which is broken into lines.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console() if sys.stdout.isatty() else Console(width=_WIDTH_IN_FILES)
    fitting = max(1, console.width // _COLUMN)
    left_out = len(header) - fitting
    caption = f"{left_out} more columns with --json" if left_out > 0 else None
    # As `Text`, since Rich would read markup in a plain string, such as the name of a file.
    table = Table(title=Text(title), title_justify="left", caption=caption)
    for name in header[:fitting]:
        if name in sentences:
            table.add_column(Text(name), justify="left", overflow="fold")
        else:
            table.add_column(Text(name), justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*(Text(shown(value)) for value in row[:fitting]))
    with console.capture() as captured:
        console.print(table)
    print(captured.get(), end="")  # Rich itself would end the program where the reader, such as `head`, has stopped


def print_notes(notes: Sequence[str]) -> None:
    """Print notes on the numbers on stderr."""
    for note in notes:
        print(f"note: {note}", file=sys.stderr)


def missing_notes(mse: "np.ndarray", path: Path, knows_truth: bool) -> list[str]:
    """Note that numbers are missing because estimates diverge, digits are lost, or the ecosystem has no θ; none if none is."""
    import numpy as np

    from crossfeed.formulas.results import RESULTS

    generations, entities = np.nonzero(np.isnan(mse))
    if not len(generations):
        return []
    generation, entity = generations[0], entities[0]
    if generation and mse[generation - 1, entity] > 1e100:
        return [f"numbers from generation {generation} on exceed what float64 can hold: the estimates diverge"]
    if knows_truth:
        return [f"{RESULTS[RESULTS.ill_conditioned]} ({len(generations)} numbers omitted)"]
    return [
        f"the estimate of entity {entity + 1} at generation {generation} is biased, so its error depends on theta, "
        f"which {path} does not hold, or its data are too ill-conditioned for float64 ({len(generations)} numbers omitted)"
    ]


def print_errors(kind: str, mse: "np.ndarray", mspe: "np.ndarray") -> None:
    """Print the MSE by generation, and the MSPE at the last generation."""
    entities = mse.shape[1]
    print_table(
        f"MSE, {kind}",
        ["generation", *(f"entity {k + 1}" for k in range(entities))],
        ((t, *row) for t, row in enumerate(mse)),
    )
    print_table(
        f"MSPE at generation {len(mse) - 1}, {kind}",
        ["entity", *(f"task {m + 1}" for m in range(entities))],
        ((k + 1, *row) for k, row in enumerate(mspe[-1])),
    )


def shown(value: object) -> str:
    """Value as text: six digits of a number, a dash if it is not finite."""
    plain = value.tolist() if hasattr(value, "tolist") else value  # pyright: ignore[reportAttributeAccessIssue]
    if isinstance(plain, float):
        return f"{plain:.6g}" if math.isfinite(plain) else "-"
    return str(plain)


def plain(value: object) -> object:
    """Value as JSON can hold it: arrays as lists, NaN and infinities as None."""
    if hasattr(value, "tolist"):
        return plain(value.tolist())  # pyright: ignore[reportAttributeAccessIssue]
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value
