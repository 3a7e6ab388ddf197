"""Numbers of known regimes, to their printed digits, through the exact theory of workflows (no closed form is called here)."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest
from crossfeed.theory import Accumulate, Network, Shared, Weights, Workflow, baselines

from crossfeed import theory

trajectory = eqx.filter_jit(theory.trajectory)
ALL_KEPT = Workflow(memory=Accumulate())
ALL_ALIKE = Weights(0.5, 1.0)  # the real batch weighs as much as one generation's pool


def equal_features(entities: int, shares=None, truths=None, public_truth=None) -> theory.Ecosystem:
    """One feature, S = 1 everywhere, σ² = 1: V = 1."""
    ones = np.ones((entities, 1, 1))
    if truths is None:
        return theory.ecosystem_from_grams(ones, np.ones((1, 1)), ones, shares)
    return theory.Ecosystem(
        private=theory.Dataset(ones, truth=truths),
        public=theory.Dataset(np.ones((1, 1)), truth=public_truth),
        synthetic=theory.Dataset(ones),
        shares=shares,
    )


@pytest.mark.parametrize(
    ("entities", "printed"),
    [
        (1, (1.25, 1.361111, 1.463611, 1.549768)),
        (2, (0.75, 0.736111, 0.751806, 0.779884)),
        (4, (0.5, 0.423611, 0.395903, 0.394942)),
    ],
)
def test_accumulation_at_equal_shares(entities, printed):
    """Generations t = 2, 3, 5, 10 of a model whose first one is fitted to its real batch."""
    error = trajectory(equal_features(entities), ALL_ALIKE, 9, theory.mse, ALL_KEPT)
    np.testing.assert_allclose(error[jnp.array([1, 2, 4, 9]), 0], printed, atol=5.1e-7)


def test_accumulation_at_unequal_shares():
    shares = np.array([0.7, 0.2, 0.1])
    error = trajectory(equal_features(3, shares), ALL_ALIKE, 30, theory.mse, ALL_KEPT)
    t = np.arange(1, 32)[:, None]
    spread = (shares**2).sum()
    wanted = spread * np.cumsum(t**-2.0, 0) + (1 - 2 * shares + spread) / t**2 + 2 * (shares - spread) / t
    np.testing.assert_allclose(error, wanted, rtol=1e-12)


def test_accumulation_tends_to_its_published_limit():
    """V (p²/K + q² + ν ψ'(1 + 1/c)) with p = β, q = 1 - β, c = α/(1 - α) and ν = 1/K, like 1/t."""
    error = trajectory(equal_features(3), Weights(0.4, 0.7), 4000, theory.mse, ALL_KEPT)[:, 0]
    wanted = baselines.pool_accumulate_limit(3, 0.7, pool_weight=0.4 / 0.6, pool_noise=1 / 3)
    assert float(2 * error[4000] - error[2000]) == pytest.approx(wanted, abs=1e-6)


def test_fraction_of_own_labels_among_new_ones():
    """Amin et al., Theorem 1: α on own synthetic, 1 - α on new real labels, all remembered."""
    for alpha, printed in (
        (0.5, (0.8125, 0.675347, 0.509446, 0.326258)),
        (0.9, (1.1525, 1.188058, 1.184699, 1.121657)),
    ):
        workflow = Workflow(pool=Shared(1 - alpha), memory=Accumulate())
        error = trajectory(equal_features(1), ALL_ALIKE, 9, theory.mse, workflow)[:, 0]
        np.testing.assert_allclose(error[jnp.array([1, 2, 4, 9])], printed, atol=5.1e-7)


def author_and_model(real: float) -> theory.Ecosystem:
    """A model and a human author, who knows the truth and never learns; each publishes one unit of data."""
    grams = np.ones((2, 1, 1))
    return theory.Ecosystem(
        private=theory.Dataset(grams, noise_variance=[1.0, 1e-30]),
        public=theory.Dataset(np.zeros((1, 1))),
        synthetic=theory.Dataset(np.array([1.0, real]).reshape(2, 1, 1)),
        shares=[0.5, 0.5],
    )


@pytest.mark.parametrize(("ratio", "printed"), [(1.0, 0.618034), (0.2, 0.358258), (2.0, 0.732051)])
def test_fresh_real_data_by_an_author_who_never_learns(ratio, printed):
    """He et al.: at the best weight w* on k times as much real data, the error is w* itself, in units of the real fit's."""
    weight = (np.sqrt(ratio**2 + 4 * ratio) - ratio) / 2
    shares = np.array([(1 - weight) * ratio, weight])  # so that the author's k rows have weight w in the fit
    ecosystem = author_and_model(ratio)
    ecosystem = theory.Ecosystem(
        private=ecosystem.private, public=ecosystem.public, synthetic=ecosystem.synthetic, shares=shares / shares.sum()
    )
    error = theory.mse(theory.limit(ecosystem, Weights([1.0, 0.0], 1.0)))[0]
    assert float(ratio * error) == pytest.approx(printed, abs=5.1e-7)


def test_pure_recursion_with_one_dominant_publisher():
    error = trajectory(equal_features(2, [0.9, 0.1]), Weights(1.0, 1.0), 3, theory.mse)
    np.testing.assert_allclose(error[:, 0], [1, 1.64, 2.46, 3.28], rtol=1e-12)


def test_different_truths_of_equal_features():
    truths, alpha, beta = np.array([[1.0], [-2.0], [4.0]]), 0.3, 0.8
    ecosystem = equal_features(3, truths=truths, public_truth=np.array([1.0]))
    law = theory.limit(ecosystem, Weights(alpha, beta))
    mean = np.asarray(theory.mean_error(law)) + 1.0
    np.testing.assert_allclose(
        mean, (1 - alpha) * beta * truths + alpha * beta * truths.mean() + (1 - beta) * 1.0, rtol=1e-12
    )
    price = np.asarray(theory.mse(law) - theory.mse(theory.limit(equal_features(3), Weights(alpha, beta))))
    np.testing.assert_allclose(price, (1 - (1 - alpha) * beta) ** 2 * ((truths - 1) ** 2)[:, 0], rtol=1e-12)


def test_consensus_of_different_truths_without_private_trust():
    """α → 1: all estimates have one mean, (Σ w_j S_j S̲⁻¹ R_j)⁻¹ Σ w_j S_j S̲⁻¹ R_j θ_j."""
    rng = np.random.default_rng(0)
    gram = lambda: (lambda rows: rows.T @ rows)(rng.normal(size=(3, 2)))  # noqa: E731
    private, prompts, public = [gram(), gram()], [gram(), gram()], gram()
    truths = rng.normal(size=(3, 2))
    ecosystem = theory.Ecosystem(
        private=theory.Dataset(np.stack(private), truth=truths[:2]),
        public=theory.Dataset(public, truth=truths[2]),
        synthetic=theory.Dataset(np.stack(prompts)),
    )
    beta, mixing = 0.6, np.linalg.inv(sum(prompts) / 2)
    known = [beta * own + (1 - beta) * public for own in private]
    moments = [
        beta * own @ truth + (1 - beta) * public @ truths[2] for own, truth in zip(private, truths, strict=False)
    ]
    pulls = [s @ mixing for s in prompts]
    left = sum(pull @ gram for pull, gram in zip(pulls, known, strict=True))
    wanted = np.linalg.solve(left, sum(pull @ moment for pull, moment in zip(pulls, moments, strict=True)))
    law = theory.limit(ecosystem, Weights(1 - 1e-6, beta))
    assert law.exists
    np.testing.assert_allclose(np.asarray(theory.mean_error(law)) + truths[2], [wanted, wanted], atol=1e-4)


def test_no_efficiency_where_truths_differ():
    ecosystem = equal_features(2, truths=np.array([[1.0], [-1.0]]), public_truth=np.zeros(1))
    law = theory.limit(ecosystem, Weights(0.5, 0.5))
    with pytest.raises(theory.CrossfeedError, match="truths of the data differ"):
        theory.relative_efficiency(law)
    assert theory.RESULTS[theory.reason(law)] == theory.RESULTS[theory.RESULTS.truths_differ]


def test_networks_of_equal_features():
    """MSE_k = b̄² + b²ā²((I - aW)⁻¹(I - aW')⁻¹)_kk + Σ_{s≥1} a^{2s} (WˢW'ˢ)_kk, and differences die as (a|λ₂|)ᵗ."""
    a, b, entities = 0.7, 0.6, 4
    readers = np.random.default_rng(1).dirichlet(np.ones(entities), entities)
    found = theory.mse(theory.limit(equal_features(entities), Weights(a, b), Workflow(pool=Network(readers))))
    resolvent = np.linalg.inv(np.eye(entities) - a * readers)
    power, noise = np.eye(entities), np.zeros(entities)
    for _ in range(400):
        power = a * readers @ power
        noise += np.diag(power @ power.T)
    wanted = (1 - b) ** 2 + b**2 * (1 - a) ** 2 * np.diag(resolvent @ resolvent.T) + noise
    np.testing.assert_allclose(found, wanted, rtol=1e-12)


def test_coarse_federation_is_a_pool_of_great_volume():
    """Donahue & Kleinberg: {30, 300} at the best weight of the small player, arXiv 2010.00753, as a recursion of one generation."""
    rows, own = np.array([30.0, 300.0]), 0.845070
    volume = 1e7
    ratio = rows * (1 - own) / own  # α c/(1 - α) of each
    alpha = ratio / (ratio + volume)
    error, spread = np.zeros(2), np.zeros(2)
    for truth in np.eye(2):  # E θ² = σ_θ² = 1, independent for both
        ecosystem = theory.Ecosystem(
            private=theory.Dataset(rows.reshape(2, 1, 1), 10.0, truth[:, None]),
            public=theory.Dataset(np.zeros((1, 1)), 10.0, np.zeros(1)),
            synthetic=theory.Dataset(np.full((2, 1, 1), volume), 1e-12),
            shares=rows / rows.sum(),
        )
        paths = trajectory(ecosystem, Weights(alpha, 1.0), 1, lambda law: (theory.mean_error(law), theory.mse(law)))
        bias = (np.asarray(paths[0])[1, :, 0] - truth) ** 2
        error += bias
        spread = np.asarray(paths[1])[1] - bias
    assert float((error + spread)[0]) == pytest.approx(0.286385, abs=5e-6)
