"""What the README shows must work."""

import re
import shlex
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from crossfeed.cli.main import main
from crossfeed.figures.catalog import FIGURES
from crossfeed.figures.report import Report
from crossfeed.theory import parse_workflow

ROOT = Path(__file__).parents[1]


def blocks(language: str, page: str = "README.md") -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), flags=re.DOTALL)


def test_python_example_runs(capsys):
    (code,) = blocks("python")
    exec(compile(code, "README.md", "exec"), {})
    assert len(capsys.readouterr().out.splitlines()) > 5


@pytest.mark.long
def test_guide_to_workflows_runs(capsys):
    """An estimator and a pool of one's own among what it shows; the guide itself holds exact numbers against simulated ones."""
    exec(compile("\n".join(blocks("python", "docs/workflows.md")), "docs/workflows.md", "exec"), {})
    assert "no_finite_estimate" in capsys.readouterr().out


def test_workflow_file_of_the_guide_is_read():
    (text,) = blocks("toml", "docs/workflows.md")
    workflow = parse_workflow(text)
    assert (str(workflow.estimator), workflow.pool.fresh, str(workflow.memory)) == (
        "Ridge(penalty=0.1)",
        0.2,
        "Forget(rate=0.25)",
    )


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
    if command[1] == "baseline":
        main()
        assert "accumulate" in capsys.readouterr().out
        return
    if command[1] == "figure":
        seen = []

        def draw(request, settings):
            seen.append(settings)
            return Report("fig2", "Figure 2", "", "", {})

        monkeypatch.setitem(FIGURES, "fig2", replace(FIGURES["fig2"], draw=draw))
        monkeypatch.setattr(sys, "argv", command[: command.index(">")] if ">" in command else command)
        main()
        said = capsys.readouterr().out
        assert ("fig2" if "--list" in command else "entities") in said or seen[0].entities == 20
        return
    if command[1] == "verify":
        monkeypatch.setattr(sys, "argv", [*command, "--list"])
        main()
        assert "E7" in capsys.readouterr().out
        return
    with pytest.raises(SystemExit):  # parsed, then stopped by the missing file
        main()
    said = capsys.readouterr().err
    assert any(word in said for word in ("cannot read", "there is no run at", "there is no sweep at"))
