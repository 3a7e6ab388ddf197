"""Coalitions: the published tables of model-sharing games, and coalitions of an ecosystem."""

import jax.numpy as jnp
import numpy as np
import pytest
from crossfeed.decide import coalition_costs, partitions
from crossfeed.theory import Weights, ecosystem_from_grams, limit, mse, symmetric
from crossfeed.theory.baselines import federation_best_weight, federation_coarse, federation_uniform

from crossfeed.errors import InvalidInput


def uniform(*rows):
    return lambda members: federation_uniform(sizes=[rows[k] for k in members], noise_variance=10.0)


def coarse(*rows):
    """Each member mixes with the weight that is best for it; alone there is nothing to mix."""

    def costs(members):
        sizes = [rows[k] for k in members]
        if len(sizes) == 1:
            return [10.0 / sizes[0]]
        weights = tuple(federation_best_weight(sizes=sizes, noise_variance=10.0))
        return federation_coarse(sizes=sizes, weights=weights, noise_variance=10.0)

    return costs


def stable(found):
    return {p.coalitions for p in found if p.core_stable}


def test_small_players_federate_and_large_ones_do_not():
    small, large = partitions(3, uniform(5, 5, 5)), partitions(3, uniform(25, 25, 25))
    assert stable(small) == {((0, 1, 2),)}
    assert stable(large) == {((0,), (1,), (2,))}
    costs = {p.coalitions: p.costs for p in small}
    np.testing.assert_allclose(costs[(0, 1, 2),], [1.333333] * 3, atol=5e-7)
    np.testing.assert_allclose(costs[(0, 1), (2,)], [1.5, 1.5, 2.0])
    assert {p.coalitions: p.costs for p in large}[(0, 1, 2),] == pytest.approx((0.8,) * 3)
    assert all(p.individually_stable for p in small if p.core_stable)


def test_with_coarse_federation_the_small_ones_do_better_without_the_large():
    """Everybody gains in the grand coalition, but three entities of 30 rows reach .277778 < .279642 by themselves."""
    found = partitions(4, coarse(30, 30, 30, 300))
    assert stable(found) == {((0, 1, 2), (3,))}
    costs = {p.coalitions: p.costs for p in found}
    np.testing.assert_allclose(costs[(0, 1, 2), (3,)], [0.277778] * 3 + [1 / 30], atol=5e-7)
    np.testing.assert_allclose(costs[(0, 1, 2, 3),], [0.279642] * 3 + [0.0325815], atol=5e-7)
    np.testing.assert_allclose(costs[(0, 3), (1, 2)], [0.286385, 0.291667, 0.291667, 0.0328638], atol=5e-7)


def test_a_coalition_that_one_would_leave_is_unstable():
    costs: dict[tuple[int, ...], list[float]] = {(0,): [1.0], (1,): [1.0], (0, 1): [0.5, 1.5]}
    together, apart = sorted(partitions(2, costs.__getitem__), key=lambda p: len(p.coalitions))
    assert not together.core_stable
    assert not together.individually_stable
    assert apart.core_stable
    assert apart.individually_stable  # 0 would join 1, who would lose


def test_coalitions_of_an_ecosystem_are_ecosystems():
    grams = jnp.ones((3, 1, 1))
    ecosystem = ecosystem_from_grams(grams, grams[0], grams, shares=[0.5, 0.25, 0.25])
    costs = coalition_costs(ecosystem, Weights(0.3, 0.6))
    np.testing.assert_allclose(costs((1, 2)), [float(symmetric.relative_error(0.3, 0.6, 2))] * 2, rtol=1e-12)
    np.testing.assert_allclose(costs((0, 1, 2)), mse(limit(ecosystem, Weights(0.3, 0.6))), rtol=1e-12)
    assert stable(partitions(3, costs))


def test_bad_input_is_refused():
    with pytest.raises(InvalidInput, match="entities is 12"):
        partitions(12, uniform(*[1] * 12))
    grams = jnp.ones((2, 1, 1))
    with pytest.raises(InvalidInput, match="no pool"):
        coalition_costs(ecosystem_from_grams(grams, grams[0], grams, shares=[1.0, 0.0]), Weights(0.3, 0.6))
