"""How commands start: earlier spellings, libraries that are missing, and programs compiled by an earlier run."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from crossfeed.cli.old_spellings import current_spelling
from crossfeed.theory import save_ecosystem

from ..theory.ecosystems import random_ecosystem


@pytest.mark.parametrize(
    ("before", "now"),
    [
        ("sweep sweep.toml --out s.zarr", "sweep run sweep.toml --out s.zarr"),
        ("sweep --out s.zarr sweep.toml", "sweep run --out s.zarr sweep.toml"),
        ("verify", "verify ledger"),
        ("verify E7 theorem1", "verify ledger E7 theorem1"),
        ("verify --quick", "verify ledger --quick"),
        ("verify lemma1", "verify ledger lemma1"),
        ("verify lemma1 --json", "verify ledger lemma1 --json"),
    ],
)
def test_an_earlier_spelling_is_understood_with_a_hint(before, now, capsys):
    assert current_spelling(before.split()) == now.split()
    command, subcommand = now.split()[:2]
    assert capsys.readouterr().err == f"note: `crossfeed {command} …` is now `crossfeed {command} {subcommand} …`\n"


@pytest.mark.parametrize(
    "arguments",
    [
        "sweep",
        "sweep --help",
        "sweep run sweep.toml --out s.zarr",
        "sweep status s.zarr",
        "verify -h",
        "verify ledger E7",
        "verify lemma1 --help",
        "verify lemma1 --trials 10",
        "verify lemma1 --json --trials=10",
        "limit verify --alpha 0.5 --beta 0.5",
        "",
    ],
)
def test_a_current_spelling_stays_as_it_is(arguments, capsys):
    assert current_spelling(arguments.split()) == arguments.split()
    assert capsys.readouterr().err == ""


NEEDS = {
    "ecosystem dataset eco.npz --name iris": ("sklearn", "data"),
    "ecosystem files eco.npz --private t.txt --public t.txt": ("sklearn", "data"),
    "sweep run sweep.toml --out s.zarr": ("zarr", "sweeps"),
    "sweep status s.zarr": ("zarr", "sweeps"),
    "plot s.zarr --variable mse --out mse.png": ("matplotlib", "figures"),
    "predict have.npz --out predicted": ("matplotlib", "figures"),
    "reproduce --out reproduced": ("matplotlib", "figures"),
    "figure fig2": ("matplotlib", "figures"),
    "figures --out figures": ("matplotlib", "figures"),
    "explore": ("bokeh", "explore"),
    "verify ledger E1": ("sympy", "proofs"),
    "verify lemma1 --trials 10": ("flint", "proofs"),
    "lm run --quick": ("flax", "lm"),
    "lm table run": ("xarray", "lm"),
    "advise have.npz --out advice": ("matplotlib", "figures"),
    "advise run --out advice": ("orbax", "figures,lm"),
}
"""A library of their extra that commands need, and the extra."""

WITHOUT = """
import contextlib, io, json, sys
from crossfeed.cli.main import main

ended = {}
for command, (library, _) in json.loads(sys.argv[1]).items():
    sys.modules[library] = None  # importing it fails as if it was not installed
    sys.argv = ["crossfeed", *command.split()]
    with contextlib.redirect_stderr(io.StringIO()) as said:
        try:
            main()
        except SystemExit as stopped:
            ended[command] = stopped.code, said.getvalue()
    del sys.modules[library]
print(json.dumps(ended))
"""


@pytest.fixture(scope="module")
def without_extras(tmp_path_factory) -> dict[str, tuple[int, str]]:
    """Exit code and stderr of every command without the library."""
    command = [sys.executable, "-c", WITHOUT, json.dumps(NEEDS)]
    folder = tmp_path_factory.mktemp("without")
    (folder / "t.txt").write_text("a few words")
    (folder / "sweep.toml").write_text("[sweep]")
    save_ecosystem(random_ecosystem(2), folder / "have.npz")
    for name in ("s.zarr", "run"):
        (folder / name).mkdir()
    (folder / "run" / "study.json").touch()
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return json.loads(ended.stdout)


@pytest.mark.parametrize("command", NEEDS)
def test_a_command_without_its_extra_says_which_to_install(command, without_extras):
    library, extra = NEEDS[command]
    sentence = f"crossfeed: this command needs {library}, which is not installed: pip install 'crossfeed[{extra}]'\n"
    assert without_extras[command] == [2, sentence]


REFUSED = {
    "lm run none.toml --out out": "cannot read none.toml: No such file or directory",
    "lm run bad.toml --out out": "bad.toml is not TOML: ",
    "lm table none": "there is no run at none",
    "lm figure run --out a.gif": "a.gif must end in .png, .svg, .pdf or .csv",
    "lm evaluate run --alpha 0 --beta 1 --task none.jsonl": "cannot read none.jsonl: No such file or directory",
    "lm generate none --alpha 0 --beta 1 --prompt hi": "there is no run at none",
    "advise none.npz --out out": "cannot read none.npz: No such file or directory",
    "advise eco.npz --out out --alpha 2": "alpha is 2, but must lie in [0, 1]",
    "advise run --out out --alpha -1": "alpha is -1, but must lie in [0, 1]",
    "advise run none --out out": "there is no run at none",
    "estimate eco.npz none.npz": "cannot read none.npz: No such file or directory",
    "estimate eco.npz eco.npz": "eco.npz holds ",
    "estimate eco.npz seen.npz": "estimates in seen.npz have shape (4, 3, 5), but must have shape (T+1, ",
    "lm table none.zarr": "none.zarr holds no run of language models: it has neither study.json nor measures.zarr",
    "advise s.zarr --out out": "s.zarr holds no run of language models: it has neither study.json nor measures.zarr",
    "plot s.zarr --variable ms --out a.png": "variable is 'ms', but the sweep holds mse, transfer",
    "plot s.zarr --variable mse --out a.png --at alpha": "at is 'alpha', but must be AXIS=VALUE with a number",
    "plot s.zarr --variable mse --out a.png --at alpha=0 --at alpha=1": "at names 'alpha' twice",
    "sweep status run": "run is a run of language models, and no sweep",
    "plot s.zarr --variable mse --out a.png --x beta --y beta": "x and y are both 'beta': a heat map needs two axes",
    "verify ledger theorm1": "there is no claim 'theorm1': did you mean theorem1?",
    "simulate eco.npz --alpha 0.1 0.2 --beta 1 --generations 2": "alpha has 2 values, but needs one for all",
    "simulate eco.npz --alpha 0 --beta 1 --generations -1": "generations is -1, but must lie between 0 and ",
    "predict none.npz --out out": "cannot read none.npz: No such file or directory",
    "explore none.npz": "cannot read none.npz: No such file or directory",
    "sweep run bad.toml --out out": "bad.toml is not TOML: ",
    "sweep status none": "there is no sweep at none",
    "plot none --variable mse --out a.png": "there is no sweep at none",
    "measure none.jsonl": "cannot read none.jsonl: No such file or directory",
    "ecosystem files new.npz --private none.csv": "cannot read none.csv: No such file or directory",
    "ecosystem random eco.npz": "eco.npz exists already: choose another name",
}
"""Mistakes, and how the sentence on them begins."""

REFUSING = """
import contextlib, io, json, sys
from crossfeed.cli.main import main

ended = {}
for command in json.loads(sys.argv[1]):
    sys.argv = ["crossfeed", *command.split()]
    with contextlib.redirect_stderr(io.StringIO()) as said:
        try:
            main()
        except SystemExit as stopped:
            ended[command] = stopped.code, said.getvalue(), "jax" in sys.modules
print(json.dumps(ended))
"""


@pytest.fixture(scope="module")
def refused(tmp_path_factory) -> dict[str, tuple[int, str, bool]]:
    """Exit code and stderr of every mistake, and whether JAX was imported until then."""
    folder = tmp_path_factory.mktemp("refused")
    save_ecosystem(random_ecosystem(2), folder / "eco.npz")
    (folder / "bad.toml").write_text("[[")
    for name in ("run", "none.zarr", "s.zarr"):
        (folder / name).mkdir()
    (folder / "run" / "study.json").touch()
    attributes = {"crossfeed_sweep": {"spec": json.dumps({"quantities": ["mse", "transfer"]})}}
    (folder / "s.zarr" / "zarr.json").write_text(json.dumps({"attributes": attributes}))
    np.savez(folder / "seen.npz", estimates=np.zeros((4, 3, 5)))
    command = [sys.executable, "-c", REFUSING, json.dumps(list(REFUSED))]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    given = ["bad.toml", "eco.npz", "none.zarr", "run", "s.zarr", "seen.npz"]
    assert sorted(path.name for path in folder.iterdir()) == given
    return json.loads(ended.stdout)


@pytest.mark.parametrize("command", REFUSED)
def test_a_mistake_is_told_before_jax_is_imported(command, refused):
    code, said, imported = refused[command]
    assert (code, imported) == (2, False)
    assert said.startswith(f"crossfeed: {REFUSED[command]}")
    assert said.count("\n") == 1


COMPILED = """
import json
from crossfeed.cli.jax_setup import set_up_jax

set_up_jax()

import jax

events = []
jax.monitoring.register_event_listener(lambda event, **_: events.append(event.rpartition("/")[2]))
value = jax.jit(lambda x: jax.numpy.exp(x).sum())(jax.numpy.arange(3.0))
print(json.dumps([float(value), events.count("cache_hits"), events.count("cache_misses")]))
"""


def compiled_in(cache: Path) -> tuple[int, int]:
    """Number of programs that a process finds among those kept in a folder, and of those that it lacks."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("JAX_")}
    command = [sys.executable, "-c", COMPILED]
    environment["XDG_CACHE_HOME"] = str(cache)
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert ended.stderr == ""
    value, found, lacking = json.loads(ended.stdout)
    assert value == pytest.approx(sum(map(math.exp, range(3))))
    return found, lacking


def test_programs_that_one_process_compiled_are_used_by_the_next(tmp_path):
    found, compiled = compiled_in(tmp_path)
    assert found == 0 < compiled
    assert compiled_in(tmp_path) == (compiled, 0)
    programs = list(tmp_path.rglob("*-cache"))
    assert len(programs) == compiled
    for program in programs:
        program.write_bytes(b"broken")
    found, _ = compiled_in(tmp_path)
    assert found == 0


def test_the_folder_of_compiled_programs_does_not_grow_for_ever(tmp_path):
    compiled_in(tmp_path)
    (folder,) = {path.parent for path in tmp_path.rglob("*-cache")}
    for number in range(20_001):
        path = folder / f"old-{number}-cache"
        path.touch()
        os.utime(path, (number, number))
    found, lacking = compiled_in(tmp_path)
    assert found > 0 == lacking
    left = {path.name for path in folder.glob("old-*-cache")}
    assert "old-0-cache" not in left
    assert "old-20000-cache" in left
    assert 9_000 < len(left) < 10_100


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path):
    (tmp_path / "file").touch()
    found, _ = compiled_in(tmp_path / "file")
    assert found == 0


OTHER_SETTINGS = {
    "JAX_DEFAULT_PRNG_IMPL": "rbg",
    "JAX_THREEFRY_PARTITIONABLE": "0",
    "JAX_RANDOM_SEED_OFFSET": "5",
    "JAX_NUMPY_DTYPE_PROMOTION": "strict",
    "JAX_NUMPY_RANK_PROMOTION": "raise",
}


def test_a_seed_means_the_same_under_all_settings_of_jax(tmp_path):
    def drawn(name: str, settings: dict[str, str]) -> bytes:
        command = [
            sys.executable,
            "-m",
            "crossfeed",
            "ecosystem",
            "random",
            name,
            "--entities",
            "2",
            "--dimension",
            "3",
        ]
        subprocess.run([*command, "--rank", "1"], cwd=tmp_path, env=os.environ | settings, check=True)
        return (tmp_path / name).read_bytes()

    assert drawn("a.npz", {}) == drawn("b.npz", OTHER_SETTINGS)
