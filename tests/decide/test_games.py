"""Selfish entities: the equilibria of the closed form, which nobody leaves, and incentives to publish."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from crossfeed.decide import best_responses, equilibria, own_task_errors, publishing
from crossfeed.theory import Weights, limit, mse, random_gaussian, symmetric_ecosystem

from crossfeed.errors import InvalidInput, NoLimit

PRINTED = {
    2: (0.2296, 0.5304, 0.7055, 0.7075, 1.0028),
    4: (0.4958, 0.6142, 0.5043, 0.5178, 1.0268),
    10: (0.7273, 0.7433, 0.3362, 0.3686, 1.0965),
    50: (0.8940, 0.8898, 0.1686, 0.2173, 1.2889),
}
"""Symmetric equilibrium: α, β, efficiency there and at the optimum, price of anarchy; at K = 50 as found here, others in print."""


def saving(ecosystem, weights, costs=mse):
    """Most that an entity saves, relative to its cost, by weights of its own on a grid or at random."""
    axis = jnp.linspace(0, 1, 21)
    grid = jnp.stack(jnp.meshgrid(axis, axis), -1).reshape(-1, 2)
    near = jnp.stack([weights.alpha[0], weights.beta[0]])[None] + 0.02 * jax.random.normal(jax.random.key(1), (200, 2))
    tried = jnp.concatenate([grid, jax.random.uniform(jax.random.key(0), (200, 2)), jnp.clip(near, 0, 1)])
    point = jnp.stack([weights.alpha, weights.beta])

    def deviate(entity, own):
        return costs(limit(ecosystem, Weights(*point.at[:, entity].set(own)), throw=False))[entity]

    over = jax.vmap(jax.vmap(deviate, (None, 0)), (0, None))
    found = jax.jit(over)(jnp.arange(ecosystem.entities), tried)
    now = costs(limit(ecosystem, weights))
    return float(np.max((now - np.nanmin(np.asarray(found), axis=1)) / now))


@pytest.mark.long
@pytest.mark.parametrize("entities", PRINTED)
def test_equilibrium_of_the_closed_form(entities):
    ecosystem = symmetric_ecosystem(entities, jnp.eye(1))
    (nash,) = equilibria(ecosystem)
    pooled = 1 / (entities + 1)
    reached = [
        nash.weights.alpha[0],
        nash.weights.beta[0],
        pooled / nash.costs[0],
        pooled / nash.optimum[0],
        nash.anarchy,
    ]
    np.testing.assert_allclose(reached, PRINTED[entities], atol=5.1e-5)
    assert saving(ecosystem, nash.weights) < 1e-8
    assert (nash.spectral_radius < 1) == (entities < 10)  # many entities that respond at once overshoot
    if entities == 2:
        with pytest.raises(NoLimit, match="do not settle in 2 rounds"):
            equilibria(ecosystem, most_rounds=2)


@pytest.mark.long
def test_an_entity_alone_does_what_is_best():
    ecosystem = symmetric_ecosystem(1, jnp.eye(1))
    (nash,) = equilibria(ecosystem, starts=1)
    np.testing.assert_allclose(nash.costs, 0.5, rtol=1e-9)  # of real data alone
    np.testing.assert_allclose(nash.anarchy, 1, rtol=1e-9)


@pytest.mark.long
def test_nobody_leaves_an_equilibrium_of_own_tasks():
    ecosystem = random_gaussian(jax.random.key(5), entities=3, dimension=3, rank=2)
    for nash in equilibria(ecosystem, costs=own_task_errors):
        assert saving(ecosystem, nash.weights, own_task_errors) < 1e-8
        assert nash.gain < 1e-8


@pytest.mark.long
def test_responses_are_no_equilibrium_elsewhere():
    ecosystem = symmetric_ecosystem(2, jnp.eye(1))
    weights = Weights(jnp.array([0.1, 0.9]), jnp.array([0.5, 0.9]))
    responses, costs = best_responses(ecosystem, weights)
    now = mse(limit(ecosystem, weights))
    assert (costs < now).all()
    alone = Weights(weights.alpha.at[0].set(responses.alpha[0]), weights.beta.at[0].set(responses.beta[0]))
    np.testing.assert_allclose(mse(limit(ecosystem, alone))[0], costs[0], rtol=1e-9)


def test_withholding_hurts_the_others_most():
    ecosystem = symmetric_ecosystem(3, jnp.eye(1))
    errors = publishing(ecosystem, Weights(0.4, 0.7), 0, jnp.array([0.0, 1.0, 5.0]))
    np.testing.assert_allclose(errors[1], mse(limit(ecosystem, Weights(0.4, 0.7))), rtol=1e-12)
    assert errors[0, 1] > errors[0, 0]  # who withholds still knows its own data
    with pytest.raises(InvalidInput, match="entity is 3"):
        publishing(ecosystem, Weights(0.4, 0.7), 3, jnp.ones(1))
    with pytest.raises(InvalidInput, match="must not be negative"):
        publishing(ecosystem, Weights(0.4, 0.7), 0, -jnp.ones(1))
    with pytest.raises(InvalidInput, match="starts is 0"):
        equilibria(ecosystem, starts=0)
    with pytest.raises(InvalidInput, match="most_rounds is 0"):
        equilibria(ecosystem, most_rounds=0)
    absent = eqx.tree_at(lambda e: (e.present, e.shares), ecosystem, (jnp.array([True, False]), jnp.array([1.0, 0.0])))
    with pytest.raises(InvalidInput, match=r"present\[1\] is False"):
        best_responses(absent, Weights(0.5, 0.5))
