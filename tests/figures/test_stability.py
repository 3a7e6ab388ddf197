"""Figures of the stability theorems: their edges are closed forms, and their files hold them."""

import csv

import numpy as np
import pytest
from crossfeed.figures.catalog import FIGURES
from crossfeed.figures.drawing import draw_all
from crossfeed.figures.settings import changes_from_words
from crossfeed.figures.stability import breaking, safety


def test_edges_of_knowledge_are_closed_forms():
    """(1 - 1/K)/4 without public data, and none needed from t = (√K - 1)/2 on."""
    for entities in (2, 10):
        found = safety.edge(entities, np.array([0.0, (np.sqrt(entities) - 1) / 2 + 1e-9]))
        np.testing.assert_allclose(found, [(1 - 1 / entities) / 4, 0], atol=1e-9)


def test_the_network_explodes_and_a_pool_does_not():
    growth = breaking.network_radius()
    assert growth == pytest.approx(1.999334, abs=1e-6)  # network.explodes in the ledger
    network, pool = breaking.perturbation(np.array(breaking.READERS), 12), breaking.perturbation(np.ones((3, 3)), 12)
    assert network[-1] / network[-2] == pytest.approx(growth, rel=1e-3)
    np.testing.assert_allclose(pool[1:], pool[1], rtol=1e-9)


@pytest.mark.long
def test_files_hold_the_planes(tmp_path):
    """No theorem promises stability where ρ(Q) ≥ 1, and each sees a part of the stable region."""
    figure = {"stability_safety": FIGURES["stability_safety"]}
    report = next(draw_all(figure, tmp_path, True, [changes_from_words(["seed=1"])])).report
    with (tmp_path / "stability_safety.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["panel"] == "plane"]
    radius = np.array([float(row["spectral_radius"]) for row in rows])
    for name in ("Theorem K", "Theorem K, sharp", "anchor", "anchor, any private data"):
        bound = np.array([float(row[name]) for row in rows])
        assert (radius <= bound + 1e-9).all()
        assert 0.2 < (bound[radius < 1] < 1).mean() < 1
    assert report.numbers["contradictions"] == 0
    assert set(report.files) == {f"stability_safety.{kind}" for kind in ("svg", "png", "csv")}
