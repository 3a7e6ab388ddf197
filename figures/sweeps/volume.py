"""Relative efficiency against the volume of synthetic data."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from crossfeed.errors import InvalidInput

from ..report import Report, Request, save
from ..settings import EntitySeries, Points, Within
from ..style import grid_of_axes, line, styled
from .stores import swept

# One feature is enough: for any d and any common S, both errors of the ratio are tr(S⁻¹) times a number without d and S.
_SPEC = """
[sweep]
quantities = ["mean_relative_efficiency"]
[ecosystem]
family = "symmetric"
[axes]
entities = {entities}
dimension = 1
volume = {{ from = {volume_from}, to = {volume_to}, points = {volumes}, scale = "log" }}
beta = {{ from = 0.0, to = 1.0, points = {betas} }}
alpha = {{ from = 1e-8, to = 0.999999, points = {alphas}, scale = "log" }}
"""


_NUMBERS = {4: "four"}
_TOLD = 4  # K whose efficiency is told, or the nearest one


@dataclass(frozen=True)
class Settings:
    """Settings of the figure; volume.toml says what they are and holds the shipped ones."""

    entities: EntitySeries
    volume_from: Annotated[float, Within(1e-6, 1e12)]
    volume_to: Annotated[float, Within(1e-6, 1e12)]
    volumes: Points
    betas: Points
    alphas: Points

    def __post_init__(self) -> None:
        if self.volume_from >= self.volume_to:
            raise InvalidInput(f"volume_from is {self.volume_from:g}, but must be below volume_to, {self.volume_to:g}")


def draw(request: Request, settings: Settings) -> Report:
    """Write the best efficiency over α and β against the volume c."""
    data = swept(request, "volume", _SPEC.format(**vars(settings) | {"entities": list(settings.entities)}))
    best = data.mean_relative_efficiency.max(("alpha", "beta"))
    count = min(settings.entities, key=lambda entities: abs(entities - _TOLD))
    told = best.sel(entities=count)
    plain, most = float(told.sel(volume=1, method="nearest")), float(told.isel(volume=-1))
    who = _NUMBERS.get(count, str(count))
    times = "a million" if settings.volume_to == 1e6 else f"{settings.volume_to:g}"
    if request.changed:
        says = (
            f"{who.capitalize()} models reach a relative efficiency of {plain:.2f} at best at the volume nearest to 1, "
            f"and {most:.3f} at {settings.volume_to:g}."
        )
    else:
        says = (
            f"With as much synthetic as real data, {who} models reach a relative efficiency of {plain:.2f} at best; with {times} "
            f"times as much they reach {most:.3f}, as good as one estimator that sees all private rows, although no row is shared."
        )
    report = Report(
        "volume",
        "Efficiency against the volume of synthetic data",
        says,
        "All entities alike (S = S~ = S_*), any d, published data scaled by c; best over the grid of α and β; exact limit.",
        {"efficiency_at_1": plain, f"efficiency_at_{settings.volume_to:g}": most},
    )
    columns = {
        "entities": data.entities.values[:, None],
        "volume": data.volume.values,
        "best_relative_efficiency": np.asarray(best.transpose("entities", "volume")),
    }
    return save(request, report, _figure(best), columns)


def _figure(best: xr.DataArray) -> Figure:
    """One line per K."""
    with styled():
        figure, ((panel,),) = grid_of_axes(1, 1, (5.5, 3.4))
        for number, entities in enumerate(best.entities.values):
            line(panel, number, best.volume, best.sel(entities=entities), f"K = {entities}")
        panel.axvline(1, color="#888888", linewidth=0.8)
        panel.set(
            xscale="log",
            xlabel="volume c of synthetic data (1: as much as the real data)",
            ylabel="best relative efficiency",
            ylim=(0, 1.02),
        )
        panel.legend(loc="upper left")
    return figure
