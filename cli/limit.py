"""`crossfeed limit`: exact errors in the limit."""

from dataclasses import dataclass

from .arguments import EcosystemFile, EntityWeights, WorkflowFile
from .exact import print_limit


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
    """Print one JSON object; mspe[k][m] is entity k on task m."""

    def run(self) -> None:
        """Compute the errors and print them."""
        print_limit(self.eco, self.alpha, self.beta, self.workflow, self.json)
