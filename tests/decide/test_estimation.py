"""Estimation: the likelihood is that of the joint law, intervals cover, and what cannot be told is not told."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from crossfeed.decide import Unknowns, draw_prior, estimate, posterior
from crossfeed.decide.likelihood import log_likelihood
from crossfeed.theory import PAPER, Forget, Weights, Workflow, ecosystem_from_grams, joint_law, random_gaussian
from scipy.stats import multivariate_normal

from crossfeed.errors import InvalidInput

ECOSYSTEM = random_gaussian(jax.random.key(0), entities=2, dimension=2, rank=2)
WEIGHTS = Weights(jnp.array([0.3, 0.6]), jnp.array([0.5, 0.8]))


def drawn(ecosystem, weights, generations, probe_noise, key, workflow=PAPER):
    """Estimates at generations 0..T from the dense joint law, another route than the filter's, and their covariance."""
    law = joint_law(ecosystem, weights, generations, workflow).covariance
    size = (generations + 1) * ecosystem.entities * ecosystem.dimension
    covariance = law.transpose(0, 2, 4, 1, 3, 5).reshape(size, size) + probe_noise * jnp.eye(size)
    values = jnp.linalg.cholesky(covariance) @ jax.random.normal(key, (size,), float)
    shape = (generations + 1, ecosystem.entities, ecosystem.dimension)
    return values.reshape(shape) + ecosystem.public.truth, covariance


@pytest.mark.parametrize(
    "workflow",
    [
        pytest.param(PAPER, id="paper"),
        pytest.param(Workflow(memory=Forget(0.4)), id="forget", marks=pytest.mark.long),
    ],
)
def test_likelihood_is_that_of_the_joint_law(workflow):
    with jax.numpy_rank_promotion("allow"):
        seen, covariance = drawn(ECOSYSTEM, WEIGHTS, 3, 0.01, jax.random.key(1), workflow)
    found = log_likelihood(ECOSYSTEM, WEIGHTS, workflow, seen, 0.01)
    truth = np.tile(np.eye(2), (8, 1))
    total = np.asarray(covariance) + (100 * float(jnp.sqrt((seen**2).mean()))) ** 2 * truth @ truth.T
    dense: Any = multivariate_normal(np.zeros(16), total)  # pyright: ignore[reportArgumentType]
    assert float(found) == pytest.approx(dense.logpdf(np.asarray(seen).ravel()))


@pytest.mark.long
def test_without_public_data_only_a_ratio_is_told():
    grams = ECOSYSTEM.private.gram
    alone = ecosystem_from_grams(grams, jnp.zeros((2, 2)), grams, theta=jnp.zeros(2))
    with jax.numpy_rank_promotion("allow"):
        seen, _ = drawn(alone, WEIGHTS, 8, 0.01, jax.random.key(2))
    found = {q.name: q for q in estimate(alone, seen, 0.01).quantities}
    told = {name for name, q in found.items() if q.identified}
    assert not told & {"alpha[0]", "alpha[1]", "beta[0]", "beta[1]"}
    assert {"real_over_synthetic[0]", "real_over_synthetic[1]", "noise"} <= told
    assert found["beta[0]"].high - found["beta[0]"].low > 0.4  # a ridge, not a number


@pytest.mark.long
def test_intervals_cover_over_200_ecosystems():
    """Truths from the prior: 90 % intervals hold about 90 % of them (89 % measured; ± 2 % for each), and mean ranks are ½."""
    generations, probe_noise = 8, 0.01

    def one(key):
        keys = jax.random.split(key, 4)
        ecosystem = random_gaussian(keys[0], entities=2, dimension=2, rank=2)
        free = draw_prior(keys[1], 2)
        truth = Unknowns.from_free(free, 2)
        with jax.numpy_rank_promotion("allow"):
            weights = Weights(truth.alpha, truth.beta)
            seen, _ = drawn(truth.ecosystem(ecosystem), weights, generations, probe_noise, keys[2])
        found = posterior(ecosystem, seen, probe_noise, PAPER, keys[3])
        ranks = jnp.where(found.samples < free[None], found.weights[:, None], 0).sum(0)
        return ranks

    ranks = jax.jit(lambda keys: jax.lax.map(one, keys, batch_size=25))(jax.random.split(jax.random.key(7), 200))
    covered = ((ranks > 0.05) & (ranks < 0.95)).mean(0)
    np.testing.assert_allclose(covered, 0.9, atol=0.075)
    assert float(covered.mean()) == pytest.approx(0.9, abs=0.03)
    np.testing.assert_allclose(ranks.mean(0), 0.5, atol=0.075)


def test_bad_input_is_refused():
    seen = jnp.ones((3, 2, 2)).at[0].set(0.5)
    for wrong, sentence in (
        (seen[:, :1], "estimates must have shape"),
        (seen.at[1, 0, 1].set(jnp.nan), r"estimates\[1, 0, 1\] is nan"),
        (jnp.ones((3, 2, 2)), "all the same"),
    ):
        with pytest.raises(InvalidInput, match=sentence):
            estimate(ECOSYSTEM, wrong)
    with pytest.raises(InvalidInput, match="probe_noise is -1"):
        estimate(ECOSYSTEM, seen, -1.0)
