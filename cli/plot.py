"""`crossfeed plot`: heat maps, lines and small multiples of any sweep."""

from dataclasses import dataclass, field
from pathlib import Path

import tyro


@dataclass(frozen=True)
class PlotCommand:
    """Draw one variable of a sweep: heat maps over (α, β) with contours, or lines; other axes become lines and panels.

    Draws are averaged. A sweep under way can be plotted: what is missing stays white, and the picture says how much is there.
    """

    store: tyro.conf.Positional[Path]
    """The store of a sweep."""
    variable: str
    """What to draw, for instance spectral_radius."""
    out: Path
    """File to write: .png, .svg or .pdf."""
    x: str | None = None
    """Horizontal axis; α, or the generation, if not given."""
    y: str | None = None
    """Vertical axis of heat maps; β if not given and free."""
    at: tyro.conf.UseAppendAction[list[str]] = field(default_factory=list)
    """NAME=VALUE: hold an axis at its value nearest to this; repeat the option for more."""

    def run(self) -> None:
        """Draw and write."""
        from ..figures.report import write_figure
        from ..figures.sweep_plot import open_sweep, plot_sweep

        data = open_sweep(self.store)
        write_figure(plot_sweep(data, self.variable, dict(map(_held, self.at)), self.x, self.y), self.out)
        print(self.out)


def _held(text: str) -> tuple[str, float]:
    from crossfeed.errors import InvalidInput

    name, _, value = text.partition("=")
    try:
        return name, float(value)
    except ValueError:
        raise InvalidInput(f"at is {text!r}, but must be NAME=VALUE with a number") from None
