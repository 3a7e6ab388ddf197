"""Random ecosystems without public data: a conjecture on when many entities diverge (`docs/theory.md`, section 3).

K entities each know r random directions of d features, strongly, and publish labels for n random inputs. With y = Kr/d and
φ = n/d fixed and K large, a heuristic from free probability predicts growth; it is supported by simulation and not proved.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from crossfeed.errors import InvalidInput
from crossfeed.formulas.arrays import is_concrete
from crossfeed.formulas.bisection import bisect

from ..ecosystem import Ecosystem, ecosystem_from_grams

_NODES = 4096
_BISECTIONS = 200
_LARGEST_ROOT = 60.0  # of |μ|, as the exponent of e; far beyond all that solves the equation


def random_threshold(prompts: float | Float[Array, ""]) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Joint coverage y between which random ecosystems are conjectured to diverge: φ/(1+φ) < y < 1 + 1/φ.

    Below the lower end nobody knows some directions and ρ(Q) = 1; above the upper end ρ(Q) < 1.

    Args:
        prompts: φ = n/d > 0, inputs that each entity publishes labels for, per feature.

    Example:
        >>> from crossfeed.theory import random_threshold
        >>> print(f"{random_threshold(0.5)[0]:.4f} {random_threshold(0.5)[1]:.4f}")
        0.3333 3.0000
    """
    phi = jnp.asarray(prompts, float)
    return phi / (1 + phi), 1 + 1 / phi


def random_growth(
    coverage: float | Float[Array, ""],
    prompts: float | Float[Array, ""],
    entities: int | float | Float[Array, ""],
    strength: float | Float[Array, ""] = jnp.inf,
) -> Float[Array, ""]:
    """Conjectured ρ(Q) of a random ecosystem to leading order in 1/K, 1 + κ'|μ|/K; NaN outside the unstable range.

    κ' = ℓ/(1+ℓ), and μ < 0 solves ∫ x/(x-μ)² dMP_y(x) = φ with the Marchenko-Pastur law of ratio y and mean y.

    Args:
        coverage: y = Kr/d, directions that entities know, per feature.
        prompts: φ = n/d.
        entities: K.
        strength: ℓ, the size of private data in units of what is read.

    Example:
        >>> from crossfeed.theory import random_growth
        >>> print(f"{random_growth(2.0, 0.5, 100):.4f}")
        1.0027
    """
    y, phi, count = (jnp.asarray(value, float) for value in (coverage, prompts, entities))
    ell = jnp.asarray(strength, float)
    angle = (jnp.arange(_NODES, dtype=float) + 0.5) * jnp.pi / _NODES
    points = 1 + y + 2 * jnp.sqrt(y) * jnp.cos(angle)
    density = 2 * y * jnp.sin(angle) ** 2 / _NODES  # of x dMP_y(x), times the spacing of the nodes

    def lies_above(logarithm: Float[Array, "*shape"]) -> Bool[Array, "*shape"]:
        return (density / (points + jnp.exp(logarithm)) ** 2).sum() > phi

    largest = jnp.full_like(y, _LARGEST_ROOT)
    logarithm = bisect(-largest, largest, lies_above, _BISECTIONS)
    kappa = jnp.where(jnp.isinf(ell), 1.0, ell / (1 + jnp.where(jnp.isinf(ell), 0.0, ell)))
    low, high = random_threshold(phi)
    return jnp.where((y > low) & (y < high), 1 + kappa * jnp.exp(logarithm) / count, jnp.nan)


def random_misaligned(
    key: PRNGKeyArray, entities: int, dimension: int, rank: int | Array, rows: int, strength: float | Array = 1e6
) -> Ecosystem:
    """Random ecosystem in which what entities know has nothing to do with what they publish about, without public data.

    Args:
        key: key of the random numbers.
        entities: K, at least 1.
        dimension: d, at least 1.
        rank: r, random directions that each entity knows, from 1 to d; may be traced.
        rows: n, inputs that each entity publishes labels for, at least 1.
        strength: ℓ at α = 1/2 and β = 1, the size of private data in units of the pool.

    Returns:
        An ecosystem with equal shares; its pool is close to the identity.

    Raises:
        InvalidInput: a size lies outside its range.

    Example:
        >>> import jax
        >>> from crossfeed.theory import random_misaligned
        >>> print(random_misaligned(jax.random.key(0), 4, 3, 1, 2).private.gram.shape)
        (4, 3, 3)
    """
    for name, size in {"entities": entities, "dimension": dimension, "rank": rank, "rows": rows}.items():
        if is_concrete(size) and size < 1:
            raise InvalidInput(f"{name} is {size}, but must be at least 1")
    if is_concrete(rank) and rank > dimension:
        raise InvalidInput(f"rank is {rank}, but cannot exceed the dimension {dimension}")
    known, published = jax.random.split(key)
    basis, _ = jnp.linalg.qr(jax.random.normal(known, (entities, dimension, dimension), dtype=float))
    basis = basis * (jnp.arange(dimension) < rank).astype(float)[None, None]
    inputs = jax.random.normal(published, (entities, rows, dimension), dtype=float) / jnp.sqrt(rows)
    private = jnp.asarray(strength, float) * basis @ basis.mT
    return ecosystem_from_grams(private, jnp.zeros((dimension, dimension)), inputs.mT @ inputs)
