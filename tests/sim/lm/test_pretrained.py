"""Models in files: read, written back bit for bit, and refused with one sentence."""

import json
import math
import struct
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
from crossfeed.sim.lm.data.tokenizer import train_tokenizer
from crossfeed.sim.lm.model.config import RopeScaling, TransformerConfig, opt_config
from crossfeed.sim.lm.model.formats.hugging_face import read_config
from crossfeed.sim.lm.model.formats.pretrained import load_model, load_pretrained, save_pretrained
from crossfeed.sim.lm.model.generate import complete
from crossfeed.sim.lm.model.transformer import Transformer
from flax import nnx
from safetensors.numpy import load_file, save_file
from tokenizers import AddedToken, Tokenizer
from tokenizers.models import WordLevel

from crossfeed.errors import InvalidInput

from .tiny_models import CONFIGS, tensors, write_checkpoint

STORIES = Path(__file__).parents[4] / "shared" / "data" / "stories260K"


@pytest.fixture
def folder(tmp_path):
    write_checkpoint(tmp_path, "llama_untied_scaled")
    return tmp_path


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(["to be or not to be"], 257)


@pytest.mark.parametrize("name", CONFIGS)
def test_round_trip_keeps_every_bit(name, tmp_path, tokenizer):
    rounded = {tensor: value.astype(ml_dtypes.bfloat16) for tensor, value in tensors(name).items()}
    for values in (tensors(name), rounded):
        write_checkpoint(tmp_path / "first", name, vocab_size=97)
        save_file(values, tmp_path / "first" / "model.safetensors")
        model = load_model(tmp_path / "first")
        assert model.config.parameter_dtype == next(iter(values.values())).dtype.name
        save_pretrained(model, tokenizer, tmp_path / "second")
        again = load_file(tmp_path / "second" / "model.safetensors")
        assert again.keys() == values.keys()
        for tensor, value in values.items():
            assert again[tensor].dtype == value.dtype
            assert again[tensor].tobytes() == value.tobytes()
        assert load_model(tmp_path / "second").config == model.config


UNUSUAL_LLAMA = {
    "model_type": "llama",
    "vocab_size": 91,
    "hidden_size": 24,
    "num_hidden_layers": 3,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "head_dim": 10,
    "intermediate_size": 40,
    "max_position_embeddings": 72,
    "rms_norm_eps": 0.03,
    "rope_theta": 300.0,
    "tie_word_embeddings": True,
    "attention_bias": True,
    "mlp_bias": True,
}
"""No entry is what its absence stands for."""
UNUSUAL_CONFIG = TransformerConfig(
    vocabulary=91,
    hidden=24,
    layers=3,
    heads=6,
    kv_heads=2,
    head_size=10,
    feed_forward=40,
    context=72,
    word_embedding=24,
    tied_head=True,
    attention_bias=True,
    feed_forward_bias=True,
    norm_epsilon=0.03,
    rope_theta=300.0,
)


def test_every_entry_of_a_llamas_config_counts():
    assert read_config(UNUSUAL_LLAMA, Path("config.json")) == UNUSUAL_CONFIG
    found = read_config(UNUSUAL_LLAMA, Path("config.json"), dtype="bfloat16", parameter_dtype="float16", remat=True)
    assert found == replace(UNUSUAL_CONFIG, dtype="bfloat16", parameter_dtype="float16", remat=True)


def test_every_entry_of_an_opts_config_counts():
    record = {
        "model_type": "opt",
        "vocab_size": 91,
        "hidden_size": 24,
        "num_hidden_layers": 3,
        "num_attention_heads": 6,
        "ffn_dim": 40,
        "max_position_embeddings": 72,
        "word_embed_proj_dim": 12,
        "enable_bias": False,
    }
    expected = opt_config(91, 24, 3, 6, 40, 72, word_embedding=12, attention_bias=False, feed_forward_bias=False)

    def read(**entries: bool) -> TransformerConfig:
        return read_config(record | entries, Path("config.json"))

    assert read() == expected
    assert read(_remove_final_layer_norm=True) == replace(expected, final_norm=False)
    assert read(do_layer_norm_before=False) == replace(expected, norm_first=False, final_norm=False)


SCALING = {"factor": 7.0, "low_freq_factor": 1.5, "high_freq_factor": 3.5, "original_max_position_embeddings": 17}


@pytest.mark.parametrize(
    ("entries", "scaling"),
    [
        ({"rope_theta": None, "rope_parameters": {"rope_type": "default", "rope_theta": 300}}, None),
        ({"rope_theta": 9.0, "rope_parameters": {"rope_theta": 300.0}}, None),
        ({"rope_parameters": {"rope_type": "llama3", **SCALING}}, RopeScaling(7.0, 1.5, 3.5, 17)),
        ({"rope_scaling": {"rope_type": "llama3", **SCALING}}, RopeScaling(7.0, 1.5, 3.5, 17)),
        ({"rope_scaling": {"type": "llama3", **SCALING}}, RopeScaling(7.0, 1.5, 3.5, 17)),
        ({"rope_scaling": {"rope_type": "default"}}, None),
        (
            {"rope_parameters": {"rope_theta": 9.0}, "rope_scaling": {"rope_type": "llama3", **SCALING}},
            RopeScaling(7.0, 1.5, 3.5, 17),
        ),
        ({"rope_parameters": {"rope_type": "llama3", **SCALING}, "rope_scaling": {"type": "default"}}, None),
        ({"partial_rotary_factor": 1.0, "rope_parameters": {"rope_type": "default", "factor": None}}, None),
    ],
)
def test_rotary_settings_are_read_from_where_files_of_any_age_keep_them(entries, scaling):
    assert read_config(UNUSUAL_LLAMA | entries, Path("config.json")) == replace(UNUSUAL_CONFIG, rope_scaling=scaling)


def test_a_model_without_its_last_norm_is_read_again(tmp_path, tokenizer):
    sizes: dict[str, Any] = {"vocabulary": 300, "hidden": 8, "layers": 1, "heads": 2, "feed_forward": 8, "context": 16}
    model = Transformer(opt_config(**sizes, final_norm=False), rngs=nnx.Rngs(0))
    save_pretrained(model, tokenizer, tmp_path)
    assert json.loads((tmp_path / "config.json").read_text())["_remove_final_layer_norm"] is True
    assert load_model(tmp_path).config == model.config


def test_shards_are_one_model(folder):
    whole = jax.tree.leaves(load_model(folder))
    values = list(tensors("llama_untied_scaled").items())
    parts = {"a.safetensors": dict(values[:7]), "b.safetensors": dict(values[7:])}
    (folder / "model.safetensors").unlink()
    for file, part in parts.items():
        save_file(part, folder / file)
    index = {"weight_map": {name: file for file, part in parts.items() for name in part}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert all((a == b).all() for a, b in zip(whole, jax.tree.leaves(load_model(folder)), strict=True))
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"lm_head.weight": 3}}))
    with pytest.raises(InvalidInput, match=r"has no entry 'weight_map' with the file of every tensor"):
        load_model(folder)
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    (folder / "b.safetensors").unlink()
    with pytest.raises(InvalidInput, match=r"cannot read .*b.safetensors: No such file"):
        load_model(folder)


def changed(folder: Path, change) -> None:
    values = tensors("llama_untied_scaled")
    change(values)
    save_file(values, folder / "model.safetensors")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda values: values.pop("model.norm.weight"), "lacks the tensor 'model.norm.weight'"),
        (
            lambda values: values.update({"model.layers.3.mlp.up_proj.weight": np.zeros((2, 2), np.float32)}),
            r"model.safetensors holds the tensor 'model.layers.3.mlp.up_proj.weight', which",
        ),
        (
            lambda values: values.update({"lm_head.weight": np.zeros((97, 20), np.float32)}),
            r"model.safetensors: the tensor 'lm_head.weight' is 97 × 20, but config.json makes it 97 × 24",
        ),
    ],
)
def test_wrong_tensors_are_named(folder, change, message):
    changed(folder, change)
    with pytest.raises(InvalidInput, match=message):
        load_model(folder)


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"model_type": "gpt2"}, r"config.json: model_type is 'gpt2', but must be 'opt' or 'llama'"),
        ({"hidden_act": "gelu"}, r"config.json: hidden_act is 'gelu', but only 'silu' is supported"),
        ({"hidden_size": None}, r"config.json has no entry 'hidden_size'"),
        ({"num_hidden_layers": "3"}, r"config.json: num_hidden_layers is '3', but must be of type int"),
        ({"num_key_value_heads": 4}, r"config.json: heads is 6, but must be a multiple of kv_heads, 4"),
        ({"num_attention_heads": 0}, r"config.json: heads is 0, but must be a positive whole number"),
        ({"rope_theta": 0.0}, r"config.json: rope_theta is 0.0, but must be positive"),
        ({"rms_norm_eps": -1e-5}, r"config.json: norm_epsilon is -1e-05, but must be positive"),
        (
            {"rope_scaling": CONFIGS["llama_untied_scaled"]["rope_scaling"] | {"original_max_position_embeddings": -1}},
            "original context is -1, but must be at least 1",
        ),
        ({"rope_scaling": {"rope_type": "yarn"}}, "rope_type is 'yarn', but must be 'llama3' or 'default'"),
        ({"rope_scaling": {"rope_type": "linear", "factor": 2.0}}, "rope_type is 'linear', but must be"),
        (
            {"rope_scaling": None, "rope_parameters": {"full_attention": {"rope_theta": 1e6}}},
            "rope_parameters has a table for the layers 'full_attention'",
        ),
        ({"partial_rotary_factor": 0.5}, "partial_rotary_factor is 0.5, but only whole heads are rotated"),
        ({"rope_scaling": {"partial_rotary_factor": 0.25}}, "rope_scaling partial_rotary_factor is 0.25"),
        ({"rope_scaling": {"rope_type": "default", "factor": 2.0}}, "rope_scaling has the entry 'factor', which"),
        ({"rope_scaling": {"rope_type": "llama3", "beta_fast": 2.0}}, "rope_scaling has the entry 'beta_fast'"),
        ({"rope_scaling": {"rope_type": "default", "type": "llama3"}}, "type 'llama3' and rope_type 'default'"),
        ({"rope_theta": None, "rope_parameters": {"rope_theta": 5e5}}, "rope_theta stands in rope_parameters only"),
        ({"original_max_position_embeddings": 99}, "original_max_position_embeddings is 99, but another in"),
        ({"rope_scaling": {"rope_type": "llama3"} | SCALING | {"factor": math.inf}}, "factor is inf, but must be"),
        ({"rope_scaling": {"rope_type": "llama3"} | SCALING | {"high_freq_factor": math.inf}}, "finite"),
        ({"rope_theta": 10**400}, "rope_theta is 1.*, but must be of type float"),
        ({"num_hidden_layers": 10**9}, r"config.json: layers is 1000000000, above the 30 that the model's files have"),
        ({"hidden_size": 6 * 2**61}, r"config.json: hidden is \d+, above the 97 that"),
        ({"max_position_embeddings": 2**62}, r"config.json: context is \d+, above the 16777216 that"),
    ],
)
def test_other_models_are_refused(tmp_path, entries, message):
    write_checkpoint(tmp_path, "llama_untied_scaled", **entries)
    with pytest.raises(InvalidInput, match=message):
        load_model(tmp_path)


def test_a_truncated_file_is_named(folder):
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(InvalidInput, match=r"model.safetensors is not a whole safetensors file"):
        load_model(folder)


def test_a_tied_head_may_be_stored_twice_but_not_differ(tmp_path):
    write_checkpoint(tmp_path, "llama_tied")
    values = tensors("llama_tied")
    save_file({**values, "lm_head.weight": values["model.embed_tokens.weight"].copy()}, tmp_path / "model.safetensors")
    load_model(tmp_path)
    save_file({**values, "lm_head.weight": values["model.embed_tokens.weight"] + 1}, tmp_path / "model.safetensors")
    with pytest.raises(InvalidInput, match=r"ties 'lm_head.weight' to the embeddings, but the two differ"):
        load_model(tmp_path)


@pytest.mark.parametrize("name", ["llama_tied", "opt_norm_first", "opt_norm_last_projected"])
def test_the_matrix_that_head_and_embeddings_share_may_have_either_name(name, tmp_path):
    write_checkpoint(tmp_path, name)
    expected = jax.tree.leaves(load_model(tmp_path))
    values = tensors(name)
    embedding = next(key for key in values if key.endswith("embed_tokens.weight"))
    values["lm_head.weight"] = values.pop(embedding)
    save_file(values, tmp_path / "model.safetensors", metadata={embedding: "lm_head.weight"})
    for ours, theirs in zip(expected, jax.tree.leaves(load_model(tmp_path)), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    ("dtype", "name"), [(ml_dtypes.float8_e4m3fn, "F8_E4M3"), (ml_dtypes.float8_e5m2, "F8_E5M2"), (np.int8, "I8")]
)
def test_a_tensor_whose_numbers_need_a_scale_is_refused(dtype, name, folder):
    changed(folder, lambda values: values.update({"model.norm.weight": values["model.norm.weight"].astype(dtype)}))
    with pytest.raises(
        InvalidInput, match=rf"the tensor 'model.norm.weight' is of type {name}, but must be one of F32"
    ):
        load_model(folder)


def test_a_tensor_in_two_shards_is_refused(folder):
    values = tensors("llama_untied_scaled")
    save_file({"model.norm.weight": values["model.norm.weight"] + 1}, folder / "b.safetensors")
    index = {"weight_map": dict.fromkeys(values, "model.safetensors") | {"model.norm.weight": "b.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(InvalidInput, match=r"b.safetensors holds the tensor 'model.norm.weight', which .* holds too"):
        load_model(folder)


@pytest.mark.parametrize("file", ["/etc/passwd", "../model.safetensors", "a/../../b.safetensors"])
def test_an_index_that_leaves_its_folder_is_refused(file, folder):
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"lm_head.weight": file}}))
    with pytest.raises(InvalidInput, match=f"names the file '{file}', but must name files beside it"):
        load_model(folder)


@pytest.mark.parametrize("file", ["model.safetensors", "config.json"])
def test_a_file_that_git_lfs_has_not_fetched_is_named(file, folder):
    (folder / file).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 1\n")
    with pytest.raises(InvalidInput, match=rf"{file} is a pointer of Git LFS: fetch the file itself"):
        load_model(folder)


@pytest.mark.parametrize("file", ["pytorch_model.bin", "pytorch_model-00001-of-00002.bin", "model.gguf"])
def test_files_of_another_format_are_named(file, folder):
    (folder / "model.safetensors").rename(folder / file)
    with pytest.raises(InvalidInput, match=f"holds {file} but no model.safetensors; convert it first"):
        load_model(folder)


def test_a_model_of_the_hub_without_safetensors_says_to_convert_it(folder, monkeypatch):
    (folder / "model.safetensors").unlink()
    library = SimpleNamespace(snapshot_download=lambda name, allow_patterns: str(folder))
    monkeypatch.setitem(sys.modules, "huggingface_hub", library)
    with pytest.raises(
        InvalidInput, match=r"'owner/name' has no .safetensors file on the hub; if it has pytorch_model.bin"
    ):
        load_model("owner/name")


def test_what_is_no_checkpoint_is_refused(tmp_path, folder):
    with pytest.raises(InvalidInput, match=r"neither a folder, a .bin file nor a name on the hub"):
        load_model(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("marks", "says"),
    [
        ({"eos_token_id": None}, r"config.json has no eos_token_id"),
        ({"eos_token_id": 1}, "holds neither tokenizer.json nor vocab.json"),
        ({"eos_token_id": "</s>"}, r"config.json: eos_token_id is '</s>', but must be the number of a token"),
        (
            {"eos_token_id": 1, "bos_token_id": -1},
            r"config.json: bos_token_id is -1, but must be the number of a token",
        ),
        ({"eos_token_id": [97]}, "the model has 97 tokens, but token 97 begins or ends a text"),
    ],
)
def test_a_tokenizer_that_does_not_fit_its_model_is_refused(marks, says, tmp_path):
    write_checkpoint(tmp_path, "llama_tied", **marks)
    if "neither" not in says:
        Tokenizer(WordLevel({"a": 0, "b": 1}, "a")).save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(InvalidInput, match=says):
        load_pretrained(tmp_path)


def with_tokenizer(folder: Path, vocabulary: dict[str, int], added: tuple[AddedToken, ...] = ()) -> None:
    write_checkpoint(folder, "llama_tied", eos_token_id=1)
    tokenizer = Tokenizer(WordLevel(vocabulary, "a"))
    tokenizer.add_tokens([token for token in added if not token.special])
    tokenizer.add_special_tokens([token for token in added if token.special])
    tokenizer.save(str(folder / "tokenizer.json"))


def test_a_token_beyond_the_model_is_named_even_if_there_are_few(tmp_path):
    with_tokenizer(tmp_path, {"a": 0, "b": 96})
    assert load_pretrained(tmp_path).tokenizer.size == 2
    with_tokenizer(tmp_path, {"a": 0, "Q": 97})
    with pytest.raises(InvalidInput, match="the model has 97 tokens, but 'Q' is number 97 of its tokenizer"):
        load_pretrained(tmp_path)
    words = json.loads((tmp_path / "tokenizer.json").read_text())
    words["model"]["vocab"]["Q"] = 2**32 - 2  # a file of the library would hold every id below it
    (tmp_path / "tokenizer.json").write_text(json.dumps(words))
    with pytest.raises(InvalidInput, match="'Q' is number 4294967294 of its tokenizer"):
        load_pretrained(tmp_path)


def test_a_special_token_beyond_the_model_is_never_produced_and_allowed(tmp_path):
    whole = {"a": 0, **{f"w{number}": number for number in range(1, 97)}}
    with_tokenizer(tmp_path, whole, (AddedToken("[PAD]", special=True),))
    loaded = load_pretrained(tmp_path).tokenizer
    assert loaded.backend.token_to_id("[PAD]") == 97
    assert max(loaded.encode("w3 [PAD] w4")) < 97
    with_tokenizer(tmp_path, whole, (AddedToken("new", special=False),))
    with pytest.raises(InvalidInput, match="'new' is number 97 of its tokenizer"):
        load_pretrained(tmp_path)


def llama2c_bytes(name: str) -> bytes:
    """The tiny Llama in llama2.c's layout, with rotary pairs side by side."""
    config, values = CONFIGS[name], tensors(name)
    heads, kv_heads, hidden = config["num_attention_heads"], config["num_key_value_heads"], config["hidden_size"]
    half = hidden // heads // 2

    def pairs(weight):
        return weight.reshape(-1, 2, half, hidden).swapaxes(1, 2).reshape(weight.shape)

    def stacked(part, change=lambda weight: weight):
        return [change(values[f"model.layers.{i}.{part}.weight"]) for i in range(config["num_hidden_layers"])]

    arrays = [values["model.embed_tokens.weight"], *stacked("input_layernorm")]
    arrays += stacked("self_attn.q_proj", pairs) + stacked("self_attn.k_proj", pairs)
    for part in ("self_attn.v_proj", "self_attn.o_proj", "post_attention_layernorm"):
        arrays += stacked(part)
    for part in ("gate", "down", "up"):
        arrays += stacked(f"mlp.{part}_proj")
    arrays += [values["model.norm.weight"], np.zeros(2 * config["max_position_embeddings"] * half, np.float32)]
    sizes = (hidden, config["intermediate_size"], config["num_hidden_layers"], heads, kv_heads, 97, 64)
    return struct.pack("<7i", *sizes) + b"".join(array.tobytes() for array in arrays)


def test_llama2c_files_hold_the_same_model(tmp_path):
    write_checkpoint(tmp_path, "llama_tied")
    file = tmp_path / "model.bin"
    file.write_bytes(llama2c_bytes("llama_tied"))
    pairs = zip(jax.tree.leaves(load_model(tmp_path)), jax.tree.leaves(load_model(file)), strict=True)
    assert all((a == b).all() for a, b in pairs)
    file.write_bytes(file.read_bytes()[:-5000])
    with pytest.raises(InvalidInput, match=r"model.bin ends within the tensor 'mlp.up_proj'"):
        load_model(file)
    file.write_bytes(b"\x00" * 64)
    with pytest.raises(InvalidInput, match=r"is not a llama2.c model: dim would be 0"):
        load_model(file)


@pytest.mark.skipif(not STORIES.exists(), reason=f"needs stories260K: {STORIES} is absent")
def test_stories260k_writes_and_scores_stories():
    loaded = load_pretrained(STORIES / "stories260K.bin", STORIES / "tok512.bin")
    model, tokenizer = loaded.model, loaded.tokenizer
    prompt = [tokenizer.bos, *tokenizer.encode("Once upon a time")]
    population = jax.tree.map(lambda leaf: leaf[None], model)
    written = complete(
        population,
        jnp.array([[prompt]]),
        jnp.array([[len(prompt)]]),
        jax.random.split(jax.random.key(0), (1, 1)),
        new_tokens=120,
        stop=tokenizer.bos,
        temperature=0.0,
    )[0, 0].tolist()
    story = tokenizer.decode(written)
    # What llama2.c itself writes from these weights at temperature 0.
    assert story.startswith(", there was a little girl named Lily. She loved to play outside in the park.")
    text = jnp.array([[*prompt, *written]])
    logits = jax.nn.log_softmax(model(text)[0, :-1])
    assert 0.3 < -jnp.take_along_axis(logits, text[0, 1:, None], axis=-1).mean() < 0.7
