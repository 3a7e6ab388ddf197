"""Advice from losses of runs: on runs of the recursion itself, differences, tests and effects of α are what was put in."""

import numpy as np
import pytest
from crossfeed.decide import LossRun, LossRuns, advise_on_losses, by_kind, difference, fit_losses

from crossfeed.errors import InvalidInput

ALPHAS, BETAS = (0.0, 0.3, 0.6), (0.5, 1.0)


def drawn(seeds=3, generations=12, entities=2, alphas=ALPHAS, noise=0.02):
    """Real data draw losses to 2, synthetic data draw those on others' tasks to 1 and all others to 4; β = 1 adds 0.5."""
    rng = np.random.default_rng(0)
    alpha = np.array(alphas)[None, :, None, None, None]
    target = np.where(np.eye(entities, entities + 1) + (np.arange(entities + 1) == entities), 4.0, 1.0)
    losses = [np.full((seeds, len(alphas), len(BETAS), entities, entities + 1), 3.0)]
    for _ in range(generations):
        now = losses[-1]
        change = (1 - alpha) * 0.3 * (2 - now) + alpha * 0.3 * (target - now)
        losses.append(now + change + noise * rng.normal(size=now.shape))
    found = np.stack(losses, 3)
    found[:, :, 1] += 0.5
    return LossRuns(found, tuple(alphas), BETAS)


def test_who_gains_and_what_other_weights_do():
    runs = drawn()
    found = advise_on_losses(runs, 0.6, 0.5)
    assert found.over_alone is not None
    np.testing.assert_allclose(found.over_alone.mean, [[1.2] * 2, [-0.6] * 2, [1.2] * 2], atol=0.1)
    assert found.over_alone.told.all()
    np.testing.assert_allclose(found.elsewhere[0.0, 0.5].mean, [-1.2, 0.6, -1.2], atol=0.1)
    np.testing.assert_allclose(found.elsewhere[0.6, 1.0].mean, 0.5, atol=0.1)
    assert set(found.elsewhere) == {(a, b) for a in ALPHAS for b in BETAS} - {(0.6, 0.5)}
    last = runs.losses[:, 2, 0, -1].mean(0)
    np.testing.assert_allclose(found.since_start.mean, by_kind(last - 3), atol=1e-12)


def test_effect_of_alpha_holds_within_the_runs_only():
    found = advise_on_losses(drawn(), 0.6, 0.5)
    assert (found.alphas[0], found.alphas[-1]) == (0.0, 0.6)
    expected = np.array([-1.2, 0.6, -1.2]) * (1 - 0.7**6)  # after half as many generations as were seen
    np.testing.assert_allclose(found.changed.mean[0], expected, atol=0.1)
    assert (found.changed.low[0] < expected).all()
    assert (expected < found.changed.high[0]).all()
    np.testing.assert_allclose([found.changed.low[-1], found.changed.high[-1]], 0, atol=1e-12)
    radius, low, high = found.spectral_radius
    assert low < radius < high < 1
    assert radius == pytest.approx(0.7, abs=0.1)


def test_the_forecast_is_held_against_what_came():
    """The recursion itself is forecast well; losses that jump after the first half are not."""
    runs = drawn()
    test = advise_on_losses(runs, 0.6, 0.5).backtest
    assert test is not None
    assert test.seen == 6
    assert test.forecast[1] < 0.3 * test.persistence[1]  # others' tasks; all others stay where they are at this α
    assert test.covered.mean() > 0.7
    jumping = runs.losses.copy()
    jumping[:, :, :, 7:] += 1
    missed = advise_on_losses(LossRuns(jumping, ALPHAS, BETAS), 0.6, 0.5).backtest
    assert missed is not None
    assert (missed.forecast > 0.7).all()
    assert (missed.covered < 0.3).all()


def test_from_one_alpha_nothing_follows_for_others():
    found = advise_on_losses(drawn(alphas=(0.6,)), 0.6, 0.5)
    assert found.over_alone is None
    assert len(found.alphas) == len(found.changed.mean) == 0


def test_only_finished_runs_count():
    runs = drawn()
    losses = runs.losses.copy()
    losses[0, :, :, 5:] = np.nan
    losses[:, 0, :, 5:] = np.nan
    found = advise_on_losses(LossRuns(losses, ALPHAS, BETAS), 0.6, 0.5)
    assert len(found.used) == 2
    assert found.over_alone is None
    assert found.recursion.alphas == (0.3, 0.6)
    alike = [LossRun(alpha, runs.losses[seed, at, 0, 1:]) for seed in (1, 2) for at, alpha in ((1, 0.3), (2, 0.6))]
    np.testing.assert_allclose(found.recursion.noise, fit_losses(alike).noise)


def test_a_model_alone_has_no_tasks_of_others():
    found = advise_on_losses(drawn(entities=1), 0.3, 0.5)
    assert np.isfinite(found.since_start.mean).tolist() == [[True], [False], [True]]
    assert found.since_start.told.tolist() == [[True], [False], [True]]


def test_margins_hold_95_percent_of_differences():
    """2000 differences of three seeds, and of one whose noise is known."""
    values = np.random.default_rng(0).normal(size=(3, 2000))
    assert difference(values, np.ones(2000)).told.mean() == pytest.approx(0.05, abs=0.015)
    single = difference(np.sqrt(2) * values[:1], np.ones(2000))
    assert single.told.mean() == pytest.approx(0.05, abs=0.015)


def test_bad_input_is_refused():
    runs = drawn()
    unfinished = runs.losses.copy()
    unfinished[:, 2, :, -1] = np.nan
    for changed, alpha, sentence in (
        (runs, 0.5, r"alpha is 0\.5, but runs have 0, 0\.3, 0\.6"),
        (drawn(generations=3), 0.6, "runs have 3 generations after generation 0"),
        (LossRuns(unfinished, ALPHAS, BETAS), 0.6, r"alpha 0\.6 and beta 0\.5 is finished"),
    ):
        with pytest.raises(InvalidInput, match=sentence):
            advise_on_losses(changed, alpha, 0.5)
