"""Spectral radius of one ecosystem, and bounds of it, by NumPy or by JAX."""

from __future__ import annotations

from functools import partial
from math import inf, isfinite
from pathlib import Path
from typing import TYPE_CHECKING

from .inputs import blaming, read_inputs
from .numpy_or_jax import by_numpy_or_jax, compiled, state_size
from .output import print_json, print_table, shown

if TYPE_CHECKING:
    from crossfeed.formulas.ecosystem import Ecosystem
    from crossfeed.formulas.shapes import Array
    from crossfeed.formulas.stability.summary import StabilityBound, StabilitySummary
    from crossfeed.formulas.weights import Weights
    from crossfeed.formulas.workflow import Workflow

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

# In units of operations of which NumPy takes a second or two for 10⁸; those of products alone are many times faster.
_ASCENTS, _DECOMPOSITIONS, _PRODUCTS = 200, 8, 100


def print_stability(
    eco: Path,
    alpha: tuple[float, ...],
    beta: tuple[float, ...],
    workflow_file: Path | None = None,
    json: bool = False,
) -> None:
    """Print the spectral radius, all bounds of it, and the distance to safety; the arguments are those of `crossfeed stability`."""
    from crossfeed.formulas.stability.summary import summarize_stability

    arguments = ecosystem, weights, workflow = read_inputs(eco, alpha, beta, workflow_file)
    with blaming(workflow_file):
        by_jax = partial(compiled, summarize_stability, *arguments)
        summary = by_numpy_or_jax(lambda: summarize_stability(*arguments), by_jax, _operations(ecosystem, workflow))
    bounds = summary.bounds()
    if json:
        print_json(_json(summary, bounds))
        return
    print_table(
        f"stability: spectral radius {shown(summary.spectral_radius)}",
        ["bound of ρ", "value", "verdict"],
        ((title, bounds[name].value, bounds[name].verdict) for name, title in _TITLES.items()),
        sentences=("bound of ρ", "verdict"),
    )
    for line in _advice(summary, weights):
        print(line)


def _operations(ecosystem: Ecosystem, workflow: Workflow) -> int:
    """Operations that the bounds take, roughly."""
    entities, size = ecosystem.entities, ecosystem.dimension
    ascents = _ASCENTS * (size**3 + entities * size**2)
    return ascents + _DECOMPOSITIONS * entities * size**3 + _PRODUCTS * state_size(ecosystem, workflow) ** 3


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


def _advice(summary: StabilitySummary, weights: Weights) -> list[str]:
    """Sentences on the worst case and the distance to safety."""
    prompts, knowledge = summary.prompts, summary.knowledge
    worst, factor, public = (float(x) for x in (prompts.attained, knowledge.change, summary.anchor.change))
    lines = [_verdict(summary.spectral_radius)]
    reads, trusts = weights.alpha > 0, (weights.alpha < 1) & (weights.beta < 1)
    if not reads.any():
        return [*lines, "no entity reads the pool (α = 0), so no error is passed on, whatever the data"]
    if isfinite(worst):
        least, most = shown(prompts.nu), shown(prompts.nu_upper)
        lines.append(
            f"worst case: with these prompts, some private data give ρ = {shown(worst)}, and none more than "
            f"{shown(prompts.bound)} (ν {'is ' + least if least == most else f'between {least} and {most}'})"
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
    elif public == inf and (reads & ~trusts).any():
        lines.append(
            "public data: they have no weight for an entity that reads the pool (α or β is 1), so no amount of them excludes growth"
        )
    elif public == inf:
        lines.append("public data: they do not cover all that is published, so no amount of them excludes growth")
    return lines
