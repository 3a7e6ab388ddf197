"""Bad input: one sentence on stderr that names the field and the value, exit code 2, no file."""

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from crossfeed.cli.main import main

GOOD: dict[str, Any] = {
    "private": np.stack([np.eye(2), np.eye(2)]),
    "public": np.eye(2),
    "synthetic": np.stack([np.eye(2), np.eye(2)]),
}
WEIGHTS = ("--alpha", "0.5", "--beta", "0.5")


def fail(monkeypatch, capsys, *arguments) -> str:
    monkeypatch.setattr(sys, "argv", ["crossfeed", *map(str, arguments)])
    with pytest.raises(SystemExit) as exit_:
        main()
    out, err = capsys.readouterr()
    assert exit_.value.code == 2
    assert out == ""
    assert err.startswith("crossfeed: ")
    assert err.count("\n") == 1
    return err


FILES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "not symmetric": (
        {"public": np.array([[1.0, 2.0], [3.0, 4.0]])},
        ["public", "not symmetric", "is 2, and (1, 0) differs by 1"],
    ),
    "indefinite": ({"public": np.diag([1.0, -3.0])}, ["public", "positive semi-definite", "-3"]),
    "NaN": ({"private": np.full((2, 2, 2), np.nan)}, ["private[0, 0, 0]", "nan"]),
    "wrong shape": ({"public": np.eye(3)}, ["public", "(2, 2)", "(3, 3)"]),
    "no entity": ({"private": np.zeros((0, 2, 2))}, ["private", "(0, 2, 2)"]),
    "shares": ({"shares": np.array([0.5, 0.6])}, ["shares", "1.1"]),
    "negative share": ({"shares": np.array([-0.5, 1.5])}, ["shares[0]", "-0.5"]),
    "noise": ({"noise_variance": np.array(0.0)}, ["noise_variance", "0"]),
    "theta": ({"theta": np.ones(3)}, ["theta", "(3,)"]),
    "missing key": ({"private": None}, ["private", "no key"]),
    "unknown key": ({"thetas": np.ones(2)}, ["thetas", "unknown"]),
    "text": ({"public": np.array([["a", "b"], ["c", "d"]])}, ["public", "<U1"]),
}


@pytest.mark.parametrize("case", FILES)
def test_bad_ecosystem_file(case, monkeypatch, capsys, tmp_path):
    change, words = FILES[case]
    path = tmp_path / "eco.npz"
    np.savez(path, **{name: value for name, value in (GOOD | change).items() if value is not None})
    said = fail(monkeypatch, capsys, "limit", path, *WEIGHTS)
    assert all(word in said for word in [*words, str(path)])


def test_truncated_file(monkeypatch, capsys, tmp_path):
    path = tmp_path / "eco.npz"
    np.savez(path, **GOOD)
    path.write_bytes(path.read_bytes()[:200])
    assert str(path) in fail(monkeypatch, capsys, "limit", path, *WEIGHTS)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("limit", "--alpha", "1.5", "--beta", "0.5"), ["alpha", "1.5"]),
        (("limit", "--alpha", "0.5", "--beta", "nan"), ["beta", "nan"]),
        (("limit", "--alpha", "0.1", "0.2", "0.3", "--beta", "0.5"), ["alpha", "3 values", "2 entities"]),
        (("trajectory", *WEIGHTS, "--generations", "-1"), ["generations", "-1"]),
        (("simulate", *WEIGHTS, "--generations", "1", "--replicates", "1"), ["replicates", "1"]),
    ],
)
def test_bad_arguments(arguments, words, monkeypatch, capsys, tmp_path):
    path = tmp_path / "eco.npz"
    np.savez(path, **GOOD)
    command, *options = arguments
    said = fail(monkeypatch, capsys, command, path, *options)
    assert all(word in said for word in words)


def test_bad_sizes_leave_no_file(monkeypatch, capsys, tmp_path):
    path = tmp_path / "eco.npz"
    assert "rank is 9" in fail(monkeypatch, capsys, "ecosystem", "random", path, "--dimension", 4, "--rank", 9)
    assert "moon" in fail(monkeypatch, capsys, "ecosystem", "dataset", path, "--name", "moon")
    assert "private" in fail(monkeypatch, capsys, "ecosystem", "files", path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["random", "dataset", "files"])
def test_an_ecosystem_file_is_not_overwritten(kind, monkeypatch, capsys, tmp_path):
    path = tmp_path / "eco.npz"
    path.write_bytes(b"mine")
    said = fail(monkeypatch, capsys, "ecosystem", kind, path)
    assert said == f"crossfeed: {path} exists already: choose another name\n"
    assert path.read_bytes() == b"mine"


def test_output_folder_that_cannot_be(monkeypatch, capsys, tmp_path):
    file, spec = tmp_path / "file", tmp_path / "sweep.toml"
    file.write_text("")
    spec.write_text('[sweep]\nquantities = ["mse"]\n[axes]\nalpha = 0.5\nbeta = 0.5\n')
    in_the_way = f"{file} is in the way, which is not a folder"
    for arguments in (
        ("reproduce", "--out", file),
        ("figures", "--out", file / "figures"),
        ("figure", "fig2", "--out", file),
        ("ecosystem", "random", file / "eco.npz"),
        ("sweep", "run", spec, "--out", file / "store.zarr"),
    ):
        assert in_the_way in fail(monkeypatch, capsys, *arguments)
    missing = tmp_path / "missing" / "eco.npz"
    assert "missing" in fail(monkeypatch, capsys, "ecosystem", "random", missing)


def test_a_figure_that_there_is_not(monkeypatch, capsys, tmp_path):
    for arguments, says in (
        ((), "figure needs NAME; crossfeed figure --list names all figures"),
        (("fig3",), "there is no figure 'fig3': did you mean fig"),
        (("nonsense",), "there is no figure 'nonsense': crossfeed figure --list names all"),
        (
            ("fig2", "--set", "entities=0"),
            "fig2: set: entities is 0, but must be a whole number from 1 to 200; the settings",
        ),
        (
            ("fig2", "--spec", tmp_path / "none.toml"),
            f"cannot read {tmp_path / 'none.toml'}: No such file or directory",
        ),
        (("fig2", "--format", "gif"), "invalid choice 'gif' for argument '--format'"),
    ):
        out = tmp_path / "out"
        assert fail(monkeypatch, capsys, "figure", *arguments, "--out", out).startswith(f"crossfeed: {says}")
        assert not out.exists()


def test_help_does_not_wait_for_jax():
    code = "import sys; sys.argv = ['crossfeed', '--help']\nfrom crossfeed.cli.main import main\n"
    check = "try: main()\nexcept SystemExit: assert 'jax' not in sys.modules and 'matplotlib' not in sys.modules"
    subprocess.run([sys.executable, "-c", code + check], check=True, capture_output=True)
