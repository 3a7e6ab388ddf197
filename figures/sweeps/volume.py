"""Relative efficiency against the volume of synthetic data."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from crossfeed.errors import InvalidInput

from ..report import Report, Request, save
from ..settings import EntitySeries, Points, Within
from ..style import grid_of_axes, line, styled
from .phase_diagrams import symmetric_optima

_NUMBERS = {4: "four"}
_TOLD = 4  # K whose efficiency is told, or the nearest one


@dataclass(frozen=True)
class Settings:
    """Settings of the figure; volume.toml says what they are and holds the shipped ones."""

    entities: EntitySeries
    volume_from: Annotated[float, Within(1e-6, 1e12)]
    volume_to: Annotated[float, Within(1e-6, 1e12)]
    volumes: Points

    def __post_init__(self) -> None:
        if self.volume_from >= self.volume_to:
            raise InvalidInput(f"volume_from is {self.volume_from:g}, but must be below volume_to, {self.volume_to:g}")


def draw(request: Request, settings: Settings) -> Report:
    """Write the best efficiency over α and β against the volume c."""
    volumes = np.geomspace(settings.volume_from, settings.volume_to, settings.volumes)
    found = symmetric_optima(np.array(settings.entities)[:, None], volumes)
    best = found[..., 2]
    count = min(settings.entities, key=lambda entities: abs(entities - _TOLD))
    plain, most = float(symmetric_optima(count, 1.0)[2]), float(best[settings.entities.index(count), -1])
    who = _NUMBERS.get(count, str(count))
    if request.changed:
        says = (
            f"With as much synthetic as real data, {who} models reach a relative efficiency of {plain:.2f} at best, and with "
            f"{settings.volume_to:g} times as much {most:.3f}."
        )
    else:
        says = (
            f"With as much synthetic as real data, {who} models reach a relative efficiency of {plain:.2f} at best; with a million "
            f"times as much they reach {most:.3f}, as good as one estimator that sees all private rows, although no row is shared."
        )
    report = Report(
        "volume",
        "Efficiency against the volume of synthetic data",
        says,
        "All entities alike (S = S~ = S_*), any d, published data scaled by c; best α and β by gradients through the exact limit.",
        {"efficiency_at_1": plain, f"efficiency_at_{settings.volume_to:g}": most},
    )
    columns = {
        "entities": np.array(settings.entities)[:, None],
        "volume": volumes,
        "best_alpha": found[..., 0],
        "best_beta": found[..., 1],
        "best_relative_efficiency": best,
    }
    return save(request, report, _figure(settings, volumes, best), columns)


def _figure(
    settings: Settings, volumes: Float[np.ndarray, " volume"], best: Float[np.ndarray, "size volume"]
) -> Figure:
    """One line per K."""
    with styled():
        figure, ((panel,),) = grid_of_axes(1, 1, (5.5, 3.4))
        for number, entities in enumerate(settings.entities):
            line(panel, number, volumes, best[number], f"K = {entities}")
        panel.axvline(1, color="#888888", linewidth=0.8)
        panel.set(
            xscale="log",
            xlabel="volume c of synthetic data (1: as much as the real data)",
            ylabel="best relative efficiency",
            ylim=(0, 1.02),
        )
        panel.legend(loc="upper left")
    return figure
