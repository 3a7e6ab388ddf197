"""Stability of one pool: Theorem U for given prompts, and Lemma 1 for entities with weights and mixtures of their own.

Their general proofs are the formal ones (docs/formal.md). The checks here decide examples that attain the bounds.
"""

import random
from collections.abc import Callable, Sequence

from flint import fmpq, fmpq_mat

from ..exact import gram, identity, is_stable, outer, random_gram, random_matrix, random_rational
from ..ledger import Finding, check
from ..rational import RationalEcosystem, consensus_feedback, pseudo_inverse, total
from ..workflow_rows import random_shares
from .theorem_u_tight import near_worst_case

_ROUNDING = 1 + fmpq(1, 10**9)


@check(
    "theoremU.prompts",
    "exact",
    lambda nu: (1 + nu) / 2,
    mutations={"ν/2": lambda nu: nu / 2, "(1 + ν)/3": lambda nu: (1 + nu) / 3},
)
def given_prompts(formula: Callable[[fmpq], fmpq]) -> Finding:
    """The Stein equation decides ρ(Q) ≤ (1+ν)/2·(1 + 10⁻⁹) for 8 random rational ecosystems with common prompts (ν = 1), and
    for the family of theoremU.tight with disjoint prompts and m = 4 (ν = 2), which approaches it."""
    rng = random.Random(1)
    cases: list[tuple[RationalEcosystem, fmpq]] = [(near_worst_case(4, fmpq(10**6)), fmpq(2))]
    for count, size in ((1, 2), (2, 2), (3, 2), (2, 3)) * 2:
        prompts = random_gram(rng, size, size)
        weights = [[random_rational(rng) for _ in range(count)] for _ in range(2)]
        ecosystem = RationalEcosystem(
            [random_gram(rng, size, rng.randint(0, size)) for _ in range(count)],
            random_gram(rng, size, rng.randint(0, size)),
            [random_rational(rng) * prompts for _ in range(count)],
            random_shares(rng, count),
            *weights,
        )
        cases.append((ecosystem, fmpq(1)))
    for ecosystem, nu in cases:
        if not is_stable(consensus_feedback(ecosystem) / (formula(nu) * _ROUNDING)):
            return Finding(False, f"ρ(Q) exceeds {formula(nu)} for ν = {nu}")
    return Finding(True, "holds for 8 ecosystems with common prompts and for disjoint prompts with m = 4")


@check(
    "theoremU.public",
    "exact",
    lambda root, t: (1 + root) / (2 * (1 + t)),
    mutations={
        "2t": lambda root, t: (1 + root) / (2 * (1 + 2 * t)),
        "(1 + t)²": lambda root, t: (1 + root) / (2 * (1 + t) ** 2),
    },
)
def public_data(formula: Callable[[fmpq, fmpq], fmpq]) -> Finding:
    """The Stein equation decides ρ(Q) ≤ (1+√m)/(2(1+t))·(1 + 10⁻⁹) for the family of theoremU.tight with m = 4 and 9 and S_* =
    sS̲, t = s/2 = 1/2 and 3, at α = β = 1/2, which approaches it."""
    half = fmpq(1, 2)
    for root, t in ((2, half), (2, fmpq(3)), (3, half)):
        size = root**2
        eco = near_worst_case(size, fmpq(10**6))
        halves = [half] * size
        eco = RationalEcosystem(eco.private, 2 * t * identity(size), eco.synthetic, eco.shares, halves, halves)
        if not is_stable(consensus_feedback(eco) / (formula(fmpq(root), t) * _ROUNDING)):
            return Finding(False, f"ρ(Q) exceeds {formula(fmpq(root), t)} for m = {size}, t = {t}")
    return Finding(True, "holds for 3 ecosystems that approach the bound")


def _unequal_bound(
    prompts: Sequence[fmpq_mat], shares: Sequence[fmpq], known: Sequence[fmpq], common: fmpq_mat, factor: int
) -> Finding | None:
    """A finding if ρ(H) exceeds the largest 1/(1 + factor·εδ) for prompts of one row each; None if it does not."""
    grams = [gram(row) for row in prompts]
    whole = total(w * s for w, s in zip(shares, grams, strict=True)) + common
    inverse = whole.inv()
    gaps = [(row * inverse * row.transpose())[0, 0] for row in prompts]
    terms = (w * (s * pseudo_inverse(whole + k * s)) for w, s, k in zip(shares, grams, known, strict=True))
    bound = max(1 / (1 + factor * gap * k) for gap, k in zip(gaps, known, strict=True))
    if is_stable(total(terms) / (bound * _ROUNDING)):
        return None
    return Finding(False, f"ρ(Q) exceeds {float(bound):.6f} (K = {len(prompts)}, d = {common.nrows()})")


@check("lemma1.unequal", "exact", 1, mutations={"1/(1 + 2εδ)": 2})
def unequal(formula: int) -> Finding:
    """The Stein equation decides ρ(Q) ≤ max_k 1/(1 + ε_kδ_k)·(1 + 10⁻⁹) for 8 random rational ecosystems (K = 1 … 4) with
    prompts of one row, for which ε_k = x_k'M⁻¹x_k is rational, and for a lone entity, which attains it."""
    rng = random.Random(2)
    lone = _unequal_bound([identity(1)], [fmpq(1)], [fmpq(1)], fmpq_mat(1, 1), formula)
    if lone:
        return lone
    for count, size in ((1, 2), (2, 2), (3, 2), (4, 3)) * 2:
        common = random_gram(rng, size, size) + outer([1] * size)
        prompts = [random_matrix(rng, 1, size) for _ in range(count)]
        known = [3 * random_rational(rng) for _ in range(count)]
        wrong = _unequal_bound(prompts, random_shares(rng, count), known, common, formula)
        if wrong:
            return wrong
    return Finding(True, "holds for 8 random ecosystems, and is attained by a lone entity")
