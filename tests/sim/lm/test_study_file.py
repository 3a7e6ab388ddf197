"""Mistakes in a study's file are named with their line."""

import tomllib
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from crossfeed.sim.lm import Study, parse_study
from crossfeed.sim.lm.study.study import SECTIONS, EntitySettings, from_dict

from crossfeed.errors import InvalidInput

GOOD = """[study]
alpha = [0, 0.5]
beta = [1]
generations = 3

[[entity]]
task = "science"

[[entity]]
task = "arithmetic"
width = 32

[model]
width = 16
heads = 2

[training]
steps = 4
length = 64

[pool]
prompts = "own"
shares = [0.25, 0.75]
new_tokens = 16
"""


def test_names_are_paths_only_where_something_stands(tmp_path):
    """Whatever else the folder holds: a built-in name stays, and a name too long for a file is one of a hub."""
    for name in ("scratch", "python", "science"):
        (tmp_path / name).mkdir()
    study = parse_study(
        GOOD.replace('"arithmetic"', f'"{"x" * 5000}"').replace("[model]", '[model]\nbase = "scratch"'), folder=tmp_path
    )
    assert (study.bases, study.public) == (("scratch", "scratch"), "python")
    assert [entity.task for entity in study.entities] == ["science", "x" * 5000]


def test_rules_of_new_models_apply_where_an_entity_has_one():
    """Whatever [model] says, which is of those entities only that name no base."""
    long = GOOD.replace("width = 32\n", "").replace("length = 64", "length = 1024")
    checkpoints = long.replace('task = "science"', 'task = "science"\nbase = "a/b"').replace(
        'task = "arithmetic"', 'task = "arithmetic"\nbase = "a/b"'
    )
    checkpoints = checkpoints.replace("width = 16\nheads = 2\n", "")
    assert parse_study(checkpoints).model.pretrain_steps == 0
    new = checkpoints.replace('"a/b"', '"scratch"').replace("[model]", '[model]\nbase = "a/b"')
    with pytest.raises(InvalidInput, match=r"training.length is 1024, above the model's context of 512"):
        parse_study(new)
    study = parse_study(new.replace("1024", "64"))
    assert (study.model.pretrain_steps, study.training.learning_rate) == (200, 1e-3)


def test_generation_0_has_its_own_training():
    study = parse_study(f"{GOOD}[initial]\nsteps = 9\nlearning_rate = 0.5\nbeta = 0.25\n")
    assert (study.at_first.training.steps, study.at_first.training.learning_rate) == (9, 0.5)
    assert study.initial_beta(1.0) == 0.25
    plain = parse_study(GOOD)
    assert plain.at_first == plain
    assert plain.initial_beta(1.0) == 1.0


ALL_SETTINGS = """
[study]
alpha = [0.25]
beta = [0.75]
seeds = [3, 8]
generations = 7
samples = 99
[[entity]]
task = "science"
[[entity]]
task = "train.jsonl"
test = "test.jsonl"
base = "scratch"
layers = 6
width = 36
[public]
text = "public.txt"
[tokenizer]
vocabulary = 333
[model]
layers = 3
width = 24
heads = 6
context = 640
pretrain_steps = 11
pretrain_rate = 0.02
pretrain_private = 0.3
precision = "bfloat16"
[initial]
beta = 0.4
steps = 13
learning_rate = 0.03
[training]
steps = 17
batch = 6
microbatch = 3
length = 96
learning_rate = 0.004
warmup = 0.2
weight_decay = 0.05
beta1 = 0.7
beta2 = 0.8
clip = 2.5
loss = "completion"
start = "base"
remat = true
[pool]
prompts = "public"
temperature = 1.5
top_p = 0.9
new_tokens = 21
shares = [0.125, 0.875]
fresh = 0.1
candidates = 5
judge = "likelihood"
[measures]
test_items = 31
text_items = 23
text_every = 4
embedding = "some/embedding"
"""


def test_every_setting_of_a_file_reaches_the_study(tmp_path):
    study, plain = parse_study(ALL_SETTINGS, folder=tmp_path), Study((0.25,), (0.75,), (EntitySettings("science"),))
    tables = tomllib.loads(ALL_SETTINGS)
    for name in SECTIONS:
        found, default = asdict(getattr(study, name)), asdict(getattr(plain, name))
        stated = {key: tuple(value) if isinstance(value, list) else value for key, value in tables[name].items()}
        assert found == stated | ({"base": "scratch"} if name == "model" else {})
        assert {key for key in found if found[key] == default[key]} <= {"base"}  # or nothing would be tested
    paths = {name: str(tmp_path / name) for name in ("train.jsonl", "test.jsonl", "public.txt")}
    assert study.entities == (
        EntitySettings("science"),
        EntitySettings(paths["train.jsonl"], paths["test.jsonl"], "scratch", 6, 36),
    )
    assert (study.alpha, study.beta, study.seeds) == ((0.25,), (0.75,), (3, 8))
    assert (study.generations, study.samples, study.vocabulary, study.public) == (7, 99, 333, paths["public.txt"])
    first = study.at_first
    assert first == replace(study, training=replace(study.training, steps=13, learning_rate=0.03))
    assert (first.initial_beta(0.75), study.shares.tolist()) == (0.4, [0.125, 0.875])
    assert from_dict(study.as_dict()) == study


def test_the_documented_study_shows_the_defaults(tmp_path):
    page = (Path(__file__).parents[3] / "docs" / "language_models" / "guide.md").read_text(encoding="utf-8")
    shown = page.split("```toml\n")[1].split("```")[0]
    weights = "[study]\nalpha = [0, 0.5, 1]\nbeta = [0.5]\n"
    entities = '[[entity]]\ntask = "science"\n[[entity]]\ntask = "train.jsonl"\ntest = "test.jsonl"\n'
    assert parse_study(shown, folder=tmp_path) == parse_study(weights + entities, folder=tmp_path)


def test_a_study_survives_being_written_down():
    study = parse_study(GOOD)
    assert study.entities[1].width == 32
    assert study.alpha == (0.0, 0.5)
    assert from_dict(study.as_dict()) == study


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("alpha = [0, 0.5]", "", "study.alpha missing"),
        ("alpha = [0, 0.5]", "alpha = [0, 1.5]", "line 2: study.alpha holds 1.5"),
        ("alpha = [0, 0.5]", 'alpha = "0.5"', "line 2: study.alpha is '0.5', but must be a list"),
        ("alpha = [0, 0.5]", "alpha = true", "line 2: study.alpha is True, but must be a list"),
        ("alpha = [0, 0.5]", "alpha = 1.5", "line 2: study.alpha holds 1.5"),
        ("alpha = [0, 0.5]", "alpha = [0, 0]", "line 2: study.alpha holds 0 twice"),
        ("generations = 3", "seeds = [4, 7, 7]", "line 4: study.seeds holds 7 twice"),
        ("generations = 3", "seeds = []", "line 4: study.seeds is an empty list"),
        (
            "new_tokens = 16",
            'judge = "likelihood"',
            "line 24: pool.judge is 'likelihood', which applies where pool.candidates is above 1",
        ),
        ("new_tokens = 16", "temperature = 0\ntop_p = 0.5", "line 25: pool.top_p is 0.5, but at temperature 0"),
        ("new_tokens = 16", "temperature = 0\ncandidates = 3", "line 25: pool.candidates is 3, but at temperature 0"),
        ("heads = 2", "heads = 2\npretrain_steps = 0\npretrain_rate = 1", "line 17: model.pretrain_rate applies where"),
        ("steps = 4", "microbatch = 3", "line 18: training.microbatch is 3, but must divide training.batch, 4"),
        ("steps = 4", "microbatch = 0", "line 18: training.microbatch is 0, but must be at least 1"),
        ("steps = 4", "remat = 1", "line 18: training.remat is 1, but must be true or false"),
        ("generations = 3", "generation = 3", "line 4: study.generation unknown"),
        ("generations = 3", "seeds = [-1]", "line 4: study.seeds holds -1"),
        ("[model]", "[initial]\nbeta = 2\n[model]", r"line 14: initial.beta is 2.0, but must lie in \[0, 1\]"),
        ("width = 32", "width = 30", "line 11: entity.width is 30, but must be a multiple of twice the 2 heads"),
        ("width = 32", "with = 32", "line 11: entity.with unknown"),
        ("width = 32", 'base = "model.bin"', "line 11: entity.base mixes new and pretrained models"),
        ("width = 32", 'test = "t.jsonl"', "line 11: entity.test does not apply to a built-in task"),
        (
            '"arithmetic"\nwidth = 32',
            '"some/hub"\ntest = "t.jsonl"',
            "line 11: entity.test does not apply to a task of",
        ),
        ("width = 16", 'base = "first"', "line 11: entity.width applies to a model from scratch only"),
        ("steps = 4", "beta1 = 1", r"line 18: training.beta1 is 1.0, but must lie in \[0, 1\)"),
        ("steps = 4", "beta2 = 1.0", r"line 18: training.beta2 is 1.0, but must lie in \[0, 1\)"),
        ('task = "arithmetic"\n', "", "entity.task missing for entity 2"),
        ('"arithmetic"', '" "', "line 10: entity.task is empty"),
        (
            '"arithmetic"',
            '"arithmetics"',
            "line 10: entity.task is 'arithmetics', which is neither .* like it: arithmetic$",
        ),
        ('"science"', '"science:biologie"', "line 7: entity.task is 'science:biologie', .*science:chemistry, "),
        (
            '"arithmetic"\nwidth = 32',
            '"./t.jsonl"\ntest = "t.jsonl"',
            "line 11: entity.test is the file of the task itself",
        ),
        ("width = 32", 'base = ""', "line 11: entity.base is empty"),
        ("steps = 4", f"clip = 1{'0' * 400}", "line 18: training.clip holds a whole number of more than 64 bits"),
        ("steps = 4", "weight_decay = -0.1", "line 18: training.weight_decay is -0.1, but must be at least 0"),
        ("steps = 4", "warmup = 1.5", r"line 18: training.warmup is 1.5, but must lie in \[0, 1\]"),
        ("[pool]", '[public]\ntext = " "\n[pool]', "line 22: public.text is empty"),
        ("steps = 4", "steps = 0", "line 18: training.steps is 0, but must be at least 1"),
        ("steps = 4", 'loss = "half"', "line 18: training.loss is 'half', but must be one of text, completion"),
        ("steps = 4", "learning_rate = 0", "line 18: training.learning_rate is 0.0, but must be positive"),
        ("length = 64", "length = 1024", "line 19: training.length is 1024, above the model's context of 512"),
        ('prompts = "own"', 'prompts = "mine"', "line 22: pool.prompts is 'mine'"),
        ('prompts = "own"', "temperature = -1", "line 22: pool.temperature is -1"),
        ('prompts = "own"', "top_p = 0", "line 22: pool.top_p is 0"),
        ("[0.25, 0.75]", "[0.5, 0.75]", "line 23: pool.shares sum to 1.25"),
        ("[0.25, 0.75]", "[1]", "line 23: pool.shares has 1 shares, but there are 2 entities"),
        ("new_tokens = 16", "new_tokens = 64", "line 24: pool.new_tokens is 64, but must be below training.length"),
        ("[training]", "[trianing]", "line 17: trianing unknown"),
        ("[training]", "[training", "study is not TOML"),
    ],
)
def test_mistakes_are_named_with_their_line(old, new, says):
    assert old in GOOD
    with pytest.raises(InvalidInput, match=says):
        parse_study(GOOD.replace(old, new, 1))


def test_no_entity_is_refused():
    with pytest.raises(InvalidInput, match="entity missing"):
        parse_study("[study]\nalpha = [0]\nbeta = [0]\n")


@pytest.mark.parametrize("key", ["layers = 3", "width = 16", "heads = 2", "context = 512"])
def test_sizes_of_a_new_model_beside_a_checkpoint_are_refused(key):
    text = GOOD.replace("width = 32\n", "").replace("width = 16\nheads = 2", f'base = "some/model"\n{key}')
    with pytest.raises(InvalidInput, match=rf"line 14: model.{key.split()[0]} applies to a model from scratch only"):
        parse_study(text)


def test_a_checkpoint_trains_no_further_unless_told():
    text = GOOD.replace("width = 32\n", "").replace("width = 16\nheads = 2", 'base = "some/model"')
    assert parse_study(text).model.pretrain_steps == 0
    further = text.replace('"some/model"', '"some/model"\npretrain_steps = 9\npretrain_private = 0.5')
    assert parse_study(further).model.pretrain_steps == 9
    with pytest.raises(
        InvalidInput, match=r"line 15: model.pretrain_private applies where model.pretrain_steps is above 0"
    ):
        parse_study(further.replace("pretrain_steps = 9\n", "\n"))


def test_new_models_learn_faster_unless_told():
    assert parse_study(GOOD).training.learning_rate == 1e-3
    assert parse_study(GOOD.replace("steps = 4", "learning_rate = 2e-5")).training.learning_rate == 2e-5
    checkpoint = GOOD.replace("width = 32\n", "").replace("width = 16\nheads = 2", 'base = "some/model"')
    assert parse_study(checkpoint).training.learning_rate == 8e-6


def test_a_binary_checkpoint_needs_a_tokenizer():
    text = GOOD.replace("width = 32\n", "").replace("width = 16\nheads = 2", 'base = "m.bin"')
    with pytest.raises(InvalidInput, match=r"tokenizer.path missing"):
        parse_study(text)


def test_a_vocabulary_beside_a_checkpoint_is_refused():
    text = GOOD.replace("width = 32\n", "").replace("width = 16\nheads = 2", 'base = "some/model"')
    with pytest.raises(InvalidInput, match=r"line 24: tokenizer.vocabulary applies to a new tokenizer"):
        parse_study(f"{text}[tokenizer]\nvocabulary = 512\n")


def test_a_tokenizer_beside_a_model_from_scratch_is_refused(tmp_path):
    (tmp_path / "tok.bin").touch()
    with pytest.raises(InvalidInput, match=r"line 26: tokenizer.path applies to pretrained models only"):
        parse_study(f'{GOOD}[tokenizer]\npath = "tok.bin"\n', folder=tmp_path)
