"""Run the benchmarks named on the command line, or all: `python benchmarks/run.py [NAME …]`."""

import os
import sys
from importlib import import_module

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # for both sides: threads inside 15 × 15 matrices only cost

import jax
from compare import Ratio, as_record, store
from rich.console import Console
from rich.table import Table

NAMES = ("limit_grid", "large_limit", "linear_in_entities", "moment_simulator")


def main() -> None:
    """Measure, print and store."""
    jax.config.update("jax_enable_x64", True)
    table = Table("claim", "measured", "range", "target", "met", title="crossfeed benchmarks", title_justify="left")
    for name in sys.argv[1:] or NAMES:
        if name not in NAMES:
            sys.exit(f"no benchmark is named '{name}': there are {', '.join(NAMES)}")
        found = import_module(name).measure()
        if isinstance(found, list):
            store(name, [as_record(ratio) for ratio in found])
            for ratio in found:
                row_cells(table, ratio)
        else:
            store(name, vars(found) | {"met": found.met})
            growth = f"time ∝ K^{found.slope:.2f} (± {found.standard_error:.2f})"
            table.add_row(f"limit for K up to {found.entities[-1]}", growth, "", f"≤ {found.target}", _mark(found.met))
    Console(width=140).print(table)


def row_cells(table: Table, ratio: Ratio) -> None:
    """One ratio as a row."""
    low, high = ratio.spread
    measured = f"{ratio.ratio:.0f} × faster"
    table.add_row(
        f"{ratio.claim}; {ratio.note}",
        measured,
        f"{low:.0f} to {high:.0f}",
        f"≥ {ratio.target:.0f} ×",
        _mark(ratio.met),
    )


def _mark(met: bool) -> str:
    return "yes" if met else "NO"


if __name__ == "__main__":
    main()
