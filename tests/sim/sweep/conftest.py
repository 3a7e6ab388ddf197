"""A small sweep that has everything, finished once for all tests of it."""

from pathlib import Path

import pytest
from crossfeed.sim.sweep import create_sweep, parse_spec, run_sweep

SMALL = """
[sweep]
quantities = ["spectral_radius", "mean_mse_trajectory", "mse", "homogenization", "transfer", "mean_relative_efficiency"]
generations = 3
seed = 7

[ecosystem]
family = "random"
draws = 2

[axes]
entities = [1, 3, 4]
dimension = 4
rank = 2
beta = [0.2, 0.5, 0.9]
alpha = { from = 0.0, to = 1.0, points = 5 }
"""


@pytest.fixture(scope="session")
def small_store(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("sweep") / "small.zarr"
    spec = parse_spec(SMALL)
    create_sweep(spec, path)
    run_sweep(spec, path)
    return path
