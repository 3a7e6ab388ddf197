"""Simulation agrees with the exact theory in every mean, variance and covariance, in both modes.

Keys are fixed so that a pass stays a pass: the test decides about code, not about luck. The rate of false alarms that a
change of keys would have is set below, and is spent once over all cases.
"""

from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from crossfeed.sim import (
    Prediction,
    family_wise_test,
    make_moment_sampler,
    make_row_sampler,
    predict_estimates,
    simulate,
    z_scores,
)
from crossfeed.theory import Ecosystem, Weights, ecosystem_from_grams, random_gaussian

FALSE_ALARM = 1e-3  # of this file as a whole
SMALLEST_ERROR = 0.2
"""Power: a variance wrong by this fraction must stand well beyond the threshold in every case."""


class Case(NamedTuple):
    ecosystem: Callable[[], Ecosystem]
    weights: Callable[[], Weights]
    generations: int
    replicates: int = 5_000


def gaussian(seed: int, entities: int, dimension: int, rank: int, public_rows: int | None = None, **changes):
    """A random ecosystem, with some of its fields replaced."""

    def make() -> Ecosystem:
        made = random_gaussian(jax.random.key(seed), entities, dimension, rank, public_rows=public_rows)
        grams = made.private.gram, made.public.gram, made.synthetic.gram
        return ecosystem_from_grams(*grams, theta=made.public.truth, **changes)

    return make


def constant(alpha, beta):
    return lambda: Weights(jnp.asarray(alpha), jnp.asarray(beta))


def schedule(generations: int, entities: int):
    """α rises and β falls over the generations, differently for every entity."""

    def make() -> Weights:
        time = jnp.linspace(0, 1, generations + 1)[:, None]
        offset = jnp.linspace(0, 0.2, entities)[None]
        return Weights(0.1 + 0.6 * time + offset, 0.9 - 0.5 * time - offset)

    return make


CASES = {
    "K=1, T=100": Case(gaussian(0, 1, 3, 3), constant(0.5, 0.5), 100),
    "K=2, T=100": Case(gaussian(1, 2, 3, 2), constant(0.7, 0.6), 100),
    "K=4, T=30": Case(gaussian(2, 4, 5, 2), constant(0.5, 0.5), 30),
    "K=10, T=50": Case(gaussian(3, 10, 3, 2), constant(0.6, 0.8), 50),
    "K=50, T=100": Case(gaussian(4, 50, 2, 1), constant(0.6, 0.8), 100),
    "unequal shares": Case(gaussian(5, 3, 3, 2, shares=[0.7, 0.3, 0.0]), constant(0.6, 0.4), 20),
    "weights per entity": Case(gaussian(6, 3, 3, 2), constant([0.2, 0.5, 0.9], [0.9, 0.1, 0.5]), 20),
    "weights per generation": Case(gaussian(7, 2, 3, 2), lambda: Weights(jnp.linspace(0, 0.9, 13)[:, None], 0.5), 12),
    "weights per entity and generation": Case(gaussian(8, 3, 3, 2), schedule(12, 3), 12),
    "noise variance 4": Case(gaussian(9, 2, 3, 2, noise_variance=4.0), constant(0.5, 0.5), 20),
    "biased, bias dies out": Case(gaussian(10, 4, 3, 1), constant(0.7, 1.0), 30),
    "biased for ever": Case(gaussian(13, 2, 5, 1, public_rows=1), constant(0.5, 0.5), 20),
    "alpha = 1": Case(gaussian(12, 4, 3, 3), constant(1.0, 0.5), 20),
}
LONG = {"K=1, T=100", "K=4, T=30", "K=50, T=100", "unequal shares", "weights per generation", "alpha = 1"}
"""Cases that `make test-long` tries, since others are of their kind."""
MODES = {"moments": make_moment_sampler, "rows": make_row_sampler}
SHARE = FALSE_ALARM / (len(CASES) * len(MODES))


run = eqx.filter_jit(simulate)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.long) if name in LONG else name for name in CASES]
)
def test_every_mean_and_covariance_agrees(name):
    case = CASES[name]
    ecosystem, weights = case.ecosystem(), case.weights()
    assert ecosystem.public.truth is not None
    prediction = eqx.filter_jit(predict_estimates)(ecosystem, weights, case.generations)
    for number, (mode, make_sampler) in enumerate(MODES.items()):
        # Any key would do; one for each case and mode keeps them independent.
        key = jax.random.fold_in(jax.random.key(2025), len(MODES) * list(CASES).index(name) + number)
        simulation = run(make_sampler(ecosystem), weights, case.generations, case.replicates, key, joint=True)

        decision = family_wise_test([z_scores(prediction, simulation)], SHARE)

        detectable = SMALLEST_ERROR * np.sqrt((case.replicates - 1) / 2)  # in standard errors of a variance
        assert detectable > 1.5 * decision.threshold, "no power: draw more replicates"
        assert decision.agrees, f"{mode}: |z| = {decision.largest:.2f} > {decision.threshold:.2f}"
    assert_the_case_is_what_its_name_says(name, ecosystem, prediction)


def assert_the_case_is_what_its_name_says(name: str, ecosystem: Ecosystem, prediction: Prediction) -> None:
    """Guards the table: a biased case that is not biased would test nothing."""
    assert ecosystem.public.truth is not None
    gap = np.abs(prediction.mean - ecosystem.public.truth[None, None]).max((1, 2))
    assert (gap[0] > 0.1) == name.startswith("biased")
    if name == "biased for ever":
        assert gap[-1] > 0.1
    if name == "biased, bias dies out":
        assert gap[-1] < 0.01 * gap[0]
    if name == "alpha = 1":
        traces = np.einsum("tkkaa->t", prediction.joint_covariance)
        assert traces[-1] > 2 * traces[1]
