"""Lemma 1 for random ecosystems within its condition; `lemma1_proof` has the general proof."""

import random
from collections.abc import Callable, Sequence
from typing import NamedTuple

from flint import fmpq

from ..certified import enclose_spectral_radius
from ..exact import random_gram, random_rational
from ..ledger import Finding, check
from ..lemma1 import compare_with_bound
from ..rational import RationalEcosystem, consensus_feedback


class Setting(NamedTuple):
    """λ, α and β of a test ecosystem."""

    mixing: fmpq
    alpha: fmpq
    beta: fmpq


def mixture(
    rng: random.Random, setting: Setting, private_ranks: Sequence[int], public_rank: int, size: int
) -> tuple[RationalEcosystem, fmpq]:
    """A random ecosystem with γS_k = λS~_k + (1-λ)S_* and unequal shares; and γ."""
    private = [random_gram(rng, size, rank) for rank in private_ranks]
    public, scale, count = random_gram(rng, size, public_rank), random_rational(rng), len(private_ranks)
    published = [(setting.mixing * s + (1 - setting.mixing) * public) / scale for s in private]
    shares = [random_rational(rng) for _ in private]
    whole = sum(shares, fmpq(0))
    weights = [setting.alpha] * count, [setting.beta] * count
    return RationalEcosystem(private, public, published, [s / whole for s in shares], *weights), scale


SHAPES = [((1,), 1, 2), ((2, 1), 0, 3), ((1, 1, 1), 1, 3), ((3, 2), 3, 3), ((1, 2, 3, 1), 2, 4)]
"""Ranks of the private data, rank of the public data, and d."""


@check(
    "lemma1",
    "certified",
    lambda rng: Setting(mixing := random_rational(rng), random_rational(rng), mixing * random_rational(rng)),
    mutations={
        "β > λ (here β = 1)": lambda rng: Setting(random_rational(rng), random_rational(rng), fmpq(1)),
        "β = 0": lambda rng: Setting(fmpq(1), random_rational(rng), fmpq(0)),
        "α = 1": lambda rng: Setting(mixing := random_rational(rng), fmpq(1), mixing),
    },
)
def stable_under_condition(formula: Callable[[random.Random], Setting]) -> Finding:
    """Ball arithmetic encloses ρ(Q) for 25 random rational ecosystems that satisfy the condition (K = 1 … 4,
    d = 2 … 4, ranks from 0, unequal shares). The claims that it rests on prove the general case."""
    rng, largest = random.Random(11), 0.0
    for trial in range(25):
        ranks, public, size = SHAPES[trial % len(SHAPES)]
        ecosystem, _ = mixture(rng, formula(rng), ranks, public, size)
        found = enclose_spectral_radius(consensus_feedback(ecosystem))
        if found.verdict != "stable":
            place = f"K = {len(ranks)}, d = {size}, private ranks {ranks}, public rank {public}"
            return Finding(False, f"ρ(Q) is {found.verdict}: at least {found.lower:.6f} ({place})")
        largest = max(largest, found.upper)
    return Finding(True, f"ρ(Q) < 1 proved for 25 random rational ecosystems; the largest is below {largest:.6f}")


@check(
    "lemma1.bound",
    "certified",
    fmpq(1),
    mutations={"1/(1 + 2εδ)": fmpq(2), "1/(1 + 1.1 εδ)": fmpq(11, 10)},
)
def explicit_bound(formula: fmpq) -> Finding:
    """Ball arithmetic compares ρ(Q) with 1/(1 + εδ), and common roots of the characteristic polynomials establish
    equality, for 10 random rational ecosystems within the condition (K = 1 … 4, d = 2 … 4, ranks from 0). The
    formula is the factor of εδ. The lines of Lemma 1's proof cover the general case."""
    rng, verdicts = random.Random(12), []
    for trial in range(10):
        ranks, public, size = SHAPES[trial % len(SHAPES)]
        mixing = random_rational(rng)
        setting = Setting(mixing, random_rational(rng), mixing * random_rational(rng))
        eco, scale = mixture(rng, setting, ranks, public, size)
        verdict, slack = compare_with_bound(eco, mixing, scale, formula)
        if verdict == "above":
            return Finding(False, f"ρ(Q) exceeds the bound by at least {-slack[1]:.3g} (K = {len(ranks)}, d = {size})")
        verdicts.append(verdict)
    counts = ", ".join(f"{verdicts.count(verdict)} {verdict}" for verdict in dict.fromkeys(verdicts))
    return Finding(None if "undecided" in verdicts else True, f"ρ(Q) relative to 1/(1 + εδ) in 10 ecosystems: {counts}")
