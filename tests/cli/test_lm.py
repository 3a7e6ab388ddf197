"""The lm commands as their users run them: killed and resumed, shown, and given bad input."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import orbax.checkpoint as ocp
import pytest
import xarray as xr
from crossfeed.cli.main import main
from crossfeed.sim.lm import open_measures

from ..sim.lm.tiny_study import TINY, write_texts
from .addresses import free_address

pytestmark = pytest.mark.long

ENVIRONMENT = os.environ | {"JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}


@pytest.fixture(scope="module")
def config(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("lm")
    write_texts(folder)
    (folder / "study.toml").write_text(TINY)
    return folder / "study.toml"


def start(config: Path, out: Path, *options: str, process: int = 0) -> subprocess.Popen[bytes]:
    """The command as a process; what was compiled once, in half the time and with half the speed, is not compiled again."""
    program = str(Path(sys.executable).with_name("crossfeed"))
    command = [program, "lm", "run", str(config), "--out", str(out), *options]
    with open(said(out, process), "w") as file:  # a pipe that nobody reads would stop it
        return subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, env=ENVIRONMENT)


def said(out: Path, process: int = 0) -> Path:
    return out.with_name(f"{out.name}.{process}.txt")


def start_two(config: Path, out: Path, *options: str) -> list[subprocess.Popen[bytes]]:
    shared = (*options, "--coordinator", free_address(), "--processes", "2", "--process")
    return [start(config, out, *shared, str(number), process=number) for number in (0, 1)]


@pytest.fixture(scope="module")
def undisturbed(config) -> Path:
    folder = config.with_name("undisturbed")
    assert start(config, folder).wait(timeout=300) == 0, said(folder).read_text()
    assert "M1 on T1" in said(folder).read_text()
    return folder


def files(folder: Path) -> set[str]:
    return {os.path.join(at, name) for at, _, names in os.walk(folder) for name in ("", *names)}


def kill_after(process: subprocess.Popen[bytes], folder: Path, changes: int, seconds: float) -> bool:
    """Kill a run so long after its folder was seen to change so often; False if it ended first."""
    before = files(folder)
    while changes:
        if process.poll() is not None:
            return False
        now = files(folder)
        changes -= now != before
        before = now
        time.sleep(0.003)
    time.sleep(seconds)
    process.kill()
    return process.wait() != 0


def kill_and_resume(config: Path, folder: Path, kills: int, moments: random.Random) -> list[tuple[int, float]]:
    """Run to the end, killed on the way; when it was killed, as `kill_after` takes it.

    Most changes come while checkpoints and measures are written, so a kill right after one falls there; one some time
    later falls where models train, write or are measured.
    """
    when = []
    options: tuple[str, ...] = ()
    for _ in range(kills):
        # What a start does before it changes anything is the same each time, and not worth a kill.
        moment = (moments.randint(1, 25), moments.choice((0.0, moments.uniform(0, 0.6))))
        process = start(config, folder, *options)
        if not kill_after(process, folder, *moment):
            assert process.returncode == 0, said(folder).read_text()
            break
        when.append(moment)
        options = ("--resume",) if (folder / "study.json").exists() else ()
    assert start(config, folder, *options).wait(timeout=300) == 0, (when, said(folder).read_text())
    return when


def last_models(folder: Path) -> Iterator[tuple[str, np.ndarray]]:
    for cell in sorted((folder / "cells").iterdir()):
        (step,) = [step for step in cell.iterdir() if step.name.isdecimal()]
        tree = ocp.PyTreeCheckpointer().restore(step / "default")["models"]
        for group, leaves in tree.items():
            yield from ((f"{cell.name}/{step.name}/{group}{name}", np.asarray(leaf)) for name, leaf in leaves.items())


def assert_same(folder: Path, expected: Path, when: object) -> None:
    xr.testing.assert_identical(open_measures(folder), open_measures(expected))
    for (name, leaf), (wanted, value) in zip(last_models(folder), last_models(expected), strict=True):
        assert (name, leaf.dtype, leaf.tobytes()) == (wanted, value.dtype, value.tobytes()), (name, when)


def test_killed_at_random_moments_and_resumed_it_is_the_same(config, undisturbed, tmp_path):
    when = kill_and_resume(config, tmp_path / "killed", 2, random.Random(5))
    print("killed after so many changes and seconds:", when)  # shown when the test fails
    assert when
    assert_same(tmp_path / "killed", undisturbed, when)


def test_interrupted_by_hand_it_says_how_to_go_on(config, tmp_path):
    process = start(config, tmp_path / "run")
    deadline = time.monotonic() + 200
    while not list((tmp_path / "run").glob("cells/*")):
        assert process.poll() is None, said(tmp_path / "run").read_text()
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=100) == 130
    heard = said(tmp_path / "run").read_text().splitlines()
    assert heard[-1] == "crossfeed: interrupted: finished work is kept, and --resume continues from there"
    assert not [line for line in heard if "Traceback" in line or "Error" in line]


@pytest.fixture(scope="module")
def left_by_two(config) -> Path:
    """What two processes, killed, leave of the study with α = 1."""
    config = config.with_name("one_cell.toml")
    config.write_text(TINY.replace("alpha = [0, 1]", "alpha = [1]"))
    folder = config.with_name("left_by_two")
    processes = start_two(config, folder)
    deadline = time.monotonic() + 200
    while not (folder / "cells" / "seed0_alpha1_beta0.5" / "1").exists():
        assert [process.poll() for process in processes] == [None, None], said(folder).read_text()
        assert time.monotonic() < deadline
        time.sleep(0.005)
    for process in processes:
        process.kill()
        process.wait()
    return folder


@pytest.mark.parametrize("processes", [1, 2])
def test_what_two_processes_began_ends_as_one_alone_would(processes, left_by_two, undisturbed, tmp_path):
    folder, config = tmp_path / "run", left_by_two.with_name("one_cell.toml")
    shutil.copytree(left_by_two, folder)
    going_on = start_two(config, folder, "--resume") if processes == 2 else [start(config, folder, "--resume")]
    assert [process.wait(timeout=300) for process in going_on] == [0] * processes, said(folder).read_text()
    assert [n for n in range(processes) if "M1 on T1" in said(folder, n).read_text()] == [0]
    found, expected = open_measures(folder), open_measures(undisturbed).sel(alpha=[1])
    # Losses come within rounding, and texts, whose draws hardly ever depend on that, are the same.
    for name in expected:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-5, atol=1e-5, err_msg=name)


TWO_STOP = """
import contextlib, functools, io, json, sys
from pathlib import Path
from crossfeed import multihost
from crossfeed.cli.main import main
from crossfeed.sim.lm.study import corpus

really, answer = corpus.read_documents, Path(sys.argv[2])
multihost.join_processes = functools.cache(multihost.join_processes)  # a process can do that once
heard = {}
for case, arguments in json.loads(sys.argv[1]).items():
    other = case == "other texts" and sys.argv[-1] == "1"
    corpus.read_documents = (lambda path: ["a tale that no other process reads " * 300]) if other else really
    sys.argv[1:-1] = ["lm", "run", *arguments]
    with contextlib.redirect_stderr(io.StringIO()) as said:
        try:
            main()
        except SystemExit as stopped:
            heard[case] = stopped.code, said.getvalue()
answer.write_text(json.dumps(heard))
"""


@pytest.fixture(scope="module")
def heard_from_two(config, left_by_two) -> list[dict[str, tuple[int, str]]]:
    """Exit code and stderr of each of two processes, by what one of them cannot do: several commands in the same two."""
    folder = config.with_name("two_stop")
    (folder / "taken").mkdir(parents=True)
    (folder / "taken" / "file").touch()
    shutil.copytree(left_by_two, folder / "full")
    shutil.rmtree(folder / "full" / "cells")
    (folder / "full" / "cells").touch()
    address = free_address()

    def start_one(number: int) -> subprocess.Popen[str]:
        config_seen = config.with_name("missing.toml") if number else config
        cases = {
            "folder": [config, "--out", folder / "taken"],
            "config": [config_seen, "--out", folder / "config"],
            "other texts": [config, "--out", folder / "texts"],
            "saving": [left_by_two.with_name("one_cell.toml"), "--out", folder / "full", "--resume"],
        }
        shared = ["--coordinator", address, "--processes", "2", "--process"]
        words = {case: [*map(str, arguments), *shared] for case, arguments in cases.items()}
        command = [sys.executable, "-c", TWO_STOP, json.dumps(words), str(folder / f"{number}.json"), str(number)]
        return subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    both = [start_one(number) for number in (0, 1)]
    said_by_each = [process.communicate(timeout=200)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], said_by_each
    return [json.loads((folder / f"{number}.json").read_text()) for number in (0, 1)]


@pytest.mark.parametrize(
    ("case", "failing", "says"),
    [
        ("folder", 0, "exists already"),
        ("config", 1, "cannot read"),  # process 1 does not see the study's file
        ("saving", 0, ": Not a directory"),
    ],
)
def test_what_one_of_two_processes_cannot_do_stops_both(case, failing, says, heard_from_two):
    (code, heard), (code_of_other, heard_by_other) = (heard_from_two[number][case] for number in (failing, 1 - failing))
    assert (code, code_of_other) == (2, 2)
    assert says in heard
    assert f"process {failing} stopped, so this process stops too" in heard_by_other
    assert "Traceback" not in heard + heard_by_other


def test_processes_that_read_different_texts_are_refused(heard_from_two, config):
    for code, heard in (heard_by_one["other texts"] for heard_by_one in heard_from_two):
        assert code == 2
        assert "the texts of process 1 differ from those of process 0" in heard
    assert not (config.with_name("two_stop") / "texts").exists()


def call(monkeypatch, *arguments) -> None:
    monkeypatch.setattr(sys, "argv", ["crossfeed", "lm", *map(str, arguments)])
    main()


def test_tables_and_figures_of_a_run(undisturbed, monkeypatch, tmp_path, capsys):
    call(monkeypatch, "table", undisturbed, "--out", tmp_path / "table.md")
    assert "no pattern score" in capsys.readouterr().out
    written = (tmp_path / "table.md").read_text()
    assert "| M2 on T1 biology |" in written
    assert "| M2 on T2 work |" in written
    assert "| on public |" in written
    call(monkeypatch, "figure", undisturbed, "--out", tmp_path / "loss.svg")
    call(monkeypatch, "figure", undisturbed, "--out", tmp_path / "texts.svg", "--beta", "0.5")
    assert "model 2 on biology" in (tmp_path / "loss.svg").read_text()
    assert "generation 2, α = 1" in (tmp_path / "texts.svg").read_text()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["run"], "give either CONFIG.toml or --quick"),
        (["run", "CONFIG"], "out is missing"),
        (["run", "CONFIG", "--out", "RUN"], "exists already"),
        (["run", "nothing.toml", "--out", "x"], "cannot read nothing.toml"),
        (["table"], "runs is missing"),
        (["figure", "--out", "x.png"], "runs is missing"),
        (["table", "nothing"], "there is no run at nothing"),
        (["table", "RUN", "--out", "nothing/table.md"], "nothing/table.md: No such file or directory"),
        (["table", "RUN", "RUN"], "share a cell: seed 0, α = 0, β = 0.5"),
        (["figure", "RUN", "--out", "x.png", "--beta", "0.3"], "beta is 0.3, but the run holds 0.5"),
        (["figure", "RUN", "--out", "x.doc"], "must end in .png, .svg, .pdf or .csv"),
        (["generate", "nothing", "--prompt", "x", "--alpha", "1", "--beta", "1"], "there is no run at nothing"),
        (["evaluate", "RUN", "--alpha", "0.3", "--beta", "0.5"], "alpha is 0.3, but the run holds 0, 1"),
    ],
)
def test_mistakes(arguments, says, config, undisturbed, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    given = {"CONFIG": config, "RUN": undisturbed}
    with pytest.raises(SystemExit) as stopped:
        call(monkeypatch, *(given.get(word, word) for word in arguments))
    assert stopped.value.code == 2
    shown = capsys.readouterr()
    assert says in shown.err
    assert "Traceback" not in shown.err
    assert arguments[0] != "table" or not shown.out
    assert not list(tmp_path.iterdir())
