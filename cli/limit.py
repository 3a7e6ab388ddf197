"""`crossfeed limit`: exact errors in the limit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .arguments import EcosystemFile, EntityWeights, parse_weights
from .output import print_json, print_notes, print_table, shown

if TYPE_CHECKING:
    import numpy as np
    from jax import Array

    from ..theory import Ecosystem, Weights


@dataclass(frozen=True)
class LimitCommand:
    """Exact errors of every entity as t → ∞, for constant weights (Theorem 3).

    A note replaces the numbers if there is no limit, because the spectral radius is not below 1, or if an error depends on θ,
    because an estimate is biased, and the file has no θ.
    """

    eco: EcosystemFile
    """Ecosystem to compute with."""
    alpha: EntityWeights
    """α in [0, 1], weight of synthetic data: one value for all entities, or one per entity."""
    beta: EntityWeights
    """β in [0, 1], weight of private against public data: one value for all entities, or one per entity."""
    json: bool = False
    """Print one JSON object."""

    def run(self) -> None:
        """Compute the errors and print them."""
        import equinox as eqx
        import numpy as np

        from ..theory import homogenization, limit, load_ecosystem, mse, mspe, relative_efficiency

        ecosystem = load_ecosystem(self.eco)
        weights = parse_weights(self.alpha, self.beta, ecosystem.entities)

        @eqx.filter_jit
        def measure(ecosystem: Ecosystem, weights: Weights) -> dict[str, Array | None]:
            law = limit(ecosystem, weights)
            return {
                "spectral_radius": law.spectral_radius,
                "converged": law.exists,
                "mse": mse(law),
                "mspe": mspe(law),
                "relative_efficiency": relative_efficiency(law),
                "homogenization": homogenization(law),
            }

        result = {name: np.asarray(value) for name, value in measure(ecosystem, weights).items()}
        notes = _notes(result, self.eco)
        if self.json:
            print_json(result | ({"notes": notes} if notes else {}))
            return
        radius, correlation = result["spectral_radius"], result["homogenization"]
        print_table(
            f"limit: spectral radius {shown(radius)}, homogenization {shown(correlation)}",
            ["entity", "MSE", "efficiency", *(f"MSPE task {m + 1}" for m in range(ecosystem.entities))],
            (
                (k + 1, result["mse"][k], result["relative_efficiency"][k], *result["mspe"][k])
                for k in range(ecosystem.entities)
            ),
        )
        print_notes(notes)


def _notes(result: Mapping[str, np.ndarray], path: Path) -> list[str]:
    """Reasons why numbers are missing."""
    import numpy as np

    if not result["converged"]:
        return [
            f"there is no limit: the spectral radius is {result['spectral_radius']:.12g}, and a limit needs a value below 1"
        ]
    biased = np.flatnonzero(np.isnan(result["mse"])) + 1
    if len(biased):
        return [f"the limit of entity {biased[0]} is biased, so its error depends on theta, which {path} does not hold"]
    if np.isnan(result["relative_efficiency"]).any():
        return [
            "private and public data together do not span all features: there is no unbiased estimator, and so no efficiency"
        ]
    return []
