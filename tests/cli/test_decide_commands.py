"""`crossfeed advise` and `crossfeed estimate` on small ecosystems."""

import json
import sys

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest
from crossfeed.cli.main import main
from crossfeed.theory import save_ecosystem, symmetric_ecosystem, worst_case


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_ecosystem(symmetric_ecosystem(2, jnp.eye(1)), "eco.npz")
    return tmp_path


def run(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["crossfeed", *arguments])
    main()


def refused(monkeypatch, capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        run(monkeypatch, *arguments)
    assert ended.value.code == 2
    *progress, said = capsys.readouterr().err.splitlines()
    assert all(line.startswith(("advising: ", "estimating: ")) for line in progress)
    return said


@pytest.mark.long
def test_advice_is_a_page_with_a_picture(folder, monkeypatch, capsys):
    save_ecosystem(symmetric_ecosystem(2, jnp.eye(2)), "two.npz")  # of the shape below, so that programs compile once
    run(monkeypatch, "advise", "two.npz", "--out", "advice")
    said = capsys.readouterr().out
    assert "Training is stable: a perturbation shrinks to 0.5 of itself" in said
    assert "α = 0.218, β = 0.554" in said
    assert "0.281 % more" in said  # the price of anarchy
    assert {path.name for path in (folder / "advice").iterdir()} == {
        f"advice.{s}" for s in ("svg", "png", "csv", "html")
    }


@pytest.mark.long
def test_advice_on_an_unstable_ecosystem(folder, monkeypatch, capsys):
    unstable = worst_case(2, 10.0)  # at any weights
    save_ecosystem(unstable, "worst.npz")
    said = refused(monkeypatch, capsys, "advise", "worst.npz", "--out", "advice", "--beta", "1")
    assert "there is no limit at any weights tried" in said
    save_ecosystem(eqx.tree_at(lambda e: e.public.gram, unstable, 0.1 * jnp.eye(2)), "bad.npz")
    run(monkeypatch, "advise", "bad.npz", "--out", "advice", "--beta", "1")
    assert "Training is unstable" in capsys.readouterr().out


def test_refused_advice_leaves_no_folder(folder, monkeypatch, capsys):
    (folder / "ridge.toml").write_text('[estimator]\nkind = "ridge"\npenalty = 0.1\n')
    (folder / "kept").mkdir()
    for out in ("kept/deep/advice", "kept"):
        said = refused(monkeypatch, capsys, "advise", "eco.npz", "--out", out, "--workflow", "ridge.toml")
        assert "theta, which is not given" in said
    assert not list((folder / "kept").iterdir())


@pytest.mark.long
def test_estimates_are_printed(folder, monkeypatch, capsys):
    np.savez("seen.npz", estimates=np.array([[[0.3], [-0.2]]]), probe_noise=0.01)
    run(monkeypatch, "estimate", "eco.npz", "seen.npz", "--json")
    found = json.loads(capsys.readouterr().out)
    assert {q["name"] for q in found["quantities"] if q["identified"]} == {"beta[0]", "beta[1]", "noise"}
    assert "alpha[0]" in found["notes"][0]
    np.savez("wrong.npz", estimates=np.ones((2, 3, 1)))
    assert "must have shape (T+1, 2, 1)" in refused(monkeypatch, capsys, "estimate", "eco.npz", "wrong.npz")
    np.savez("other.npz", losses=np.ones(3))
    assert "must hold estimates" in refused(monkeypatch, capsys, "estimate", "eco.npz", "other.npz")
