"""What training starts from: checkpoints of any precision, with one tokenizer."""

import json
from pathlib import Path

import jax
import ml_dtypes
import numpy as np
import pytest
from crossfeed.sim.lm import parse_study
from crossfeed.sim.lm.data.texts import Texts, pack
from crossfeed.sim.lm.data.tokenizer import train_tokenizer
from crossfeed.sim.lm.run.initial_models import Bases
from crossfeed.sim.lm.run.inputs import Inputs, read_pretrained
from crossfeed.sim.lm.study.corpus import Corpus, Material
from crossfeed.sim.lm.study.study import Study
from crossfeed.sim.lm.train.population import Population
from safetensors.numpy import save_file

from crossfeed.errors import InvalidInput

from .tiny_models import tensors, write_checkpoint

STUDY = """
[study]
alpha = [0]
beta = [1]
[[entity]]
task = "science"
[[entity]]
task = "science"
base = "second"
[model]
base = "first"
[training]
steps = 1
batch = 2
length = 16
learning_rate = 1e-3
[pool]
new_tokens = 8
"""
_NAME, _VOCABULARY = "llama_tied", 300


def write_folder(
    folder: Path, words: str, dtype: type = np.float32, scale: float = 1.0, vocabulary: int = _VOCABULARY
) -> None:
    """A checkpoint whose tokenizer is trained on these words."""
    write_checkpoint(folder, _NAME, vocab_size=vocabulary, eos_token_id=0, bos_token_id=0)
    values = {name: (scale * value).astype(dtype) for name, value in tensors(_NAME).items()}
    embedding = "model.embed_tokens.weight"
    values[embedding] = np.resize(values[embedding], (vocabulary, values[embedding].shape[1]))
    save_file(values, folder / "model.safetensors", metadata={"format": "pt"})
    train_tokenizer([words], 260).save(folder / "tokenizer.json")


def population(study: Study, folder: Path, seed: int = 0) -> Population:
    checkpoints = read_pretrained(study)
    tokenizer = next(iter(checkpoints.values())).tokenizer if checkpoints else train_tokenizer(["some words"], 260)
    nothing = Texts.join([], [])
    public = Texts.join(list(np.random.default_rng(0).integers(1, 250, (50, 16))), [4] * 50)
    corpus = Corpus((), (public,), public, nothing, nothing, (), nothing, (), (), ())
    inputs = Inputs(Material([], [], []), corpus, tokenizer, checkpoints)
    return Bases(study, inputs, folder, lambda what, tokens: None).population(seed)


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_checkpoints_of_half_precision_train_in_single_precision(dtype, tmp_path):
    for name in ("first", "second"):
        write_folder(tmp_path / name, "to be or not to be", dtype)
    study = parse_study(STUDY, folder=tmp_path)
    base = population(study, tmp_path)
    texts = Texts.join([np.arange(1, 16)] * 2, [0, 0])
    rows = pack([texts[i] for i in range(2)], texts.prompts, 2, 16, np.ones(2, bool))
    trained, losses = base.train([rows, rows], study.training)
    assert np.isfinite(losses).all()
    for before, after in zip(jax.tree.leaves(base.model(0)), jax.tree.leaves(trained.model(0)), strict=True):
        assert after.dtype == np.float32
        if before.ndim > 1:
            # Adam's first step is the learning rate wherever the gradient is not tiny.
            assert 0.5e-3 < np.abs(np.asarray(after) - np.asarray(before)).max() < 2e-3


def test_checkpoints_with_other_tokenizers_are_refused(tmp_path):
    write_folder(tmp_path / "first", "to be or not to be")
    write_folder(tmp_path / "second", "all the world is a stage")
    study = parse_study(STUDY, folder=tmp_path)
    with pytest.raises(InvalidInput, match=r"tokenizers of .*first and .*second differ"):
        read_pretrained(study)
    settings = json.loads((tmp_path / "first" / "config.json").read_text()) | {"eos_token_id": 1}
    write_folder(tmp_path / "second", "to be or not to be")
    (tmp_path / "second" / "config.json").write_text(json.dumps(settings))
    with pytest.raises(InvalidInput, match="differ"):
        read_pretrained(study)


def test_models_with_other_numbers_of_tokens_are_refused(tmp_path):
    """The ids that one samples would mean nothing to the other, whose losses become NaN."""
    write_folder(tmp_path / "first", "to be or not to be")
    write_folder(tmp_path / "second", "to be or not to be", vocabulary=290)
    with pytest.raises(InvalidInput, match=r"first has 300 tokens and .*second 290, but all entities read what others"):
        read_pretrained(parse_study(STUDY, folder=tmp_path))


def test_a_checkpoint_with_less_room_than_a_row_is_refused(tmp_path):
    for name in ("first", "second"):
        write_folder(tmp_path / name, "to be or not to be")
    with pytest.raises(InvalidInput, match=r"training.length is 4096, above the context of .*first, \d+"):
        read_pretrained(parse_study(STUDY.replace("length = 16", "length = 4096"), folder=tmp_path))


@pytest.mark.parametrize("base", ["first", "scratch"])
def test_models_recompute_their_blocks_where_the_study_says_so(base, tmp_path):
    write_folder(tmp_path / "first", "some words")
    for remat in (True, False):
        text = STUDY.replace("steps = 1", f"steps = 1\nremat = {str(remat).lower()}", 1).replace('base = "second"', "")
        text = text.replace('base = "first"', f'base = "{base}"' + "\npretrain_steps = 0" * (base == "scratch"))
        assert population(parse_study(text, folder=tmp_path), tmp_path).model(0).config.remat is remat


def leaves(model) -> np.ndarray:
    """All parameters of a model as one vector."""
    return np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(model)])


def test_new_models_have_the_sizes_of_the_study_or_of_their_own_entity(tmp_path):
    text = STUDY.replace('base = "second"', "width = 24\nlayers = 3")
    sizes = "layers = 2\nwidth = 8\nheads = 4\ncontext = 40\npretrain_steps = 0\nprecision = 'bfloat16'"
    made = population(parse_study(text.replace('base = "first"', sizes)), tmp_path)
    first, second = (made.model(entity).config for entity in (0, 1))
    assert (first.hidden, first.layers, second.hidden, second.layers) == (8, 2, 24, 3)
    for config in (first, second):
        assert (config.heads, config.context, config.dtype, config.parameter_dtype) == (4, 40, "bfloat16", "float32")


def test_new_models_of_one_size_start_equal_and_differ_between_seeds(tmp_path):
    text = STUDY.replace('base = "second"', "").replace('base = "first"', "width = 8\nheads = 2\npretrain_steps = 0")
    one, other = (population(parse_study(text), tmp_path, seed) for seed in (0, 1))
    assert (leaves(one.model(0)) == leaves(one.model(1))).all()
    assert (leaves(one.model(0)) != leaves(other.model(0))).mean() > 0.9  # all but the norms


def test_every_entity_starts_from_its_own_pretrained_model(tmp_path):
    for name, scale in (("first", 1.0), ("second", 2.0)):
        write_folder(tmp_path / name, "to be or not to be", scale=scale)
    made = population(
        parse_study(STUDY.replace('"first"', '"first"\nprecision = "bfloat16"'), folder=tmp_path), tmp_path
    )
    np.testing.assert_array_equal(leaves(made.model(1)), 2 * leaves(made.model(0)))
    assert {made.model(entity).config.dtype for entity in (0, 1)} == {"bfloat16"}


def test_every_base_is_trained_from_its_pretrained_model_on_texts_of_the_seed(tmp_path):
    for name, scale in (("first", 1.0), ("second", 2.0)):
        write_folder(tmp_path / name, "to be or not to be", scale=scale)
    text = STUDY.replace("steps = 1", "steps = 2").replace("learning_rate = 1e-3", "learning_rate = 0.1")
    study = parse_study(text.replace('"first"', '"first"\npretrain_steps = 1\npretrain_rate = 1e-3'), folder=tmp_path)
    untrained = population(parse_study(STUDY, folder=tmp_path), tmp_path)
    trained, other = (population(study, tmp_path, seed) for seed in (0, 1))
    for entity in (0, 1):
        before, after = leaves(untrained.model(entity)), leaves(trained.model(entity))
        # Adam's first step is the learning rate wherever the gradient is not tiny.
        assert np.abs(after - before).max() == pytest.approx(1e-3, rel=0.1)
        assert (leaves(other.model(entity)) != after).any()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (STUDY.replace('base = "first"', 'base = "nothing/"'), "model.base: cannot read nothing/: it is neither"),
        (STUDY.replace('base = "second"', 'base = "nothing/"'), "the base of entity 2: cannot read nothing/"),
    ],
)
def test_a_checkpoint_that_is_not_there_is_named_with_its_field(text, says, tmp_path):
    write_folder(tmp_path / "first", "to be or not to be")
    with pytest.raises(InvalidInput, match=says):
        read_pretrained(parse_study(text, folder=tmp_path))
