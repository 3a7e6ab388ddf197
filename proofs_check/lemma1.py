"""Lemma 1 by trial: random ecosystems that satisfy its condition, and random ones that do not."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from ..sim import spread
from ..theory import Ecosystem, Weights, equal_shares, lemma1, spectral_radius

_TILE = 1024  # ecosystems at once: these are small
_SCALES = 100.0  # the largest of the scale factors drawn, and one over the smallest


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
    key_data, key_scalars = jax.random.split(key)
    private, public = _random_grams(key_data, entities, dimension)
    mixing, scale, alpha, share = jax.random.uniform(key_scalars, (4,), minval=0.01, maxval=0.99, dtype=float)
    synthetic = (mixing * private + (1 - mixing) * public) * _SCALES ** (2 * scale - 1)
    return Ecosystem(private, public, synthetic, equal_shares(entities)), Weights(alpha, share * mixing)


def misaligned_ecosystem(key: PRNGKeyArray, entities: int, dimension: int) -> tuple[Ecosystem, Weights]:
    """An ecosystem whose entities publish on inputs unrelated to what they know: outside Lemma 1."""
    key_data, key_weights = jax.random.split(key)
    grams, public = _random_grams(key_data, 2 * entities, dimension)
    private, synthetic = jnp.split(grams, 2)
    alpha, beta = jax.random.uniform(key_weights, (2,), minval=0.01, maxval=0.99, dtype=float)
    return Ecosystem(private, 1e-3 * public, synthetic, equal_shares(entities)), Weights(alpha, beta)


def run_trials(key: PRNGKeyArray, trials: int, entities: int, dimension: int, satisfying: bool) -> Trials:
    """Draw ecosystems of K = `entities` and d = `dimension` and hold ρ(Q) against the lemma."""
    make = satisfying_ecosystem if satisfying else misaligned_ecosystem

    def one(key):
        ecosystem, weights = make(key, entities, dimension)
        verdict = lemma1(ecosystem, weights)
        return Trials(spectral_radius(ecosystem, weights), verdict.bound, verdict.applies)

    return spread(one, jax.random.split(key, trials), tile=_TILE)


def _random_grams(key, entities, dimension):
    """Private Gram matrices of random ranks from one and spreads of scale, and a public one of full rank."""
    key_rows, key_shapes = jax.random.split(key)
    normals = jax.random.normal(key_rows, (entities + 1, dimension, dimension), dtype=float)
    private, public = normals[:-1], normals[-1]
    rank, size = jax.random.uniform(key_shapes, (2, entities, 1, 1), dtype=float)
    seen = jnp.arange(dimension)[:, None] < 1 + jnp.floor(rank * dimension)
    rows = jnp.where(seen, private, 0) * _SCALES ** (2 * size - 1)
    return rows.mT @ rows, public.T @ public
