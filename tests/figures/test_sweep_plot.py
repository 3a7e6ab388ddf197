"""Pictures of a sweep show its numbers, and what cannot be drawn is refused in words."""

import numpy as np
import pytest
import xarray as xr
from crossfeed.figures.sweep_plot import open_sweep, plot_sweep, save_figure
from crossfeed.figures.sweeps.phase_diagrams import symmetric_optimum
from crossfeed.sim.sweep import create_sweep, parse_spec, run_sweep
from crossfeed.theory import InvalidInput

SPEC = """
[sweep]
quantities = ["mean_mse", "homogenisation", "mean_mse_trajectory"]
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
def data(tmp_path_factory) -> xr.Dataset:
    path = tmp_path_factory.mktemp("plot") / "s.zarr"
    create_sweep(parse_spec(SPEC), path)
    run_sweep(parse_spec(SPEC), path)
    return open_sweep(path)


def test_heat_maps_hold_the_mean_over_draws(data):
    figure = plot_sweep(data, "mean_mse", {"volume": 1}, None, None)
    panels = [axes for axes in figure.axes if axes.get_title()]
    assert [axes.get_title() for axes in panels] == ["K = 1", "K = 3"]
    expected = data.mean_mse.sel(volume=1, entities=3).mean("draw").transpose("beta", "alpha")
    np.testing.assert_allclose(panels[1].collections[0].get_array(), expected)
    assert "α" in panels[1].get_xlabel()
    assert "d = 3" in figure.get_supxlabel()


def test_lines_follow_the_horizontal_axis(data):
    held = {"alpha": 0.52, "beta": 0.2}
    figure = plot_sweep(data, "mean_mse", held, "volume", None)
    (axes,) = figure.axes
    assert axes.get_xscale() == "log"
    lines = {line.get_label(): line.get_ydata() for line in axes.lines}
    expected = data.mean_mse.sel(alpha=0.5, beta=0.2, entities=3).mean("draw")
    np.testing.assert_allclose(lines["K = 3"], expected)


def test_trajectories_run_over_generations(data):
    held = {"alpha": 0.5, "volume": 1, "beta": 0.2}
    figure = plot_sweep(data, "mean_mse_trajectory", held, None, None)
    assert figure.axes[0].get_xlabel() == "generation"
    assert len(figure.axes[0].lines[0].get_xdata()) == 5


@pytest.mark.parametrize(
    ("variable", "held", "axes", "says"),
    [
        ("mse", {}, (None, None), "variable is 'mse', but the sweep holds"),
        ("mean_mse", {"rank": 1}, (None, None), "no axis 'rank' to hold"),
        ("mean_mse", {}, ("time", None), "'time' is not a free axis"),
        ("mean_mse", {"alpha": 0.1}, ("alpha", None), "'alpha' is not a free axis"),
        ("mean_mse_trajectory", {}, (None, None), "panels, and 12 fit"),
        ("homogenisation", {"entities": 1}, (None, None), "no finite value"),
    ],
)
def test_what_cannot_be_drawn_is_refused(data, variable, held, axes, says):
    with pytest.raises(InvalidInput, match=says):
        plot_sweep(data, variable, held, *axes)


def test_files_have_known_suffixes(data, tmp_path):
    figure = plot_sweep(data, "mean_mse", {"volume": 1}, None, None)
    with pytest.raises(InvalidInput, match=r"must end in \.png"):
        save_figure(figure, tmp_path / "x.jpg")
    save_figure(figure, tmp_path / "x.svg")
    assert (tmp_path / "x.svg").read_text().startswith("<?xml")


@pytest.mark.parametrize(("entities", "best"), [(2, (0.2177, 0.5537, 0.7075)), (50, (0.8226, 0.9516, 0.2173))])
def testsymmetric_optimum_is_that_of_the_table(entities, best):
    np.testing.assert_allclose(symmetric_optimum(entities), best, atol=1.1e-3)
