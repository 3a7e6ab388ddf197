"""Lemma 1 by trial: random ecosystems that satisfy its condition, and random ones that do not."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from ..theory import Ecosystem, Weights, equal_shares, lemma1, spectral_radius


class Trials(eqx.Module):
    """What random ecosystems say of Lemma 1, one entry an ecosystem.

    Attributes:
        spectral_radius: ρ(Q).
        bound: the lemma's 1/(1 + εδ); NaN where its condition does not hold.
        applies: whether the condition holds.
    """

    spectral_radius: Float[Array, " trial"]
    bound: Float[Array, " trial"]
    applies: Bool[Array, " trial"]


def satisfying_ecosystem(key: PRNGKeyArray, entities: int, dimension: int) -> tuple[Ecosystem, Weights]:
    """An ecosystem and weights within Lemma 1: S = (λS~ + (1-λ)(I⊗S_*))/γ, β ≤ λ, α < 1, ranks from one."""
    key_data, key_mixing, key_scale, key_weights = jax.random.split(key, 4)
    private, public = _random_grams(key_data, entities, dimension)
    mixing = jax.random.uniform(key_mixing, minval=0.01, dtype=float)
    scale = jnp.exp(2 * jax.random.normal(key_scale, dtype=float))
    synthetic = (mixing * private + (1 - mixing) * public) / scale
    alpha, share = jax.random.uniform(key_weights, (2,), minval=0.01, maxval=0.99, dtype=float)
    return Ecosystem(private, public, synthetic, equal_shares(entities)), Weights(alpha, share * mixing)


def misaligned_ecosystem(key: PRNGKeyArray, entities: int, dimension: int) -> tuple[Ecosystem, Weights]:
    """An ecosystem whose entities publish on inputs unrelated to what they know: outside Lemma 1."""
    key_data, key_published, key_weights = jax.random.split(key, 3)
    private, public = _random_grams(key_data, entities, dimension)
    synthetic, _ = _random_grams(key_published, entities, dimension)
    alpha, beta = jax.random.uniform(key_weights, (2,), minval=0.01, maxval=0.99, dtype=float)
    return Ecosystem(private, 1e-3 * public, synthetic, equal_shares(entities)), Weights(alpha, beta)


def run_trials(key: PRNGKeyArray, trials: int, entities: int, dimension: int, satisfying: bool) -> Trials:
    """Draw ecosystems of K = `entities` and d = `dimension` and hold ρ(Q) against the lemma."""
    make = satisfying_ecosystem if satisfying else misaligned_ecosystem

    def one(key):
        ecosystem, weights = make(key, entities, dimension)
        verdict = lemma1(ecosystem, weights)
        return Trials(spectral_radius(ecosystem, weights), verdict.bound, verdict.applies)

    return jax.vmap(one)(jax.random.split(key, trials))


def _random_grams(key, entities, dimension):
    """Private Gram matrices of random ranks from one and spreads of scale, and a public one of full rank."""
    key_rows, key_rank, key_size, key_public = jax.random.split(key, 4)
    rows = jax.random.normal(key_rows, (entities, dimension, dimension), dtype=float)
    rank = jax.random.randint(key_rank, (entities, 1, 1), 1, dimension + 1)
    size = jnp.exp(jax.random.normal(key_size, (entities, 1, 1), dtype=float))
    rows = size * jnp.where(jnp.arange(dimension)[:, None] < rank, rows, 0)
    public = jax.random.normal(key_public, (dimension, dimension), dtype=float)
    return rows.mT @ rows, public.T @ public
