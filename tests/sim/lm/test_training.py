"""A population trains as its models would alone, and scores as they do."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from crossfeed.sim.lm.data.texts import Rows
from crossfeed.sim.lm.data.tokenizer import train_tokenizer
from crossfeed.sim.lm.model.config import llama_config
from crossfeed.sim.lm.model.placement import entity_mesh, place_models, place_rows, stack
from crossfeed.sim.lm.model.transformer import Transformer
from crossfeed.sim.lm.study.study import TrainingSettings
from crossfeed.sim.lm.train.population import Population
from crossfeed.sim.lm.train.training import make_optimizer, token_losses, train, with_microbatch
from flax import nnx

SETTINGS = TrainingSettings(
    steps=3, batch=2, length=8, learning_rate=1e-2, warmup=0.7, weight_decay=3.0, beta1=0.5, beta2=0.6, clip=0.1
)
"""None has its default value, so that a setting that is lost shows."""


def config(width: int = 8):
    return llama_config(vocabulary=260, hidden=width, layers=1, heads=2, feed_forward=8, context=16)


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(["some text"], 260)


def rows(seed: int) -> Rows:
    random = np.random.default_rng(seed)
    segments = np.repeat([[1, 1, 1, 2, 2, 2, 2, 0]], 6, axis=0).astype(np.int32)
    tokens = random.integers(0, 260, (6, 8)).astype(np.int32)
    return Rows(tokens, segments, (segments > 0) & (np.arange(8) % 3 != 0))


@pytest.mark.long
def test_models_of_a_population_train_as_alone_whatever_their_sizes(tokenizer):
    models = [Transformer(config(width), rngs=nnx.Rngs(i)) for i, width in enumerate((8, 16, 8))]
    data = [rows(i) for i in range(3)]
    together, losses = Population.of(models, tokenizer).train(data, SETTINGS)
    assert losses.shape == (3, 3)
    scores, own_scores = together.losses(data[0]), together.own_losses(data)
    for i, model in enumerate(models):
        alone, own = Population.of([model], tokenizer).train([data[i]], SETTINGS)
        np.testing.assert_allclose(losses[i], own[0], rtol=1e-5)
        np.testing.assert_allclose(scores[i], alone.losses(data[0])[0], rtol=2e-4, atol=1e-5)
        np.testing.assert_allclose(own_scores[i], alone.losses(data[i])[0], rtol=2e-4, atol=1e-5)


def test_the_loss_is_that_of_counted_tokens_given_their_own_text(tokenizer):
    model = Transformer(config(), rngs=nnx.Rngs(3))
    data = rows(5)
    found = Population.of([model], tokenizer).losses(data)[0]
    logits = jax.nn.log_softmax(model(jnp.asarray(data.tokens[:1, 3:7])))[0]
    for place in range(1, 4):
        expected = -logits[place - 1, data.tokens[0, 3 + place]] if data.counted[0, 3 + place] else 0.0
        assert found[0, 3 + place] == pytest.approx(float(expected), rel=1e-4, abs=1e-6)
    assert (found[~data.counted] == 0).all()


@pytest.mark.long
def test_activations_of_half_precision_train_nearly_as_whole_ones(tokenizer):
    models = [Transformer(replace(config(), dtype=dtype), rngs=nnx.Rngs(3)) for dtype in ("float32", "bfloat16")]
    whole, half = (Population.of([model], tokenizer).train([rows(5)], SETTINGS) for model in models)
    np.testing.assert_allclose(half[1], whole[1], rtol=0.01)
    assert (half[1] != whole[1]).any()
    assert {leaf.dtype for leaf in jax.tree.leaves(half[0].model(0))} == {np.dtype(np.float32)}


def test_the_microbatch_is_the_studys_or_one_row_per_device():
    mesh = entity_mesh(1, 4)  # two devices share the batch
    assert with_microbatch(replace(SETTINGS, microbatch=3), mesh) == replace(SETTINGS, microbatch=3)
    assert with_microbatch(SETTINGS, mesh) == replace(SETTINGS, microbatch=2)


@pytest.mark.parametrize("microbatch", [1, 3])
@pytest.mark.long
def test_microbatches_add_up_to_the_batch(microbatch, tokenizer):
    """Though their rows count unequally many tokens, and one of them none."""
    data = rows(5)
    data.counted[:, :5] &= np.array([[False], [True], [False], [True], [True], [True]])
    data.counted[2] = False
    settings = replace(SETTINGS, steps=1, batch=6)
    population = Population.of([Transformer(config(), rngs=nnx.Rngs(3))], tokenizer)
    whole, loss = population.train([data], replace(settings, microbatch=6))
    split, same = population.train([data], replace(settings, microbatch=microbatch))
    np.testing.assert_allclose(same, loss, rtol=1e-5)
    for one, other in zip(jax.tree.leaves(split.model(0)), jax.tree.leaves(whole.model(0)), strict=True):
        # A fiftieth of Adam's step, which divides gradients by their own size, also those that are hardly more than rounding.
        np.testing.assert_allclose(one, other, rtol=0, atol=SETTINGS.learning_rate / 100)


@pytest.mark.long
def test_training_leaves_the_old_population_as_it_was(tokenizer):
    population = Population.of([Transformer(config(), rngs=nnx.Rngs(i)) for i in range(2)], tokenizer)
    before = population.losses(rows(1))
    population.train([rows(0), rows(1)], SETTINGS)
    np.testing.assert_array_equal(population.losses(rows(1)), before)


def test_a_part_of_a_population_scores_as_in_the_whole(tokenizer):
    """Its models still lie on the devices of two entities, which one entity cannot share."""
    models = [Transformer(config(), rngs=nnx.Rngs(i)) for i in range(2)]
    population, _ = Population.of(models, tokenizer).train([rows(0), rows(1)], SETTINGS)
    data = rows(2)
    part = jax.tree.map(lambda leaf: leaf[1:], population.groups[0].models)
    found = token_losses(part, data.tokens, data.segments, data.counted)
    np.testing.assert_allclose(found[0], population.losses(data)[1], rtol=1e-5)


@pytest.mark.parametrize("entities", [2, 3])
@pytest.mark.long
def test_a_trained_state_restores_bit_by_bit_on_its_devices(entities, tokenizer):
    """Two entities have a device each; of three, each is split over both, and sums must be split in the same way."""
    models = [Transformer(config(16), rngs=nnx.Rngs(i)) for i in range(entities)]
    population, _ = Population.of(models, tokenizer).train([rows(i) for i in range(entities)], SETTINGS)
    other = Population.of([Transformer(config(16), rngs=nnx.Rngs(i + 5)) for i in range(entities)], tokenizer)
    restored = other.with_state(jax.tree.map(np.asarray, population.state), SETTINGS.batch)
    layouts = [jax.tree.map(lambda leaf: (leaf.sharding, leaf.committed), one.state) for one in (population, restored)]
    assert layouts[0] == layouts[1]
    assert any(len(leaf.sharding.device_set) == 2 for leaf in jax.tree.leaves(population.state))
    np.testing.assert_array_equal(restored.losses(rows(1)), population.losses(rows(1)))


def test_the_learning_rate_rises_and_falls():
    training = replace(SETTINGS, steps=10, warmup=0.3, learning_rate=1.0, clip=1e9)
    optimizer = make_optimizer(training)
    weight = jnp.zeros(())
    state = optimizer.init(weight)
    sizes = []
    for _ in range(10):
        change, state = optimizer.update(jnp.ones(()), state, weight)
        sizes.append(-float(np.asarray(change)))  # Adam's step for a constant gradient is the rate
    np.testing.assert_allclose(sizes[:4], [0.25, 0.5, 0.75, 1.0], rtol=1e-3)
    np.testing.assert_allclose(np.diff(sizes[3:]), -1 / 7, rtol=1e-3)


def test_a_step_is_that_of_adamw_after_clipping():
    """Against the formulas, written out (Loshchilov & Hutter 2019, algorithm 2)."""
    training = replace(
        SETTINGS, steps=4, warmup=0.0, learning_rate=0.1, weight_decay=0.3, beta1=0.8, beta2=0.9, clip=2.0
    )
    optimizer = make_optimizer(training)
    weight = np.array([1.0, -2.0])
    state, first, second = optimizer.init(jnp.asarray(weight)), np.zeros(2), np.zeros(2)
    for step, gradient in enumerate((np.array([3.0, 4.0]), np.array([-0.3, 0.4]))):
        change, state = optimizer.update(jnp.asarray(gradient), state, jnp.asarray(weight))
        gradient = gradient * min(1, 2.0 / np.linalg.norm(gradient))
        first, second = 0.8 * first + 0.2 * gradient, 0.9 * second + 0.1 * gradient**2
        direction = first / (1 - 0.8 ** (step + 1)) / (np.sqrt(second / (1 - 0.9 ** (step + 1))) + 1e-8)
        expected = -0.1 * (1 - step / 4) * (direction + 0.3 * weight)
        np.testing.assert_allclose(np.asarray(change), expected, rtol=1e-5)
        weight = weight + expected


def test_training_follows_the_optimizer_of_its_settings(tokenizer):
    model, data = Transformer(config(), rngs=nnx.Rngs(3)), rows(5)
    trained, losses = Population.of([model], tokenizer).train([data], SETTINGS)
    batches = [getattr(data, name).reshape(3, 2, 8) for name in ("tokens", "segments", "counted")]

    def loss(model, tokens, segments, counted):
        return token_losses(stack([model]), tokens, segments, counted).sum() / counted.sum(dtype=jnp.float32)

    optimizer = make_optimizer(SETTINGS)

    @jax.jit
    def step(model, state, batch):
        value, gradient = jax.value_and_grad(loss)(model, *batch)
        change, state = optimizer.update(gradient, state, model)
        return value, optax.apply_updates(model, change), state

    state = jax.jit(optimizer.init)(model)
    for number, batch in enumerate(zip(*batches, strict=True)):
        value, model, state = step(model, state, batch)
        assert losses[0, number] == pytest.approx(float(value), rel=1e-5)
    for expected, found in zip(jax.tree.leaves(model), jax.tree.leaves(trained.model(0)), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(("entities", "batch", "shape"), [(2, 4, (2, 1)), (3, 4, (1, 2)), (3, 3, (1, 1))])
def test_devices_share_the_entities_first_then_the_batch(entities, batch, shape):
    assert jax.local_device_count() == 2
    assert tuple(entity_mesh(entities, batch).shape.values()) == shape


@pytest.mark.parametrize("entities", [2, pytest.param(3, marks=pytest.mark.long)])
def test_a_long_training_tells_its_progress_and_ends_as_a_whole_one(entities, tokenizer):
    training = replace(SETTINGS, steps=60, batch=2)
    random = np.random.default_rng(0)
    shape = (training.rows, 8)
    data = [
        Rows(random.integers(0, 260, shape, np.int32), np.ones(shape, np.int32), np.ones(shape, bool))
        for _ in range(entities)
    ]
    population = Population.of([Transformer(config(), rngs=nnx.Rngs(i)) for i in range(entities)], tokenizer)
    before, told = population.losses(data[0]), []
    trained, losses = population.train(data, training, told.append)
    assert told == [entities * 60 * 2 * 8 // 20] * 20
    np.testing.assert_array_equal(population.losses(data[0]), before)
    mesh = entity_mesh(entities, 2)
    models, whole = train(
        place_models(population.groups[0].models, mesh),
        place_rows(data, 60, mesh),
        with_microbatch(training, mesh),
    )
    np.testing.assert_allclose(losses, whole, rtol=1e-4)
    for one, other in zip(jax.tree.leaves(trained.groups[0].models), jax.tree.leaves(models), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)
