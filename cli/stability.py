"""`crossfeed stability`: who can diverge, and what prevents it."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, isfinite
from typing import TYPE_CHECKING

from .arguments import EcosystemFile, EntityWeights, WorkflowFile
from .inputs import load_workflow, parse_weights
from .output import print_json, print_table, shown

if TYPE_CHECKING:
    from jax import Array

    from ..theory import StabilityBound, StabilitySummary

_TITLES = {
    "universal": "Theorem U: any prompts and data",
    "prompts": "Theorem U*: these prompts, any data",
    "public_data": "public data as an anchor, any private data",
    "trust": "how much each entity trusts the pool",
    "knowledge": "Theorem K: what entities know of what they publish",
    "knowledge_refined": "Theorem K and who reads whom",
    "knowledge_sharp": "Theorem K for one pool",
    "lemma1": "Lemma 1",
    "lemma1_beyond": "Lemma 1 without β ≤ λ",
    "lemma1_extended": "Lemma 1 with weights of its own per entity",
    "common_prompts": "common prompts",
}


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
        from ..theory import Weights, load_ecosystem, summarize_stability

        ecosystem = load_ecosystem(self.eco)
        weights = Weights(*parse_weights(self.alpha, self.beta, ecosystem.entities))
        summary = summarize_stability(ecosystem, weights, load_workflow(self.workflow))
        bounds = summary.bounds()
        if self.json:
            print_json(_json(summary, bounds))
            return
        print_table(
            f"stability: spectral radius {shown(summary.spectral_radius)}",
            ["bound of ρ", "value", "verdict"],
            ((title, bounds[name].value, bounds[name].verdict) for name, title in _TITLES.items()),
            sentences=("bound of ρ", "verdict"),
        )
        for line in _advice(summary):
            print(line)


def _json(summary: StabilitySummary, bounds: dict[str, StabilityBound]) -> dict[str, object]:
    """The result for programs."""
    return {
        "spectral_radius": summary.spectral_radius,
        "nu": summary.prompts.nu,
        "nu_upper": summary.prompts.nu_upper,
        "worst_private_data": summary.prompts.attained,
        "kappa": summary.knowledge.kappa,
        "bounds": {
            name: {"bound": bounds[name].value, "verdict": bounds[name].verdict, "applies": bounds[name].applies}
            for name in _TITLES
        },
        "distance": {"knowledge": summary.knowledge.change, "public_data": summary.anchor.change},
    }


def _verdict(radius: Array) -> str:
    """What the spectral radius says about a limit."""
    from crossfeed.formulas.stein import has_limit

    if radius != radius:
        return "no spectral radius: the training data of an entity are too ill-conditioned for float64"
    if has_limit(radius):
        return "training has a limit: ρ < 1, computed exactly; bounds below 1 prove it from less"
    return "training has no limit: ρ is not below 1"


def _advice(summary: StabilitySummary) -> list[str]:
    """Sentences on the worst case and the distance to safety."""
    prompts, knowledge = summary.prompts, summary.knowledge
    worst, factor, public = (float(x) for x in (prompts.attained, knowledge.change, summary.anchor.change))
    lines = [_verdict(summary.spectral_radius)]
    if isfinite(worst):
        lines.append(
            f"worst case: with these prompts, some private data give ρ = {shown(worst)}, and none more than "
            f"{shown(prompts.bound)} (ν between {shown(prompts.nu)} and {shown(prompts.nu_upper)})"
        )
    if isfinite(factor):
        verb = "excludes growth once" if factor > 1 else "still excludes growth if"
        lines.append(
            f"knowledge: every entity knows at least {shown(knowledge.kappa.min())} times what it publishes "
            f"(the least κ); Theorem K {verb} (1-α)/α, or all real data, are multiplied by {shown(factor)}, "
            "or synthetic data divided by it"
        )
    if public == 0:
        lines.append("public data: none are needed, since with these prompts nothing can grow whatever entities know")
    elif isfinite(public):
        lines.append(
            f"public data: {shown(public)} times what there is {'would exclude' if public > 1 else 'excludes'} growth "
            "whatever entities know"
        )
    elif public == inf:
        lines.append("public data: they do not cover all that is published, so no amount of them excludes growth")
    return lines
