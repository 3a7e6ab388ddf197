"""Theorem K: entities that know a share κ of what they publish bound the growth in any network of readers.

Its general proof is the formal one (docs/formal.md). The checks here decide examples, among them ones that attain the
bounds, so that no constant can be improved.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from flint import fmpq, fmpq_mat
from sympy import Rational, adjoint

from ..exact import block_diagonal, identity, is_stable, kron, outer, random_gram, random_matrix, random_rational
from ..ledger import Finding, check
from ..noncommutative import all_hold, indexed, matrices, same, scalars, symmetric
from ..rational import pseudo_inverse, total
from ..workflow_rows import random_readers

_SHAPES = ((1, 2), (2, 2), (3, 2), (4, 1))
"""K and d."""
_ONE = fmpq(1)
_ROUNDING = 1 + fmpq(1, 10**9)


@dataclass(frozen=True)
class Network:
    """Ecosystem in which entity k reads the share W_kj of entity j's rows.

    Attributes:
        readers: W.
        alpha: α_k.
        synthetic: S_k.
        real: R_k = ā_k(β_kS~_k + b̄_kS_*).
        known: κ_k, with R_k ⪰ κ_kα_kS_k.
    """

    readers: fmpq_mat
    alpha: Sequence[fmpq]
    synthetic: Sequence[fmpq_mat]
    real: Sequence[fmpq_mat]
    known: Sequence[fmpq]

    def recursive(self) -> fmpq_mat:
        """Q, with blocks α_kW_kjG_k⁺S_j."""
        gains: list[fmpq_mat] = []
        for k, (alpha, real) in enumerate(zip(self.alpha, self.real, strict=True)):
            read = total(self.readers[k, j] * gram for j, gram in enumerate(self.synthetic))
            gains.append(alpha * pseudo_inverse(real + alpha * read))
        size = self.real[0].nrows()
        return block_diagonal(gains) * kron(self.readers, identity(size)) * block_diagonal(self.synthetic)

    def energies(self, estimates: fmpq_mat) -> list[fmpq]:
        """θ_k'S_kθ_k of every entity."""
        size, rows = self.real[0].nrows(), estimates.tolist()
        parts = [fmpq_mat(rows[k * size : (k + 1) * size]) for k in range(len(self.alpha))]
        return [(part.transpose() * gram * part)[0, 0] for part, gram in zip(parts, self.synthetic, strict=True)]


def _random(rng: random.Random, count: int, size: int, known: fmpq | None = None, pool: bool = False) -> Network:
    """Random network, or pool, with random κ_k or one given, and prompts of random rank."""
    readers, alpha = random_readers(rng, count), [random_rational(rng) for _ in range(count)]
    if pool:
        readers = fmpq_mat(readers.tolist()[:1] * count)
    shares = [known or 2 * random_rational(rng) for _ in range(count)]
    synthetic = [random_gram(rng, size, rng.randint(1, size)) for _ in range(count)]
    real = [
        kappa * a * gram + random_gram(rng, size, rng.randint(0, size))
        for kappa, a, gram in zip(shares, alpha, synthetic, strict=True)
    ]
    return Network(readers, alpha, synthetic, real, shares)


def _lone(known: fmpq = _ONE) -> Network:
    """A lone entity, for which ρ(Q) = 1/(1 + κ). With κ = 1, ρ(Q) = 1/2 attains the bound."""
    one, half = identity(1), fmpq(1, 2)
    return Network(one, [half], [one], [half * known * one], [known])


def _nine(known: fmpq) -> tuple[Network, fmpq_mat]:
    """Nine entities with one pool and prompts e_je_j', that know κ of them and one direction e_j - (1 - e_j)/4 very well;
    and an eigenvector of its Q. They diverge for κ < 2/9, up to rounding."""
    count, half = 9, fmpq(1, 2)
    units = identity(count).tolist()
    synthetic = [outer(unit) for unit in units]
    directions = [[e - (1 - e) / 4 for e in unit] for unit in units]
    real = [half * (known * gram + 1000 * outer(u)) for gram, u in zip(synthetic, directions, strict=True)]
    readers = fmpq_mat(count, count, [fmpq(1, count)] * count**2)
    ecosystem = Network(readers, [half] * count, synthetic, real, [known] * count)
    pool = identity(count) / count
    ones = fmpq_mat(count, 1, [fmpq(1)] * count)
    fits = [(half * pool + r).solve(half * pool * ones) for r in real]
    return ecosystem, fmpq_mat([row for fit in fits for row in fit.tolist()])


@check("theoremK.fit", "symbolic", 4, mutations={"5t'Rt": 5, "3t'Rt": 3})
def fit(formula: int) -> Finding:
    """Noncommutative algebra with the normal equations Sx = (S + R)t: x'Sx - 4t'Rt = (x - 2t)'S(x - 2t) ⪰ 0."""
    S, R = symmetric("S R")
    x, t = matrices("x t")
    rules = {S * x: S * t + R * t, adjoint(x) * S: adjoint(t) * S + adjoint(t) * R}
    apart = x - 2 * t
    return same(adjoint(x) * S * x - formula * adjoint(t) * R * t, adjoint(apart) * S * apart, rules)


@check(
    "theoremK.consensus",
    "symbolic",
    Rational(1),
    mutations={"x'S̲x twice": Rational(2), "half of x'S̲x": Rational(1, 2)},
)
def consensus(formula: Rational) -> Finding:
    """Noncommutative algebra for K = 1 … 4 with m = Σ W_jS_jθ_j: Σ W_j(θ_j - x)'S_j(θ_j - x) = Σ W_jθ_j'S_jθ_j - x'm - m'x +
    x'S̲x, which is Σ W_jθ_j'S_jθ_j - x'S̲x for m = S̲x."""
    (pool,), (x, energy, m) = symmetric("pool"), matrices("x energy m")
    expanded = energy - adjoint(x) * m - adjoint(m) * x + adjoint(x) * pool * x
    rules = {m: pool * x, adjoint(m): adjoint(x) * pool}
    steps = [same(energy - formula * adjoint(x) * pool * x, expanded, rules)]
    for count in range(1, 5):
        S, W, theta = symmetric(indexed("S", count)), scalars(indexed("W", count)), matrices(indexed("theta", count))
        terms = list(zip(W, S, theta, strict=True))
        published, read = sum(w * s * t for w, s, t in terms), sum(w * s for w, s, _ in terms)
        energy = sum(w * adjoint(t) * s * t for w, s, t in terms)
        apart = sum(w * adjoint(t - x) * s * (t - x) for w, s, t in terms)
        cross = adjoint(x) * published + adjoint(published) * x
        steps.append(same(apart, energy - cross + adjoint(x) * read * x))
    return all_hold(steps)


@check("theoremK.generation", "exact", 4, mutations={"5": 5})
def generation(formula: int) -> Finding:
    """One generation of 12 random rational networks (K = 1 … 4, prompts and real data of any rank) from random
    estimates, and of a lone entity with κ = 1, which attains the bound."""
    rng = random.Random(1)
    for ecosystem in [_lone(), *(_random(rng, *shape) for shape in _SHAPES * 3)]:
        count, size = len(ecosystem.alpha), ecosystem.real[0].nrows()
        estimates = random_matrix(rng, count * size, 1)
        before, after = ecosystem.energies(estimates), ecosystem.energies(ecosystem.recursive() * estimates)
        for k, energy in enumerate(after):
            read = sum((ecosystem.readers[k, j] * before[j] for j in range(count)), fmpq(0))
            if formula * ecosystem.known[k] * energy > read:
                return Finding(False, f"the energy exceeds what was read over {formula}κ (K = {count}, d = {size})")
    return Finding(True, "holds for 13 ecosystems, and is attained by a lone entity with κ = 1")


def _bounded(ecosystems: Sequence[Network], bound: Callable[[Network], fmpq]) -> Finding:
    """Whether ρ(Q)² is at most the bound."""
    for ecosystem in ecosystems:
        Q = ecosystem.recursive()
        if not is_stable(Q * Q / (bound(ecosystem) * _ROUNDING)):
            return Finding(False, f"ρ(Q) exceeds the bound (K = {len(ecosystem.alpha)})")
    return Finding(True, f"holds for {len(ecosystems)} ecosystems, and is attained by a lone entity with κ = 1")


@check(
    "theoremK",
    "exact",
    lambda row, known, own: row / (4 * known * own),
    mutations={
        "1/5": lambda row, known, own: row / (5 * known * own),
        "κ left out": lambda row, known, own: row / (4 * own),
    },
)
def network(formula: Callable[[fmpq, fmpq, fmpq], fmpq]) -> Finding:
    """The Stein equation decides ρ(Q)² ≤ r/4·(1 + 10⁻⁹) for 8 random rational networks (K = 1 … 4, singular data) with
    random u, where r is the largest (Wu)_k/(κ_ku_k), and for a lone entity with κ = 1 and 1/4."""
    rng = random.Random(2)

    def bound(ecosystem: Network) -> fmpq:
        u = [random_rational(rng) for _ in ecosystem.alpha]
        rows = [sum((ecosystem.readers[k, j] * u[j] for j in range(len(u))), fmpq(0)) for k in range(len(u))]
        return max(formula(row, known, own) for row, known, own in zip(rows, ecosystem.known, u, strict=True))

    return _bounded([_lone(), _lone(fmpq(1, 4)), *(_random(rng, *shape) for shape in _SHAPES * 2)], bound)


@check(
    "theoremK.pool",
    "exact",
    lambda share, known: share / (4 * known),
    mutations={
        "1/5": lambda share, known: share / (5 * known),
        "w²": lambda share, known: share**2 / (4 * known),
    },
)
def pool(formula: Callable[[fmpq, fmpq], fmpq]) -> Finding:
    """The Stein equation decides ρ(Q)² ≤ Σ_j w_j/(4κ_j)·(1 + 10⁻⁹) for 8 random rational ecosystems (K = 1 … 4, singular
    data), for a lone entity with κ = 1, and for two copies of it that share their pool."""
    rng = random.Random(3)

    def bound(ecosystem: Network) -> fmpq:
        shares = [ecosystem.readers[0, j] for j in range(len(ecosystem.alpha))]
        return sum((formula(share, known) for share, known in zip(shares, ecosystem.known, strict=True)), fmpq(0))

    one, half = _lone(), fmpq(1, 2)
    twins = Network(fmpq_mat(2, 2, [half] * 4), [half] * 2, list(one.synthetic) * 2, list(one.real) * 2, [fmpq(1)] * 2)
    return _bounded([one, twins, *(_random(rng, *shape, pool=True) for shape in _SHAPES * 2)], bound)


@check("theoremK.quarter", "exact", fmpq(1, 4), mutations={"κ = 1/5": fmpq(1, 5)})
def quarter(formula: fmpq) -> Finding:
    """The Stein equation decides ρ(Q) ≤ 1 + 10⁻⁹ for 8 random rational networks with κ = 1/4 for all entities; and of
    nine entities with disjoint prompts, an eigenvector of Q does not grow. With κ = 1/5 it does."""
    ecosystem, vector = _nine(formula)
    Q = ecosystem.recursive()
    factor = (Q * vector)[0, 0] / vector[0, 0]
    if Q * vector != factor * vector:
        return Finding(None, "the vector is not an eigenvector")
    if factor > 1:
        return Finding(False, f"nine entities with κ = {formula} have the eigenvalue {float(factor):.4f}")
    rng = random.Random(4)
    networks = [_random(rng, *shape, known=formula) for shape in _SHAPES * 2]
    if not all(is_stable(network.recursive() / _ROUNDING) for network in networks):
        return Finding(False, f"a random network with κ = {formula} grows")
    return Finding(True, f"8 random networks do not grow; nine entities have the eigenvalue {float(factor):.4f}")


@check("theoremK.schedule", "exact", fmpq(1, 4), mutations={"κ = 1/5": fmpq(1, 5)})
def schedule(formula: fmpq) -> Finding:
    """Five generations of 4 random rational ecosystems (K = 1 … 4) whose weights, readers and real data are drawn anew in
    each, with κ = 1/4 and the same prompts: the largest energy never exceeds that of the start. With κ = 1/5 it does,
    for nine entities with disjoint prompts."""
    ecosystem, vector = _nine(formula)
    if max(ecosystem.energies(ecosystem.recursive() * vector)) > max(ecosystem.energies(vector)):
        return Finding(False, f"the energy of nine entities with κ = {formula} grows")
    rng = random.Random(5)
    for count, size in _SHAPES:
        first = _random(rng, count, size, known=formula)
        estimates = random_matrix(rng, count * size, 1)
        start = max(first.energies(estimates))
        for _ in range(5):
            alpha = [random_rational(rng) for _ in range(count)]
            real = [
                formula * a * gram + random_gram(rng, size, rng.randint(0, size))
                for a, gram in zip(alpha, first.synthetic, strict=True)
            ]
            now = Network(random_readers(rng, count), alpha, first.synthetic, real, first.known)
            estimates = now.recursive() * estimates
            if max(now.energies(estimates)) > start:
                return Finding(False, f"the energy grows (K = {count}, d = {size})")
    return Finding(True, "no energy exceeds the largest at the start")
