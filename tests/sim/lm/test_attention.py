"""Our attention on CPU against JAX's own: what is found, and the gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from crossfeed.sim.lm.model.attention import attend, attend_filled

BATCH, HEADS, KV_HEADS, HEAD_SIZE = 2, 4, 2, 8


def inputs(length: int, slots: int, random: np.random.Generator) -> tuple[jax.Array, jax.Array, jax.Array]:
    shapes = [(BATCH, length, HEADS, HEAD_SIZE), *[(BATCH, KV_HEADS, slots, HEAD_SIZE)] * 2]
    query, keys, values = (jnp.asarray(random.normal(size=shape), jnp.float32) for shape in shapes)
    return query, keys, values


def reference(query, keys, values, mask):
    return jax.nn.dot_product_attention(query, keys.swapaxes(1, 2), values.swapaxes(1, 2), mask=mask[:, None])


@pytest.mark.parametrize("length", [5, 64, 65, 200])
def test_found_and_gradients_of_packed_texts(length):
    random = np.random.default_rng(length)
    arrays = inputs(length, length, random)
    weight = jnp.asarray(random.normal(size=arrays[0].shape), jnp.float32)
    texts = np.sort(random.integers(1, 4, (BATCH, length)), axis=1)
    mask = jnp.asarray(np.tril(texts[:, :, None] == texts[:, None]))

    def ours(query, keys, values):
        return (attend(query, keys, values, mask, causal=True) * weight).sum()

    def theirs(query, keys, values):
        return (reference(query, keys, values, mask) * weight).sum()

    np.testing.assert_allclose(attend(*arrays, mask, True), reference(*arrays, mask), atol=2e-6)
    found, expected = (jax.jit(jax.grad(loss, argnums=(0, 1, 2)))(*arrays) for loss in (ours, theirs))
    for one, wanted in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, wanted, atol=2e-5)


def test_elsewhere_than_on_cpu_it_is_jax_own_attention(monkeypatch):
    random = np.random.default_rng(3)
    arrays = inputs(9, 9, random)
    mask = jnp.asarray(np.tril(np.ones((BATCH, 9, 9), bool)))
    on_cpu = attend(*arrays, mask, True)
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    elsewhere = attend(*arrays, mask, True)
    np.testing.assert_allclose(elsewhere, on_cpu, atol=2e-6)
    assert (elsewhere == reference(*arrays, mask)).all()


def test_a_query_that_sees_nothing_spoils_no_gradient():
    random = np.random.default_rng(0)
    arrays = inputs(6, 6, random)
    blind = jnp.asarray(np.tril(np.ones((BATCH, 6, 6), bool))).at[:, 4:].set(False)

    def seeing(query, keys, values):
        return (attend(query, keys, values, blind, causal=True)[:, :4] ** 2).sum()

    for gradient in jax.grad(seeing, (0, 1, 2))(*arrays):
        assert np.isfinite(gradient).all()
        assert not gradient[:, 4:].any() if gradient.shape[1] == 6 else not gradient[:, :, 4:].any()


@pytest.mark.parametrize("slots", [1, 12, 40, 48])
def test_a_single_query_over_a_cache(slots):
    random = np.random.default_rng(1)
    arrays = inputs(1, slots, random)
    mask = jnp.asarray(random.random((BATCH, 1, slots)) < 0.5).at[..., 0].set(True)
    np.testing.assert_allclose(attend(*arrays, mask, False), reference(*arrays, mask), atol=2e-6)


@pytest.mark.parametrize("filled", [1, 16, 17, 33, 69, 70])
def test_a_single_query_over_what_is_filled_of_a_cache(filled):
    """Quarters of 70 slots end at 32, 48, 64 and 70; the newest slot is always seen."""
    query, keys, values = inputs(1, 70, np.random.default_rng(2))
    mask = jnp.broadcast_to(jnp.arange(70) < filled, (BATCH, 1, 70))

    def held(count):
        return keys[:, :, :count], values[:, :, :count]

    found = jax.jit(lambda filled: attend_filled(query, held, mask, filled))(filled)
    np.testing.assert_allclose(found, reference(query, keys, values, mask), atol=2e-6)
