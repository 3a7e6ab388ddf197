"""Samplers of any workflow follow its exact law, by the family-wise test; a plausible wrong law is rejected by the same test."""

from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from crossfeed.sim import family_wise_test, make_moment_sampler, make_row_sampler, predict_estimates, simulate, z_scores
from crossfeed.theory import (
    Accumulate,
    Dataset,
    Ecosystem,
    Forget,
    GradientSteps,
    Network,
    Ridge,
    Shared,
    Weights,
    Workflow,
)

pytestmark = pytest.mark.long

FALSE_ALARM = 1e-3  # of this file as a whole
DIMENSION, REPLICATES = 2, 4_000


class Case(NamedTuple):
    """A workflow for K entities over T generations, and one that it might be mistaken for."""

    workflow: Workflow
    mistaken: Workflow
    entities: int = 3
    generations: int = 6


def readers(entities: int) -> np.ndarray:
    return np.random.default_rng(0).dirichlet(np.ones(entities), entities)


CASES: dict[str, Callable[[], Case]] = {
    "ridge": lambda: Case(Workflow(Ridge(0.5)), Workflow(Ridge(0.25))),
    "gradient steps": lambda: Case(Workflow(GradientSteps(3, 0.05)), Workflow(GradientSteps(2, 0.05))),
    "network": lambda: Case(
        Workflow(pool=Network(readers(3))), Workflow(pool=Network(readers(3).mean(0)[None].repeat(3, 0)))
    ),
    "human labels": lambda: Case(Workflow(pool=Shared(0.3)), Workflow()),
    "forgetting": lambda: Case(Workflow(memory=Forget(0.3)), Workflow(memory=Forget(0.7))),
    "accumulation": lambda: Case(Workflow(memory=Accumulate()), Workflow(), generations=50),
    "ridge in a network": lambda: Case(
        Workflow(Ridge(0.5), Network(readers(3))), Workflow(Ridge(0.5), Network(readers(3)[::-1].copy()))
    ),
    "accumulation with human labels": lambda: Case(
        Workflow(pool=Shared(0.3), memory=Accumulate()), Workflow(memory=Accumulate())
    ),
    "all at once, K = 20": lambda: Case(
        Workflow(GradientSteps(2, 0.05), Network(readers(20), 0.2), Forget(0.5)),
        Workflow(GradientSteps(2, 0.05), Network(readers(20), 0.2)),
        entities=20,
        generations=4,
    ),
}
SAMPLERS = {"moments": make_moment_sampler, "rows": make_row_sampler}
SHARE = FALSE_ALARM / (len(CASES) * len(SAMPLERS))
run = eqx.filter_jit(simulate)
exact = eqx.filter_jit(predict_estimates)


def unequal(entities: int) -> Ecosystem:
    """Data, noise, truths and shares all differ."""
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(2 * entities + 1, 4, DIMENSION))
    grams = rows.swapaxes(1, 2) @ rows
    return Ecosystem(
        private=Dataset(grams[:entities], rng.uniform(0.5, 2, entities), rng.normal(size=(entities, DIMENSION))),
        public=Dataset(grams[-1], 0.7, rng.normal(size=DIMENSION)),
        synthetic=Dataset(grams[entities:-1], rng.uniform(0.5, 2, entities)),
        shares=rng.dirichlet(np.full(entities, 3.0)),
    )


@pytest.mark.parametrize("name", CASES)
def test_every_mean_and_covariance_agrees(name):
    case = CASES[name]()
    ecosystem = unequal(case.entities)
    weights = Weights(jnp.linspace(0.3, 0.7, case.entities), jnp.linspace(0.4, 0.9, case.entities))
    right = exact(ecosystem, weights, case.generations, case.workflow)
    wrong = exact(ecosystem, weights, case.generations, case.mistaken)
    for number, (mode, make_sampler) in enumerate(SAMPLERS.items()):
        key = jax.random.fold_in(jax.random.key(21), len(SAMPLERS) * list(CASES).index(name) + number)
        sampler = make_sampler(ecosystem, workflow=case.workflow)
        drawn = run(sampler, weights, case.generations, REPLICATES, key, joint=True)
        accepted, rejected = (family_wise_test([z_scores(law, drawn)], SHARE) for law in (right, wrong))
        assert accepted.agrees, f"{mode}: |z| = {accepted.largest:.2f} > {accepted.threshold:.2f}"
        assert not rejected.agrees, f"{mode}: no power"
