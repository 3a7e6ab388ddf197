"""All stability theorems about one ecosystem at once: every bound with its condition, and the distance to safety."""

from functools import singledispatch
from typing import NamedTuple

from ..arrays import is_concrete
from ..ecosystem import Ecosystem
from ..limit import spectral_radius
from ..shapes import Array, Float, Int
from ..weights import Weights
from ..workflow import PAPER, Workflow
from .anchor import AnchorBound, anchor_bound
from .common_prompts import CommonPrompts, common_prompts
from .conditions import CONDITIONS
from .knowledge import KnowledgeBound, knowledge_bound
from .lemma1 import Lemma1, Lemma1Beyond, lemma1, lemma1_beyond
from .lemma1_extended import Lemma1Extended, lemma1_extended
from .prompts import PromptBound, prompt_bound
from .universal import universal_bound

_ROUNDING = 1e-9  # of bounds, which must not call 1 a divergence
_NO_BOUND = float("nan")
_UNKNOWN = "the data are too ill-conditioned for float64"


class PaperStatements(NamedTuple):
    """What is stated about the paper's workflow alone.

    Attributes:
        universal: Theorem U, `universal_bound`.
        lemma1: Lemma 1.
        lemma1_beyond: Lemma 1 without β ≤ λ.
        common_prompts: the criterion for common prompts.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.theory import Weights, summarize_stability, symmetric_ecosystem
        >>> print(summarize_stability(symmetric_ecosystem(2, jnp.eye(3)), Weights(0.5, 0.5)).paper.lemma1.applies)
        True
    """

    universal: Float[Array, ""]
    lemma1: Lemma1
    lemma1_beyond: Lemma1Beyond
    common_prompts: CommonPrompts


class StabilityBound(NamedTuple):
    """A bound of ρ(Q), and what follows from it.

    Attributes:
        value: the bound; NaN if the theorem gives no number.
        applies: whether the theorem says something about the ecosystem.
        verdict: what it says, or why it says nothing.

    Example:
        >>> from crossfeed.theory import StabilityBound
        >>> StabilityBound(0.75, True, "stable").value
        0.75
    """

    value: float
    applies: bool
    verdict: str


class StabilitySummary(NamedTuple):
    """Result of `summarize_stability`.

    Attributes:
        spectral_radius: ρ(Q).
        prompts: Theorem U*, for these prompts.
        anchor: public data as an anchor; `anchor.change` is the factor of public data that excludes growth.
        knowledge: Theorem K; `knowledge.change` is the factor of all real data that excludes growth.
        lemma1_extended: Lemma 1 with weights of its own per entity.
        paper: statements about the paper's workflow; None for another one, or one whose numbers are traced.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.theory import Weights, summarize_stability, symmetric_ecosystem
        >>> summary = summarize_stability(symmetric_ecosystem(2, jnp.eye(3)), Weights(0.5, 0.5))
        >>> print(f"{summary.spectral_radius:.2f} {summary.knowledge.change:.2f}")
        0.50 0.25
    """

    spectral_radius: Float[Array, ""]
    prompts: PromptBound
    anchor: AnchorBound
    knowledge: KnowledgeBound
    lemma1_extended: Lemma1Extended
    paper: PaperStatements | None

    def bounds(self) -> dict[str, StabilityBound]:
        """Every bound by name, with its verdict; of concrete values only, not under `jit`."""
        found = {
            "prompts": _bound(self.prompts.bound, self.prompts.condition),
            "public_data": _bound(self.anchor.bound_any_private, self.anchor.condition),
            "trust": _bound(self.anchor.bound, self.anchor.condition),
            "knowledge": _bound(self.knowledge.bound, self.knowledge.condition),
            "knowledge_refined": _bound(self.knowledge.refined, self.knowledge.condition),
            "knowledge_sharp": _bound(self.knowledge.sharp, self.prompts.condition),
            "lemma1_extended": _bound(self.lemma1_extended.bound, self.lemma1_extended.condition),
        }
        if (paper := self.paper) is None:
            names = ("universal", "lemma1", "lemma1_beyond", "common_prompts")
            return found | dict.fromkeys(names, _bound(_NO_BOUND, CONDITIONS.workflow))
        return found | {
            "universal": _bound(paper.universal, CONDITIONS.applies),
            "lemma1": _bound(paper.lemma1.bound, paper.lemma1.condition),
            "lemma1_beyond": _bound(paper.lemma1_beyond.bound, paper.lemma1_beyond.condition),
            "common_prompts": _criterion(paper.common_prompts),
        }


def summarize_stability(ecosystem: Ecosystem, weights: Weights, workflow: Workflow = PAPER) -> StabilitySummary:
    """Spectral radius of an ecosystem, every bound of it with its condition, and the distance to safety.

    The distance is the smallest change that excludes exponential growth: of all real data or (1-α)/α by Theorem K
    (`knowledge.change`), and of public data whatever entities know (`anchor.change`).

    Args:
        ecosystem: the ecosystem.
        weights: weights that are constant over generations, of shape () or (K).
        workflow: estimator, pool and memory; the paper's if not given.

    Returns:
        The result of every theorem; `bounds()` lists their numbers with verdicts.

    Raises:
        InvalidInput: the weights change between generations, their shape does not fit K, or the memory keeps all pools.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.theory import Weights, summarize_stability, symmetric_ecosystem
        >>> summary = summarize_stability(symmetric_ecosystem(2, jnp.eye(3)), Weights(0.5, 0.5))
        >>> print(summary.bounds()["prompts"].verdict)
        no exponential growth
    """
    return every_theorem(ecosystem, weights, workflow, is_concrete(workflow) and workflow == PAPER)


@singledispatch
def every_theorem(ecosystem: Ecosystem, weights: Weights, workflow: Workflow, paper: bool) -> StabilitySummary:
    """Result of every theorem.

    Args:
        ecosystem: the ecosystem.
        weights: weights that are constant over generations, of shape () or (K).
        workflow: estimator, pool and memory.
        paper: whether that is the paper's.
    """
    return StabilitySummary(
        spectral_radius=spectral_radius(ecosystem, weights, workflow),
        prompts=prompt_bound(ecosystem, workflow),
        anchor=anchor_bound(ecosystem, weights, workflow),
        knowledge=knowledge_bound(ecosystem, weights, workflow),
        lemma1_extended=lemma1_extended(ecosystem, weights, workflow),
        paper=_of_paper(ecosystem, weights) if paper else None,
    )


def _of_paper(ecosystem: Ecosystem, weights: Weights) -> PaperStatements:
    return PaperStatements(
        universal=universal_bound(ecosystem),
        lemma1=lemma1(ecosystem, weights),
        lemma1_beyond=lemma1_beyond(ecosystem, weights),
        common_prompts=common_prompts(ecosystem, weights),
    )


def _bound(value: Float[Array, ""] | float, condition: Int[Array, ""] | int) -> StabilityBound:
    """What a bound proves, or why there is none."""
    number = float(value)
    if number != number:
        return StabilityBound(number, False, CONDITIONS[condition] or _UNKNOWN)
    if number < 1 - _ROUNDING:
        return StabilityBound(number, True, "stable")
    return StabilityBound(
        number, True, "no exponential growth" if number <= 1 + _ROUNDING else "leaves divergence open"
    )


def _criterion(found: CommonPrompts) -> StabilityBound:
    """What the criterion decides; it has no number."""
    if reason := CONDITIONS[found.condition]:
        return StabilityBound(_NO_BOUND, False, reason)
    stable = "stable" if found.stable else "real data do not jointly span: errors never die out"
    return StabilityBound(_NO_BOUND, True, stable)
