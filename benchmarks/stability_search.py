"""How close random and searched ecosystems come to each sharp stability bound, and that none exceeds one.

    python benchmarks/stability_search.py [DRAWS [SIZE ...]]

Prints, for one pool and for networks, the largest ρ/bound of random ecosystems, and the largest that gradient ascent reaches.
A size, such as 3x2, is K and d; all of them, if none is given. One of 100000 draws takes minutes; docs/theory.md has the results.
"""

import sys
from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import optax
from crossfeed.theory import (
    Ecosystem,
    Network,
    Weights,
    Workflow,
    anchor_bound,
    ecosystem_from_grams,
    knowledge_bound,
    prompt_bound,
    spectral_radius,
)
from jaxtyping import Array, Float, PRNGKeyArray

_SIZES = ("2x2", "3x2", "3x3", "4x3")
_BATCH = 1000
_ASCENTS = (2, 3, 4)
"""K = d."""
_STARTS, _STEPS = 16, 400
_KAPPA, _PUBLIC = 0.05, 0.1  # of the ascents
_STRENGTH = (
    1e6  # of what entities know in the ascents: their ρ can come to 1e-6 of the bound; 1e8 leaves too few digits
)


def _grams(key: PRNGKeyArray, count: int, size: int) -> Float[Array, "entity d d"]:
    """Random Gram matrices of any rank, of sizes over six orders of magnitude: over more, float64 cannot decide all ranks."""
    rows, scale, rank = jax.random.split(key, 3)
    features = jax.random.normal(rows, (count, size, size), dtype=float)
    used = jnp.arange(size)[None] < jax.random.randint(rank, (count, 1), 1, size + 1)
    features = features * used.astype(float)[..., None]
    sizes = 10 ** jax.random.uniform(scale, (count, 1, 1), minval=-3, maxval=3, dtype=float)
    return sizes * (features.mT @ features)


def _random(key: PRNGKeyArray, count: int, size: int) -> tuple[Ecosystem, Weights, Float[Array, "entity entity"]]:
    keys = jax.random.split(key, 7)
    private, published = _grams(keys[0], count, size), _grams(keys[1], count, size)
    public = _grams(keys[2], 1, size)[0] * (jax.random.uniform(keys[3], dtype=float) < 0.7).astype(float)
    readers = jax.random.dirichlet(keys[4], jnp.full(count, 0.5), (count,), dtype=float)
    alpha, beta = (jax.random.uniform(k, (count,), minval=0.02, maxval=0.98, dtype=float) for k in keys[5:])
    return ecosystem_from_grams(private, public, published, readers[0]), Weights(alpha, beta), readers


def _ratios(key: PRNGKeyArray, count: int, size: int) -> dict[str, Float[Array, ""]]:
    """ρ over every bound of a random ecosystem with one pool, and of the same with a network."""
    ecosystem, weights, readers = _random(key, count, size)
    network = Workflow(pool=Network(readers))
    known, read = knowledge_bound(ecosystem, weights), knowledge_bound(ecosystem, weights, network)
    public, radius = anchor_bound(ecosystem, weights), spectral_radius(ecosystem, weights)
    of_network = spectral_radius(ecosystem, weights, network)
    return {
        "prompts": radius / prompt_bound(ecosystem).bound,
        "anchor": radius / public.bound,
        "anchor, any private data": radius / public.bound_any_private,
        "knowledge": radius / known.bound,
        "knowledge, sharp": radius / known.sharp,
        "network, knowledge": of_network / read.bound,
        "network, refined": of_network / read.refined,
    }


def _climb(key: PRNGKeyArray, value: Callable[[Array], Array], shape: tuple[int, ...]) -> Float[Array, ""]:
    """Largest value that gradient ascent meets from random starts."""
    optimizer = optax.adam(optax.cosine_decay_schedule(0.1, _STEPS))
    downhill = jax.value_and_grad(lambda free: -value(free))

    def step(carry: tuple[Array, optax.OptState], _: None) -> tuple[tuple[Array, optax.OptState], Array]:
        negative, gradient = downhill(carry[0])
        updates, state = optimizer.update(gradient, carry[1])
        return (carry[0] + jnp.asarray(updates), state), -negative

    def one(key: PRNGKeyArray) -> Array:
        start = jax.random.normal(key, shape, dtype=float)
        return jax.lax.scan(step, (start, optimizer.init(start)), None, length=_STEPS)[1].max()

    return jax.vmap(one)(jax.random.split(key, _STARTS)).max()


def _ascents(key: PRNGKeyArray, count: int) -> dict[str, Float[Array, ""]]:
    """Largest ρ over each bound that ascent over one direction per entity reaches, K = d; prompts random or disjoint."""
    size, weights = count, Weights(1 / 3, 0.5)  # ā/α · 1/2 = 1
    identity = jnp.eye(size)
    disjoint = count * identity[:, :, None] * identity[:, None, :]
    features = jax.random.normal(key, (count, size, size), dtype=float)
    prompts = features.mT @ features
    nothing = jnp.zeros((size, size))

    def known(free: Array) -> Array:
        unit = free / jnp.linalg.norm(free, axis=1, keepdims=True)
        return _STRENGTH * unit[:, :, None] * unit[:, None, :]

    def of_prompts(free: Array) -> Array:
        return spectral_radius(ecosystem_from_grams(known(free), nothing, prompts), weights)

    def anchored(free: Array) -> Array:
        return spectral_radius(ecosystem_from_grams(known(free), _PUBLIC * identity, disjoint), weights)

    def knowing(free: Array) -> Array:
        return spectral_radius(ecosystem_from_grams(known(free) + _KAPPA * disjoint, nothing, disjoint), weights)

    k = count * _KAPPA
    sharp = (1 + (count + (count - 1) * k) ** 0.5) / (2 * (1 + k))
    nu = prompt_bound(ecosystem_from_grams(prompts, nothing, prompts))
    shape = (count, size)
    return {
        "prompts (ν as found)": _climb(key, of_prompts, shape) / nu.attained,
        "anchor": _climb(key, anchored, shape) / ((1 + count**0.5) / (2 * (1 + _PUBLIC))),
        "knowledge, sharp": _climb(key, knowing, shape) / sharp,
    }


def main() -> None:
    """Print the tables."""
    draws, *sizes = sys.argv[1:] or ["25000"]
    jax.config.update("jax_enable_x64", True)
    print(f"random ecosystems, {draws} of each size: largest ρ/bound")
    for size in sizes or _SIZES:
        entities, dimension = map(int, size.split("x"))
        found = _largest_ratios(jax.random.key(entities * dimension), int(draws), entities, dimension)
        print(f"{size}: " + _listed(found), flush=True)
    print(f"gradient ascent, {_STARTS} starts of {_STEPS} steps: largest ρ/bound")
    for entities in _ASCENTS:
        reached = jax.jit(partial(_ascents, count=entities))(jax.random.key(entities))
        print(f"K = d = {entities}: " + _listed(reached), flush=True)


def _largest_ratios(key: PRNGKeyArray, draws: int, count: int, size: int) -> dict[str, Array]:
    """Largest ratios of random ecosystems, in batches that share a program."""
    one = jax.jit(jax.vmap(partial(_ratios, count=count, size=size)))
    batches = -(-draws // _BATCH)
    found = [one(keys) for keys in jax.random.split(key, batches * _BATCH).reshape(batches, _BATCH)]
    return {name: jnp.nanmax(jnp.stack([batch[name] for batch in found])) for name in found[0]}


def _listed(found: dict[str, Array]) -> str:
    return ", ".join(f"{name} {float(value):.12f}" for name, value in found.items())


if __name__ == "__main__":
    main()
