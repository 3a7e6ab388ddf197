"""Figures by name: their settings, and how they are drawn with those of a user."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from crossfeed.errors import naming

from .report import Report, Request
from .settings import Changes, changed_words, read_settings, setting_names


@dataclass(frozen=True)
class Drawing:
    """A figure that can be drawn with other settings.

    Attributes:
        title: a few words that name it.
        settings: dataclass of its settings.
        draw: computes and writes it.
    """

    title: str
    settings: type
    draw: Callable[[Request, Any], Report]


@dataclass(frozen=True)
class Drawn:
    """A figure that has been drawn.

    Attributes:
        title: a few words that name it.
        settings: those it was drawn with.
        report: its description.
        seconds: how long that took.
    """

    title: str
    settings: Any
    report: Report
    seconds: float


def draw_all(
    drawings: Mapping[str, Drawing], folder: Path, quick: bool = False, changes: Sequence[Changes] = ()
) -> Iterator[Drawn]:
    """Draw figures one after the other; every change applies to all of them that have the setting.

    Args:
        drawings: the figures by name.
        folder: an existing folder to write to.
        quick: use coarser grids and fewer replicates.
        changes: settings of a user.

    Raises:
        InvalidInput: no figure has a setting, or a value does not fit; before the first figure is drawn.
    """
    known = {name for drawing in drawings.values() for name in setting_names(drawing.settings)}
    chosen = []
    for name, drawing in drawings.items():
        of_others = known.difference(setting_names(drawing.settings))
        with naming(name):
            own = [_without(change, of_others) for change in changes]
            chosen.append((drawing, read_settings(drawing.settings, quick, own)))
    return (_drawn(drawing, folder, settings, quick) for drawing, settings in chosen)


def _drawn(drawing: Drawing, folder: Path, settings: Any, quick: bool) -> Drawn:
    words = changed_words(settings, read_settings(drawing.settings, quick))
    start = time.perf_counter()
    report = drawing.draw(Request(folder, words), settings)
    return Drawn(drawing.title, settings, report, time.perf_counter() - start)


def finished(figures: Iterator[Drawn], finish: Callable[[list[Drawn]], None]) -> Iterator[Drawn]:
    """The figures as they are drawn; after the last, `finish` is called with all of them."""
    made = []
    for one in figures:
        made.append(one)
        yield one
    finish(made)


def _without(changes: Changes, names: set[str]) -> Changes:
    """The changes but for those of these names."""

    def rest(table: Mapping[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in table.items() if name not in names}

    content = {name: rest(value) if isinstance(value, Mapping) else value for name, value in changes.content.items()}
    return replace(changes, content=rest(content))
