"""Random ecosystems for the tests, drawn with NumPy and padded to one shape so that each check compiles once.

A missing entity has share 0 and knows and publishes nothing; a missing dimension is a zero row and column.
"""

from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st

from crossfeed import theory

SEEDS = st.integers(0, 2**32 - 1)


class Case(NamedTuple):
    """Arrays of one ecosystem and its weights; a batch has one more leading axis."""

    private: np.ndarray
    public: np.ndarray
    synthetic: np.ndarray
    shares: np.ndarray
    noise_variance: np.ndarray
    alpha: np.ndarray
    beta: np.ndarray

    @property
    def ecosystem(self) -> theory.Ecosystem:
        return theory.ecosystem_from_grams(*self[:5])

    @property
    def weights(self) -> theory.Weights:
        return theory.Weights(self.alpha, self.beta)

    @property
    def first_weights(self) -> theory.Weights:
        """Generation 1's weights, for results about weights that stay constant."""
        return theory.Weights(self.alpha[1], self.beta[1])


def random_gram(rng, size: int, rank: int) -> np.ndarray:
    """A Gram matrix of the given rank in random directions, nonzero eigenvalues in [0.5, 3]."""
    basis = np.linalg.qr(rng.normal(size=(size, size)))[0][:, :rank]
    gram = (basis * rng.uniform(0.5, 3, rank)) @ basis.T
    return (gram + gram.T) / 2


def random_shares(rng, entities: int) -> np.ndarray:
    """Unequal shares, now and then some of them zero."""
    shares = rng.uniform(0.2, 1, entities) * (rng.random(entities) < rng.choice([0.6, 1]))
    shares[rng.integers(entities)] += 0.3
    return shares / shares.sum()


def random_weights(rng, generations: int, entities: int) -> np.ndarray:
    """Weights alike for all, per entity, per generation or both, including the corners 0 and 1."""
    shape = ((1, 1), (1, entities), (generations + 1, 1), (generations + 1, entities))[rng.integers(4)]
    inside = rng.uniform(0.05, 0.95, shape)
    corner = rng.integers(0, 2, shape).astype(float)
    weights = np.where(rng.random(shape) < 0.1, corner, inside)
    return np.broadcast_to(weights, (generations + 1, entities))


def random_case(rng, entities: int, size: int, generations: int, slots: tuple[int, int]) -> Case:
    """One random ecosystem with any ranks, padded to `slots` = (entities, dimensions)."""
    private = [random_gram(rng, size, rng.integers(1, size + 1)) for _ in range(entities)]
    synthetic = [random_gram(rng, size, rng.integers(1, size + 1)) for _ in range(entities)]
    public = random_gram(rng, size, rng.integers(0, size + 1))
    gap = ((0, slots[0] - entities), (0, slots[1] - size), (0, slots[1] - size))
    return Case(
        np.pad(private, gap),
        np.pad(public, gap[1:]),
        np.pad(synthetic, gap),
        np.pad(random_shares(rng, entities), gap[:1]),
        np.array(rng.uniform(0.3, 3)),
        random_weights(rng, generations, slots[0]),
        random_weights(rng, generations, slots[0]),
    )


def stack(cases) -> Case:
    """A batch of cases of one shape."""
    return Case(*map(np.stack, zip(*cases, strict=True)))


def random_batch(seed: int, batch: int, entities: int, size: int, generations: int, slots: tuple[int, int]) -> Case:
    """A batch of random cases with the same number of entities and dimensions."""
    rng = np.random.default_rng(seed)
    return stack(random_case(rng, entities, size, generations, slots) for _ in range(batch))


def conditioning(case: Case) -> np.ndarray:
    """Largest ratio of nonzero eigenvalues of any G_t in the batch's elements."""
    alpha, beta = case.alpha[..., None, None], case.beta[..., None, None]
    alpha = np.concatenate([0 * alpha[:, :1], alpha[:, 1:]], axis=1)
    pool = np.einsum("nk,nkij->nij", case.shares, case.synthetic)[:, None, None]
    gram = (1 - alpha) * (beta * case.private[:, None] + (1 - beta) * case.public[:, None, None]) + alpha * pool
    values = np.linalg.eigvalsh(gram)
    largest = values[..., -1:]
    smallest = np.where(values > 1e-12 * largest, values, np.inf).min(-1)
    return (largest[..., 0] / smallest).max((-2, -1))


def random_ecosystem(seed: int, entities: int = 3, size: int = 4, rank: int | None = None, theta: bool = False):
    """An unpadded ecosystem with unequal shares; real data of full rank unless a rank is given, synthetic always."""
    rng = np.random.default_rng(seed)
    rank = size if rank is None else rank
    grams = [random_gram(rng, size, rank) for _ in range(entities + 1)]
    synthetic = [random_gram(rng, size, size) for _ in range(entities)]
    shares, true = random_shares(rng, entities), rng.normal(size=size)
    return theory.ecosystem_from_grams(
        np.stack(grams[1:]), grams[0], np.stack(synthetic), shares, 0.7, true if theta else None
    )


def relative_gap(left, right) -> float:
    """Largest difference relative to the largest entry."""
    left, right = np.asarray(left), np.asarray(right)
    scale = max(np.abs(left).max(), np.abs(right).max(), np.finfo(float).tiny)
    return np.abs(left - right).max() / scale
