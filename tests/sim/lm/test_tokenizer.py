"""Text to ids and back."""

import json
import struct
from typing import Any

import pytest
from crossfeed.sim.lm.data.tokenizer import Tokenizer, load_tokenizer, train_tokenizer
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


def rewritten(folder, change) -> Tokenizer:
    """The trained tokenizer, read from a file whose content was changed."""
    (folder / "config.json").write_text(json.dumps({"eos_token_id": 0}))
    TRAINED.save(folder / "tokenizer.json")
    content = json.loads((folder / "tokenizer.json").read_text())
    change(content)
    (folder / "tokenizer.json").write_text(json.dumps(content))
    return load_tokenizer(folder)


def test_one_text_has_one_encoding_whatever_the_file_says(tmp_path):
    tokenizer = rewritten(tmp_path, lambda content: content["model"].update(dropout=0.5))
    text = " ".join(TEXTS)
    assert all(tokenizer.encode(text) == TRAINED.encode(text) for _ in range(5))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            lambda content: content.update(normalizer={"type": "Precompiled", "precompiled_charsmap": None}),
            "tokenizer.json is not a tokenizer",
        ),
        (
            lambda content: content.update(model={"type": "WordLevel", "vocab": {"x": 0}, "unk_token": "[UNK]"}),
            r"tokenizer.json: the tokenizer cannot encode 'Question: .*Missing \[UNK\]",
        ),
        (
            lambda content: content.update(model={"type": "Unigram", "unk_id": None, "vocab": [["x", -1.0]]}),
            "tokenizer.json: the tokenizer cannot encode 'Question: ",
        ),
    ],
)
def test_what_the_library_cannot_do_is_one_sentence(change, says, tmp_path, capfd):
    with pytest.raises(InvalidInput, match=says) as caught:
        rewritten(tmp_path, change)
    assert len(str(caught.value).splitlines()) == 1
    assert not capfd.readouterr().err  # a panic of the library would print its stack


def test_a_character_that_would_be_dropped_is_refused_with_its_word(tmp_path):
    tokenizer = rewritten(tmp_path, lambda content: content["model"]["vocab"].pop("Q"))
    assert tokenizer.decode(tokenizer.encode("What is the cat's question?")) == "What is the cat's question?"
    with pytest.raises(InvalidInput, match="no token for a character of ' Question', and would drop it"):
        tokenizer.encode("One Question: what?")
    words: dict[str, Any] = {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": [["a", "b"]]}
    with_bytes: dict[str, Any] = {"byte_fallback": True, "vocab": words["vocab"] | {"<0xC3>": 3, "<0xA9>": 4}}
    for settings, lost in (({}, "abé"), ({"unk_token": "a"}, ""), (with_bytes, "")):
        plain = {"pre_tokenizer": {"type": "WhitespaceSplit"}, "model": words | settings}
        tokenizer = rewritten(tmp_path, lambda content, plain=plain: content.update(plain))
        assert tokenizer.encode("ab b")
        if lost:
            with pytest.raises(InvalidInput, match=f"character of '{lost}'"):
                tokenizer.encode("a abé")
        else:
            assert tokenizer.encode("a abé")


def test_the_end_token_may_stand_in_generation_config_and_files_may_begin_with_a_mark(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "generation_config.json").write_text(json.dumps({"eos_token_id": [7, 8]}))
    TRAINED.save(tmp_path / "tokenizer.json")
    plain = (tmp_path / "tokenizer.json").read_bytes()
    (tmp_path / "tokenizer.json").write_bytes(b"\xef\xbb\xbf" + plain)
    tokenizer = load_tokenizer(tmp_path)
    assert (tokenizer.bos, tokenizer.eos) == (None, 7)
    assert tokenizer.encode(TEXTS[0]) == TRAINED.encode(TEXTS[0])
    (tmp_path / "config.json").write_text(json.dumps({"eos_token_id": 9}))
    assert load_tokenizer(tmp_path).eos == 9
    (tmp_path / "tokenizer.json").write_bytes(plain.replace(b"cat", b"c\xe1t"))
    with pytest.raises(InvalidInput, match="is not a tokenizer: 'utf-8' codec can't decode"):
        load_tokenizer(tmp_path)


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
    llama2c.write_bytes(content[:4] + struct.pack("<f", float("nan")) + content[8:])
    with pytest.raises(InvalidInput, match=r"tok.bin: the score of token 0 is nan"):
        load_tokenizer(llama2c)
    with pytest.raises(InvalidInput, match=r"must be a folder with tokenizer.json or a llama2.c .bin file"):
        load_tokenizer(llama2c.with_name("nothing.txt"))
