"""The family behind `crossfeed explore`: the ends of its sliders, and that padding and tracing change nothing."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from crossfeed.figures.explore.family import (
    FEATURES,
    MOST_ENTITIES,
    TOPICS,
    Setting,
    own_family,
    turned_ecosystem,
    worst_angle,
)
from crossfeed.figures.explore.model import GENERATIONS, check_workflow, predict, scan_weights

from crossfeed import theory

GRID = TOPICS.grid
EASY = Setting(alpha=0.4, beta=0.6, entities=3, volume=2.0, misalignment=0.3)


@pytest.fixture(scope="module")
def traced() -> list[Setting]:
    """The settings that `see` was traced with, one for each program."""
    return []


@pytest.fixture(scope="module")
def see(traced):
    @jax.jit
    def counted(setting: Setting):
        traced.append(setting)
        return predict(setting)

    return counted


def alone(setting: Setting) -> theory.Ecosystem:
    """The ecosystem in arrays of just its own size."""
    padded, count = turned_ecosystem(setting), setting.entities
    return theory.ecosystem_from_grams(
        padded.private.gram[:count],
        padded.public.gram,
        padded.synthetic.gram[:count],
        padded.shares[:count],
        1.0,
        padded.public.truth,
    )


def test_what_is_shown_is_the_theory_of_the_ecosystem_without_padding(see):
    here, ecosystem = see(EASY), alone(EASY)

    @jax.jit
    def expected(ecosystem, weights):
        law = theory.limit(ecosystem, weights)
        return {
            "spectral_radius": law.spectral_radius,
            "mse": theory.trajectory(ecosystem, weights, GENERATIONS, theory.mse),
            "limit_mse": theory.mse(law).mean(),
            "efficiency": theory.relative_efficiency(law).mean(),
            "homogenization": theory.homogenization(law),
            "transfer": theory.transfer(law),
            "minimum_variance": theory.minimum_variance(ecosystem),
        }

    count = EASY.entities
    wanted = expected(ecosystem, theory.Weights(EASY.alpha, EASY.beta)) | {"turn": 0.3 * worst_angle(count)}
    cut = {"mse": here.mse[:, :count], "transfer": here.transfer[:count][:, [*range(count), -1]]}
    for name, value in wanted.items():
        np.testing.assert_allclose(cut.get(name, getattr(here, name)), value, rtol=1e-9, atol=1e-12, err_msg=name)
    np.testing.assert_allclose(here.mean_mse, wanted["mse"].mean(1), rtol=1e-9)
    weights = theory.Weights(EASY.alpha, EASY.beta)
    known, anchor = theory.knowledge_bound(ecosystem, weights), theory.anchor_bound(ecosystem, weights)
    distance = (here.kappa, here.knowledge_change, here.public_change, here.universal_bound)
    expected_distance = (known.kappa.min(), known.change, anchor.change, theory.universal_bound(ecosystem))
    np.testing.assert_allclose(distance, expected_distance, rtol=1e-9)
    assert np.isnan(here.mse[:, count:]).all()
    assert np.isnan(here.transfer[count:]).all()


def test_without_misalignment_entities_publish_about_what_they_know_and_lemma_1_applies():
    ecosystem = alone(EASY._replace(misalignment=0.0))
    np.testing.assert_allclose(ecosystem.synthetic.gram, EASY.volume * ecosystem.private.gram, atol=1e-12)
    assert jax.jit(theory.lemma1)(ecosystem, theory.Weights(EASY.alpha, EASY.beta)).applies


@pytest.mark.parametrize("entities", [2, 5, FEATURES])
def test_full_misalignment_is_the_worst_case_of_theorem_u(entities):
    def shapes(grams):
        return grams / jnp.trace(grams, axis1=1, axis2=2)[:, None, None]

    made, worst = alone(EASY._replace(entities=entities, misalignment=1.0)), theory.worst_case(entities, 1.0)
    for name in ("private", "synthetic"):
        found = shapes(getattr(made, name).gram)
        np.testing.assert_allclose(found[:, :entities, :entities], shapes(getattr(worst, name).gram), atol=1e-12)
        assert not found[:, entities:].any()


def test_growth_rises_with_misalignment_to_the_closed_form(see):
    """β = 1 and little published: ρ → (1 - cos 2φ + √(m-1) sin 2φ)/2, φ the angle between known and published."""
    turns = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    made = [see(Setting(0.5, 1.0, FEATURES, 1e-6, turn)) for turn in turns]
    angle = np.array(turns) * float(worst_angle(FEATURES))
    closed = (1 - np.cos(2 * angle) + np.sqrt(FEATURES - 1) * np.sin(2 * angle)) / 2
    found = np.array([here.spectral_radius for here in made])
    np.testing.assert_allclose(found, closed, atol=1e-4)
    assert (np.diff(found) > 0).all()
    np.testing.assert_allclose(found[-1], made[-1].universal_bound, atol=1e-4)


def test_every_corner_of_the_sliders_has_a_number(see):
    """No corner is too ill-conditioned for float64; a lone model never diverges, and Theorem U holds."""
    for entities in (1, 2, MOST_ENTITIES):
        for alpha, beta, volume, turn in np.ndindex(3, 3, 2, 2):
            here = see(Setting(alpha / 2, beta / 2, entities, (0.01, 1e4)[volume], float(turn)))
            assert np.isfinite(here.mean_mse).all()
            assert 0 <= here.spectral_radius <= here.universal_bound + 1e-9


def test_moving_a_slider_compiles_nothing(see, traced):
    see(EASY)
    before = len(traced)
    assert before
    for entities in (1, 7, MOST_ENTITIES):
        see(EASY._replace(entities=entities, volume=0.1, misalignment=1.0))
    assert len(traced) == before


def test_the_phase_diagram_agrees_with_single_settings(see):
    setting = EASY._replace(entities=8, misalignment=0.8)
    plane = jax.jit(scan_weights)(setting)
    for row, column in ((3, 5), (20, 10), (36, 30)):
        here = see(setting._replace(alpha=column / (GRID - 1), beta=row / (GRID - 1)))
        np.testing.assert_allclose(plane.spectral_radius[row, column], here.spectral_radius, rtol=1e-9)
        np.testing.assert_allclose(plane.efficiency[row, column], here.efficiency, rtol=1e-9)
    diverges = np.asarray(plane.spectral_radius) >= 1 - 1e-10
    np.testing.assert_array_equal(np.isnan(plane.efficiency), diverges)
    assert 0.1 < diverges.mean() < 0.9


@pytest.mark.long
def test_another_workflow_is_shown_without_the_bound_of_the_papers():
    workflow = theory.Workflow(theory.Ridge(0.3), theory.Shared(0.1), theory.Forget(0.5))
    here = jax.jit(lambda setting: predict(setting, workflow))(EASY)
    law = theory.limit(alone(EASY), theory.Weights(EASY.alpha, EASY.beta), workflow)
    assert float(here.limit_mse) == pytest.approx(float(theory.mse(law).mean()), rel=1e-9)
    assert np.isnan(here.universal_bound)


@pytest.mark.parametrize(
    ("workflow", "message"),
    [
        (theory.Workflow(pool=theory.Network([[1.0]])), "network"),
        (theory.Workflow(memory=theory.Accumulate()), "no limit to show"),
        (theory.Workflow(theory.GradientSteps(1, 0.1)), "gradient-steps"),
    ],
)
def test_workflows_that_no_slider_fits_are_refused(workflow, message):
    with pytest.raises(theory.InvalidInput, match=message):
        check_workflow(workflow)


@pytest.mark.long
def test_an_own_ecosystem_is_shown_as_it_is_with_a_volume():
    ecosystem = alone(EASY)
    family = own_family(ecosystem, "mine.npz")
    setting = family.start._replace(alpha=EASY.alpha, beta=EASY.beta)
    here, topics = predict(setting, family=family), predict(EASY)
    for name in ("spectral_radius", "limit_mse", "efficiency", "kappa", "public_change"):
        assert float(getattr(here, name)) == pytest.approx(float(getattr(topics, name)), rel=1e-9), name
    assert np.isnan(here.turn)
    more = family.ecosystem(setting._replace(volume=3.0))
    np.testing.assert_allclose(more.synthetic.gram, 3 * ecosystem.synthetic.gram)
    np.testing.assert_array_equal(more.private.gram, ecosystem.private.gram)


def test_the_phase_diagram_of_a_large_ecosystem_has_fewer_points():
    small, large = (own_family(theory.symmetric_ecosystem(2, jnp.eye(size)), "") for size in (2, 200))
    assert (small.grid, large.grid) == (GRID, 11)


@pytest.mark.long
def test_a_network_of_its_own_entities_is_shown():
    family = own_family(alone(EASY), "mine.npz")
    workflow = theory.Workflow(pool=theory.Network(np.eye(3)))
    check_workflow(workflow, family)
    found = predict(family.start, workflow, family).spectral_radius
    expected = theory.spectral_radius(alone(EASY), theory.Weights(0.5, 0.5), workflow)
    assert float(found) == pytest.approx(float(expected), rel=1e-9)
