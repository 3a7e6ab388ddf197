"""Training and scoring of a population: one compiled program each."""

from dataclasses import replace
from functools import partial
from typing import Any, cast

import jax
import jax.numpy as jnp
import optax
from jax.sharding import Mesh
from jaxtyping import Array, Bool, Float, Int, PyTree

from ..model.placement import Batches, each_entity
from ..model.transformer import Transformer
from ..study.study import TrainingSettings

_EntityBatches = tuple[
    Int[Array, "step batch length"], Int[Array, "step batch length"], Bool[Array, "step batch length"]
]
_Batch = tuple[Int[Array, "batch length"], Int[Array, "batch length"], Bool[Array, "batch length"]]

_MOST_PARTS, _SHORT = 20, 50
"""Most parts of a training, and steps below which it is not cut."""
_ROWS_SCORED = 4
"""Rows scored together on accelerators, so that their logits fit into memory. On CPU rows are scored one by one, so that the
logits fit into the cache."""


def with_microbatch(training: TrainingSettings, mesh: Mesh) -> TrainingSettings:
    """Training settings with a microbatch where the study leaves it open.

    On CPU it is one row per device, whose intermediate results fit into the cache; elsewhere it stays the whole batch.
    """
    if training.microbatch or jax.default_backend() != "cpu":
        return training
    return replace(training, microbatch=mesh.shape["data"])


def make_optimizer(training: TrainingSettings) -> optax.GradientTransformation:
    """AdamW after gradient clipping, with linear warm-up from the first step on and linear decay toward 0."""
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

    def update(updates: PyTree, state: PyTree, params: PyTree | None = None) -> tuple[PyTree, PyTree]:
        with jax.numpy_dtype_promotion("standard"):  # Optax raises decay rates to its integer step count
            return chain.update(updates, state, params)

    return optax.GradientTransformation(chain.init, update)


def parts_of_training(steps: int) -> int:
    """Number of equal parts that a training is cut into, so that its progress can be told between them; 1 if it is short."""
    return max(parts for parts in range(1, _MOST_PARTS + 1) if steps % parts == 0 and (steps >= _SHORT or parts == 1))


@partial(jax.jit, static_argnames="training")
def start_training(models: Transformer, training: TrainingSettings) -> PyTree:
    """State of the optimizer before the first step.

    Args:
        models: a population of models.
        training: settings.
    """
    return jax.vmap(lambda model: make_optimizer(training).init(cast(Any, model)))(models)


@partial(jax.jit, static_argnames="training", donate_argnames=("models", "state"))
def continue_training(
    models: Transformer, state: PyTree, batches: Batches, training: TrainingSettings
) -> tuple[Transformer, PyTree, Float[Array, "entity step"]]:
    """As `train`, for some of the steps: models and state of the optimizer after them, and their losses.

    Args:
        models: a population of models, whose memory is given up.
        state: state of the optimizer, whose memory is given up.
        batches: batches of these steps of every entity.
        training: settings of the whole training.
    """

    def train_one(model: Transformer, data: tuple[PyTree, _EntityBatches]) -> tuple[Transformer, PyTree, Array]:
        return _steps(model, *data, training)

    return each_entity(train_one, models, (state, batches), share_data=True)


@partial(jax.jit, static_argnames="training")
def train(
    models: Transformer, batches: Batches, training: TrainingSettings
) -> tuple[Transformer, Float[Array, "entity step"]]:
    """Models after one generation of training, and the loss of each step before its update.

    Args:
        models: a population of models.
        batches: batches of every entity.
        training: settings; the microbatch is used as it is given.
    """

    def train_one(model: Transformer, own_batches: _EntityBatches) -> tuple[Transformer, Float[Array, " step"]]:
        state = make_optimizer(training).init(cast(Any, model))
        model, _, losses = _steps(model, state, own_batches, training)
        return model, losses

    return each_entity(train_one, models, batches, share_data=True)


def _steps(
    model: Transformer, state: PyTree, batches: _EntityBatches, training: TrainingSettings
) -> tuple[Transformer, PyTree, Float[Array, " step"]]:
    """One model after a step per batch, with the state of its optimizer, and the loss of each step."""
    optimizer = make_optimizer(training)

    def step(carry: tuple[Transformer, PyTree], batch: _Batch) -> tuple[tuple[Transformer, PyTree], Float[Array, ""]]:
        model, state = carry
        loss, gradient = _mean_loss_and_gradient(model, batch, training.microbatch)
        change, state = optimizer.update(gradient, state, cast(Any, model))
        return (cast(Transformer, optax.apply_updates(cast(Any, model), change)), state), loss

    (model, state), losses = jax.lax.scan(step, (model, state), batches)
    return model, state, losses


def _mean_loss_and_gradient(model: Transformer, batch: _Batch, microbatch: int) -> tuple[Float[Array, ""], PyTree]:
    sum_and_gradient = jax.value_and_grad(lambda model, *rows: _row_losses(model, *rows).sum())
    sums = optax.microbatch(sum_and_gradient, argnums=(1, 2, 3), microbatch_size=microbatch or None)(model, *batch)
    count = jnp.maximum(batch[-1].sum(), 1)
    return jax.tree.map(lambda total: total / count.astype(total.dtype), sums)


def _row_losses(
    model: Transformer,
    tokens: Int[Array, "row length"],
    segments: Int[Array, "row length"],
    counted: Bool[Array, "row length"],
) -> Float[Array, "row length"]:
    """Cross-entropy of each counted token given the earlier tokens of its text, in nats; 0 at other tokens."""
    # Behind a barrier, XLA for CPU computes the maximum of the logits several times faster.
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
    """Cross-entropy of every counted token of common rows under every model, in nats; 0 at other tokens."""
    return each_entity(lambda model: _losses_in_turn(model, tokens, segments, counted), models)


@jax.jit
def own_token_losses(
    models: Transformer,
    tokens: Int[Array, "entity row length"],
    segments: Int[Array, "entity row length"],
    counted: Bool[Array, "entity row length"],
) -> Float[Array, "entity row length"]:
    """Cross-entropy of every counted token of each model's own rows, in nats; 0 at other tokens."""
    return each_entity(_losses_in_turn, models, tokens, segments, counted)


def _losses_in_turn(model: Transformer, *rows: Array) -> Float[Array, "row length"]:
    together = None if jax.default_backend() == "cpu" else _ROWS_SCORED
    return jax.lax.map(lambda row: _row_losses(model, *(x[None] for x in row))[0], rows, batch_size=together)
