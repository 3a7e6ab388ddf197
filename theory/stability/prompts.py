"""Theorem U*: the exact worst case for given prompts, and the private data that attain it (`docs/theory.md`, section 3)."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from crossfeed.formulas.workflow import PAPER, Workflow

from ..ecosystem import Dataset, Ecosystem
from .conditions import CONDITIONS, reading
from .norms import largest_sum_of_norms
from .whitening import published_parts, whiten, whitening_root


class PromptBound(eqx.Module):
    """Result of `prompt_bound`: how far an ecosystem with these prompts can get, whatever entities know.

    Attributes:
        condition: why the theorem does not apply; `CONDITIONS.applies` if it does.
        nu: ν = max_{|x|=1} Σ_j |A_j x| as found, from 1 (common prompts) to √m (disjoint ones); some private data attain it.
        nu_upper: certified upper bound of ν; equal to `nu` where the maximum is certain.
        bound: (1 + ν)/2 with the upper bound of ν, which no private or public data and no weights exceed; NaN if the theorem
            does not apply.
        attained: (1 + ν)/2 with ν as found, which `worst_private_data` approach; NaN if the theorem does not apply.
        change: (ν - 1)/2, the weight āb̄s/α of public data S_* ⪰ sS̲ from which on every ecosystem with these prompts is
            stable; NaN if the theorem does not apply.

    Example:
        >>> from crossfeed.theory import prompt_bound, worst_case
        >>> print(f"{prompt_bound(worst_case(4, 1.0)).bound:.4f}")
        1.5000
    """

    condition: CONDITIONS
    nu: Float[Array, ""]
    nu_upper: Float[Array, ""]
    bound: Float[Array, ""]
    attained: Float[Array, ""]
    change: Float[Array, ""]

    @property
    def applies(self) -> Bool[Array, "..."]:
        """Whether the theorem applies."""
        return self.condition == CONDITIONS.applies


def prompt_bound(ecosystem: Ecosystem, workflow: Workflow = PAPER) -> PromptBound:
    """Supremum (1 + ν)/2 of ρ(Q) over all private and public data and weights, for given prompts and shares (Theorem U*).

    With A_j = S̲^{-1/2} w_jS_j S̲^{-1/2}, ν = max_{|x|=1} Σ_j |A_j x| lies between 1 and (Σ_j ‖A_j‖)^{1/2}. It is found by an
    ascent that may miss the maximum, and bounded from above by a certificate, so `bound` always holds. A memory that forgets and
    fresh labels change it to kept + (1 - kept)(1 - fresh)(1 + ν)/2.

    Args:
        ecosystem: the ecosystem, of which only prompts and shares matter.
        workflow: least squares or ridge regression on one pool; the paper's if not given.

    Returns:
        ν, the bound, and how much public data would make every ecosystem with these prompts stable.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.theory import prompt_bound, symmetric_ecosystem
        >>> print(f"{prompt_bound(symmetric_ecosystem(3, jnp.eye(2))).nu:.4f}")
        1.0000
    """
    reads = reading(ecosystem, workflow)
    parts = published_parts(ecosystem, reads)
    found = largest_sum_of_norms(whiten(whitening_root(parts.sum(0)), parts))
    condition = reads.on_one_pool
    # Below one only if nothing is published.
    values = (
        (1 + found.upper) / 2,
        (1 + found.attained) / 2,
        jnp.maximum(found.upper - 1, 0) / 2,
    )
    applies = condition == CONDITIONS.applies
    bound, attained, change = (jnp.where(applies, value, jnp.nan) for value in values)
    return PromptBound(condition, found.attained, found.upper, reads.radius(bound), reads.radius(attained), change)


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


_SAME = 1e-9  # length of u_j before normalization at which x counts as the direction that entity j publishes along
