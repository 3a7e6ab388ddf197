"""Loss tables of the paper, and the agreement of a run with them in the direction of change.

Source: Vu, Reeves and Wenger, arXiv 2505.21677 v3, section 6 and appendix C: OPT-350m and Llama-3.2-1B, K = 2, T = 15,
task 1 SciQ, task 2 GSM8K, entity 1 owns task 1.
"""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float, Int

PAIRS = ((1, 1), (2, 2), (1, 2), (2, 1))
"""Entity and task of each row of the tables, from 1."""
LEVELS = (0.0, 0.5, 1.0)
"""Values of β and of α; columns run over α within β."""
CONSTANT = 0.1
"""Largest change of a loss, in nats per token, that counts as none."""

FIRST: Mapping[str, tuple[float, ...]] = {"Llama-3.2-1B": (2.8, 1.2, 2.0, 3.7), "OPT-350m": (3.3, 1.8, 3.1, 5.1)}
"""Loss at generation 0, which is one number for all (α, β), by `PAIRS`."""
LAST: Mapping[str, tuple[tuple[float, ...], ...]] = {
    "Llama-3.2-1B": (
        (4.5, 3.2, 3.1, 2.9, 2.9, 3.0, 2.8, 2.8, 3.2),
        (2.0, 1.9, 1.8, 1.2, 1.3, 1.9, 1.2, 1.2, 1.8),
        (2.9, 1.9, 1.7, 2.5, 1.4, 1.8, 2.6, 1.3, 1.7),
        (5.0, 3.1, 3.1, 4.2, 3.0, 3.0, 4.4, 2.9, 3.1),
    ),
    "OPT-350m": (
        (4.8, 3.6, 3.5, 3.3, 3.3, 3.5, 3.1, 3.2, 3.5),
        (2.6, 2.2, 2.1, 1.7, 1.7, 2.2, 1.5, 1.8, 2.2),
        (3.7, 2.2, 2.2, 3.5, 1.8, 2.2, 3.4, 1.8, 2.2),
        (5.6, 3.6, 3.5, 5.1, 3.5, 3.5, 5.4, 3.5, 3.4),
    ),
}
"""Loss at generation 15, by `PAIRS` and by (β, α)."""


def direction(
    first: Float[np.ndarray, "*cells"], last: Float[np.ndarray, "*cells"], decimals: int | None = None
) -> Int[np.ndarray, "*cells"]:
    """Direction of change of a loss: -1 for a fall, 1 for a rise, 0 for a change of at most `CONSTANT`.

    Args:
        first: loss at generation 0, in nats per token.
        last: loss at the last generation.
        decimals: number of decimals of printed losses, to which their difference is rounded; None for exact ones.
    """
    change = np.asarray(last) - np.asarray(first)
    change = change if decimals is None else np.round(change, decimals)
    return np.where(abs(change) <= CONSTANT, 0, np.sign(change)).astype(int)


def published_directions(model: str) -> Int[np.ndarray, "pair weights"]:
    """Directions of change in the published table of a model."""
    return direction(np.repeat(np.array(FIRST[model])[:, None], 9, axis=1), np.array(LAST[model]), decimals=1)


def pattern_score(directions: Int[np.ndarray, "pair weights"], model: str) -> int:
    """Number of the 36 cells whose direction of change is that of the published table of a model."""
    return int((directions == published_directions(model)).sum())
