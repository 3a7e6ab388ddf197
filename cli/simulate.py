"""`crossfeed simulate`: errors by Monte Carlo, with standard errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from .arguments import EcosystemFile, EntityWeights, WorkflowFile
from .inputs import (
    MOST_GENERATIONS,
    MOST_REPLICATES,
    blaming,
    checked_count,
    checked_seed,
    load_workflow,
    parse_weights,
)
from .output import biased_notes, print_errors, print_json, print_notes, print_table

if TYPE_CHECKING:
    from ..sim import Simulation
    from ..theory import Ecosystem, Weights


@dataclass(frozen=True)
class SimulateCommand:
    """Monte Carlo errors of every entity at generations 0..T, with standard errors."""

    eco: EcosystemFile
    """Ecosystem to simulate."""
    alpha: EntityWeights
    """α in [0, 1], weight of synthetic data: one value for all entities, or one per entity."""
    beta: EntityWeights
    """β in [0, 1], weight of private against public data: one value for all entities, or one per entity."""
    generations: int
    """Last generation T."""
    replicates: int = 10_000
    """Number of independent replicates of the whole workflow, at least 2."""
    seed: int = 0
    """Seed of the random numbers."""
    mode: Literal["moments", "rows"] = "moments"
    """Draw the moments X'y, which is fast and has the exact distribution, or draw every label and solve least squares."""
    workflow: WorkflowFile = None
    """TOML file with the tables [estimator], [pool] and [memory]: how entities train, what they read and what they remember."""
    json: bool = False
    """Print one JSON object; mspe[t][k][m] is entity k on task m, and *_se are standard errors."""

    def run(self) -> None:
        """Simulate, with progress on stderr, and print the errors."""
        import numpy as np

        from ..theory import Weights, load_ecosystem

        checked_count("generations", self.generations, MOST_GENERATIONS, 0)
        checked_count("replicates", self.replicates, MOST_REPLICATES, 2)  # one has no standard error
        ecosystem = load_ecosystem(self.eco)
        drawn = self._draw(ecosystem, Weights(*parse_weights(self.alpha, self.beta, ecosystem.entities)))
        result = {name: np.asarray(getattr(drawn, name)) for name in ("mse", "mse_se", "mspe", "mspe_se")}
        notes = biased_notes(result["mse"], self.eco)
        if self.json:
            print_json({"replicates": self.replicates, **result} | ({"notes": notes} if notes else {}))
            return
        print_errors(f"{self.replicates} replicates", result["mse"], result["mspe"])
        print_table(
            "standard errors of the MSE",
            ["generation", *(f"entity {k + 1}" for k in range(ecosystem.entities))],
            ((t, *row) for t, row in enumerate(result["mse_se"])),
        )
        print_notes(notes)

    def _draw(self, ecosystem: Ecosystem, weights: Weights) -> Simulation:
        from crossfeed.random_keys import seeded_key

        from ..sim import make_moment_sampler, make_row_sampler, simulate_on_devices
        from .progress import progress_bar

        workflow = load_workflow(self.workflow)
        with blaming(self.workflow):
            sampler = (make_moment_sampler if self.mode == "moments" else make_row_sampler)(
                ecosystem, workflow=workflow
            )
        key = seeded_key(checked_seed(self.seed))
        with progress_bar() as progress, blaming(self.workflow):
            task = progress.add_task("replicates", total=self.replicates)
            return simulate_on_devices(
                sampler,
                weights,
                self.generations,
                self.replicates,
                key,
                lambda done: progress.update(task, completed=done),
            )
