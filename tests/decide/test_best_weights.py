"""Best weights: the optima of the closed form, and never worse than a fine grid."""

import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from crossfeed.decide import (
    MeanEfficiency,
    MeanError,
    Measure,
    OwnTask,
    Priced,
    WorstError,
    best_design,
    best_schedule,
    best_weights,
    pareto_front,
)
from crossfeed.sim import sharded_grid
from crossfeed.theory import (
    Accumulate,
    Dataset,
    Ecosystem,
    Forget,
    Network,
    Ridge,
    Weights,
    Workflow,
    ecosystem_from_grams,
    homogenization,
    limit,
    mse,
    random_gaussian,
    symmetric_ecosystem,
)

from crossfeed.errors import DependsOnTheta, InvalidInput, NoLimit

PRINTED = {
    2: (0.2177, 0.5537, 0.7075),
    3: (0.3687, 0.6254, 0.5854),
    4: (0.4628, 0.6819, 0.5178),
    10: (0.6623, 0.8315, 0.3686),
    20: (0.7487, 0.9009, 0.2924),
    50: (0.8226, 0.9516, 0.2173),
}
"""Optimum of the closed form: α, β, efficiency."""

RANDOM = random_gaussian(jax.random.key(3), entities=3, dimension=4, rank=2)
AXIS = jnp.linspace(0.0, 1.0, 201)


def over_grid(function, ecosystem, workflow):
    """Values of a function of the law on a 201 × 201 grid of weights."""

    def at(beta, alpha):
        return function(limit(ecosystem, Weights(alpha, beta), workflow, throw=False))

    return jax.jit(lambda: sharded_grid(at, AXIS, AXIS))()


@pytest.mark.long
def test_rounding_at_the_edge_is_no_optimum():
    """Where private data lack rank, β near 1 leaves so little of the rest that the law divides rounding errors by its square."""
    ecosystem = random_gaussian(jax.random.key(0), entities=10, dimension=5, rank=1)
    best = best_weights(ecosystem, each="entity")
    alpha, public = best.weights.alpha, 1 - best.weights.beta
    edge = public < 1e-4
    assert edge.any()
    further = jnp.where(edge, 30.0, 1.0)  # at the same ratio of synthetic to public data
    reached = mse(limit(ecosystem, Weights(further * alpha, 1 - further * public))).mean()
    np.testing.assert_allclose(best.mse.mean(), reached, rtol=1e-2)


def test_optima_of_the_closed_form():
    """All of them at once: the search maps over ecosystems, here with room for 50 entities."""

    def best(entities):
        gram = jnp.ones((50, 1, 1))
        present = jnp.arange(50.0) < entities
        data = Dataset(gram)
        return best_weights(Ecosystem(private=data, public=Dataset(gram[0]), synthetic=data, present=present))

    found = jax.jit(jax.vmap(best))(jnp.array([*PRINTED], float))
    efficiency = 1 / (1 + jnp.array([*PRINTED], float)) / found.mse[:, 0]
    reached = jnp.stack([found.weights.alpha, found.weights.beta, efficiency], 1)
    np.testing.assert_allclose(reached, [*PRINTED.values()], atol=5.1e-5)


@pytest.mark.parametrize(
    ("objective", "workflow"),
    [
        (MeanEfficiency(), Workflow()),
        pytest.param(OwnTask(1), Workflow(estimator=Ridge(0.3), memory=Forget(0.5)), marks=pytest.mark.long),
        pytest.param(
            Priced(WorstError(), 2.0),
            Workflow(pool=Network([[0.5, 0.5, 0.0], [0.0, 0.5, 0.5], [0.2, 0.2, 0.6]])),
            marks=pytest.mark.long,
        ),
    ],
    ids=["efficiency", "own task", "priced worst entity"],
)
def test_never_worse_than_the_best_of_a_fine_grid(objective, workflow):
    best = best_weights(RANDOM, objective, workflow)
    grid = np.asarray(over_grid(objective, RANDOM, workflow))
    smallest = np.nanmin(np.where(np.isfinite(grid), grid, np.inf))
    assert best.value <= smallest + 1e-9
    assert best.value >= smallest - 0.01  # the grid is fine
    assert best.spectral_radius < 1


@pytest.mark.long
def test_weights_per_entity_are_at_least_as_good_and_locally_best():
    shared, each = best_weights(RANDOM), best_weights(RANDOM, each="entity")
    assert each.value < shared.value
    weights = jnp.stack([each.weights.alpha, each.weights.beta])
    moved = jnp.clip(weights[None] + 0.02 * jax.random.normal(jax.random.key(0), (200, 2, 3)), 0, 1)

    def error(weights):
        return MeanError()(limit(RANDOM, Weights(*weights), throw=False))

    assert jax.jit(jax.vmap(error))(moved).min() >= each.value - 1e-9


@pytest.mark.long
def test_a_schedule_beats_constant_weights():
    ecosystem, generations = symmetric_ecosystem(4, jnp.eye(1)), 6
    best = best_schedule(ecosystem, generations)
    constant = best_weights(ecosystem)
    assert best.weights.alpha.shape == (generations + 1, 1)
    assert best.mse[0] < constant.mse[0]
    with pytest.raises(InvalidInput, match="generations is 0"):
        best_schedule(ecosystem, 0)


@pytest.mark.long
def test_no_weights_beat_a_point_of_the_front_in_both():
    ecosystem = symmetric_ecosystem(2, jnp.eye(1))
    front = pareto_front(ecosystem, points=3)
    errors = over_grid(lambda law: jnp.stack([mse(law).mean(), homogenization(law)]), ecosystem, Workflow())
    for error, alike in zip(front.mse.mean(1), front.homogenization, strict=True):
        both = (errors[..., 0] < error * (1 - 1e-6)) & (errors[..., 1] < alike - 1e-6)
        assert not both.any()
    assert (jnp.diff(front.homogenization) < 0).all()
    assert (jnp.diff(front.mse.mean(1)) > 0).all()


def test_volume_and_overlap_reach_the_pooled_estimate():
    """The table of volumes at K = 4: .93 at c = 100; and with all private data public, all entities have the pooled estimate."""
    ecosystem = symmetric_ecosystem(2, jnp.eye(1))
    more = best_design(ecosystem, volume=(0.1, 100.0))
    assert more.volume == pytest.approx(100)
    assert 1 / 3 / more.best.mse[0] > 0.9
    shared = best_design(ecosystem, overlap=(0.0, 1.0))
    assert shared.overlap == pytest.approx(1)
    np.testing.assert_allclose(shared.best.mse, 1 / 3, rtol=1e-8)
    with pytest.raises(InvalidInput, match="overlap is"):
        best_design(ecosystem, overlap=(0.0, 1.5))
    with pytest.raises(InvalidInput, match="volume is"):
        best_design(ecosystem, volume=(0.0, 1.0))


@pytest.mark.long
def test_another_word_for_whose_weights_they_are_is_refused():
    """In a process of its own, where types are not checked."""
    call = "best_weights(symmetric_ecosystem(2, np.eye(1)), each='model')"
    imports = "import jax, numpy as np; jax.config.update('jax_enable_x64', True)"
    imports += "; from crossfeed.decide import best_weights; from crossfeed.theory import symmetric_ecosystem"
    ended = subprocess.run([sys.executable, "-c", f"{imports}; {call}"], capture_output=True, text=True, check=False)
    assert ended.stderr.endswith("InvalidInput: each is 'model', but must be 'ecosystem' or 'entity'\n")


@pytest.mark.long
def test_refusals_say_why():
    one = symmetric_ecosystem(1, jnp.eye(2))
    with pytest.raises(InvalidInput, match="single entity"):
        pareto_front(one)
    with pytest.raises(InvalidInput, match="no recursion with a limit"):
        best_weights(one, workflow=Workflow(memory=Accumulate()))
    half = jnp.diag(jnp.array([1.0, 0.0]))
    with pytest.raises(DependsOnTheta, match="depend on theta"):
        best_weights(ecosystem_from_grams(half[None], half, half[None]))
    with pytest.raises(NoLimit, match="none are best"):
        best_weights(one, Measure(lambda law: jnp.inf * mse(law).sum()))


@pytest.mark.long
def test_training_alone_is_found_where_all_else_diverges():
    turned = jnp.stack([jnp.outer(u, u) for u in (jnp.array([1.0, 0.0]), jnp.array([0.62, 0.78]))])
    published = jnp.stack([100 * jnp.outer(u, u) for u in (jnp.array([0.2, 1.0]), jnp.array([1.0, -0.3]))])
    ecosystem = ecosystem_from_grams(turned + 1e-6 * jnp.eye(2)[None], 1e-6 * jnp.eye(2), published)
    found = best_weights(ecosystem)
    assert found.weights.alpha < 1e-3
    assert found.spectral_radius < 1
    assert jnp.isinf(found.values).sum() == len(found.values) - 1
