"""`crossfeed trajectory`: exact errors generation by generation."""

from dataclasses import dataclass
from pathlib import Path

import tyro

from .arguments import MOST_GENERATIONS, EntityWeights, checked_count, parse_weights
from .output import biased_notes, print_errors, print_json, print_notes


@dataclass(frozen=True)
class TrajectoryCommand:
    """Exact errors of every entity at generations 0..T (Theorems 1 and 2).

    Where an estimate is biased, its error depends on θ: without θ in the file no number is printed.
    """

    eco: tyro.conf.Positional[Path]
    """Ecosystem file (.npz)."""
    alpha: EntityWeights
    """α in [0, 1], weight of synthetic data: one value, or one an entity."""
    beta: EntityWeights
    """β in [0, 1], weight of private against public data: one value, or one an entity."""
    generations: int
    """T, the last generation."""
    json: bool = False
    """Print one JSON object; mspe[t][k][m] is entity k on task m."""

    def run(self) -> None:
        """Compute and print."""
        import equinox as eqx
        import jax.numpy as jnp
        import numpy as np

        from ..theory import bias, bias_map_norm, load_ecosystem, mse, mspe, trajectory

        generations = checked_count("generations", self.generations, MOST_GENERATIONS)
        ecosystem = load_ecosystem(self.eco)
        weights = parse_weights(self.alpha, self.beta, ecosystem.entities)

        def measure(law):
            return {
                "mse": mse(law),
                "mspe": mspe(law),
                "bias_norm": jnp.linalg.norm(bias(law), axis=-1),
                "bias_map_norm": bias_map_norm(law),
            }

        found = eqx.filter_jit(trajectory)(ecosystem, weights, generations, measure)
        result = {name: np.asarray(value) for name, value in found.items()}
        notes = biased_notes(result["mse"], self.eco)
        if self.json:
            print_json(result | ({"notes": notes} if notes else {}))
            return
        print_errors("exact", result["mse"], result["mspe"])
        print_notes(notes)
