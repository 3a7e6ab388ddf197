"""The paper's lifted formulas, and the workflow they describe, in rational arithmetic: no rounding anywhere.

Random points are drawn from 2⁴⁰ values a coordinate. All that is compared are entries of products of a few matrices P,
Q, S⁺; cleared of denominators these are polynomials in the coordinates of degree below 10⁵ (an inverse of n × n
multiplies the degree by at most n, and no check here goes beyond n = 12 and six generations). So an identity that is
false passes at one random point with probability below 10⁵/2⁴⁰ < 10⁻⁶ (Schwartz and Zippel), and below 10⁻¹² at two.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from flint import fmpq, fmpq_mat

from .rational import RationalEcosystem, pseudo_inverse

SET_SIZE = 2**40
"""Values that a random coordinate can take."""


@dataclass(frozen=True)
class Data:
    """Feature matrices X~_k, X_* and X_k of an ecosystem, rows are samples."""

    private: Sequence[fmpq_mat]
    public: fmpq_mat
    synthetic: Sequence[fmpq_mat]

    def with_weights(self, alpha: fmpq, beta: fmpq) -> RationalEcosystem:
        """The ecosystem of equal shares that one generation trains in."""
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
    """G, P and Q of one generation (§5)."""

    gram: fmpq_mat
    real: fmpq_mat
    recursive: fmpq_mat


def operators(ecosystem: RationalEcosystem) -> Operators:
    """G_t, P_t and Q_t in lifted form."""
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
    """One generation of the workflow of §4: every entity's weighted least squares of least norm, stacked.

    Solved from the rows and their weights alone, so that the formulas of G, P and Q can be held against it. `labels` are ỹ_1 …
    ỹ_K, y_*; `pool` are y_1 … y_K; each may have many columns, one a coefficient of what it depends on.
    """
    weights = [(1 - alpha) * beta, (1 - alpha) * (1 - beta), *[alpha / len(data.private)] * len(data.private)]
    answered, fits = stack([labels[-1], *pool]), []
    for own, label in zip(data.private, labels[:-1], strict=True):
        features = [own, data.public, *data.synthetic]
        weighted = stack([weight * x for weight, x in zip(weights, features, strict=True)]).transpose()
        fits.append(pseudo_inverse(weighted * stack(features)) * (weighted * stack([label, answered])))
    return stack(fits)


def random_rational(rng: random.Random) -> fmpq:
    """A positive rational below one, from `SET_SIZE` values."""
    return fmpq(rng.randrange(1, SET_SIZE), SET_SIZE)


def random_matrix(rng: random.Random, rows: int, columns: int) -> fmpq_mat:
    """Independent entries in (-1, 1)."""
    entries = [fmpq(rng.randrange(-SET_SIZE // 2, SET_SIZE // 2) * 2 + 1, SET_SIZE) for _ in range(rows * columns)]
    return fmpq_mat(rows, columns, entries)


def random_gram(rng: random.Random, size: int, rank: int) -> fmpq_mat:
    """X'X for random X with this rank."""
    return gram(random_matrix(rng, rank, size))


def random_data(
    rng: random.Random, ranks: Sequence[int], public_rank: int, published: Sequence[int], size: int
) -> Data:
    """Random features; one entry of `ranks` and `published` an entity."""
    draw = lambda rank: random_matrix(rng, rank, size)  # noqa: E731
    return Data([draw(r) for r in ranks], draw(public_rank), [draw(r) for r in published])


def gram(features: fmpq_mat) -> fmpq_mat:
    """X'X."""
    return features.transpose() * features


def feature_inverse(features: fmpq_mat) -> fmpq_mat:
    """X⁺ = (X'X)⁺X'."""
    return pseudo_inverse(gram(features)) * features.transpose()


def identity(size: int) -> fmpq_mat:
    """I."""
    return fmpq_mat(size, size, [int(i == j) for i in range(size) for j in range(size)])


def zero(rows: int, columns: int) -> fmpq_mat:
    """A matrix of zeros."""
    return fmpq_mat(rows, columns)


def stack(blocks: Sequence[fmpq_mat]) -> fmpq_mat:
    """Blocks below each other."""
    return fmpq_mat([row for block in blocks for row in block.tolist()])


def beside(blocks: Sequence[fmpq_mat]) -> fmpq_mat:
    """Blocks beside each other."""
    return stack([block.transpose() for block in blocks]).transpose()


def block_diagonal(blocks: Sequence[fmpq_mat]) -> fmpq_mat:
    """diag(A_1, …, A_K)."""
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


def column(entries: Sequence) -> fmpq_mat:
    """A vector."""
    return fmpq_mat(len(entries), 1, list(entries))


def outer(vector: Sequence) -> fmpq_mat:
    """vv'."""
    return column(vector) * column(vector).transpose()


def block(matrix: fmpq_mat, row: int, column: int, size: int) -> fmpq_mat:
    """Block (row, column) of a matrix of size × size blocks."""
    rows = matrix.tolist()[row * size : (row + 1) * size]
    return fmpq_mat([entries[column * size : (column + 1) * size] for entries in rows])


def trace(matrix: fmpq_mat) -> fmpq:
    """Sum of the diagonal."""
    return sum((matrix[i, i] for i in range(matrix.nrows())), fmpq(0))


def power(matrix: fmpq_mat, exponent: int) -> fmpq_mat:
    """Aˢ."""
    result = identity(matrix.nrows())
    for _ in range(exponent):
        result = result * matrix
    return result


def solve_stein(feedback: fmpq_mat, source: fmpq_mat) -> fmpq_mat:
    """X = H X H' + N, by the Kronecker product."""
    size = feedback.nrows()
    series = identity(size * size) - kron(feedback, feedback)
    solution = series.solve(column(source.entries()))
    return fmpq_mat(size, size, solution.entries())


def is_semidefinite(matrix: fmpq_mat) -> bool:
    """Whether a symmetric matrix has no negative eigenvalue: the coefficients of det(xI + A) all are at least zero."""
    if matrix != matrix.transpose():
        return False
    size = matrix.nrows()
    return all((-1) ** (size - i) * entry >= 0 for i, entry in enumerate(matrix.charpoly().coeffs()))


def is_definite(matrix: fmpq_mat) -> bool:
    """Whether a symmetric matrix has positive eigenvalues only."""
    return is_semidefinite(matrix) and matrix.det() != 0


def is_stable(feedback: fmpq_mat) -> bool:
    """Whether ρ(H) < 1: exactly if X = H X H' + I has a positive definite solution (Stein, Lyapunov)."""
    size = feedback.nrows()
    if (identity(size * size) - kron(feedback, feedback)).det() == 0:
        return False
    return is_definite(solve_stein(feedback, identity(size)))
