"""Sharing points out over devices changes nothing but the time it takes."""

import importlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from crossfeed.sim import sharded_grid, sharded_vmap
from crossfeed.theory import Weights, limit, mse, random_gaussian

from crossfeed.errors import InvalidInput

spread_module = importlib.import_module("crossfeed.sim.sharding")


def record(x, y):
    return {"sum": x + y.sum(), "outer": jnp.outer(y, y) * x}


@pytest.mark.parametrize("tile", [1, 3, 100])
@pytest.mark.parametrize("count", [1, 2, 7, 12])
def test_results_are_those_of_vmap(count, tile):
    x, y = jnp.arange(1.0, count + 1), jnp.arange(2.0 * count).reshape(count, 2)
    found = jax.jit(lambda *points: sharded_vmap(record, *points, tile=tile))(x, y)
    jax.tree.map(np.testing.assert_array_equal, found, jax.vmap(record)(x, y))


def test_all_devices_work_and_change_no_more_than_rounding(monkeypatch):
    ecosystem = random_gaussian(jax.random.key(0), 3, 5, 2)
    alphas = jnp.linspace(0, 0.9, 11)
    points = lambda alpha: mse(limit(ecosystem, Weights(alpha, 0.5)))  # noqa: E731
    everywhere = jax.jit(lambda a: sharded_vmap(points, a, tile=4))
    program = everywhere.lower(alphas).compile().as_text()
    assert program is not None
    assert "num_partitions=2" in program
    found = np.asarray(everywhere(alphas))
    monkeypatch.setattr(spread_module.jax, "local_devices", lambda: jax.devices()[:1])
    np.testing.assert_allclose(jax.jit(lambda a: sharded_vmap(points, a, tile=4))(alphas), found, rtol=1e-14)


def test_gradients_pass_through():
    x = jnp.arange(1.0, 6)
    found = jax.jit(jax.grad(lambda x: sharded_vmap(lambda v: v**3, x, tile=2).sum()))(x)
    np.testing.assert_allclose(found, 3 * x**2, rtol=1e-15)


def test_a_grid_has_an_axis_for_each_argument():
    a, b = jnp.arange(3.0), jnp.arange(10.0, 14)
    found = jax.jit(lambda *axes: sharded_grid(lambda x, y: jnp.array([x, y]), *axes))(a, b)
    assert found.shape == (3, 4, 2)
    np.testing.assert_array_equal(found[2, 1], [2, 11])


@pytest.mark.parametrize("lengths", [(5, 3), (0, 0)])
def test_points_that_do_not_pair_up_are_refused(lengths):
    with pytest.raises(InvalidInput, match="points must be equally many"):
        sharded_vmap(lambda a, b: a + b, *(jnp.arange(float(n)) for n in lengths))
