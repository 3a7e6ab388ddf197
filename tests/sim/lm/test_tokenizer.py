"""Text to ids and back."""

import json
import struct

import pytest
from crossfeed.sim.lm.data.tokenizer import load_tokenizer, train_tokenizer
from hypothesis import example, given
from hypothesis import strategies as st

from crossfeed.errors import InvalidInput

TEXTS = ["the cat sat on the mat", "the dog ate the cat's food", "12 + 30 = 42"] * 5
TRAINED = train_tokenizer(TEXTS, 300)


@given(st.text())
@example("a text may spell <|end|> without ending")
def test_any_text_comes_back(text):
    assert TRAINED.decode(TRAINED.encode(text)) == text


def test_frequent_strings_are_short():
    assert TRAINED.size <= 300
    assert len(TRAINED.encode("the cat sat")) < 6 < len(TRAINED.encode("quixotry"))
    assert TRAINED.decode([TRAINED.eos, *TRAINED.encode("the"), TRAINED.eos]) == "the"
    with pytest.raises(InvalidInput, match="vocabulary is 100, but must be at least 257"):
        train_tokenizer(TEXTS, 100)


def test_saved_and_read_again(tmp_path):
    TRAINED.save(tmp_path / "tokenizer.json")
    (tmp_path / "config.json").write_text(json.dumps({"bos_token_id": 0, "eos_token_id": [0, 1]}))
    again = load_tokenizer(tmp_path)
    assert (again.bos, again.eos, again.size) == (TRAINED.bos, TRAINED.eos, TRAINED.size)
    assert again.encode(" ".join(TEXTS)) == TRAINED.encode(" ".join(TEXTS))
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(InvalidInput, match=r"tokenizer.json is not a tokenizer"):
        load_tokenizer(tmp_path)


def test_a_file_that_cuts_and_pads_texts_does_not(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"eos_token_id": 0}))
    TRAINED.save(tmp_path / "tokenizer.json")
    plain = json.loads((tmp_path / "tokenizer.json").read_text())
    cut = {"direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0}
    pad = {"strategy": {"Fixed": 64}, "direction": "Right", "pad_to_multiple_of": None}
    pad |= {"pad_id": 0, "pad_type_id": 0, "pad_token": "<|end|>"}
    (tmp_path / "tokenizer.json").write_text(json.dumps(plain | {"truncation": cut, "padding": pad}))
    text = "the cat sat on the mat with the dog"
    assert load_tokenizer(tmp_path).encode(text) == TRAINED.encode(text)


def test_without_a_mark_of_the_beginning_token_0_is_text(tmp_path):
    (tmp_path / "vocab.json").write_text(json.dumps({"a": 0, "b": 1, "<end>": 2}))
    (tmp_path / "merges.txt").write_text("#version: 0.2\n")
    (tmp_path / "config.json").write_text(json.dumps({"eos_token_id": 2}))
    tokenizer = load_tokenizer(tmp_path)
    assert tokenizer.decode(tokenizer.encode("abba")) == "abba"


def test_vocabulary_and_merges_make_a_tokenizer(tmp_path):
    """The two files of OPT's and GPT-2's folders."""
    TRAINED.backend.model.save(str(tmp_path))
    (tmp_path / "config.json").write_text(json.dumps({"bos_token_id": 0, "eos_token_id": 0}))
    again = load_tokenizer(tmp_path)
    assert again.encode("the cat's ☃") == TRAINED.encode("the cat's ☃")
    assert again.decode([0]) == ""


PIECES = {" ": -1.0, "a": -2.0, "b": -3.0, "c": -4.0, "ab": -5.0, "bc": -4.5, "abc": -9.0, " a": -7.0, "cc": -8.0}


@pytest.fixture
def llama2c(tmp_path):
    names = ["<unk>", "\n<s>\n", "\n</s>\n", *(f"<0x{i:02X}>" for i in range(256)), *PIECES]
    scores = [0.0] * 259 + list(PIECES.values())
    content = struct.pack("<i", 8)
    for name, score in zip(names, scores, strict=True):
        content += struct.pack("<fi", score, len(name)) + name.encode()
    (tmp_path / "tok.bin").write_bytes(content)
    return tmp_path / "tok.bin"


def pieces(tokenizer, text):
    return [tokenizer.backend.id_to_token(i) for i in tokenizer.encode(text)]


def test_llama2c_merges_the_best_score_first(llama2c):
    tokenizer = load_tokenizer(llama2c)
    assert (tokenizer.bos, tokenizer.eos, tokenizer.size) == (1, 2, 268)
    # A space comes first; "bc" has a better score than "ab"; then " a" a better one than "abc".
    assert pieces(tokenizer, "abc") == [" a", "bc"]
    assert pieces(tokenizer, "cab") == [" ", "c", "ab"]
    assert pieces(tokenizer, "é") == [" ", "<0xC3>", "<0xA9>"]
    for text in ("abcabc", " a é\n☃", "", "  "):
        assert tokenizer.decode(tokenizer.encode(text)) == text


def test_damaged_llama2c_tokenizers_are_named(llama2c):
    content = llama2c.read_bytes()
    llama2c.write_bytes(content[:-1])
    with pytest.raises(InvalidInput, match=r"tok.bin ends within token 267"):
        load_tokenizer(llama2c)
    llama2c.write_bytes(content[:400])
    with pytest.raises(InvalidInput, match=r"tok.bin"):
        load_tokenizer(llama2c)
    with pytest.raises(InvalidInput, match=r"must be a folder with tokenizer.json or a llama2.c .bin file"):
        load_tokenizer(llama2c.with_name("nothing.txt"))
