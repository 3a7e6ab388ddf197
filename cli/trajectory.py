"""`crossfeed trajectory`: exact errors generation by generation."""

from dataclasses import dataclass

from .arguments import EcosystemFile, EntityWeights, WorkflowFile
from .exact import print_trajectory


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
    """Print one JSON object; mspe[t][k][m] is entity k on task m, bias_norm the length of the bias, and bias_map_norm its largest
    over θ of length 1."""

    def run(self) -> None:
        """Compute the errors and print them."""
        print_trajectory(self.eco, self.alpha, self.beta, self.generations, self.workflow, self.json)
