"""A sweep grows: what it holds is kept bit for bit, the rest is computed, and an interruption changes nothing."""

import random
import shutil
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
import xarray as xr
from crossfeed.sim.sweep import (
    compare_sweeps,
    create_sweep,
    extend_sweep,
    finished_points,
    parse_spec,
    run_sweep,
    status_of,
)

from crossfeed.errors import InvalidInput

from .test_store import assert_same

OLD = """
[sweep]
quantities = ["mse", "transfer", "mean_mse_trajectory"]
generations = 2
seed = 3
[ecosystem]
draws = 2
[axes]
entities = [1, 2]
dimension = 2
rank = 1
volume = 1
beta = [0.3, 0.6]
alpha = { from = 0.1, to = 0.9, points = 3 }
"""
MORE_POINTS = (
    OLD.replace("draws = 2", "draws = 3").replace("points = 3", "points = 5").replace("volume = 1", "volume = [0.5, 1]")
).replace("0.3, 0.6", "0.3, 0.45, 0.6")
MORE_VALUES = (
    OLD.replace('"mse",', '"mean_mse", "mse",')
    .replace("generations = 2", "generations = 4")
    .replace("[1, 2]", "[1, 2, 3]")
)


def computed(text: str, path: Path) -> Path:
    create_sweep(parse_spec(text), path)
    run_sweep(parse_spec(text), path)
    return path


@pytest.fixture(scope="module")
def old(tmp_path_factory) -> Path:
    return computed(OLD, tmp_path_factory.mktemp("old") / "s.zarr")


@pytest.fixture
def store(old, tmp_path) -> Path:
    return Path(shutil.copytree(old, tmp_path / "grown.zarr"))


def assert_kept(store: Path, old: Path) -> None:
    """All that the old store holds is in the new one, with the same bits."""
    after, before = xr.open_zarr(store).load(), xr.open_zarr(old).load()
    last = after.sizes["dataset"]
    labels: dict[Any, Any] = {dim: before[dim].values for dim in before.dims if dim not in ("alpha", "dataset")}
    labels["dataset"] = [*range(1, before.sizes["dataset"]), last]
    labels["volume"] = 1.0
    inside = after.sel({dim: values for dim, values in labels.items() if dim in after.dims})
    inside = inside.sel(alpha=before.alpha, method="nearest")
    for name in before.data_vars:
        np.testing.assert_array_equal(inside[name].values, before[name].values, err_msg=str(name))


@pytest.mark.long
@pytest.mark.parametrize("larger", [MORE_POINTS, MORE_VALUES], ids=["points", "values"])
def test_what_is_there_is_kept_and_the_rest_is_as_if_computed_at_once(larger, store, old, tmp_path):
    spec = parse_spec(larger)
    extend_sweep(spec, store)
    seen = []
    with pytest.raises(KeyboardInterrupt):
        run_sweep(spec, store, report=lambda done, total: seen.append(done) or (_stop() if len(seen) == 4 else None))
    assert 0 < status_of(store).tiles < status_of(store).all_tiles
    extend_sweep(spec, store)  # as the same command does again; --resume need not
    run_sweep(spec, store)
    assert status_of(store).points == status_of(store).all_points
    assert finished_points(store)[1].all()
    assert not [entry for entry in store.iterdir() if entry.name.startswith(".")]
    assert_kept(store, old)
    at_once = computed(larger, tmp_path / "once.zarr")
    if jax.__version_info__ < (0, 11):
        assert_same(at_once, store)
    else:  # whose compiler rounds the last bit by the place of a point among those computed together
        with xr.open_zarr(at_once) as wanted, xr.open_zarr(store) as found:
            xr.testing.assert_allclose(found, wanted, rtol=1e-14, atol=1e-15)


def test_a_first_weight_of_one_changes_a_last_bit_at_most(store, old, tmp_path):
    larger = OLD.replace("0.3, 0.6", "0.3, 0.6, 1.0")
    extend_sweep(parse_spec(larger), store)
    run_sweep(parse_spec(larger), store)
    assert_kept(store, old)
    with xr.open_zarr(computed(larger, tmp_path / "once.zarr")) as wanted, xr.open_zarr(store) as found:
        xr.testing.assert_allclose(found, wanted, rtol=1e-14, atol=1e-15)


def _stop() -> None:
    raise KeyboardInterrupt


def test_an_extension_that_is_interrupted_at_its_beginning_goes_on(store, old):
    spec = parse_spec(MORE_VALUES)
    extend_sweep(spec, store)
    (store / "zarr.json").unlink()  # as if the attributes had not yet been written
    noted = []
    extend_sweep(spec, store, noted.append)
    assert noted == [f"in {store}, zarr.json is gone, and written again"]
    assert status_of(store).all_points == parse_points(MORE_VALUES)
    for lose in (lambda: None, (store / "zarr.json").unlink):
        lose()
        with pytest.raises(InvalidInput, match="being extended by another spec"):
            extend_sweep(parse_spec(MORE_POINTS), store)


def parse_points(text: str) -> int:
    return int(np.prod([len(values) for values in parse_spec(text).swept.values()]))


MORE_DRAWS = OLD.replace("draws = 2", "draws = 3")


def flipped(file: Path, bit: int) -> None:
    content = bytearray(file.read_bytes())
    content[bit // 8 % len(content)] ^= 1 << bit % 8
    file.write_bytes(content)


CHUNK = ".before/mse/c/1/0/0/0/0"


@pytest.mark.parametrize(
    ("damaged", "noted"),
    [
        # All but the chunk follows from the specs and is restored.
        (
            (CHUNK, ".before/alpha/c/0", ".before/transfer/zarr.json", "beta/c/0"),
            [
                "in STORE, beta/c/0 is damaged, and written again",
                "in STORE/.before, transfer/zarr.json, alpha/c/0 are damaged, and written again",
                f"STORE/{CHUNK} is damaged, and is computed again",
            ],
        ),
        (
            (".before/zarr.json", "zarr.json"),
            [
                "in STORE, zarr.json is damaged, and written again",
                "STORE/.before is damaged, and all that it held is computed again",
            ],
        ),
    ],
)
def test_damage_during_an_extension_is_named_or_restored(damaged, noted, store, old):
    spec = parse_spec(MORE_DRAWS)
    extend_sweep(spec, store)
    for name in damaged:
        flipped(store / name, 999)
    notes: list[str] = []
    extend_sweep(spec, store, notes.append)
    run_sweep(spec, store, note=notes.append)
    assert notes == [note.replace("STORE", str(store)) for note in noted]
    assert status_of(store).tiles == status_of(store).all_tiles
    assert not [entry for entry in store.iterdir() if entry.name.startswith(".")]
    after, before = xr.open_zarr(store).load(), xr.open_zarr(old).load()
    xr.testing.assert_allclose(after.sel(draw=before.draw), before, rtol=1e-10)


@pytest.mark.long
def test_no_bit_flipped_in_a_killed_extension_is_silent(store, tmp_path):
    spec, moments = parse_spec(MORE_VALUES), random.Random(1)
    whole = Path(shutil.copytree(store, tmp_path / "whole.zarr"))
    extend_sweep(spec, whole)
    run_sweep(spec, whole)
    expected = xr.open_zarr(whole).load()
    extend_sweep(spec, store)
    with pytest.raises(KeyboardInterrupt):
        run_sweep(spec, store, report=lambda done, total: _stop() if done else None)
    for number, file in enumerate(moments.sample([one for one in sorted(store.rglob("*")) if one.is_file()], 6)):
        copy = Path(shutil.copytree(store, tmp_path / f"{number}.zarr"))
        flipped(copy / file.relative_to(store), moments.randrange(10**6))
        notes: list[str] = []
        run_sweep(spec, copy, note=notes.append)
        after = xr.open_zarr(copy).load()
        assert after.equals(expected) or notes, file
        xr.testing.assert_allclose(after, expected, rtol=1e-10)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("0.3, 0.6", "0.3, 0.7"), "holds beta = 0.6, which the spec leaves out"),
        (('"mse", ', ""), "holds mse, which the spec leaves out"),
        (("generations = 2", "generations = 1"), "holds generations to 2, but the spec to 1"),
        (("draws = 2", "draws = 1"), "holds 2 draws, but the spec 1"),
        (("seed = 3", "seed = 4"), "seed is 3 there and 4 in the spec"),
        (("rank = 1", "rank = 1\ndominant_share = 0.5"), "holds another sweep: axes.dominant_share|needs at least 2"),
    ],
)
def test_what_a_store_holds_cannot_be_left_out_or_changed(store, change, says):
    before = sorted(store.rglob("*"))
    with pytest.raises(InvalidInput, match=says):
        extend_sweep(parse_spec(OLD.replace(*change)), store)
    assert sorted(store.rglob("*")) == before


def test_sweeps_are_compared_where_both_have_points(old, tmp_path):
    other = computed(
        OLD.replace("seed = 3", "seed = 4").replace("0.3, 0.6", "0.6").replace("generations = 2", "generations = 1"),
        tmp_path / "other.zarr",
    )
    found = compare_sweeps(old, other)
    assert found.settings == {
        "axes.beta": ([0.3, 0.6], [0.6]),
        "sweep.generations": (2, 1),
        "sweep.seed": (3, 4),
    }
    assert found.points == 2 * 2 * 1 * 3
    one, two = xr.open_zarr(old).sel(beta=[0.6]).load(), xr.open_zarr(other).load()
    errors = (one.mean_mse_trajectory.sel(generation=[0, 1]), two.mean_mse_trajectory)
    compared = found.quantities["mean_mse_trajectory"]
    assert compared.values == errors[0].size
    assert (compared.first, compared.second) == pytest.approx([float(each.mean()) for each in errors], rel=1e-12)
    assert compared.largest == pytest.approx(float(abs(errors[0].values - errors[1].values).max()), rel=1e-12)
    same = compare_sweeps(old, old)
    assert same.settings == {}
    assert {each.largest for each in same.quantities.values()} == {0.0}
