"""Fits equal those of well-known libraries, and say why where there is none."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from crossfeed.sim.regression import (
    FITS,
    Bernoulli,
    Gaussian,
    MaximumLikelihood,
    Poisson,
    Regression,
    Robust,
    StochasticGradient,
    simulate_regression,
)
from crossfeed.theory import Accumulate, Features, Weights
from scipy.optimize import minimize
from sklearn.datasets import load_diabetes
from sklearn.linear_model import LogisticRegression, PoissonRegressor
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

KEY = jax.random.key(0)
RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(60, 3)) * [1.0, 30.0, 0.01]  # features in very different units
TRUTH = np.array([0.5, 0.02, -40.0])
WEIGHT = RNG.uniform(0, 2, 60)


def fit(fitting, labels, rows, label, weight):
    zero = jnp.zeros(rows.shape[1])
    found, outcome = fitting.fit(KEY, labels, jnp.asarray(rows), jnp.asarray(label, float), jnp.asarray(weight), zero)
    return np.asarray(found), FITS[outcome]


def test_logistic_regression_is_scikit_learns():
    label = RNG.uniform(size=60) < 1 / (1 + np.exp(-ROWS @ TRUTH))
    found, why = fit(MaximumLikelihood(), Bernoulli(), ROWS, label, WEIGHT)
    peer = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-12, max_iter=10_000, solver="newton-cholesky")
    np.testing.assert_allclose(found, peer.fit(ROWS, label, WEIGHT).coef_[0], rtol=1e-6)
    assert why == ""


def test_poisson_regression_is_scikit_learns():
    label = RNG.poisson(np.exp(ROWS @ TRUTH))
    found, why = fit(MaximumLikelihood(), Poisson(), ROWS, label, WEIGHT)
    peer = PoissonRegressor(alpha=0, fit_intercept=False, tol=1e-12, max_iter=10_000, solver="newton-cholesky")
    np.testing.assert_allclose(found, peer.fit(ROWS, label, WEIGHT).coef_, rtol=1e-6)
    assert why == ""


def test_gaussian_maximum_likelihood_is_weighted_least_squares():
    label = RNG.normal(size=60)
    root = np.sqrt(WEIGHT)
    found, _ = fit(MaximumLikelihood(), Gaussian(), ROWS, label, WEIGHT)
    wanted = np.linalg.lstsq(root[:, None] * ROWS, root * label, rcond=None)[0]
    np.testing.assert_allclose(found, wanted, rtol=1e-9)


def test_robust_regression_is_where_hubers_loss_is_smallest():
    rows = ROWS / [1.0, 30.0, 0.01]
    label = rows @ [1.0, -2.0, 0.5] + RNG.standard_t(1.5, 60)

    def loss(theta):
        size = np.abs(label - rows @ theta)
        return (WEIGHT * np.where(size <= 1.2, size**2 / 2, 1.2 * (size - 0.6))).sum()

    found, why = fit(Robust(1.2), Gaussian(), rows, label, WEIGHT)
    wanted = minimize(loss, found + 0.1, method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12, "maxiter": 5000})
    np.testing.assert_allclose(found, wanted.x, atol=1e-6)
    assert why == ""


@pytest.mark.parametrize(
    ("labels", "label", "reason"),
    [
        (Bernoulli(), ROWS[:, 0] > 0, FITS.no_finite_estimate),  # separated
        (Bernoulli(), np.ones(60), FITS.no_finite_estimate),
        (Poisson(), np.zeros(60), FITS.no_finite_estimate),
    ],
    ids=["separated", "all ones", "all zero"],
)
def test_what_has_no_finite_estimate_says_so(labels, label, reason):
    assert fit(MaximumLikelihood(), labels, np.hstack([ROWS, np.ones((60, 1))]), label, np.ones(60))[1] == FITS[reason]


def test_separation_of_a_part_says_so():
    """The first feature separates the rows that have it; the others are mixed."""
    rows = np.array([[1.0, 1.0], [1.0, 1.0], [0.0, 1.0], [0.0, 1.0], [0.0, 1.0]])
    label = np.array([1.0, 1.0, 1.0, 0.0, 0.0])
    assert fit(MaximumLikelihood(), Bernoulli(), rows, label, np.ones(5))[1] == FITS[FITS.no_finite_estimate]


@pytest.mark.parametrize("fitting", [MaximumLikelihood(), Robust(1.0)])
def test_data_that_do_not_span_say_so(fitting):
    rows = np.hstack([ROWS[:, :1], ROWS[:, :1]])
    assert fit(fitting, Gaussian(), rows, ROWS[:, 1], WEIGHT)[1] == FITS[FITS.no_data]
    assert fit(fitting, Gaussian(), ROWS, ROWS[:, 1], 0 * WEIGHT)[1] == FITS[FITS.no_data]


def test_steps_that_are_too_long_say_so():
    runaway = StochasticGradient(steps=2000, batch=4, rate=10.0)
    assert fit(runaway, Gaussian(), ROWS, ROWS[:, 1], WEIGHT)[1] == FITS[FITS.not_converged]


def test_published_numbers_of_logistic_regression_on_real_data():
    """scikit-learn's diabetes data, label `target > 100`, labels redrawn and added (logs of apd1995/model_collapse_universality).

    The loss of generation 1 is published to all digits; later ones are those of a single run, and lie within its spread.
    """
    features, target = map(np.asarray, load_diabetes(return_X_y=True))
    split = train_test_split(features, target > 100, test_size=0.3, random_state=123456)
    known, unknown, label, wanted = map(np.asarray, split)
    known, unknown = (np.hstack([x, np.ones((len(x), 1))]) for x in (known, unknown))
    data = Features(known[None], 0 * known[:1], known[None])
    regression = Regression(
        data,
        jnp.zeros(11),
        labels=Bernoulli(),
        memory=Accumulate(),
        observed=(jnp.asarray(label[None], float), jnp.zeros(1)),
    )

    def test_loss(estimates):
        return Bernoulli().loss(jnp.asarray(wanted, float), jnp.asarray(unknown) @ estimates[0]).mean()

    found = simulate_regression(regression, Weights(0.5, 1.0), 4, 60, jax.random.key(3), test_loss)
    losses, errors = np.asarray(found.measured), np.asarray(found.measured_se)
    peer = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-12, solver="newton-cholesky").fit(known, label)
    assert losses[0] == pytest.approx(log_loss(wanted, peer.predict_proba(unknown)), abs=1e-9)
    # The published loss is that of an optimizer that stopped early, at scikit-learn's default tolerance.
    rough = LogisticRegression(C=np.inf, solver="lbfgs").fit(known[:, :-1], label)
    assert log_loss(wanted, rough.predict_proba(unknown[:, :-1])) == pytest.approx(0.4284598191388307, abs=1e-9)
    published = np.array([0.439953, 0.448419])
    one_run = np.sqrt(60) * errors[[1, 4]]
    assert (np.abs(losses[[1, 4]] - published) < 3 * one_run).all()
