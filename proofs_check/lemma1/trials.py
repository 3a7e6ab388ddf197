"""Trials of Lemma 1: ρ(Q) of random ecosystems against the explicit bound."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key, PRNGKeyArray

from ...sim import sharded_vmap
from ...theory import lemma1, lemma1_bound, spectral_radius_once
from .draws import Draw, Sizes, draw_outside, draw_within

_TILE = 256  # ecosystems at once on a device: these are small


class Trials(eqx.Module):
    """What random ecosystems say of Lemma 1, one entry an ecosystem; no axis for one alone.

    Attributes:
        spectral_radius: ρ(Q).
        bound: the lemma's 1/(1 + εδ); NaN outside the condition.
        entities: K.
        features: d.
        kind: index in `draws.OUTSIDE`; -1 within the condition.
    """

    spectral_radius: Float[Array, "*trial"]
    bound: Float[Array, "*trial"]
    entities: Int[Array, "*trial"]
    features: Int[Array, "*trial"]
    kind: Int[Array, "*trial"]


def one_trial(key: PRNGKeyArray, sizes: Sizes, within: bool) -> Trials:
    """Draw one ecosystem and hold ρ(Q) against the bound; the results have no trial axis."""
    drawn = (draw_within if within else draw_outside)(key, sizes)
    ecosystem, weights = drawn.ecosystem, drawn.weights
    if within:
        bound, kind = lemma1_bound(ecosystem, weights.alpha, weights.beta, drawn.mixing, drawn.scale), drawn.kind
    else:  # small ecosystems may be mixtures by chance
        bound, kind = jnp.array(jnp.nan), jnp.where(lemma1(ecosystem, weights).applies, -1, drawn.kind)
    return Trials(spectral_radius_once(ecosystem, weights), bound, drawn.entities, drawn.features, kind)


def run_trials(keys: Key[Array, " trial"], sizes: Sizes, within: bool) -> Trials:
    """One trial for every key, shared out over the devices; jits.

    Raises:
        InvalidInput: sizes that cannot be.
    """
    sizes.check()
    return sharded_vmap(lambda key: one_trial(key, sizes, within), keys, tile=_TILE)


def trial_keys(seed: int, first: int | Array, count: int) -> Key[Array, " trial"]:
    """Keys of `count` trials from number `first` on, which depend on the trial's number and on nothing else."""
    return jax.vmap(jax.random.fold_in, (None, 0))(jax.random.key(seed), first + jnp.arange(count))


def draw_number(seed: int, number: int | Array, sizes: Sizes, within: bool) -> Draw:
    """The ecosystem that trial `number` drew."""
    return (draw_within if within else draw_outside)(jax.random.fold_in(jax.random.key(seed), number), sizes)
