"""Interpolated sweeps: as accurate as they say, with the edges of stability exact, and the same bits after an interruption."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from crossfeed.sim.sweep import create_sweep, extend_sweep, parse_spec, run_sweep, status_of
from crossfeed.sim.sweep.interpolation import NODES, Values, interpolated_plane

from crossfeed.errors import InvalidInput

TOLERANCE = 1e-9
SPEC = """
[sweep]
quantities = ["mean_mse", "mean_relative_efficiency", "transfer"]
{}

[ecosystem]
family = "symmetric"

[axes]
entities = 2
dimension = 1
volume = [1, 50]
beta = {{ from = 0.0, to = 1.0, points = 61 }}
alpha = {{ from = 0.02, to = 1.0, points = 60 }}
"""


def stored(folder, setting: str) -> xr.Dataset:
    spec = parse_spec(SPEC.format(setting))
    create_sweep(spec, folder / "s.zarr")
    run_sweep(spec, folder / "s.zarr")
    return xr.open_zarr(folder / "s.zarr").load()


@pytest.fixture(scope="module")
def both(tmp_path_factory) -> tuple[xr.Dataset, xr.Dataset]:
    made = [tmp_path_factory.mktemp(name) for name in ("computed", "interpolated")]
    return stored(made[0], ""), stored(made[1], f"interpolate = {TOLERANCE}")


def test_values_reasons_and_edges_are_those_of_computing(both):
    computed, interpolated = both
    np.testing.assert_array_equal(interpolated.reason, computed.reason)
    assert len(np.unique(computed.reason)) > 1  # α = 1 has no limit
    for name in ("mean_mse", "mean_relative_efficiency", "transfer"):
        np.testing.assert_allclose(interpolated[name], computed[name], rtol=10 * TOLERANCE, atol=TOLERANCE)


def test_the_store_says_where_and_how_accurately(both):
    _, found = both
    assert f"{TOLERANCE:g}" in found.attrs["interpolation"]
    interpolated = found.interpolation_estimate > 0
    assert interpolated.mean() > 0.5
    assert status_of(Path(found.encoding["source"])).interpolated == interpolated.sum()
    assert found.interpolation_estimate.max() <= TOLERANCE
    assert 0 < found.interpolation_error.max() <= TOLERANCE
    for edge in ({"alpha": 1.0}, {"beta": 0.0}, {"beta": 1.0}):
        assert not interpolated.sel(edge).any()


def test_an_interrupted_sweep_ends_with_the_same_bits(both, tmp_path):
    spec = parse_spec(SPEC.format(f"interpolate = {TOLERANCE}"))
    path = tmp_path / "s.zarr"
    create_sweep(spec, path)

    class Stopped(Exception):
        pass

    def stop(done: int, total: int) -> None:
        if 0 < done < total:
            raise Stopped

    with pytest.raises(Stopped):
        run_sweep(spec, path, report=stop)
    run_sweep(spec, path)
    xr.testing.assert_identical(xr.open_zarr(path).load().drop_attrs(), both[1].drop_attrs())


def test_whole_planes_are_added_and_no_plane_is_changed(both, tmp_path):
    setting, path = f"interpolate = {TOLERANCE}", tmp_path / "s.zarr"
    larger = SPEC.format(setting)
    first = parse_spec(larger.replace("volume = [1, 50]", "volume = 50"))
    create_sweep(first, path)
    run_sweep(first, path)
    with pytest.raises(
        InvalidInput, match=r"holds interpolated planes, .*: quantities cannot grow, other axes and draws can"
    ):
        extend_sweep(parse_spec(larger.replace('"mean_mse"', '"mean_mse", "mse"')), path)
    extend_sweep(parse_spec(larger), path)
    run_sweep(parse_spec(larger), path)
    xr.testing.assert_identical(xr.open_zarr(path).load().drop_attrs(), both[1].drop_attrs())


def on_plane(radius, number=lambda alpha, beta: np.exp(alpha - 2 * beta), tolerance=1e-8, points=120):
    """A plane of two numbers, ρ and another, and how many points were computed."""
    computed = 0

    def evaluate(alpha, beta):
        nonlocal computed
        computed += len(alpha)
        rho = radius(alpha, beta)
        return Values(np.stack([rho, np.where(rho < 1, number(alpha, beta), np.nan)], 1), (rho >= 1).astype(np.int8))

    alphas, betas = np.linspace(0.001, 0.999, points)[::-1], np.linspace(0.01, 0.9, points - 20)
    plane = interpolated_plane(evaluate, alphas, betas, tolerance, np.zeros(2))
    whole = evaluate(*(values.ravel() for values in np.meshgrid(alphas, betas)))
    np.testing.assert_array_equal(plane.reason.ravel(), whole.reason)
    np.testing.assert_allclose(plane.numbers.reshape(-1, 2), whole.numbers, rtol=10 * tolerance)
    return computed - whole.reason.size


@pytest.mark.parametrize("points", [120, 1500])
def test_a_curved_edge_of_stability_is_exact(points):
    """Of the 1500, large patches have more nodes."""
    assert on_plane(lambda alpha, beta: 0.6 + alpha * beta, points=points) < points * (points - 20)


@pytest.mark.parametrize(("points", "times"), [(300, 15), (1500, 500)])
def test_a_smooth_plane_takes_few_points(points, times):
    assert on_plane(lambda alpha, beta: alpha * (1 - beta), points=points) < points * (points - 20) / times


def test_what_no_node_sees_is_found_at_random_points():
    def zero_at_the_nodes(alpha, beta):
        x = np.log(alpha / (1 - alpha)) / np.log(0.999 / 0.001)  # of the whole plane
        return 1 + 1e-3 * np.cos(NODES * np.arccos(np.clip(x, -1, 1))) ** 2

    on_plane(lambda alpha, beta: np.full_like(alpha, 0.5), zero_at_the_nodes, tolerance=1e-5)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("interpolate = 1e-15", r"sweep\.interpolate is 1e-15, but must lie in \[1e-12, 0\.01\]"),
        ("interpolate = 1e-9\nmemory_mib = 1", r"memory_mib is 1, but a plane of α and β that is interpolated takes"),
    ],
)
def test_settings_that_are_refused(setting, message, tmp_path):
    with pytest.raises(InvalidInput, match=message):
        create_sweep(parse_spec(SPEC.format(setting).replace("points = 6", "points = 20")), tmp_path / "s.zarr")


def test_what_cannot_be_interpolated_is_refused():
    good = SPEC.format("interpolate = 1e-9")
    with pytest.raises(InvalidInput, match="'lemma1_bound' does not depend smoothly on the weights"):
        parse_spec(good.replace('"mean_mse"', '"lemma1_bound"'))
    with pytest.raises(InvalidInput, match="alpha is a single number"):
        parse_spec(good.replace("alpha = { from = 0.02, to = 1.0, points = 60 }", "alpha = 0.5"))
