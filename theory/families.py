"""Families of ecosystems: random ones as in the paper's figures, and two whose behavior is known in closed form."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from crossfeed.errors import InvalidInput

from .eager import as_one_program
from .ecosystem import Ecosystem, ecosystem_from_grams


def random_gaussian(
    key: PRNGKeyArray,
    entities: int,
    dimension: int,
    rank: int,
    rows: int | None = None,
    public_rows: int | None = None,
    noise_variance: float | Array = 1.0,
) -> Ecosystem:
    """Random ecosystem with Gaussian features and labels published for the private inputs (Figures 2 and 4).

    The private data of every entity span a random subspace of its own. Entries of all features have variance 1, and
    those of the true parameter are standard normal.

    Args:
        key: key of the random numbers.
        entities: K, at least 1.
        dimension: d, at least 1.
        rank: rank of every private feature matrix, from 1 to d.
        rows: number of private samples per entity, at least `rank`; `rank` if None.
        public_rows: number of public samples, at least 1; d if None, which just suffices for full rank. That agrees
            with the published Figure 2, where the fitted public Gram matrix has an eigenvalue near zero
            (`figures.calibration`).
        noise_variance: σ², the variance of the noise of one label.

    Returns:
        An ecosystem with equal shares and a known θ.

    Raises:
        InvalidInput: a size lies outside its range.

    Example:
        >>> import jax
        >>> from crossfeed.theory import random_gaussian
        >>> ecosystem = random_gaussian(jax.random.key(0), entities=2, dimension=3, rank=1)
        >>> print(ecosystem.private.gram.shape, ecosystem.public.truth.shape)
        (2, 3, 3) (3,)
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
    private, public, theta = _random_grams(key, entities, dimension, rank, rows, public_rows)
    return ecosystem_from_grams(private, public, private, noise_variance=noise_variance, theta=theta)


@as_one_program()
def _random_grams(
    key: PRNGKeyArray, entities: int, dimension: int, rank: int, rows: int, public_rows: int
) -> tuple[Float[Array, "entity d d"], Float[Array, "d d"], Float[Array, " d"]]:
    key_basis, key_rows, key_public, key_theta = jax.random.split(key, 4)
    basis = jax.random.normal(key_basis, (entities, rank, dimension), dtype=float)
    mixing = jax.random.normal(key_rows, (entities, rows, rank), dtype=float) if rows > rank else jnp.eye(rank)
    # With more rows than the rank, rows are Gaussian combinations of the basis, scaled so that entries keep variance 1.
    private = mixing @ basis / (jnp.sqrt(rank) if rows > rank else 1.0)
    public = jax.random.normal(key_public, (public_rows, dimension), dtype=float)
    theta = jax.random.normal(key_theta, (dimension,), dtype=float)
    return private.mT @ private, public.T @ public, theta


def symmetric_ecosystem(entities: int, gram: Float[Array, "d d"], noise_variance: float | Array = 1.0) -> Ecosystem:
    """Ecosystem in which all data have the same Gram matrix, S_k = S~_k = S_* = S.

    All results have closed forms, which are in `theory.symmetric` (`docs/theory.md`, section 5).

    Args:
        entities: K, at least 1.
        gram: S, symmetric and positive semi-definite.
        noise_variance: σ², the variance of the noise of one label.

    Returns:
        An ecosystem with equal shares and without θ.

    Raises:
        InvalidInput: `Ecosystem` refuses a value.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.theory import relative_efficiency, limit, symmetric_ecosystem, Weights
        >>> law = limit(symmetric_ecosystem(2, jnp.eye(3)), Weights(0.5, 1.0))
        >>> print(f"{relative_efficiency(law)[0]:.4f}")
        0.4211
    """
    stacked = jnp.broadcast_to(gram, (entities, *gram.shape))
    return ecosystem_from_grams(stacked, gram, stacked, noise_variance=noise_variance)


def worst_case(entities: int, private_strength: float | Array) -> Ecosystem:
    """Ecosystem that approaches the bound of Theorem U as its private data grow (`docs/theory.md`, section 3).

    Entity j publishes labels along one axis, S_j = m e_j e_j', but its private data lie in another direction,
    S~_j = L u_j u_j' with u_j ∝ e_j - 1/√m. There are m = K = d of each and no public data, S_* = 0. At β = 1 the
    spectral radius is 1 + (ℓ/(1+ℓ)) (√m - 1)/2 with ℓ = āL/α, so the ecosystem diverges although every entity keeps its
    private data.

    Args:
        entities: m, the number of entities and of features, at least 2.
        private_strength: L > 0, the size of the private data.

    Returns:
        An ecosystem with equal shares and σ² = 1.

    Raises:
        InvalidInput: there are fewer than two entities, for which u_j does not exist; or `Ecosystem` refuses a value.

    Example:
        >>> from crossfeed.theory import Weights, spectral_radius, worst_case
        >>> print(f"{spectral_radius(worst_case(4, 1.0), Weights(0.5, 1.0)):.4f}")
        1.2500
    """
    if entities < 2:
        raise InvalidInput(f"entities is {entities}, but the worst case needs at least 2")
    identity = jnp.eye(entities)
    direction = identity - 1 / jnp.sqrt(entities)
    direction = direction / jnp.linalg.norm(direction, axis=1, keepdims=True)
    private = private_strength * jnp.einsum("ki,kj->kij", direction, direction)
    synthetic = entities * jnp.einsum("ki,kj->kij", identity, identity)
    return ecosystem_from_grams(private, jnp.zeros((entities, entities)), synthetic)
