"""Efficiency against the volume of synthetic data."""

import numpy as np

from ..report import Report, Request, save
from ..style import grid_of_axes, line, styled
from .stores import swept

# One feature stands for any number: both errors of the ratio are tr(S⁻¹) times the same number for all d and all common S.
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
_QUICK_SIZE, _SIZE = (17, 41, 80), (33, 201, 240)  # points of c, β and α


def draw(request: Request) -> Report:
    """The best efficiency over α and β against c, and the best at c = 1."""
    volumes, betas, alphas = _QUICK_SIZE if request.quick else _SIZE
    data = swept(request, "volume", _SPEC.format(volumes=volumes, betas=betas, alphas=alphas))
    best = data.mean_relative_efficiency.max(("alpha", "beta"))
    with styled():
        figure, ((panel,),) = grid_of_axes(1, 1, (5.5, 3.4))
        for number, entities in enumerate(data.entities.values):
            line(panel, number, data.volume, best.sel(entities=entities), f"K = {entities}")
        panel.axvline(1, color="#888888", linewidth=0.8)
        panel.set(
            xscale="log",
            xlabel="volume c of synthetic data (1: as much as the real data)",
            ylabel="best relative efficiency",
            ylim=(0, 1.02),
        )
        panel.legend(loc="upper left")
        four = best.sel(entities=4)
        plain, most = float(four.sel(volume=1, method="nearest")), float(four.isel(volume=-1))
        report = Report(
            "volume",
            "Efficiency against the volume of synthetic data",
            f"Volume carries what fractions cannot: with as much synthetic as real data four models reach {plain:.2f} of the best "
            f"estimator that sees all private rows, and with a million times as much {most:.3f}, although no row is shared.",
            "All entities alike (S = S~ = S_*), any d, published data scaled by c; best over the grid of α and β; exact limit.",
            {"efficiency_at_1": plain, "efficiency_at_1e6": most},
        )
        return save(
            request,
            report,
            figure,
            {
                "entities": data.entities.values[:, None],
                "volume": data.volume.values,
                "best_relative_efficiency": np.asarray(best.transpose("entities", "volume")),
            },
        )
