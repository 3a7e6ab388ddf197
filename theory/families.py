"""Families of ecosystems: random ones as in the paper's figures, and those whose behavior is known in closed form."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from crossfeed.errors import InvalidInput

from .ecosystem import Ecosystem, equal_shares


def random_gaussian(
    key: PRNGKeyArray,
    entities: int,
    dimension: int,
    rank: int,
    rows: int | None = None,
    public_rows: int | None = None,
    noise_variance: float | Array = 1.0,
) -> Ecosystem:
    """Gaussian features: each entity's private rows fill a random subspace, and it publishes on them (Figs. 2 and 4).

    Args:
        entities: K.
        dimension: d.
        rank: rank of every private feature matrix, in [1, d].
        rows: private samples an entity, at least `rank`; `rank` if None.
        public_rows: public samples; d if None, just enough for full rank, which is what the published Figure 2 is consistent
            with (`figures.calibration`: its fitted public Gram matrix has an eigenvalue near zero).
        noise_variance: σ².

    The true parameter has standard normal entries. Entries of the features have unit variance.

    Raises:
        InvalidInput: a size outside its range.
    """
    rows = rank if rows is None else rows
    public_rows = dimension if public_rows is None else public_rows
    sizes = {"entities": entities, "dimension": dimension, "rank": rank, "rows": rows, "public_rows": public_rows}
    for name, size in sizes.items():
        if size < 1:
            raise InvalidInput(f"{name} is {size}, but must be at least 1")
    if rank > min(dimension, rows):
        bound = f"dimension {dimension}" if rank > dimension else f"{rows} rows"
        raise InvalidInput(f"rank is {rank}, but cannot exceed the {bound}")
    key_basis, key_rows, key_public, key_theta = jax.random.split(key, 4)
    basis = jax.random.normal(key_basis, (entities, rank, dimension), dtype=float)
    mixing = jax.random.normal(key_rows, (entities, rows, rank), dtype=float) if rows > rank else jnp.eye(rank)
    # With more rows than rank, rows are Gaussian mixtures of the basis, scaled to keep unit variance.
    private = mixing @ basis / (jnp.sqrt(rank) if rows > rank else 1.0)
    public = jax.random.normal(key_public, (public_rows, dimension), dtype=float)
    private_gram = private.mT @ private
    theta = jax.random.normal(key_theta, (dimension,), dtype=float)
    return Ecosystem(private_gram, public.T @ public, private_gram, equal_shares(entities), noise_variance, theta)


def symmetric_ecosystem(entities: int, gram: Float[Array, "d d"], noise_variance: float | Array = 1.0) -> Ecosystem:
    """S_k = S~_k = S_* = S for every entity: all results are known in closed form (`theory.symmetric`)."""
    stacked = jnp.broadcast_to(gram, (entities, *gram.shape))
    return Ecosystem(stacked, gram, stacked, equal_shares(entities), noise_variance)


def worst_case(entities: int, private_strength: float | Array) -> Ecosystem:
    """The family that attains Theorem U: entity j publishes along e_j but knows u_j ∝ e_j - 1/√m.

    K = d = m entities; S_j = m e_j e_j', S~_j = L u_j u_j' with the given strength L, S_* = 0. At β = 1 its spectral
    radius is 1 + (ℓ/(1+ℓ)) (√m - 1)/2 with ℓ = āL/α.

    Raises:
        InvalidInput: fewer than two entities, for which u_j does not exist.
    """
    if entities < 2:
        raise InvalidInput(f"entities is {entities}, but the worst case needs at least 2")
    identity = jnp.eye(entities)
    direction = identity - 1 / jnp.sqrt(entities)
    direction = direction / jnp.linalg.norm(direction, axis=1, keepdims=True)
    private = private_strength * jnp.einsum("ki,kj->kij", direction, direction)
    synthetic = entities * jnp.einsum("ki,kj->kij", identity, identity)
    return Ecosystem(private, jnp.zeros((entities, entities)), synthetic, equal_shares(entities))
