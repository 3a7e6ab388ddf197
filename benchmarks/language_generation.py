"""One generation of four language models (train, complete, evaluate) against a plain PyTorch and transformers loop.

Needs the dependency group `parity` (pip install --group parity). The model, training rows, completions and tests have
the sizes of one generation of the study in docs/language_models/results.md, with four entities. Both sides start from the same
weights and see the same tokens; completions are sampled and never stop early, so both generate the same number of
tokens. This project distributes the entities over one device per core, as the command does.
"""

# pyright: reportMissingImports=false
# torch and transformers are optional.

import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from crossfeed.sim.lm.data.texts import Rows
from crossfeed.sim.lm.data.tokenizer import train_tokenizer
from crossfeed.sim.lm.model.config import llama_config
from crossfeed.sim.lm.model.formats.pretrained import save_pretrained
from crossfeed.sim.lm.model.generate import complete
from crossfeed.sim.lm.model.placement import Batches, entity_mesh, place_models, place_rows, stack
from crossfeed.sim.lm.model.transformer import Transformer
from crossfeed.sim.lm.study.study import TrainingSettings
from crossfeed.sim.lm.train.training import token_losses, train, with_microbatch
from flax import nnx
from timing import Claim, interleaved

ENTITIES = 4
CONFIG = llama_config(vocabulary=512, hidden=64, layers=5, heads=8, feed_forward=172, context=512, kv_heads=4)
TRAINING = TrainingSettings(steps=8, batch=8, length=256, learning_rate=1e-4)
PROMPTS, PROMPT, NEW = 64, 64, 128
TESTS = 160
PAIRS = 7


def measure() -> list[Claim]:
    try:
        import torch
    except ImportError as error:
        raise SystemExit(
            "language_generation needs the dependency group 'parity': pip install --group parity"
        ) from error
    torch.set_num_threads(2)
    with jax.enable_x64(False):  # as the command does
        return _measure(torch)


def _measure(torch: ModuleType) -> list[Claim]:
    models = [Transformer(CONFIG, rngs=nnx.Rngs(seed)) for seed in range(ENTITIES)]
    theirs = [_as_torch(model) for model in models]
    draw = np.random.default_rng(0)
    rows = draw.integers(1, 512, (ENTITIES, TRAINING.steps * TRAINING.batch, TRAINING.length), np.int32)
    prompts = draw.integers(1, 512, (ENTITIES, PROMPTS, PROMPT), np.int32)
    tests = draw.integers(1, 512, (TESTS, TRAINING.length), np.int32)

    mesh = entity_mesh(ENTITIES, TRAINING.batch)
    population = place_models(stack(models), mesh)
    batches = place_rows([Rows(own, np.ones_like(own), np.ones(own.shape, bool)) for own in rows], TRAINING.steps, mesh)

    def ours() -> tuple[Transformer, jax.Array, jax.Array]:
        return our_generation(population, batches, with_microbatch(TRAINING, mesh), prompts, tests)

    def plain() -> list[tuple[np.ndarray, np.ndarray]]:
        return torch_generation(theirs, rows, prompts, tests)

    before = np.array([_torch_loss(model, tests).mean() for model in theirs])
    gap = float(abs(np.asarray(test_losses(population, tests))[..., 1:].mean((1, 2)) - before).max())
    if not gap < 1e-4:
        raise AssertionError(f"the losses of the two sides before training differ by {gap:.1e}")
    jax.block_until_ready(ours())
    plain()
    pairs = interleaved(ours, plain, PAIRS)
    details = {
        "entities": ENTITIES,
        "parameters": sum(leaf.size for leaf in jax.tree.leaves(models[0])),
        "trained_tokens": rows.size,
        "generated_tokens": ENTITIES * PROMPTS * NEW,
        "scored_tokens": ENTITIES * tests.size,
        "our_seconds": pairs.a_seconds,
        "torch_seconds": pairs.b_seconds,
        "ratios": pairs.ratios,
        "torch": torch.__version__,
    }
    return [Claim("a generation of 4 models faster than PyTorch and transformers", pairs.ratio, 3, details=details)]


def our_generation(
    models: Transformer, batches: Batches, training: TrainingSettings, prompts: np.ndarray, tests: np.ndarray
) -> tuple[Transformer, jax.Array, jax.Array]:
    """Trained population, completions, and test losses."""
    models, _ = train(models, batches, training)
    lengths = jnp.full(prompts.shape[:2], PROMPT)
    keys = jax.random.split(jax.random.key(0), prompts.shape[:2])
    written = complete(models, jnp.asarray(prompts), lengths, keys, new_tokens=NEW, stop=CONFIG.vocabulary)
    return models, written, test_losses(models, tests)


def test_losses(models: Transformer, tests: np.ndarray) -> jax.Array:
    """Losses of every token but the first, [entity, row, length]."""
    whole = np.ones(tests.shape, np.int32)
    return token_losses(models, tests, whole, whole.astype(bool))


def torch_generation(
    models: list[Any], rows: np.ndarray, prompts: np.ndarray, tests: np.ndarray
) -> list[tuple[np.ndarray, np.ndarray]]:
    """The same generation as the loop one would write in PyTorch: one model after another, one step after another."""
    import torch

    results = []
    for model, own_rows, own_prompts in zip(models, rows, prompts, strict=True):
        optimizer = torch.optim.AdamW(model.parameters(), TRAINING.learning_rate, weight_decay=0.0)
        model.train()
        for batch in torch.from_numpy(own_rows).long().split(TRAINING.batch):
            optimizer.zero_grad()
            model(input_ids=batch, labels=batch).loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), TRAINING.clip)
            optimizer.step()
        model.eval()
        ids = torch.from_numpy(own_prompts).long()
        settings = {"do_sample": True, "top_k": 0, "max_new_tokens": NEW, "min_new_tokens": NEW, "pad_token_id": 0}
        written = model.generate(ids, attention_mask=torch.ones_like(ids), **settings)
        results.append((written.numpy(), _torch_loss(model, tests)))
    return results


def _torch_loss(model: Any, tests: np.ndarray) -> np.ndarray:
    import torch

    ids = torch.from_numpy(tests).long()
    with torch.no_grad():
        parts = [model(input_ids=part).logits for part in ids.split(4)]
    return torch.nn.functional.cross_entropy(
        torch.cat(parts)[:, :-1].flatten(0, 1), ids[:, 1:].flatten(), reduction="none"
    ).numpy()


def _as_torch(model: Transformer) -> Any:
    from transformers import AutoModelForCausalLM

    with tempfile.TemporaryDirectory() as folder:
        save_pretrained(model, train_tokenizer(["a"], 257), Path(folder))
        return AutoModelForCausalLM.from_pretrained(folder)
