"""Registry of the readers that are fuzzed, with a small good input of each."""

from pathlib import Path

import jax
import numpy as np
import xarray as xr
from crossfeed.figures.sweep_plot import open_sweep
from crossfeed.sim import ecosystem_from_files
from crossfeed.sim.sweep import create_sweep, parse_spec, read_spec, run_sweep, status_of
from crossfeed.sim.sweep.plan import Plan
from crossfeed.sim.sweep.store import Store
from crossfeed.theory import load_ecosystem, random_gaussian, read_workflow, save_ecosystem

from . import mutations as by
from .harness import Reader
from .language_models import READERS as LANGUAGE_MODELS

_SPEC = """[sweep]
quantities = ["spectral_radius", "mse_trajectory", "mean_mse"]
generations = 3
replicates = 10
seed = 7
memory_mib = 64
[ecosystem]
family = "random"
draws = 2
public_rows = 3
noise_variance = 0.5
[axes]
entities = [1, 2]
dimension = 3
rank = 2
volume = { from = 1, to = 10, points = 2, scale = "log" }
misalignment = 0.1
mixing = 0.5
alpha = [0.2, 0.5]
beta = { from = 0.1, to = 0.9, points = 3 }
[estimator]
kind = "ridge"
penalty = [0.1, 0.2]
[memory]
kind = "forget"
rate = 0.5
"""
_WORKFLOW = """[estimator]
kind = "gradient-steps"
steps = 5
rate = 0.1
[pool]
kind = "network"
readers = [[0.5, 0.5], [0.25, 0.75]]
fresh = 0.1
[memory]
kind = "forget"
rate = 0.5
"""
_STORED = """[sweep]
quantities = ["spectral_radius", "mse"]
[axes]
dimension = 2
rank = 1
entities = [1, 2]
alpha = [0.2, 0.5, 0.8]
beta = [0.3, 0.6]
"""


def _make_ecosystem(folder: Path) -> None:
    save_ecosystem(random_gaussian(jax.random.key(0), 2, 3, 1), folder / "eco.npz")


def _make_table(folder: Path) -> None:
    rows = np.random.default_rng(0).normal(size=(12, 3)).round(3)
    text = "x,y,price\n" + "".join(f"{a},{b},{c}\n" for a, b, c in rows)
    (folder / "t.csv").write_text(text)


def _read_table(folder: Path) -> None:
    table = folder / "t.csv"
    ecosystem_from_files([table, table], [table], target="price")


def _make_lines(folder: Path) -> None:
    record = '{"text": "the %d apple falls near the tree", "tags": ["a", {"b": 1}], "n": 2}\n'
    (folder / "t.jsonl").write_text("".join(record % i for i in range(6)))


def _read_lines(folder: Path) -> None:
    lines = folder / "t.jsonl"
    ecosystem_from_files([lines], [lines], dimension=2)


def _read_spec(folder: Path) -> None:
    spec = read_spec(folder / "sweep.toml")
    plan = Plan(spec)
    assert plan.points_at_once > 0
    if plan.points < 10**5 and sum(map(len, spec.swept.values())) < 10**4:
        create_sweep(spec, folder / "s.zarr")


def _make_store(folder: Path) -> None:
    spec = parse_spec(_STORED)
    create_sweep(spec, folder / "s.zarr")
    run_sweep(spec, folder / "s.zarr")
    _stored.append(open_sweep(folder / "s.zarr").load())
    _files.update({file.relative_to(folder): file.read_bytes() for file in by.files_of(folder)})


_stored: list[xr.Dataset] = []
_files: dict[Path, bytes] = {}


def _read_store(folder: Path) -> None:
    """What is drawn is what was computed, and what resuming leaves is what was written."""
    store = folder / "s.zarr"
    try:
        whole = status_of(store)
        drawn = open_sweep(store).load()
        finished = drawn.finished.drop_vars("finished")
        now, before = (one.drop_vars("finished").where(finished) for one in (drawn, _stored[-1]))
        assert now.equals(before), "damage is drawn"
        assert whole.damaged == ()
    finally:
        plan = Plan(parse_spec(_STORED))
        opened = Store.open(store, plan, lambda sentence: None)
        for tile in map(plan.tile, range(plan.tiles)):
            opened.clear(tile)
        for name, content in _files.items():
            file = folder / name
            assert not file.is_file() or not file.stat().st_size or file.read_bytes() == content, (
                f"{name} stays damaged"
            )


READERS = {
    reader.name: reader
    for reader in (
        Reader(
            "ecosystem",
            _make_ecosystem,
            lambda folder: load_ecosystem(folder / "eco.npz"),
            (*by.BYTES, by.change_npz_header, by.change_npz_header, by.change_npz_array, by.lie_zip, by.replace_file),
        ),
        Reader(
            "sweep",
            lambda folder: (folder / "sweep.toml").write_text(_SPEC),
            _read_spec,
            (*by.BYTES, *(by.change_toml,) * 10, by.replace_file),
        ),
        Reader(
            "workflow",
            lambda folder: (folder / "workflow.toml").write_text(_WORKFLOW),
            lambda folder: read_workflow(folder / "workflow.toml"),
            (*by.BYTES, *(by.change_toml,) * 10, by.replace_file),
        ),
        Reader("table", _make_table, _read_table, (*by.BYTES, *(by.change_csv,) * 6, by.replace_file)),
        Reader("lines", _make_lines, _read_lines, (*by.BYTES, *(by.change_json,) * 8, by.replace_file)),
        Reader("store", _make_store, _read_store, (*by.BYTES, by.change_json, by.replace_file, by.swap_folder)),
    )
} | LANGUAGE_MODELS
"""Every reader by its name."""
