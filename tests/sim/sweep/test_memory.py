"""`memory_mib` bounds what is worked on at once, and what a tile holds; what cannot fit is refused before there is a store."""

import re
from math import prod

import jax
import pytest
import zarr
from crossfeed.sim import cached_tile
from crossfeed.sim.sweep import QUANTITIES, create_sweep, parse_spec, run_sweep
from crossfeed.sim.sweep.quantities import Quantity

from crossfeed.errors import InvalidInput

MIB = 2**20


def needed(folder, text: str) -> float:
    """MiB that the refusal says are needed, checked: less is refused, more is accepted."""

    def create(memory: int, name: str):
        create_sweep(parse_spec(text.format(memory=memory)), folder / name)

    with pytest.raises(InvalidInput, match=r"memory_mib is 1, but one .* takes \d+ MiB") as refused:
        create(1, "never.zarr")
    size = re.search(r"takes (\d+) MiB", str(refused.value))
    assert size is not None
    said = int(size[1])
    with pytest.raises(InvalidInput, match=f"memory_mib is {said - 1}, but one"):
        create(said - 1, "never.zarr")
    create(said + 1, f"{said + 1}.zarr")
    assert [path.name for path in folder.iterdir()] == [f"{said + 1}.zarr"]
    return said


LARGE_POINTS = """
[sweep]
quantities = ["{quantity}"]
replicates = {replicates}
memory_mib = {{memory}}
[axes]
dimension = {dimension}
rank = 1
entities = 4
alpha = {{{{ from = 0.1, to = 0.9, points = 40 }}}}
beta = 0.5
"""


def large_points(quantity: str, dimension: int, replicates: int = 2) -> str:
    return LARGE_POINTS.format(quantity=quantity, dimension=dimension, replicates=replicates)


def test_points_are_worked_on_together_as_far_as_memory_reaches(tmp_path, monkeypatch):
    together = []

    @jax.custom_batching.custom_vmap
    def watched(alpha):
        return alpha

    @watched.def_vmap
    def note(points, batched, alpha):
        together.append(points)
        return alpha, True

    monkeypatch.setitem(QUANTITIES, "watched", Quantity("α", "1", lambda point: watched(point.weights.alpha)))
    bytes_per_point = 2 * 8 * 60 * 4 * 10**2  # two buffers of 60 arrays of K × d × d numbers
    for memory in (1, 4, 1000):
        spec = parse_spec(large_points("watched", 10).format(memory=memory))
        create_sweep(spec, tmp_path / f"{memory}.zarr")
        run_sweep(spec, tmp_path / f"{memory}.zarr")
        assert 1 <= together[-1] <= memory * MIB / bytes_per_point
    assert together[0] < together[-2] < together[-1] == cached_tile(4, 10) == 32


def test_replicates_take_memory_too(tmp_path):
    """Four kinds of numbers for each entity and the pool, of each replicate."""
    few, many = (tmp_path / name for name in ("few", "many"))
    few.mkdir()
    many.mkdir()
    replicates = 100_000
    less = needed(few, large_points("monte_carlo_mse", 30, 10))
    more = needed(many, large_points("monte_carlo_mse", 30, replicates))
    assert more - less > 8 * replicates * 5 * 30 / MIB


LARGE_RESULTS = """
[sweep]
quantities = ["mse_trajectory", "mspe"]
generations = 200
memory_mib = {memory}
[axes]
dimension = 2
rank = 1
entities = 4
alpha = {{ from = 0.1, to = 0.9, points = 500 }}
beta = {{ from = 0.1, to = 0.9, points = 40 }}
"""


def test_results_of_a_tile_fit_the_memory(tmp_path):
    one_row = needed(tmp_path, LARGE_RESULTS)
    rows = []
    for memory in (one_row + 1, 4 * one_row, 1000 * one_row):
        create_sweep(parse_spec(LARGE_RESULTS.format(memory=memory)), tmp_path / f"of_{memory}.zarr")
        group = zarr.open_group(tmp_path / f"of_{memory}.zarr", mode="r")
        arrays = dict(group.arrays())
        chunks = [arrays[name].chunks for name in ("mse_trajectory", "mspe")]
        assert sum(8 * prod(chunk) for chunk in chunks) <= memory * MIB
        assert {chunk[0] for chunk in chunks} == {chunks[0][0]}, "a tile is one chunk of each quantity"
        rows.append(chunks[0][0])
    assert 1 <= rows[0] < rows[1] < rows[2]
