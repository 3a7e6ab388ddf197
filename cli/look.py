"""Options on the look of figures, which all commands that draw share."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro


@dataclass(frozen=True)
class LookOptions:
    """Look of figures."""

    size: Annotated[
        str | None, tyro.conf.arg(metavar="WIDTHxHEIGHT", help_behavior_hint="(default: the figure's own)")
    ] = None
    """Size of figures in inches, for instance 6x4."""
    dpi: int = 150
    """Dots per inch of PNG images."""
    style: Annotated[
        str | None, tyro.conf.arg(metavar="NAME|FILE.mplstyle", help_behavior_hint="(default: crossfeed's)")
    ] = None
    """Style sheet of Matplotlib on top of crossfeed's: fonts, line widths, colors of series (axes.prop_cycle) and of heat maps
    (image.cmap)."""

    def looking(self, formats: tuple[str, ...] = ("svg", "png")) -> AbstractContextManager[None]:
        """Context manager in which figures are made and written with this look, in these formats.

        Raises:
            InvalidInput: an option lies outside its range.
        """
        from ..figures.style import Look, looking

        return looking(Look(formats, _lengths(self.size), self.dpi, self.style))


@dataclass(frozen=True)
class FolderLookOptions(LookOptions):
    """Look of figures that are written into a folder."""

    format: Annotated[tuple[Literal["svg", "png", "pdf"], ...], tyro.conf.arg(metavar="{svg,png,pdf} [...]")] = (
        "svg",
        "png",
    )
    """Formats to write."""

    def looking_in_folder(self, page: bool = False) -> AbstractContextManager[None]:
        """As `looking`, in the formats asked for; with a page, which embeds PNG images, these are written too.

        Raises:
            InvalidInput: an option lies outside its range.
        """
        wanted = dict.fromkeys((*self.format, "png") if page else self.format)
        return self.looking(tuple(wanted))


def check_drawable(path: Path) -> None:
    """Refuse a file that is neither a picture nor a table.

    Raises:
        InvalidInput: the suffix is not .png, .svg, .pdf or .csv.
    """
    from crossfeed.errors import InvalidInput

    if path.suffix.lower() not in (".png", ".svg", ".pdf", ".csv"):
        raise InvalidInput(f"{path.name} must end in .png, .svg, .pdf or .csv")


def _lengths(text: str | None) -> tuple[float, float] | None:
    """Width and height of `6x4`."""
    from crossfeed.errors import InvalidInput

    if text is None:
        return None
    try:
        width, height = (float(part) for part in text.lower().split("x"))
    except ValueError:
        raise InvalidInput(f"size is {text!r}, but must be WIDTHxHEIGHT in inches, for instance 6x4") from None
    return width, height
