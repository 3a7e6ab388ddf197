"""`crossfeed stability`: who can diverge, and what prevents it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from .arguments import EcosystemFile, EntityWeights, WorkflowFile
from .inputs import load_workflow, parse_weights
from .output import print_json, print_table, shown

if TYPE_CHECKING:
    import numpy as np
    from jax import Array

    from ..theory import CONDITIONS, Ecosystem, Weights, Workflow

_PAPER_ONLY = "the theorem is about the paper's workflow"
_ROUNDING = 1e-9  # of bounds, which must not call 1 a divergence
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
        import numpy as np

        from ..theory import Weights, load_ecosystem

        ecosystem = load_ecosystem(self.eco)
        weights = Weights(*parse_weights(self.alpha, self.beta, ecosystem.entities))
        numbers, conditions = _examine(ecosystem, weights, load_workflow(self.workflow))
        found = {name: np.asarray(value) for name, value in numbers.items()}
        bounds = _bounds(found, conditions)
        distance = {name: found[f"{name}_change"] for name in ("knowledge", "public_data")}
        if self.json:
            result = {
                name: found[name] for name in ("spectral_radius", "nu", "nu_upper", "worst_private_data", "kappa")
            }
            print_json(result | {"bounds": bounds, "distance": distance})
            return
        print_table(
            f"stability: spectral radius {shown(found['spectral_radius'])}",
            ["bound of ρ", "value", "verdict"],
            ((_TITLES[name], entry["bound"], entry["verdict"]) for name, entry in bounds.items()),
            sentences=("bound of ρ", "verdict"),
        )
        for line in _advice(found):
            print(line)


_Numbers = tuple[dict[str, "Array"], dict[str, "CONDITIONS"]]
"""Numbers by name, and for every bound its condition."""


def _examine(
    ecosystem: Ecosystem, weights: Weights, workflow: Workflow
) -> tuple[dict[str, Array], dict[str, CONDITIONS | str]]:
    """All numbers, and for every bound its condition, or why it is not computed."""
    from ..theory import PAPER

    paper = workflow == PAPER
    numbers, conditions = _program()(ecosystem, weights, workflow, paper)
    refused = {} if paper else dict.fromkeys(("universal", "lemma1", "lemma1_beyond", "common_prompts"), _PAPER_ONLY)
    return numbers, {**conditions, **refused}


@cache
def _program() -> Callable[[Ecosystem, Weights, Workflow, bool], _Numbers]:
    """All of them, compiled once per shape."""
    import equinox as eqx

    def compute(ecosystem: Ecosystem, weights: Weights, workflow: Workflow, paper: bool) -> _Numbers:
        numbers, conditions = _of_any_workflow(ecosystem, weights, workflow)
        more, whether = _of_the_paper(ecosystem, weights) if paper else ({}, {})
        return numbers | more, conditions | whether

    return eqx.filter_jit(compute)


def _of_any_workflow(ecosystem: Ecosystem, weights: Weights, workflow: Workflow) -> _Numbers:
    """Spectral radius and the bounds that know which workflows they cover."""
    from .. import theory

    prompts = theory.prompt_bound(ecosystem, workflow)
    anchor = theory.anchor_bound(ecosystem, weights, workflow)
    knowledge = theory.knowledge_bound(ecosystem, weights, workflow)
    extended = theory.lemma1_extended(ecosystem, weights, workflow)
    numbers = {
        "spectral_radius": theory.spectral_radius(ecosystem, weights, workflow),
        "nu": prompts.nu,
        "nu_upper": prompts.nu_upper,
        "worst_private_data": prompts.attained,
        "prompts": prompts.bound,
        "public_data": anchor.bound_any_private,
        "public_data_change": anchor.change,
        "trust": anchor.bound,
        "kappa": knowledge.kappa,
        "knowledge_change": knowledge.change,
        "knowledge": knowledge.bound,
        "knowledge_refined": knowledge.refined,
        "knowledge_sharp": knowledge.sharp,
        "lemma1_extended": extended.bound,
    }
    conditions = {
        "prompts": prompts.condition,
        "public_data": anchor.condition,
        "trust": anchor.condition,
        "knowledge": knowledge.condition,
        "knowledge_refined": knowledge.condition,
        "knowledge_sharp": prompts.condition,
        "lemma1_extended": extended.condition,
    }
    return numbers, conditions


def _of_the_paper(ecosystem: Ecosystem, weights: Weights) -> _Numbers:
    """Statements about the paper's workflow alone."""
    from .. import theory

    lemma1, beyond = theory.lemma1(ecosystem, weights), theory.lemma1_beyond(ecosystem, weights)
    common = theory.common_prompts(ecosystem, weights)
    numbers = {
        "universal": theory.universal_bound(ecosystem),
        "lemma1": lemma1.bound,
        "lemma1_beyond": beyond.bound,
        "common_prompts_stable": common.stable,
    }
    conditions = {"lemma1": lemma1.condition, "lemma1_beyond": beyond.condition, "common_prompts": common.condition}
    return numbers, conditions


def _bounds(found: Mapping[str, np.ndarray], conditions: Mapping[str, CONDITIONS | str]) -> dict[str, dict[str, Any]]:
    """Value, verdict and condition of every bound, in the order of the table."""
    from ..theory import CONDITIONS

    entries: dict[str, dict[str, Any]] = {}
    for name in _TITLES:
        condition = conditions.get(name, CONDITIONS.applies)
        reason = condition if isinstance(condition, str) else CONDITIONS[condition]
        value = float(found.get(name, float("nan")))
        if name == "common_prompts":
            stable = bool(found.get("common_prompts_stable", False))
            verdict = reason or ("stable" if stable else "real data do not jointly span: errors never die out")
        else:
            verdict = _verdict(value) if value == value else reason
        entries[name] = {"bound": value, "verdict": verdict, "applies": reason == "" or value == value}
    return entries


def _verdict(bound: float) -> str:
    """What a bound proves."""
    if bound < 1 - _ROUNDING:
        return "stable"
    return "no exponential growth" if bound <= 1 + _ROUNDING else "leaves divergence open"


def _advice(found: Mapping[str, np.ndarray]) -> list[str]:
    """Sentences on the worst case and the distance to safety."""
    import numpy as np

    worst, factor, public = (float(found[n]) for n in ("worst_private_data", "knowledge_change", "public_data_change"))
    radius = found["spectral_radius"]
    lines = [
        "training has a limit: ρ < 1, computed exactly; bounds below 1 prove it from less"
        if radius < 1
        else "training has no limit: ρ is not below 1"
    ]
    if np.isfinite(worst):
        lines.append(
            f"worst case: with these prompts, some private data give ρ = {shown(worst)}, and none more than "
            f"{shown(float(found['prompts']))} (ν between {shown(float(found['nu']))} and {shown(float(found['nu_upper']))})"
        )
    if np.isfinite(factor):
        verb = "excludes growth once" if factor > 1 else "still excludes growth if"
        lines.append(
            f"knowledge: every entity knows at least {shown(float(found['kappa'].min()))} times what it publishes "
            f"(the least κ); Theorem K {verb} (1-α)/α, or all real data, are multiplied by {shown(factor)}, "
            "or synthetic data divided by it"
        )
    if public == 0:
        lines.append("public data: none are needed, since with these prompts nothing can grow whatever entities know")
    elif np.isfinite(public):
        lines.append(
            f"public data: {shown(public)} times what there is {'would exclude' if public > 1 else 'excludes'} growth "
            "whatever entities know"
        )
    elif public == np.inf:
        lines.append("public data: they do not cover all that is published, so no amount of them excludes growth")
    return lines
