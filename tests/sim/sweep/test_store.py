"""A store outlives interruptions, and what does not belong to it is refused."""

import filecmp
import random
import re
import shutil
from pathlib import Path

import jax
import numpy as np
import pytest
from crossfeed.sim.sweep import Share, create_sweep, finished_points, parse_spec, run_sweep, status_of
from crossfeed.theory import ecosystem_from_grams, save_ecosystem, worst_case

from crossfeed.errors import InvalidInput

from .conftest import SMALL


@pytest.fixture
def copy(small_store, tmp_path) -> Path:
    return Path(shutil.copytree(small_store, tmp_path / "copy.zarr"))


def chunks(store: Path) -> list[Path]:
    return sorted(file for file in store.glob("*/c/**/*") if file.is_file())


def assert_same(left: Path, right: Path):
    names = [file.relative_to(left) for file in chunks(left)]
    assert names == [file.relative_to(right) for file in chunks(right)]
    assert filecmp.cmpfiles(left, right, map(str, names), shallow=False) == ([str(n) for n in names], [], [])


def test_status_counts_finished_tiles(small_store, copy):
    whole = status_of(small_store)
    assert whole.points == whole.all_points == 2 * 3 * 3 * 5
    next(file for file in (copy / "mse" / "c").rglob("0") if file.is_file()).unlink()
    assert status_of(copy).tiles == whole.tiles - 1


def test_what_is_missing_is_computed_again_bit_by_bit(small_store, copy):
    all_points, empty = status_of(copy).points, copy / "mse" / "c" / "1" / "2" / "0" / "0" / "0"
    empty.write_bytes(b"")  # as a power cut leaves it
    assert status_of(copy).points < all_points
    for file in chunks(copy)[::3]:
        if file.parts[-2] != "c" and file != empty:  # coordinates are one chunk
            file.unlink()
    (copy / "mse" / "c" / "0" / "0" / "0" / "0" / "0.1234.partial").touch()
    seen = []
    noted = []
    run_sweep(parse_spec(SMALL), copy, report=lambda *now: seen.append(now), note=noted.append)
    assert noted == [f"{empty} is damaged, and is computed again"]
    assert_same(copy, small_store)
    assert seen[0][0] < seen[-1][0] == seen[-1][1]


@pytest.mark.long
def test_shares_of_several_processes_make_the_whole(small_store, tmp_path):
    spec, path = parse_spec(SMALL), tmp_path / "shared.zarr"
    create_sweep(spec, path)
    for process in range(3):
        run_sweep(spec, path, Share(process, 3))
        assert (status_of(path).tiles == status_of(path).all_tiles) == (process == 2)
    assert_same(path, small_store)


def test_memory_cuts_tiles_without_moving_a_value(small_store, tmp_path):
    import xarray as xr

    spec = parse_spec(SMALL.replace("seed = 7", "seed = 7\nmemory_mib = 1"))
    create_sweep(spec, tmp_path / "tight.zarr")
    run_sweep(spec, tmp_path / "tight.zarr")
    tight, wide = (xr.open_zarr(path).load() for path in (tmp_path / "tight.zarr", small_store))
    for name in wide.data_vars:
        np.testing.assert_allclose(tight[name], wide[name], rtol=1e-10, err_msg=str(name))


def test_a_store_is_not_overwritten(small_store):
    with pytest.raises(InvalidInput, match="exists already"):
        create_sweep(parse_spec(SMALL), small_store)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("seed = 7", "seed = 8", "seed is 7 there and 8 in the spec"),
        ("draws = 2", "draws = 1", "ecosystem.draws is 2 there and 1 in the spec"),
        ("draws = 2", "draws = 3", "holds a smaller sweep than the spec: --extend keeps it and computes the rest"),
        ("0.5, 0.9", "0.5, 0.7, 0.9", "holds a smaller sweep than the spec: --extend keeps it"),
        ("0.5, 0.9", "0.6, 0.9", "axes.beta has 0.5 there only and 0.6 in the spec only"),
        ('"transfer", ', "", "sweep.quantities has transfer there only"),
    ],
)
def test_another_spec_is_refused(small_store, old, new, says):
    with pytest.raises(InvalidInput, match=says):
        run_sweep(parse_spec(SMALL.replace(old, new)), small_store)


def test_attributes_that_are_gone_are_missed(copy):
    (copy / "zarr.json").unlink()
    with pytest.raises(InvalidInput, match=r"zarr\.json is gone: .* --resume restores it"):
        status_of(copy)


def test_a_foreign_store_is_refused(tmp_path):
    import zarr

    zarr.create_group(tmp_path / "foreign.zarr")
    (tmp_path / "plain").mkdir()
    for name in ("foreign.zarr", "plain"):
        with pytest.raises(InvalidInput, match=f"{name} is not the store of a sweep"):
            run_sweep(parse_spec(SMALL), tmp_path / name)
    with pytest.raises(InvalidInput, match="there is no sweep at"):
        status_of(tmp_path / "nothing")


def test_a_damaged_chunk_is_named_and_computed_again_whatever_the_settings(small_store, copy):
    file = copy / "mse" / "c" / "1" / "2" / "0" / "0" / "0"
    whole, elsewhere = file.read_bytes(), copy / "mse" / "c" / "0" / "0" / "0" / "0" / "0"
    for damage in (
        lambda: file.write_bytes(whole[: len(whole) // 2]),
        lambda: (file.unlink(), file.symlink_to(elsewhere)),
        lambda: (file.unlink(), file.symlink_to("/dev/zero")),
    ):
        damage()
        assert status_of(copy).damaged == ("mse/c/1/2/0/0/0",)
        assert status_of(copy).tiles == status_of(copy).all_tiles - 1
        with pytest.raises(InvalidInput, match=f"{file} is damaged"):
            finished_points(copy)
    noted = []
    with jax.threefry_partitionable(False), jax.default_prng_impl("rbg"):
        run_sweep(parse_spec(SMALL), copy, note=noted.append)
    assert noted == [f"{file} is damaged, and is computed again"]
    assert_same(copy, small_store)


def flipped(content: bytes, bit: int) -> bytes:
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def test_no_flipped_bit_is_silent(copy):
    files = [file for file in sorted(copy.rglob("*")) if file.is_file()]
    moments = random.Random(0)
    for number in range(400):
        file = files[number % len(files)]
        whole = file.read_bytes()
        file.write_bytes(flipped(whole, moments.randrange(8 * len(whole))))
        try:
            found = status_of(copy).damaged
        except InvalidInput as error:
            found = (str(error),)
        assert any(str(file.relative_to(copy)) in one or file.name == "zarr.json" for one in found), file
        file.write_bytes(whole)
    assert status_of(copy).damaged == ()


@pytest.mark.parametrize("name", ["zarr.json", "alpha/c/0", "beta/zarr.json", "mse/zarr.json"])
def test_a_damaged_description_is_written_again_by_resume(small_store, copy, name):
    file = copy / name
    whole = (small_store / name).read_bytes()
    for damaged in (whole[:5], flipped(whole, 8 * (len(whole) // 2)), b"\0" * len(whole)):
        file.write_bytes(damaged)
        with pytest.raises(InvalidInput, match=re.escape(name) if name != "zarr.json" else "zarr.json|not the store"):
            status_of(copy)
        noted = []
        run_sweep(parse_spec(SMALL), copy, note=noted.append)
        assert noted == [f"in {copy}, {name} is damaged, and written again"]
        assert_same(copy, small_store)
        assert file.read_bytes() == whole


def test_another_version_in_damaged_attributes_is_not_taken_for_this_one_in_silence(copy):
    """As by hand: the digest no longer fits, and the rest of the store says that it is of this version."""
    root = copy / "zarr.json"
    root.write_text(re.sub(r'"jax": "[^"]*"', '"jax": "0.4.30"', root.read_text()))
    noted = []
    run_sweep(parse_spec(SMALL), copy, note=noted.append)
    assert noted == [f"in {copy}, zarr.json is damaged, and written again"]


def test_damaged_attributes_are_not_restored_from_another_spec(copy):
    (copy / "zarr.json").write_text("{}")
    for old, new in (("seed = 7", "seed = 8"), ("0.5, 0.9", "0.6, 0.9")):
        with pytest.raises(InvalidInput, match="not the store of a sweep"):
            run_sweep(parse_spec(SMALL.replace(old, new)), copy)


def test_other_random_numbers_are_refused(copy, monkeypatch):
    from crossfeed.sim.sweep import description

    now = description.version("jax")
    monkeypatch.setattr(description, "version", lambda name: "0.4.30" if name == "jax" else "1")
    with pytest.raises(
        InvalidInput, match=rf"other random numbers: jax is {re.escape(now)} there and 0.4.30 in this installation"
    ):
        run_sweep(parse_spec(SMALL), copy)


def test_lost_axes_and_descriptions_are_named_and_made_anew(small_store, copy):
    lost = ("alpha/c/0", "draw/zarr.json", "mse/zarr.json")
    for name in lost:
        (copy / name).unlink()
    (copy / "beta" / "c" / "0").write_bytes(b"")
    told = f"in {copy}, draw/zarr.json, mse/zarr.json, alpha/c/0 are gone and beta/c/0 is damaged"
    with pytest.raises(InvalidInput, match=f"{told}: .* --resume restores them"):
        status_of(copy)
    noted = []
    run_sweep(parse_spec(SMALL), copy, note=noted.append)
    assert noted == [f"{told}, and written again"]
    assert_same(copy, small_store)
    assert [path.name for path in copy.parent.iterdir()] == [copy.name]


def test_too_little_memory_for_one_ecosystem(tmp_path):
    spec = parse_spec(SMALL.replace("dimension = 4", "dimension = 100000"))
    with pytest.raises(InvalidInput, match="memory_mib is 512, but one point of 4 entities and 100000 features takes"):
        create_sweep(spec, tmp_path / "never.zarr")
    assert not list(tmp_path.iterdir())


def test_too_little_memory_for_one_row(tmp_path):
    spec = parse_spec(
        SMALL.replace("points = 5", "points = 5000").replace("generations = 3", "generations = 900\nmemory_mib = 1")
    )
    with pytest.raises(InvalidInput, match="memory_mib is 1, but one row of α takes"):
        create_sweep(spec, tmp_path / "never.zarr")
    assert not list(tmp_path.iterdir())


FILE = """
[sweep]
quantities = ["mean_mse", "transfer"]
[ecosystem]
family = "file"
path = "ecosystem.npz"
[axes]
beta = [0.3, 0.6]
alpha = [0.2, 0.5]
"""


@pytest.fixture(scope="module")
def made_project(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    save_ecosystem(worst_case(2, 1.0), folder / "ecosystem.npz")
    create_sweep(spec_in(folder), folder / "s.zarr")
    run_sweep(spec_in(folder), folder / "s.zarr")
    next(file for file in (folder / "s.zarr" / "mean_mse" / "c").rglob("*") if file.is_file()).unlink()
    return folder


@pytest.fixture
def project(made_project, tmp_path) -> Path:
    """A folder with an ecosystem, and a sweep of it that lacks a tile."""
    return Path(shutil.copytree(made_project, tmp_path / "project"))


def spec_in(folder: Path):
    return parse_spec(FILE, folder=folder)


def test_another_ecosystem_in_the_same_file_is_refused(project):
    save_ecosystem(worst_case(2, 3.0), project / "ecosystem.npz")
    with pytest.raises(InvalidInput, match=r"holds another sweep: ecosystem.sha256 is \w+ there"):
        run_sweep(spec_in(project), project / "s.zarr")


@pytest.mark.parametrize(
    "change",
    [
        {"public": np.eye(2)},
        {"synthetic": np.stack([np.eye(2)] * 2)},
        {"shares": np.array([0.4, 0.6])},
        {"noise_variance": 2.0},
        {"theta": np.zeros(2)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_every_number_of_an_ecosystem_tells_it_from_another(project, change):
    made = worst_case(2, 1.0)
    numbers = {name: getattr(made, name).gram for name in ("private", "public", "synthetic")}
    save_ecosystem(ecosystem_from_grams(**numbers | change), project / "ecosystem.npz")
    with pytest.raises(InvalidInput, match=r"ecosystem.sha256 is"):
        run_sweep(spec_in(project), project / "s.zarr")


def test_a_file_that_changes_after_it_was_read_is_refused(project):
    spec = spec_in(project)
    save_ecosystem(worst_case(2, 3.0), project / "ecosystem.npz")
    with pytest.raises(InvalidInput, match=r"ecosystem\.npz has changed"):
        run_sweep(spec, project / "s.zarr")
    assert status_of(project / "s.zarr").tiles == 0


def test_a_project_can_move_and_its_ecosystem_be_written_again(project):
    moved = project.rename(project.with_name("elsewhere"))
    save_ecosystem(worst_case(2, 1.0), moved / "ecosystem.npz")
    run_sweep(spec_in(moved), moved / "s.zarr")
    assert status_of(moved / "s.zarr").tiles == 1


def test_a_store_needs_its_ecosystem_no_longer(project):
    (project / "ecosystem.npz").unlink()
    status = status_of(project / "s.zarr")
    assert (status.tiles, status.all_tiles, status.all_points) == (0, 1, 4)
    axes, finished = finished_points(project / "s.zarr")
    assert axes == ("beta", "alpha")
    assert not finished.any()
