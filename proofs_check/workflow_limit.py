"""Limits of workflows with constant weights that replace their pools, from the lifted recursion, without rounding."""

from collections.abc import Sequence
from dataclasses import dataclass

from flint import fmpq, fmpq_mat

from .exact import beside, block, block_diagonal, identity, solve_stein, stack, trace
from .rational import pseudo_inverse, total


@dataclass(frozen=True)
class Readers:
    """Ecosystem in a network, with constant weights.

    Attributes:
        private: S~_k.
        public: S_*.
        synthetic: S_k.
        readers: W, with the weight of entity j's data for entity k.
        alpha: α_k.
        beta: β_k.
        penalty: μ of ridge regression.
        private_noise: variance of the noise of one private label, per entity.
    """

    private: Sequence[fmpq_mat]
    public: fmpq_mat
    synthetic: Sequence[fmpq_mat]
    readers: fmpq_mat
    alpha: Sequence[fmpq]
    beta: Sequence[fmpq]
    penalty: fmpq | int = 0
    private_noise: Sequence[fmpq | int] | None = None

    @property
    def size(self) -> int:
        """d."""
        return self.public.nrows()

    def gain(self, k: int) -> fmpq_mat:
        """(G_k + μI)⁺."""
        real = self.beta[k] * self.private[k] + (1 - self.beta[k]) * self.public
        pool = total(self.readers[k, j] * s for j, s in enumerate(self.synthetic))
        return pseudo_inverse((1 - self.alpha[k]) * real + self.alpha[k] * pool + self.penalty * identity(self.size))

    def recursive(self) -> fmpq_mat:
        """Q, with the blocks α_kW_kj(G_k + μI)⁺S_j."""
        count = len(self.private)
        weights = fmpq_mat([[self.alpha[k] * self.readers[k, j] for j in range(count)] for k in range(count)])
        blocks = [[weights[k, j] * self.gain(k) * s for j, s in enumerate(self.synthetic)] for k in range(count)]
        return stack([beside(row) for row in blocks])

    def of_moments(self) -> fmpq_mat:
        """Map of the moments u_1 … u_K and u_* to the limits of the estimates' means."""
        count, size = len(self.private), self.size
        own = [(1 - a) * b * self.gain(k) for k, (a, b) in enumerate(zip(self.alpha, self.beta, strict=True))]
        public = [(1 - a) * (1 - b) * self.gain(k) for k, (a, b) in enumerate(zip(self.alpha, self.beta, strict=True))]
        return (identity(count * size) - self.recursive()).solve(beside([block_diagonal(own), stack(public)]))

    def mean_map(self) -> fmpq_mat:
        """Map of the truths θ_1 … θ_K and θ_* to the limits of the estimates' means."""
        return self.of_moments() * block_diagonal([*self.private, self.public])

    def covariance(self) -> fmpq_mat:
        """Limit of the covariance of all estimates, for label noise of variance 1 where nothing else is given."""
        noise = self.private_noise or [1] * len(self.private)
        real = block_diagonal([*(v * s for v, s in zip(noise, self.private, strict=True)), self.public])
        feedback = self.recursive()
        published = block_diagonal([pseudo_inverse(s) for s in self.synthetic])
        maps = self.of_moments()
        return maps * real * maps.transpose() + solve_stein(feedback, feedback * published * feedback.transpose())

    def variances(self) -> list[fmpq]:
        """tr Cov(θ̂_k) of every entity."""
        covariance = self.covariance()
        return [trace(block(covariance, k, k, self.size)) for k in range(len(self.private))]


def equal_features(gram: fmpq_mat, readers: fmpq_mat, alpha: fmpq, beta: fmpq, penalty: fmpq | int = 0) -> Readers:
    """All data with one Gram matrix, all entities with the same weights."""
    count = readers.nrows()
    return Readers([gram] * count, gram, [gram] * count, readers, [alpha] * count, [beta] * count, penalty)


def one_pool(shares: Sequence[fmpq]) -> fmpq_mat:
    """The reader matrix 1w' of a single pool."""
    return fmpq_mat([list(shares)] * len(shares))
