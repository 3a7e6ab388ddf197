"""Runs while something else uses them, and after what they were made of or with has changed."""

import json
import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest
import xarray as xr
from crossfeed.sim.lm import Study, complete_prompt, evaluate_files, open_cell, open_measures, parse_study, start_run
from crossfeed.sim.lm.data.tasks import question
from crossfeed.sim.lm.run.checkpointing import Checkpoints
from crossfeed.sim.lm.run.inputs import read_inputs
from crossfeed.sim.lm.run.run_folder import held

from crossfeed.errors import CrossfeedError, InvalidInput

from .tiny_study import TINY, write_texts


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> tuple[Study, Path]:
    folder = tmp_path_factory.mktemp("lm")
    write_texts(folder)
    text = TINY.replace("alpha = [0, 1]", "alpha = [1]").replace("generations = 2", "generations = 1")
    text = text.replace("pretrain_steps = 2", "pretrain_steps = 0")
    study = parse_study(text, folder=folder)
    start_run(study, folder / "run", False, lambda now: None)
    return study, folder / "run"


def test_models_are_used_without_the_texts_that_their_own_tests_need(made):
    study, folder = made
    cell = open_cell(folder, None, 1.0, 0.5)
    expected = complete_prompt(cell, "Question:", 0.0)
    text = Path(study.public).read_text()
    try:
        Path(study.public).write_text(text[::-1])
        assert complete_prompt(open_cell(folder, None, 1.0, 0.5), "Question:", 0.0) == expected
        with pytest.raises(InvalidInput, match=r"the texts that .* was started with have changed"):
            evaluate_files(cell, [], 2)
        Path(study.public).unlink()
        assert complete_prompt(open_cell(folder, None, 1.0, 0.5), "Question:", 0.0) == expected
        with pytest.raises(InvalidInput, match=r"public.text: cannot read"):
            evaluate_files(cell, [], 2)
    finally:
        Path(study.public).write_text(text)


def test_a_second_process_is_refused_while_one_runs(made):
    study, folder = made
    with held(folder), pytest.raises(InvalidInput, match=rf"another process is running into {folder}"):
        start_run(study, folder, True, lambda now: None)
    start_run(study, folder, True, lambda now: None)


def test_what_may_round_otherwise_is_said_on_resume(made):
    study, folder = made
    notes = []
    start_run(study, folder, True, lambda now: notes.append(now.note))
    assert not any("may differ" in note for note in notes)
    record = json.loads((folder / "study.json").read_text())
    record["made_with"]["devices"] = "64 × cpu"
    (folder / "study.json").write_text(json.dumps(record))
    start_run(study, folder, True, lambda now: notes.append(now.note))
    assert [note for note in notes if "may differ" in note] == [
        "devices is 64 × cpu there and 2 × cpu in this process: what is computed from here on may differ"
    ]


def test_test_examples_beyond_those_measured_count_as_texts(made):
    study, _ = made
    inputs = read_inputs(study)
    task, *others = inputs.material.tasks
    longer = replace(task, test=(*task.test, question("What is new?", "This.")))
    changed = replace(inputs, material=replace(inputs.material, tasks=[longer, *others]))
    assert changed.corpus is inputs.corpus
    assert changed.fingerprints()["texts"] != inputs.fingerprints()["texts"]


def test_a_cell_is_looked_at_again_while_a_run_replaces_its_models(made, monkeypatch):
    """Orbax then fails to list the folder, or finds nothing in it, or what it found is gone."""
    _, folder = made
    expected = complete_prompt(open_cell(folder, None, 1.0, 0.5), "Question:", 0.0)
    looks = []

    class Amid(Checkpoints):
        def __init__(self, path):
            super().__init__(path)
            looks.append(path)
            if len(looks) == 1:
                raise FileNotFoundError(2, "No such file or directory")

        @property
        def latest(self):
            return None if len(looks) == 2 else super().latest

        def restore(self, like):
            if len(looks) == 3:
                raise CrossfeedError("damaged")
            return super().restore(like)

    monkeypatch.setattr("crossfeed.sim.lm.run.evaluate.Checkpoints", Amid)
    cell = open_cell(folder, None, 1.0, 0.5)
    assert (cell.generation, len(looks)) == (1, 4)
    assert complete_prompt(cell, "Question:", 0.0) == expected


@pytest.mark.parametrize("moment", ["between two moves", "after it was opened"])
def test_measures_are_read_again_where_a_run_replaces_them(moment, made, monkeypatch):
    _, folder = made
    store, moved = folder / "measures.zarr", folder / "moved"
    whole, really, opened = open_measures(folder), xr.open_zarr, []

    def replaced(path):
        opened.append(path)
        if len(opened) > 1:
            return really(path)
        if moment == "between two moves":
            store.rename(moved)
        data = really(path)
        store.rename(moved)
        shutil.copytree(moved, store)
        shutil.rmtree(store / "loss" / "c")  # its numbers, which then read as NaN
        return data

    def finish(_):
        shutil.rmtree(store, ignore_errors=True)
        moved.rename(store)

    monkeypatch.setattr(xr, "open_zarr", replaced)
    monkeypatch.setattr(time, "sleep", finish)
    xr.testing.assert_identical(open_measures(folder), whole)
    assert len(opened) == 2
