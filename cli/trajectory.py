"""`crossfeed trajectory`: exact errors generation by generation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .arguments import (
    MOST_GENERATIONS,
    EcosystemFile,
    EntityWeights,
    WorkflowFile,
    blaming,
    checked_count,
    load_workflow,
    parse_weights,
)
from .output import biased_notes, print_errors, print_json, print_notes

if TYPE_CHECKING:
    from jax import Array

    from ..theory import Law


@dataclass(frozen=True)
class TrajectoryCommand:
    """Exact errors of every entity at generations 0..T (Theorems 1 and 2).

    The error of a biased estimate depends on θ, and is omitted if the file has no θ.
    """

    eco: EcosystemFile
    """Ecosystem to compute with."""
    alpha: EntityWeights
    """α in [0, 1], weight of synthetic data: one value for all entities, or one per entity."""
    beta: EntityWeights
    """β in [0, 1], weight of private against public data: one value for all entities, or one per entity."""
    generations: int
    """Last generation T."""
    workflow: WorkflowFile = None
    """TOML file with the tables [estimator], [pool] and [memory]: how entities train, what they read and what they remember."""
    json: bool = False
    """Print one JSON object; mspe[t][k][m] is entity k on task m."""

    def run(self) -> None:
        """Compute the errors and print them."""
        import equinox as eqx
        import jax.numpy as jnp
        import numpy as np

        from ..theory import bias, bias_map_norm, load_ecosystem, mse, mspe, trajectory

        generations = checked_count("generations", self.generations, MOST_GENERATIONS, 0)
        ecosystem = load_ecosystem(self.eco)
        weights = parse_weights(self.alpha, self.beta, ecosystem.entities)

        def measure(law: Law) -> dict[str, Array]:
            return {
                "mse": mse(law),
                "mspe": mspe(law),
                "bias_norm": jnp.linalg.norm(bias(law), axis=-1),
                "bias_map_norm": bias_map_norm(law),
            }

        workflow = load_workflow(self.workflow)
        with blaming(self.workflow):
            found = eqx.filter_jit(trajectory)(ecosystem, weights, generations, measure, workflow)
        result = {name: np.asarray(value) for name, value in found.items()}
        notes = biased_notes(result["mse"], self.eco)
        if self.json:
            print_json(result | ({"notes": notes} if notes else {}))
            return
        print_errors("exact", result["mse"], result["mspe"])
        print_notes(notes)
