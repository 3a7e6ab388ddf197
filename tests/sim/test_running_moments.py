"""Streaming moments equal NumPy's on all replicates at once, however these are split into batches."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from crossfeed.sim import (
    MomentSampler,
    make_moment_sampler,
    merge_moments,
    simulate,
    simulate_moments,
    simulate_on_devices,
    summarize_moments,
)
from crossfeed.sim.running_moments import batch_moments, empty_like
from crossfeed.theory import Weights, random_gaussian

ENTITIES, DIMENSION, GENERATIONS = 3, 2, 2
CLOSE: dict[str, Any] = {"rtol": 1e-11, "atol": 1e-11}
WEIGHTS = Weights(0.6, 0.5)

summary = eqx.filter_jit(summarize_moments)


@pytest.fixture(scope="module")
def sampler() -> MomentSampler:
    return make_moment_sampler(random_gaussian(jax.random.key(3), ENTITIES, DIMENSION, 1))


@pytest.fixture(scope="module")
def estimates() -> np.ndarray:
    """Far from zero, so that a formula which cancels would lose digits."""
    return 100 + np.random.default_rng(0).standard_normal((41, ENTITIES, DIMENSION))


def expected(sampler, estimates) -> dict[str, np.ndarray]:
    """Everything a `Simulation` holds of one generation, from all replicates at once."""
    count = len(estimates)
    flat = estimates.reshape(count, -1)
    joint = np.cov(flat, rowvar=False).reshape(ENTITIES, DIMENSION, ENTITIES, DIMENSION).transpose(0, 2, 1, 3)
    own = joint[np.arange(ENTITIES), np.arange(ENTITIES)]
    error = estimates - np.asarray(sampler.ecosystem.private.truth)
    private = np.asarray(sampler.ecosystem.private.gram)
    squared = (error**2).sum(-1)
    prediction = np.einsum("rka,mab,rkb->rkm", error, private, error)
    entities = list(zip(error.mean(0), own, strict=True))
    return {
        "mean": estimates.mean(0),
        "joint_covariance": joint,
        "covariance": own,
        "mse": squared.mean(0),
        "mse_se": np.array([gaussian_se(np.eye(DIMENSION), e, c, count) for e, c in entities]),
        "mspe": prediction.mean(0),
        "mspe_se": np.array([[gaussian_se(s, e, c, count) for s in private] for e, c in entities]),
    }


def gaussian_se(gram, error, covariance, count) -> float:
    """Standard error of the mean of e'Se for Gaussian e."""
    product = gram @ covariance
    return np.sqrt((2 * np.trace(product @ product) + 4 * error @ product @ gram @ error) / count)


def assert_moments_equal(left, right):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, **CLOSE), left, right)


def one_generation(moments):
    return jax.tree.map(lambda leaf: leaf[None], moments)


@pytest.mark.parametrize("joint", [True, False])
@pytest.mark.parametrize("cuts", [[], [1, 2, 40], [7, 14, 21, 28, 35]])
def test_batches_add_up_to_numpy_on_everything(sampler, estimates, joint, cuts):
    parts = [batch_moments(jnp.moveaxis(jnp.asarray(part), 0, -1), joint) for part in np.split(estimates, cuts)]
    total = parts[0]
    for part in parts[1:]:
        total = merge_moments(total, part)

    found = summary(sampler, WEIGHTS, one_generation(total))

    assert found.replicates == len(estimates)
    for name, value in expected(sampler, estimates).items():
        if joint or name != "joint_covariance":
            np.testing.assert_allclose(getattr(found, name)[0], value, err_msg=name, **CLOSE)
    if not joint:
        assert found.joint_covariance is None


@pytest.mark.parametrize("joint", [True, False])
def test_merging_is_associative_commutative_and_has_a_neutral_element(sampler, estimates, joint):
    a, b, c = (batch_moments(jnp.moveaxis(jnp.asarray(part), 0, -1), joint) for part in np.split(estimates, [5, 17]))
    assert_moments_equal(merge_moments(merge_moments(a, b), c), merge_moments(a, merge_moments(b, c)))
    assert_moments_equal(merge_moments(a, b), merge_moments(b, a))
    assert_moments_equal(merge_moments(empty_like(a), a), a)


class RecordingSampler(MomentSampler):
    """Shows every batch of estimates to a function, in the order of drawing."""

    record: Callable[[np.ndarray], None]

    def estimates(self, state):
        estimates = super().estimates(state)
        jax.debug.callback(lambda batch: self.record(np.moveaxis(np.asarray(batch), -1, 0)), estimates, ordered=True)
        return estimates


@pytest.mark.parametrize("replicates", [40, 44, 7])  # whole batches; a rest; less than one batch
def test_batches_count_every_replicate_once(sampler, replicates):
    record: list[np.ndarray] = []
    recording = RecordingSampler(**vars(sampler), record=record.append)

    found = simulate(recording, WEIGHTS, GENERATIONS, replicates, jax.random.key(0), joint=True, batch_size=10)

    jax.effects_barrier()
    batches = [record[start :: GENERATIONS + 1] for start in range(GENERATIONS + 1)]
    assert len(batches[0]) == -(-replicates // 10)
    assert found.replicates == replicates
    for generation, drawn in enumerate(batches):
        drawn = np.concatenate(drawn)
        assert len(drawn) == replicates
        assert len(np.unique(drawn)) == drawn.size, "two batches drew the same numbers"
        for name, value in expected(sampler, drawn).items():
            np.testing.assert_allclose(getattr(found, name)[generation], value, err_msg=name, **CLOSE)


def test_parts_on_devices_draw_every_replicate_once():
    """One entity with one feature: an estimate is a random number but for scale, and drawn again if that is."""
    sampler = make_moment_sampler(random_gaussian(jax.random.key(3), 1, 1, 1))
    batches, reported = [], []

    class WatchedSampler(MomentSampler):
        """Shows every batch of estimates, in any order."""

        def estimates(self, state):
            estimates = super().estimates(state)
            jax.debug.callback(lambda batch: batches.append(np.moveaxis(np.array(batch), -1, 0)), estimates)
            return estimates

    replicates = 24 * 101 + 5  # 24 parts and a rest
    watched = WatchedSampler(**vars(sampler))
    found = simulate_on_devices(watched, WEIGHTS, 0, replicates, jax.random.key(0), reported.append)

    jax.effects_barrier()
    drawn = np.concatenate(batches)
    assert len(drawn) == found.replicates == replicates
    assert len(np.unique(drawn)) == drawn.size, "two parts drew the same numbers"
    np.testing.assert_allclose(found.mean[0], drawn.mean(0), **CLOSE)
    assert reported == list(range(2 * 101, 24 * 101 + 1, 2 * 101)), "two devices take two parts at once"


def test_runs_merge_into_one_run(sampler):
    first, second = (
        eqx.filter_jit(simulate_moments)(sampler, WEIGHTS, GENERATIONS, n, jax.random.key(n), joint=True)
        for n in (30, 50)
    )
    together = summary(sampler, WEIGHTS, merge_moments(first, second))
    alone = [summary(sampler, WEIGHTS, moments) for moments in (first, second)]
    assert together.replicates == 80
    np.testing.assert_allclose(together.mean, (30 * alone[0].mean + 50 * alone[1].mean) / 80, **CLOSE)
    gap = alone[0].mean - alone[1].mean
    between = 30 * 50 / 80 * jnp.einsum("tka,tlb->tklab", gap, gap)
    first_covariance, second_covariance = (moments.joint_covariance for moments in alone)
    assert first_covariance is not None
    assert second_covariance is not None
    within = 29 * first_covariance + 49 * second_covariance
    assert together.joint_covariance is not None
    np.testing.assert_allclose(together.joint_covariance, (within + between) / 79, **CLOSE)


def test_memory_does_not_depend_on_replicates(sampler):
    def temporary_bytes(replicates: int) -> int:
        run = jax.jit(lambda key: simulate_moments(sampler, WEIGHTS, GENERATIONS, replicates, key, batch_size=1000))
        memory = run.lower(jax.random.key(0)).compile().memory_analysis()
        assert memory is not None
        return memory.temp_size_in_bytes

    few, many = temporary_bytes(2_000), temporary_bytes(200_000)
    keys = 2 * 8 * 200  # a key for each batch, made twice
    assert many < 1.05 * few + 4 * keys
