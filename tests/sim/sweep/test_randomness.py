"""Nothing is drawn twice: neither the data of ecosystems nor the noise of simulations."""

import numpy as np
import xarray as xr
from crossfeed.sim.sweep import create_sweep, parse_spec, run_sweep
from crossfeed.sim.sweep.families import make_family

# One feature, one entity, β = 1: at generation 0 the estimate is θ plus noise over the square root of what is known, so the MSE
# by Monte Carlo over the exact one depends on the noise alone, not on the ecosystem, α, or a change of β by rounding. The
# generations, which are many, only serve to cut the β axis into several tiles.
NOISE_ALONE = """
[sweep]
quantities = ["monte_carlo_mse", "mse_trajectory"]
generations = 1000
replicates = 20
memory_mib = 1
[ecosystem]
draws = 3
[axes]
dimension = 1
rank = 1
entities = 1
alpha = [0.2, 0.5, 0.8]
beta = [0.999999994, 0.999999995, 0.999999996, 0.999999997, 0.999999998, 0.999999999, 1.0]
"""


def test_every_point_of_a_monte_carlo_sweep_has_noise_of_its_own(tmp_path):
    spec = parse_spec(NOISE_ALONE)
    create_sweep(spec, tmp_path / "s.zarr")
    run_sweep(spec, tmp_path / "s.zarr")
    found = xr.open_zarr(tmp_path / "s.zarr")
    assert found.mse_trajectory.encoding["chunks"][1] < 7, "the case needs several tiles for one ecosystem"
    first = found.isel(generation=0, entity=0).load()
    noise = np.sort((first.monte_carlo_mse / first.mse_trajectory).values.ravel())
    assert len(noise) == 3 * 7 * 3
    assert (
        np.diff(noise).min() > 1e-6
    )  # 63 numbers of standard deviation 0.3: chance would have to bring two that close


FEATURES = """
[sweep]
quantities = ["mse"]
[ecosystem]
public_rows = 1
[axes]
dimension = 1
rank = 1
alpha = 0.5
beta = 0.5
"""


def test_data_of_a_sweeps_ecosystems_are_independent():
    """With one feature and one row a Gram matrix is the square of one normal number, and so is θ²."""
    family = make_family(parse_spec(FEATURES), 1)
    numbers = []
    for draw in range(3):
        point = {"draw": draw, "entities": 4, "rank": 1, "volume": 1.0, "mixing": 1.0}
        made, unrelated = (family(point | {"misalignment": m}) for m in (0.0, 1.0))
        assert made.public.truth is not None
        numbers += [made.private.gram, made.public.gram, unrelated.synthetic.gram, made.public.truth**2]
    assert np.diff(np.sort(np.concatenate([np.ravel(number) for number in numbers]))).min() > 1e-9


def test_public_rows_are_as_many_as_features_unless_told():
    publics = []
    for rows in ("", "public_rows = 5", "public_rows = 6"):
        spec = parse_spec(FEATURES.replace("public_rows = 1", rows).replace("dimension = 1", "dimension = 5"))
        point = {"draw": 0, "entities": 1, "rank": 1, "volume": 1.0, "mixing": 1.0, "misalignment": 0.0}
        publics.append(make_family(spec, 5)(point).public.gram)
    np.testing.assert_array_equal(publics[0], publics[1])
    assert not np.allclose(publics[0], publics[2])
