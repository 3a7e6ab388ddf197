"""The gallery from sweeps of a few points: every drawing runs, and its tables hold what the stores hold."""

import csv
import html

import numpy as np
import pytest
from crossfeed.figures.report import Request
from crossfeed.figures.sweep_plot import open_sweep
from crossfeed.figures.sweeps import GALLERY, Sizes, draw_gallery

TINY = Sizes(
    plane_draws=2,
    plane_points=3,
    trajectory_draws=2,
    region_draws=2,
    region_points=3,
    volumes=3,
    volume_betas=3,
    volume_alphas=4,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("gallery")


@pytest.fixture(scope="module")
def reports(folder):
    made = dict(draw_gallery(Request(folder), TINY))
    assert list(made) == list(GALLERY)
    return {report.name: report for report in made.values()}


def column(folder, table: str, name: str) -> np.ndarray:
    with (folder / f"{table}.csv").open() as file:
        return np.array([float(row[name]) for row in csv.DictReader(file)])


def test_files_are_those_of_the_reports(folder, reports):
    written = {path.name for path in folder.iterdir() if path.suffix in (".svg", ".png", ".csv")}
    assert written == {name for report in reports.values() for name in report.files}
    page = (folder / "index.html").read_text()
    assert page.count("data:image/png;base64,") == len(reports) == len(GALLERY)
    assert all(html.escape(report.setting) in page for report in reports.values())


@pytest.mark.parametrize("name", ["spectral_radius", "mean_relative_efficiency", "mean_transfer", "homogenization"])
def test_phase_diagrams_hold_the_mean_over_draws(folder, reports, name):
    stored = open_sweep(folder / "phase_diagrams.zarr")[name]
    expected = stored.mean("draw").transpose("entities", "beta", "alpha").values
    np.testing.assert_allclose(column(folder, f"phase_{name}", name), expected.ravel())
    assert reports[f"phase_{name}"].numbers["largest"] == pytest.approx(np.nanmax(expected))


def test_best_weights_are_the_best_of_the_store(folder, reports):
    stored = open_sweep(folder / "phase_diagrams.zarr").mean_relative_efficiency
    expected = stored.max(("alpha", "beta")).transpose("entities", "draw").values
    np.testing.assert_allclose(column(folder, "optimum", "efficiency"), expected.ravel())
    alpha, beta = (column(folder, "optimum", name) for name in ("alpha", "beta"))
    entities, draws = (column(folder, "optimum", name).astype(int) for name in ("entities", "draw"))
    places = zip(alpha, beta, entities, draws, strict=True)
    there = [float(stored.sel(alpha=a, beta=b, entities=k, draw=j)) for a, b, k, j in places]
    np.testing.assert_allclose(there, expected.ravel())


def test_trajectories_volume_and_regions_hold_what_is_stored(folder, reports):
    errors = open_sweep(folder / "trajectories.zarr").mean_mse_trajectory.mean("draw")
    expected = errors.transpose("entities", "alpha", "generation").values
    np.testing.assert_allclose(column(folder, "mse_to_100", "mean_mse"), expected.ravel())
    np.testing.assert_array_equal(column(folder, "mse_to_100", "generation")[:101], np.arange(101))
    best = open_sweep(folder / "volume.zarr").mean_relative_efficiency.max(("alpha", "beta"))
    expected = best.transpose("entities", "volume").values
    np.testing.assert_allclose(column(folder, "volume", "best_relative_efficiency"), expected.ravel())
    radii = open_sweep(folder / "regions.zarr").spectral_radius.max("draw").transpose("misalignment", "mixing", "beta")
    np.testing.assert_allclose(column(folder, "regions", "largest_spectral_radius"), radii.values.ravel())


def test_no_promise_is_broken(reports):
    assert reports["regions"].numbers["promises_broken"] == 0


def test_the_worst_case_nears_its_bound_from_below(folder, reports):
    entities, radius = (column(folder, "worst_case", name) for name in ("entities", "spectral_radius"))
    bound = (1 + np.sqrt(entities)) / 2
    assert (radius <= bound + 1e-12).all()
    assert reports["worst_case"].numbers["9"] == pytest.approx(2, rel=1e-3)
