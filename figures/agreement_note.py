"""How the Monte Carlo points of a figure agree with its curves, as numbers for the report."""

import numpy as np

from ..sim import decide


def agreement_numbers(z: np.ndarray) -> dict[str, object]:
    """The family-wise decision over all z-scores of one figure, as plain numbers."""
    decision = decide([z])
    return {
        "comparisons": decision.comparisons,
        "largest_z": decision.largest,
        "threshold_z": decision.threshold,
        "agrees": decision.agrees,
    }
