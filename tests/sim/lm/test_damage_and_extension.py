"""Runs whose files are damaged, moved or extended: what is wrong is named and computed again, what is there is kept."""

import errno
import json
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pytest
import xarray as xr
from crossfeed.sim.lm import Progress, Study, open_cell, open_measures, parse_study, start_run
from crossfeed.sim.lm.run.checkpointing import Checkpoints, discard_damaged
from crossfeed.sim.lm.run.precision import in_single_precision

from crossfeed.errors import CrossfeedError, InvalidInput
from crossfeed.random_keys import seeded_key

from .tiny_study import TINY, write_texts

SMALL = TINY.replace("pretrain_steps = 2", "pretrain_steps = 1").replace("alpha = [0, 1]", "alpha = [1]")
SMALL = SMALL.replace("generations = 2", "generations = 1").replace("text_every = 2", "text_every = 1")


@pytest.fixture(scope="module")
def texts(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("text")
    write_texts(folder)
    return folder


@pytest.fixture(scope="module")
def whole(texts, tmp_path_factory) -> tuple[Path, Study]:
    folder, study = tmp_path_factory.mktemp("lm") / "run", parse_study(SMALL, folder=texts)
    start_run(study, folder, False, lambda now: None)
    return folder, study


def flipped(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at % len(content)] ^= 1 << at % 8
    path.write_bytes(bytes(content))


def moments(path: Path) -> Iterator[int]:
    """Places of a file to flip a bit at, few of a long one."""
    yield from np.random.default_rng(0).permutation(path.stat().st_size)[:12].tolist()


def test_a_flipped_bit_in_the_measures_is_named(whole, tmp_path, monkeypatch):
    monkeypatch.setattr(time, "sleep", lambda seconds: None)  # between attempts
    shutil.copytree(whole[0] / "measures.zarr", tmp_path / "measures.zarr")
    assert open_measures(tmp_path).identical(open_measures(whole[0]))
    for path in sorted(path for path in (tmp_path / "measures.zarr").rglob("*") if path.is_file()):
        content = path.read_bytes()
        for at in list(moments(path))[:2]:
            flipped(path, at)
            with pytest.raises(InvalidInput, match="is damaged; crossfeed lm run --resume writes them again"):
                open_measures(tmp_path)
            path.write_bytes(content)


def test_measures_that_have_lost_their_checksums_are_refused(whole, tmp_path):
    shutil.copytree(whole[0] / "measures.zarr", tmp_path / "measures.zarr")
    (tmp_path / "measures.zarr" / "sha256sums.txt").unlink()
    with pytest.raises(InvalidInput, match="has lost the checksums of its files"):
        open_measures(tmp_path)


def test_measures_have_checksums_of_their_own(whole):
    """For those who open the store with another program."""
    for name in open_measures(whole[0]).variables:
        described = json.loads((whole[0] / "measures.zarr" / str(name) / "zarr.json").read_text())
        assert described["codecs"][-1] == {"name": "zstd", "configuration": {"level": 0, "checksum": True}}


def test_a_flipped_bit_in_a_checkpoint_never_becomes_another_number(whole, tmp_path):
    kind = Path("cells", "seed0_alpha1_beta0.5")
    tree = {"models": {"0": {"a": np.arange(6, dtype=np.float32).reshape(2, 3)}}, "measures": {"loss": np.ones(3)}}
    Checkpoints(tmp_path / kind).save(1, tree)
    for path in sorted(path for path in (tmp_path / kind).rglob("*") if path.is_file()):
        content = path.read_bytes()
        for at in moments(path):
            flipped(path, at)
            with suppress(CrossfeedError):
                found = Checkpoints(tmp_path / kind).restore(tree)
                jax.tree.map(np.testing.assert_array_equal, found, tree)
            path.write_bytes(content)


def test_a_digest_that_is_gone_makes_a_checkpoint_damaged_and_none_an_older_one(tmp_path):
    tree = {"a": np.ones(3)}
    Checkpoints(tmp_path).save(0, tree)
    digests = json.loads((tmp_path / "digests.json").read_text())
    (tmp_path / "digests.json").write_text(json.dumps({"7": digests["0"]}))
    with pytest.raises(CrossfeedError, match="is not what was saved"):
        Checkpoints(tmp_path).restore(tree)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_a_pipe_in_the_place_of_a_checkpoints_file_is_named(tmp_path):
    Checkpoints(tmp_path).save(0, {"a": np.ones(3)})
    metadata = tmp_path / "0" / "_CHECKPOINT_METADATA"
    metadata.unlink()
    os.mkfifo(metadata)
    with pytest.raises(CrossfeedError, match=r"is damaged \(.*_CHECKPOINT_METADATA: it is not a regular file\)"):
        Checkpoints(tmp_path)
    assert discard_damaged(tmp_path) == "_CHECKPOINT_METADATA is not what was saved"


def test_a_checkpoint_whose_digests_are_gone_is_damaged_unless_it_never_had_any(tmp_path):
    tree = {"a": np.ones(3)}
    for folder in (tmp_path / "new", tmp_path / "older"):
        Checkpoints(folder).save(0, tree)
        (folder / "digests.json").unlink()
    with pytest.raises(
        CrossfeedError, match=r"new/0 is damaged \(digests.json is gone\): with --resume, it is computed"
    ):
        Checkpoints(tmp_path / "new").restore(tree)
    assert discard_damaged(tmp_path / "new") == "digests.json is gone"
    metadata = tmp_path / "older" / "0" / "_CHECKPOINT_METADATA"  # as versions without digests wrote it
    metadata.write_text(json.dumps(json.loads(metadata.read_text()) | {"custom_metadata": {}}))
    np.testing.assert_array_equal(Checkpoints(tmp_path / "older").restore(tree)["a"], 1)
    assert discard_damaged(tmp_path / "older") is None


def test_a_checkpoint_that_cannot_be_read_now_is_kept(tmp_path, monkeypatch):
    """An error of the disk is no damage: what `--resume` deleted then might be sound."""
    Checkpoints(tmp_path).save(0, {"a": np.ones(3)})

    def unreadable(folder: Path) -> dict[str, str]:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("crossfeed.sim.lm.run.checkpointing.digests_of_files", unreadable)
    with pytest.raises(CrossfeedError, match=r"cannot read .*: Input/output error"):
        discard_damaged(tmp_path)
    monkeypatch.undo()
    assert discard_damaged(tmp_path) is None


def test_a_checkpoint_that_is_gone_is_missed(whole, tmp_path):
    cell = "cells/seed0_alpha1_beta0.5"
    for gone, says in (
        (f"{cell}/1", f"{cell} is damaged (its checkpoint is gone): with --resume, it is computed again"),
        (cell, "has lost the models of α 1, β 0.5, seed 0 after generation 0: with --resume, they are computed again"),
    ):
        shutil.copytree(whole[0], tmp_path / gone / "run")
        shutil.rmtree(tmp_path / gone / "run" / gone)
        with pytest.raises(CrossfeedError, match=re.escape(says)):
            open_cell(tmp_path / gone / "run", None, 1.0, 0.5)
    assert discard_damaged(tmp_path / cell / "1" / "run" / cell) == "its checkpoint is gone"


@pytest.mark.parametrize("kind", ["base", "initial", "cells"])
def test_what_is_damaged_is_named_and_computed_again(kind, whole, tmp_path):
    shutil.copytree(whole[0], tmp_path / "run")
    (place,) = (tmp_path / "run" / kind).iterdir()
    largest = max((path for path in place.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)
    flipped(largest, largest.stat().st_size // 2)
    if kind == "cells":
        with pytest.raises(CrossfeedError, match=r"seed0_alpha1_beta0.5/1 is damaged \(.*: with --resume, it is"):
            open_cell(tmp_path / "run", None, 1.0, 0.5)
    notes: list[str] = []
    start_run(whole[1], tmp_path / "run", True, lambda now: notes.append(now.note))
    assert [note for note in notes if "damaged" in note] == [
        f"{place} is damaged ({largest.relative_to(place).as_posix().partition('/')[2]} is not what was saved), "
        "and computed again"
    ]
    xr.testing.assert_identical(open_measures(tmp_path / "run"), open_measures(whole[0]))
    assert kind == "base" or place.exists()


def test_a_damaged_record_or_tokenizer_is_named(whole, tmp_path):
    shutil.copytree(whole[0], tmp_path / "run")
    record = tmp_path / "run" / "study.json"
    content = record.read_text()
    for change in (('temperature": 1.0', 'temperature": 1.4'), ('"sha256"', '"sha257"'), ('"eos": 0', '"eos": 1')):
        assert change[0] in content
        record.write_text(content.replace(*change))
        with pytest.raises(InvalidInput, match=r"study.json is damaged, or of another version"):
            open_cell(tmp_path / "run", None, 1.0, 0.5)
    record.write_text('{"study": {}}')
    with pytest.raises(InvalidInput, match=r"or of another version of crossfeed: it lacks 'models'"):
        open_cell(tmp_path / "run", None, 1.0, 0.5)
    record.write_text(content)
    flipped(tmp_path / "run" / "tokenizer.json", 1000)
    with pytest.raises(InvalidInput, match=r"tokenizer.json is damaged: with --resume, it is written again"):
        open_cell(tmp_path / "run", None, 1.0, 0.5)
    start_run(whole[1], tmp_path / "run", True, lambda now: None)
    assert open_cell(tmp_path / "run", None, 1.0, 0.5).generation == 1


def test_seeds_mean_the_same_whatever_generator_jax_is_set_to():
    drawn = in_single_precision(lambda: jax.random.normal(jax.random.split(seeded_key(7))[0], (5,)))
    expected = drawn()
    with jax.enable_x64(False):
        np.testing.assert_array_equal(expected, jax.random.normal(jax.random.split(jax.random.key(7))[0], (5,)))
    for setting, value in (("jax_default_prng_impl", "rbg"), ("jax_threefry_partitionable", False)):
        before = getattr(jax.config, setting)
        try:
            jax.config.update(setting, value)
            np.testing.assert_array_equal(drawn(), expected)
        finally:
            jax.config.update(setting, before)
    try:
        jax.config.update("jax_random_seed_offset", 5)
        np.testing.assert_array_equal(drawn(), expected)
    finally:
        jax.config.update("jax_random_seed_offset", 0)


def test_a_run_goes_on_where_its_texts_lie_now(whole, texts, tmp_path):
    shutil.copytree(whole[0], tmp_path / "run")
    shutil.copytree(texts, tmp_path / "moved")
    moved = parse_study(SMALL, folder=tmp_path / "moved")
    assert moved != whole[1]
    start_run(moved, tmp_path / "run", True, lambda now: None)
    assert open_cell(tmp_path / "run", None, 1.0, 0.5).study == moved
    (tmp_path / "moved" / "public.txt").write_text("another text " * 3000)
    with pytest.raises(InvalidInput, match=r"the texts that .* was started with have changed"):
        start_run(moved, tmp_path / "run", True, lambda now: None)


def test_files_count_as_one_where_they_are_one(texts):
    study = parse_study(SMALL, folder=texts)
    same = replace(study, entities=(study.entities[0], study.entities[0]))
    assert same.without_places() != study.without_places()
    assert study.without_places()["entities"][1]["task"] == "file 2"


MORE = SMALL.replace("alpha = [1]", "alpha = [0.5, 1]").replace("generations = 1", "generations = 2")


@pytest.mark.long
def test_an_extended_run_is_the_one_computed_at_once_even_if_killed(whole, texts, tmp_path):
    study = parse_study(MORE, folder=texts)
    start_run(study, tmp_path / "at once", False, lambda now: None)
    expected = open_measures(tmp_path / "at once")
    shutil.copytree(whole[0], tmp_path / "run")
    before = open_measures(whole[0])

    def stop(now: Progress) -> None:
        if "α 1, β 0.5, generation 2: measuring" in now.doing:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        start_run(study, tmp_path / "run", False, stop, extend=True)
    last = open_measures(tmp_path / "run")["coordinates"].sel(alpha=1, moment="last")
    assert last.isnull().all()  # those of generation 1 are not those of the last one any more
    with pytest.raises(InvalidInput, match=r"holds another study"):
        start_run(whole[1], tmp_path / "run", True, lambda now: None)
    start_run(study, tmp_path / "run", True, lambda now: None)
    found = open_measures(tmp_path / "run")
    xr.testing.assert_identical(found, expected)
    for name in ("loss", "similarity", "tokens_read"):
        np.testing.assert_array_equal(found[name].sel(alpha=[1], generation=[0, 1]), before[name])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("alpha = [1]", "alpha = [0.5]"), "holds alpha 1, which the study lacks: an extension keeps all"),
        (("generations = 1", "generations = 0"), "generations is 0, but .* holds 1"),
        (("samples = 40", "samples = 41"), "holds another study: samples is 40 there and 41 in the study"),
    ],
)
def test_an_extension_that_changes_what_is_there_is_refused(change, says, whole, texts):
    with pytest.raises(InvalidInput, match=says):
        start_run(parse_study(SMALL.replace(*change), folder=texts), whole[0], False, lambda now: None, extend=True)


def test_generations_that_share_fresh_texts_cannot_become_more(whole, texts, tmp_path):
    fresh = SMALL.replace("[pool]", "[pool]\nfresh = 0.5")
    start_run(parse_study(fresh.replace("ions = 1", "ions = 0"), folder=texts), tmp_path, False, lambda now: None)
    with pytest.raises(InvalidInput, match=r"generations is 1, but stays 0: pool.fresh divides texts"):
        start_run(parse_study(fresh, folder=texts), tmp_path, False, lambda now: None, extend=True)
