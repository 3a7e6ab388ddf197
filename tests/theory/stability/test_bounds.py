"""Bounds from prompts, public data and knowledge: closed forms, the numbers of the notes, and ecosystems that attain them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from crossfeed.theory import (
    CONDITIONS,
    PAPER,
    Accumulate,
    Forget,
    GradientSteps,
    Network,
    Ridge,
    Shared,
    Weights,
    Workflow,
    anchor_bound,
    ecosystem_from_grams,
    knowledge_bound,
    lemma1,
    lemma1_beyond,
    lemma1_extended,
    prompt_bound,
    random_growth,
    random_misaligned,
    random_threshold,
    sharp_knowledge_bound,
    spectral_radius,
    symmetric_ecosystem,
    worst_case,
    worst_private_data,
)
from hypothesis import given, settings

from ..derivatives import assert_derivatives
from ..ecosystems import SEEDS, Case, random_batch, random_gram

SLOTS = (4, 4)
BATCH = 48
OTHER = Workflow(Ridge(0.3), Shared(fresh=0.2), Forget(0.4))

radius = jax.jit(spectral_radius)
prompts = jax.jit(prompt_bound)
anchor = jax.jit(anchor_bound)
knowledge = jax.jit(knowledge_bound)
extended = jax.jit(lemma1_extended)
sharp = jax.jit(sharp_knowledge_bound)


def radii_and_bounds(workflow):
    """Function from a batch of cases to ρ(Q) and all bounds."""

    def of(case: Case):
        known = knowledge_bound(case.ecosystem, case.first_weights, workflow)
        public = anchor_bound(case.ecosystem, case.first_weights, workflow)
        bounds = (prompt_bound(case.ecosystem, workflow).bound, public.bound, public.bound_any_private)
        bounds += (known.bound, known.refined, known.sharp)
        bounds += (lemma1_extended(case.ecosystem, case.first_weights, workflow).bound,)
        return spectral_radius(case.ecosystem, case.first_weights, workflow), jnp.stack(bounds)

    return jax.jit(jax.vmap(of))


@pytest.mark.parametrize(
    "workflow", [PAPER, pytest.param(OTHER, marks=pytest.mark.long)], ids=["paper", "ridge, fresh labels, forgetting"]
)
def test_no_ecosystem_exceeds_a_bound(workflow):
    program = radii_and_bounds(workflow)

    @settings(max_examples=8)
    @given(SEEDS)
    def check(seed):
        found, bounds = program(random_batch(seed, BATCH, 4, 4, 1, SLOTS))
        assert not (bounds < found[:, None] - 1e-9).any()
        assert np.isfinite(np.asarray(bounds)[:, :3]).all()  # of one pool, whatever entities know

    check()


@pytest.mark.parametrize("size", [2, 4])
def test_prompts_from_common_to_disjoint(size):
    common = prompts(symmetric_ecosystem(size, jnp.asarray(random_gram(np.random.default_rng(0), 3, 2))))
    assert float(common.nu) == pytest.approx(1, abs=1e-12)
    assert float(common.bound) == pytest.approx(1, abs=1e-12)
    disjoint = prompts(worst_case(size, 1.0))
    assert float(disjoint.nu) == pytest.approx(np.sqrt(size), abs=1e-12)
    assert float(disjoint.nu_upper) == pytest.approx(np.sqrt(size), abs=1e-12)
    assert float(disjoint.change) == pytest.approx((np.sqrt(size) - 1) / 2, abs=1e-12)


def random_ecosystem(seed, entities=4, size=3, rank=2):
    rng = np.random.default_rng(seed)
    private, published = (np.stack([random_gram(rng, size, rank) for _ in range(entities)]) for _ in range(2))
    return ecosystem_from_grams(private, random_gram(rng, size, size), published, rng.dirichlet(np.ones(entities)))


def test_nu_is_the_maximum_over_all_directions():
    """A grid over the circle, whose best point has an error of second order."""
    ecosystem = random_ecosystem(3, size=2, rank=1)
    parts = np.asarray(ecosystem.shares)[:, None, None] * np.asarray(ecosystem.synthetic.gram)
    inverse = np.linalg.inv(np.linalg.cholesky(parts.sum(0)))
    turns = np.linspace(0, np.pi, 20_001)
    sums = np.linalg.norm(inverse @ parts @ inverse.T @ np.stack([np.cos(turns), np.sin(turns)]), axis=1).sum(0)
    found = prompts(ecosystem)
    assert float(found.nu) == pytest.approx(sums.max(), abs=1e-7)
    assert found.nu < found.nu_upper - 1e-4  # three lines in a plane: the certificate is no equality


@pytest.mark.parametrize("strength", [0.5, 1e6])
def test_worst_private_data_attain_the_prompt_bound(strength):
    for seed in range(3):
        ecosystem = random_ecosystem(seed)
        nu = float(prompts(ecosystem).nu)
        grown = 1 + strength / (1 + strength) * (nu - 1) / 2
        worst = worst_private_data(ecosystem, strength)
        values = np.linalg.eigvals(np.asarray(feedback(worst)))
        assert np.abs(values - grown).min() < 1e-7  # an eigenvalue, and the largest if private data are strong
        if strength > 1:
            assert float(radius(worst, Weights(0.5, 1.0))) == pytest.approx(grown, abs=1e-7)


def feedback(ecosystem):
    """H at α = 1/2 and β = 1."""
    gram = (ecosystem.private.gram + ecosystem.pool_gram[None]) / 2
    return jnp.einsum("k,kab,kbc->ac", ecosystem.shares, ecosystem.synthetic.gram, jnp.linalg.inv(gram)) / 2


def anchored(entities, public, private):
    """Disjoint prompts with public data sS̲ and the worst private data of size L."""
    worst = worst_case(entities, private)
    return ecosystem_from_grams(worst.private.gram, public * jnp.eye(entities), worst.synthetic.gram)


@pytest.mark.parametrize(("entities", "needed"), [(2, 0.207), (4, 0.5), (10, 1.08)])
def test_public_weight_that_excludes_divergence(entities, needed):
    """(√m - 1)/2, with α = β = 1/2: t = s/2."""
    exact = (np.sqrt(entities) - 1) / 2
    assert exact == pytest.approx(needed, abs=5e-3)
    ecosystem, weights = anchored(entities, 2 * exact, 1e7), Weights(0.5, 0.5)
    found = anchor(ecosystem, weights)
    assert float(found.anchor) == pytest.approx(exact, rel=1e-12)
    assert float(found.bound_any_private) == pytest.approx(1, abs=1e-12)
    assert float(found.change) == pytest.approx(1, rel=1e-12)
    assert float(radius(ecosystem, weights)) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("entities", [2, 4])
def test_anchor_bound_is_attained(entities):
    """(τ+τ')/2 + √m (τ-τ')/2 with t = āb̄s/α and ℓ = āβL/α."""
    alpha, beta, public, private = 0.3, 0.6, 0.2, 5.0
    t, strength = (1 - alpha) * (1 - beta) * public / alpha, (1 - alpha) * beta * private / alpha
    low, high = 1 / (1 + t + strength), 1 / (1 + t)
    exact = (low + high) / 2 + np.sqrt(entities) * (high - low) / 2
    ecosystem, weights = anchored(entities, public, private), Weights(alpha, beta)
    assert float(anchor(ecosystem, weights).bound) == pytest.approx(exact, abs=1e-12)
    assert float(radius(ecosystem, weights)) == pytest.approx(exact, abs=1e-12)


def test_effective_dimension_bounds_the_anchor():
    """[τ_1 + √(τ_1 min(Kτ_1, tr T_0))]/2 is never below the bound."""
    for seed in range(4):
        ecosystem, weights = random_ecosystem(seed), Weights(0.5, 0.5)
        found = anchor(ecosystem, weights)
        largest = 1 / (1 + found.anchor)
        effective = (largest + jnp.sqrt(largest * jnp.minimum(4 * largest, found.effective_dimension))) / 2
        assert found.bound_any_private <= effective + 1e-12


@pytest.mark.parametrize("entities", [1, 2, 30])
def test_sharp_knowledge_bound(entities):
    """[1 + √(K + (K-1)k)]/(2(1+k)(1+t)), which is 1 at κ = (1-1/K)/4 and t = 0."""
    shares = jnp.full(entities, 1 / entities)
    for kappa, anchor_size in ((0.0, 0.0), (0.1, 0.3), (0.7, 0.0), (3.0, 1.0)):
        k = entities * kappa / (1 + anchor_size)
        exact = (1 + np.sqrt(entities + (entities - 1) * k)) / (2 * (1 + k) * (1 + anchor_size))
        found = sharp(jnp.full(entities, kappa), shares, jnp.array(anchor_size))
        assert float(found) == pytest.approx(exact, abs=1e-12)
    edge = sharp(jnp.full(entities, (1 - 1 / entities) / 4), shares, jnp.array(0.0))
    assert float(edge) == pytest.approx(1, abs=1e-12)


def knowing(entities, kappa, public):
    """Ecosystem that attains the sharp bound: disjoint prompts, κ of them known, sS̲, and one direction known very well.

    With D_j = ((1+t)I + κS_j)^{-1/2}, entity j knows D_j^{-1}u for u ∝ D_je_j/|D_je_j| - D_j1/|D_j1|.
    """
    size, unit = np.eye(entities), np.ones(entities)
    grams = []
    for j in range(entities):
        root = np.diag(1 / np.sqrt(1 + public + entities * kappa * size[j]))
        image, whole = root @ size[j], root @ unit
        u = image / np.linalg.norm(image) - whole / np.linalg.norm(whole)
        u = np.linalg.solve(root, u / np.linalg.norm(u))
        grams.append(kappa * entities * np.outer(size[j], size[j]) + 1e8 * np.outer(u, u))
    prompts = [entities * np.outer(e, e) for e in size]
    return ecosystem_from_grams(np.stack(grams), public * size, np.stack(prompts))


@pytest.mark.parametrize("entities", [2, 4])
@pytest.mark.parametrize(("kappa", "public"), [(0.1, 0.0), (0.05, 0.2)])
def test_sharp_knowledge_bound_is_attained(entities, kappa, public):
    ecosystem = knowing(entities, kappa, public)
    k = entities * kappa / (1 + public)
    exact = (1 + np.sqrt(entities + (entities - 1) * k)) / (2 * (1 + k) * (1 + public))
    weights = Weights(1 / 3, 0.5)  # ā/α · 1/2 = 1
    assert float(radius(ecosystem, weights)) == pytest.approx(exact, abs=1e-6)
    assert float(knowledge(ecosystem, weights).sharp) == pytest.approx(exact, abs=1e-6)


def test_knowledge_of_a_network():
    """κ from its definition; ½ √ρ(diag(1/κ) W), and the same with μ_k where that is smaller."""
    ecosystem, alpha = random_ecosystem(5, rank=3), np.array([0.2, 0.5, 0.6, 0.9])
    readers = np.random.default_rng(1).dirichlet(np.ones(4), size=4)
    found = knowledge(ecosystem, Weights(jnp.asarray(alpha), 0.7), Workflow(pool=Network(readers)))
    private, public, published = (
        np.asarray(d.gram) for d in (ecosystem.private, ecosystem.public, ecosystem.synthetic)
    )
    real = ((1 - alpha) / alpha)[:, None, None] * (0.7 * private + 0.3 * public)
    kappa = np.linalg.eigvals(np.linalg.solve(published, real)).real.min(1)
    np.testing.assert_allclose(found.kappa, kappa, rtol=1e-9)
    growth = np.abs(np.linalg.eigvals(readers / kappa[:, None])).max()
    assert float(found.bound) == pytest.approx(np.sqrt(growth) / 2, rel=1e-10)
    assert float(found.change) == pytest.approx(growth / 4, rel=1e-10)
    share = np.linalg.eigvals(np.linalg.solve(np.einsum("kj,jab->kab", readers, published), published)).real.max(1)
    least = np.minimum(share, 1 / (4 * kappa))
    assert float(found.refined) == pytest.approx(np.sqrt(np.abs(np.linalg.eigvals(least[:, None] * readers)).max()))
    assert CONDITIONS[prompts(ecosystem, Workflow(pool=Network(readers))).condition].endswith("read different ones")


def test_nothing_published_is_safe():
    base = worst_case(4, 1.0)
    silent = ecosystem_from_grams(base.private.gram, base.public.gram, 0 * base.synthetic.gram)
    found = anchor(silent, Weights(0.5, 0.5))
    assert (float(found.bound), float(found.change)) == (0.0, 0.0)
    assert float(prompts(silent).bound) == 0.5
    known = knowledge(silent, Weights(0.5, 0.5))
    assert known.applies
    assert float(known.bound) == float(known.sharp) == 0.0


def test_who_publishes_the_unknown_has_no_bound():
    found = knowledge(worst_case(3, 10.0), Weights(0.5, 1.0))
    assert found.condition == CONDITIONS.unknown_directions
    np.testing.assert_array_equal(found.kappa, 0)
    assert np.isnan(found.bound)
    assert found.margin == -0.25


@pytest.mark.parametrize(
    ("workflow", "condition"),
    [
        (Workflow(GradientSteps(3, 0.1)), CONDITIONS.estimator),
        (Workflow(memory=Accumulate()), CONDITIONS.memory),
        (Workflow(pool=Network(np.eye(4))), CONDITIONS.network),
    ],
    ids=["gradient steps", "accumulation", "network"],
)
def test_what_the_theorems_do_not_cover(workflow, condition):
    ecosystem, weights = random_ecosystem(0), Weights(0.5, 0.5)
    for found in (
        prompts(ecosystem, workflow),
        anchor(ecosystem, weights, workflow),
        extended(ecosystem, weights, workflow),
    ):
        assert found.condition == condition
        assert np.isnan(found.bound)
    known = knowledge(ecosystem, weights, workflow)
    covered = known.condition == CONDITIONS.applies  # Theorem K is about networks too
    assert covered == (condition == CONDITIONS.network)
    assert np.isfinite(known.margin) == covered


def mixed(rng, alpha, common):
    """Prompts with λ_k, γ_k and β_k of their own and common τ, and the weights."""
    private = np.stack([random_gram(rng, 4, 2) for _ in alpha])
    public = random_gram(rng, 4, 3)
    mixing, scale = rng.uniform(0.3, 1, len(alpha)), rng.uniform(0.3, 3, len(alpha))
    beta = mixing * (1 - common * alpha / (1 - alpha))
    prompts = (mixing[:, None, None] * private + (1 - mixing)[:, None, None] * public) / scale[:, None, None]
    ecosystem = ecosystem_from_grams(private, public, prompts, rng.dirichlet(np.ones(len(alpha))))
    return ecosystem, Weights(jnp.asarray(alpha), jnp.asarray(beta)), (1 - alpha) * beta * scale / (alpha * mixing)


@settings(max_examples=20)
@given(SEEDS)
def test_lemma1_with_weights_of_its_own_for_every_entity(seed):
    rng = np.random.default_rng(seed)
    alpha = rng.uniform(0.05, 0.9, 3)
    common = rng.uniform(0, ((1 - alpha) / alpha).min())
    ecosystem, weights, surplus = mixed(rng, alpha, common)
    found = extended(ecosystem, weights)
    assert found.applies
    assert float(found.common) == pytest.approx(common, rel=1e-6, abs=1e-9)
    np.testing.assert_allclose(found.surplus, surplus, rtol=1e-6)
    assert radius(ecosystem, weights) <= found.bound + 1e-10 < 1


def test_lemma1_extended_agrees_with_lemma1():
    rng = np.random.default_rng(4)
    private, public = np.stack([random_gram(rng, 4, 2) for _ in range(3)]), random_gram(rng, 4, 3)
    ecosystem = ecosystem_from_grams(private, public, 0.6 * private + 0.4 * public)
    for beta in (0.2, 0.6):
        weights = Weights(0.5, beta)
        assert float(extended(ecosystem, weights).bound) == pytest.approx(
            float(lemma1(ecosystem, weights).bound), rel=1e-9
        )
    assert extended(ecosystem, Weights(0.5, 0.7)).condition == CONDITIONS.no_mixture
    assert lemma1(ecosystem, Weights(0.5, 0.7)).condition == CONDITIONS.private_weight
    assert radius(ecosystem, Weights(0.5, 0.7)) <= lemma1_beyond(ecosystem, Weights(0.5, 0.7)).bound < 1


def test_lemma1_needs_what_is_common():
    """K = 3, d = 2, entities that publish on what they know beside shared public data, with unequal α."""
    directions = np.array([[0.809, 0.5], [0.5, -0.309], [0.309, -0.809]])
    grams = 3 * np.einsum("ki,kj->kij", directions, directions)
    ecosystem = ecosystem_from_grams(grams, np.diag([30, 0.03]), grams)
    unequal = Weights(jnp.array([0.9999, 0.001, 0.5]), 0.01)
    assert float(radius(ecosystem, unequal)) == pytest.approx(1.0420, abs=5e-5)
    assert float(radius(ecosystem, Weights(0.5, 0.01))) == pytest.approx(0.957, abs=5e-4)
    assert extended(ecosystem, unequal).condition == CONDITIONS.no_mixture
    assert extended(ecosystem, Weights(0.5, 0.01)).applies
    alone = ecosystem_from_grams(grams, np.zeros((2, 2)), grams)  # nothing is common, and τ = 0
    assert extended(alone, unequal).bound < 1


def test_small_ridge_destabilizes():
    """ρ at the penalties of the notes; the prompts there allow it at every penalty that the anchor does not exclude."""

    def outer(*rows):
        return np.stack([np.outer(row, row) for row in rows]).astype(float)

    ecosystem = ecosystem_from_grams(outer((1, -1), (40, -90)), np.zeros((2, 2)), outer((12, -11), (11, -4)))
    for penalty, expected in ((0.0, 0.9854), (1.0, 1.0189), (2.0, 1.021), (10.0, 0.921)):
        workflow = Workflow(Ridge(penalty))
        found = float(radius(ecosystem, Weights(0.5, 1.0), workflow))
        assert found == pytest.approx(expected, abs=6e-4)
        assert found <= anchor(ecosystem, Weights(0.5, 1.0), workflow).bound_any_private


@pytest.mark.long
def test_bounds_can_be_differentiated():
    ecosystem = random_ecosystem(2, rank=3)

    def bounds(alpha):
        weights = Weights(alpha, 0.6)
        found, public = knowledge_bound(ecosystem, weights), anchor_bound(ecosystem, weights)
        return jnp.stack([found.bound, found.refined, found.sharp, public.bound_any_private])

    assert_derivatives(bounds, jnp.array([0.3, 0.5, 0.45, 0.6]), rtol=1e-5)

    def nu(published):
        grams = published @ published.mT
        return prompt_bound(ecosystem_from_grams(grams, grams[0], grams)).nu[None]

    assert_derivatives(nu, jnp.asarray(np.random.default_rng(6).normal(size=(3, 3, 2))), rtol=1e-4)


def test_conjectured_growth_of_random_ecosystems():
    """Moments of the Marchenko-Pastur law: at large |μ| its mean y is y/μ² = φ; at the ends of the range μ = 0."""
    low, high = (float(end) for end in random_threshold(0.5))
    assert (low, high) == (pytest.approx(1 / 3, abs=1e-15), 3.0)
    for inside, outside in ((low + 1e-4, low - 1e-4), (high - 1e-4, high + 1e-4)):
        assert 1 < random_growth(inside, 0.5, 1.0) < 1 + 1e-3
        assert np.isnan(random_growth(outside, 0.5, 1.0))
    crowded = float(random_growth(1.0, 1e-6, 1.0)) - 1
    # ∫ x/(x+m)² = y/m² - 2(y + y²)/m³ + …
    assert 1.0 / crowded**2 - 4.0 / crowded**3 == pytest.approx(1e-6, rel=1e-4)
    half = (float(random_growth(1.0, 0.5, 10.0, 1.0)) - 1) * 20
    assert half == pytest.approx(float(random_growth(1.0, 0.5, 1.0)) - 1, rel=1e-12)


def test_random_ecosystems_diverge_in_the_conjectured_range():
    """Of K = 20 entities in 40 dimensions with φ = 1/2; y = Kr/d = 1.5 and 6."""
    keys = jax.random.split(jax.random.key(0), 8)

    def of(key, rank):
        return spectral_radius(random_misaligned(key, 20, 40, rank, 20), Weights(0.5, 1.0))

    radii = jax.jit(jax.vmap(jax.vmap(of, (0, None)), (None, 0)))(keys, jnp.array([3, 12]))
    assert (radii[0] > 1).all()
    assert (radii[1] < 1).all()
