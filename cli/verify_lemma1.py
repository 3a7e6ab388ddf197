"""`crossfeed verify lemma1 --trials N`: random ecosystems against Lemma 1, the extremal ones decided exactly."""

from __future__ import annotations

import json as json_format
import sys
from dataclasses import dataclass
from pathlib import Path

from .arguments import checked_seed
from .folder import make_folder
from .output import print_json, print_table
from .progress import progress_bar

_RESULTS = Path("results/lemma1")
_MOST_ENTITIES, _MOST_FEATURES = 50, 50


@dataclass(frozen=True)
class TrialOptions:
    """Of `crossfeed verify lemma1 --trials N`."""

    trials: int | None = None
    """Draw this many ecosystems within Lemma 1's condition, and as many for the outside, of which some satisfy it by chance."""
    entities_max: int = 8
    """Largest K drawn, up to 50."""
    features_max: int = 8
    """Largest d drawn, up to 50."""
    seed: int = 0
    """Of the random ecosystems."""

    def run(self, json: bool, out: Path | None) -> None:
        """Draw, with progress on stderr, print, write, and exit with 1 if one in doubt is not proved to obey the lemma."""
        import jax

        from ..figures.lemma1_trials import draw_trials
        from ..figures.report import Request
        from ..proofs_check.lemma1 import MOST_TRIALS, Sizes, simulate_divergence, summarise_survey, survey
        from ..theory import InvalidInput, save_ecosystem
        from ..theory.whole_file import whole_file

        assert self.trials is not None
        for name, value, most in (
            ("trials", self.trials, MOST_TRIALS),
            ("entities-max", self.entities_max, _MOST_ENTITIES),
            ("features-max", self.features_max, _MOST_FEATURES),
        ):
            if not 1 <= value <= most:
                raise InvalidInput(f"{name} is {value}, but must lie between 1 and {most}")
        seed = checked_seed(self.seed)
        folder = make_folder(out or _RESULTS)
        with progress_bar() as progress:
            task = progress.add_task("ecosystems", total=2 * self.trials)
            found = survey(
                seed,
                self.trials,
                Sizes(1, self.entities_max, 1, self.features_max),
                lambda done: progress.update(task, completed=done),
            )
        files, divergence = ["extremal.npz"], None
        save_ecosystem(found.extremal.drawn.trimmed()[0], folder / "extremal.npz")
        if found.worst is not None and found.worst.enclosure.verdict == "unstable":
            ecosystem, weights = found.worst.drawn.trimmed()
            divergence = simulate_divergence(jax.random.key(seed), ecosystem, weights, found.worst.enclosure.upper)
            save_ecosystem(ecosystem, folder / "worst.npz")
            files.append("worst.npz")
        summary = {"seed": seed, "entities_max": self.entities_max, "features_max": self.features_max}
        summary |= summarise_survey(found, divergence)
        files += draw_trials(Request(folder, seed=seed), found, divergence).files
        with whole_file(folder / "lemma1.json") as part:
            part.write_text(
                json_format.dumps(summary, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8"
            )
        if json:
            print_json(summary)
        else:
            _print(summary)
        for name in [*files, "lemma1.json"]:
            print(folder / name, file=sys.stderr)
        if found.complaint:
            print(f"crossfeed: of the ecosystems within the condition, {found.complaint}", file=sys.stderr)
            sys.stdout.flush()
            sys.exit(1)


def _print(summary) -> None:
    within, outside = summary["within"], summary["outside"]
    extremal, worst, growth = within["extremal"], outside["worst"], outside["divergence"]
    print_table(
        f"slack of Lemma 1, 1/(1+εδ) - ρ(Q), of {within['trials']} ecosystems",
        ["quantile", "slack"],
        within["slack_quantiles"].items(),
    )
    print(
        "the trials nearest the bound, decided exactly: "
        + ", ".join(f"{count} {verdict}" for verdict, count in within["decided_exactly"].items())
        + f" (float64 had put {within['slack_below_rounding']} of all trials beyond it by more than 1e-10)"
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
            f"simulated for {growth['generations']} generations: over their last half the error grows by "
            f"{growth['simulated_growth']:.4f} a generation, by Theorem 2 {growth['exact_growth']:.4f}; it tends to ρ(Q)"
        )
