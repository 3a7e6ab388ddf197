"""Phase diagrams of 1001 × 1001 points by interpolation, against computing every point, in CPU time with compilation.

Every interpolated value is compared with the computed one.
"""

import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import xarray as xr
from crossfeed.sim.sweep import create_sweep, parse_spec, run_sweep
from timing import Claim

TOLERANCE = 1e-9
ASKED = TOLERANCE / 10
VARIABLES = ("spectral_radius", "mean_mse", "mean_relative_efficiency", "homogenization", "mean_transfer")
SPEC = """
[sweep]
quantities = ["spectral_radius", "mean_mse", "mean_relative_efficiency", "homogenization", "mean_transfer"]
memory_mib = 1024
{setting}
[ecosystem]
public_rows = 30
[axes]
entities = 4
volume = {volume}
misalignment = {misalignment}
alpha = {{ from = 0.01, to = 0.98, points = 1001 }}
beta = {{ from = 0.01, to = 0.98, points = 1001 }}
"""


def measure() -> list[Claim]:
    return [
        *claims_of("without an edge of stability", 20.0, volume=1.0, misalignment=0.0),
        *claims_of("with an edge of stability", 4.0, volume=1000.0, misalignment=1.0),
    ]


def claims_of(name: str, target: float, **ecosystem: float) -> list[Claim]:
    fine, seconds = swept(f"interpolate = {ASKED}", **ecosystem)
    computed, computed_seconds = swept("", **ecosystem)
    if not np.array_equal(fine.reason, computed.reason):
        raise AssertionError(f"{name}: reasons differ from those computed")
    exists = computed.reason.to_numpy() == 0
    errors = {one: largest_error(fine[one].to_numpy(), computed[one].to_numpy(), exists) for one in VARIABLES}
    details = {
        "seconds": seconds,
        "computed_seconds": computed_seconds,
        "fraction_not_interpolated": float((fine.interpolation_estimate == 0).mean()),
        "fraction_without_limit": float(1 - exists.mean()),
        "errors": errors,
    }
    size = f"1001 × 1001, {name}"
    return [
        Claim(f"CPU time of {size}, against every point", computed_seconds / seconds, target, details=details),
        Claim(f"largest error of {size}", max(errors.values()), TOLERANCE, at_least=False),
    ]


def largest_error(found: np.ndarray, computed: np.ndarray, exists: np.ndarray) -> float:
    """Largest difference where there is a limit, relative to values above 1."""
    found, computed = found[exists], computed[exists]
    return float(np.max(np.abs(found - computed) / np.maximum(np.abs(computed), 1), initial=0))


def swept(setting: str, **ecosystem: float) -> tuple[xr.Dataset, float]:
    spec = parse_spec(SPEC.format(setting=setting, **ecosystem))
    with TemporaryDirectory() as folder:
        path = Path(folder, "s.zarr")
        create_sweep(spec, path)
        start = time.process_time()
        run_sweep(spec, path)
        return xr.open_zarr(path).load(), time.process_time() - start
