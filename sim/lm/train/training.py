"""K models as one: training and scoring are one compiled program each."""

from dataclasses import replace
from functools import partial
from typing import Any, cast

import jax
import jax.numpy as jnp
import optax
from jax.sharding import Mesh
from jaxtyping import Array, Bool, Float, Int

from ..model.placement import Batches, each_entity
from ..model.transformer import Transformer
from ..study.study import TrainingSettings

_SCORED = 4
"""Rows scored together on accelerators, whose memory their logits fit. On CPU it is one, whose logits fit the cache."""


def rows_at_once(training: TrainingSettings, mesh: Mesh) -> TrainingSettings:
    """The settings with the microbatch that they leave open: one row a device on CPU, whose cache it fits, else the whole batch."""
    if training.microbatch or jax.default_backend() != "cpu":
        return training
    return replace(training, microbatch=mesh.shape["data"])


def make_optimizer(training: TrainingSettings) -> optax.GradientTransformation:
    """AdamW after clipping; the rate rises linearly, from the first step on, then falls linearly toward 0."""
    warm = round(training.warmup * training.steps)
    rise = optax.linear_schedule(training.learning_rate / (warm + 1), training.learning_rate, max(warm, 1))
    fall = optax.linear_schedule(training.learning_rate, 0.0, training.steps - warm)
    chain = optax.chain(
        optax.clip_by_global_norm(training.clip),
        optax.adamw(
            optax.join_schedules([rise, fall], [warm]),
            b1=training.beta1,
            b2=training.beta2,
            weight_decay=training.weight_decay,
        ),
    )

    def update(gradient, state, params=None):
        with jax.numpy_dtype_promotion("standard"):  # Optax raises decay rates to its integer step count
            return chain.update(gradient, state, params)

    return optax.GradientTransformation(chain.init, update)


@partial(jax.jit, static_argnames="training")
def train(
    models: Transformer, batches: Batches, training: TrainingSettings
) -> tuple[Transformer, Float[Array, "entity step"]]:
    """One generation of every entity, in one scan over the steps; and the loss of each step before it."""
    optimizer = make_optimizer(training)

    def one(model: Transformer, own):
        def step(carry, batch):
            model, state = carry
            loss, gradient = _mean_loss_and_gradient(model, batch, training.microbatch)
            change, state = optimizer.update(gradient, state, cast(Any, model))
            return (cast(Transformer, optax.apply_updates(cast(Any, model), change)), state), loss

        (model, _), losses = jax.lax.scan(step, (model, optimizer.init(cast(Any, model))), own)
        return model, losses

    return each_entity(one, models, batches, share_data=True)


def _mean_loss_and_gradient(model: Transformer, batch, microbatch: int):
    of_sum = jax.value_and_grad(lambda model, *rows: _row_losses(model, *rows).sum())
    sums = optax.microbatch(of_sum, argnums=(1, 2, 3), microbatch_size=microbatch or None)(model, *batch)
    count = jnp.maximum(batch[-1].sum(), 1)
    return jax.tree.map(lambda total: total / count.astype(total.dtype), sums)


def _row_losses(model: Transformer, tokens, segments, counted):
    """Cross-entropy of each counted token given those before it in its text, in nats; 0 elsewhere."""
    # As a barrier keeps it, XLA for CPU takes the maximum of the logits several times faster.
    logits = jax.lax.optimization_barrier(model(tokens, segments))
    following = jnp.roll(tokens, -1, axis=1)
    losses = jnp.roll(optax.softmax_cross_entropy_with_integer_labels(logits, following), 1, axis=1)
    return jnp.where(counted.at[:, 0].set(False), losses, 0)


@jax.jit
def token_losses(
    models: Transformer,
    tokens: Int[Array, "row length"],
    segments: Int[Array, "row length"],
    counted: Bool[Array, "row length"],
) -> Float[Array, "entity row length"]:
    """Cross-entropy of every counted token of common rows under every model, in nats; 0 elsewhere."""
    return each_entity(lambda model: _few_at_once(model, tokens, segments, counted), models)


@jax.jit
def own_token_losses(
    models: Transformer,
    tokens: Int[Array, "entity row length"],
    segments: Int[Array, "entity row length"],
    counted: Bool[Array, "entity row length"],
) -> Float[Array, "entity row length"]:
    """Cross-entropy of every counted token of each model's own rows, in nats; 0 elsewhere."""
    return each_entity(_few_at_once, models, tokens, segments, counted)


def _few_at_once(model: Transformer, *rows: Array) -> Float[Array, "row length"]:
    together = None if jax.default_backend() == "cpu" else _SCORED
    return jax.lax.map(lambda row: _row_losses(model, *(x[None] for x in row))[0], rows, batch_size=together)
