"""Summary of a survey of Lemma 1 as plain numbers, for tables and JSON."""

from typing import Any

import numpy as np

from .divergence import Divergence
from .draws import OUTSIDE, Draw
from .survey import EXCESS, Survey, Worst

QUANTILES = (0.0, 0.001, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999, 1.0)

_SMALLEST = -16  # exponent of ten at which the histogram of slacks begins
_BINS_PER_DECADE = 2


def summarize_survey(found: Survey, divergence: Divergence | None) -> dict[str, Any]:
    """The results of a survey, and of the simulation of its worst ecosystem if there is one, as a dictionary."""
    slack = found.slack
    extremal, worst = found.extremal, found.worst
    lower, upper = extremal.certificate.slack
    return {
        "within": {
            "trials": len(slack),
            "violations_proved": found.decided.get("above", 0),
            "decided_exactly": found.decided,
            "slack_below_rounding": found.suspicious,
            "slack_quantiles": {
                f"{q:g}": float(v) for q, v in zip(QUANTILES, np.quantile(slack, QUANTILES), strict=True)
            },
            "largest_spectral_radius": float(np.max(found.within.spectral_radius)),
            "extremal": {
                "trial": extremal.number,
                **_described(extremal.drawn),
                "verdict": extremal.certificate.verdict,
                "slack": [lower, upper],
                "spectral_radius": [extremal.certificate.radius.lower, extremal.certificate.radius.upper],
            },
        },
        "outside": {
            **{name: _excess(found.outside_of(kind)) for kind, name in enumerate(OUTSIDE)},
            "worst": None if worst is None else _worst(worst),
            "divergence": None if divergence is None else _growth(divergence),
        },
    }


def _worst(worst: Worst) -> dict[str, object]:
    """The ecosystem with the largest ρ(Q) outside the condition, as a dictionary."""
    return {
        "trial": worst.number,
        **_described(worst.drawn),
        "kind": OUTSIDE[int(worst.drawn.kind)],
        "verdict": worst.enclosure.verdict,
        "spectral_radius": [worst.enclosure.lower, worst.enclosure.upper],
    }


def slack_histogram(slack: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Histogram of slacks on a logarithmic scale: bin edges as powers of ten from 1e-16 to 1, and counts.

    The first bin includes all smaller slacks.
    """
    edges = np.linspace(_SMALLEST, 0, -_SMALLEST * _BINS_PER_DECADE + 1)
    logarithm = np.log10(np.clip(slack, 10.0**_SMALLEST, 1.0))
    return edges, np.histogram(logarithm, edges)[0]


def _excess(radius: np.ndarray) -> dict[str, object]:
    """How often and by how much ρ(Q) exceeds one, as a dictionary."""
    above = radius > 1 + EXCESS
    return {
        "trials": len(radius),
        "above_one": int(above.sum()),
        "share_above_one": float(above.mean()) if len(radius) else None,
        "at_one_to_rounding": int((np.abs(radius - 1) <= EXCESS).sum()),
        "quantiles": {f"{q:g}": float(v) for q, v in zip(QUANTILES, np.quantile(radius, QUANTILES), strict=True)}
        if len(radius)
        else None,
    }


def _described(drawn: Draw) -> dict[str, object]:
    """Size, weights and ranks of a drawn ecosystem, as a dictionary."""
    ecosystem, weights = drawn.trimmed()
    ranks = {
        name: np.linalg.matrix_rank(np.asarray(getattr(ecosystem, name).gram), hermitian=True).tolist()
        for name in ("private", "public", "synthetic")
    }
    numbers = {
        "alpha": float(weights.alpha),
        "beta": float(weights.beta),
        "mixing": float(drawn.mixing),
        "scale": float(drawn.scale),
    }
    return {
        "entities": ecosystem.entities,
        "features": ecosystem.dimension,
        **{name: None if np.isnan(value) else value for name, value in numbers.items()},
        "ranks": ranks,
    }


def _growth(divergence: Divergence) -> dict[str, object]:
    """Growth of the simulated and the exact error, as a dictionary."""
    return {
        "generations": len(divergence.exact) - 1,
        "simulated_growth": float(divergence.growth),
        "exact_growth": float(divergence.exact_growth),
        "error_at_start": float(divergence.simulated[0]),
        "error_at_end": float(divergence.simulated[-1]),
    }
