"""Numerical search for ecosystems that violate Theorem U, and certified results of that search."""

from collections.abc import Callable, Sequence
from functools import cache

import jax
from flint import arb, ctx, fmpq, fmpq_mat

from crossfeed.random_keys import seeded_key

from ..certified import Enclosure, certify, enclose_spectral_radius
from ..ledger import Finding, check
from ..rational import RationalEcosystem, consensus_feedback
from ..worst_case import ascend, snap

_SIZES = (2, 3, 4, 5)
_STARTS, _STEPS = 8, 300
_ROUNDING = 1e-9
_BITS = 128


def _universal(size: int) -> arb:
    """The bound (1 + √m)/2 of Theorem U."""
    return (1 + arb(size).sqrt()) / 2


def _times(factor: fmpq) -> Callable[[int], arb]:
    """The bound of Theorem U times a factor."""
    return lambda size: factor * _universal(size)


@cache
def _searched(size: int) -> tuple[float, Enclosure]:
    """The largest ρ(Q) encountered by gradient ascent, and an enclosure of ρ(Q) at the best end point after
    rounding."""
    found = jax.jit(lambda key: ascend(key, size, _STARTS, _STEPS))(seeded_key(size))
    return float(found.highest.max()), certify(*snap(*found.best()))


@check(
    "theoremU.searched",
    "searched",
    _universal,
    mutations={
        "ρ ≤ 1": lambda size: arb(1),
        "0.999 of the bound": _times(fmpq(999, 1000)),
        "√m/2": lambda m: arb(m).sqrt() / 2,
    },
    quick=False,
)
def never_above(formula: Callable[[int], arb]) -> Finding:
    """Gradient ascent on ρ(Q) over S_k, S~_k, S_*, shares, α_k and β_k jointly, K = d = 2 … 5, from 8 starts each
    whose free parameters are independent standard normals: the largest ρ(Q) encountered is compared with the bound.
    An excess is certified."""
    says = []
    for size in _SIZES:
        highest, enclosure = _searched(size)
        with ctx.workprec(_BITS):
            bound = formula(size)
            if arb(enclosure.lower) > bound:
                return Finding(
                    False, f"m = {size}: ρ(Q) > {enclosure.lower:.6f} is certified, above {float(bound):.6f}"
                )
            if not arb(highest) <= bound + _ROUNDING:
                return Finding(
                    None, f"m = {size}: ascent reached {highest:.9f}, above {float(bound):.9f}, but not certified"
                )
            says.append(f"{highest / float(bound):.5f} (m = {size})")
    return Finding(True, f"the largest ρ(Q) encountered, divided by the bound: {', '.join(says)}")


@check(
    "theoremU.reached",
    "certified",
    fmpq(999, 1000),
    mutations={"1.001 of the bound": fmpq(1001, 1000), "the bound itself": fmpq(1)},
    quick=False,
)
def reached(formula: fmpq) -> Finding:
    """The best end point of the ascents for each m, rounded to short binary fractions with α = 1/2, β = 1, S_* = 0
    and equal shares: ball arithmetic encloses ρ(Q) for exactly these numbers."""
    says = []
    for size in _SIZES:
        enclosure = _searched(size)[1]
        with ctx.workprec(_BITS):
            if not arb(enclosure.lower) >= formula * _universal(size):
                return Finding(
                    False, f"m = {size}: ρ(Q) ≤ {enclosure.upper:.6f}, (1+√m)/2 = {float(_universal(size)):.6f}"
                )
            says.append(f"{enclosure.lower:.4f} (m = {size})")
    return Finding(True, f"certified: ρ(Q) ≥ {', '.join(says)}")


def _witness(strength: int, known: Sequence[Sequence[int]]) -> RationalEcosystem:
    """K = d = 2, α = 1/2, β = 1, where entity j publishes on e_j; `known` gives the directions of the private data."""
    half = fmpq(1, 2)
    return RationalEcosystem(
        [fmpq_mat([[strength * a * b for b in u] for a in u]) for u in known],
        fmpq_mat(2, 2),
        [fmpq_mat([[2, 0], [0, 0]]), fmpq_mat([[0, 0], [0, 2]])],
        [half, half],
        [half, half],
        [fmpq(1), fmpq(1)],
    )


@check(
    "theoremU.witness",
    "certified",
    (1, ((5, -12), (-12, 5)), fmpq(6, 5)),
    mutations={
        "ρ > (1+√2)/2": (1, ((5, -12), (-12, 5)), fmpq(12072, 10000)),
        "private data in the directions of the prompts": (169, ((1, 0), (0, 1)), fmpq(6, 5)),
        "no private data": (0, ((5, -12), (-12, 5)), fmpq(6, 5)),
    },
)
def witness(formula: tuple[int, Sequence[Sequence[int]], fmpq]) -> Finding:
    """Ball arithmetic encloses ρ(Q) for S_1 = 2e_1e_1', S_2 = 2e_2e_2', S~_1 = uu' with u = (5, -12), S~_2 = vv'
    with v = (-12, 5), S_* = 0, α = 1/2, β = 1; the ranks of G_1 and G_2 are computed in rational arithmetic."""
    strength, known, least = formula
    ecosystem = _witness(strength, known)
    full = all(ecosystem.training_gram(k).rank() == 2 for k in range(2))
    enclosure = enclose_spectral_radius(consensus_feedback(ecosystem))
    with ctx.workprec(_BITS):
        above = arb(enclosure.lower) > arb(least)
    says = f"ρ(Q) in [{enclosure.lower:.12f}, {enclosure.upper:.12f}], G {'of full rank' if full else 'singular'}"
    return Finding(bool(full and above), says)
