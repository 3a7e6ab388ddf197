"""A call outside of what JAX compiles is one program, is repeated without compiling, and refuses what it refused before."""

import functools
import inspect
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from crossfeed.theory import (
    DependsOnTheta,
    Forget,
    GradientSteps,
    InvalidInput,
    NoLimit,
    Ridge,
    Shared,
    Weights,
    Workflow,
    ecosystem_from_grams,
    joint_law,
    knowledge_bound,
    limit,
    mse,
    mspe,
    random_gaussian,
    relative_efficiency,
    summarize_stability,
    trajectory,
    transfer,
    worst_case,
)

from crossfeed import theory
from crossfeed.formulas import measures as formulas
from crossfeed.formulas.arrays import require_whole

WEIGHTS = Weights(0.5, 0.5)
COMPILED: list[float] = []


def _count(event: str, duration_secs: float, **_: str | int) -> None:
    if event.endswith("backend_compile_duration"):
        COMPILED.append(duration_secs)


@pytest.fixture(scope="module", autouse=True)
def _counted():
    jax.monitoring.register_event_duration_secs_listener(_count)
    yield
    jax.monitoring.unregister_event_duration_listener(_count)


@pytest.fixture(scope="module")
def ecosystem():
    return random_gaussian(jax.random.key(0), entities=3, dimension=7, rank=2)


CALLS = {
    "limit": lambda e: limit(e, WEIGHTS),
    "mse": lambda e: mse(limit(e, WEIGHTS)),
    "relative efficiency": lambda e: relative_efficiency(limit(e, WEIGHTS)),
    "transfer": lambda e: transfer(limit(e, WEIGHTS)),
    "trajectory": lambda e: trajectory(e, WEIGHTS, 5, mse),
    "another trajectory": lambda e: trajectory(e, WEIGHTS, 5, mspe),
    "joint law": lambda e: joint_law(e, WEIGHTS, 2).covariance,
    "knowledge": lambda e: knowledge_bound(e, WEIGHTS),
    "summary": lambda e: summarize_stability(e, WEIGHTS),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_call_is_compiled_once_and_as_few_programs(call, ecosystem):
    COMPILED.clear()
    first = call(ecosystem)
    assert len(COMPILED) <= 8
    COMPILED.clear()
    again = call(ecosystem)
    assert not COMPILED
    jax.tree.map(np.testing.assert_array_equal, first, again)


def test_the_program_is_the_function_that_jax_transforms(ecosystem):
    def error(alpha):
        return mse(limit(ecosystem, Weights(alpha, 0.5)))

    alphas = jnp.array([0.2, 0.6])
    alone = jnp.stack([error(alpha) for alpha in alphas])
    np.testing.assert_allclose(jax.vmap(error)(alphas), alone, rtol=1e-12)
    np.testing.assert_allclose(jax.jit(jax.vmap(error))(alphas), alone, rtol=1e-12)
    slope = jax.jacfwd(error)(0.5)
    np.testing.assert_allclose(jax.jit(jax.jacrev(error))(0.5), slope, rtol=1e-9)
    np.testing.assert_allclose(slope, (error(0.5 + 1e-6) - error(0.5 - 1e-6)) / 2e-6, rtol=1e-6)
    steps = Workflow(GradientSteps(3, 0.01))  # whose numbers stay Python's
    assert limit(ecosystem, WEIGHTS, steps).exists


def test_a_trajectory_of_errors_takes_the_short_way(ecosystem):
    """Which it does for the function itself, whoever wrapped it, and not for another one of the same values."""
    measures = (mse, formulas.mse, lambda law: mse(law))
    ways = [
        str(jax.make_jaxpr(lambda measure=measure: trajectory(ecosystem, WEIGHTS, 5, measure))())
        for measure in measures
    ]
    assert ways[0] == ways[1] != ways[2]


@pytest.mark.parametrize("name", ["mse", "limit", "lemma1", "trajectory"])
def test_functions_go_to_other_processes_and_keep_their_help(name):
    function = getattr(theory, name)
    assert pickle.loads(pickle.dumps(function)) is function
    assert "Example:" in function.__doc__
    assert "Law" in str(inspect.signature(function)) or "Ecosystem" in str(inspect.signature(function))


def test_numbers_of_a_workflow_are_not_compiled_one_by_one(ecosystem):
    errors = [mse(limit(ecosystem, WEIGHTS, Workflow(Ridge(0.25))))]
    COMPILED.clear()
    errors += [mse(limit(ecosystem, WEIGHTS, Workflow(Ridge(penalty)))) for penalty in (0.5, 2.0)]
    assert not COMPILED
    assert len({float(error[0]) for error in errors}) == 3


def test_a_measure_made_from_another_is_itself(ecosystem):
    @functools.wraps(mse)
    def root(law):
        return jnp.sqrt(mse(law))

    errors = trajectory(ecosystem, WEIGHTS, 3, mse)
    np.testing.assert_allclose(trajectory(ecosystem, WEIGHTS, 3, root), jnp.sqrt(errors), rtol=1e-12)


def test_what_was_refused_is_refused():
    unstable = worst_case(4, 100.0)
    with pytest.raises(NoLimit, match=r"spectral radius is 1\.4"):
        limit(unstable, Weights(0.5, 1.0))
    law = limit(unstable, Weights(0.5, 1.0), throw=False)
    assert not law.exists
    assert np.isinf(mse(law)).all()
    known = np.stack([np.diag([1.0, 0.0])] * 2)
    blind = ecosystem_from_grams(known, np.zeros((2, 2)), known)
    with pytest.raises(DependsOnTheta, match="entity 0 is biased"):
        mse(limit(blind, WEIGHTS))
    with pytest.raises(DependsOnTheta, match="entity 0 is biased"):
        trajectory(blind, WEIGHTS, 3, mse)
    with pytest.raises(DependsOnTheta, match="entity 0 is biased"):
        trajectory(blind, WEIGHTS, 3, lambda law: jnp.argmin(mse(law)))
    for rate in (0.0, jnp.zeros(()), np.float64(0)):
        with pytest.raises(InvalidInput, match="grow for ever"):
            limit(unstable, WEIGHTS, Workflow(memory=Forget(rate)))
    assert summarize_stability(unstable, WEIGHTS, Workflow(pool=Shared(jnp.zeros(())))).paper is not None


@pytest.mark.parametrize("value", [2.5, 3.0, "20", True, None])
def test_a_whole_number_is_asked_for(value):
    with pytest.raises(InvalidInput, match=r"generations is .*, but must be a whole number"):
        require_whole("generations", value)
    require_whole("generations", np.int64(3))
