"""Relative efficiency against the volume of synthetic data."""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from ..report import Report, Request, save
from ..style import grid_of_axes, line, styled
from .sizes import Sizes
from .stores import swept

# One feature is enough: for any d and any common S, both errors of the ratio are tr(S⁻¹) times a number without d and S.
_SPEC = """
[sweep]
quantities = ["mean_relative_efficiency"]
[ecosystem]
family = "symmetric"
[axes]
entities = [2, 4, 10, 50]
dimension = 1
volume = {{ from = 0.01, to = 1e6, points = {volumes}, scale = "log" }}
beta = {{ from = 0.0, to = 1.0, points = {betas} }}
alpha = {{ from = 1e-8, to = 0.999999, points = {alphas}, scale = "log" }}
"""


def draw(request: Request, sizes: Sizes) -> Report:
    """Write the best efficiency over α and β against the volume c."""
    spec = _SPEC.format(volumes=sizes.volumes, betas=sizes.volume_betas, alphas=sizes.volume_alphas)
    data = swept(request, "volume", spec)
    best = data.mean_relative_efficiency.max(("alpha", "beta"))
    four = best.sel(entities=4)
    plain, most = float(four.sel(volume=1, method="nearest")), float(four.isel(volume=-1))
    report = Report(
        "volume",
        "Efficiency against the volume of synthetic data",
        f"With as much synthetic as real data, four models reach a relative efficiency of {plain:.2f} at best; with a million "
        f"times as much they reach {most:.3f}, as good as one estimator that sees all private rows, although no row is shared.",
        "All entities alike (S = S~ = S_*), any d, published data scaled by c; best over the grid of α and β; exact limit.",
        {"efficiency_at_1": plain, "efficiency_at_1e6": most},
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
