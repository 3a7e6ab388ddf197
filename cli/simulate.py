"""`crossfeed simulate`: the same errors by Monte Carlo, with standard errors."""

from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Literal

import tyro

from .arguments import MOST_GENERATIONS, MOST_REPLICATES, EntityWeights, checked_count, checked_seed, parse_weights
from .output import biased_notes, print_errors, print_json, print_notes, print_table
from .progress import progress_bar

_PARTS = 24  # of a large run: what cores share and the progress bar counts
_SMALL = 2400  # replicates that are drawn in one go


@dataclass(frozen=True)
class SimulateCommand:
    """Monte Carlo errors of every entity at generations 0..T, with standard errors."""

    eco: tyro.conf.Positional[Path]
    """Ecosystem file (.npz)."""
    alpha: EntityWeights
    """α in [0, 1], weight of synthetic data: one value, or one an entity."""
    beta: EntityWeights
    """β in [0, 1], weight of private against public data: one value, or one an entity."""
    generations: int
    """T, the last generation."""
    replicates: int = 10_000
    """How many times the whole workflow is drawn."""
    seed: int = 0
    """Of the random numbers."""
    mode: Literal["moments", "rows"] = "moments"
    """`moments` draws what acts on training, exactly in law; `rows` draws every label and solves least squares."""
    json: bool = False
    """Print one JSON object; mspe[t][k][m] is entity k on task m, and *_se are standard errors."""

    def run(self) -> None:
        """Draw, with progress on stderr, and print."""
        import numpy as np

        from ..theory import load_ecosystem

        checked_count("generations", self.generations, MOST_GENERATIONS)
        checked_count("replicates", self.replicates, MOST_REPLICATES)
        ecosystem = load_ecosystem(self.eco)
        drawn = self._draw(ecosystem, parse_weights(self.alpha, self.beta, ecosystem.entities))
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

    def _draw(self, ecosystem, weights):
        import equinox as eqx
        import jax
        import jax.numpy as jnp

        from ..sim import make_moment_sampler, make_row_sampler, merge, merge_stack, run_tally, spread, summarise
        from ..theory import InvalidInput

        if self.replicates < 2:
            raise InvalidInput(f"replicates is {self.replicates}, but a standard error needs at least 2")
        sampler = (make_moment_sampler if self.mode == "moments" else make_row_sampler)(ecosystem)
        parts = _PARTS if self.replicates > _SMALL else 1
        share, rest = divmod(self.replicates, parts)
        *keys, last = jax.random.split(jax.random.key(checked_seed(self.seed)), parts + 1)
        run = eqx.filter_jit(run_tally)
        on_cores = jax.jit(
            lambda keys: merge_stack(
                spread(lambda key: run(sampler, weights, self.generations, share, key), keys, tile=1)
            )
        )
        together = jax.local_device_count()
        with progress_bar() as progress:
            task = progress.add_task("replicates", total=self.replicates)
            tallies = []
            for start in range(0, parts, together):
                tallies.append(jax.block_until_ready(on_cores(jnp.stack(keys[start : start + together]))))
                progress.update(task, completed=min(start + together, parts) * share)
            if rest:
                tallies.append(run(sampler, weights, self.generations, rest, last))
        return summarise(sampler, weights, reduce(merge, tallies))
