"""Random trials of Lemma 1: ρ(Q) of random ecosystems against the explicit bound."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key, PRNGKeyArray

from crossfeed.random_keys import seeded_key

from ...sim import sharded_vmap
from ...theory import lemma1, lemma1_bound, spectral_radius
from .draws import Draw, Sizes, draw_outside, draw_within

_TILE = 256  # ecosystems evaluated at once on a device


class Trials(eqx.Module):
    """Spectral radii and bounds of random ecosystems, one entry per trial; without that axis for a single trial.

    Attributes:
        spectral_radius: ρ(Q).
        bound: the lemma's 1/(1 + εδ); NaN outside the condition.
        entities: K.
        features: d.
        kind: index into `draws.OUTSIDE`; -1 within the condition.
    """

    spectral_radius: Float[Array, "*trial"]
    bound: Float[Array, "*trial"]
    entities: Int[Array, "*trial"]
    features: Int[Array, "*trial"]
    kind: Int[Array, "*trial"]


def one_trial(key: PRNGKeyArray, sizes: Sizes, within: bool) -> Trials:
    """ρ(Q) and the bound for one random ecosystem; the results have no trial axis."""
    drawn = (draw_within if within else draw_outside)(key, sizes)
    ecosystem, weights = drawn.ecosystem, drawn.weights
    if within:
        bound, kind = lemma1_bound(ecosystem, weights.alpha, weights.beta, drawn.mixing, drawn.scale), drawn.kind
    else:  # a small ecosystem may satisfy the condition by chance
        bound, kind = jnp.array(jnp.nan), jnp.where(lemma1(ecosystem, weights).applies, -1, drawn.kind)
    return Trials(spectral_radius(ecosystem, weights), bound, drawn.entities, drawn.features, kind)


def run_trials(keys: Key[Array, " trial"], sizes: Sizes, within: bool) -> Trials:
    """One trial per key, distributed over the devices. Works under `jit`.

    Raises:
        InvalidInput: `sizes` has an invalid range.
    """
    sizes.check()
    return sharded_vmap(lambda key: one_trial(key, sizes, within), keys, tile=_TILE)


def trial_keys(seed: int, first: int | Array, count: int) -> Key[Array, " trial"]:
    """Keys of `count` trials starting with number `first`; each depends only on the seed and the trial's number."""
    return jax.vmap(jax.random.fold_in, (None, 0))(seeded_key(seed), first + jnp.arange(count))


def draw_number(seed: int, number: int | Array, sizes: Sizes, within: bool) -> Draw:
    """The random ecosystem of trial `number`."""
    return (draw_within if within else draw_outside)(jax.random.fold_in(seeded_key(seed), number), sizes)
