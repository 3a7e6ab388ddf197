"""Errors of a steady recursion through traces, against those from the covariances of every generation."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from crossfeed.theory import Dataset, Ecosystem, Ridge, Shared, Weights, Workflow

from crossfeed import theory

from .ecosystems import random_gram

GENERATIONS = 20


def ecosystem(rank: int, truth: str, entities: int = 3, size: int = 4) -> Ecosystem:
    """Unequal shares and noise, and private data of some rank; public data span one direction only if `rank` is below d."""
    rng = np.random.default_rng(rank)
    grams = [np.stack([random_gram(rng, size, rank) for _ in range(entities)]) for _ in range(2)]
    theta = rng.normal(size=size)
    own = {"none": None, "one": theta, "several": theta + rng.normal(size=(entities, size))}[truth]
    return Ecosystem(
        private=Dataset(grams[0], rng.uniform(0.5, 2, entities), own),
        public=Dataset(random_gram(rng, size, size if rank == size else 1), 0.7, None if truth == "none" else theta),
        synthetic=Dataset(grams[1], rng.uniform(0.5, 2, entities)),
        shares=[0.2, 0.5, 0.3],
    )


@eqx.filter_jit
def both_ways(ecosystem: Ecosystem, weights: Weights, workflow: Workflow):
    """Errors and their slopes along both weights, through traces and through the laws of all generations."""

    def errors(weights: Weights):
        return [
            theory.trajectory(ecosystem, weights, GENERATIONS, measure, workflow)
            for measure in (theory.mse, lambda law: theory.mse(law))
        ]

    traces, laws = zip(*jax.jvp(errors, (weights,), (Weights(jnp.ones(3), jnp.full(3, 0.5)),)), strict=True)
    return traces, laws


@pytest.mark.parametrize("workflow", [Workflow(), Workflow(Ridge(0.3), Shared(fresh=0.2))], ids=["paper", "ridge"])
def test_traces_equal_covariances(workflow):
    weights = Weights(jnp.array([0.3, 0.6, 0.1]), jnp.array([0.7, 0.2, 0.9]))
    for rank, truth in ((4, "several"), (2, "one")):
        traces, laws = both_ways(ecosystem(rank, truth), weights, workflow)
        np.testing.assert_allclose(traces[0], laws[0], rtol=1e-12)
        np.testing.assert_allclose(traces[1], laws[1], rtol=1e-10, atol=1e-12)


def test_an_error_that_depends_on_an_unknown_truth_is_none():
    full = ecosystem(4, "none")
    knows_little = eqx.tree_at(lambda e: e.private.gram, full, ecosystem(2, "none").private.gram)
    alone = Weights(jnp.array([0.0, 0.4, 0.4]), jnp.array([1.0, 0.5, 0.5]))
    for one, missing in ((full, False), (knows_little, True)):
        (traces, _), (laws, _) = both_ways(one, alone, Workflow())
        np.testing.assert_allclose(traces, laws, rtol=1e-12)  # missing in the same places
        assert np.isnan(traces[5]).all() == missing  # entity 0 publishes what it does not know
