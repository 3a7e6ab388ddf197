"""`crossfeed verify lemma1`: tests of Lemma 1 on random ecosystems, the extremal ones decided exactly."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .folder import output_folder
from .inputs import checked_count, checked_seed
from .look import FolderLookOptions
from .output import print_json, print_table

_MOST_ENTITIES, _MOST_FEATURES = 50, 50


@dataclass(frozen=True)
class VerifyLemma1:
    """Test Lemma 1 on random ecosystems: compare ρ(Q) with its bound, and decide the extremal ones exactly.

    Exits with 1 if an ecosystem that satisfies the lemma's condition is not proved to obey it.
    """

    trials: int
    """Number of random ecosystems within Lemma 1's condition, and of those drawn outside it, some of which satisfy it by chance."""
    entities_max: int = 8
    """Largest number of entities K, at most 50."""
    features_max: int = 8
    """Largest number of features d, at most 50."""
    seed: int = 0
    """Seed of the random ecosystems."""
    json: bool = False
    """Print one JSON object."""
    out: Path = Path("results/lemma1")
    """Folder to write to."""
    look: FolderLookOptions = field(default_factory=FolderLookOptions)

    def run(self) -> None:
        """Run the trials, with progress on stderr, print and write the results, and exit with 1 if one contradicts the lemma."""
        from ..figures.lemma1_trials import run_trials
        from ..figures.report import Request
        from ..proofs_check.lemma1 import MOST_TRIALS, Sizes
        from .progress import progress_bar

        checked_count("trials", self.trials, MOST_TRIALS, 1)
        checked_count("entities-max", self.entities_max, _MOST_ENTITIES, 1)
        checked_count("features-max", self.features_max, _MOST_FEATURES, 1)
        seed = checked_seed(self.seed)
        with self.look.looking_in_folder(), output_folder(self.out) as folder, progress_bar() as progress:
            task = progress.add_task("ecosystems", total=2 * self.trials)
            found = run_trials(
                Request(folder),
                seed,
                self.trials,
                Sizes(1, self.entities_max, 1, self.features_max),
                lambda done: progress.update(task, completed=done),
            )
        if self.json:
            print_json(found.summary)
        else:
            _print(found.summary)
        for name in found.files:
            print(self.out / name, file=sys.stderr)
        if found.complaint:
            print(f"crossfeed: of the ecosystems within the condition, {found.complaint}", file=sys.stderr)
            sys.stdout.flush()
            sys.exit(1)


def _print(summary: Mapping[str, Any]) -> None:
    within, outside = summary["within"], summary["outside"]
    extremal, worst, growth = within["extremal"], outside["worst"], outside["divergence"]
    print_table(
        f"slack of Lemma 1, 1/(1+εδ) - ρ(Q), of {within['trials']} ecosystems",
        ["quantile", "slack"],
        within["slack_quantiles"].items(),
    )
    print(
        "trials closest to the bound, decided exactly: "
        + ", ".join(f"{count} {verdict}" for verdict, count in within["decided_exactly"].items())
        + f" (in float64, {within['slack_below_rounding']} of all trials exceed it by more than 1e-10)"
    )
    print(
        f"extremal: K = {extremal['entities']}, d = {extremal['features']}, bound {extremal['verdict']}"
        + (f", slack in {extremal['slack']}" if extremal["verdict"] == "below" else "")
        + f", ρ(Q) in {extremal['spectral_radius']}"
    )
    kinds = [(name, numbers) for name, numbers in outside.items() if name not in ("worst", "divergence")]
    print_table(
        "outside the condition",
        ["how", "ecosystems", "ρ > 1 + 1e-6", "share", "largest ρ"],
        (
            (name, n["trials"], n["above_one"], n["share_above_one"], n["quantiles"]["1"])
            for name, n in kinds
            if n["trials"]
        ),
    )
    if worst:
        print(
            f"worst: K = {worst['entities']}, d = {worst['features']}, α = {worst['alpha']:.6g}, β = {worst['beta']:.6g}, "
            f"{worst['kind']}; proved {worst['verdict']}, ρ(Q) in {worst['spectral_radius']}"
        )
    if growth:
        print(
            f"simulated for {growth['generations']} generations: over the last half the error grows by a factor of "
            f"{growth['simulated_growth']:.4f} per generation, by Theorem 2 of {growth['exact_growth']:.4f}; its limit is ρ(Q)"
        )
