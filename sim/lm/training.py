"""K models as one: every parameter has a leading entity axis, and training and scoring are one compiled program each."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from math import gcd
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Bool, Float, Int

from ..processes import gathered
from .study import TrainingSettings
from .texts import Rows
from .transformer import Transformer

_SCORED_ON_CPU, _SCORED = 2, 4
"""Rows scored together: on CPU what lies between their layers stays in the cache, elsewhere their logits fit the memory."""


def stack(models: Sequence[Transformer]) -> Transformer:
    """Models of one configuration as a population."""
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *models)


def select(models: Transformer, index: int) -> Transformer:
    """One model of a population."""
    return jax.tree.map(lambda leaf: leaf[index], models)


def entity_mesh(entities: int, batch: int) -> Mesh:
    """All processes' devices as a mesh of entities × data: as many as share out the entities, the rest share the batch.

    Every process has equally many in it, since `batch` is a multiple of their number.
    """
    devices = np.array(jax.devices()).reshape(jax.process_count(), -1)
    across = gcd(entities, devices.size)
    data = gcd(batch, devices.size // across)
    used = devices[:, : across * data // len(devices)].reshape(across, data)
    return Mesh(used, ("entity", "data"), axis_types=(AxisType.Auto, AxisType.Auto))


def rows_at_once(training: TrainingSettings, mesh: Mesh) -> TrainingSettings:
    """The settings with the microbatch that they leave open: one row a device on CPU, whose cache it fits, else the whole batch."""
    if training.microbatch or jax.default_backend() != "cpu":
        return training
    return replace(training, microbatch=mesh.shape["data"])


def _put(values: jax.Array | np.ndarray, sharding: NamedSharding) -> jax.Array:
    """Values that every process has, or that are shared out already, shared out like this."""
    if sharding.is_fully_addressable or (
        isinstance(values, jax.Array) and values.sharding.device_set == sharding.device_set
    ):
        return jax.device_put(values, sharding)
    here = gathered(values)  # `device_put` would send all of it to all processes, to compare
    return jax.make_array_from_callback(here.shape, sharding, here.__getitem__)


def place_models(models: Transformer, mesh: Mesh) -> Transformer:
    """Put each entity on its devices; where several share one, matrices are split by columns, and gathered as they are used."""

    def place(leaf):
        split = leaf.ndim > 2 and leaf.shape[-1] % mesh.shape["data"] == 0
        spec = ("entity", *(None,) * (leaf.ndim - 2), "data" if split else None) if leaf.ndim > 1 else ("entity",)
        return _put(leaf, NamedSharding(mesh, PartitionSpec(*spec)))

    return jax.tree.map(place, models)


def place_rows(rows: Sequence[Rows], steps: int, mesh: Mesh) -> "Batches":
    """Rows of every entity as batches of its steps, on its devices."""
    sharding = NamedSharding(mesh, PartitionSpec("entity", None, "data"))

    def place(name):
        values = np.stack([getattr(own, name) for own in rows])
        return _put(values.reshape(len(rows), steps, -1, values.shape[-1]), sharding)

    return place("tokens"), place("segments"), place("counted")


Batches = tuple[
    Int[Array, "entity step batch length"],
    Int[Array, "entity step batch length"],
    Bool[Array, "entity step batch length"],
]


def make_optimiser(training: TrainingSettings) -> optax.GradientTransformation:
    """AdamW after clipping; the rate rises linearly, from the first step on, then falls linearly towards 0."""
    warm = round(training.warmup * training.steps)
    rise = optax.linear_schedule(training.learning_rate / (warm + 1), training.learning_rate, max(warm, 1))
    fall = optax.linear_schedule(training.learning_rate, 0.0, training.steps - warm)
    return optax.chain(
        optax.clip_by_global_norm(training.clip),
        optax.adamw(
            optax.join_schedules([rise, fall], [warm]),
            b1=training.beta1,
            b2=training.beta2,
            weight_decay=training.weight_decay,
        ),
    )


@partial(jax.jit, static_argnames="training")
def train(
    models: Transformer, batches: Batches, training: TrainingSettings
) -> tuple[Transformer, Float[Array, "entity step"]]:
    """One generation of every entity, in one scan over the steps; and the loss of each step before it."""
    optimiser = make_optimiser(training)

    def one(model: Transformer, own):
        def step(carry, batch):
            model, state = carry
            loss, gradient = _mean_loss_and_gradient(model, batch, training.microbatch)
            change, state = optimiser.update(gradient, state, cast(Any, model))
            return (cast(Transformer, optax.apply_updates(cast(Any, model), change)), state), loss

        (model, _), losses = jax.lax.scan(step, (model, optimiser.init(cast(Any, model))), own)
        return model, losses

    return jax.vmap(one)(models, batches)


def _mean_loss_and_gradient(model: Transformer, batch, microbatch: int):
    of_sum = jax.value_and_grad(lambda model, *rows: _row_losses(model, *rows).sum())
    sums = optax.microbatch(of_sum, argnums=(1, 2, 3), microbatch_size=microbatch or None)(model, *batch)
    count = jnp.maximum(batch[-1].sum(), 1)
    return jax.tree.map(lambda total: total / count, sums)


def _row_losses(model: Transformer, tokens, segments, counted):
    """Cross-entropy of each counted token given those before it in its text, in nats; 0 elsewhere."""
    logits = model(tokens, segments)[:, :-1]
    losses = optax.softmax_cross_entropy_with_integer_labels(logits, tokens[:, 1:])
    return jnp.pad(jnp.where(counted[:, 1:], losses, 0), ((0, 0), (1, 0)))


@jax.jit
def token_losses(
    models: Transformer,
    tokens: Int[Array, "row length"],
    segments: Int[Array, "row length"],
    counted: Bool[Array, "row length"],
) -> Float[Array, "entity row length"]:
    """Cross-entropy of every counted token of common rows under every model, in nats; 0 elsewhere."""
    return jax.vmap(_few_at_once, in_axes=(0, None, None, None))(models, tokens, segments, counted)


@jax.jit
def own_token_losses(
    models: Transformer,
    tokens: Int[Array, "entity row length"],
    segments: Int[Array, "entity row length"],
    counted: Bool[Array, "entity row length"],
) -> Float[Array, "entity row length"]:
    """Cross-entropy of every counted token of each model's own rows, in nats; 0 elsewhere."""
    return jax.vmap(_few_at_once)(models, tokens, segments, counted)


def _few_at_once(model: Transformer, *rows: Array) -> Float[Array, "row length"]:
    together = _SCORED_ON_CPU if jax.default_backend() == "cpu" else _SCORED
    return jax.lax.map(lambda row: _row_losses(model, *(x[None] for x in row))[0], rows, batch_size=together)
