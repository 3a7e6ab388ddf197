"""Growth in networks of readers without any real data (theory.md, section 3)."""

from collections.abc import Sequence
from dataclasses import dataclass

from flint import fmpq, fmpq_mat

from ..certified import enclose_spectral_radius
from ..exact import zero
from ..ledger import Finding, check
from ..workflow_limit import Readers


@dataclass(frozen=True)
class Explosion:
    """Entities that publish labels of few inputs each, who reads whom, and how far this gets.

    Attributes:
        inputs: rows of X_j, of which S_j = X_j'X_j.
        readers: rows of W, up to their sums.
        least: a number that ρ(Q) exceeds at α = 1.
    """

    inputs: Sequence[Sequence[Sequence[int]]]
    readers: Sequence[Sequence[int]]
    least: float

    def published(self) -> list[fmpq_mat]:
        """Gram matrices S_j."""
        matrices = [fmpq_mat([list(row) for row in rows]) for rows in self.inputs]
        return [matrix.transpose() * matrix for matrix in matrices]

    def radius(self) -> tuple[float, float]:
        """Enclosure of ρ(Q)."""
        count, size = len(self.inputs), len(self.inputs[0][0])
        W = fmpq_mat([[fmpq(entry, sum(row)) for entry in row] for row in self.readers])
        none, one = [zero(size, size)] * count, [fmpq(1)] * count
        found = enclose_spectral_radius(Readers(none, none[0], self.published(), W, one, one).recursive())
        return found.lower, found.upper


THREE = Explosion(
    (((-746, -1001),), ((1085, -1682),), ((2264, 1201),)), ((1, 619, 381), (865, 0, 135), (989, 11, 0)), 1.99
)
FOUR = Explosion(
    (
        ((-11, 21, 15), (17, -17, -21)),
        ((26, 0, 24), (19, 3, 14)),
        ((19, -19, -22), (12, 30, -14)),
        ((-28, -7, -15), (7, 24, -24)),
    ),
    ((0, 38, 0, 62), (41, 0, 59, 0), (8, 92, 0, 0), (40, 52, 3, 4)),
    18.7,
)
FIVE = Explosion(
    (((37, 557),), ((473, 25),), ((-56, 467),), ((-481, -26),), ((-42, -610),)),
    ((0, 50, 0, 50, 0), (50, 0, 0, 0, 50), (0, 6, 91, 0, 3), (36, 0, 64, 0, 0), (82, 17, 0, 1, 0)),
    87.0,
)
_ONE_POOL = ((1, 1, 1), (1, 1, 1), (1, 1, 1))


@check(
    "network.explodes",
    "certified",
    (THREE, FOUR, FIVE),
    mutations={
        "one pool": (Explosion(THREE.inputs, _ONE_POOL, 1.99),),
        "ρ > 2.01 for K = 3": (Explosion(THREE.inputs, THREE.readers, 2.01),),
        "each publishes on one input": (Explosion([rows[:1] for rows in FOUR.inputs], FOUR.readers, 18.7),),
        "two entities": (Explosion(THREE.inputs[:2], ((1, 3), (2, 1)), 1.001),),
    },
)
def explosions(formula: Sequence[Explosion]) -> Finding:
    """Ball arithmetic encloses ρ(Q) of networks with integer data at α = 1: K = 3 and 5, d = 2, one input each, and K = 4,
    d = 3, two inputs each, found by gradient ascent on the second largest eigenvalue and by evolution strategies."""
    said = []
    for case in formula:
        low, high = case.radius()
        if not low > case.least:
            return Finding(False, f"ρ(Q) ≤ {high:.6f} for K = {len(case.inputs)}")
        said.append(f"{low:.6f} for K = {len(case.inputs)}")
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
        count = len(case.inputs)
        W = fmpq_mat([[fmpq(1, count)] * count] * count)
        none, one = [zero(2, 2)] * count, [fmpq(1)] * count
        Q = Readers(none, none[0], case.published(), W, one, one).recursive()
        if Q * Q != Q or Q.charpoly()(formula) != 0:
            return Finding(False, f"Q is no projection with the eigenvalue {formula} for K = {count}")
    return Finding(True, "Q² = Q with the eigenvalue 1 for K = 3 and 5")
