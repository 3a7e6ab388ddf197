"""`crossfeed stability`: who can diverge, and what prevents it."""

from dataclasses import dataclass

from .arguments import EcosystemFile, EntityWeights, WorkflowFile
from .bounds import print_stability


@dataclass(frozen=True)
class StabilityCommand:
    """Spectral radius of an ecosystem, every bound of it with its condition, and the distance to safety.

    A bound below 1 proves that training has a limit, and one of 1 that no error grows exponentially.
    """

    eco: EcosystemFile
    """Ecosystem to examine."""
    alpha: EntityWeights
    """α in [0, 1], weight of synthetic data: one value for all entities, or one per entity."""
    beta: EntityWeights
    """β in [0, 1], weight of private against public data: one value for all entities, or one per entity."""
    workflow: WorkflowFile = None
    """TOML file with the tables [estimator], [pool] and [memory]: how entities train, what they read and what they remember."""
    json: bool = False
    """Print one JSON object."""

    def run(self) -> None:
        """Compute the bounds and print them."""
        print_stability(self.eco, self.alpha, self.beta, self.workflow, self.json)
