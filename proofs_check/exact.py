"""The paper's lifted formulas and the training workflow that they describe, in rational arithmetic without rounding.

The coordinates of random points are drawn from 2⁴⁰ values each. The quantities compared are entries of products of a
few matrices P, Q, S⁺. Cleared of denominators, these are polynomials in the coordinates of degree below 10⁵ (inverting
an n × n matrix multiplies the degree by at most n, and no check exceeds n = 12 and six generations). By the
Schwartz-Zippel lemma, a false identity therefore passes at one random point with probability below 10⁵/2⁴⁰ < 10⁻⁶, and
at two with probability below 10⁻¹².
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from flint import fmpq, fmpq_mat

from .rational import RationalEcosystem, pseudo_inverse

SET_SIZE = 2**40
"""Number of values from which a random coordinate is drawn."""


@dataclass(frozen=True)
class Data:
    """Feature matrices X~_k, X_* and X_k of an ecosystem; each row is a sample."""

    private: Sequence[fmpq_mat]
    public: fmpq_mat
    synthetic: Sequence[fmpq_mat]

    def with_weights(self, alpha: fmpq, beta: fmpq) -> RationalEcosystem:
        """The ecosystem of one generation, with equal shares and the same weights for every entity."""
        count = len(self.private)
        return RationalEcosystem(
            [gram(x) for x in self.private],
            gram(self.public),
            [gram(x) for x in self.synthetic],
            [fmpq(1, count)] * count,
            [alpha] * count,
            [beta] * count,
        )


@dataclass(frozen=True)
class Operators:
    """The matrices G, P and Q of one generation (§5)."""

    gram: fmpq_mat
    real: fmpq_mat
    recursive: fmpq_mat


def operators(ecosystem: RationalEcosystem) -> Operators:
    """G_t, P_t and Q_t in lifted form, as Kd-dimensional block matrices."""
    count, size = len(ecosystem.private), ecosystem.public.nrows()
    real_weight = [(1 - a) * b for a, b in zip(ecosystem.alpha, ecosystem.beta, strict=True)]
    public_weight = [(1 - a) * (1 - b) for a, b in zip(ecosystem.alpha, ecosystem.beta, strict=True)]
    private = block_diagonal([w * s for w, s in zip(real_weight, ecosystem.private, strict=True)])
    public = stack([w * ecosystem.public for w in public_weight])
    gram = block_diagonal([ecosystem.training_gram(k) for k in range(count)])
    inverse = block_diagonal([pseudo_inverse(ecosystem.training_gram(k)) for k in range(count)])
    averaging = kron(fmpq_mat([list(ecosystem.shares)] * count), identity(size))
    weight = block_diagonal([a * identity(size) for a in ecosystem.alpha])
    recursive = weight * inverse * averaging * block_diagonal(ecosystem.synthetic)
    return Operators(gram, inverse * beside([private, public]), recursive)


def train(data: Data, alpha: fmpq, beta: fmpq, labels: Sequence[fmpq_mat], pool: Sequence[fmpq_mat]) -> fmpq_mat:
    """The stacked estimates of one generation: every entity's weighted least-squares solution of minimum norm (§4).

    The solution is computed from the rows and their weights, without the formulas of G, P and Q, so that those can be
    tested against it. `labels` are ỹ_1 … ỹ_K, y_* and `pool` are y_1 … y_K. Each may have several columns, one per
    independent random input, so that the result is a linear map of those inputs.
    """
    weights = [(1 - alpha) * beta, (1 - alpha) * (1 - beta), *[alpha / len(data.private)] * len(data.private)]
    answered, fits = stack([labels[-1], *pool]), []
    for own, label in zip(data.private, labels[:-1], strict=True):
        features = [own, data.public, *data.synthetic]
        weighted = stack([weight * x for weight, x in zip(weights, features, strict=True)]).transpose()
        fits.append(pseudo_inverse(weighted * stack(features)) * (weighted * stack([label, answered])))
    return stack(fits)


def random_rational(rng: random.Random) -> fmpq:
    """A uniform random rational n/`SET_SIZE` in (0, 1)."""
    return fmpq(rng.randrange(1, SET_SIZE), SET_SIZE)


def random_matrix(rng: random.Random, rows: int, columns: int) -> fmpq_mat:
    """A matrix of independent random rationals in (-1, 1)."""
    entries = [fmpq(rng.randrange(-SET_SIZE // 2, SET_SIZE // 2) * 2 + 1, SET_SIZE) for _ in range(rows * columns)]
    return fmpq_mat(rows, columns, entries)


def random_gram(rng: random.Random, size: int, rank: int) -> fmpq_mat:
    """X'X for a random matrix X of the given rank."""
    return gram(random_matrix(rng, rank, size))


def random_data(
    rng: random.Random, ranks: Sequence[int], public_rank: int, published: Sequence[int], size: int
) -> Data:
    """Random feature matrices; `ranks` and `published` give the number of rows per entity, which is the rank."""
    return Data(
        [random_matrix(rng, rows, size) for rows in ranks],
        random_matrix(rng, public_rank, size),
        [random_matrix(rng, rows, size) for rows in published],
    )


def gram(features: fmpq_mat) -> fmpq_mat:
    """Gram matrix X'X."""
    return features.transpose() * features


def feature_inverse(features: fmpq_mat) -> fmpq_mat:
    """Moore-Penrose inverse of a feature matrix, X⁺ = (X'X)⁺X'."""
    return pseudo_inverse(gram(features)) * features.transpose()


def identity(size: int) -> fmpq_mat:
    """Identity matrix."""
    return fmpq_mat(size, size, [int(i == j) for i in range(size) for j in range(size)])


def zero(rows: int, columns: int) -> fmpq_mat:
    """Zero matrix."""
    return fmpq_mat(rows, columns)


def stack(blocks: Sequence[fmpq_mat]) -> fmpq_mat:
    """Vertical concatenation of matrices."""
    return fmpq_mat([row for block in blocks for row in block.tolist()])


def beside(blocks: Sequence[fmpq_mat]) -> fmpq_mat:
    """Horizontal concatenation of matrices."""
    return stack([block.transpose() for block in blocks]).transpose()


def block_diagonal(blocks: Sequence[fmpq_mat]) -> fmpq_mat:
    """Block-diagonal matrix diag(A_1, …, A_K)."""
    widths = [block.ncols() for block in blocks]
    rows, before = [], 0
    for block, width in zip(blocks, widths, strict=True):
        after = sum(widths) - before - width
        rows += [[fmpq(0)] * before + row + [fmpq(0)] * after for row in block.tolist()]
        before += width
    return fmpq_mat(rows)


def kron(left: fmpq_mat, right: fmpq_mat) -> fmpq_mat:
    """Kronecker product."""
    return stack([beside([entry * right for entry in row]) for row in left.tolist()])


def column(entries: Sequence[fmpq | int]) -> fmpq_mat:
    """Column vector."""
    return fmpq_mat(len(entries), 1, list(entries))


def outer(vector: Sequence[fmpq | int]) -> fmpq_mat:
    """Outer product vv'."""
    return column(vector) * column(vector).transpose()


def block(matrix: fmpq_mat, row: int, column: int, size: int) -> fmpq_mat:
    """The block at (row, column) of a matrix of size × size blocks."""
    rows = matrix.tolist()[row * size : (row + 1) * size]
    return fmpq_mat([entries[column * size : (column + 1) * size] for entries in rows])


def trace(matrix: fmpq_mat) -> fmpq:
    """Trace of a square matrix."""
    return sum((matrix[i, i] for i in range(matrix.nrows())), fmpq(0))


def power(matrix: fmpq_mat, exponent: int) -> fmpq_mat:
    """Nonnegative power Aˢ of a square matrix."""
    result = identity(matrix.nrows())
    for _ in range(exponent):
        result = result * matrix
    return result


def solve_stein(feedback: fmpq_mat, source: fmpq_mat) -> fmpq_mat:
    """Solution of the Stein equation X = H X H' + N, as a linear system with a Kronecker product."""
    size = feedback.nrows()
    series = identity(size * size) - kron(feedback, feedback)
    solution = series.solve(column(source.entries()))
    return fmpq_mat(size, size, solution.entries())


def is_semidefinite(matrix: fmpq_mat) -> bool:
    """Whether a symmetric matrix has no negative eigenvalue: all coefficients of det(xI + A) are nonnegative."""
    if matrix != matrix.transpose():
        return False
    size = matrix.nrows()
    return all((-1) ** (size - i) * entry >= 0 for i, entry in enumerate(matrix.charpoly().coeffs()))


def is_definite(matrix: fmpq_mat) -> bool:
    """Whether a symmetric matrix has only positive eigenvalues."""
    return is_semidefinite(matrix) and matrix.det() != 0


def is_stable(feedback: fmpq_mat) -> bool:
    """Whether ρ(H) < 1, that is, whether X = H X H' + I has a positive definite solution (Stein, Lyapunov)."""
    size = feedback.nrows()
    if (identity(size * size) - kron(feedback, feedback)).det() == 0:
        return False
    return is_definite(solve_stein(feedback, identity(size)))
