"""Ecosystems in exact rational arithmetic: floats are binary rationals, so converting them rounds nothing."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from flint import fmpq, fmpq_mat
from numpy.typing import ArrayLike

from ..theory import Ecosystem, Weights


@dataclass(frozen=True)
class RationalEcosystem:
    """An ecosystem and its weights in rational numbers.

    Attributes:
        private: S~_k, one d × d matrix per entity.
        public: S_*.
        synthetic: S_k.
        shares: w_k, which sum to exactly one.
        alpha: α_k.
        beta: β_k.
    """

    private: Sequence[fmpq_mat]
    public: fmpq_mat
    synthetic: Sequence[fmpq_mat]
    shares: Sequence[fmpq]
    alpha: Sequence[fmpq]
    beta: Sequence[fmpq]

    @property
    def pool_gram(self) -> fmpq_mat:
        """S̲ = Σ_j w_j S_j."""
        return total(share * gram for share, gram in zip(self.shares, self.synthetic, strict=True))

    def training_gram(self, entity: int) -> fmpq_mat:
        """G_k = ā_k β_k S~_k + ā_k b̄_k S_* + α_k S̲."""
        alpha, beta = self.alpha[entity], self.beta[entity]
        real = beta * self.private[entity] + (1 - beta) * self.public
        return (1 - alpha) * real + alpha * self.pool_gram


def rational(value: float) -> fmpq:
    """The exact value of a float."""
    return fmpq(*float(value).as_integer_ratio())


def rational_matrix(matrix: ArrayLike) -> fmpq_mat:
    """The matrix of the exact values of its entries."""
    rows = np.asarray(matrix).tolist()
    return fmpq_mat([[rational(value) for value in row] for row in rows])


def rational_ecosystem(ecosystem: Ecosystem, weights: Weights) -> RationalEcosystem:
    """The exact values of an ecosystem and its weights, with matrices symmetrized and shares normalized to sum to one.

    A low-rank Gram matrix rounded to floats has full rank here and may have a negative eigenvalue of the order of the
    rounding error: what is proved then holds for the rounded matrices.

    Raises:
        InvalidInput: the weights vary over generations or do not match the number of entities.
    """
    alpha, beta = weights.per_entity(ecosystem.entities)
    shares = [rational(share) for share in np.asarray(ecosystem.shares)]
    whole = sum(shares, fmpq(0))
    return RationalEcosystem(
        [_symmetric(gram) for gram in np.asarray(ecosystem.private.gram)],
        _symmetric(ecosystem.public.gram),
        [_symmetric(gram) for gram in np.asarray(ecosystem.synthetic.gram)],
        [share / whole for share in shares],
        [rational(value) for value in np.asarray(alpha)],
        [rational(value) for value in np.asarray(beta)],
    )


def total(matrices: Iterable[fmpq_mat]) -> fmpq_mat:
    """Sum of one or more matrices."""
    first, *others = matrices
    return sum(others, first)


def pseudo_inverse(gram: fmpq_mat) -> fmpq_mat:
    """Moore-Penrose inverse of a positive semidefinite matrix G: C (C'GC)⁻¹ C' for a basis C of its range."""
    reduced, rank = gram.rref()
    if rank == gram.nrows():
        return gram.inv()
    if rank == 0:
        return fmpq_mat(gram.nrows(), gram.ncols())
    rows, columns = reduced.tolist(), gram.transpose().tolist()
    pivots = [next(j for j, entry in enumerate(rows[i]) if entry != 0) for i in range(rank)]
    basis = fmpq_mat([columns[j] for j in pivots]).transpose()
    return basis * (basis.transpose() * gram * basis).inv() * basis.transpose()


def consensus_feedback(ecosystem: RationalEcosystem) -> fmpq_mat:
    """H = Σ_j w_j α_j S_j G_j⁺ (d × d), with the nonzero eigenvalues of Q (`docs/theory.md`, section 2)."""
    return total(
        share * alpha * (gram * pseudo_inverse(ecosystem.training_gram(j)))
        for j, (share, alpha, gram) in enumerate(
            zip(ecosystem.shares, ecosystem.alpha, ecosystem.synthetic, strict=True)
        )
    )


def _symmetric(matrix: ArrayLike) -> fmpq_mat:
    exact = rational_matrix(matrix)
    return (exact + exact.transpose()) / 2
