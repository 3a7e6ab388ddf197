"""Use of data: how much of each dataset, private or public, is in each entity's estimate."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from crossfeed.formulas.biases import mean_map
from crossfeed.formulas.law import Law

from .eager import as_one_program


@as_one_program()
def row_block_spread(law: Law) -> Float[Array, ""]:
    """Relative spread of the entities' use of data, Σ_k ‖M_k - M̄‖² / Σ_k ‖M_k‖² with M_k the row blocks of M_t.

    M_t is the map of `mean_map` (Theorem 1), and M̄ the average of its row blocks.

    Args:
        law: joint law of the estimates.

    Returns:
        A number from 0 to 1 without unit: 0 if all entities use all data in the same way. NaN where there is no limit.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.theory import Weights, limit, row_block_spread, symmetric_ecosystem
        >>> ecosystem = symmetric_ecosystem(2, jnp.eye(3))
        >>> print(f"{row_block_spread(limit(ecosystem, Weights(0.5, 0.0))):.4f}")  # no private data
        0.0000
        >>> print(f"{row_block_spread(limit(ecosystem, Weights(0.0, 1.0))):.4f}")  # private data only
        0.5000
    """
    present = law.ecosystem.present[:, None, None, None]
    blocks = jnp.where(present, mean_map(law), 0)
    average = blocks.sum(0, keepdims=True) / law.ecosystem.present.sum().astype(float)
    return jnp.where(present, (blocks - average) ** 2, 0).sum() / (blocks**2).sum()


@as_one_program()
def transfer(law: Law) -> Float[Array, "entity dataset"]:
    """Weight tr(M_kj)/d that the estimate of each entity puts on each dataset (M_t of Theorem 1).

    The traces of the blocks of `mean_map`, without computing its K (K+1) d² numbers.

    Args:
        law: joint law of the estimates.

    Returns:
        Array of shape (K, K+1) without unit: entry (k, j) is the weight of entity j's private data in entity k's
        estimate, and the last column that of the public data. Rows of unbiased estimates sum to one. NaN where there is
        no limit.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.theory import Weights, limit, symmetric_ecosystem, transfer
        >>> weights = transfer(limit(symmetric_ecosystem(2, jnp.eye(3)), Weights(0.5, 0.5)))
        >>> print(" ".join(f"{weight:.4f}" for weight in weights[0]))  # own private, other's private, public data
        0.3750 0.1250 0.5000
    """
    ecosystem, state, maps = law.ecosystem, law.state, law.from_state
    private = jnp.einsum("kas,jsa->kj", maps, state.from_private @ ecosystem.private.gram)
    own = (law.from_own * ecosystem.private.gram.mT).sum((1, 2))
    public = ((law.from_public + maps @ state.from_public) * ecosystem.public.gram.T[None]).sum((1, 2))
    weights = jnp.concatenate([private + jnp.diag(own), public[:, None]], axis=1) / ecosystem.dimension
    return jnp.where(law.settled[:, None], weights, jnp.nan)
