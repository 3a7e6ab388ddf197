"""The gallery's stores are kept while they are right, and only its own are made anew."""

import os
import shutil
from inspect import getfile

import pytest
from crossfeed.figures.report import Request
from crossfeed.figures.sweeps import stores
from crossfeed.theory import Ecosystem

from crossfeed.errors import InvalidInput
from crossfeed.formulas.limit import limit

SPEC = """
[sweep]
quantities = ["spectral_radius"]
[ecosystem]
family = "symmetric"
[axes]
dimension = 1
alpha = {}
beta = 0.5
"""


@pytest.mark.parametrize("kind", [limit, Ecosystem], ids=["formulas", "theory"])
def test_a_store_is_kept_while_nothing_that_decides_its_numbers_changes(kind, tmp_path, monkeypatch):
    request, wanted = Request(tmp_path), SPEC.format("[0.2, 0.6]")
    stores.swept(request, "s", wanted)
    store = tmp_path / "s.zarr"
    first = os.stat(store).st_ino
    stores.swept(request, "s", wanted)
    assert os.stat(store).st_ino == first
    # Another grid, as of a full run after a quick one.
    assert stores.swept(request, "s", SPEC.format("[0.3, 0.7]")).spectral_radius.values.tolist() == [0.3, 0.7]
    # Another theory: a corrected copy of its source.
    source = getfile(kind)
    shutil.copytree(os.path.dirname(source), tmp_path / "theory")
    (tmp_path / "theory" / "stein.py").write_text("# corrected")
    copied = str(tmp_path / "theory" / os.path.basename(source))
    monkeypatch.setattr(stores, "getfile", lambda one: copied if one is kind else getfile(one))
    (store / "stale").touch()
    stores.swept(request, "s", SPEC.format("[0.3, 0.7]"))
    assert not (store / "stale").exists()


def test_a_store_that_the_gallery_did_not_make_is_left_alone(tmp_path):
    (tmp_path / "s.zarr").mkdir()
    with pytest.raises(InvalidInput, match=r"s\.zarr is in the way"):
        stores.swept(Request(tmp_path), "s", SPEC.format("0.5"))
    assert (tmp_path / "s.zarr").is_dir()
