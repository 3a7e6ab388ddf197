"""The sweep command as its users run it: killed, shared by two processes, and on a full disk."""

import json
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from crossfeed.cli.main import main

from .addresses import free_address

SPEC = """
[sweep]
quantities = ["spectral_radius", "mean_mse"]
[ecosystem]
draws = 24
[axes]
entities = [1, 3]
dimension = 6
rank = 3
beta = { from = 0.05, to = 0.95, points = 20 }
alpha = { from = 0.05, to = 0.95, points = 60 }
"""


@pytest.fixture(scope="module")
def spec(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("spec") / "sweep.toml"
    path.write_text(SPEC)
    return path


FINE = """
[sweep]
quantities = ["spectral_radius"]
interpolate = 1e-6
[ecosystem]
family = "symmetric"
[axes]
entities = 2
dimension = 1
alpha = {{ from = 0.1, to = 0.9, points = {points} }}
beta = {{ from = 0.1, to = 0.9, points = {points} }}
"""


@pytest.fixture(scope="module")
def undisturbed(spec) -> Path:
    store = spec.with_name("undisturbed.zarr")
    assert run(spec, "--out", store).returncode == 0
    return store


def start(*arguments, limit: str = "") -> subprocess.Popen[str]:
    command = [str(Path(sys.executable).with_name("crossfeed")), "sweep", "run", *map(str, arguments)]
    if limit:
        command = ["bash", "-c", f'{limit}; exec "$@"', "-", *command]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def run(*arguments, limit: str = "") -> subprocess.CompletedProcess[str]:
    process = start(*arguments, limit=limit)
    out, err = process.communicate(timeout=200)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def assert_same(left: Path, right: Path):
    compared = subprocess.run(["diff", "-r", left, right], capture_output=True, text=True, check=False)
    assert compared.returncode == 0, compared.stdout


def finished_chunks(store: Path) -> list[Path]:
    """Of the quantity that is written last."""
    return [file for file in store.glob("mean_mse/c/**/*") if file.is_file() and file.suffix != ".partial"]


def kill_when_under_way(processes: list[subprocess.Popen[str]], store: Path, tiles: int, victim: int = 0) -> None:
    """SIGKILL one process, just started, once there are so many tiles more than now."""
    deadline, before = time.monotonic() + 120, len(finished_chunks(store))
    while len(finished_chunks(store)) < before + tiles:
        assert processes[victim].poll() is None, processes[victim].communicate()
        assert time.monotonic() < deadline
        time.sleep(0.005)
    processes[victim].send_signal(signal.SIGKILL)
    for process in processes:
        try:
            process.communicate(timeout=10)
        except subprocess.TimeoutExpired:  # waits for the one that is gone
            process.kill()
            process.communicate()
    assert processes[victim].returncode == -signal.SIGKILL


@pytest.mark.long
def test_killed_twice_and_resumed_it_is_the_same(spec, undisturbed, tmp_path):
    store = tmp_path / "killed.zarr"
    moments = random.Random(5)
    for attempt in range(2):
        process = start(spec, "--out", store, *(["--resume"] if attempt else []))
        kill_when_under_way([process], store, moments.randint(1, 12))
    ended = run(spec, "--out", store, "--resume")
    assert ended.returncode == 0, ended.stderr
    assert "(100.0%)" in ended.stdout
    assert_same(store, undisturbed)


def pair(spec: Path, store: Path, *more) -> list[subprocess.Popen[str]]:
    shared = ["--out", store, "--coordinator", free_address(), "--processes", 2, *more]
    return [start(spec, *shared, "--process", number) for number in (0, 1)]


@pytest.mark.long
def test_two_processes_give_the_same_store_also_when_one_is_killed(spec, undisturbed, tmp_path):
    store = tmp_path / "two.zarr"
    kill_when_under_way(pair(spec, store), store, 1, victim=1)
    processes = pair(spec, store, "--resume")
    outputs = [process.communicate(timeout=200) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    assert_same(store, undisturbed)


def partly_finished(store: Path, copy: Path) -> Path:
    """A copy of a store without 12 of its tiles."""
    shutil.copytree(store, copy)
    for chunk in finished_chunks(copy)[:12]:
        chunk.unlink()
    return copy


def test_a_full_disk_keeps_what_is_there(spec, undisturbed, tmp_path):
    store = partly_finished(undisturbed, tmp_path / "full.zarr")
    kept = {file: file.read_bytes() for file in finished_chunks(store)}
    # No file may grow beyond 4 KiB: a tile does not fit.
    ended = run(spec, "--out", store, "--resume", limit="ulimit -f 4")
    assert ended.returncode == 2
    assert ended.stderr.strip().endswith("finished tiles are kept, continue with --resume")
    assert "Traceback" not in ended.stderr
    assert kept
    assert {file: file.read_bytes() for file in finished_chunks(store)} == kept
    assert run(spec, "--out", store, "--resume").returncode == 0
    assert_same(store, undisturbed)


def test_status(undisturbed, tmp_path, monkeypatch, capsys):
    def status(*arguments) -> str:
        monkeypatch.setattr(sys, "argv", ["crossfeed", "sweep", "status", *map(str, arguments)])
        main()
        return capsys.readouterr().out

    whole = {"points": 57600, "all_points": 57600, "tiles": 48, "all_tiles": 48, "damaged": [], "interpolated": None}
    assert json.loads(status(undisturbed, "--json")) == whole
    part = partly_finished(undisturbed, tmp_path / "part.zarr")
    assert json.loads(status(part, "--json")) == whole | {"points": 43200, "tiles": 36}
    assert status(part) == f"{part}: 43200 of 57600 points (75.0%), 36 of 48 tiles\n"


@pytest.mark.parametrize(("points", "interpolated"), [(18, 324), (5, 0)])
def test_it_says_how_many_points_are_interpolated(points, interpolated, tmp_path, monkeypatch, capsys):
    (tmp_path / "fine.toml").write_text(FINE.format(points=points))
    arguments = ["sweep", "run", str(tmp_path / "fine.toml"), "--out", str(tmp_path / "fine.zarr")]
    monkeypatch.setattr(sys, "argv", ["crossfeed", *arguments])
    main()
    shown = capsys.readouterr()
    assert f"1 of 1 tiles; {interpolated} points are interpolated\n" in shown.out
    assert ("the grid is too coarse" in shown.err) == (not interpolated)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["SPEC", "--out", "STORE"], "exists already: choose another name, or continue it with --resume"),
        (["SPEC", "--out", "."], ". exists already: choose another name\n"),
        (["SPEC", "--out", "STORE", "--resume", "--extend"], "resume and extend are both given"),
        (["nothing.toml", "--out", "x.zarr"], "cannot read nothing.toml"),
        (["SPEC", "--out", "x.zarr", "--processes", "2"], "coordinator is missing"),
        (["SPEC", "--out", "x.zarr", "--processes", "0"], "processes is 0, but must be at least 1"),
        (["SPEC", "--out", "x.zarr", "--coordinator", "here"], "coordinator is 'here', but must be HOST:PORT"),
        (
            ["SPEC", "--out", "x.zarr", "--coordinator", "a..b:1234", "--processes", "2", "--process", "1"],
            "cannot join the others at a..b:1234: ",
        ),
        (
            ["SPEC", "--out", "x.zarr", "--coordinator", "TAKEN", "--processes", "2"],
            "cannot join the others at localhost",
        ),
        (["SPEC", "--out", "x.zarr", "--process", "1"], "process is 1"),
    ],
)
def test_mistakes(arguments, says, spec, undisturbed, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    taken = socket.create_server(("", 0))
    given = {"SPEC": str(spec), "STORE": str(undisturbed), "TAKEN": f"localhost:{taken.getsockname()[1]}"}
    monkeypatch.setattr(sys, "argv", ["crossfeed", "sweep", "run", *(given.get(word, word) for word in arguments)])
    with taken, pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 2
    assert says in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
