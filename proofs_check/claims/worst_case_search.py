"""Theorem U searched by gradient ascent, and what the search found, certified."""

from functools import cache

import jax
from flint import arb, ctx, fmpq, fmpq_mat

from ..certified import certify, enclose_spectral_radius
from ..ledger import Finding, check
from ..rational import RationalEcosystem, consensus_feedback
from ..worst_case import ascend, snap

_SIZES = (2, 3, 4, 5)
_STARTS, _STEPS = 8, 300
_ROUNDING = 1e-9
_BITS = 128


def _universal(size: int) -> arb:
    return (1 + arb(size).sqrt()) / 2


def _times(factor: fmpq):
    return lambda size: factor * _universal(size)


@cache
def _searched(size: int):
    """The largest ρ(Q) met by gradient ascent, and an enclosure of it at the best end, rounded to short fractions."""
    found = jax.jit(lambda key: ascend(key, size, _STARTS, _STEPS))(jax.random.key(size))
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
def never_above(formula) -> Finding:
    """Gradient ascent on ρ(Q) over S_k, S~_k, S_*, shares, α_k and β_k at once, K = d = 2 … 5, from 8 starts each whose free
    numbers are independent standard normals: the largest ρ(Q) met anywhere on the way. What passes a bound is certified."""
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
                return Finding(None, f"m = {size}: ascent met {highest:.9f}, above {float(bound):.9f}, not certified")
            says.append(f"{highest / float(bound):.5f} (m = {size})")
    return Finding(True, f"the largest ρ(Q) met, over the bound: {', '.join(says)}")


@check(
    "theoremU.reached",
    "certified",
    fmpq(999, 1000),
    mutations={"1.001 of the bound": fmpq(1001, 1000), "the bound itself": fmpq(1)},
    quick=False,
)
def reached(formula) -> Finding:
    """The best end of the ascents for each m, rounded to short binary fractions with α = 1/2, β = 1, S_* = 0 and equal shares;
    ρ(Q) of exactly these numbers enclosed by balls."""
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


def _witness(strength: int, known) -> RationalEcosystem:
    """K = d = 2, α = 1/2, β = 1: entity j publishes on e_j; `known` are the directions of its private data."""
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
        "knows what it publishes about": (169, ((1, 0), (0, 1)), fmpq(6, 5)),
        "no private data": (0, ((5, -12), (-12, 5)), fmpq(6, 5)),
    },
)
def witness(formula) -> Finding:
    """Balls around ρ(Q) for S_1 = 2e_1e_1', S_2 = 2e_2e_2', S~_1 = uu' with u = (5, -12), S~_2 = vv' with v = (-12, 5), S_* = 0,
    α = 1/2, β = 1; ranks of G_1 and G_2 in rational arithmetic."""
    strength, known, least = formula
    ecosystem = _witness(strength, known)
    full = all(ecosystem.training_gram(k).rank() == 2 for k in range(2))
    enclosure = enclose_spectral_radius(consensus_feedback(ecosystem))
    with ctx.workprec(_BITS):
        above = arb(enclosure.lower) > arb(least)
    says = f"ρ(Q) in [{enclosure.lower:.12f}, {enclosure.upper:.12f}], G {'of full rank' if full else 'singular'}"
    return Finding(bool(full and above), says)
