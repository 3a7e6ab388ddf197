"""What a sweep stores is what the theory says of each point; padding changes nothing."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr
from crossfeed.sim.sweep import create_sweep, parse_spec, run_sweep
from crossfeed.sim.sweep.families import make_family
from crossfeed.theory import symmetric

from crossfeed import theory

from .conftest import SMALL


@pytest.fixture(scope="module")
def stored(small_store):
    return xr.open_zarr(small_store).load()


def alone(draw: int, entities: int) -> theory.Ecosystem:
    """The ecosystem of a point in arrays of just its own size."""
    spec = parse_spec(SMALL)
    point = {"draw": draw, "entities": entities, "rank": 2, "volume": 1.0, "mixing": 1.0, "misalignment": 0.0}
    padded = make_family(spec, 4)(point)
    part = lambda x: x[:entities]  # noqa: E731
    return theory.ecosystem_from_grams(
        part(padded.private.gram),
        padded.public.gram,
        part(padded.synthetic.gram),
        part(padded.shares),
        1.0,
        padded.public.truth,
    )


@pytest.mark.parametrize(("draw", "entities"), [(0, 1), (1, 3), (0, 4)])
def test_every_quantity_is_that_of_the_ecosystem_without_padding(stored, draw, entities):
    ecosystem = alone(draw, entities)
    at = stored.sel(draw=draw, entities=entities)
    compute = jax.jit(lambda alpha, beta: measure(ecosystem, theory.Weights(alpha, beta)))
    for alpha in at.alpha.values[:-1]:
        for beta in at.beta.values:
            expected = compute(alpha, beta)
            for name, value in expected.items():
                found = at[name].sel(alpha=alpha, beta=beta).values
                kept = found[tuple(slice(n) for n in np.shape(value))] if name == "mse" else found
                np.testing.assert_allclose(kept, value, rtol=1e-9, atol=1e-12, err_msg=name)


def measure(ecosystem, weights):
    law = theory.limit(ecosystem, weights)
    return {
        "spectral_radius": law.spectral_radius,
        "mse": theory.mse(law),
        "mean_relative_efficiency": theory.relative_efficiency(law).mean(),
        "homogenization": theory.homogenization(law),
        "mean_mse_trajectory": theory.trajectory(ecosystem, weights, 3, theory.mse).mean(1),
    }


RANKS = """
[sweep]
quantities = ["spectral_radius", "mse", "homogenization", "mean_relative_efficiency", "mean_mse_trajectory"]
generations = 3
[ecosystem]
public_rows = {rows}
[axes]
entities = 2
dimension = 4
rank = 1
alpha = [0.3, 0.7]
beta = {betas}
"""


@pytest.mark.parametrize(
    ("rows", "betas"),
    [(8, [0.2, 0.6]), (8, [0.2, 0.6, 1.0]), (2, [0.2, 0.6])],
    ids=["full rank", "full rank but where public data have no weight", "no full rank"],
)
def test_public_data_of_any_rank(tmp_path, rows, betas):
    spec = parse_spec(RANKS.format(rows=rows, betas=betas))
    create_sweep(spec, tmp_path / "s.zarr")
    run_sweep(spec, tmp_path / "s.zarr")
    found = xr.open_zarr(tmp_path / "s.zarr").load()
    ecosystem = make_family(spec, 4)(
        {"draw": 0, "entities": 2, "rank": 1, "volume": 1.0, "mixing": 1.0, "misalignment": 0.0}
    )
    compute = jax.jit(lambda alpha, beta: measure(ecosystem, theory.Weights(alpha, beta)))
    for alpha in found.alpha.values:
        for beta in found.beta.values:
            for name, value in compute(alpha, beta).items():
                at = found[name].sel(alpha=alpha, beta=beta)
                np.testing.assert_allclose(at, value, rtol=1e-10, atol=1e-12, err_msg=f"{name}, {alpha}, {beta}")


SIZES = """
[sweep]
quantities = ["spectral_radius", "mse", "transfer"]
[ecosystem]
draws = 3
public_rows = 4
[axes]
entities = 2
dimension = {dimension}
rank = 1
alpha = [0.3, 0.7]
beta = [0.2, 0.6]
"""


def test_ecosystems_that_need_programs_of_their_own_share_a_store(tmp_path):
    """Four public rows have full rank in two dimensions, and not in six."""

    def swept(dimension: list[int] | int) -> xr.Dataset:
        path = tmp_path / f"{dimension}.zarr"
        spec = parse_spec(SIZES.format(dimension=dimension))
        create_sweep(spec, path)
        run_sweep(spec, path)
        return xr.open_zarr(path).load()

    together = swept([2, 6])
    for dimension in (2, 6):
        for name, alone_in_store in swept(dimension).data_vars.items():
            np.testing.assert_array_equal(together[name].sel(dimension=dimension), alone_in_store)


def test_entities_that_are_not_there_have_no_numbers(stored):
    lone = stored.sel(entities=1)
    assert np.isnan(lone.mse.isel(entity=slice(1, None))).all()
    assert np.isfinite(lone.mse.isel(entity=0, alpha=slice(-1))).all()
    transfer = stored.transfer.sel(entities=3).isel(alpha=slice(-1))
    assert np.isnan(transfer.isel(entity=3)).all()
    assert np.isnan(transfer.isel(dataset=3)).all()
    np.testing.assert_allclose(transfer.isel(entity=slice(3)).sum("dataset"), 1, atol=1e-12)


def test_where_there_is_no_limit_the_error_is_infinite(stored):
    edge = stored.isel(alpha=-1)  # α = 1: nobody reads real data
    np.testing.assert_allclose(edge.spectral_radius, 1, atol=1e-9)
    assert np.isposinf(edge.mse.isel(entity=0)).all()


def test_without_volume_all_weights_are_those_of_no_synthetic_data(tmp_path):
    exact = ["spectral_radius", "mse", "transfer", "mean_mse_trajectory"]
    spec = parse_spec(f"""
[sweep]
quantities = {exact}
generations = 2
[axes]
entities = 2
dimension = 3
rank = 2
volume = [0.0, 1.0]
beta = 0.6
alpha = [0.0, 0.5, 0.9]
""")
    create_sweep(spec, tmp_path / "s.zarr")
    run_sweep(spec, tmp_path / "s.zarr")
    found = xr.open_zarr(tmp_path / "s.zarr").load()
    for name in exact:
        unheard, real_only = found[name].sel(volume=0), found[name].sel(volume=1, alpha=0)
        np.testing.assert_allclose(*xr.broadcast(unheard, real_only), rtol=1e-12, atol=1e-14, err_msg=name)


def test_axes_have_names_units_and_the_story_of_the_sweep(stored):
    assert stored.mean_mse_trajectory.dims == ("draw", "entities", "beta", "alpha", "generation")
    for name, array in stored.variables.items():
        assert array.attrs["long_name"], name
        assert array.attrs["units"], name
    history = stored.attrs["crossfeed_sweep"]
    assert history["seed"] == 7
    assert {"jax", "crossfeed"} <= history["versions"].keys()


def test_the_same_features_belong_to_an_entity_whatever_k_is():
    few, many = alone(0, 3), alone(0, 4)
    np.testing.assert_array_equal(few.private.gram, many.private.gram[:3])
    assert not np.allclose(alone(1, 3).private.gram, few.private.gram)


REST = """
[sweep]
quantities = {names}
replicates = 400
generations = 2
[ecosystem]
family = "{family}"
[axes]
{axes}
"""


def sweep(tmp_path, family, axes, names) -> xr.Dataset:
    spec = parse_spec(REST.format(family=family, axes=axes, names=str(list(names)).replace("'", '"')))
    create_sweep(spec, tmp_path / "s.zarr")
    run_sweep(spec, tmp_path / "s.zarr")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return xr.open_zarr(tmp_path / "s.zarr").load()


def test_symmetric_family_has_the_closed_form(tmp_path):
    axes = "entities = [1, 2, 10]\nalpha = [0.2, 0.8]\nbeta = [0.3, 1.0]\ndimension = 3"
    found = sweep(tmp_path, "symmetric", axes, ["mean_mse", "mean_relative_efficiency", "spectral_radius"])
    for (k, b, a), value in np.ndenumerate(found.mean_mse.values):
        point = (float(found[name][i]) for name, i in (("alpha", a), ("beta", b), ("entities", k)))
        assert value == pytest.approx(3 * symmetric.relative_error(*point), rel=1e-12)
    np.testing.assert_allclose(found.spectral_radius, np.broadcast_to(found.alpha, (3, 2, 2)), rtol=1e-12)


def test_volume_and_share_reach_the_pool():
    spec = parse_spec(SMALL)
    point = {"draw": 0, "entities": 3, "rank": 2, "volume": 5.0, "mixing": 1.0, "misalignment": 0.0}
    made = make_family(spec, 4)(point | {"dominant_share": jnp.asarray(0.8)})
    np.testing.assert_allclose(made.shares, [0.8, 0.1, 0.1, 0.0])
    np.testing.assert_allclose(made.synthetic.gram, 5 * made.private.gram)


def test_misalignment_turns_what_is_published_away_from_what_is_known():
    spec = parse_spec(SMALL)
    point = {"draw": 0, "entities": 3, "rank": 2, "volume": 1.0, "mixing": 1.0}
    made = [make_family(spec, 4)(point | {"misalignment": m}) for m in (0.0, 1.0)]
    np.testing.assert_array_equal(made[0].synthetic.gram, made[0].private.gram)
    assert np.linalg.matrix_rank(np.concatenate([made[1].synthetic.gram[0], made[1].private.gram[0]])) == 4
