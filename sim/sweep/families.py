"""Ecosystems of a sweep as functions of traced parameters, so that one compiled program makes those of every K."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from crossfeed.random_keys import seeded_key

from ...theory.ecosystem import Dataset, Ecosystem
from ..real_data import bundled_ecosystem
from .given_file import load_described
from .spec import Spec


def largest_ecosystem(spec: Spec) -> int:
    """Largest number of entities in a sweep, which arrays have room for."""
    return spec.options["entities"] if spec.family == "file" else max(spec.values("entities"))


def given_ecosystem(spec: Spec) -> Ecosystem:
    """Ecosystem of the families `file` and `dataset`.

    Raises:
        InvalidInput: it cannot be read, or has changed since the spec was read.
    """
    if spec.family == "file":
        return load_described(spec.options["path"], spec.options["sha256"])
    return bundled_ecosystem(spec.options["name"], spec.values("entities")[0])


def sweep_keys(seed: int) -> tuple[PRNGKeyArray, PRNGKeyArray]:
    """Keys of a sweep's random ecosystems and of its simulations."""
    key_family, key_simulation = jax.random.split(seeded_key(seed))
    return key_family, key_simulation


def make_family(spec: Spec, dimension: int) -> Callable[[dict[str, Any]], Ecosystem]:
    """Function from the parameters of one point, those of `spec.AXES` and `draw`, to its ecosystem."""
    if spec.family in ("file", "dataset"):
        given = given_ecosystem(spec)
        return lambda point: _reshaped(given, point)
    most = largest_ecosystem(spec)
    noise_variance = spec.options.get("noise_variance", 1.0)
    if spec.family == "symmetric":
        return lambda point: _symmetric(most, dimension, noise_variance, point)
    public_rows = spec.options.get("public_rows", dimension)
    return lambda point: _random(sweep_keys(spec.seed)[0], most, dimension, public_rows, noise_variance, point)


def _symmetric(most: int, dimension: int, noise_variance: float, point: dict[str, Any]) -> Ecosystem:
    present = jnp.arange(most) < point["entities"]
    data = Dataset(jnp.where(present[:, None, None], jnp.eye(dimension)[None], 0.0), noise_variance)
    public = Dataset(jnp.eye(dimension), noise_variance)
    return _reshaped(Ecosystem(private=data, public=public, synthetic=data, present=present), point)


def _random(
    key: PRNGKeyArray, most: int, dimension: int, public_rows: int, noise_variance: float, point: dict[str, Any]
) -> Ecosystem:
    """Ecosystem of Gaussian features as in Figures 2 and 4; an entity's features do not depend on K."""
    key_private, key_public, key_prompts, key_theta = jax.random.split(jax.random.fold_in(key, point["draw"]), 4)
    present = jnp.arange(most) < point["entities"]

    # Together, so that the generator is compiled once; how many are drawn does not change a key's first (`pinned_generator`).
    for_entities = jax.vmap(jax.random.fold_in, (None, 0))
    private_keys, prompt_keys = (for_entities(own, jnp.arange(most)) for own in (key_private, key_prompts))
    keys = jnp.concatenate([private_keys, prompt_keys, key_theta[None]])
    drawn = jax.vmap(lambda key: jax.random.normal(key, (dimension, dimension), dtype=float))(keys)
    seen = present[:, None, None] & (jnp.arange(dimension)[None, :, None] < point["rank"])
    rows = jnp.where(seen[None], drawn[:-1].reshape(2, most, dimension, dimension), 0)
    private, prompts = rows.mT @ rows
    theta = drawn[-1, 0]
    public = jax.random.normal(key_public, (public_rows, dimension), dtype=float)
    public = public.T @ public
    public_part = (1 - point["mixing"]) * present.astype(float)
    published = point["mixing"] * private + public_part[:, None, None] * public[None]
    published = (1 - point["misalignment"]) * published + point["misalignment"] * prompts
    ecosystem = Ecosystem(
        private=Dataset(private, noise_variance, theta),
        public=Dataset(public, noise_variance, theta),
        synthetic=Dataset(published, noise_variance),
        present=present,
    )
    return _reshaped(ecosystem, point)


def _reshaped(ecosystem: Ecosystem, point: dict[str, Any]) -> Ecosystem:
    """Ecosystem with its published data scaled by the volume, and with the share of the first entity if that is given."""
    present = ecosystem.present
    shares: Float[Array, " entity"] = ecosystem.shares
    if (first := point.get("dominant_share")) is not None:
        others = present.astype(float) * (1 - first) / (present.sum() - 1).astype(float)
        shares = jnp.where(jnp.arange(len(present)) == 0, first, others)
    grown = point["volume"] * ecosystem.synthetic.gram
    return eqx.tree_at(lambda e: (e.shares, e.synthetic.gram), ecosystem, (shares, grown))
