"""Search for a counterexample to Theorem U by gradient ascent on ρ(Q) over everything the theorem leaves free."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from crossfeed.errors import InvalidInput

from ..sim import sharded_vmap
from ..theory import Ecosystem, Weights, ecosystem_from_grams, spectral_radius

_MOST_LOGARITHM = 10.0
"""Bound on the logarithm of data weights and of the odds of β: e^±10 is practically infinite at the accuracy required,
and keeps the condition number of G within what float64 can handle."""
_STEP = 0.1  # Adam's initial step size
_GRID = 1024  # a factor is rounded to multiples of 1/_GRID times the power of two above its largest entry


class Ascents(eqx.Module):
    """End points of gradient ascent, with one entry per start.

    Attributes:
        ecosystem: the ecosystem at the end, with K = d = m.
        weights: α_k and β_k at the end.
        spectral_radius: ρ(Q) at the end.
        highest: the largest ρ(Q) encountered.
    """

    ecosystem: Ecosystem
    weights: Weights
    spectral_radius: Float[Array, "*start"]
    highest: Float[Array, "*start"]

    def best(self) -> tuple[Ecosystem, Weights]:
        """The ecosystem and weights with the largest final ρ(Q)."""
        number = int(np.argmax(self.spectral_radius))
        return jax.tree.map(lambda leaf: leaf[number], (self.ecosystem, self.weights))


def ascend(key: PRNGKeyArray, size: int, starts: int, steps: int) -> Ascents:
    """Gradient ascent on ρ(Q) over all data, shares and weights jointly, from random starts with K = d = `size`.

    Every free parameter starts from an independent standard normal, so the starts carry no information about the
    family that attains the bound. Works under `jit`.

    Raises:
        InvalidInput: `size`, `starts` or `steps` is below one.
    """
    for name, value in (("size", size), ("starts", starts), ("steps", steps)):
        if value < 1:
            raise InvalidInput(f"{name} is {value}, but must be at least 1")
    optimizer = optax.adam(optax.cosine_decay_schedule(_STEP, steps))
    downhill = jax.value_and_grad(lambda free: -spectral_radius(*_constrained(free)))

    def step(carry: PyTree[Array], _: None) -> tuple[PyTree[Array], Float[Array, ""]]:
        free, state = carry
        negative, gradient = downhill(free)
        with jax.numpy_dtype_promotion("standard"):  # Optax raises floating-point numbers to its integer step count
            updates, state = optimizer.update(gradient, state)
        return (optax.apply_updates(free, updates), state), -negative

    def one(key: PRNGKeyArray) -> Ascents:
        free = _random(key, size)
        (free, _), met = jax.lax.scan(step, (free, optimizer.init(free)), None, length=steps)
        found = _constrained(free)
        end = spectral_radius(*found)
        return Ascents(*found, end, jnp.maximum(met.max(), end))

    return sharded_vmap(one, jax.random.split(key, starts))


def snap(ecosystem: Ecosystem, weights: Weights) -> tuple[Ecosystem, Weights]:
    """A nearby ecosystem whose entries are short binary fractions, for exact arithmetic.

    It has α = 1/2, β = 1, S_* = 0 and equal shares. H depends only on w_j S_j and E_j = (ā_j/α_j)(β_j S~_j + b̄_j
    S_*), up to the change of coordinates that turns S̲ into I. The result has the E_j as private data, so that only
    the rounding of factors to a grid changes ρ(Q).
    """
    alpha, beta = (np.asarray(w)[:, None, None] for w in weights.per_entity(ecosystem.entities))
    private, public = np.asarray(ecosystem.private.gram), np.asarray(ecosystem.public.gram)
    known = (1 - alpha) / alpha * (beta * private + (1 - beta) * public)
    published = np.asarray(ecosystem.shares)[:, None, None] * np.asarray(ecosystem.synthetic.gram) * ecosystem.entities
    values, vectors = np.linalg.eigh(np.asarray(ecosystem.pool_gram))
    whiten = vectors / np.sqrt(values)
    rounded = [np.stack([_on_grid(whiten.T @ gram @ whiten) for gram in grams]) for grams in (known, published)]
    none = np.zeros_like(rounded[0][0])
    return ecosystem_from_grams(rounded[0], none, rounded[1]), Weights(0.5, 1.0)


def _on_grid(gram: np.ndarray) -> np.ndarray:
    """F'F for the nearest factor F on a grid so coarse that no entry of the product is rounded."""
    values, vectors = np.linalg.eigh(gram)
    factor = np.sqrt(np.maximum(values, 0))[:, None] * vectors.T
    unit = 2.0 ** np.ceil(np.log2(np.abs(factor).max())) / _GRID
    factor = np.round(factor / unit) * unit
    return factor.T @ factor


def _random(key: PRNGKeyArray, size: int) -> dict[str, Array]:
    """Random unconstrained parameters of an ecosystem and its weights."""
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


def _constrained(free: PyTree[Array]) -> tuple[Ecosystem, Weights]:
    """The ecosystem and weights of unconstrained parameters.

    A Gram matrix is Σ_i e^{s_i} u_i u_i' with unit vectors u_i, so matrices of low rank and very large data are within
    reach.
    """
    private, public, synthetic = (
        _gram(free[name], free[f"{name}_sizes"]) for name in ("private", "public", "synthetic")
    )
    ecosystem = ecosystem_from_grams(private, public, synthetic, jax.nn.softmax(free["shares"]))
    return ecosystem, Weights(jax.nn.sigmoid(free["alpha"]), jax.nn.sigmoid(_bounded(free["beta"])))


def _gram(
    directions: Float[Array, "*entity d d"], logarithms: Float[Array, "*entity d"]
) -> Float[Array, "*entity d d"]:
    """Σ_i e^{s_i} u_i u_i' for the normalized rows u_i of `directions`."""
    unit = directions / jnp.linalg.norm(directions, axis=-1, keepdims=True)
    return jnp.einsum("...i,...ia,...ib->...ab", jnp.exp(_bounded(logarithms)), unit, unit)


def _bounded(value: Array) -> Array:
    """A smooth clamp to ±`_MOST_LOGARITHM`."""
    return _MOST_LOGARITHM * jnp.tanh(value / _MOST_LOGARITHM)
