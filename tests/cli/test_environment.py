"""Whatever the environment: no traceback, no endless help, and one sentence where something is missing."""

import os
import re
import signal
import subprocess
import sys

import numpy as np
import pytest
from crossfeed.cli.jax_setup import set_up_jax
from crossfeed.cli.output import print_table

COMMAND = f"{sys.executable} -m crossfeed"


def shell(line: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", line], env=os.environ | environment, capture_output=True, text=True, timeout=100, check=False
    )


@pytest.mark.parametrize("closed", [">&-", "<&- >&- 2>&-"])
def test_closed_streams_are_no_error(closed, tmp_path):
    ended = shell(f"{COMMAND} ecosystem random {tmp_path}/e.npz --entities 2 --dimension 2 --rank 1 {closed}")
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "e.npz").exists()


def test_help_on_a_terminal_that_shows_ascii_only_and_is_narrow():
    ended = shell(f"{COMMAND} limit --help", PYTHONIOENCODING="ascii", COLUMNS="5")
    assert ended.returncode == 0, ended.stderr
    assert len(ended.stdout.splitlines()) < 150


def test_the_narrowest_terminal_shows_the_first_column_and_how_many_are_left_out(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "10")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    print_table("errors", ["entity", "mse", "mspe"], [(1, 0.5, 0.25)])
    shown = re.sub(r"\x1b\[[\d;]*m", "", capsys.readouterr().out)
    assert "entity" in shown
    assert " ".join(shown.split()).endswith("2 more columns with --json")


def test_a_full_disk_is_one_sentence_for_help_too():
    ended = shell(f"{COMMAND} --help > /dev/full")
    assert (ended.returncode, ended.stderr) == (2, "crossfeed: cannot write the output: No space left on device\n")


def test_a_mistake_ends_with_its_code_where_it_cannot_be_told():
    assert shell(f"{COMMAND} limt 2> /dev/full").returncode == 2


def test_a_reader_that_stops_is_no_error():
    ended = shell(
        f"{COMMAND} baseline accumulate --features 2 --rows 20 --generations 3000 | head -1; echo ${{PIPESTATUS[0]}}"
    )
    assert (ended.stdout.splitlines()[-1], ended.stderr) == ("0", "")


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("JAX_PLATFORMS", "tpu", "JAX_PLATFORMS is 'tpu', but JAX finds no such device here"),
        ("JAX_PLATFORMS", "cpu,", "JAX_PLATFORMS is 'cpu,', but JAX finds no such device here"),
        ("JAX_ENABLE_X64", "maybe", "JAX cannot read its settings in the environment: invalid truth value 'maybe' for"),
    ],
)
def test_what_is_wrong_with_the_environment_of_jax_is_named(name, value, says, tmp_path):
    np.savez(tmp_path / "e.npz", private=np.eye(2)[None], public=np.eye(2), synthetic=np.eye(2)[None])
    command = f"{COMMAND} simulate {tmp_path}/e.npz --alpha 0.5 --beta 0.5 --generations 1"
    ended = shell(command, **{name: value})
    assert ended.returncode == 2
    assert ended.stderr.startswith(f"crossfeed: {says}")
    assert ended.stderr.count("\n") == 1


def test_programs_of_an_accelerator_are_compiled_as_usual(monkeypatch, tmp_path):
    level = "--xla_backend_optimization_level"
    monkeypatch.setenv("XLA_FLAGS", "")
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")  # whatever this machine has
    set_up_jax()
    assert level in os.environ["XLA_FLAGS"]
    monkeypatch.delenv("JAX_PLATFORMS")
    (tmp_path / "jax_plugins").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("XLA_FLAGS", "")
    set_up_jax()
    assert level not in os.environ["XLA_FLAGS"]


def test_no_command_needs_the_backend_of_a_notebook(monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    handler = signal.getsignal(signal.SIGINT)
    set_up_jax()
    assert os.environ["MPLBACKEND"] == "agg"
    assert signal.getsignal(signal.SIGINT) is handler
