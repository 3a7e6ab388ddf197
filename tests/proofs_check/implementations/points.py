"""Random rational points, and their values in floating point."""

import random
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import jax.numpy as jnp
import numpy as np
from crossfeed.proofs_check.exact import random_gram, random_rational
from crossfeed.proofs_check.ledger import CHECKS
from crossfeed.proofs_check.rational import RationalEcosystem
from crossfeed.theory import Ecosystem, Weights, ecosystem_from_grams
from flint import fmpq, fmpq_mat

import_module("crossfeed.proofs_check.claims")  # attaches the checks, whose formulas are compared

NOISE = fmpq(3, 7)  # σ²
COUNT, SIZE = 2, 2  # K and d of all ecosystems, so that one program serves many claims

Pair = tuple[Any, Any]
"""What a claim states, and what the function that it names computes."""
Comparison = Callable[[random.Random], Pair]


def formula(claim: str) -> Any:
    """The formula that the check of a claim decides."""
    return CHECKS[claim].formula


def number(value: Any) -> Any:
    """The nearest float of a rational number, ball or expression; of all entries of a matrix or list."""
    if isinstance(value, fmpq_mat):
        return np.array([[number(entry) for entry in row] for row in value.tolist()])
    if isinstance(value, list | tuple):
        return np.array([number(entry) for entry in value])
    if isinstance(value, fmpq):
        return int(value.p) / int(value.q)
    return value if isinstance(value, bool | np.ndarray) else float(value)


def fraction(rng: random.Random) -> fmpq:
    """A random rational in (1/10, 9/10), where weights leave everything well-conditioned."""
    return fmpq(1, 10) + fmpq(4, 5) * random_rational(rng)


def shares(rng: random.Random, count: int = COUNT) -> list[fmpq]:
    """Random shares."""
    drawn = [fraction(rng) for _ in range(count)]
    return [share / sum(drawn, fmpq(0)) for share in drawn]


def grams(rng: random.Random, rank: int = SIZE) -> list[fmpq_mat]:
    """A random Gram matrix per entity."""
    return [random_gram(rng, SIZE, rank) for _ in range(COUNT)]


def ecosystem(rng: random.Random, private_rank: int = 1, public_rank: int = SIZE) -> RationalEcosystem:
    """A random ecosystem with unequal shares and weights."""
    weights = [[fraction(rng) for _ in range(COUNT)] for _ in range(2)]
    public = random_gram(rng, SIZE, public_rank)
    return RationalEcosystem(grams(rng, private_rank), public, grams(rng), shares(rng), *weights)


def floating(eco: RationalEcosystem, truth: Sequence[fmpq] | None = None) -> tuple[Ecosystem, Weights]:
    """The ecosystem as `theory` takes it."""
    private, synthetic = (jnp.array([number(gram) for gram in grams]) for grams in (eco.private, eco.synthetic))
    public, told = jnp.array(number(eco.public)), jnp.array(number(list(truth or [fmpq(1)] * SIZE)))
    weights = Weights(jnp.array(number(list(eco.alpha))), jnp.array(number(list(eco.beta))))
    return ecosystem_from_grams(
        private, public, synthetic, jnp.array(number(list(eco.shares))), number(NOISE), told
    ), weights


def radius(matrix: fmpq_mat) -> float:
    """Largest absolute eigenvalue, in floating point, of a matrix that is known exactly."""
    return float(np.abs(np.linalg.eigvals(number(matrix))).max())
