"""JSON and TOML of users: what parsers raise becomes one short sentence with the file and the line."""

import os

import pytest

from crossfeed.errors import InvalidInput
from crossfeed.reading import json_lines, read_bytes, read_json
from crossfeed.toml_reader import parse_toml

DEEP, LONG = "[" * 100_000, "9" * 5000


@pytest.mark.parametrize(
    ("value", "says"),
    [(DEEP, "nested too deeply"), (LONG, "too many digits"), ("{", "Expecting")],
    ids=["deep", "long", "cut"],
)
def test_json_that_python_cannot_parse(tmp_path, value, says):
    (tmp_path / "a.json").write_text(f'{{"n": {value}')
    with pytest.raises(InvalidInput, match=rf"a\.json is not JSON: .*{says}"):
        read_json(tmp_path / "a.json")
    (tmp_path / "a.jsonl").write_text(f'{{"n": 1}}\n\n{{"n": {value}\n')
    with pytest.raises(InvalidInput, match=rf"a\.jsonl line 3 is not JSON: .*{says}"):
        list(json_lines(tmp_path / "a.jsonl"))


def test_a_field_that_a_record_names_twice_is_refused(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"n": {"m": 1}, "o": {"m": 1}}\n{"n": [{"answer": "4", "answer": "5"}]}\n')
    with pytest.raises(InvalidInput, match=r"a\.jsonl line 2 names 'answer' twice"):
        list(json_lines(tmp_path / "a.jsonl"))


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("[" * 2000 + "]" * 2000, "a.toml is not TOML: brackets are nested too deeply"),
        (LONG, "a.toml is not TOML: a number has too many digits"),
        (f"0x{'f' * 5000}", r"a.toml, line 2: table.n holds a whole number of more than 64 bits"),
        (f"[[1], [{2**63}]]", r"a.toml, line 2: table.n holds a whole number of more than 64 bits"),
    ],
    ids=["deep", "long", "hexadecimal", "within"],
)
def test_toml_that_python_cannot_parse_or_print(value, says):
    with pytest.raises(InvalidInput, match=says):
        parse_toml(f"[table]\nn = {value}", "a.toml")


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.txt")
    with pytest.raises(InvalidInput, match=r"a\.txt: it is not a regular file"):
        read_bytes(tmp_path / "a.txt")


def test_messages_are_one_short_line():
    message = str(InvalidInput(f"kind is '{'x' * 60_000}\n\x1b[31m\u202e', but must be 'a'"))
    assert len(message) <= 300
    assert message.startswith("kind is 'xxx")
    assert message.endswith("\\n\\x1b[31m\\u202e', but must be 'a'")
    assert message.isprintable()
