"""All theorems at once are the theorems one by one, and verdicts are what the numbers prove."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from crossfeed.theory import (
    PAPER,
    Network,
    Shared,
    Weights,
    Workflow,
    anchor_bound,
    ecosystem_from_grams,
    knowledge_bound,
    lemma1,
    lemma1_extended,
    prompt_bound,
    random_gaussian,
    spectral_radius,
    summarize_stability,
    symmetric_ecosystem,
    universal_bound,
    worst_case,
)

WEIGHTS = Weights(jnp.array([0.3, 0.5, 0.7]), 0.4)
NETWORK = Workflow(pool=Network(np.eye(3)))


def everyone(alpha: float, beta: float) -> Weights:
    """The same weights for all, in the shape of `WEIGHTS`, so that one program serves all tests."""
    return Weights(jnp.full(3, alpha), beta)


@pytest.mark.parametrize("workflow", [PAPER, NETWORK])
@pytest.mark.long
def test_every_number_is_that_of_its_theorem(workflow):
    ecosystem = random_gaussian(jax.random.key(3), entities=3, dimension=3, rank=2)
    summary = summarize_stability(ecosystem, WEIGHTS, workflow)
    bounds = summary.bounds()
    anchor, known = anchor_bound(ecosystem, WEIGHTS, workflow), knowledge_bound(ecosystem, WEIGHTS, workflow)
    alone = {
        "prompts": prompt_bound(ecosystem, workflow).bound,
        "public_data": anchor.bound_any_private,
        "trust": anchor.bound,
        "knowledge": known.bound,
        "knowledge_refined": known.refined,
        "knowledge_sharp": known.sharp,
        "lemma1_extended": lemma1_extended(ecosystem, WEIGHTS, workflow).bound,
        "universal": universal_bound(ecosystem) if workflow == PAPER else np.nan,
    }
    for name, value in alone.items():
        np.testing.assert_allclose(bounds[name].value, value, rtol=1e-12, err_msg=name)
    np.testing.assert_allclose(summary.spectral_radius, spectral_radius(ecosystem, WEIGHTS, workflow), rtol=1e-12)
    np.testing.assert_allclose(summary.anchor.change, anchor.change, rtol=1e-12)
    np.testing.assert_allclose(summary.knowledge.change, known.change, rtol=1e-12)


def test_verdicts_are_what_bounds_prove_and_reasons_where_there_is_none():
    common = symmetric_ecosystem(3, jnp.eye(3))
    verdicts = {name: bound.verdict for name, bound in summarize_stability(common, everyone(0.5, 0.5)).bounds().items()}
    assert verdicts["lemma1"] == verdicts["common_prompts"] == "stable"
    assert verdicts["prompts"] == "no exponential growth"
    assert verdicts["universal"] == "leaves divergence open"
    worst = summarize_stability(worst_case(3, 10.0), everyone(0.5, 1.0)).bounds()
    assert worst["knowledge"] == (pytest.approx(np.nan, nan_ok=True), False, worst["knowledge"].verdict)
    assert worst["knowledge"].verdict == "an entity publishes about directions that its real data do not cover"
    other = summarize_stability(common, everyone(0.5, 0.5), NETWORK)
    assert other.paper is None
    assert other.bounds()["lemma1"].verdict == "the theorem is about the paper's workflow"
    assert not other.bounds()["common_prompts"].applies
    unlearned = summarize_stability(common, everyone(1.0, 0.5)).bounds()["common_prompts"]
    assert unlearned.verdict == "real data do not jointly span: errors never die out"


@pytest.mark.parametrize("size", [1e-120, 1e120])
def test_sizes_of_features_decide_nothing(size):
    ecosystem = random_gaussian(jax.random.key(3), entities=3, dimension=3, rank=2)
    private, public, synthetic = (getattr(ecosystem, name).gram for name in ("private", "public", "synthetic"))
    for grams in ((private, public, synthetic), (private, public, np.stack([public] * 3))):
        expected = summarize_stability(ecosystem_from_grams(*grams), everyone(0.5, 0.5)).bounds()
        scaled = ecosystem_from_grams(*(size**2 * gram for gram in grams))
        for name, found in summarize_stability(scaled, everyone(0.5, 0.5)).bounds().items():
            assert found[1:] == expected[name][1:], name
            np.testing.assert_allclose(found.value, expected[name].value, rtol=1e-6, err_msg=name)


@pytest.mark.parametrize("size", [1e-150, 1e4, 1e100])
@pytest.mark.parametrize("prompts", ["own", "mixed", "public"])
def test_the_unit_of_one_feature_decides_nothing(prompts, size):
    ecosystem, unit = random_gaussian(jax.random.key(3), entities=3, dimension=3, rank=3), np.array([1, 1, size])
    private, public, synthetic = (
        np.asarray(getattr(ecosystem, name).gram) for name in ("private", "public", "synthetic")
    )
    synthetic = {"own": synthetic, "mixed": 0.6 * private + 0.4 * public, "public": np.stack([public] * 3)}[prompts]
    scaled = ecosystem_from_grams(*(unit[:, None] * gram * unit for gram in (private, public, synthetic)))
    expected = summarize_stability(ecosystem_from_grams(private, public, synthetic), everyone(0.5, 0.5)).bounds()
    found = summarize_stability(scaled, everyone(0.5, 0.5)).bounds()
    for name in expected:
        assert found[name].applies == expected[name].applies, name
    for name in ("lemma1", "lemma1_extended", "common_prompts"):
        np.testing.assert_allclose(found[name].value, expected[name].value, rtol=1e-6, err_msg=name)


def test_data_of_who_publishes_nothing_decide_nothing():
    ecosystem = random_gaussian(jax.random.key(3), entities=3, dimension=3, rank=3)
    private, public = np.array(ecosystem.private.gram), np.asarray(ecosystem.public.gram)
    synthetic = 0.6 * private + 0.4 * public
    synthetic[2] = 0
    expected = lemma1(ecosystem_from_grams(private, public, synthetic), everyone(0.5, 0.5))
    assert expected.applies
    for unit in (np.full(3, 1e10), np.array([1, 1, 1e50])):
        private[2] = unit[:, None] * private[2] * unit
        found = lemma1(ecosystem_from_grams(private, public, synthetic), everyone(0.5, 0.5))
        assert found.applies
        np.testing.assert_allclose(found.bound, expected.bound, rtol=1e-9)
        extended = lemma1_extended(ecosystem_from_grams(private, public, synthetic), everyone(0.5, 0.5))
        assert extended.applies


def test_a_bound_that_float64_cannot_tell_says_so():
    found = summarize_stability(symmetric_ecosystem(3, jnp.eye(3)), everyone(0.5, 0.5))
    unknown = found._replace(anchor=found.anchor._replace(bound=jnp.array(jnp.nan)))
    assert unknown.bounds()["trust"][1:] == (False, "the data are too ill-conditioned for float64")


def test_a_fraction_of_fresh_labels_may_be_traced():
    """It multiplies the feedback of one pool."""
    ecosystem = random_gaussian(jax.random.key(3), entities=3, dimension=3, rank=2)

    def of(fresh):
        summary = summarize_stability(ecosystem, WEIGHTS, Workflow(pool=Shared(fresh)))
        assert summary.paper is None
        return summary.spectral_radius, summary.prompts.bound, summary.knowledge.sharp

    fresh, paper = jnp.array([0.25, 0.5]), summarize_stability(ecosystem, WEIGHTS)
    alone = jnp.array([paper.spectral_radius, paper.prompts.bound, paper.knowledge.sharp])
    np.testing.assert_allclose(jnp.stack(jax.vmap(of)(fresh), 1), (1 - fresh)[:, None] * alone[None], rtol=1e-12)
