import csv
import html
import json
import re

import numpy as np
import pytest
from crossfeed.figures.report import Request
from crossfeed.figures.reproduce import STAGES, reproduce


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reproduce")
    names = [name for name, _ in reproduce(Request(folder, quick=True))]
    assert names == list(STAGES)
    return folder


@pytest.fixture(scope="module")
def report(folder):
    return json.loads((folder / "report.json").read_text())


def rows(folder, name):
    with (folder / f"{name}.csv").open() as file:
        return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]


def test_every_file_is_there_and_nothing_is_left_over(folder, report):
    written = {path.name for path in folder.iterdir()}
    named = {name for figure in report["figures"].values() for name in figure["files"]}
    assert written == named | {"report.json", "index.html"}
    assert {
        "fig2.svg",
        "fig2.png",
        "fig2.csv",
        "fig4.svg",
        "lemma1.png",
        "phase_diagram.csv",
        "real_data.csv",
    } <= written


def test_page_is_self_contained(folder, report):
    page = (folder / "index.html").read_text()
    assert page.count("data:image/png;base64,") == len(report["figures"])
    assert not re.search(r'(src|href)="https?:', page)
    assert all(html.escape(figure["setting"]) in page for figure in report["figures"].values())


def test_monte_carlo_agrees_in_the_paper_figures(report):
    for name in ("fig2", "fig4"):
        assert report["figures"][name]["numbers"]["monte_carlo"]["agrees"]


def test_no_ecosystem_violates_lemma_1(report):
    numbers = report["figures"]["lemma1"]["numbers"]
    assert numbers["violations"] == 0
    assert numbers["smallest_slack"] > -1e-9
    assert numbers["largest_spectral_radius_outside"] > 1


def test_half_and_half_is_not_the_best(folder, report):
    numbers = report["figures"]["phase_diagram"]["numbers"]
    assert numbers["best_mean_efficiency"] > numbers["mean_efficiency_at_half"]
    values = [row["mean_relative_efficiency"] for row in rows(folder, "phase_diagram")]
    np.testing.assert_allclose(max(values), numbers["best_mean_efficiency"])


def test_real_data_says_what_its_table_says(folder, report):
    numbers = report["figures"]["real_data"]["numbers"]
    table = rows(folder, "real_data")
    at_best = [r for r in table if np.allclose((r["alpha"], r["beta"]), (numbers["best_alpha"], numbers["best_beta"]))]
    alone = [r for r in table if np.isclose(r["beta"], numbers["best_beta_without_synthetic_data"])]
    own = {int(r["entity"]): r["mspe_without_synthetic_data"] for r in alone if r["entity"] == r["task"]}
    ratios = [r["mspe"] / own[int(r["entity"])] for r in at_best if r["entity"] == r["task"]]
    np.testing.assert_allclose(np.exp(np.mean(np.log(ratios))), numbers["error_ratio"]["own task"])
