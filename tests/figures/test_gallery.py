"""The gallery from sweeps of a few points: every drawing runs, and its tables hold what the stores hold."""

import csv
import html

import numpy as np
import pytest
from crossfeed.figures.report import write_figure
from crossfeed.figures.settings import changes_from_words
from crossfeed.figures.sweep_plot import open_sweep
from crossfeed.figures.sweeps import GALLERY, draw_gallery

pytestmark = pytest.mark.long

# Figures of workflows and of stability have files of their own in this folder.
OF_SWEEPS = {name: drawing for name, drawing in GALLERY.items() if "figures.sweeps" in drawing.settings.__module__}
SEED = 2
TINY = ["points=3", "draws=2", "volumes=3", "dimension=4", "rank=2", f"seed={SEED}"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("gallery")


@pytest.fixture(scope="module")
def figures():
    """The pictures by name, as they are written."""
    return {}


@pytest.fixture(scope="module")
def reports(folder, figures):
    def keep(figure, path):
        figures[path.stem] = figure
        write_figure(figure, path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("crossfeed.figures.report.write_figure", keep)
        patch.setattr("crossfeed.figures.sweeps.gallery.GALLERY", OF_SWEEPS)
        made = [one.report for one in draw_gallery(folder, True, [changes_from_words(TINY)])]
    assert [report.name for report in made] == list(OF_SWEEPS)
    return {report.name: report for report in made}


def column(folder, table: str, name: str) -> np.ndarray:
    with (folder / f"{table}.csv").open() as file:
        return np.array([float(row[name]) for row in csv.DictReader(file)])


def test_files_are_those_of_the_reports(folder, reports):
    written = {path.name for path in folder.iterdir() if path.suffix in (".svg", ".png", ".csv")}
    assert written == {name for report in reports.values() for name in report.files}
    page = (folder / "index.html").read_text()
    assert page.count("data:image/png;base64,") == len(reports) == 9
    assert all(html.escape(report.setting) in page for report in reports.values())


@pytest.mark.parametrize("name", ["spectral_radius", "mean_relative_efficiency", "mean_transfer", "homogenization"])
def test_phase_diagrams_hold_the_mean_over_draws(folder, reports, name):
    stored = open_sweep(folder / "phase_diagrams.zarr")[name]
    expected = stored.mean("draw").transpose("entities", "beta", "alpha").values
    np.testing.assert_allclose(column(folder, f"phase_{name}", name), expected.ravel())
    assert reports[f"phase_{name}"].numbers["largest"] == pytest.approx(np.nanmax(expected))


def test_no_point_of_the_store_is_better_than_the_best_weights(folder, reports):
    stored = open_sweep(folder / "phase_diagrams.zarr").mean_relative_efficiency
    on_grid = stored.max(("alpha", "beta")).transpose("entities", "draw").values.ravel()
    efficiency, entities = (column(folder, "optimum", name) for name in ("efficiency", "entities"))
    assert (efficiency > on_grid - 1e-9).all()
    assert (efficiency < 1 + 1e-9).all()
    assert (efficiency - on_grid)[entities == 2].max() < 0.1  # of the same ecosystems: draws differ by more


def test_nothing_is_better_than_the_best_weights_of_a_volume(folder, reports):
    """By the closed form of the symmetric case, where c scales the ratio α/(1-α), and the noise of synthetic data by 1/c."""
    names = ("entities", "volume", "best_alpha", "best_beta", "best_relative_efficiency")
    entities, volume, alpha, beta, best = (column(folder, "volume", name) for name in names)

    def efficiency(pooled, beta):
        transfer = (1 - pooled) ** 2 * beta**2 * (1 - 1 / entities)
        noise = pooled**2 / (volume * entities * (1 - pooled**2))
        return 1 / (entities + 1) / ((1 - beta) ** 2 + beta**2 / entities + transfer + noise)

    np.testing.assert_allclose(efficiency(volume * alpha / (1 - alpha + volume * alpha), beta), best)
    fractions = np.linspace(0, 0.999, 200)[:, None]
    on_grid = efficiency(fractions, fractions[:, None]).max((0, 1))
    assert (best >= on_grid).all()
    np.testing.assert_allclose(best, on_grid, rtol=2e-3)


def test_trajectories_and_regions_hold_what_is_stored(folder, reports):
    errors = open_sweep(folder / "trajectories.zarr").mean_mse_trajectory.mean("draw")
    expected = errors.transpose("entities", "alpha", "generation").values
    np.testing.assert_allclose(column(folder, "mse_to_100", "mean_mse"), expected.ravel())
    np.testing.assert_array_equal(column(folder, "mse_to_100", "generation")[:101], np.arange(101))
    radii = open_sweep(folder / "regions.zarr").spectral_radius.max("draw").transpose("misalignment", "mixing", "beta")
    np.testing.assert_allclose(column(folder, "regions", "largest_spectral_radius"), radii.values.ravel())


def test_no_promise_is_broken(reports):
    assert reports["regions"].numbers["promises_broken"] == 0


def test_the_worst_case_nears_its_bound_from_below(folder, reports):
    entities, radius = (column(folder, "worst_case", name) for name in ("entities", "spectral_radius"))
    bound = (1 + np.sqrt(entities)) / 2
    assert (radius <= bound + 1e-12).all()
    assert reports["worst_case"].numbers["9"] == pytest.approx(2, rel=1e-3)


def labeled(folder, table: str, value: str, axes: tuple[str, ...]):
    """Every value of a table with the place that its row names."""
    columns = [column(folder, table, name) for name in (*axes, value)]
    for *place, number in zip(*columns, strict=True):
        yield dict(zip(axes, place, strict=True)), number


PLANE, PATHS = ("entities", "beta", "alpha"), ("entities", "alpha", "generation")
REGIONS = ("misalignment", "mixing", "beta")
NUMBERS = {"True": "1", "False": "0"}


@pytest.mark.parametrize(
    ("table", "value", "axes", "store", "variable", "reduce"),
    [
        *(
            (f"phase_{name}", name, PLANE, "phase_diagrams", name, {"draw": "mean"})
            for name in ("spectral_radius", "mean_relative_efficiency", "mean_transfer", "homogenization")
        ),
        ("mse_to_100", "mean_mse", PATHS, "trajectories", "mean_mse_trajectory", {"draw": "mean"}),
        ("regions", "largest_spectral_radius", REGIONS, "regions", "spectral_radius", {"draw": "max"}),
        ("regions", "lemma1_applies", REGIONS, "regions", "lemma1_applies", {"draw": "min"}),
        ("regions", "common_prompts_stable", REGIONS, "regions", "common_prompts_stable", {"draw": "min"}),
    ],
)
def test_a_row_of_a_table_says_where_its_value_belongs(folder, reports, table, value, axes, store, variable, reduce):
    stored = open_sweep(folder / f"{store}.zarr").load()[variable]
    for dim, how in reduce.items():
        stored = getattr(stored, how)(dim)
    with (folder / f"{table}.csv").open() as file:
        found = [{name: NUMBERS.get(text, text) for name, text in row.items()} for row in csv.DictReader(file)]
    assert len(found) == stored.size
    for row in found:
        place = {name: float(row[name]) for name in axes}
        np.testing.assert_allclose(float(row[value]), stored.sel(place), rtol=1e-9, err_msg=str(place))


def test_every_store_is_drawn_with_the_seed_asked_for(folder, reports):
    for store in ("phase_diagrams", "trajectories", "regions"):
        assert open_sweep(folder / f"{store}.zarr").attrs["crossfeed_sweep"]["seed"] == SEED


def test_growth_in_the_worst_case_has_its_closed_form(folder, reports):
    entities, strength, radius = (
        column(folder, "worst_case", name) for name in ("entities", "strength", "spectral_radius")
    )
    closed = 1 + strength / (1 + strength) * (np.sqrt(entities) - 1) / 2
    np.testing.assert_allclose(radius, closed, rtol=1e-6)


def curve(panel, label: str):
    (line,) = [line for line in panel.lines if line.get_label() == label]
    return line


def test_lines_show_what_their_labels_say(folder, reports, figures):
    errors = open_sweep(folder / "trajectories.zarr").mean_mse_trajectory.mean("draw")
    panels = {panel.get_title(): panel for panel in figures["mse_to_100"].axes}
    for entities, alpha in np.ndindex(errors.sizes["entities"], errors.sizes["alpha"]):
        part = errors.isel(entities=entities, alpha=alpha)
        line = curve(panels[f"K = {int(part.entities)}"], f"α = {float(part.alpha)}")
        np.testing.assert_allclose(line.get_ydata(), part)
        np.testing.assert_array_equal(line.get_xdata(), part.generation)
    (panel,) = figures["volume"].axes
    entities, volumes, best = (
        column(folder, "volume", name) for name in ("entities", "volume", "best_relative_efficiency")
    )
    for count in np.unique(entities):
        line = curve(panel, f"K = {int(count)}")
        np.testing.assert_allclose(line.get_ydata(), best[entities == count])
        np.testing.assert_allclose(line.get_xdata(), volumes[entities == count])
    (panel,) = figures["worst_case"].axes
    table = list(labeled(folder, "worst_case", "spectral_radius", ("entities", "strength")))
    for entities in (2, 3, 5, 9):
        (line,) = [line for line in panel.lines if line.get_label().startswith(f"K = d = {entities},")]
        of_size = [radius for place, radius in table if place["entities"] == entities]
        np.testing.assert_allclose(line.get_ydata(), of_size)


def test_the_best_weights_are_drawn_and_said(folder, reports, figures):
    entities, *found = (column(folder, "optimum", name) for name in ("entities", "alpha", "beta", "efficiency"))
    labels = ("best α", "best β", "relative efficiency")
    for panel, label, values in zip(figures["optimum"].axes, labels, found, strict=True):
        assert panel.get_ylabel().startswith(label)
        marks = panel.containers[0].lines[0]
        expected = [values[entities == k].mean() for k in marks.get_xdata()]
        np.testing.assert_allclose(np.asarray(marks.get_ydata(), dtype=float), expected)
    numbers = reports["optimum"].numbers
    assert numbers["best_alpha_at_2"] == pytest.approx(found[0][entities == 2].mean())
    assert numbers["best_alpha_at_50"] == pytest.approx(found[0][entities == 50].mean())


def test_the_extremes_that_are_said_are_those_of_the_table(folder, reports):
    table = list(labeled(folder, "phase_spectral_radius", "spectral_radius", PLANE))
    of_fifty = [(radius, place["alpha"], place["beta"]) for place, radius in table if place["entities"] == 50]
    highest, lowest = reports["phase_spectral_radius"].says.split("K = 50")[1].split("lowest")
    for words, (radius, alpha, beta) in ((highest, max(of_fifty)), (lowest, min(of_fifty))):
        assert f"{radius:.3g} at α = {alpha:.2g}, β = {beta:.2g}" in words


def test_regions_have_beta_to_the_right_and_lambda_upwards(folder, reports, figures):
    data = open_sweep(folder / "regions.zarr").load()
    promised = (data.common_prompts_stable > 0.5).all("draw").transpose(*REGIONS)
    worst = data.spectral_radius.max("draw").transpose(*REGIONS)
    assert promised.any()
    panels = [panel for panel in figures["regions"].axes if panel.get_title()]
    for panel, misalignment in zip(panels, data.misalignment.values, strict=True):
        assert panel.get_title() == f"misalignment {misalignment:g}"
        assert panel.get_xlabel().startswith("β")
        np.testing.assert_allclose(panel.collections[0].get_array(), worst.sel(misalignment=misalignment))
        (dots,) = [line for line in panel.lines if line.get_marker() == "."]
        rows, columns = np.nonzero(promised.sel(misalignment=misalignment).values)
        np.testing.assert_allclose(dots.get_xdata(), data.beta.values[columns])
        np.testing.assert_allclose(dots.get_ydata(), data.mixing.values[rows])
    assert panels[0].get_ylabel().startswith("λ")
