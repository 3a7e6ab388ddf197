"""Growth in networks of readers without any real data (theory.md, section 3)."""

from collections.abc import Sequence
from dataclasses import dataclass

from flint import fmpq, fmpq_mat

from ..certified import enclose_spectral_radius
from ..exact import outer, zero
from ..ledger import Finding, check
from ..workflow_limit import Readers


@dataclass(frozen=True)
class Explosion:
    """Entities that publish along one direction each, who reads whom, and how far this gets.

    Attributes:
        directions: v_j of S_j = v_jv_j'.
        readers: rows of W, up to their sums.
        least: a number that ρ(Q) exceeds at α = 1.
    """

    directions: Sequence[Sequence[int]]
    readers: Sequence[Sequence[int]]
    least: float

    def radius(self) -> tuple[float, float]:
        """Enclosure of ρ(Q)."""
        count, size = len(self.directions), len(self.directions[0])
        W = fmpq_mat([[fmpq(entry, sum(row)) for entry in row] for row in self.readers])
        none, one = [zero(size, size)] * count, [fmpq(1)] * count
        published = [outer(list(v)) for v in self.directions]
        found = enclose_spectral_radius(Readers(none, none[0], published, W, one, one).recursive())
        return found.lower, found.upper


THREE = Explosion(((-746, -1001), (1085, -1682), (2264, 1201)), ((1, 619, 381), (865, 0, 135), (989, 11, 0)), 1.99)
FIVE = Explosion(
    ((37, 557), (473, 25), (-56, 467), (-481, -26), (-42, -610)),
    ((0, 50, 0, 50, 0), (50, 0, 0, 0, 50), (0, 6, 91, 0, 3), (36, 0, 64, 0, 0), (82, 17, 0, 1, 0)),
    87.0,
)
_ONE_POOL = ((1, 1, 1), (1, 1, 1), (1, 1, 1))


@check(
    "network.explodes",
    "certified",
    (THREE, FIVE),
    mutations={
        "one pool": (Explosion(THREE.directions, _ONE_POOL, 1.99),),
        "ρ > 2.01 for K = 3": (Explosion(THREE.directions, THREE.readers, 2.01),),
        "two entities": (Explosion(THREE.directions[:2], ((1, 3), (2, 1)), 1.001),),
    },
)
def explosions(formula: Sequence[Explosion]) -> Finding:
    """Ball arithmetic encloses ρ(Q) of networks with integer data at α = 1, K = 3 and 5, d = 2, found by gradient ascent
    on the second largest eigenvalue."""
    said = []
    for case in formula:
        low, high = case.radius()
        if not low > case.least:
            return Finding(False, f"ρ(Q) ≤ {high:.6f} for K = {len(case.directions)}")
        said.append(f"{low:.6f} for K = {len(case.directions)}")
    return Finding(True, f"ρ(Q) is at least {', '.join(said)}, without any real data")


@check(
    "network.one_pool",
    "exact",
    fmpq(1),
    mutations={"ρ < 1": fmpq(99, 100), "ρ = 2": fmpq(2)},
)
def pool_alone(formula: fmpq) -> Finding:
    """For one pool at α = 1, T_j = I and H ~ Σ A_j = I, so Q² = Q: the value of ρ is an eigenvalue of Q and Q² = Q, for
    the directions of network.explodes."""
    for case in (THREE, FIVE):
        count = len(case.directions)
        W = fmpq_mat([[fmpq(1, count)] * count] * count)
        none, one = [zero(2, 2)] * count, [fmpq(1)] * count
        Q = Readers(none, none[0], [outer(list(v)) for v in case.directions], W, one, one).recursive()
        if Q * Q != Q or Q.charpoly()(formula) != 0:
            return Finding(False, f"Q is no projection with the eigenvalue {formula} for K = {count}")
    return Finding(True, "Q² = Q with the eigenvalue 1 for K = 3 and 5")
