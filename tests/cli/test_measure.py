"""`crossfeed measure` on small files."""

import json
import sys

import pytest
from crossfeed.cli.main import main


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, words in (("a", "cat dog"), ("b", "cat mouse"), ("human", "bird dog")):
        lines = [{"prompt": f"q{i}", "text": f"{words} {i}", "generation": i % 2} for i in range(8)]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(map(json.dumps, lines)))


def run(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["crossfeed", "measure", *arguments])
    main()


def test_tables_and_json(files, monkeypatch, capsys):
    run(monkeypatch, "a.jsonl", "b.jsonl", "--reference", "human.jsonl")
    said = capsys.readouterr().out
    assert "texts on the same prompt" in said
    assert "per generation" in said
    run(monkeypatch, "a.jsonl", "b.jsonl", "--json")
    found = json.loads(capsys.readouterr().out)
    assert found["sources"] == ["a", "b"]
    assert found["paired"] is True
    assert found["distance"] is None
    assert len(found["vendi"]) == 2


def test_a_missing_file_is_one_sentence(files, monkeypatch, capsys):
    with pytest.raises(SystemExit) as ended:
        run(monkeypatch, "a.jsonl", "none.jsonl")
    assert ended.value.code == 2
    assert capsys.readouterr().err == "crossfeed: cannot read none.jsonl: No such file or directory\n"
