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
    read_inputs,
)
from .output import missing_notes, print_errors, print_json, print_notes, print_table

if TYPE_CHECKING:
    import numpy as np

    from ..sim import Sampler, Simulation
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

    def check(self) -> None:
        """Refuse inputs that do not fit."""
        checked_count("generations", self.generations, MOST_GENERATIONS, 0)
        checked_count("replicates", self.replicates, MOST_REPLICATES, 2)  # one has no standard error
        checked_seed(self.seed)
        read_inputs(self.eco, self.alpha, self.beta, self.workflow)

    def run(self) -> None:
        """Simulate, with progress on stderr, and print the errors."""
        from ..theory import Weights, load_ecosystem

        ecosystem = load_ecosystem(self.eco)
        result = self._errors(ecosystem, Weights(*parse_weights(self.alpha, self.beta, ecosystem.entities)))
        notes = missing_notes(result["mse"], self.eco, ecosystem.public.truth is not None)
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

    def _errors(self, ecosystem: Ecosystem, weights: Weights) -> dict[str, np.ndarray]:
        """Errors and their standard errors; generations after the last one with a known error are not drawn, but NaN."""
        import numpy as np

        from ..sim import make_moment_sampler, make_row_sampler, unknown_errors

        workflow = load_workflow(self.workflow)
        with blaming(self.workflow):
            make = make_moment_sampler if self.mode == "moments" else make_row_sampler
            sampler = make(ecosystem, workflow=workflow)
            known = ~np.asarray(unknown_errors(sampler, weights, self.generations)).all(axis=1)
        last = int(np.flatnonzero(known)[-1]) if known.any() else -1
        drawn = self._draw(sampler, weights, last) if last >= 0 else None
        errors = {}
        for name, shape in (("mse", (ecosystem.entities,)), ("mspe", (ecosystem.entities,) * 2)):
            for field in (name, f"{name}_se"):
                errors[field] = np.full((self.generations + 1, *shape), np.nan)
                if drawn is not None:
                    errors[field][: last + 1] = getattr(drawn, field)
        return errors

    def _draw(self, sampler: Sampler, weights: Weights, last: int) -> Simulation:
        """Replicates up to the generation `last`, with progress on stderr."""
        from crossfeed.random_keys import seeded_key

        from ..sim import simulate_on_devices
        from .progress import progress_bar

        key = seeded_key(self.seed)
        with progress_bar() as progress, blaming(self.workflow):
            task = progress.add_task("replicates", total=self.replicates)
            return simulate_on_devices(
                sampler, weights, last, self.replicates, key, lambda done: progress.update(task, completed=done)
            )
