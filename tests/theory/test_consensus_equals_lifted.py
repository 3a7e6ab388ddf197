"""The d-dimensional consensus form gives what the paper's Kd-dimensional formulas give."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from crossfeed.theory import lifted
from hypothesis import given, settings
from hypothesis import strategies as st

from crossfeed import theory

from .ecosystems import SEEDS, Case, conditioning, random_batch, random_case

GENERATIONS = 3
BATCH = 64
SLOTS = (6, 8)
TOLERANCE = 1e-10
SIZES = st.tuples(st.integers(1, SLOTS[0]), st.integers(1, SLOTS[1]))


def flat(blocks):
    """(K, L, d, e) blocks as one (Kd, Le) matrix."""
    return blocks.transpose(0, 2, 1, 3).reshape(blocks.shape[0] * blocks.shape[2], -1)


def diagonal_blocks(matrix, entities):
    size = matrix.shape[0] // entities
    everyone = jnp.arange(entities)
    return matrix.reshape(entities, size, entities, size)[everyone, :, everyone, :]


def consensus_form(law):
    return {
        "mean map": flat(theory.mean_map(law)),
        "joint covariance": flat(theory.joint_covariance(law)),
        "covariance": theory.covariance(law),
        "conditional covariance": theory.conditional_covariance(law),
        "bias map": theory.bias_map(law),
    }


def lifted_form(ecosystem, law):
    """The same from M_t and C_t. Noise-free data follow θ, so E[θ̂_k] = Σ_j M_kj θ whatever the ranks."""
    entities, size = ecosystem.entities, ecosystem.dimension
    joint = lifted.covariance(ecosystem, law)
    return {
        "mean map": law.mean_map,
        "joint covariance": joint,
        "covariance": diagonal_blocks(joint, entities),
        "conditional covariance": diagonal_blocks(law.conditional_covariance, entities),
        "bias map": law.mean_map.reshape(entities, size, entities + 1, size).sum(2) - jnp.eye(size)[None],
    }


def gaps(consensus, reference):
    """Largest difference of each quantity, relative to its size; bias maps are compared with I."""
    covariance = jnp.abs(reference["joint covariance"]).max()
    scales = dict.fromkeys(reference, covariance) | {"mean map": jnp.abs(reference["mean map"]).max(), "bias map": 1.0}
    scales = {name: jnp.where(scale > 0, scale, 1.0) for name, scale in scales.items()}
    return {name: jnp.abs(consensus[name] - reference[name]).max() / scales[name] for name in reference}


@jax.jit
@jax.vmap
def trajectory_gaps(case: Case):
    consensus = theory.trajectory(case.ecosystem, case.weights, GENERATIONS, consensus_form)
    law = lifted.trajectory(case.ecosystem, case.weights, GENERATIONS)
    return jax.vmap(gaps)(consensus, jax.vmap(lambda now: lifted_form(case.ecosystem, now))(law))


@jax.jit
@jax.vmap
def limit_gaps(case: Case):
    """Distance of the consensus limit from the fixed points M = P + Q M and C = Q (C + σ² S⁺) Qᵀ."""
    ecosystem, weights = case.ecosystem, case.first_weights
    consensus = consensus_form(theory.limit(ecosystem, weights))
    now = lifted.operators(ecosystem, weights.alpha, weights.beta)
    given_data = lifted.LiftedLaw(consensus["mean map"], jnp.zeros_like(now.recursive))
    sampling = consensus["joint covariance"] - lifted.covariance(ecosystem, given_data)
    label_noise = ecosystem.public.noise_variance * lifted.pseudo_inverse(
        lifted.block_diagonal(ecosystem.synthetic.gram)
    )
    next_law = lifted.LiftedLaw(
        now.real + now.recursive @ consensus["mean map"], now.recursive @ (label_noise + sampling) @ now.recursive.T
    )
    radius = theory.spectral_radius(ecosystem, weights)
    radius_gap = jnp.abs(radius - jnp.abs(jnp.linalg.eigvals(now.recursive)).max())
    return radius, radius_gap, gaps(consensus, lifted_form(ecosystem, next_law))


def assert_small(found, usable):
    assert usable.mean() > 0.4  # else the check says little
    worst = {name: np.asarray(values)[usable].max() for name, values in found.items()}
    assert max(worst.values()) < TOLERANCE, worst


@settings(max_examples=32)
@given(SEEDS, SIZES)
def test_every_generation(seed, sizes: tuple[int, int]):
    batch = random_batch(seed, BATCH, *sizes, GENERATIONS, SLOTS)
    assert_small(trajectory_gaps(batch), conditioning(batch) < 1e4)


@settings(max_examples=32)
@given(SEEDS, SIZES)
def test_limit_is_the_fixed_point(seed, sizes: tuple[int, int]):
    batch = random_batch(seed, BATCH, *sizes, GENERATIONS, SLOTS)
    radius, radius_gap, found = limit_gaps(batch)
    well_conditioned = conditioning(batch) < 1e4
    assert np.asarray(radius_gap)[well_conditioned].max() < 1e-9
    assert_small(found, well_conditioned & (np.asarray(radius) < 0.99))


@jax.jit
def kronecker_gaps(case: Case):
    ecosystem, weights = case.ecosystem, case.first_weights
    reference = lifted_form(ecosystem, lifted.limit(ecosystem, weights))
    found = gaps(consensus_form(theory.limit(ecosystem, weights)), reference)
    return theory.spectral_radius(ecosystem, weights), found


@pytest.mark.parametrize("sizes", [(1, 3), (3, 2)])
@settings(max_examples=30)
@given(seed=SEEDS)
def test_limit_by_the_kronecker_formula(sizes: tuple[int, int], seed):
    case = random_case(np.random.default_rng(seed), *sizes, GENERATIONS, sizes)
    radius, found = kronecker_gaps(case)
    assert radius >= 0.9 or max(found.values()) < TOLERANCE


@jax.jit
def bias_maps(case: Case):
    consensus = theory.trajectory(case.ecosystem, case.weights, GENERATIONS, theory.bias_map)
    printed = lifted.bias_map(case.ecosystem, case.weights, GENERATIONS)
    return consensus.reshape(printed.shape), printed


@settings(max_examples=30)
@given(seed=SEEDS)
def test_printed_bias_where_later_grams_have_full_rank(seed):
    case = random_case(np.random.default_rng(seed), 3, 3, GENERATIONS, (3, 3))
    case = case._replace(synthetic=case.synthetic + np.eye(3), alpha=np.clip(case.alpha, 0.1, 1))
    consensus, printed = bias_maps(case)
    assert np.abs(consensus - printed).max() < TOLERANCE


@jax.jit
def covariances(ecosystem, weights):
    return theory.trajectory(ecosystem, weights, GENERATIONS, theory.covariance)


@pytest.mark.parametrize("shape", [(), (1,), (3,), (GENERATIONS + 1, 1), (GENERATIONS + 1, 3)])
def test_constant_weights_may_be_given_in_every_shape(shape):
    case = random_case(np.random.default_rng(5), 3, 4, GENERATIONS, (3, 4))
    full = theory.Weights(np.full((GENERATIONS + 1, 3), 0.4), np.full((GENERATIONS + 1, 3), 0.7))
    short = theory.Weights(np.full(shape, 0.4), np.full(shape, 0.7))
    found, wanted = covariances(case.ecosystem, short), covariances(case.ecosystem, full)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-13)
