"""`crossfeed limit`, `trajectory` and `stability` do without JAX where NumPy is faster, and else give the same numbers."""

import json
import subprocess
import sys
from functools import partial

import numpy as np
import pytest
from crossfeed.cli.commands import read_command
from crossfeed.cli.main import main
from crossfeed.cli.quick import quick_command
from jax.random import key

from crossfeed import theory
from crossfeed.formulas.ecosystem_file import read_ecosystem
from crossfeed.formulas.stability.summary import summarize_stability
from crossfeed.formulas.weights import Weights
from crossfeed.formulas.workflow_file import read_workflow

from ..theory.ecosystems import random_ecosystem

IMPORTED = """
import json, sys
from crossfeed.cli.main import main

main()
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""
SLOW = {"jax", "jaxlib", "equinox", "jaxtyping", "scipy", "tyro"}


@pytest.fixture
def eco(tmp_path):
    theory.save_ecosystem(random_ecosystem(3, theta=True), tmp_path / "eco.npz")
    return tmp_path / "eco.npz"


def workflow(folder, text: str):
    (folder / "workflow.toml").write_text(text)
    return folder / "workflow.toml"


@pytest.mark.parametrize(("command", "number"), [("limit", "mse"), ("trajectory", "mse"), ("stability", "kappa")])
def test_nothing_slow_is_imported(command, number, eco, tmp_path):
    parts = '[estimator]\nkind = "ridge"\npenalty = 0.1\n[pool]\nkind = "network"\nreaders = [[0.5, 0.5, 0], [0, 1, 0], [0, 0, 1]]'
    line = [
        command,
        eco,
        "--alpha",
        "0.5",
        "--beta",
        "0.2",
        "0.4",
        "0.6",
        "--workflow",
        workflow(tmp_path, parts),
        "--json",
    ]
    line += ["--generations", "3"] if command == "trajectory" else []
    ended = subprocess.run(
        [sys.executable, "-c", IMPORTED, *map(str, line)], capture_output=True, text=True, check=True
    )
    printed, imported = map(json.loads, ended.stdout.splitlines())
    assert np.isfinite(printed[number]).all()
    assert "numpy" in imported
    assert not SLOW & set(imported)


WELL_FORMED = [
    "limit e.npz --alpha 0.5 --beta 1",
    "limit e.npz --beta 1e-1 0.3 --alpha .5 1 --json --workflow w.toml",
    "limit e.npz --alpha nan --beta 2",
    "stability e.npz --alpha 0.5 --beta 0.3 1 --workflow w.toml --json",
    "trajectory e.npz --alpha 0.5 --beta 1 --generations 20",
    "trajectory e.npz --json --generations 0 --alpha 0 --beta 1",
]


@pytest.mark.parametrize("line", WELL_FORMED)
def test_well_formed_arguments_mean_what_tyro_reads(line):
    quick, command = quick_command(line.split()), read_command(line.split())
    assert isinstance(quick, partial)
    assert line.startswith(quick.func.__name__.removeprefix("print_"))
    read = {name: value for name, value in vars(command).items() if value is not None}
    given = {name.removesuffix("_file"): value for name, value in quick.keywords.items()}
    assert str(given.pop("alpha")) == str(read.pop("alpha"))  # NaN is not itself
    assert given == read


@pytest.mark.parametrize(
    "line",
    [
        "",
        "--help",
        "limit --help",
        "simulate e.npz --alpha 0.5 --beta 1 --generations 3",
        "limit --alpha 0.5 --beta 1",
        "limit e.npz f.npz --alpha 0.5 --beta 1",
        "limit e.npz --alpha x --beta 1",
        "limit e.npz --alpha -0.5 --beta 1",
        "limit e.npz --alpha --beta 1",
        "limit e.npz --alpha 0.5 --alpha 0.6 --beta 1",
        "limit e.npz --alpha=0.5 --beta 1",
        "limit e.npz --alpha 0.5 --beta 1 --json true",
        "limit e.npz --alpha 0.5 --beta 1 --workflow",
        "limit e.npz --alpha 0.5 --beta 1 --generations 3",
        "stability e.npz --alpha 0.5 --beta 1 --generations 3",
        "trajectory e.npz --alpha 0.5 --beta 1",
        "trajectory e.npz --alpha 0.5 --beta 1 --generations 3.0",
    ],
)
def test_other_arguments_are_left_to_tyro(line):
    assert quick_command(line.split()) is None


def printed(arguments, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["crossfeed", *map(str, arguments), "--json"])
    main()
    return json.loads(capsys.readouterr().out)


def test_a_long_trajectory_is_compiled_and_begins_like_a_short_one(eco, monkeypatch, capsys):
    line = ["trajectory", eco, "--alpha", 0.5, "--beta", 0.3, "--generations"]
    short, long = (printed([*line, generations], monkeypatch, capsys) for generations in (4, 2000))
    assert list(short) == list(long)
    for name, values in short.items():
        np.testing.assert_allclose(np.array(values), np.array(long[name])[:5], rtol=1e-12, atol=1e-14)


@pytest.mark.long
def test_bounds_of_a_large_network_are_compiled_and_the_same(tmp_path, monkeypatch, capsys):
    readers = (np.eye(10) + np.roll(np.eye(10), 1, axis=1)) / 2
    ring = workflow(tmp_path, f'[pool]\nkind = "network"\nreaders = {readers.tolist()}')
    theory.save_ecosystem(theory.random_gaussian(key(0), entities=10, dimension=12, rank=9), tmp_path / "eco.npz")
    line = ["stability", tmp_path / "eco.npz", "--alpha", 0.5, "--beta", 0.3, "--workflow", ring]
    found = printed(line, monkeypatch, capsys)
    with np.errstate(all="ignore"):
        exact = summarize_stability(read_ecosystem(tmp_path / "eco.npz"), Weights(0.5, 0.3), read_workflow(ring))
    np.testing.assert_allclose(found["spectral_radius"], exact.spectral_radius, rtol=1e-10)
    np.testing.assert_allclose(found["kappa"], exact.knowledge.kappa, rtol=1e-10)
    np.testing.assert_allclose(found["bounds"]["knowledge_refined"]["bound"], exact.knowledge.refined, rtol=1e-10)


def test_what_exceeds_float64_is_missing_with_a_note(eco, tmp_path, monkeypatch, capsys):
    steps = workflow(tmp_path, '[estimator]\nkind = "gradient-steps"\nsteps = 30\nrate = 20.0')
    line = ["trajectory", eco, "--alpha", 0.5, "--beta", 0.3, "--generations", 5, "--workflow", steps]
    found = printed(line, monkeypatch, capsys)
    assert found["mse"][-1] == [None, None, None]
    assert found["notes"][0].startswith("numbers from generation ")
