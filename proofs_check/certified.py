"""Rigorous enclosures of spectral radii, by ball arithmetic (Arb, through python-flint) on exactly rational matrices.

A ball is an approximate number with a bound on its error, and every operation keeps the bound valid: an eigenvalue
whose ball lies entirely outside the unit circle proves that training diverges. Where balls cannot separate ρ from one,
the exact characteristic polynomial and its isolated roots decide, including whether ρ is exactly one.
"""

import math
from dataclasses import dataclass
from typing import Literal

from flint import acb, acb_mat, arb, arb_mat, ctx, fmpq_mat, fmpq_poly

from ..theory import Ecosystem, Weights
from .rational import consensus_feedback, rational_ecosystem

_PRECISIONS = (64, 128, 256, 512, 1024)  # bits, tried in turn until ρ is separated from one
_WIDTH = 1e-12  # an enclosure narrower than this is not refined further
_MOST_EXACT = 64  # largest matrix size for which the characteristic polynomial is affordable

Verdict = Literal["stable", "unit", "unstable", "undecided"]


@dataclass(frozen=True)
class Enclosure:
    """Proved bounds on a spectral radius.

    Attributes:
        lower: a lower bound on ρ.
        upper: an upper bound on ρ.
        verdict: "stable" if ρ < 1 is proved, "unstable" if ρ > 1, "unit" if ρ = 1, and "undecided" otherwise.
        bits: precision of the ball arithmetic that gave the bounds.
    """

    lower: float
    upper: float
    verdict: Verdict
    bits: int


def certify(ecosystem: Ecosystem, weights: Weights) -> Enclosure:
    """Enclosure of ρ(Q) for the exact rational values of an ecosystem's floats (see `rational_ecosystem`).

    Raises:
        InvalidInput: the weights are not constant over generations.
    """
    return enclose_spectral_radius(consensus_feedback(rational_ecosystem(ecosystem, weights)))


def enclose_spectral_radius(matrix: fmpq_mat) -> Enclosure:
    """Enclosure of the spectral radius of a square rational matrix, separated from one where possible."""
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
    """All eigenvalues with multiplicity, as balls at the current precision; one NaN if they could not be enclosed."""
    try:
        return acb_mat(arb_mat(matrix)).eig(multiple=True)
    except ValueError:  # nearly defective
        if matrix.nrows() > _MOST_EXACT:
            return [acb("nan")]
        return isolated_roots(matrix.charpoly())


def isolated_roots(polynomial: fmpq_poly) -> list[acb]:
    """All roots with multiplicity, each in a ball that contains no other root."""
    roots: list[tuple[acb, int]] = polynomial.complex_roots()  # pyright: ignore[reportAssignmentType]
    return [root for root, multiplicity in roots for _ in range(multiplicity)]


def largest(values: list[arb]) -> arb:
    """A ball that contains the maximum of the numbers enclosed."""
    top = values[0]
    for value in values[1:]:
        top = top.max(value)
    return top


def smallest(values: list[arb]) -> arb:
    """A ball that contains the minimum of the numbers enclosed."""
    return -largest([-value for value in values])


def outward(ball: arb) -> tuple[float, float]:
    """A float below and a float above every number in a ball."""
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

    A root z on the unit circle satisfies 1/z̄ = z, so it is also a root of the reversed polynomial, and the greatest
    common divisor of the two has all such roots. If a ball contains exactly one root z of that divisor, and the
    reflected ball, which contains 1/z̄, meets the ball of no other root, then 1/z̄ is the same root, hence |z| = 1.
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
    """Whether the reflection of a root in the unit circle can only be that root itself."""
    reflected = 1 / root.conjugate()
    return [ball.overlaps(reflected) for ball in roots] == [ball is root for ball in roots]
