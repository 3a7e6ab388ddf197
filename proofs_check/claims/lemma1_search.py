"""Search for counterexamples to Lemma 1 among random ecosystems, and an ecosystem that attains its bound, decided
exactly."""

from functools import cache
from typing import NamedTuple

import numpy as np
from flint import fmpq

from ..ledger import Finding, check
from ..lemma1 import OUTSIDE, BoundVerdict, Draw, Sizes, Survey, compare_with_bound, draw_number, survey
from ..rational import rational, rational_ecosystem

_SEED, _TRIALS, _SIZES = 4, 4096, Sizes(1, 8, 1, 8)
_UNRELATED, _LARGE_BETA = range(len(OUTSIDE))
_DECIDED = 16  # number of largest ρ(Q) with β > λ decided exactly


@cache
def _survey() -> Survey:
    """The survey of random trials that both checks use."""
    return survey(_SEED, _TRIALS, _SIZES)


def _compare(drawn: Draw, factor: fmpq) -> tuple[BoundVerdict, tuple[float, float]]:
    """Position of ρ(Q) relative to 1/(1 + `factor` εδ) for exactly the numbers drawn, and bounds on the difference."""
    mixing, scale = rational(float(drawn.mixing)), rational(float(drawn.scale))
    return compare_with_bound(rational_ecosystem(*drawn.trimmed()), mixing, scale, factor)


class Condition(NamedTuple):
    """Lemma 1's condition, complete or weakened, and the factor of εδ in its bound."""

    beta_at_most_mixing: bool = True
    mixture: bool = True
    factor: fmpq = fmpq(1)


@check(
    "lemma1.searched",
    "searched",
    Condition(),
    mutations={
        "β > λ": Condition(beta_at_most_mixing=False),
        "S not a mixture of S~ and S_*": Condition(mixture=False),
        "2 εδ": Condition(factor=fmpq(2)),
    },
    quick=False,
)
def never_violated(formula: Condition) -> Finding:
    """ρ(Q) against 1/(1 + εδ) for 4096 random ecosystems within the condition, drawn without rounding (K, d ≤ 8,
    ranks from 1, singular S_*, λ = 1 and β = λ included, half ill-conditioned). The smallest slacks and all
    counterexamples are decided exactly."""
    found = _survey()
    if not formula.mixture:
        worst = found.worst
        unstable = worst is not None and int(worst.drawn.kind) == _UNRELATED and worst.enclosure.verdict == "unstable"
        return Finding(not unstable, "an ecosystem with unrelated prompts is certified to be unstable")
    if not formula.beta_at_most_mixing:
        order = np.argsort(np.where(found.outside.kind == _LARGE_BETA, -found.radius_outside, np.inf), kind="stable")
        drawn = [(int(n), draw_number(_SEED, int(n), _SIZES, False)) for n in order[:_DECIDED]]
        return _first_above(drawn, formula.factor)
    if formula.factor != 1:
        return _first_above([(found.extremal.number, found.extremal.drawn)], formula.factor)
    counts = ", ".join(f"{count} {verdict}" for verdict, count in found.decided.items())
    says = f"{_TRIALS} ecosystems; the {sum(found.decided.values())} nearest to the bound, decided exactly: {counts}"
    if "above" in found.decided:
        return Finding(False, says)
    return Finding(True if set(found.decided) <= {"below", "attained"} else None, says)


def _first_above(drawn: list[tuple[int, Draw]], factor: fmpq) -> Finding:
    """Refutation by the first of these ecosystems that is certified to lie above the bound; undecided if there is
    none."""
    for number, ecosystem in drawn:
        verdict, slack = _compare(ecosystem, factor)
        if verdict == "above":
            return Finding(False, f"trial {number} is certified to lie above the bound, by at least {-slack[1]:.3g}")
    return Finding(None, "no ecosystem tested lies above the bound")


@check(
    "lemma1.attained",
    "certified",
    fmpq(1),
    mutations={"1.01 εδ": fmpq(101, 100), "0.99 εδ": fmpq(99, 100)},
    quick=False,
)
def attained(formula: fmpq) -> Finding:
    """In the extremal trial of lemma1.searched, the characteristic polynomial of H and that of the ε blocks,
    transformed by x → 1/(1+δx), are tested for a common root of largest modulus."""
    extremal = _survey().extremal
    entities, size = int(extremal.drawn.entities), int(extremal.drawn.features)
    if entities > 1 and _compare(extremal.drawn, formula)[0] == "attained":
        return Finding(True, f"ρ(Q) equals the bound in trial {extremal.number}: K = {entities}, d = {size}")
    return Finding(False, f"ρ(Q) does not equal the bound in trial {extremal.number}: K = {entities}, d = {size}")
