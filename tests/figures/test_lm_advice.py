"""`crossfeed advise` on runs of language models, made up here: a page with a picture, and one sentence where it cannot be."""

import csv
import json
import sys
import warnings

import numpy as np
import pytest
import xarray as xr
from crossfeed.cli.main import main
from crossfeed.sim.lm import parse_study

STUDY = parse_study('[study]\nalpha = [0]\nbeta = [0]\n[[entity]]\ntask = "science"\n[[entity]]\ntask = "arithmetic"')
DATASETS = ("science", "arithmetic", "public")


def measures(seeds=(0, 1, 2), alphas=(0.0, 0.3, 0.6), generations=10) -> xr.Dataset:
    """Losses on others' tasks fall with α, all others rise with it; completions become alike."""
    rng = np.random.default_rng(1)
    alpha = np.array(alphas)[None, :, None, None, None]
    target = np.array([[5.0, 2.0, 5.0], [2.0, 5.0, 5.0]])
    losses = [np.full((len(seeds), len(alphas), 1, 2, 3), 4.0)]
    for _ in range(generations):
        now = losses[-1]
        losses.append(now + 0.3 * (3 + alpha * (target - 3) - now) + 0.01 * rng.normal(size=now.shape))
    axes = ("seed", "alpha", "beta", "generation", "entity", "dataset")
    loss = xr.DataArray(np.stack(losses, 3), dims=axes)
    similarity = xr.DataArray(0.1 + 0.02 * np.arange(generations + 1), dims="generation") + 0 * loss.isel(entity=0)
    similarity = similarity.expand_dims(entity=2, other=2).transpose(*axes[:4], "dataset", "entity", "other")
    coordinates = xr.DataArray(
        np.zeros((len(seeds), len(alphas), 1, 2, 2, 3, 1, 2)),
        dims=(*axes[:3], "moment", *axes[4:], "item", "coordinate"),
    )
    places = {"seed": list(seeds), "alpha": list(alphas), "beta": [0.5], "generation": np.arange(generations + 1)}
    places |= {"entity": [1, 2], "other": [1, 2], "dataset": list(DATASETS), "task": list(DATASETS[:2])}
    variables = {"loss": loss, "similarity": similarity, "coordinates": coordinates}
    return xr.Dataset(variables, places, {"crossfeed_study": json.dumps(STUDY.as_dict())})


@pytest.fixture
def advise(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def run(data: xr.Dataset | None, *arguments: str) -> str:
        if data is not None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # that text in Zarr 3 is an extension
                data.to_zarr("run/measures.zarr", consolidated=False, mode="w")
        monkeypatch.setattr(sys, "argv", ["crossfeed", "advise", "run", *arguments, "--out", "advice"])
        main()
        return capsys.readouterr().out

    return run


@pytest.fixture
def refused(advise, capsys):
    def run(data: xr.Dataset | None, *arguments: str) -> str:
        with pytest.raises(SystemExit) as ended:
            advise(data, *arguments)
        assert ended.value.code == 2
        said = capsys.readouterr().err
        assert said.count("\n") == 1
        return said

    return run


def test_advice_on_runs_is_a_page_with_a_picture(advise, tmp_path):
    said = advise(measures(), "--alpha", "0.6")
    assert "Compared with the same seeds that train alone (α = 0): on own tasks models 1, 2 lose (+1.1" in said
    assert "on others' tasks models 1, 2 gain (−0.5" in said
    assert "similarity of two models' completions went from 0.100 at generation 0 to 0.300 at generation 10" in said
    assert "Losses settle" in said
    assert "Within the α of the runs, 0 to 0.6, beyond which nothing is said" in said
    folder = tmp_path / "advice"
    assert {path.name for path in folder.iterdir()} == {f"advice.{s}" for s in ("svg", "png", "csv", "html")}
    page = (folder / "advice.html").read_text(encoding="utf-8")
    assert "Losses settle" in page
    assert "computed exactly" not in page
    with (folder / "advice.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    forecast = [row for row in rows if row["panel"] == "forecast" and row["kind"] == "own tasks"]
    assert [row["generation"] for row in forecast] == ["11.0", "12.0", "13.0", "14.0", "15.0"]
    assert all(float(row["low"]) < float(row["mean"]) < float(row["high"]) for row in forecast)


def test_from_one_run_what_alpha_does_is_not_told(advise):
    said = advise(measures(seeds=(0,), alphas=(0.6,)))
    assert "from one α what synthetic data do cannot be told" in said
    assert "nothing is said of training alone" in said
    assert "No finished runs have other weights" in said
    assert "of one seed, so chance is not excluded" in said
    assert "changing α now" not in said


def test_what_cannot_be_advised_on_is_refused(refused, tmp_path):
    whole = measures()
    assert "alpha is missing: the runs have 0, 0.3, 0.6" in refused(whole)
    assert "alpha is 0.5, but the run holds 0, 0.3, 0.6" in refused(None, "--alpha", "0.5")
    assert "alpha has 2 values" in refused(None, "--alpha", "0.3", "0.6")
    assert "workflow is w.toml" in refused(None, "--alpha", "0.6", "--workflow", "w.toml")
    stopped = whole.assign(loss=whole.loss.where((whole.generation < 4) | (whole.alpha < 0.5)))
    said = refused(stopped, "--alpha", "0.6")
    assert "the run at α = 0.6, β = 0.5 is not finished: it has reached generation 3 of 10" in said
    assert "not begun" in refused(whole.assign(loss=whole.loss.where(whole.alpha < 0.5)), "--alpha", "0.6")
    assert "runs have 3 generations after generation 0" in refused(measures(generations=3), "--alpha", "0.6")
    assert not (tmp_path / "advice").exists()


def test_several_files_are_refused(refused, tmp_path):
    for name in ("run", "two.npz"):
        (tmp_path / name).touch()
    assert "2 files are given" in refused(None, "two.npz")
