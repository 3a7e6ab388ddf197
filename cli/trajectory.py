"""`crossfeed trajectory`: exact errors generation by generation."""

from dataclasses import dataclass
from pathlib import Path

import tyro

from .arguments import EntityWeights, parse_weights
from .output import print_json, print_notes, print_table


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

        ecosystem = load_ecosystem(self.eco)
        weights = parse_weights(self.alpha, self.beta, ecosystem.entities)

        def measure(law):
            return {
                "mse": mse(law),
                "mspe": mspe(law),
                "bias_norm": jnp.linalg.norm(bias(law), axis=-1),
                "bias_map_norm": bias_map_norm(law),
            }

        found = eqx.filter_jit(trajectory)(ecosystem, weights, self.generations, measure)
        result = {name: np.asarray(value) for name, value in found.items()}
        notes = biased_notes(result["mse"], self.eco)
        if self.json:
            print_json(result | ({"notes": notes} if notes else {}))
            return
        print_errors("exact", result["mse"], result["mspe"])
        print_notes(notes)


def biased_notes(mse, path: Path) -> list[str]:
    """Say where numbers are missing because θ is."""
    import numpy as np

    generations, entities = np.nonzero(np.isnan(mse))
    if not len(generations):
        return []
    return [
        f"the estimate of entity {entities[0] + 1} at generation {generations[0]} is biased, so its error depends on theta, "
        f"which {path} does not hold ({len(generations)} numbers left out)"
    ]


def print_errors(kind: str, mse, mspe) -> None:
    """MSE by generation, and MSPE at the last one."""
    entities = mse.shape[1]
    print_table(
        f"MSE, {kind}",
        ["generation", *(f"entity {k + 1}" for k in range(entities))],
        ((t, *row) for t, row in enumerate(mse)),
    )
    print_table(
        f"MSPE at generation {len(mse) - 1}, {kind}",
        ["entity", *(f"task {m + 1}" for m in range(entities))],
        ((k + 1, *row) for k, row in enumerate(mspe[-1])),
    )
