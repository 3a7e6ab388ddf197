"""`crossfeed limit`: exact errors in the limit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .arguments import EcosystemFile, EntityWeights, WorkflowFile, blaming, load_workflow, parse_weights
from .output import print_json, print_notes, print_table, shown

if TYPE_CHECKING:
    import numpy as np
    from jax import Array

    from ..theory import RESULTS, Ecosystem, Weights, Workflow


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
    workflow: WorkflowFile = None
    """TOML file with the tables [estimator], [pool] and [memory]: how entities train, what they read and what they remember."""
    json: bool = False
    """Print one JSON object."""

    def run(self) -> None:
        """Compute the errors and print them."""
        import equinox as eqx
        import numpy as np

        from ..theory import homogenization, limit, load_ecosystem, mse, mspe, reason, relative_efficiency

        ecosystem = load_ecosystem(self.eco)
        weights = parse_weights(self.alpha, self.beta, ecosystem.entities)
        workflow = load_workflow(self.workflow)

        @eqx.filter_jit
        def measure(
            ecosystem: Ecosystem, weights: Weights, workflow: Workflow
        ) -> tuple[dict[str, Array | None], RESULTS]:
            law = limit(ecosystem, weights, workflow, throw=False)
            return {
                "spectral_radius": law.spectral_radius,
                "converged": law.exists,
                "mse": mse(law),
                "mspe": mspe(law),
                "relative_efficiency": relative_efficiency(law),
                "homogenization": homogenization(law),
            }, reason(law)

        with blaming(self.workflow):
            found, why = measure(ecosystem, weights, workflow)
        result = {name: np.asarray(value) for name, value in found.items()}
        notes = _notes(why, result, self.eco)
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


def _notes(why: RESULTS, result: Mapping[str, np.ndarray], path: Path) -> list[str]:
    """Reason why numbers are missing, if any are."""
    import numpy as np

    from ..theory import RESULTS

    if why == RESULTS.successful:
        return []
    if why == RESULTS.no_limit:
        radius = result["spectral_radius"]
        return [f"there is no limit: the spectral radius is {radius:.12g}, and a limit needs a value below 1"]
    if why == RESULTS.depends_on_truth:
        entity = np.flatnonzero(np.isnan(result["mse"]))[0] + 1
        return [f"the limit of entity {entity} is biased, so its error depends on theta, which {path} does not hold"]
    return [RESULTS[why]]
