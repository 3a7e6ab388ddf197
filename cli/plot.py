"""`crossfeed plot`: heat maps, lines and small multiples of any sweep."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from .inputs import check_sweeps
from .look import LookOptions, check_drawable
from .output import print_notes


@dataclass(frozen=True)
class PlotCommand:
    """Draw one variable of a sweep: heat maps over (α, β) with contours, or lines; further axes become lines and panels.

    Random ecosystems are averaged, and so are more entities than lines can show, with a band; --y entity maps them instead. An
    unfinished sweep can be plotted: points that are missing stay white, and a note says how many are computed.
    """

    store: tyro.conf.Positional[Annotated[Path, tyro.conf.arg(metavar="STORE")]]
    """Store of a sweep."""
    variable: str
    """Quantity to draw, for instance spectral_radius (docs/sweeps.md lists all)."""
    out: Path
    """File to write or replace: .png, .svg or .pdf, or .csv for the numbers that would be drawn."""
    x: Annotated[str | None, tyro.conf.arg(metavar="AXIS", help_behavior_hint="(default: alpha, or generation)")] = None
    """Horizontal axis."""
    y: Annotated[
        str | None, tyro.conf.arg(metavar="AXIS", help_behavior_hint="(default: beta over alpha, else lines)")
    ] = None
    """Vertical axis of heat maps."""
    at: Annotated[tyro.conf.UseAppendAction[list[str]], tyro.conf.arg(metavar="AXIS=VALUE")] = field(
        default_factory=list
    )
    """Hold an axis at its value nearest to this one; repeat the option for more axes."""
    look: LookOptions = field(default_factory=LookOptions)

    def check(self) -> None:
        """Refuse a store that is missing or lacks the variable, and what cannot be drawn."""
        from crossfeed.errors import InvalidInput

        check_sweeps(self.store)
        check_drawable(self.out)
        names = [name for name, _ in map(_held, self.at)]
        if twice := [name for name in names if names.count(name) > 1]:
            raise InvalidInput(f"at names {twice[0]!r} twice")
        if self.x is not None and self.x == self.y:
            raise InvalidInput(f"x and y are both {self.x!r}: a heat map needs two axes")
        held = _quantities(self.store)
        if held and self.variable not in held:
            raise InvalidInput(f"variable is {self.variable!r}, but the sweep holds {', '.join(held)}")

    def run(self) -> None:
        """Draw the figure and write it."""
        from ..figures.report import save_table, write_figure
        from ..figures.sweep_plot import open_sweep, plot_sweep, plotted_values

        data, held = open_sweep(self.store), dict(map(_held, self.at))
        if self.out.suffix.lower() == ".csv":
            save_table(self.out, plotted_values(data, self.variable, held))
        else:
            with self.look.looking():
                write_figure(plot_sweep(data, self.variable, held, self.x, self.y), self.out)
        print(self.out)
        share = float(data.finished.mean())
        print_notes([f"{self.store} is unfinished: {share:.1%} of its points are computed"] if share < 1 else [])


def _quantities(store: Path) -> list[str]:
    """Quantities that the attributes of a store name; none where they are damaged or gone, which reading the store tells."""
    import json

    from crossfeed.reading import read_json

    try:
        described = read_json(store / "zarr.json")["attributes"]["crossfeed_sweep"]
        return [str(name) for name in json.loads(described["spec"])["quantities"]]
    except (ValueError, KeyError, TypeError, RecursionError):
        return []


def _held(text: str) -> tuple[str, float]:
    from crossfeed.errors import InvalidInput

    name, _, value = text.partition("=")
    try:
        return name, float(value)
    except ValueError:
        raise InvalidInput(f"at is {text!r}, but must be AXIS=VALUE with a number") from None
