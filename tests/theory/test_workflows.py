"""Any workflow made of parts: the state-space recursion equals the recursion of everything at once, and what follows from it."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from crossfeed.theory import lifted
from hypothesis import given, settings

from crossfeed import theory

from .derivatives import assert_derivatives
from .ecosystems import SEEDS, random_ecosystem, random_gram, random_shares, relative_gap

ENTITIES, SIZE, GENERATIONS = 3, 3, 4
TOLERANCE = 1e-10


def readers(rng, entities: int) -> np.ndarray:
    return rng.dirichlet(np.ones(entities), entities)


def low_rank(rng, entities: int) -> np.ndarray:
    """Everybody reads one of two mixtures."""
    return rng.dirichlet(np.ones(entities), 2)[np.arange(entities) % 2]


WORKFLOWS = {
    "the paper": lambda rng, k: theory.PAPER,
    "ridge": lambda rng, k: theory.Workflow(theory.Ridge(0.3)),
    "gradient steps": lambda rng, k: theory.Workflow(theory.GradientSteps(3, 0.05)),
    "network": lambda rng, k: theory.Workflow(pool=theory.Network(readers(rng, k))),
    "network of low rank": lambda rng, k: theory.Workflow(pool=theory.Network(low_rank(rng, k))),
    "human labels": lambda rng, k: theory.Workflow(pool=theory.Shared(0.3)),
    "forgetting": lambda rng, k: theory.Workflow(memory=theory.Forget(0.4)),
    "accumulation": lambda rng, k: theory.Workflow(memory=theory.Accumulate()),
    "ridge in a network": lambda rng, k: theory.Workflow(theory.Ridge(0.2), theory.Network(readers(rng, k))),
    "accumulation with human labels": lambda rng, k: theory.Workflow(
        pool=theory.Shared(0.2), memory=theory.Accumulate()
    ),
    "all at once": lambda rng, k: theory.Workflow(
        theory.GradientSteps(2, 0.05), theory.Network(readers(rng, k), 0.2), theory.Forget(0.5)
    ),
}
WITH_LIMIT = [name for name in WORKFLOWS if "accumulation" not in name]


def unequal_ecosystem(rng, entities: int, size: int, rank: int | None = None) -> theory.Ecosystem:
    """Everything differs: data, volumes, noise, truths and shares."""
    rank = size if rank is None else rank
    grams = np.stack([random_gram(rng, size, rank) for _ in range(2 * entities + 1)])
    volumes = rng.uniform(0.5, 2, entities)[:, None, None]
    return theory.Ecosystem(
        private=theory.Dataset(grams[:entities], rng.uniform(0.5, 2, entities), rng.normal(size=(entities, size))),
        public=theory.Dataset(grams[-1], 0.7, rng.normal(size=size)),
        synthetic=theory.Dataset(volumes * grams[entities:-1], rng.uniform(0.5, 2, entities)),
        shares=random_shares(rng, entities),
    )


def unequal_weights(rng, entities: int, generations: int | None = None) -> theory.Weights:
    shape = entities if generations is None else (generations + 1, entities)
    return theory.Weights(rng.uniform(0.1, 0.9, shape), rng.uniform(0.1, 0.9, shape))


def moments(law):
    """Mean, joint covariance and squared error of all estimates, as the lifted form has them."""
    joint = theory.joint_covariance(law)
    size = joint.shape[0] * joint.shape[2]
    mean = theory.mean_error(law) + law.ecosystem.public.truth[None]
    return mean.ravel(), joint.transpose((0, 2, 1, 3)).reshape(size, size), theory.mse(law)


@eqx.filter_jit
def exact(ecosystem, weights, generations: int, workflow):
    return theory.trajectory(ecosystem, weights, generations, moments, workflow)


literal = eqx.filter_jit(lifted.any_workflow)
limit = eqx.filter_jit(theory.limit)


@pytest.mark.parametrize("name", WORKFLOWS)
@settings(max_examples=6)
@given(seed=SEEDS)
def test_equals_the_recursion_of_everything_at_once(name, seed):
    """One entity in every third workflow, and constant weights in every other one: each shape is compiled anew."""
    number = list(WORKFLOWS).index(name)
    entities = 1 if number % 3 == 1 else ENTITIES
    rng = np.random.default_rng(seed)
    ecosystem, workflow = unequal_ecosystem(rng, entities, SIZE), WORKFLOWS[name](rng, entities)
    weights = unequal_weights(rng, entities, GENERATIONS if number % 2 else None)

    mean, covariance, error = exact(ecosystem, weights, GENERATIONS, workflow)

    wanted = literal(ecosystem, weights, GENERATIONS, workflow)
    assert relative_gap(mean, wanted.mean) < TOLERANCE
    assert relative_gap(covariance, wanted.covariance) < TOLERANCE
    own = (
        np.diagonal(wanted.covariance, axis1=1, axis2=2)
        + (np.asarray(wanted.mean) - np.ravel(np.asarray(ecosystem.private.truth))) ** 2
    )
    assert relative_gap(error, own.reshape(GENERATIONS + 1, entities, SIZE).sum(-1)) < TOLERANCE


@pytest.mark.parametrize("name", WITH_LIMIT)
def test_the_limit_is_where_trajectories_end(name):
    rng = np.random.default_rng(5)
    ecosystem, workflow = unequal_ecosystem(rng, ENTITIES, SIZE), WORKFLOWS[name](rng, ENTITIES)
    weights = unequal_weights(rng, ENTITIES)
    late = exact(ecosystem, weights, 600, workflow)
    law = eqx.filter_jit(theory.limit)(ecosystem, weights, workflow)
    assert law.spectral_radius is not None
    assert law.spectral_radius < 0.97
    for found, wanted in zip(jax.tree.map(lambda x: x[-1], late), moments(law), strict=True):
        assert relative_gap(found, wanted) < TOLERANCE


def test_paper_is_the_default():
    ecosystem = random_ecosystem(3)
    weights = theory.Weights(0.4, 0.6)
    plain, same = theory.limit(ecosystem, weights), theory.limit(ecosystem, weights, theory.Workflow())
    np.testing.assert_array_equal(theory.mse(plain), theory.mse(same))


@pytest.mark.parametrize(
    "workflow",
    [
        theory.Workflow(theory.Ridge(0.0)),
        theory.Workflow(pool=theory.Shared(0.0)),
        theory.Workflow(memory=theory.Forget(1.0)),
        theory.Workflow(pool=theory.Network([[0.2, 0.3, 0.5]] * 3)),
        theory.Workflow(theory.GradientSteps(4000, 0.3)),
    ],
    ids=["no penalty", "no human labels", "all forgotten", "all read the pool", "steps without end"],
)
def test_parts_that_are_the_papers_at_an_end_of_their_range(workflow):
    rng = np.random.default_rng(0)
    grams = np.stack([random_gram(rng, 3, 3) for _ in range(4)])
    ecosystem = theory.ecosystem_from_grams(grams[:3], grams[3], grams[:3], [0.2, 0.3, 0.5])
    weights = theory.Weights([0.3, 0.5, 0.7], 0.6)
    for measure in (theory.mse, theory.mspe, theory.homogenization):
        found = measure(theory.limit(ecosystem, weights, workflow))
        np.testing.assert_allclose(found, measure(theory.limit(ecosystem, weights)), rtol=1e-9)


def test_a_network_of_low_rank_keeps_few_channels():
    rng = np.random.default_rng(1)
    network = theory.Network(low_rank(rng, 20))
    assert network.channels == 2
    ecosystem = unequal_ecosystem(rng, 20, 2)
    wanted = low_rank(np.random.default_rng(1), 20)
    np.testing.assert_allclose(network.read(ecosystem) @ network.write(ecosystem), wanted, atol=1e-12)


BAD_PARTS = {
    "penalty": (lambda: theory.Ridge(-1.0), "penalty is -1"),
    "steps": (lambda: theory.GradientSteps(0, 0.1), "steps is 0"),
    "rate": (lambda: theory.GradientSteps(1, np.inf), "rate is inf"),
    "fresh": (lambda: theory.Shared(1.5), "fresh is 1.5"),
    "forgetting": (lambda: theory.Forget(-0.1), "rate is -0.1"),
    "no square": (lambda: theory.Network([[0.5, 0.5]]), r"readers must have shape \(K, K\)"),
    "negative reader": (lambda: theory.Network([[1.5, -0.5], [0, 1]]), r"readers\[0, 1\] is -0.5"),
    "sum": (lambda: theory.Network([[1, 0], [0.5, 0.4]]), r"readers\[1\] sums to 0.9"),
    "NaN": (lambda: theory.Network([[1, 0], [np.nan, 0.4]]), r"readers\[1, 0\] is nan"),
    "text": (lambda: theory.Network("all"), "readers is 'all', but must be a number or an array of numbers"),
}


@pytest.mark.parametrize(("make", "message"), BAD_PARTS.values(), ids=BAD_PARTS)
def test_bad_parts(make, message):
    with pytest.raises(theory.InvalidInput, match=message):
        make()


def test_readers_of_other_entities_are_refused():
    with pytest.raises(theory.InvalidInput, match="readers is for 2 entities, but there are 3"):
        theory.limit(random_ecosystem(1), theory.Weights(0.5, 0.5), theory.Workflow(pool=theory.Network(np.eye(2))))


@pytest.mark.parametrize("memory", [theory.Accumulate(), theory.Forget(0.0)])
def test_accumulation_has_no_limit_of_this_kind(memory):
    with pytest.raises(theory.InvalidInput, match=r"memory is (Accumulate|Forget).*ask for a trajectory"):
        theory.limit(random_ecosystem(1), theory.Weights(0.5, 0.5), theory.Workflow(memory=memory))


def test_steps_of_one_size_on_data_that_grow_are_refused():
    with pytest.raises(theory.InvalidInput, match=r"GradientSteps.*Accumulate"):
        theory.Workflow(theory.GradientSteps(1, 0.1), memory=theory.Accumulate())


def test_an_entity_that_reads_nothing_has_a_limit_of_its_own():
    """The others read themselves alone, and drift for ever at α = 1."""
    ecosystem = eqx.tree_at(lambda e: e.shares, random_ecosystem(1, theta=True), jnp.array([0.5, 0.5, 0.0]))
    law = eqx.filter_jit(theory.limit)(ecosystem, theory.Weights([1.0, 1.0, 0.0], 1.0), throw=False)
    assert not law.exists
    alone = theory.limit(ecosystem, theory.Weights(0.0, 1.0))
    np.testing.assert_allclose(theory.mse(law)[2], theory.mse(alone)[2], rtol=1e-12)
    assert np.isinf(theory.mse(law)[:2]).all()
    np.testing.assert_allclose(theory.transfer(law)[2], theory.transfer(alone)[2], atol=1e-12)
    assert np.isinf(theory.joint_covariance(law)[0, 2]).all()


def test_scales_of_features_do_not_matter():
    """Features in units from 1 to 1e6: data span all directions, or not, whatever the units."""
    rng = np.random.default_rng(2)
    plain = unequal_ecosystem(rng, 2, 4)
    units = np.diag([1.0, 1e2, 1e4, 1e6])

    def scaled(data):
        return theory.Dataset(units @ np.asarray(data.gram) @ units, data.noise_variance)

    ecosystem = theory.Ecosystem(
        private=scaled(plain.private),
        public=scaled(plain.public),
        synthetic=scaled(plain.synthetic),
        shares=plain.shares,
    )
    law = theory.limit(ecosystem, theory.Weights(0.5, 0.5))
    assert not np.asarray(theory.biased(law)).any()
    wanted = theory.covariance(theory.limit(plain, theory.Weights(0.5, 0.5)))
    np.testing.assert_allclose(units @ np.asarray(theory.covariance(law)) @ units, wanted, rtol=1e-6)


def test_units_change_no_statement_that_has_none():
    """A feature in units of 1e-7: efficiency, bounds and criteria are what they were."""
    units = np.diag([1e-7, 1.0, 1.0, 1.0])

    def scaled(ecosystem):
        private, public, synthetic = (
            units @ np.asarray(data.gram) @ units for data in (ecosystem.private, ecosystem.public, ecosystem.synthetic)
        )
        return theory.ecosystem_from_grams(private, public, synthetic, ecosystem.shares)

    worst, plain = theory.worst_case(4, 1e6), random_ecosystem(1, size=4)
    assert float(theory.universal_bound(scaled(worst))) == pytest.approx(1.5)
    assert float(theory.spectral_radius(scaled(worst), theory.Weights(0.5, 1.0))) == pytest.approx(1.5, abs=1e-5)
    law = theory.limit(scaled(plain), theory.Weights(0.5, 0.5))
    assert theory.RESULTS[theory.reason(law)] == ""
    one = np.stack([np.diag([1e14, 0.0])] * 2)
    criterion = theory.common_prompts(
        theory.ecosystem_from_grams(one, np.zeros((2, 2)), np.stack([np.diag([1e14, 1.0])] * 2)),
        theory.Weights(0.5, 1.0),
    )
    assert criterion.applies
    assert not criterion.stable


def test_steps_that_are_too_long_have_no_limit():
    workflow = theory.Workflow(theory.GradientSteps(2000, 10.0))
    with pytest.raises(theory.NoLimit, match="spectral radius is inf"):
        theory.limit(random_ecosystem(1), theory.Weights(0.5, 0.5), workflow)


def test_absent_entities_are_counted_in_no_measure():
    plain = random_ecosystem(2, entities=2, theta=True)
    room = [np.concatenate([np.asarray(data.gram), np.eye(4)[None]]) for data in (plain.private, plain.synthetic)]
    padded = theory.Ecosystem(
        private=theory.Dataset(room[0], 0.7, plain.public.truth),
        public=plain.public,
        synthetic=theory.Dataset(room[1], 0.7),
        shares=np.append(np.asarray(plain.shares), 0.0),
        present=[True, True, False],
    )
    for weights in (theory.Weights(0.5, 0.5), theory.Weights(0.0, 1.0)):
        for measure in (theory.homogenization, theory.row_block_spread):
            found, wanted = (measure(limit(e, weights, theory.PAPER)) for e in (padded, plain))
            assert float(found) == pytest.approx(float(wanted), abs=1e-12)
    found, wanted = (float(theory.minimum_variance(e)) for e in (padded, plain))
    assert found == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize(("seen", "why"), [([1.0, 1.0], "successful"), ([1.0, 0.0], "data_do_not_span")])
def test_what_an_absent_entity_knows_is_no_reason(seen, why):
    """It would see all features, with a truth of its own."""
    private = np.stack([np.diag(seen), np.eye(2)])
    ecosystem = theory.Ecosystem(
        private=theory.Dataset(private, 1.0, [[0.0, 0.0], [1.0, 1.0]]),
        public=theory.Dataset(np.diag(seen), 1.0, [0.0, 0.0]),
        synthetic=theory.Dataset(private),
        shares=[1.0, 0.0],
        present=[True, False],
    )
    found = theory.reason(theory.limit(ecosystem, theory.Weights(0.5, 0.5)))
    assert found == getattr(theory.RESULTS, why)


SHAPES = {"ridge": "penalty", "gradient steps": "rate", "human labels": "fresh", "forgetting": "rate"}


def workflow_of(name: str, value) -> theory.Workflow:
    """A workflow by one of its numbers."""
    return {
        "ridge": lambda: theory.Workflow(theory.Ridge(value)),
        "gradient steps": lambda: theory.Workflow(theory.GradientSteps(3, value)),
        "human labels": lambda: theory.Workflow(pool=theory.Shared(value)),
        "forgetting": lambda: theory.Workflow(memory=theory.Forget(value)),
    }[name]()


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.long
def test_gradients_by_the_numbers_of_a_workflow(name):
    ecosystem = unequal_ecosystem(np.random.default_rng(3), 2, 3)

    def errors(point):
        value, alpha = point
        law = theory.limit(ecosystem, theory.Weights(alpha, 0.5), workflow_of(name, value))
        return jnp.concatenate([theory.mse(law), theory.mspe(law).ravel(), theory.homogenization(law)[None]])

    assert_derivatives(errors, (jnp.asarray(0.3 if name != "gradient steps" else 0.05), jnp.array([0.3, 0.6])))


def test_gradients_of_distances_are_numbers():
    ecosystem = unequal_ecosystem(np.random.default_rng(4), 3, 3)
    pairs = ~np.eye(3, dtype=bool)

    def distances(alpha):
        law = theory.limit(ecosystem, theory.Weights(alpha, 0.5))
        measures = theory.disagreement, theory.mean_distance, theory.distribution_distance
        return jnp.stack([measure(law) for measure in measures])

    slopes = jax.jit(jax.jacrev(distances))(0.4)
    assert np.isfinite(slopes).all()
    step = 1e-6
    differences = (distances(0.4 + step) - distances(0.4 - step)) / (2 * step)
    np.testing.assert_allclose(np.asarray(slopes)[:, pairs], np.asarray(differences)[:, pairs], rtol=1e-5, atol=1e-8)


def test_gradients_near_the_edge_of_stability():
    """ρ = 0.9993, and the error grows like 1/(1 - ρ²)."""
    ecosystem = theory.ecosystem_from_grams(np.ones((2, 1, 1)), np.zeros((1, 1)), np.ones((2, 1, 1)))
    closed = lambda a: 1 / 2 + (1 - a) ** 2 / 2 + a**2 / (2 * (1 - a**2))  # noqa: E731
    error = lambda a: theory.mse(theory.limit(ecosystem, theory.Weights(a, 1.0)))[0]  # noqa: E731
    at = 0.9993
    for a in (0.3, at):
        assert float(error(a)) == pytest.approx(closed(a), rel=1e-9)
    slope = float(jax.jit(jax.grad(error))(at))
    wanted = (float(error(at + 1e-6)) - float(error(at - 1e-6))) / 2e-6
    assert slope == pytest.approx(wanted, rel=1e-4)
