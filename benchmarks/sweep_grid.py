"""The sweep command on a 1001 × 1001 grid of α and β, store included, against a NumPy loop over the same points."""

import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import jax
import numpy as np
from baselines import NumpyConsensus
from crossfeed.theory import random_gaussian
from timing import Claim

SPEC = """
[sweep]
quantities = ["spectral_radius", "mean_relative_efficiency"]
[axes]
alpha = {{ from = 0.005, to = 0.995, points = {points} }}
beta = {{ from = 0.005, to = 0.995, points = {points} }}
"""
POINTS, SAMPLE = 1001, 300
SHARED_POINTS = 401  # points per axis where processes are compared


def measure() -> list[Claim]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        loop = _loop_seconds()
        seconds = _sweep(folder, POINTS)
        again = _loop_seconds()
        memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
        alone = _sweep(folder, SHARED_POINTS, cores="0")
        both = _shared(folder)
    scaled = (loop + again) / 2 * POINTS**2 / SAMPLE
    return [
        Claim("seconds that the command takes for a 1001 × 1001 sweep", seconds, 120, at_least=False),
        Claim("GiB of memory that it takes", memory, 2, at_least=False),
        Claim(
            "NumPy loop over the same points (scaled from a sample) against the command, including start and compilation",
            scaled / seconds,
            5,
            details={"loop_seconds_scaled": scaled, "loop_points_timed": SAMPLE},
        ),
        Claim("one process on one core against two processes on one core each", alone / both, 1),
    ]


def _loop_seconds() -> float:
    one = NumpyConsensus(random_gaussian(jax.random.key(0), 4, 15, 5))
    pairs = np.random.default_rng(0).uniform(0.005, 0.98, (SAMPLE, 2))
    start = time.perf_counter()
    for pair in pairs:
        one(*pair)
    return time.perf_counter() - start


def _start(folder: Path, points: int, cores: str | None = None, *more: str) -> subprocess.Popen[bytes]:
    spec = folder / f"{points}.toml"
    spec.write_text(SPEC.format(points=points))
    command = [str(Path(sys.executable).with_name("crossfeed")), "sweep", "run", str(spec), *more]
    pinned = ["taskset", "-c", cores, *command] if cores else command
    return subprocess.Popen(pinned, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ)


def _sweep(folder: Path, points: int, cores: str | None = None) -> float:
    store = folder / "alone.zarr"
    shutil.rmtree(store, ignore_errors=True)
    start = time.perf_counter()
    assert _start(folder, points, cores, "--out", str(store)).wait() == 0
    return time.perf_counter() - start


def _shared(folder: Path) -> float:
    shared = ["--out", str(folder / "shared.zarr"), "--coordinator", "localhost:7733", "--processes", "2"]
    start = time.perf_counter()
    processes = [_start(folder, SHARED_POINTS, str(i), *shared, "--process", str(i)) for i in (0, 1)]
    assert [process.wait() for process in processes] == [0, 0]
    return time.perf_counter() - start
