"""Exact decisions on Lemma 1 for one ecosystem: its condition in rational arithmetic, and ρ(Q) against the bound."""

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
    """What is proved about ρ(Q) and the bound 1/(1 + εδ) for one ecosystem.

    Attributes:
        verdict: whether ρ(Q) is below the bound, attains it, or is above it.
        slack: lower and upper bound on the difference 1/(1 + εδ) - ρ(Q).
        radius: enclosure of ρ(Q) and its position relative to one.
    """

    verdict: BoundVerdict
    slack: tuple[float, float]
    radius: Enclosure


def certify_bound(drawn: Draw) -> BoundCertificate:
    """Exact decision of ρ(Q) ≤ 1/(1 + εδ) for the numbers drawn."""
    ecosystem = rational_ecosystem(*drawn.trimmed())
    mixing, scale = rational(float(drawn.mixing)), rational(float(drawn.scale))
    radius = enclose_spectral_radius(consensus_feedback(ecosystem))
    if not _condition_holds(ecosystem, mixing, scale):
        return BoundCertificate("outside the condition", (math.nan, math.nan), radius)
    return BoundCertificate(*compare_with_bound(ecosystem, mixing, scale), radius)


def compare_with_bound(
    ecosystem: RationalEcosystem, mixing: fmpq, scale: fmpq, factor: fmpq = ONE
) -> tuple[BoundVerdict, tuple[float, float]]:
    """The position of ρ(Q) relative to 1/(1 + `factor` εδ), and bounds on the difference.

    The lemma's condition need not hold.
    """
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
    """Whether the ecosystem satisfies Lemma 1's condition with this λ and γ, in rational arithmetic."""
    alpha, beta = ecosystem.alpha[0], ecosystem.beta[0]
    uniform = set(ecosystem.alpha) == {alpha} and set(ecosystem.beta) == {beta}
    mixed = all(
        scale * published == mixing * private + (1 - mixing) * ecosystem.public
        for private, published in zip(ecosystem.private, ecosystem.synthetic, strict=True)
    )
    return uniform and mixed and 0 < beta <= mixing <= 1 and 0 < alpha < 1 and scale > 0


def _bound_terms(ecosystem: RationalEcosystem, mixing: fmpq, scale: fmpq) -> tuple[fmpq, list[fmpq_mat]]:
    """δ, and S_k Δ⁺ for every k, which has the nonzero eigenvalues of Δ^{+/2} S_k Δ^{+/2}."""
    alpha, beta = ecosystem.alpha[0], ecosystem.beta[0]
    delta = (1 - alpha) * beta * scale / (alpha * mixing)
    surplus = (1 - alpha) * max(mixing - beta, fmpq(0)) / (alpha * mixing)
    inverse = pseudo_inverse(surplus * ecosystem.public + ecosystem.pool_gram)
    return delta, [gram * inverse for gram in ecosystem.synthetic]


def _without_zeros(polynomial: fmpq_poly) -> fmpq_poly:
    """The polynomial divided by the highest power of x that divides it, which leaves its nonzero roots."""
    coefficients = polynomial.coeffs()
    lowest = next(i for i, coefficient in enumerate(coefficients) if coefficient != 0)
    return fmpq_poly(coefficients[lowest:])


def _mapped(polynomial: fmpq_poly, delta: fmpq) -> fmpq_poly:
    """The polynomial with roots 1/(1 + δx) for every root x, namely Σ c_i (1-z)^i (δz)^(n-i)."""
    coefficients = polynomial.coeffs()
    degree = len(coefficients) - 1
    z = fmpq_poly([0, 1])
    total = fmpq_poly([])
    for i, coefficient in enumerate(coefficients):
        total += coefficient * (1 - z) ** i * (delta * z) ** (degree - i)
    return total


def _share_root(first: fmpq_poly, second: fmpq_poly, near: arb) -> bool:
    """Whether two polynomials have the same root of modulus near the given ball, and each has only one there.

    A root of their greatest common divisor is that root, provided that neither has a second root whose modulus may lie
    there.
    """
    shared = [abs(root) for root in _distinct_roots(first.gcd(second)) if abs(root).overlaps(near)]
    if len(shared) != 1:
        return False
    window = near.union(shared[0])
    return all(
        sum(abs(root).overlaps(window) for root in _distinct_roots(polynomial)) == 1 for polynomial in (first, second)
    )


def _distinct_roots(polynomial: fmpq_poly) -> list[acb]:
    """All distinct roots, each in a ball that contains no other root."""
    return isolated_roots(polynomial // polynomial.gcd(polynomial.derivative()))
