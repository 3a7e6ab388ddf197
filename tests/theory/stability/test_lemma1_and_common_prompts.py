"""Theorem U, Lemma 1 and the common-prompt criterion against the spectral radius itself."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossfeed import theory

from ..ecosystems import SEEDS, Case, random_batch, random_case, random_gram, random_shares, stack

SLOTS = (6, 8)
BATCH = 64
SIZES = st.tuples(st.integers(1, SLOTS[0]), st.integers(1, SLOTS[1]))

spectral_radius = jax.jit(theory.spectral_radius)
lemma1 = jax.jit(theory.lemma1)
common_prompts = jax.jit(theory.common_prompts)


@pytest.mark.parametrize("entities", [2, 3, 5, 9])
def test_worst_case(entities):
    """Its closed form, which tends to the universal bound."""
    root = np.sqrt(entities)
    for alpha, strength in itertools.product([0.05, 0.5, 0.9], [0.1, 1.0, 1e5]):
        ecosystem, ratio = theory.worst_case(entities, strength), (1 - alpha) * strength / alpha
        radius = float(spectral_radius(ecosystem, theory.Weights(alpha, 1.0)))
        assert radius == pytest.approx(1 + ratio / (1 + ratio) * (root - 1) / 2, abs=1e-12 * (1 + strength))
    strongest = theory.worst_case(entities, 1e5)
    assert float(theory.universal_bound(strongest)) == pytest.approx((1 + root) / 2, abs=1e-14)
    radius = float(spectral_radius(strongest, theory.Weights(0.9, 1.0)))
    assert radius == pytest.approx((1 + root) / 2, abs=2e-4)


@jax.jit
@jax.vmap
def radius_and_universal_bound(case: Case):
    return spectral_radius(case.ecosystem, case.first_weights), theory.universal_bound(case.ecosystem)


@settings(max_examples=60)
@given(SEEDS, SIZES)
def test_universal_bound_holds(seed, sizes: tuple[int, int]):
    radius, bound = radius_and_universal_bound(random_batch(seed, BATCH, *sizes, 1, SLOTS))
    assert (radius <= bound + 1e-9).all()


@pytest.mark.parametrize(("publishers", "rank"), [(2, 4), (4, 3), (3, 1)])
def test_universal_bound_counts_publishers_and_pool_rank(publishers, rank):
    prompts = jnp.stack([jnp.diag((jnp.arange(4) < rank).astype(float))] * 4)
    shares = (jnp.arange(4) < publishers).astype(float) / publishers
    bound = theory.universal_bound(theory.ecosystem_from_grams(prompts, jnp.eye(4), prompts, shares))
    assert float(bound) == pytest.approx((1 + np.sqrt(min(publishers, rank))) / 2)


def test_an_entity_with_a_share_and_no_rows_publishes_nothing():
    silent = jnp.stack([jnp.eye(2), jnp.zeros((2, 2))])
    ecosystem = theory.ecosystem_from_grams(silent, jnp.eye(2), silent)
    assert theory.universal_bound(ecosystem) == 1
    assert lemma1(ecosystem, theory.Weights(0.5, 0.5)).applies
    assert theory.common_prompts(ecosystem, theory.Weights(0.5, 0.5)).applies


def mixture_case(rng, entities, size):
    """An ecosystem with γ S = λ S~ + (1-λ) S_* and β ≤ λ, and its λ and γ."""
    case = random_case(rng, entities, size, 1, (entities, size))
    mixing, scale = rng.choice([rng.uniform(0.1, 1), 1.0]), rng.uniform(0.2, 5)
    synthetic = (mixing * case.private + (1 - mixing) * case.public) / scale
    alpha, beta = rng.uniform(0, 0.99), mixing * rng.uniform(0.01, 0.999)
    weights = {"alpha": np.full((2, entities), alpha), "beta": np.full((2, entities), beta)}
    return case._replace(synthetic=synthetic, **weights), mixing, scale


@jax.jit
@jax.vmap
def radius_and_lemma1(case: Case):
    return spectral_radius(case.ecosystem, case.first_weights), lemma1(case.ecosystem, case.first_weights)


@settings(max_examples=40)
@given(SEEDS)
def test_lemma1_recovers_the_mixture_and_bounds_the_radius(seed):
    rng = np.random.default_rng(seed)
    cases, mixing, scale = zip(*(mixture_case(rng, 3, 5) for _ in range(BATCH)), strict=True)
    radius, lemma = radius_and_lemma1(stack(cases))
    known = np.array([case.public.any() for case in cases])  # without S_* every λ gives S ∝ S~, and the largest is 1
    np.testing.assert_allclose(lemma.mixing, np.where(known, mixing, 1.0), rtol=1e-8)
    np.testing.assert_allclose(lemma.scale[known], np.array(scale)[known], rtol=1e-8)
    assert lemma.applies.all()
    assert (radius <= lemma.bound + 1e-10).all()
    assert (lemma.bound < 1).all()


def test_lemma1_bound_is_attained():
    """One feature, private data only: ρ = α S / (ā S~ + α S) = 1/(1 + δ) with γ = S~/S."""
    ecosystem = theory.ecosystem_from_grams(
        jnp.full((1, 1, 1), 3.0), jnp.zeros((1, 1)), jnp.full((1, 1, 1), 2.0), jnp.ones(1)
    )
    weights = theory.Weights(0.4, 1.0)
    assert float(lemma1(ecosystem, weights).bound) == pytest.approx(0.8 / (1.8 + 0.8), rel=1e-12)
    assert float(spectral_radius(ecosystem, weights)) == pytest.approx(0.8 / (1.8 + 0.8), rel=1e-12)


def test_lemma1_bound_is_the_corrected_formula():
    """ε and δ by hand where all features are diagonal; Δ carries the factor ā that the paper lost (errata E6)."""
    private, public, mixing, scale, alpha, beta = np.array([3.0, 1.0]), np.array([2.0, 5.0]), 0.6, 1.5, 0.4, 0.3
    synthetic = (mixing * private + (1 - mixing) * public) / scale
    delta = (1 - alpha) * beta * scale / (alpha * mixing)
    epsilon = (synthetic / ((1 - alpha) * (mixing - beta) / (alpha * mixing) * public + synthetic)).min()
    ecosystem = theory.ecosystem_from_grams([np.diag(private)], np.diag(public), [np.diag(synthetic)], np.ones(1))
    assert float(lemma1(ecosystem, theory.Weights(alpha, beta)).bound) == pytest.approx(
        1 / (1 + epsilon * delta), rel=1e-12
    )


def mixture(mixing, entities=3, size=4):
    rng = np.random.default_rng(8)
    private = np.stack([random_gram(rng, size, 2) for _ in range(entities)])
    public = random_gram(rng, size, 3)
    synthetic = mixing * private + (1 - mixing) * public
    return theory.ecosystem_from_grams(private, public, synthetic, random_shares(rng, entities))


@pytest.mark.parametrize("mixing", [0.3, 0.7])
def test_lemma1_applies_up_to_beta_equal_to_lambda(mixing):
    ecosystem = mixture(mixing)
    assert lemma1(ecosystem, theory.Weights(0.5, mixing)).applies
    assert not lemma1(ecosystem, theory.Weights(0.5, mixing + 1e-6)).applies


@pytest.mark.parametrize(
    "weights",
    [
        theory.Weights(0.5, 0.61),
        theory.Weights(0.5, 0.0),
        theory.Weights(1.0, 0.5),
        theory.Weights(jnp.array([0.5, 0.5, 0.4]), 0.5),
        theory.Weights(0.5, jnp.array([0.5, 0.5, 0.4])),
    ],
    ids=["β > λ", "β = 0", "α = 1", "unequal α", "unequal β"],
)
def test_lemma1_does_not_apply(weights):
    lemma = lemma1(mixture(0.6), weights)
    assert not lemma.applies
    assert np.isnan(lemma.bound)
    assert float(lemma.mixing) == pytest.approx(0.6, rel=1e-10)


def test_lemma1_needs_a_mixture():
    base = mixture(0.6)
    other = theory.ecosystem_from_grams(
        base.private.gram, base.public.gram, base.synthetic.gram + jnp.diag(jnp.arange(4.0))[None], base.shares
    )
    lemma = lemma1(other, theory.Weights(0.5, 0.1))
    assert not lemma.applies
    assert np.isnan(lemma.mixing)
    assert np.isnan(lemma.scale)


def test_publishing_on_public_inputs_only_is_no_mixture():
    lemma = lemma1(mixture(0.0), theory.Weights(0.5, 0.1))
    assert not lemma.applies
    assert np.isnan(lemma.mixing)


def test_beta_zero_can_drift_for_ever():
    """The text before Lemma 1 includes β = 0; with S_* singular on range S, ρ(Q) = 1 (errata E8)."""
    private = jnp.stack([jnp.eye(2)] * 2)
    ecosystem = theory.ecosystem_from_grams(private, jnp.diag(jnp.array([1.0, 0.0])), private, theory.equal_shares(2))
    weights = theory.Weights(0.5, 0.0)
    assert float(spectral_radius(ecosystem, weights)) == pytest.approx(1, abs=1e-12)
    assert not lemma1(ecosystem, weights).applies
    with pytest.raises(theory.NoLimit):
        theory.limit(ecosystem, weights)


def common_case(rng, entities, size):
    """Common prompts with S of any rank, and private data of so few ranks that joint spanning is uncertain."""
    case = random_case(rng, entities, size, 1, SLOTS)
    gap = ((0, SLOTS[1] - size),) * 2
    shape = random_gram(rng, size, rng.choice([size, rng.integers(1, size + 1)]))
    # Now and then somebody knows exactly what is published about.
    known = [rng.choice([random_gram(rng, size, rng.integers(0, 2)), shape], p=[0.9, 0.1]) for _ in range(entities)]
    private = np.zeros_like(case.private)
    private[:entities] = [np.pad(gram, gap) for gram in known]
    public = np.pad(random_gram(rng, size, rng.integers(0, 2)), gap)
    volumes = rng.uniform(0.3, 3, SLOTS[0]) * (np.arange(SLOTS[0]) < entities)
    return case._replace(private=private, public=public, synthetic=volumes[:, None, None] * np.pad(shape, gap))


@jax.jit
@jax.vmap
def radius_and_common_prompts(case: Case):
    criterion = common_prompts(case.ecosystem, case.first_weights)
    return spectral_radius(case.ecosystem, case.first_weights), criterion


def test_common_prompts_decides_stability():
    seen = set()

    @settings(max_examples=40)
    @given(SEEDS, st.tuples(st.integers(1, SLOTS[0]), st.integers(1, 5)))
    def check(seed, sizes):
        rng = np.random.default_rng(seed)
        radius, criterion = radius_and_common_prompts(stack(common_case(rng, *sizes) for _ in range(BATCH)))
        assert criterion.applies.all()
        assert (np.asarray(criterion.stable) == (np.asarray(radius) < 1 - 1e-9)).all()
        seen.update(criterion.stable.tolist())

    check()
    assert seen == {True, False}


def test_joint_spanning_is_not_enough_for_singular_prompts():
    """`3-beyond.md` §3: ker R_1 and ker R_2 meet in zero only, but both project onto range S."""
    knows = jnp.array([[1.0, -1.0], [1.0, 1.0]])
    private = jnp.einsum("ki,kj->kij", knows, knows)
    prompts = jnp.stack([jnp.diag(jnp.array([1.0, 0.0]))] * 2)
    ecosystem = theory.ecosystem_from_grams(private, jnp.zeros((2, 2)), prompts, jnp.array([0.5, 0.5]))
    weights = theory.Weights(0.5, 1.0)
    assert float(spectral_radius(ecosystem, weights)) == pytest.approx(1, abs=1e-12)
    assert common_prompts(ecosystem, weights).applies
    assert not common_prompts(ecosystem, weights).stable


def test_recycling_alone_is_never_stable():
    ecosystem = theory.symmetric_ecosystem(2, jnp.asarray(random_gram(np.random.default_rng(0), 2, 2)))
    criterion = common_prompts(ecosystem, theory.Weights(1.0, 0.5))
    assert criterion.applies
    assert not criterion.stable


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_knowing_all_that_is_published_is_stable(rank):
    """All data of one singular Gram matrix: what nobody knows is never published either, and ρ = α."""
    ecosystem = theory.symmetric_ecosystem(2, jnp.asarray(random_gram(np.random.default_rng(rank), 4, rank)))
    weights = theory.Weights(0.5, 0.5)
    assert float(spectral_radius(ecosystem, weights)) == pytest.approx(0.5, abs=1e-12)
    assert common_prompts(ecosystem, weights).stable


def test_different_prompts_are_not_common():
    assert not common_prompts(theory.worst_case(3, 1.0), theory.Weights(0.5, 1.0)).applies


def test_a_silent_entity_need_not_share_the_prompts():
    base = theory.worst_case(2, 1.0)
    ecosystem = theory.ecosystem_from_grams(
        base.private.gram, base.public.gram, base.synthetic.gram, jnp.array([1.0, 0.0])
    )
    assert common_prompts(ecosystem, theory.Weights(0.5, 1.0)).applies


def test_bound_ignores_rounding_where_entities_differ_in_scale():
    """S of low rank, one entity 300 times larger: whitening turns rounding into eigenvalues, which must not count."""
    rng = np.random.default_rng(8)
    rows = rng.normal(size=(4, 2, 15)) * np.array([1, 1, 1, 300.0])[:, None, None]
    private = jnp.asarray(rows.transpose(0, 2, 1) @ rows)
    public = jnp.asarray(random_gram(rng, 15, 15))
    weights = theory.Weights(0.5, 0.5)
    verdict = lemma1(theory.ecosystem_from_grams(private, public, private, theory.equal_shares(4)), weights)
    # The same by exact ranks: eigenvalues of R Δ⁻¹ R' with the entity's own rows R have no zeros to confuse.
    pool = np.asarray(private).mean(0)
    inverse = np.linalg.inv(0.5 * np.asarray(public) * 0.5 / 0.5 + pool)
    epsilon = min(np.linalg.eigvalsh(r @ inverse @ r.T)[0] for r in rows)
    assert float(verdict.mixing) == pytest.approx(1)
    assert float(verdict.bound) == pytest.approx(1 / (1 + epsilon * 0.5), rel=1e-8)


@pytest.mark.parametrize("ratio", [1e-7, 1.0, 1e7])
def test_a_mixture_is_found_whatever_the_scales(ratio):
    rng = np.random.default_rng(9)
    private = ratio * jnp.stack([random_gram(rng, 3, 2) for _ in range(2)])
    public = jnp.asarray(random_gram(rng, 3, 3))
    mixed = 0.5 / ratio * private + 0.5 * public[None]
    verdict = lemma1(
        theory.ecosystem_from_grams(private, public, mixed, theory.equal_shares(2)), theory.Weights(0.5, 1e-9)
    )
    expected = 0.5 / ratio / (0.5 / ratio + 0.5)
    assert float(verdict.mixing) == pytest.approx(expected, rel=1e-6)


def test_an_entity_without_a_share_does_not_spoil_the_condition():
    rng = np.random.default_rng(10)
    private = jnp.stack([random_gram(rng, 3, 2) for _ in range(3)])
    other = private.at[2].set(jnp.diag(jnp.arange(3.0)))
    shares = jnp.array([0.5, 0.5, 0.0])
    verdict = lemma1(theory.ecosystem_from_grams(private, jnp.eye(3), other, shares), theory.Weights(0.5, 0.5))
    two = lemma1(
        theory.ecosystem_from_grams(private[:2], jnp.eye(3), private[:2], shares[:2]), theory.Weights(0.5, 0.5)
    )
    assert bool(verdict.applies)
    assert float(verdict.bound) == pytest.approx(float(two.bound), rel=1e-12)
