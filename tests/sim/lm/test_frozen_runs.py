"""Runs with a learning rate of nearly 0: generations and seeds differ in their random numbers alone.

The one entity publishes and reads a single text per generation, so that the training loss tells texts apart.
"""

import json
from pathlib import Path

import jax
import numpy as np
import pytest
import xarray as xr
from crossfeed.sim.lm import open_measures, parse_study, save_pretrained, start_run
from crossfeed.sim.lm.data.tokenizer import train_tokenizer
from crossfeed.sim.lm.model.config import opt_config
from crossfeed.sim.lm.model.transformer import Transformer
from flax import nnx

STUDY = """
[study]
alpha = [1]
beta = [1]
seeds = [0, 1]
generations = 2
samples = 1
[[entity]]
task = "many.jsonl"
test = "test.jsonl"
[public]
text = "public.txt"
[model]
base = "model"
[training]
steps = 1
batch = 2
length = 48
learning_rate = 1e-30
start = "base"
[pool]
new_tokens = 8
[measures]
text_items = 2
text_every = 2
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Run a study whose seeds all start from the same pretrained model, and open its measures."""
    folder: Path = tmp_path_factory.mktemp("frozen")
    for name, questions in (("many", range(100)), ("one", [7]), ("test", range(100, 104))):
        lines = (json.dumps({"question": f"{n}?", "answer": f"{n * n}"}) for n in questions)
        (folder / f"{name}.jsonl").write_text("\n".join(lines))
    (folder / "public.txt").write_text("some public text " * 200)
    tokenizer = train_tokenizer(["Question: Answer:"], 260)
    sizes = opt_config(vocabulary=tokenizer.size, hidden=8, layers=1, heads=2, feed_forward=8, context=64)
    model = Transformer(sizes, rngs=nnx.Rngs(0))
    save_pretrained(jax.tree.map(lambda leaf: leaf * 8 if leaf.ndim > 1 else leaf, model), tokenizer, folder / "model")

    def run_study(text: str) -> xr.Dataset:
        target = tmp_path_factory.mktemp("run") / "run"
        start_run(parse_study(text, folder=folder), target, False, lambda now: None)
        return open_measures(target).isel(alpha=0, beta=0, entity=0)

    return run_study


def different(values: xr.DataArray) -> int:
    """Number of different values."""
    return len(np.unique(values))


def coordinates(data: xr.Dataset) -> xr.DataArray:
    """A number that tells apart what models generate from the prompts of the tests, first and last generation."""
    return data.coordinates.sum(["dataset", "item", "coordinate"])


def test_every_generation_and_seed_draws_its_own_texts_and_prompts(run):
    """At temperature 0, where a completion follows from its prompt."""
    data = run(STUDY.replace("[pool]", "[pool]\ntemperature = 0"))
    assert different(data.loss.sum("dataset")) == 1  # the model never changes
    assert different(data.training_loss) == 2 * 3  # generation 0 trains on a private text, others on a completed prompt
    assert different(coordinates(data)) == 1


def test_every_generation_and_seed_samples_its_own_completions(run):
    """Of the only private prompt, and of the prompts of the tests."""
    data = run(STUDY.replace("many", "one"))
    assert different(data.loss.sum("dataset")) == 1
    assert different(data.training_loss.sel(generation=[1, 2])) == 2 * 2
    assert different(coordinates(data)) == 2 * 2


def test_texts_are_generated_by_the_models_of_the_generation_before(run):
    """Also where the models that are trained are others, the base. All seeds generate the likeliest tokens."""
    text = STUDY.replace("many", "one").replace("[pool]", "[pool]\ntemperature = 0")
    data = run(text.replace("[training]", "[initial]\nlearning_rate = 0.1\n[training]"))
    for losses, training_losses in zip(data.loss.sum("dataset").values, data.training_loss.values, strict=True):
        assert losses[1] == losses[2] != losses[0]  # generations 1 and 2 end with the base
        assert training_losses[1] != training_losses[2]  # they read texts of generation 0 and of the base
    assert different(data.training_loss) == 3
