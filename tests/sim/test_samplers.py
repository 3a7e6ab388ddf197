"""The two samplers draw one law; any rows will do; transformations change nothing."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from crossfeed.sim import family_wise_test, make_moment_sampler, make_row_sampler, predict_estimates, simulate, z_scores
from crossfeed.theory import (
    Ecosystem,
    Features,
    Weights,
    ecosystem_from_features,
    ecosystem_from_grams,
    mse,
    random_gaussian,
    stack_features,
    symmetric_ecosystem,
    trajectory,
)

from crossfeed.errors import InvalidInput

FALSE_ALARM = 1e-3  # of this file, shared by its two tests that compare random numbers, three decisions in all
SHARE = FALSE_ALARM / 3
KEY = jax.random.key(11)  # any; fixed so that a pass stays a pass
GENERATIONS, REPLICATES = 4, 30_000
WEIGHTS = Weights(jnp.array([0.4, 0.8]), 0.5)
MODES = {"moments": make_moment_sampler, "rows": make_row_sampler}

run = eqx.filter_jit(simulate)


def ragged_features() -> Features:
    """Numbers of rows below, at and above d = 3, different for every dataset."""
    rng = np.random.default_rng(5)
    rows = lambda n: rng.standard_normal((n, 3))  # noqa: E731
    return stack_features([rows(2), rows(7)], rows(11), [rows(5), rows(3)])


def ragged_ecosystem() -> Ecosystem:
    return ecosystem_from_features(
        ragged_features(), shares=jnp.array([0.3, 0.7]), noise_variance=2.0, theta=jnp.ones(3)
    )


def biased_ecosystem(theta) -> Ecosystem:
    """Entity 0 sees one direction only until others publish; entity 1 sees all."""
    line, full = jnp.diag(jnp.array([1.0, 0.0])), jnp.eye(2)
    return ecosystem_from_grams(
        jnp.stack([line, full]), jnp.zeros((2, 2)), jnp.stack([line, line]), jnp.full(2, 0.5), theta=theta
    )


def test_both_samplers_draw_one_law_without_asking_the_theory():
    ecosystem = ragged_ecosystem()
    moments = run(make_moment_sampler(ecosystem), WEIGHTS, GENERATIONS, REPLICATES, jax.random.key(1), joint=True)
    rows = make_row_sampler(ecosystem, ragged_features())
    rows = run(rows, WEIGHTS, GENERATIONS, REPLICATES, jax.random.key(2), joint=True)

    assert moments.joint_covariance is not None
    assert rows.joint_covariance is not None
    variances = jnp.einsum("tkkaa->tka", (moments.joint_covariance + rows.joint_covariance) / 2)
    covariance = (moments.joint_covariance + rows.joint_covariance) / 2
    product = variances[:, :, None, :, None] * variances[:, None, :, None, :]
    mean_z = (moments.mean - rows.mean) / jnp.sqrt(2 * variances / REPLICATES)
    gap = moments.joint_covariance - rows.joint_covariance
    covariance_z = gap / jnp.sqrt(2 * (product + covariance**2) / (REPLICATES - 1))

    decision = family_wise_test([np.asarray(mean_z), np.asarray(covariance_z)], SHARE)
    assert decision.agrees, f"|z| = {decision.largest:.2f} > {decision.threshold:.2f}"


@pytest.mark.parametrize("mode", MODES)
def test_more_rows_than_features_and_ragged_rows_follow_the_theory(mode):
    ecosystem = ragged_ecosystem()
    sampler = make_moment_sampler(ecosystem) if mode == "moments" else make_row_sampler(ecosystem, ragged_features())
    simulation = run(sampler, WEIGHTS, GENERATIONS, REPLICATES, jax.random.key(3), joint=True)
    prediction = eqx.filter_jit(predict_estimates)(ecosystem, WEIGHTS, GENERATIONS)
    decision = family_wise_test([z_scores(prediction, simulation)], SHARE)
    assert decision.agrees, f"|z| = {decision.largest:.2f} > {decision.threshold:.2f}"


@pytest.mark.parametrize("name", ["private", "public", "synthetic"])
def test_rows_of_another_ecosystem_are_refused(name):
    other = eqx.tree_at(lambda e: getattr(e, name).gram, ragged_ecosystem(), replace_fn=lambda gram: 2 * gram)
    with pytest.raises(InvalidInput, match=f"{name}: the rows' Gram matrices differ"):
        make_row_sampler(other, ragged_features())


def test_padded_rows_change_nothing():
    features, ecosystem = ragged_features(), ragged_ecosystem()
    padded = Features(
        np.pad(features.private, ((0, 0), (0, 4), (0, 0))),
        np.pad(features.public, ((0, 2), (0, 0))),
        np.pad(features.synthetic, ((0, 0), (0, 3), (0, 0))),
    )
    plain = make_row_sampler(ecosystem, features).schedule(WEIGHTS, 1).later
    more = make_row_sampler(ecosystem, padded).schedule(WEIGHTS, 1).later
    for name in ("private", "public", "synthetic"):
        before, after = getattr(plain, name), getattr(more, name)
        rows = before.shape[-1]
        np.testing.assert_allclose(after[..., :rows], before, rtol=1e-12, atol=1e-14, err_msg=name)
        assert not after[..., rows:].any(), name
    # Zero rows carry no weight within one stack of ragged data either.
    assert not plain.private[0, :, 2:].any()
    assert not plain.synthetic[:, :, 1, 3:].any()


@pytest.mark.parametrize("mode", MODES)
def test_units_of_features_do_not_matter(mode):
    ecosystem = symmetric_ecosystem(2, jnp.diag(jnp.array([1e14, 1.0])))
    found = run(MODES[mode](ecosystem), Weights(0.5, 0.5), 3, 4000, KEY)
    wanted = trajectory(ecosystem, Weights(0.5, 0.5), 3, mse)
    assert (np.abs(found.mse - wanted) < 5 * found.mse_se).all()


@pytest.mark.parametrize("replicates", [1, 0, -3])
def test_too_few_replicates_are_refused(replicates):
    with pytest.raises(InvalidInput, match=f"replicates is {replicates}, .* at least 2"):
        simulate(make_moment_sampler(ragged_ecosystem()), WEIGHTS, GENERATIONS, replicates, KEY)


def test_two_replicates_are_enough():
    simulation = run(make_moment_sampler(ragged_ecosystem()), WEIGHTS, GENERATIONS, 2, KEY)
    assert jnp.isfinite(simulation.mse_se).all()


@pytest.mark.parametrize("mode", MODES)
def test_generation_zero_alone(mode):
    simulation = run(MODES[mode](ragged_ecosystem()), WEIGHTS, 0, 10, KEY)
    longer = run(MODES[mode](ragged_ecosystem()), WEIGHTS, 2, 10, KEY)
    assert simulation.mse.shape == (1, 2)
    np.testing.assert_allclose(simulation.mse[0], longer.mse[0], rtol=1e-12)


@pytest.mark.parametrize("mode", MODES)
def test_same_key_same_numbers_other_key_other_numbers(mode):
    sampler = MODES[mode](ragged_ecosystem())
    first, again, other = (run(sampler, WEIGHTS, GENERATIONS, 100, key) for key in (KEY, KEY, jax.random.key(12)))
    assert eqx.tree_equal(first, again)
    assert (first.mse != other.mse).all()


@pytest.mark.parametrize("mode", MODES)
def test_jit_is_no_jit(mode):
    sampler = MODES[mode](ragged_ecosystem())
    plain = simulate(sampler, WEIGHTS, GENERATIONS, 100, KEY, joint=True)
    assert_close(run(sampler, WEIGHTS, GENERATIONS, 100, KEY, joint=True), plain)


@pytest.mark.parametrize("mode", MODES)
def test_vmap_over_weights_is_a_loop(mode):
    sampler = MODES[mode](ragged_ecosystem())
    alphas, betas = jnp.array([0.0, 0.3, 1.0]), jnp.array([0.5, 0.9, 0.2])
    draw = lambda alpha, beta: simulate(sampler, Weights(alpha, beta), GENERATIONS, 50, KEY)  # noqa: E731
    together = eqx.filter_jit(jax.vmap(draw))(alphas, betas)
    one = eqx.filter_jit(draw)
    for index, (alpha, beta) in enumerate(zip(alphas, betas, strict=True)):
        assert_close(jax.tree.map(lambda leaf, at=index: leaf[at], together), one(alpha, beta))


def assert_close(left, right):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12), left, right)


@pytest.mark.parametrize("mode", MODES)
def test_errors_that_depend_on_an_unknown_theta_are_nan(mode):
    weights = Weights(0.5, 1.0)
    unknown = run(MODES[mode](biased_ecosystem(None)), weights, 2, 50, KEY)
    known = run(MODES[mode](biased_ecosystem(jnp.array([1.0, 2.0]))), weights, 2, 50, KEY)
    for name in ("mse", "mse_se", "mspe", "mspe_se"):
        value = getattr(unknown, name)
        assert jnp.isnan(value[:, 0]).all(), name
        assert jnp.isfinite(value[:, 1]).all(), name
        assert jnp.isfinite(getattr(known, name)).all(), name
    # The unbiased entity's error does not depend on θ: the very same draws give the very same error at generation 0.
    np.testing.assert_allclose(unknown.mse[0, 1], known.mse[0, 1], rtol=1e-9)


def test_an_unbiased_ecosystem_needs_no_theta():
    known = random_gaussian(jax.random.key(0), 2, 3, 2)
    unknown = ecosystem_from_grams(known.private.gram, known.public.gram, known.synthetic.gram)
    with_theta, without = (run(make_moment_sampler(e), WEIGHTS, 3, 50, KEY) for e in (known, unknown))
    np.testing.assert_allclose(without.mse, with_theta.mse, rtol=1e-9)
    np.testing.assert_allclose(without.mspe, with_theta.mspe, rtol=1e-9)
