"""Private data that attain the exact worst case for given prompts (`docs/theory.md`, section 3)."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from crossfeed.formulas.stability.norms import largest_sum_of_norms
from crossfeed.formulas.stability.whitening import whiten, whitening_root

from ..ecosystem import Dataset, Ecosystem

_SAME = 1e-9  # length of u_j before normalization at which x counts as the direction that entity j publishes along


def worst_private_data(ecosystem: Ecosystem, strength: float | Float[Array, ""]) -> Ecosystem:
    """Ecosystem with the same prompts whose private data approach the bound of Theorem U* as they grow.

    Every entity knows one direction, u_j ∝ A_j x/|A_j x| - x in coordinates in which S̲ is the identity, with x the maximizer of
    ν; there are no public data. At β = 1, ρ(Q) is at least 1 + (ℓ/(1+ℓ)) (ν - 1)/2 with ℓ = āL/α.

    Args:
        ecosystem: the ecosystem, whose prompts and shares are kept.
        strength: L > 0, the size of the private data.

    Returns:
        The ecosystem with other private data and without public ones; the truths are dropped.

    Example:
        >>> from crossfeed.theory import Weights, spectral_radius, worst_case, worst_private_data
        >>> ecosystem = worst_private_data(worst_case(4, 1.0), 1e6)
        >>> print(f"{spectral_radius(ecosystem, Weights(0.5, 1.0)):.4f}")
        1.5000
    """
    parts = ecosystem.shares[:, None, None] * ecosystem.synthetic.gram
    pool = parts.sum(0)
    root = whitening_root(pool)
    published = whiten(root, parts)
    x = largest_sum_of_norms(published).direction
    image = published @ x
    length = jnp.sqrt((image**2).sum(1, keepdims=True))
    known = image / jnp.where(length > 0, length, 1) - jnp.where(length > 0, x[None], 0)
    size = jnp.sqrt((known**2).sum(1, keepdims=True))
    known = known / jnp.where(size > _SAME, size, jnp.inf)  # who publishes along x itself need know nothing
    # A matrix that is M in the coordinates of B has the Gram matrix S̲B M B'S̲.
    directions = known @ (pool @ root).T
    private = jnp.asarray(strength, float) * jnp.einsum("ki,kj->kij", directions, directions)
    return Ecosystem(
        private=Dataset(private, ecosystem.private.noise_variance),
        public=Dataset(jnp.zeros_like(pool), ecosystem.public.noise_variance),
        synthetic=ecosystem.synthetic,
        shares=ecosystem.shares,
        present=ecosystem.present,
    )
