"""The commands as a user meets them: what is printed where, and with which exit code."""

import json
import sys

import numpy as np
import pytest
from crossfeed.cli.main import main
from crossfeed.theory import Ecosystem, Weights, equal_shares, limit, load_ecosystem, mspe, save_ecosystem, worst_case


@pytest.fixture
def crossfeed(monkeypatch, capsys):
    """Run the command; (exit code, stdout, stderr)."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["crossfeed", *map(str, arguments)])
        try:
            main()
            code = 0
        except SystemExit as exit_:
            code = exit_.code
        out, err = capsys.readouterr()
        return code, out, err

    return run


@pytest.fixture
def eco(tmp_path, crossfeed):
    path = tmp_path / "eco.npz"
    code, out, _ = crossfeed("ecosystem", "random", path, "--entities", 2, "--dimension", 3, "--rank", 1, "--seed", 4)
    assert (code, out) == (0, f"{path}: 2 entities, 3 features\n")
    return path


@pytest.fixture
def biased(tmp_path):
    """No public data, so that nobody knows all directions at first, and no θ."""
    path = tmp_path / "biased.npz"
    private = np.stack([np.diag([1.0, 0.0]), np.diag([0.0, 1.0])])
    save_ecosystem(Ecosystem(private, np.zeros((2, 2)), private, equal_shares(2)), path)
    return path


def test_limit_prints_the_exact_limit(crossfeed, eco):
    code, out, err = crossfeed("limit", eco, "--alpha", 0.5, "--beta", 0.25, 0.75, "--json")
    found = json.loads(out)
    assert (code, err) == (0, "")
    assert set(found) == {"spectral_radius", "converged", "mse", "mspe", "relative_efficiency", "homogenization"}
    assert found["converged"] is True
    law = limit(load_ecosystem(eco), Weights(0.5, np.array([0.25, 0.75])))
    np.testing.assert_allclose(found["mspe"], mspe(law), rtol=1e-10)


def test_limit_without_a_limit_has_no_numbers(crossfeed, tmp_path):
    path = tmp_path / "worst.npz"
    save_ecosystem(worst_case(3, 10.0), path)
    code, out, _ = crossfeed("limit", path, "--alpha", 0.5, "--beta", 1, "--json")
    found = json.loads(out)
    assert code == 0
    assert found["converged"] is False
    assert found["spectral_radius"] > 1.3
    assert found["mse"] == [None] * 3
    assert "no limit" in found["notes"][0]


def test_trajectory_reaches_the_limit(crossfeed, eco):
    code, out, _ = crossfeed("trajectory", eco, "--alpha", 0.5, "--beta", 0.5, "--generations", 80, "--json")
    found = json.loads(out)
    end = json.loads(crossfeed("limit", eco, "--alpha", 0.5, "--beta", 0.5, "--json")[1])
    assert code == 0
    assert np.shape(found["mse"]) == (81, 2)
    assert np.shape(found["mspe"]) == (81, 2, 2)
    assert np.shape(found["bias_norm"]) == (81, 2)
    np.testing.assert_allclose(found["mse"][-1], end["mse"], rtol=1e-8)


@pytest.mark.parametrize("mode", ["moments", "rows"])
def test_simulation_agrees_with_the_trajectory(crossfeed, eco, mode):
    weights = ("--alpha", 0.5, "--beta", 0.5, "--generations", 5)
    exact = json.loads(crossfeed("trajectory", eco, *weights, "--json")[1])
    options = ("--replicates", 4000, "--seed", 1, "--mode", mode, "--json")
    code, out, _ = crossfeed("simulate", eco, *weights, *options)
    found = json.loads(out)
    assert code == 0
    for name in ("mse", "mspe"):
        z = (np.array(found[name]) - exact[name]) / np.array(found[f"{name}_se"])
        assert np.abs(z).max() < 5  # 36 comparisons, key fixed by the seed
    assert json.loads(crossfeed("simulate", eco, *weights, *options)[1]) == found


@pytest.mark.parametrize("command", [("trajectory",), ("simulate", "--replicates", 10)])
def test_biased_numbers_without_theta_are_left_out(crossfeed, biased, command):
    code, out, _ = crossfeed(*command, biased, "--alpha", 0.5, "--beta", 0.5, "--generations", 1, "--json")
    found = json.loads(out)
    assert code == 0
    assert found["mse"][0] == [None, None]
    assert "depends on theta" in found["notes"][0]


def test_biased_numbers_appear_with_theta(crossfeed, biased):
    with np.load(biased) as fields:
        np.savez(biased, **fields, theta=np.array([3.0, 4.0]))
    found = json.loads(crossfeed("trajectory", biased, "--alpha", 0.5, "--beta", 0.5, "--generations", 1, "--json")[1])
    # Entity 1 sees only the first direction: variance 1/0.5 · 0.5 = 1 there, bias 4 in the other.
    assert found["mse"][0] == pytest.approx([1 + 16, 1 + 9])
    assert found["bias_norm"][0] == pytest.approx([4, 3])


def test_tables_say_what_json_says(crossfeed, eco):
    weights = ("--alpha", 0.5, "--beta", 0.5)
    found = json.loads(crossfeed("limit", eco, *weights, "--json")[1])
    _, out, _ = crossfeed("limit", eco, *weights)
    assert f"{found['mse'][0]:.6g}" in out
    _, out, _ = crossfeed("trajectory", eco, *weights, "--generations", 3)
    assert "generation" in out
    _, out, _ = crossfeed("simulate", eco, *weights, "--generations", 3, "--replicates", 100)
    assert "standard errors" in out


def test_predict_draws_and_tabulates(crossfeed, eco, tmp_path):
    out = tmp_path / "new" / "folder"
    code, said, _ = crossfeed("predict", eco, "--out", out, "--quick")
    assert code == 0
    assert "best common weights" in said
    assert {path.name for path in out.iterdir()} == {f"predicted_error.{kind}" for kind in ("svg", "png", "csv")}
