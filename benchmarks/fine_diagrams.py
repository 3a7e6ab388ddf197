"""Phase diagrams of 1001 × 1001 points by interpolation, against computing every point, in CPU time.

Each sweep runs in a process of its own, which traces and compiles its programs, and then in another, which finds them kept. The
interpolated one does so before and after the one that computes every point, with which all its values are compared.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import xarray as xr
from timing import Claim

TOLERANCE = 1e-9
CLEAR = 1e-5
"""Least distance of ρ from 1 where errors are compared. Nearer, rounding alone exceeds the tolerance."""
REPEATS = 3
DIAGRAM = {"dimension": 15, "volume": 1.0, "misalignment": 0.0}
"""The diagram that is also compared with `compiled_loops.py`."""
EDGE = {"dimension": 15, "volume": 1000.0, "misalignment": 1.0}
VARIABLES = ("spectral_radius", "mean_mse", "mean_relative_efficiency", "homogenization", "mean_transfer")
SPEC = """
[sweep]
quantities = {quantities}
memory_mib = 1024
{setting}
[ecosystem]
public_rows = {rows}
[axes]
entities = 4
dimension = {dimension}
volume = {volume}
misalignment = {misalignment}
alpha = {{ from = 0.01, to = 0.98, points = 1001 }}
beta = {{ from = 0.01, to = 0.98, points = 1001 }}
"""


def measure() -> list[Claim]:
    return [
        *claims_of("15 features", 20.0, TOLERANCE, **DIAGRAM),
        *claims_of("32 features", 20.0, TOLERANCE, dimension=32, volume=1.0, misalignment=0.0),
        # Near the edge, checks at four points of a patch miss more.
        *claims_of("15 features, with an edge of stability", 4.0, TOLERANCE / 10, **EDGE),
    ]


def claims_of(name: str, target: float, asked: float, **ecosystem: float) -> list[Claim]:
    interpolate, compute = (spec_of(setting, VARIABLES, **ecosystem) for setting in (f"interpolate = {asked}", ""))
    fine, *first = compiled_and_kept(interpolate)
    computed, *computing = compiled_and_kept(compute)
    times = [first, *(compiled_and_kept(interpolate)[1:] for _ in range(REPEATS - 1))]
    seconds, again_seconds = map(float, np.median(times, axis=0))
    if not np.array_equal(fine.reason, computed.reason):
        raise AssertionError(f"{name}: reasons differ from those computed")
    exists = computed.reason.to_numpy() == 0
    compared = exists & (computed.spectral_radius.to_numpy() < 1 - CLEAR)
    errors = {one: largest_error(fine[one].to_numpy(), computed[one].to_numpy(), compared) for one in VARIABLES}
    details = {
        "asked": asked,
        "seconds_compiling_and_with_kept_programs": times,
        "computed_seconds_compiling_and_with_kept_programs": computing,
        "fraction_not_interpolated": float((fine.interpolation_estimate == 0).mean()),
        "fraction_with_a_reason": float(1 - exists.mean()),
        "fraction_compared": float(compared.mean()),
        "errors": errors,
    }
    statement = f"CPU time of 1001 × 1001, {name}, against every point"
    return [
        Claim(statement, computing[0] / seconds, target, details=details),
        Claim(f"{statement}, with kept programs", computing[1] / again_seconds, target),
        Claim(
            f"largest error of 1001 × 1001, {name}, for ρ < 1 - {CLEAR:g}",
            max(errors.values()),
            TOLERANCE,
            at_least=False,
        ),
    ]


def largest_error(found: np.ndarray, computed: np.ndarray, compared: np.ndarray) -> float:
    """Largest difference where values are compared, relative to values above 1."""
    found, computed = found[compared], computed[compared]
    return float(np.max(np.abs(found - computed) / np.maximum(np.abs(computed), 1), initial=0))


def spec_of(setting: str, quantities: Sequence[str], **ecosystem: float) -> str:
    """The spec of a diagram, as TOML.

    Args:
        setting: one more line of the sweep's settings.
        quantities: what is computed.
        ecosystem: values of the axes.
    """
    return SPEC.format(setting=setting, quantities=list(quantities), rows=2 * ecosystem["dimension"], **ecosystem)


def compiled_and_kept(spec: str) -> tuple[xr.Dataset, float, float]:
    """A sweep, its CPU seconds where nothing has been compiled yet, and those of another process that finds that kept."""
    with TemporaryDirectory() as programs:
        found, first = swept(spec, programs)
        return found, first, swept(spec, programs)[1]


def swept(spec: str, programs: str) -> tuple[xr.Dataset, float]:
    """A sweep and the CPU seconds of its execution.

    Args:
        spec: the spec, as TOML.
        programs: folder of compiled programs.
    """
    with TemporaryDirectory() as folder:
        path = Path(folder, "s.zarr")
        task = subprocess.run(
            [sys.executable, str(Path(__file__).with_name("sweep_task.py")), str(path)],
            input=spec,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            env=os.environ | {"JAX_COMPILATION_CACHE_DIR": programs},
        )
        return xr.open_zarr(path).load(), float(task.stdout)
