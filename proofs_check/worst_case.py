"""Search for a counterexample to Theorem U: gradient ascent on ρ(Q) over everything that the theorem lets vary."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, PRNGKeyArray

from crossfeed.errors import InvalidInput

from ..sim import sharded_vmap
from ..theory import Ecosystem, Weights, equal_shares, spectral_radius

_MOST_LOGARITHM = 10.0
"""Weights of data, and odds of β, stay within e^±10: as good as infinite to the accuracy asked for, and G is no worse
conditioned than float64 can bear."""
_STEP = 0.1  # of Adam at the start, in logarithms and in components of unit vectors
_GRID = 1024  # rounded factors are multiples of their largest entry's power of two over this


class Ascents(eqx.Module):
    """Where gradient ascent ended, one entry a start.

    Attributes:
        ecosystem: K = d = m.
        weights: α_k and β_k.
        spectral_radius: ρ(Q) at the end.
        highest: the largest ρ(Q) met on the way.
    """

    ecosystem: Ecosystem
    weights: Weights
    spectral_radius: Float[Array, "*start"]
    highest: Float[Array, "*start"]

    def best(self) -> tuple[Ecosystem, Weights]:
        """The ecosystem and weights with the largest ρ(Q)."""
        number = int(np.argmax(self.spectral_radius))
        return jax.tree.map(lambda leaf: leaf[number], (self.ecosystem, self.weights))


def ascend(key: PRNGKeyArray, size: int, starts: int, steps: int) -> Ascents:
    """Ascend ρ(Q) from random starts over S_k, S~_k, S_*, shares, α_k and β_k at once, with K = d = `size`; jits.

    Every free number starts as an independent standard normal, which knows nothing of the family that attains the bound.

    Raises:
        InvalidInput: a size, a number of starts or of steps below one.
    """
    for name, value in (("size", size), ("starts", starts), ("steps", steps)):
        if value < 1:
            raise InvalidInput(f"{name} is {value}, but must be at least 1")
    optimizer = optax.adam(optax.cosine_decay_schedule(_STEP, steps))
    downhill = jax.value_and_grad(lambda free: -spectral_radius(*_constrained(free)))

    def step(carry, _):
        free, state = carry
        negative, gradient = downhill(free)
        updates, state = optimizer.update(gradient, state)
        return (optax.apply_updates(free, updates), state), -negative

    def one(key):
        free = _random(key, size)
        (free, _), met = jax.lax.scan(step, (free, optimizer.init(free)), None, length=steps)
        found = _constrained(free)
        end = spectral_radius(*found)
        return Ascents(*found, end, jnp.maximum(met.max(), end))

    return sharded_vmap(one, jax.random.split(key, starts))


def snap(ecosystem: Ecosystem, weights: Weights) -> tuple[Ecosystem, Weights]:
    """A nearby ecosystem of short binary fractions with α = 1/2, β = 1, S_* = 0 and equal shares, for exact work.

    H depends only on w_j S_j and on E_j = (ā_j/α_j)(β_j S~_j + b̄_j S_*), up to a change of coordinates in which S̲ = I: the
    private data here are E_j, and only the rounding of factors to a grid changes ρ(Q).
    """
    alpha, beta = (np.asarray(w)[:, None, None] for w in weights.per_entity(ecosystem.entities))
    known = (1 - alpha) / alpha * (beta * np.asarray(ecosystem.private) + (1 - beta) * np.asarray(ecosystem.public))
    published = np.asarray(ecosystem.shares)[:, None, None] * np.asarray(ecosystem.synthetic) * ecosystem.entities
    values, vectors = np.linalg.eigh(np.asarray(ecosystem.pool_gram))
    whiten = vectors / np.sqrt(values)
    rounded = [np.stack([_on_grid(whiten.T @ gram @ whiten) for gram in grams]) for grams in (known, published)]
    none = np.zeros_like(rounded[0][0])
    return Ecosystem(rounded[0], none, rounded[1], equal_shares(ecosystem.entities)), Weights(0.5, 1.0)


def _on_grid(gram: np.ndarray) -> np.ndarray:
    """F'F with a factor F of few bits: no entry of the product is rounded."""
    values, vectors = np.linalg.eigh(gram)
    factor = np.sqrt(np.maximum(values, 0))[:, None] * vectors.T
    unit = 2.0 ** np.ceil(np.log2(np.abs(factor).max())) / _GRID
    factor = np.round(factor / unit) * unit
    return factor.T @ factor


def _random(key: PRNGKeyArray, size: int) -> dict[str, Array]:
    """An ecosystem with its weights as real numbers without constraints."""
    each, square = (size, size), (size, size, size)
    shapes = {
        "private": square,
        "private_sizes": each,
        "public": each,
        "public_sizes": (size,),
        "synthetic": square,
        "synthetic_sizes": each,
        "shares": (size,),
        "alpha": (size,),
        "beta": (size,),
    }
    keys = jax.random.split(key, len(shapes))
    return {
        name: jax.random.normal(k, shape, dtype=float) for k, (name, shape) in zip(keys, shapes.items(), strict=True)
    }


def _constrained(free) -> tuple[Ecosystem, Weights]:
    """A Gram matrix is Σ_i e^{s_i} u_i u_i' with unit vectors u_i: low ranks and unlimited data are near."""
    private, public, synthetic = (
        _gram(free[name], free[f"{name}_sizes"]) for name in ("private", "public", "synthetic")
    )
    ecosystem = Ecosystem(private, public, synthetic, jax.nn.softmax(free["shares"]))
    return ecosystem, Weights(jax.nn.sigmoid(free["alpha"]), jax.nn.sigmoid(_bounded(free["beta"])))


def _gram(
    directions: Float[Array, "*entity d d"], logarithms: Float[Array, "*entity d"]
) -> Float[Array, "*entity d d"]:
    unit = directions / jnp.linalg.norm(directions, axis=-1, keepdims=True)
    return jnp.einsum("...i,...ia,...ib->...ab", jnp.exp(_bounded(logarithms)), unit, unit)


def _bounded(value: Array) -> Array:
    return _MOST_LOGARITHM * jnp.tanh(value / _MOST_LOGARITHM)
