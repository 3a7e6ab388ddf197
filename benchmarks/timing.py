"""Timing of two sides in interleaved pairs within one run, and a record of the machine, its ceilings and the commit."""

import json
import os
import platform
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "results" / "benchmarks"
AGREEMENT = 1e-8
"""Both sides of a comparison must compute the same numbers to this relative accuracy before they are timed."""


@dataclass
class Claim:
    """A statement about performance, with what was measured for it.

    Attributes:
        statement: what is claimed.
        measured: the measured number, such as a ratio or a slope.
        target: the number to reach.
        at_least: whether larger is better.
        details: sizes, times and whatever else the number was computed from.
    """

    statement: str
    measured: float
    target: float
    at_least: bool = True
    details: Mapping[str, object] = field(default_factory=dict)

    @property
    def met(self) -> bool:
        return self.measured >= self.target if self.at_least else self.measured <= self.target


@dataclass
class Pairs:
    """Median times of two sides A and B in seconds, and the median of the ratios B/A within each pair."""

    a_seconds: float
    b_seconds: float
    ratio: float
    ratios: list[float]


def seconds(run: Callable[[], object]) -> float:
    """Time of one call, until its arrays are computed."""
    start = time.perf_counter()
    jax.block_until_ready(run())
    return time.perf_counter() - start


def cpu_seconds(run: Callable[[], object]) -> float:
    """CPU time of one call, until its arrays are computed."""
    start = time.process_time()
    jax.block_until_ready(run())
    return time.process_time() - start


def median_seconds(run: Callable[[], object], repeats: int = 5) -> float:
    """Median time of several calls after a first one."""
    jax.block_until_ready(run())
    return float(np.median([seconds(run) for _ in range(repeats)]))


def interleaved(a: Callable[[], object], b: Callable[[], object], pairs: int = 5) -> Pairs:
    """Times of A, B, A, B, …, so that a busy moment affects both sides of a pair and hardly their ratio."""
    a_times, b_times = zip(*((seconds(a), seconds(b)) for _ in range(pairs)), strict=True)
    ratios = [b / a for a, b in zip(a_times, b_times, strict=True)]
    return Pairs(float(np.median(a_times)), float(np.median(b_times)), float(np.median(ratios)), ratios)


def compiled(function: Callable[..., Any], *arguments: object) -> tuple[Callable[..., Any], float]:
    """The compiled function after a first call, and the compilation time in seconds."""
    start = time.perf_counter()
    run = jax.jit(function).lower(*arguments).compile()
    duration = time.perf_counter() - start
    jax.block_until_ready(run(*arguments))
    return run, duration


def matmul_rate() -> float:
    """Operations per second of a float64 product of two large matrices, by XLA with its present settings."""
    size = 1024 if jax.default_backend() == "cpu" else 8192
    matrix = jax.random.normal(jax.random.key(0), (size, size), dtype=float)
    product, _ = compiled(lambda matrix: matrix @ matrix, matrix)
    return 2 * size**3 / median_seconds(lambda: product(matrix))


def copying_rate() -> float:
    """Bytes per second read and written by a sum over 256 MiB, by XLA with its present settings."""
    array = jnp.zeros(2**25)
    shifted, _ = compiled(lambda array: array + 1, array)
    return 2 * array.nbytes / median_seconds(lambda: shifted(array))


def assert_agree(name: str, ours: ArrayLike, theirs: ArrayLike) -> None:
    """Raise unless two arrays agree to `AGREEMENT` relative to the largest entry."""
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    gap = np.abs(ours - theirs).max() / np.abs(theirs).max()
    if not gap <= AGREEMENT:
        raise AssertionError(f"{name}: the two sides differ by {gap:.2e}, more than {AGREEMENT:.0e}")


def fit_slope(sizes: ArrayLike, times: ArrayLike) -> tuple[float, float]:
    """Least-squares slope of log time against log size, and its standard error."""
    x, y = np.log(sizes), np.log(times)
    design = np.column_stack([np.ones_like(x), x])
    coefficients, *_ = np.linalg.lstsq(design, y)
    variance = ((y - design @ coefficients) ** 2).sum() / (len(x) - 2)
    return float(coefficients[1]), float(np.sqrt(variance * np.linalg.inv(design.T @ design)[1, 1]))


def write(name: str, claims: list[Claim]) -> Path:
    """Write the claims with the machine, the versions and the commit to results/benchmarks, and return the path."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{name}.json"
    record = {
        "benchmark": name,
        "claims": [asdict(claim) | {"met": claim.met} for claim in claims],
        "machine": _machine(),
        "versions": {"python": platform.python_version()}
        | {package: version(package) for package in ("jax", "jaxlib", "numpy", "scipy", "equinox")},
        "commit": _git("rev-parse", "HEAD"),
        "dirty": bool(_git("status", "--porcelain")),
    }
    path.write_text(json.dumps(record, indent=2) + "\n")
    return path


def _machine() -> dict[str, object]:
    return {
        "cpus": os.cpu_count(),
        "model": _cpu_model(),
        "load": os.getloadavg(),
        "blas_threads": os.environ.get("OPENBLAS_NUM_THREADS"),
        "device": jax.devices()[0].device_kind,
        "ceilings": {"float64_gflops": matmul_rate() / 1e9, "copied_gigabytes_per_second": copying_rate() / 1e9},
    }


def _cpu_model() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor()


def _git(*arguments: str) -> str | None:
    try:
        return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
