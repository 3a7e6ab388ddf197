"""Pictures of a sweep show its numbers, and what cannot be drawn is refused in words."""

import re
import shutil
import sys
from itertools import combinations, product
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr
from crossfeed.cli.main import main
from crossfeed.figures.report import write_figure
from crossfeed.figures.sweep_plot import mean_over_draws, open_sweep, plot_sweep, plotted_values
from crossfeed.figures.sweeps.phase_diagrams import symmetric_optima
from crossfeed.sim.sweep import create_sweep, parse_spec, run_sweep
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.contour import ContourSet

from crossfeed import theory
from crossfeed.errors import InvalidInput

SPEC = """
[sweep]
quantities = ["mean_mse", "homogenization", "mean_mse_trajectory"]
generations = 4
[ecosystem]
draws = 2
[axes]
entities = [1, 3]
dimension = 3
rank = 2
volume = { from = 1, to = 100, points = 3, scale = "log" }
beta = [0.2, 0.8]
alpha = [0.1, 0.5, 0.8]
"""


@pytest.fixture(scope="module")
def stored(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("plot") / "a::b.zarr"  # which fsspec would take for a chain of file systems
    create_sweep(parse_spec(SPEC), path)
    run_sweep(parse_spec(SPEC), path)
    return path


@pytest.fixture(scope="module")
def data(stored) -> xr.Dataset:
    return open_sweep(stored)


def test_the_numbers_behind_a_figure(data):
    numbers = plotted_values(data, "mean_mse", {"volume": 1})
    assert list(numbers) == ["volume", "entities", "beta", "alpha", "mean_mse"]
    expected = data.mean_mse.sel(volume=1).mean("draw")
    np.testing.assert_allclose(numbers["mean_mse"], expected.transpose("entities", "beta", "alpha"))
    together = np.broadcast_arrays(*numbers.values())
    assert {array.shape for array in together} == {(2, 2, 3)}
    assert [float(array[1, 0, 2]) for array in together[:-1]] == [1, 3, 0.2, 0.8]


def heat_map(axes: Axes) -> np.ndarray:
    """Values that a panel shows."""
    values = axes.collections[0].get_array()
    assert values is not None
    return values


def test_heat_maps_hold_the_mean_over_draws(data):
    figure = plot_sweep(data, "mean_mse", {"volume": 1}, None, None)
    panels = [axes for axes in figure.axes if axes.get_title()]
    assert [axes.get_title() for axes in panels] == ["K = 1", "K = 3"]
    expected = data.mean_mse.sel(volume=1, entities=3).mean("draw").transpose("beta", "alpha")
    np.testing.assert_allclose(heat_map(panels[1]), expected)
    assert "α" in panels[1].get_xlabel()
    assert "β" in panels[0].get_ylabel()
    assert figure.axes[-1].get_ylabel().startswith("mean MSE in the limit (σ²)")
    assert "d\u00a0=\u00a03" in figure.get_supxlabel()


def test_draws_without_a_value_are_not_left_out_of_the_mean():
    nan, inf = np.nan, np.inf
    values = xr.DataArray(
        [[1.0, nan, 3.0, nan, 1.0], [5.0, 2.0, nan, nan, inf]],
        dims=("draw", "alpha"),
        coords={"finished": (("draw", "alpha"), [[True, True, True, False, True], [True, True, False, False, True]])},
        attrs={"units": "1"},
        name="x",
    )
    mean = mean_over_draws(values)
    np.testing.assert_array_equal(mean, [3, nan, 3, nan, inf])
    np.testing.assert_array_equal(mean.finished, [True, True, True, False, True])
    assert (mean.name, mean.attrs) == (values.name, values.attrs)


def test_a_picture_shows_no_mean_where_a_draw_has_no_value(data):
    held = {"volume": 1, "entities": 3}
    one_missing = (data.draw == 1) & (data.alpha == 0.5) & (data.beta == 0.2)
    figure = plot_sweep(
        data.assign(homogenization=data.homogenization.where(~one_missing)), "homogenization", held, None, None
    )
    shown = np.ma.filled(heat_map(figure.axes[0]), np.nan)
    np.testing.assert_array_equal(np.isnan(shown), [[False, True, False], [False, False, False]])


def test_a_constant_picture_has_no_contours(data):
    flat = data.assign(mean_mse=data.mean_mse.where(data.mean_mse.isnull(), 2.0))
    figure = plot_sweep(flat, "mean_mse", {"volume": 1, "entities": 3}, None, None)
    assert not [kind for kind in figure.axes[0].collections if isinstance(kind, ContourSet) and list(kind.levels)]


FINE = """
[sweep]
quantities = ["mean_mse"]
interpolate = 1e-6
[axes]
entities = 2
dimension = 3
rank = 2
beta = { from = 0, to = 0.9, points = 19 }
alpha = { from = 0.1, to = 0.9, points = 18 }
"""


def test_a_picture_of_interpolated_values_says_so_and_is_blank_where_they_are_computed(tmp_path):
    create_sweep(parse_spec(FINE), tmp_path / "fine.zarr")
    run_sweep(parse_spec(FINE), tmp_path / "fine.zarr")
    fine = open_sweep(tmp_path / "fine.zarr")
    told = plot_sweep(fine, "mean_mse", {}, None, None).get_supxlabel().replace("\n", " ")
    assert "interpolated, to a relative tolerance of 1e-06" in told
    figure = plot_sweep(fine, "interpolation_error", {}, None, None)
    blank = np.ma.getmaskarray(heat_map(figure.axes[0]))
    assert blank[0].all()
    assert not blank[1:].any()
    assert "blank where values are computed" in figure.get_supxlabel().replace("\n", " ")
    with pytest.raises(InvalidInput, match="no finite value here: every value is computed"):
        plot_sweep(fine, "interpolation_error", {"beta": 0}, None, None)


def test_lines_follow_the_horizontal_axis(data):
    held = {"alpha": 0.52, "beta": 0.2}
    figure = plot_sweep(data, "mean_mse", held, "volume", None)
    (axes,) = figure.axes
    assert axes.get_xscale() == "log"
    lines = {line.get_label(): np.asarray(line.get_ydata()) for line in axes.lines}
    assert lines.keys() == {"K = 1", "K = 3"}
    for entities in (1, 3):
        expected = data.mean_mse.sel(alpha=0.5, beta=0.2, entities=entities).mean("draw")
        np.testing.assert_allclose(lines[f"K = {entities}"], expected)
    assert axes.get_ylabel() == "mean MSE in the limit (σ²)"
    assert axes.get_xlabel() == "volume of synthetic data c"
    assert "α\u00a0=\u00a00.5;" in figure.get_supxlabel().replace("\n", " ")


def test_every_panel_holds_what_its_title_says(data):
    figure = plot_sweep(data, "mean_mse", {}, "alpha", "beta")
    panels = {axes.get_title(): axes for axes in figure.axes if axes.get_title()}
    assert len(panels) == 6
    for entities, volume in product((1, 3), (1, 10, 100)):
        shown = heat_map(panels[f"K = {entities}, c = {volume}"])
        expected = data.mean_mse.sel(entities=entities).sel(volume=volume, method="nearest").mean("draw")
        np.testing.assert_allclose(shown, expected.transpose("beta", "alpha"))


def test_the_command_draws_the_axes_asked_for_at_the_values_asked_for(data, stored, tmp_path, monkeypatch):
    drawn = {}
    monkeypatch.setattr("crossfeed.figures.report.write_figure", lambda figure, path: drawn.update({path: figure}))
    out = tmp_path / "picture.png"
    options = ("--x", "volume", "--y", "alpha", "--at", "beta=0.8", "--at", "entities=3")
    monkeypatch.setattr(
        sys, "argv", ["crossfeed", "plot", str(stored), "--variable", "mean_mse", "--out", str(out), *options]
    )
    main()
    shown = heat_map(drawn[out].axes[0])
    expected = data.mean_mse.sel(beta=0.8, entities=3).mean("draw").transpose("alpha", "volume")
    np.testing.assert_allclose(shown, expected)


def test_a_table_of_an_unfinished_sweep_says_so(stored, tmp_path, monkeypatch, capsys):
    store = shutil.copytree(stored, tmp_path / "store.zarr")
    next(file for file in sorted(store.glob("mean_mse/c/**/*")) if file.is_file()).unlink()
    arguments = ["plot", str(store), "--variable", "mean_mse", "--at", "volume=1", "--out", str(tmp_path / "a.csv")]
    monkeypatch.setattr(sys, "argv", ["crossfeed", *arguments])
    main()
    assert re.search(r"note: .*store.zarr is unfinished: \d+\.\d% of its points are computed", capsys.readouterr().err)


def test_trajectories_run_over_generations(data):
    held = {"alpha": 0.5, "volume": 1, "beta": 0.2}
    figure = plot_sweep(data, "mean_mse_trajectory", held, None, None)
    assert figure.axes[0].get_xlabel() == "generation"
    assert len(np.asarray(figure.axes[0].lines[0].get_xdata())) == 5


@pytest.mark.parametrize(
    ("variable", "held", "axes", "says"),
    [
        ("mse", {}, (None, None), "variable is 'mse', but the sweep holds"),
        ("mean_mse", {"alpha": 0.95}, (None, None), "alpha is to be held at 0.95, but runs from 0.1 to 0.8"),
        ("mean_mse", {"beta": np.nan}, (None, None), "beta is to be held at nan"),
        ("mean_mse", {"rank": 1}, (None, None), "no axis 'rank' to hold"),
        ("mean_mse", {}, ("time", None), "'time' is not a free axis"),
        ("mean_mse", {"alpha": 0.1}, ("alpha", None), "'alpha' is not a free axis"),
        ("mean_mse", {}, ("alpha", "alpha"), "x and y are both 'alpha'"),
        ("mean_mse", {"alpha": 0.1, "volume": 1, "entities": 1}, (None, "beta"), "'beta' is the only free axis"),
        ("mean_mse_trajectory", {}, (None, None), "more than the 12 that fit"),
        ("mean_mse", {"entities": 2}, (None, None), "entities is to be held at 2, but has 1, 3"),
        ("reason", {}, (None, None), "reason is a code, and codes have no mean over draws"),
        ("homogenization", {"entities": 1}, (None, None), "no finite value"),
    ],
)
def test_what_cannot_be_drawn_is_refused(data, variable, held, axes, says):
    with pytest.raises(InvalidInput, match=says):
        plot_sweep(data, variable, held, *axes)


MANY = """
[sweep]
quantities = ["homogenization"]
seed = 123456789012345678
[axes]
entities = [1, 2, 3]
dimension = 3
rank = 2
volume = [1, 10, 100]
mixing = [0.2, 0.6, 1.0]
misalignment = [0.1, 0.9]
beta = 0.5
alpha = 0.5
"""


@pytest.fixture(scope="module")
def many(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("plot") / "many.zarr"
    create_sweep(parse_spec(MANY), path)
    run_sweep(parse_spec(MANY), path)
    return path


@pytest.mark.parametrize("held", [{}, {"volume": 1}, {"volume": 1, "entities": 2}], ids=["9", "3", "1"])
def test_words_in_small_panels_do_not_collide(many, held):
    figure = plot_sweep(open_sweep(many), "homogenization", held, "mixing", "misalignment")
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)
    texts = [text for axes in figure.axes for text in (axes.xaxis.label, axes.yaxis.label, axes.title)]
    boxes = [text.get_window_extent(renderer) for text in [*texts, *figure.texts] if text.get_text()]
    assert len(boxes) > 3
    assert not [pair for pair in combinations(boxes, 2) if pair[0].overlaps(pair[1])]
    assert all(box.x0 >= 0 and box.x1 <= figure.bbox.x1 and box.y0 >= 0 for box in boxes)


def test_the_color_bar_explains_its_arrows(many):
    figure = plot_sweep(open_sweep(many), "homogenization", {"volume": 1, "entities": 2}, "mixing", "misalignment")
    assert "arrow: beyond the scale" in figure.axes[-1].get_ylabel()


def test_what_is_not_computed_is_told_from_what_has_no_value(many, tmp_path):
    store = Path(shutil.copytree(many, tmp_path / "unfinished.zarr"))
    shutil.rmtree(store / "homogenization" / "c" / "1")  # K = 2
    held = {"volume": 1}
    figure = plot_sweep(open_sweep(store), "homogenization", held, "mixing", "misalignment")
    said = [[text.get_text() for text in axes.texts] for axes in figure.axes if axes.get_title()]
    assert said[:2] == [["no value"], ["not computed yet"]]
    assert "not computed yet" not in said[2]
    assert "unfinished: 66.7% of the points are computed" in figure.get_supxlabel().replace("\n", " ")
    with pytest.raises(InvalidInput, match=r"not computed yet here: continue with .* --resume"):
        plot_sweep(open_sweep(store), "homogenization", held | {"entities": 2}, "mixing", None)


def test_a_damaged_chunk_is_named_in_a_sentence(many, tmp_path):
    store = Path(shutil.copytree(many, tmp_path / "damaged.zarr"))
    for chunk in (store / "homogenization" / "c").rglob("*"):
        if chunk.is_file():
            chunk.write_bytes(chunk.read_bytes()[:-3])
    with pytest.raises(InvalidInput, match=r"homogenization.* is damaged: .* --resume computes it again"):
        plot_sweep(open_sweep(store), "homogenization", {"volume": 1}, "mixing", "misalignment")


CROWD = """
[sweep]
quantities = ["mse"]
[axes]
entities = [2, 6]
dimension = 3
rank = 2
alpha = [0.2, 0.5, 0.8]
beta = 0.5
"""


@pytest.fixture(scope="module")
def crowd(tmp_path_factory) -> xr.Dataset:
    path = tmp_path_factory.mktemp("plot") / "crowd.zarr"
    create_sweep(parse_spec(CROWD), path)
    run_sweep(parse_spec(CROWD), path)
    return open_sweep(path).load()


def test_many_entities_become_their_mean_with_a_band(crowd):
    figure = plot_sweep(crowd, "mse", {}, None, None)
    (panel,) = figure.axes
    for entities, band in zip((2, 6), panel.collections, strict=True):
        errors = crowd.mse.sel(entities=entities).isel(entity=slice(entities)).transpose("alpha", "entity").values
        (line,) = [line for line in panel.lines if line.get_label() == f"K = {entities}"]
        np.testing.assert_allclose(np.asarray(line.get_ydata()), errors.mean(1))
        heights = np.asarray(band.get_paths()[0].vertices)[:, 1]
        np.testing.assert_allclose(
            [heights.min(), heights.max()], [f(np.percentile(errors, p, axis=1)) for f, p in ((min, 10), (max, 90))]
        )
    said = figure.get_supxlabel().replace("\n", " ").replace("\u00a0", " ")
    assert said.endswith("mean over entities, band: the middle 80 % of them")


def test_a_mean_over_entities_is_blank_where_one_diverges(crowd):
    errors = crowd.mse.copy()
    errors.loc[{"entities": 6, "alpha": 0.5, "entity": errors.entity[3]}] = np.inf
    (panel,) = plot_sweep(crowd.assign(mse=errors), "mse", {"entities": 6}, None, None).axes
    np.testing.assert_array_equal(np.isnan(np.asarray(panel.lines[0].get_ydata(), float)), [False, True, False])


def test_many_entities_are_mapped_without_contours(crowd):
    figure = plot_sweep(crowd, "mse", {"entities": 6}, "alpha", "entity")
    panel = figure.axes[0]
    np.testing.assert_allclose(heat_map(panel), crowd.mse.sel(entities=6).transpose("entity", "alpha"))
    assert not [one for one in panel.collections if isinstance(one, ContourSet) and len(list(one.levels))]


def test_files_have_known_suffixes(data, tmp_path):
    figure = plot_sweep(data, "mean_mse", {"volume": 1}, None, None)
    with pytest.raises(InvalidInput, match=r"must end in \.png"):
        write_figure(figure, tmp_path / "x.jpg")
    write_figure(figure, tmp_path / "x.svg")
    assert (tmp_path / "x.svg").read_text().startswith("<?xml")


def test_symmetric_optima_are_those_of_the_table():
    table = [(0.2177, 0.5537, 0.7075), (0.8226, 0.9516, 0.2173)]
    np.testing.assert_allclose(symmetric_optima([2, 50], 1.0), table, atol=5.1e-5)


SETTINGS = {
    "random": (
        "public_rows = 2\nnoise_variance = 0.5",
        "family random; ridge; ",
        "public_rows = 2; noise_variance = 0.5; seed 0",
    ),
    "file": ('family = "file"\npath = "mine.npz"', "family file mine.npz; ridge; ", "seed 0"),
    "dataset": ('family = "dataset"\nname = "diabetes"', "family dataset diabetes; ridge; ", "seed 0"),
}


@pytest.mark.parametrize(("ecosystem", "first", "last"), SETTINGS.values(), ids=SETTINGS)
def test_the_note_says_what_made_the_numbers(tmp_path, ecosystem, first, last):
    theory.save_ecosystem(theory.symmetric_ecosystem(2, jnp.eye(3)), tmp_path / "mine.npz")
    size = "entities = 2\ndimension = 3\nrank = 2\n" if "family" not in ecosystem else ""
    spec = parse_spec(
        f'[sweep]\nquantities = ["spectral_radius"]\n[estimator]\nkind = "ridge"\npenalty = 0.1\n[ecosystem]\n{ecosystem}\n'
        f"[axes]\n{size}alpha = [0.2, 0.6]\nbeta = [0.3, 0.8]\n",
        folder=tmp_path,
    )
    create_sweep(spec, tmp_path / "s.zarr")
    run_sweep(spec, tmp_path / "s.zarr")
    figure = plot_sweep(open_sweep(tmp_path / "s.zarr"), "spectral_radius", {}, None, None)
    said = " ".join(" ".join(text.get_text() for text in figure.texts).split())
    assert said.startswith(first)
    assert said.endswith(last)
    assert "estimator_penalty = 0.1" in said
