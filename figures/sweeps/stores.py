"""The sweeps behind the gallery: computed once into the folder of the figures, continued if interrupted."""

from pathlib import Path

import xarray as xr

from ...sim.sweep import create_sweep, parse_spec, run_sweep
from ..report import Request
from ..sweep_plot import open_sweep


def swept(request: Request, name: str, spec: str) -> xr.Dataset:
    """The results of a sweep, from the folder if they are there already."""
    path: Path = request.folder / f"{name}.zarr"
    parsed = parse_spec(spec, name)
    if not path.exists():
        create_sweep(parsed, path)
    run_sweep(parsed, path)
    return open_sweep(path).load()
