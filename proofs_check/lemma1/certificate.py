"""Lemma 1 decided exactly for one ecosystem: its condition in rational arithmetic, ρ(Q) and the bound as balls or roots."""

import math
from dataclasses import dataclass
from typing import Literal

from flint import acb, arb, ctx, fmpq, fmpq_mat, fmpq_poly

from ..certified import Enclosure, enclose_spectral_radius, isolated_roots, largest, outward, smallest
from ..rational import RationalEcosystem, consensus_feedback, pseudo_inverse, rational, rational_ecosystem
from .draws import Draw

_PRECISIONS = (128, 1024)  # bits

ONE = fmpq(1)

BoundVerdict = Literal["below", "attained", "above", "outside the condition", "undecided"]


@dataclass(frozen=True)
class BoundCertificate:
    """What is proved of ρ(Q) and 1/(1 + εδ) for one ecosystem.

    Attributes:
        verdict: whether ρ(Q) is below the bound, equal to it, or above it.
        slack: floats below and above bound - ρ(Q).
        radius: ρ(Q) and whether it is below one.
    """

    verdict: BoundVerdict
    slack: tuple[float, float]
    radius: Enclosure


def certify_bound(drawn: Draw) -> BoundCertificate:
    """Decide ρ(Q) ≤ 1/(1 + εδ) for exactly the numbers that were drawn."""
    ecosystem = rational_ecosystem(*drawn.trimmed())
    mixing, scale = rational(float(drawn.mixing)), rational(float(drawn.scale))
    radius = enclose_spectral_radius(consensus_feedback(ecosystem))
    if not _condition_holds(ecosystem, mixing, scale):
        return BoundCertificate("outside the condition", (math.nan, math.nan), radius)
    return BoundCertificate(*compare_with_bound(ecosystem, mixing, scale), radius)


def compare_with_bound(
    ecosystem: RationalEcosystem, mixing: fmpq, scale: fmpq, factor: fmpq = ONE
) -> tuple[BoundVerdict, tuple[float, float]]:
    """Where ρ(Q) lies of 1/(1 + `factor` εδ), whether the lemma's condition holds or not; and floats around the slack."""
    delta, blocks = _bound_terms(ecosystem, mixing, scale)
    characteristic = consensus_feedback(ecosystem).charpoly()
    spectra = [_without_zeros(block.charpoly()) for block in blocks]
    slack = arb.nan()
    for bits in _PRECISIONS:
        with ctx.workprec(bits):
            found = largest([abs(root) for root in isolated_roots(characteristic)])
            epsilon = smallest([root.real for spectrum in spectra for root in isolated_roots(spectrum)])
            bound = 1 / (1 + epsilon * delta * factor)
            slack = bound - found
            if slack > 0 or slack < 0:
                return "below" if slack > 0 else "above", outward(slack)
            if any(_share_root(characteristic, _mapped(each, delta * factor), bound.union(found)) for each in spectra):
                return "attained", (0.0, 0.0)
    return "undecided", outward(slack)


def _condition_holds(ecosystem: RationalEcosystem, mixing: fmpq, scale: fmpq) -> bool:
    alpha, beta = ecosystem.alpha[0], ecosystem.beta[0]
    uniform = set(ecosystem.alpha) == {alpha} and set(ecosystem.beta) == {beta}
    mixed = all(
        scale * published == mixing * private + (1 - mixing) * ecosystem.public
        for private, published in zip(ecosystem.private, ecosystem.synthetic, strict=True)
    )
    return uniform and mixed and 0 < beta <= mixing <= 1 and 0 < alpha < 1 and scale > 0


def _bound_terms(ecosystem: RationalEcosystem, mixing: fmpq, scale: fmpq) -> tuple[fmpq, list[fmpq_mat]]:
    """δ and S_k Δ⁺ for all k, whose nonzero eigenvalues are those of Δ^{+/2} S_k Δ^{+/2}."""
    alpha, beta = ecosystem.alpha[0], ecosystem.beta[0]
    delta = (1 - alpha) * beta * scale / (alpha * mixing)
    surplus = (1 - alpha) * max(mixing - beta, fmpq(0)) / (alpha * mixing)
    inverse = pseudo_inverse(surplus * ecosystem.public + ecosystem.pool_gram)
    return delta, [gram * inverse for gram in ecosystem.synthetic]


def _without_zeros(polynomial: fmpq_poly) -> fmpq_poly:
    """The polynomial divided by x as often as that goes: its roots but zero."""
    coefficients = polynomial.coeffs()
    lowest = next(i for i, coefficient in enumerate(coefficients) if coefficient != 0)
    return fmpq_poly(coefficients[lowest:])


def _mapped(polynomial: fmpq_poly, delta: fmpq) -> fmpq_poly:
    """The polynomial whose roots are 1/(1 + δx) for every root x, from Σ c_i (1-z)^i (δz)^(n-i)."""
    coefficients = polynomial.coeffs()
    degree = len(coefficients) - 1
    z = fmpq_poly([0, 1])
    total = fmpq_poly([])
    for i, coefficient in enumerate(coefficients):
        total += coefficient * (1 - z) ** i * (delta * z) ** (degree - i)
    return total


def _share_root(first: fmpq_poly, second: fmpq_poly, near: arb) -> bool:
    """Whether the only root of each polynomial whose modulus may lie in a ball is the same for both.

    A root of their common factor is then it, provided that neither has a second root where that one may be.
    """
    shared = [abs(root) for root in _distinct_roots(first.gcd(second)) if abs(root).overlaps(near)]
    if len(shared) != 1:
        return False
    window = near.union(shared[0])
    return all(
        sum(abs(root).overlaps(window) for root in _distinct_roots(polynomial)) == 1 for polynomial in (first, second)
    )


def _distinct_roots(polynomial: fmpq_poly) -> list[acb]:
    return isolated_roots(polynomial // polynomial.gcd(polynomial.derivative()))
