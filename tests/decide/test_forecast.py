"""Forecasts of losses: on runs of the recursion itself, coefficients, intervals and α are right."""

import numpy as np
import pytest
from crossfeed.decide import LossRun, fit_losses

from crossfeed.errors import InvalidInput

P, S = np.array([[0.9, 2.0, 1.5], [2.4, 0.6, 1.6]]), np.array([[0.3, 0.2, 0.4], [0.25, 0.35, 0.4]])
Q, N, M = (
    np.array([[own, other, public], [other, own, public]])
    for own, other, public in ((0.4, 0.3, 0.35), (0.5, 0.4, 0.6), (0.3, 0.2, 0.4))
)


def drawn(alpha, generations, seed, noise=0.02):
    rng = np.random.default_rng(seed)
    losses = [np.array([[2.5, 6.0, 4.0], [6.0, 2.0, 5.0]])]
    for _ in range(generations):
        now = losses[-1]
        real, synthetic = P - Q * now, S - N * now + M * now.mean(0)
        losses.append(now + (1 - alpha) * real + alpha * synthetic + noise * rng.normal(size=now.shape))
    return LossRun(alpha, np.array(losses))


def test_coefficients_are_recovered():
    fitted = fit_losses([drawn(alpha, 12, i, 1e-6) for i, alpha in enumerate((0.0, 0.5, 0.9))])
    rates = [[rate[0, dataset] for rate in (Q, N, M)] for dataset in range(3)]  # own, others', public
    np.testing.assert_allclose(fitted.coefficients[-9:].reshape(3, 3), rates, atol=1e-4)
    np.testing.assert_allclose(fitted.coefficients[:6].reshape(2, 3), P, atol=1e-3)
    np.testing.assert_allclose(fitted.noise, 1e-6, rtol=0.6)


def test_intervals_cover_and_forecasts_beat_naive_ones():
    """40 sets of runs: 90 % intervals hold 90 % of what came (± 4 %)."""
    held, errors = [], {"mean": [], "persistence": [], "trend": []}
    for seed in range(40):
        whole = [drawn(alpha, 14, 3 * seed + i) for i, alpha in enumerate((0.0, 0.5, 0.9))]
        seen = [LossRun(run.alpha, run.losses[:7]) for run in whole]
        fitted = fit_losses(seen)
        for run, past in zip(whole, seen, strict=True):
            found, came = fitted.forecast(past, 8), run.losses[7:]
            held.append((found.low < came) & (came < found.high))
            for name, values in errors.items():
                values.append(np.abs(getattr(found, name) - came).mean())
    assert np.mean(held) == pytest.approx(0.9, abs=0.04)
    mean, persistence, trend = (np.mean(errors[name]) for name in ("mean", "persistence", "trend"))
    assert mean < 0.5 * persistence < 0.5 * trend


def test_one_run_forecasts_itself_but_tells_nothing_of_alpha():
    run = drawn(0.5, 20, 1)
    fitted = fit_losses([LossRun(0.5, run.losses[:15])])
    assert np.abs(fitted.forecast(LossRun(0.5, run.losses[:15]), 6).mean - run.losses[15:]).max() < 0.2
    with pytest.raises(InvalidInput, match="single alpha"):
        fitted.infer_alpha(run)
    with pytest.raises(InvalidInput, match=r"all fitted runs have 0\.5, which says nothing of others"):
        fitted.forecast(drawn(0.9, 5, 2), 3)


def test_nothing_is_said_of_alpha_beyond_the_runs():
    fitted = fit_losses([drawn(alpha, 12, i) for i, alpha in enumerate((0.3, 0.6))])
    fitted.forecast(drawn(0.45, 5, 2), 3)
    for alpha in (0.29, 0.61):
        with pytest.raises(InvalidInput, match=r"fitted runs have 0\.3 to 0\.6"):
            fitted.forecast(drawn(alpha, 5, 2), 3)
        with pytest.raises(InvalidInput, match=r"fitted runs have 0\.3 to 0\.6"):
            fitted.spectral_radius(alpha)


@pytest.mark.parametrize("alpha", [0.0, 0.5, 0.9])
def test_spectral_radius_is_that_of_the_recursion(alpha):
    fitted = fit_losses([drawn(other, 30, i, 1e-4) for i, other in enumerate((0.0, 0.5, 0.9))])
    radii = []
    for d in range(3):  # by its matrix, dataset by dataset
        kept = 1 - (1 - alpha) * Q[:, d] - alpha * N[:, d]
        radii.append(np.abs(np.linalg.eigvals(np.diag(kept) + alpha * M[:, d, None] / 2)).max())
    found, low, high = fitted.spectral_radius(alpha)
    assert found == pytest.approx(max(radii), abs=2e-3)
    assert low < found < high < low + 0.01


def test_alpha_of_another_run_is_inferred():
    """400 fits of runs, each with a run of its own: their errors have the standard errors that are said."""
    scores = []
    for seed in range(400):
        fitted = fit_losses([drawn(alpha, 12, 4 * seed + i) for i, alpha in enumerate((0.0, 0.5, 0.9))])
        alpha, error = fitted.infer_alpha(drawn(0.7, 10, 4 * seed + 3))
        scores.append((alpha - 0.7) / error)
    # Losses are noisy inputs of a regression, so that estimates lean a little to one side.
    assert abs(np.mean(scores)) < 0.35
    assert np.std(scores) == pytest.approx(1, abs=0.15)


def test_bad_input_is_refused():
    good = drawn(0.5, 6, 0)
    for runs, sentence in (
        ([], "no run"),
        ([good, LossRun(0.5, good.losses[:, :1])], "runs must be alike"),
        ([LossRun(1.5, good.losses)], "alpha of a run is 1.5"),
        ([LossRun(0.5, good.losses * np.nan)], r"losses\[0, 0, 0\] is nan"),
        ([LossRun(0.5, good.losses[:2])], "too few"),
    ):
        with pytest.raises(InvalidInput, match=sentence):
            fit_losses(runs)
    with pytest.raises(InvalidInput, match="generations is 0"):
        fit_losses([good]).forecast(good, 0)
