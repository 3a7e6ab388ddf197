"""Relative efficiency against the volume of synthetic data."""

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from ..report import Report, Request, save
from ..style import grid_of_axes, line, styled
from .phase_diagrams import symmetric_optima
from .sizes import Sizes

_ENTITIES = (2, 4, 10, 50)
_ENDS = (1e-2, 1e6)


def draw(request: Request, sizes: Sizes) -> Report:
    """Write the best efficiency over α and β against the volume c."""
    volumes = np.geomspace(*_ENDS, sizes.volumes)
    found = symmetric_optima(np.array(_ENTITIES)[:, None], volumes)
    best, four = found[..., 2], found[_ENTITIES.index(4), :, 2]
    plain, most = float(symmetric_optima(4, 1.0)[2]), float(four[-1])
    report = Report(
        "volume",
        "Efficiency against the volume of synthetic data",
        f"With as much synthetic as real data, four models reach a relative efficiency of {plain:.2f} at best; with a million "
        f"times as much they reach {most:.3f}, as good as one estimator that sees all private rows, although no row is shared.",
        "All entities alike (S = S~ = S_*), any d, published data scaled by c; best α and β by gradients through the exact limit.",
        {"efficiency_at_1": plain, "efficiency_at_1e6": most},
    )
    columns = {
        "entities": np.array(_ENTITIES)[:, None],
        "volume": volumes,
        "best_alpha": found[..., 0],
        "best_beta": found[..., 1],
        "best_relative_efficiency": best,
    }
    return save(request, report, _figure(volumes, best), columns)


def _figure(volumes: Float[np.ndarray, " volume"], best: Float[np.ndarray, "size volume"]) -> Figure:
    """One line per K."""
    with styled():
        figure, ((panel,),) = grid_of_axes(1, 1, (5.5, 3.4))
        for number, entities in enumerate(_ENTITIES):
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
