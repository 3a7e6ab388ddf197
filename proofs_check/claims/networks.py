"""Networks of readers with equal features: who reads whom is a row-stochastic matrix W (theory.md, section 2)."""

import random
from collections.abc import Callable

from flint import fmpq, fmpq_mat, fmpq_poly

from ..exact import identity, random_gram, random_rational, solve_stein, trace
from ..ledger import Finding, check
from ..workflow_limit import equal_features
from ..workflow_rows import random_readers

_SHAPES = ((1, 2), (2, 2), (3, 2), (4, 1))
"""K and d."""


def _resolvent(a: fmpq, W: fmpq_mat) -> fmpq_mat:
    return (identity(W.nrows()) - a * W).inv()


def network_errors(a: fmpq, b: fmpq, W: fmpq_mat) -> list[fmpq]:
    """MSE_k/V for equal features."""
    R, noise = _resolvent(a, W), solve_stein(a * W, a**2 * W * W.transpose())
    private = R * R.transpose()
    return [(1 - b) ** 2 + b**2 * (1 - a) ** 2 * private[k, k] + noise[k, k] for k in range(W.nrows())]


def _reversed_errors(a: fmpq, b: fmpq, W: fmpq_mat) -> list[fmpq]:
    return network_errors(a, b, W.transpose())


def _errors_with(noise: Callable[[fmpq, fmpq_mat], fmpq_mat]) -> Callable[..., list[fmpq]]:
    """The formula with another matrix for the noise of synthetic labels."""

    def errors(a: fmpq, b: fmpq, W: fmpq_mat) -> list[fmpq]:
        stated, other = solve_stein(a * W, a**2 * W * W.transpose()), noise(a, W)
        return [e - stated[k, k] + other[k, k] for k, e in enumerate(network_errors(a, b, W))]

    return errors


@check(
    "network.error",
    "exact",
    network_errors,
    mutations={
        "W transposed": _reversed_errors,
        "sum from s = 0": _errors_with(lambda a, W: solve_stein(a * W, identity(W.nrows()))),
        "a² once": _errors_with(lambda a, W: solve_stein(a * W, W * W.transpose())),
        "noise of one pool": _errors_with(lambda a, W: a**2 / (1 - a**2) / W.nrows() * identity(W.nrows())),
    },
)
def network_error(formula: Callable[..., list[fmpq]]) -> Finding:
    """The limit of the lifted Kd-dimensional recursion, (I - Q)⁻¹P and the Stein equation of C, at random rational S, W,
    a and b (K = 1 … 4), equals V times the formula for every entity; Σ_s a^{2s}WˢWˢ' is the solution of
    X = a²W(I + X)W' (error probability below 10⁻⁶ for each point)."""
    rng = random.Random(1)
    for count, size in _SHAPES:
        gram, W = random_gram(rng, size, size), random_readers(rng, count)
        a, b = random_rational(rng), random_rational(rng)
        V = trace(gram.inv())
        if equal_features(gram, W, a, b).variances() != [V * error for error in formula(a, b, W)]:
            return Finding(False, f"differs for K = {count}, d = {size}")
    return Finding(True, f"equal at {len(_SHAPES)} random rational points, K = 1 … 4")


@check(
    "network.spectrum",
    "exact",
    lambda a, W, size: (a * W).charpoly() ** size,
    mutations={
        "eigenvalues α²λ": lambda a, W, size: (a**2 * W).charpoly() ** size,
        "each once": lambda a, W, size: (a * W).charpoly() * fmpq_poly([0, 1]) ** ((size - 1) * W.nrows()),
    },
)
def network_spectrum(formula: Callable[..., fmpq_poly]) -> Finding:
    """The characteristic polynomial of the lifted Q at random rational S, W and a (K = 1 … 4). The row-stochastic W
    has the eigenvalue 1 and none beyond."""
    rng = random.Random(2)
    for count, size in _SHAPES:
        gram, W, a = random_gram(rng, size, size), random_readers(rng, count), random_rational(rng)
        Q = equal_features(gram, W, a, random_rational(rng)).recursive()
        if Q.charpoly() != formula(a, W, size):
            return Finding(False, f"the characteristic polynomial differs for K = {count}, d = {size}")
        if W.charpoly()(fmpq(1)) != 0:
            return Finding(False, "1 is no eigenvalue of W")
    return Finding(True, f"equal characteristic polynomials at {len(_SHAPES)} random rational points, K = 1 … 4")


def _differences(count: int) -> fmpq_mat:
    """D, which maps estimates to those of entities 1 … K-1 minus that of entity K."""
    return fmpq_mat([[int(i == j) - int(j == count - 1) for j in range(count)] for i in range(count - 1)])


@check(
    "network.differences",
    "exact",
    lambda W: W.charpoly() // fmpq_poly([-1, 1]),
    mutations={
        "all eigenvalues": lambda W: W.charpoly(),
        "those of W'W": lambda W: (W.transpose() * W).charpoly() // fmpq_poly([-1, 1]),
    },
)
def network_differences(formula: Callable[[fmpq_mat], fmpq_poly]) -> Finding:
    """With D the map to the differences from entity K, DW = W_DD for random rational W (K = 2 … 5), since W1 = 1, and
    the characteristic polynomial of W_D is the formula: that of W without one factor x - 1."""
    rng = random.Random(3)
    for count in range(2, 6):
        W, D = random_readers(rng, count), _differences(count)
        W_D = fmpq_mat([row[: count - 1] for row in (D * W).tolist()])
        if D * W != W_D * D:
            return Finding(False, f"differences depend on more than differences for K = {count}")
        if W_D.charpoly() != formula(W):
            return Finding(False, f"the characteristic polynomial differs for K = {count}")
    return Finding(True, "equal characteristic polynomials for K = 2 … 5")
