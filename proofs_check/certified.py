"""Spectral radii proved, not estimated: ball arithmetic (Arb, by python-flint) on matrices that are exactly rational.

A ball holds a number with a bound on its error, and every operation keeps the bound true: an eigenvalue's ball that lies
beyond one proves that training diverges. Where balls cannot separate eigenvalues, the exact characteristic polynomial and its
isolated roots decide, also whether ρ is exactly one.
"""

import math
from dataclasses import dataclass
from typing import Literal

from flint import acb, acb_mat, arb, arb_mat, ctx, fmpq_mat, fmpq_poly

from ..theory import Ecosystem, Weights
from .rational import consensus_feedback, rational_ecosystem

_PRECISIONS = (64, 128, 256, 512, 1024)  # bits, until the radius is told from one
_WIDTH = 1e-12  # of an enclosure that is not worth refining
_MOST_EXACT = 64  # size of a matrix whose characteristic polynomial is worth having

Verdict = Literal["stable", "unit", "unstable", "undecided"]


@dataclass(frozen=True)
class Enclosure:
    """A proved statement on a spectral radius.

    Attributes:
        lower: ρ is at least this.
        upper: ρ is at most this.
        verdict: stable if ρ < 1 is proved, unstable if ρ > 1, unit if ρ = 1; undecided if none is.
        bits: of the balls that proved it.
    """

    lower: float
    upper: float
    verdict: Verdict
    bits: int


def certify(ecosystem: Ecosystem, weights: Weights) -> Enclosure:
    """Enclose ρ(Q) of an ecosystem, for exactly the numbers its floats are (see `rational_ecosystem`).

    Raises:
        InvalidInput: the weights are not constant over generations.
    """
    return enclose_spectral_radius(consensus_feedback(rational_ecosystem(ecosystem, weights)))


def enclose_spectral_radius(matrix: fmpq_mat) -> Enclosure:
    """Enclose the spectral radius of a square rational matrix and tell it from one, if that can be done."""
    best = Enclosure(0.0, math.inf, "undecided", 0)
    for bits in _PRECISIONS:
        with ctx.workprec(bits):
            moduli = [abs(value) for value in eigenvalues(matrix)]
            found = _enclosure(moduli, bits)
        if found.upper - found.lower <= best.upper - best.lower:
            best = found
        if best.verdict != "undecided" and best.upper - best.lower <= _WIDTH:
            return best
    if best.verdict == "undecided" and matrix.nrows() <= _MOST_EXACT and _radius_is_one(matrix.charpoly()):
        return Enclosure(1.0, 1.0, "unit", best.bits)
    return best


def eigenvalues(matrix: fmpq_mat) -> list[acb]:
    """All eigenvalues, each in a ball at the present precision, as often as it counts; NaN where none could be enclosed."""
    try:
        return acb_mat(arb_mat(matrix)).eig(multiple=True)
    except ValueError:  # nearly defective
        if matrix.nrows() > _MOST_EXACT:
            return [acb("nan")]
        return isolated_roots(matrix.charpoly())


def isolated_roots(polynomial: fmpq_poly) -> list[acb]:
    """All roots, each in a ball that holds no other, as often as it counts."""
    roots: list[tuple[acb, int]] = polynomial.complex_roots()  # pyright: ignore[reportAssignmentType]
    return [root for root, multiplicity in roots for _ in range(multiplicity)]


def largest(values: list[arb]) -> arb:
    """The ball of the largest of several numbers."""
    top = values[0]
    for value in values[1:]:
        top = top.max(value)
    return top


def smallest(values: list[arb]) -> arb:
    """The ball of the smallest of several numbers."""
    return -largest([-value for value in values])


def outward(ball: arb) -> tuple[float, float]:
    """Floats below and above a ball."""
    if not ball.is_finite():
        return -math.inf, math.inf
    return math.nextafter(float(ball.lower()), -math.inf), math.nextafter(float(ball.upper()), math.inf)


def _enclosure(moduli: list[arb], bits: int) -> Enclosure:
    radius = largest(moduli)
    if not radius.is_finite():
        return Enclosure(0.0, math.inf, "undecided", bits)
    lower, upper = outward(radius)
    verdict = "stable" if radius < 1 else "unstable" if radius > 1 else "undecided"
    return Enclosure(max(lower, 0.0), upper, verdict, bits)


def _radius_is_one(polynomial: fmpq_poly) -> bool:
    """Whether the largest modulus of the roots is proved to be exactly one.

    With z on the unit circle, 1/z̄ = z is a root of the reversed polynomial too: the common factor of both has all such roots.
    A ball that holds one root z of that factor, and whose reflection 1/z̄ meets no other root's ball, holds 1/z̄ as well;
    as these are then the same root, |z| = 1.
    """
    reverse = fmpq_poly(list(reversed(polynomial.coeffs())))
    common = polynomial.gcd(reverse)
    with ctx.workprec(_PRECISIONS[-1]):
        shared = isolated_roots(common // common.gcd(common.derivative()))
        others = isolated_roots(polynomial // common)
    on_circle = [_is_its_reflection(root, shared) for root in shared]
    inside = all(proved or abs(root) < 1 for root, proved in zip(shared, on_circle, strict=True))
    return any(on_circle) and inside and all(abs(root) < 1 for root in others)


def _is_its_reflection(root: acb, roots: list[acb]) -> bool:
    reflected = 1 / root.conjugate()
    return [ball.overlaps(reflected) for ball in roots] == [ball is root for ball in roots]
