"""Sweeps over the numbers of a workflow hold what the theory says, and why a value is missing."""

import numpy as np
import pytest
import xarray as xr
from crossfeed.sim.sweep import create_sweep, extend_sweep, parse_spec, run_sweep
from crossfeed.sim.sweep.families import make_family
from crossfeed.sim.sweep.quantities import REASONS
from crossfeed.theory import (
    Accumulate,
    Forget,
    GradientSteps,
    Network,
    Ridge,
    Weights,
    Workflow,
    ecosystem_from_grams,
    limit,
    mse,
    save_ecosystem,
    trajectory,
)

from crossfeed.errors import InvalidInput

AXES = """
[ecosystem]
family = "random"
[axes]
entities = 3
dimension = 4
rank = 2
alpha = [0.3, 0.7]
beta = 0.5
"""
READERS = [[1.0, 0.0, 0.0], [0.0, 0.5, 0.5], [0.5, 0.25, 0.25]]
LIMITS = """
[sweep]
quantities = ["mean_mse"]
[estimator]
kind = "ridge"
penalty = [0.0, 0.5]
[memory]
kind = "forget"
rate = { from = 0.25, to = 1.0, points = 2 }
"""
STEPS = f"""
[sweep]
quantities = ["mean_mse"]
[estimator]
kind = "gradient-steps"
steps = [1, 4]
rate = 0.05
[pool]
kind = "network"
readers = {READERS}
fresh = [0.0, 0.5]
"""
ALL_KEPT = """
[sweep]
quantities = ["mean_mse_trajectory"]
generations = 5
[memory]
kind = "accumulate"
"""


def swept(folder, text):
    spec = parse_spec(text)
    create_sweep(spec, folder / "s.zarr")
    run_sweep(spec, folder / "s.zarr")
    point = {"draw": 0, "entities": 3, "rank": 2, "volume": 1.0, "mixing": 1.0, "misalignment": 0.0}
    return xr.open_zarr(folder / "s.zarr").load(), make_family(spec, 4)(point)


@pytest.mark.long
def test_ridge_and_forgetting(tmp_path):
    found, ecosystem = swept(tmp_path, LIMITS + AXES)
    assert found.mean_mse.dims == ("estimator_penalty", "memory_rate", "alpha")
    for penalty, rate, alpha in np.ndindex(2, 2, 2):
        workflow = Workflow(Ridge((0.0, 0.5)[penalty]), memory=Forget((0.25, 1.0)[rate]))
        wanted = mse(limit(ecosystem, Weights((0.3, 0.7)[alpha], 0.5), workflow)).mean()
        np.testing.assert_allclose(found.mean_mse[penalty, rate, alpha], wanted, rtol=1e-10)


@pytest.mark.long
def test_gradient_steps_in_a_network_with_human_labels(tmp_path):
    found, ecosystem = swept(tmp_path, STEPS + AXES)
    assert found.mean_mse.dims == ("estimator_steps", "pool_fresh", "alpha")
    for steps, fresh, alpha in np.ndindex(2, 2, 2):
        workflow = Workflow(GradientSteps((1, 4)[steps], 0.05), Network(READERS, (0.0, 0.5)[fresh]))
        wanted = mse(limit(ecosystem, Weights((0.3, 0.7)[alpha], 0.5), workflow)).mean()
        np.testing.assert_allclose(found.mean_mse[steps, fresh, alpha], wanted, rtol=1e-10)


@pytest.mark.long
def test_accumulation_has_trajectories(tmp_path):
    found, ecosystem = swept(tmp_path, ALL_KEPT + AXES)
    wanted = trajectory(ecosystem, Weights(0.3, 0.5), 5, mse, Workflow(memory=Accumulate())).mean(1)
    np.testing.assert_allclose(found.mean_mse_trajectory[0], wanted, rtol=1e-10)
    assert "reason" not in found


BAD = {
    "limit of accumulation": (
        ALL_KEPT.replace("mean_mse_trajectory", "mse"),
        r"line 3: sweep.quantities 'mse' is one of a limit, which memory.kind 'accumulate' has none of",
    ),
    "bound of the paper": (
        LIMITS.replace("mean_mse", "universal_bound"),
        r"line 3: sweep.quantities 'universal_bound' is a statement about the paper's workflow",
    ),
    "one bad value": (
        LIMITS.replace("[0.0, 0.5]", "[0.0, -1]"),
        r"line 6: estimator.penalty is -1, but must be at least 0",
    ),
    "nothing forgotten": (
        LIMITS.replace("from = 0.25", "from = 0"),
        r"line 9: memory.rate is 0, which keeps all pools",
    ),
    "too few readers": (
        STEPS.replace(str(READERS), "[[0.5, 0.5], [1, 0]]"),
        r"line 10: pool.readers is for 2 entities, but the sweep has 3",
    ),
    "unknown number": (LIMITS.replace("rate", "speed"), r"line 9: memory.speed unknown"),
    "steps on data that grow": (
        ALL_KEPT + '[estimator]\nkind = "gradient-steps"\nsteps = 1\nrate = 0.1\n',
        r"line 6: memory.kind does not fit: estimator is GradientSteps",
    ),
    "no number": (
        LIMITS.replace("[0.0, 0.5]", "99999999999999999999999999"),
        "penalty holds a whole number of more than 64 bits",
    ),
    "quantities in a list": (LIMITS.replace('["mean_mse"]', '[["mse"]]'), r"\['mse'\] is not a quantity"),
    "unknown kind": (
        LIMITS.replace("ridge", "lasso"),
        r"line 5: estimator.kind is 'lasso', but must be one of least-squares",
    ),
    "misspelled kind": (LIMITS.replace("kind", "knd", 1), r"line 5: estimator.knd unknown: the known keys are kind, "),
    "no penalty": (LIMITS.replace("penalty = [0.0, 0.5]", ""), r"estimator.penalty missing: ridge needs penalty"),
    "in the wrong table": (
        LIMITS + AXES + "memory_rate = 0.5",
        r"axes.memory_rate is set in the table \[memory\]: give its values there",
    ),
}


@pytest.mark.parametrize(("text", "message"), BAD.values(), ids=BAD)
def test_bad_workflows(text, message):
    with pytest.raises(InvalidInput, match=message):
        parse_spec(text if "[axes]" in text else text + AXES)


def test_every_reason_is_told_apart(tmp_path):
    """Two entities that know and publish one and the same direction of two, and no public data."""
    line = np.stack([np.diag([1.0, 0.0])] * 2)
    save_ecosystem(ecosystem_from_grams(line, np.zeros((2, 2)), line), tmp_path / "blind.npz")
    save_ecosystem(ecosystem_from_grams(line, np.zeros((2, 2)), line, theta=np.ones(2)), tmp_path / "known.npz")
    reasons = {}
    for name in ("blind", "known"):
        spec = parse_spec(
            f"""
[sweep]
quantities = ["mse", "relative_efficiency"]
[ecosystem]
family = "file"
path = "{tmp_path}/{name}.npz"
[axes]
alpha = [0.5, 1.0]
beta = 1.0
"""
        )
        create_sweep(spec, tmp_path / f"{name}.zarr")
        assert (xr.open_zarr(tmp_path / f"{name}.zarr").reason == -1).all()
        run_sweep(spec, tmp_path / f"{name}.zarr")
        found = xr.open_zarr(tmp_path / f"{name}.zarr").load()
        assert found.reason.attrs["flag_meanings"].split() == list(REASONS)
        reasons[name] = [list(REASONS)[code] for code in found.reason.values]
        assert np.isinf(found.mse[1]).all()
    assert reasons == {"blind": ["depends_on_theta", "no_limit"], "known": ["data_do_not_span", "no_limit"]}


def test_lost_digits_of_errors_are_a_reason_where_an_error_is_asked_for(tmp_path):
    """The pool alone fills most directions, at a weight of 1e-10."""
    rng = np.random.default_rng(0)
    *private, public = (x.T @ x for x in (rng.integers(-3, 4, (rows, 6)).astype(float) for rows in (2, 2, 2, 12)))
    published = np.stack([public] * 3)
    save_ecosystem(ecosystem_from_grams(np.stack(private), public, published, theta=np.zeros(6)), tmp_path / "e.npz")
    head, path = f'[ecosystem]\nfamily = "file"\npath = "{tmp_path}/e.npz"\n', tmp_path / "s.zarr"
    transfer, both = (
        parse_spec(f"[sweep]\nquantities = {names}\n{head}[axes]\nalpha = 1e-10\nbeta = [0.5, 1.0]\n")
        for names in ('["mean_transfer"]', '["mean_transfer", "mean_mse"]')
    )
    create_sweep(transfer, path)
    run_sweep(transfer, path)
    found = xr.open_zarr(path).load()
    assert (found.reason == 0).all()
    assert np.isfinite(found.mean_transfer).all()
    extend_sweep(both, path)
    run_sweep(both, path)
    found = xr.open_zarr(path).load()
    assert [list(REASONS)[code] for code in found.reason.values] == ["none", "ill_conditioned"]
    assert np.isfinite(found.mean_mse).values.tolist() == [True, False]
