"""A conjecture on random ecosystems without public data, and what draws say (theory.md, section 3)."""

from collections.abc import Callable
from functools import cache

import jax
import numpy as np
from jaxtyping import Array

from ...theory import Weights, random_misaligned, spectral_radius
from ..ledger import Finding, check

_ENTITIES, _FEATURES, _DRAWS, _PROMPTS = 40, 80, 6, 0.5
_RANKS = (3, 8)  # y = 1.5 and 4


@cache
def _unstable(rank: int) -> int:
    """How many of the draws have ρ(Q) > 1."""
    rows = round(_PROMPTS * _FEATURES)

    def radius(key: Array) -> Array:
        return spectral_radius(random_misaligned(key, _ENTITIES, _FEATURES, rank, rows), Weights(0.5, 1.0))

    keys = jax.random.split(jax.random.key(0), _DRAWS)
    return int((np.asarray(jax.jit(lambda keys: jax.lax.map(radius, keys))(keys)) > 1).sum())


@check(
    "random.threshold",
    "searched",
    lambda phi: (phi / (1 + phi), 1 + 1 / phi),
    mutations={
        "2 + 2/φ above": lambda phi: (phi / (1 + phi), 2 + 2 / phi),
        "1/(1+φ) + φ above": lambda phi: (phi / (1 + phi), 1 / (1 + phi) + phi),
    },
    quick=False,
)
def random_threshold(formula: Callable[[float], tuple[float, float]]) -> Finding:
    """ρ(Q) of 6 random ecosystems each with K = 40, d = 80, n = 40 prompts and private rank 3 and 8, so φ = 1/2 and y
    = Kr/d = 1.5 and 4, at α = 1/2, β = 1 and private data of size 10⁶: whether all or none exceed 1. The conjecture
    is about K → ∞ and is not proved."""
    low, high = formula(_PROMPTS)
    said = []
    for rank in _RANKS:
        coverage, unstable = _ENTITIES * rank / _FEATURES, _unstable(rank)
        if unstable != (_DRAWS if low < coverage < high else 0):
            return Finding(False, f"{unstable} of {_DRAWS} are unstable at y = {coverage}")
        said.append(f"{unstable} of {_DRAWS} at y = {coverage}")
    return Finding(True, f"unstable are {', '.join(said)}")
