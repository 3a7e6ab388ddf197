"""Theorem U*: the exact worst case for given prompts, and the private data that attain it (`docs/theory.md`, section 3)."""

from typing import NamedTuple

from ..arrays import namespace
from ..ecosystem import Ecosystem
from ..shapes import Array, Bool, Float, Int
from ..workflow import PAPER, Workflow
from .conditions import CONDITIONS, reading
from .norms import largest_sum_of_norms
from .whitening import published_parts, whiten, whitening_root


class PromptBound(NamedTuple):
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

    condition: Int[Array, ""]
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
    xp, reads = namespace(ecosystem.shares), reading(ecosystem, workflow)
    parts = published_parts(ecosystem, reads)
    found = largest_sum_of_norms(whiten(whitening_root(parts.sum(0)), parts))
    condition = reads.on_one_pool
    # Below one only if nothing is published.
    values = (
        (1 + found.upper) / 2,
        (1 + found.attained) / 2,
        xp.maximum(found.upper - 1, 0) / 2,
    )
    applies = condition == CONDITIONS.applies
    bound, attained, change = (xp.where(applies, value, xp.nan) for value in values)
    return PromptBound(condition, found.attained, found.upper, reads.radius(bound), reads.radius(attained), change)
