"""`crossfeed estimate`: weights, shares, volume and noise of an ecosystem from observed generations."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from .arguments import EcosystemFile, WorkflowFile
from .inputs import load_workflow
from .output import print_json, print_notes, print_table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from crossfeed.array_archive import Header


@dataclass(frozen=True)
class EstimateCommand:
    """Posterior of what drives an ecosystem, from the parameters of all its models at generations 0..T.

    The ecosystem file says what features the data have; weights, shares, volume and noise are inferred, the last two in units of
    the file's. Numbers that no amount of such data can tell are not printed; a note names them.
    """

    eco: EcosystemFile
    """Ecosystem with the features of all data."""
    observed: tyro.conf.Positional[Annotated[Path, tyro.conf.arg(metavar="OBSERVED.npz")]]
    """Archive with the array `estimates` (T+1, K, d) and, if they were seen with noise, its variance `probe_noise`."""
    workflow: WorkflowFile = None
    """TOML file with the tables [estimator], [pool] and [memory]: how entities train, what they read and what they remember."""
    json: bool = False
    """Print one JSON object."""

    def check(self) -> None:
        """Refuse files that cannot be read."""
        from crossfeed.array_archive import read_arrays
        from crossfeed.formulas.ecosystem import check_finite
        from crossfeed.formulas.ecosystem_file import read_ecosystem

        ecosystem = read_ecosystem(self.eco)
        arrays = read_arrays(self.observed, partial(self._check_headers, (ecosystem.entities, ecosystem.dimension)))
        check_finite("estimates", arrays["estimates"])
        load_workflow(self.workflow)

    def run(self) -> None:
        """Infer, and print medians with intervals."""
        import jax.numpy as jnp

        from crossfeed.array_archive import read_arrays

        from ..decide.estimation import LEVEL, estimate
        from ..theory import load_ecosystem
        from .progress import working

        ecosystem = load_ecosystem(self.eco)
        arrays = read_arrays(self.observed, partial(self._check_headers, (ecosystem.entities, ecosystem.dimension)))
        noise = float(arrays.get("probe_noise", 0.0))
        with working("estimating"):
            found = estimate(ecosystem, jnp.asarray(arrays["estimates"]), noise, load_workflow(self.workflow))
        unknown = [quantity.name for quantity in found.quantities if not quantity.identified]
        notes = [f"such data cannot tell {', '.join(unknown)}, however many there are"] if unknown else []
        if found.rough:
            notes.append("the posterior is far from Gaussian: intervals are rough")
        if self.json:
            told = {"level": LEVEL, "effective_samples": found.effective_samples, "notes": notes}
            print_json(told | {"quantities": [asdict(quantity) for quantity in found.quantities]})
            return
        print_table(
            f"posterior, {LEVEL:.0%} intervals",
            ["quantity", "median", "low", "high"],
            ((q.name, q.median, q.low, q.high) for q in found.quantities if q.identified),
        )
        print_notes(notes)

    def _check_headers(self, model: tuple[int, int], headers: Mapping[str, Header]) -> None:
        """Refuse arrays that are not the parameters of models of this number and dimension."""
        from crossfeed.errors import InvalidInput

        if "estimates" not in headers or set(headers) - {"estimates", "probe_noise"}:
            found = ", ".join(sorted(headers))
            raise InvalidInput(
                f"{self.observed} holds {found}, but must hold estimates, and probe_noise if there is any"
            )
        shape = headers["estimates"].shape
        if len(shape) != 3 or not shape[0] or shape[1:] != model:
            raise InvalidInput(
                f"estimates in {self.observed} have shape {shape}, but must have shape (T+1, {model[0]}, {model[1]}): "
                f"{self.eco} has {model[0]} entities and {model[1]} features"
            )
        if "probe_noise" in headers and headers["probe_noise"].shape:
            raise InvalidInput(
                f"probe_noise in {self.observed} has shape {headers['probe_noise'].shape}, but must be a number"
            )
