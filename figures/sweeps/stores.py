"""Sweeps behind the gallery: computed once into the folder of the figures, and continued if interrupted."""

import shutil
from hashlib import sha256
from importlib.metadata import version
from inspect import getfile
from pathlib import Path

import xarray as xr

from crossfeed.atomic_write import atomic_write
from crossfeed.errors import InvalidInput
from crossfeed.formulas.limit import limit

from ...sim.sweep import Spec, create_sweep, parse_spec, run_sweep
from ...theory import Ecosystem
from ..report import Request
from ..sweep_plot import open_sweep


def swept(request: Request, name: str, spec: str) -> xr.Dataset:
    """Results of a sweep, from the folder if the same spec and the same code made them, else computed anew.

    Raises:
        InvalidInput: the folder has a store of this name that the gallery did not make.
    """
    path, parsed = request.folder / f"{name}.zarr", parse_spec(spec, name)
    # The digest is written before the store, so that a store without one is never the gallery's own.
    origin, wanted = request.folder / f"{name}.origin", _origin_of(parsed)
    if path.exists() and not origin.exists():
        raise InvalidInput(f"{path} is in the way: the gallery did not make it, or an earlier version did; remove it")
    if not path.exists() or origin.read_text() != wanted:
        if path.exists():
            shutil.rmtree(path)
        with atomic_write(origin) as part:
            part.write_text(wanted)
        create_sweep(parsed, path)
    run_sweep(parsed, path)
    return open_sweep(path).load()


def _origin_of(spec: Spec) -> str:
    """Digest of all that decides the numbers: the spec, JAX, and the source of the formulas, theory/, sim/ and sim/sweep/."""
    content = sha256((spec.to_json() + version("jax")).encode())
    formulas, theory, sweep = (Path(getfile(one)).parent for one in (limit, Ecosystem, run_sweep))
    for folder in (formulas, theory, sweep.parent, sweep):
        for file in sorted(folder.glob("*.py")):
            content.update(file.name.encode() + file.read_bytes())
    return content.hexdigest()
