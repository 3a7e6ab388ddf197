"""The lm commands as their users run them: killed and resumed, shown, and given bad input."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import xarray as xr
from crossfeed.cli.main import main
from crossfeed.sim.lm import open_measures

STUDY = """
[study]
alpha = [1]
beta = [0.5]
generations = 3
samples = 30
[[entity]]
task = "science:biology"
[[entity]]
task = "arithmetic:work"
[public]
text = "public.txt"
[tokenizer]
vocabulary = 512
[model]
layers = 1
width = 16
heads = 2
context = 128
pretrain_steps = 0
[training]
steps = 2
batch = 2
length = 96
[pool]
new_tokens = 4
[measures]
test_items = 6
text_items = 2
text_every = 3
"""


@pytest.fixture(scope="module")
def config(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("lm")
    (folder / "public.txt").write_text("It was the best of times, it was the worst of times. " * 400)
    (folder / "study.toml").write_text(STUDY)
    return folder / "study.toml"


def start(*arguments) -> subprocess.Popen:
    command = [str(Path(sys.executable).with_name("crossfeed")), "lm", "run", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.fixture(scope="module")
def undisturbed(config) -> Path:
    folder = config.with_name("undisturbed")
    process = start(config, "--out", folder)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert "M1 on T1" in out
    return folder


def test_killed_and_resumed_it_is_the_same(config, undisturbed, tmp_path):
    folder = tmp_path / "killed"
    process = start(config, "--out", folder)
    deadline = time.monotonic() + 200
    while not list(folder.glob("cells/*/1")) and time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    resumed = start(config, "--out", folder, "--resume")
    _, err = resumed.communicate(timeout=300)
    assert resumed.returncode == 0, err
    xr.testing.assert_identical(open_measures(folder), open_measures(undisturbed))


def call(monkeypatch, *arguments) -> None:
    monkeypatch.setattr(sys, "argv", ["crossfeed", "lm", *map(str, arguments)])
    main()


def test_tables_and_figures_of_a_run(undisturbed, monkeypatch, tmp_path, capsys):
    call(monkeypatch, "table", undisturbed, "--out", tmp_path / "table.md")
    assert "no pattern score" in capsys.readouterr().out
    written = (tmp_path / "table.md").read_text()
    assert "| M2 on T1 science:biology |" in written
    assert "| on public |" in written
    call(monkeypatch, "figure", undisturbed, "--out", tmp_path / "loss.svg")
    call(monkeypatch, "figure", undisturbed, "--out", tmp_path / "texts.svg", "--beta", "0.5")
    assert "model 2 on science:biology" in (tmp_path / "loss.svg").read_text()
    assert "generation 3, α = 1" in (tmp_path / "texts.svg").read_text()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["run"], "give either CONFIG.toml or --quick"),
        (["run", "CONFIG"], "out is missing"),
        (["run", "CONFIG", "--out", "RUN"], "exists already"),
        (["run", "nothing.toml", "--out", "x"], "cannot read nothing.toml"),
        (["table", "nothing"], "cannot open the measures of a run at nothing"),
        (["table", "RUN", "RUN"], "share a cell: seed 0, α = 1, β = 0.5"),
        (["figure", "RUN", "--out", "x.png", "--beta", "0.3"], "beta is 0.3, but the run holds 0.5"),
        (["figure", "RUN", "--out", "x.doc"], "must end in .png, .svg or .pdf"),
        (["generate", "nothing", "--prompt", "x", "--alpha", "1", "--beta", "1"], "there is no run at nothing"),
        (["evaluate", "RUN", "--alpha", "0", "--beta", "0.5"], "alpha is 0, but the run holds 1"),
    ],
)
def test_mistakes(arguments, says, config, undisturbed, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    given = {"CONFIG": config, "RUN": undisturbed}
    with pytest.raises(SystemExit) as stopped:
        call(monkeypatch, *(given.get(word, word) for word in arguments))
    assert stopped.value.code == 2
    said = capsys.readouterr().err
    assert says in said
    assert "Traceback" not in said
    assert not list(tmp_path.iterdir())
