"""A conjecture on random ecosystems without public data, and what draws say (theory.md, section 3)."""

from collections.abc import Callable

import jax
import numpy as np

from ...theory import Weights, random_misaligned, spectral_radius
from ..ledger import Finding, check

_ENTITIES, _FEATURES, _DRAWS, _PROMPTS = 40, 80, 6, 0.5
_RANKS = (3, 8)  # y = 1.5 and 4


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
    rows, said = round(_PROMPTS * _FEATURES), []
    keys = jax.random.split(jax.random.key(0), _DRAWS)
    for rank in _RANKS:
        coverage = _ENTITIES * rank / _FEATURES

        def radius(key: jax.Array, rank: int = rank) -> jax.Array:
            ecosystem = random_misaligned(key, _ENTITIES, _FEATURES, rank, rows)
            return spectral_radius(ecosystem, Weights(0.5, 1.0))

        unstable = int((np.asarray(jax.jit(lambda keys, radius=radius: jax.lax.map(radius, keys))(keys)) > 1).sum())
        if unstable != (_DRAWS if low < coverage < high else 0):
            return Finding(False, f"{unstable} of {_DRAWS} are unstable at y = {coverage}")
        said.append(f"{unstable} of {_DRAWS} at y = {coverage}")
    return Finding(True, f"unstable are {', '.join(said)}")
