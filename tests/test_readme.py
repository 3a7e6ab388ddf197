"""What the README shows must work."""

import re
import shlex
import sys
from pathlib import Path

import pytest
from crossfeed.cli.main import main

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def test_python_example_runs(capsys):
    (code,) = blocks("python")
    exec(compile(code, "README.md", "exec"), {})
    assert len(capsys.readouterr().out.splitlines()) > 5


COMMANDS = [shlex.split(line, comments=True) for line in "".join(blocks("sh")).splitlines()]


@pytest.mark.parametrize(
    "command",
    [c for c in COMMANDS if c[:1] == ["crossfeed"] and not {"files", "figures", "--quick"} & set(c)],
    ids=" ".join,
)
def test_command_is_understood(command, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", command)
    if command[1] == "ecosystem":
        main()
        assert "entities" in capsys.readouterr().out
        return
    if command[1] == "verify":
        monkeypatch.setattr(sys, "argv", [*command, "--list"])
        main()
        assert "E7" in capsys.readouterr().out
        return
    with pytest.raises(SystemExit):  # parsed, then stopped by the missing file
        main()
    said = capsys.readouterr().err
    assert any(word in said for word in ("cannot read", "cannot open", "there is no sweep at"))
