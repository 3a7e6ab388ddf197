"""The commands as a user meets them: what is printed where, and with which exit code."""

import json
import sys
from dataclasses import replace
from typing import Any

import jax
import numpy as np
import pytest
from crossfeed.cli.main import main
from crossfeed.figures.catalog import FIGURES
from crossfeed.figures.reproduce import STAGES
from crossfeed.figures.sweeps import GALLERY
from crossfeed.sim import (
    bundled_ecosystem,
    ecosystem_from_files,
    make_moment_sampler,
    make_row_sampler,
    simulate_on_devices,
)
from crossfeed.theory import (
    Weights,
    ecosystem_from_grams,
    equal_shares,
    limit,
    load_ecosystem,
    mspe,
    random_gaussian,
    save_ecosystem,
    worst_case,
)

from crossfeed.errors import InvalidInput


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
    save_ecosystem(ecosystem_from_grams(private, np.zeros((2, 2)), private, equal_shares(2)), path)
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


@pytest.mark.parametrize("mode", ["moments", pytest.param("rows", marks=pytest.mark.long)])
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


def test_nothing_is_drawn_where_no_error_can_be_told(crossfeed, biased, monkeypatch):
    monkeypatch.setattr("crossfeed.sim.simulate_on_devices", lambda *_: pytest.fail("replicates were drawn"))
    code, out, _ = crossfeed("simulate", biased, "--alpha", 0, "--beta", 1, "--generations", 2, "--json")
    found = json.loads(out)
    assert code == 0
    assert found["mse"] == found["mse_se"] == [[None, None]] * 3
    assert np.shape(found["mspe"]) == (3, 2, 2)
    assert "(6 numbers omitted)" in found["notes"][0]


def test_biased_numbers_appear_with_theta(crossfeed, biased):
    with np.load(biased) as fields:
        np.savez(biased, **fields, theta=np.array([3.0, 4.0]))
    found = json.loads(crossfeed("trajectory", biased, "--alpha", 0.5, "--beta", 0.5, "--generations", 1, "--json")[1])
    # Entity 1 sees only the first direction: variance 1/0.5 · 0.5 = 1 there, bias 4 in the other.
    assert found["mse"][0] == pytest.approx([1 + 16, 1 + 9])
    assert found["bias_norm"][0] == pytest.approx([4, 3])


def tables(out: str) -> list[list[list[str]]]:
    """The cells of every table that was printed, headers among the rows."""
    found, inside = [], False
    for line in out.splitlines():
        cells = [cell.strip() for cell in line.replace("┃", "│").split("│")[1:-1]]
        if cells and not inside:
            found.append([])
        if cells:
            found[-1].append(cells)
        inside = bool(cells) or line.startswith("┡")
    return found


def written(values) -> list[str]:
    return [f"{value:.6g}" for value in values]


def by_entity(header: str, matrix, first: int = 1) -> list[list[str]]:
    """A table with a numbered row for each of the matrix, under columns for entities or tasks 1 and 2."""
    kind = "task" if header == "entity" else "entity"
    return [[header, f"{kind} 1", f"{kind} 2"]] + [[str(k), *written(row)] for k, row in enumerate(matrix, first)]


def test_tables_say_what_json_says(crossfeed, eco):
    weights = ("--alpha", 0.5, "--beta", 0.25, 0.75)
    found = json.loads(crossfeed("limit", eco, *weights, "--json")[1])
    _, out, _ = crossfeed("limit", eco, *weights)
    (table,) = tables(out)
    assert table[0] == ["entity", "MSE", "efficiency", "MSPE task 1", "MSPE task 2"]
    for k, row in enumerate(table[1:]):
        numbers = found["mse"][k], found["relative_efficiency"][k], *found["mspe"][k]
        assert row == [str(k + 1), *written(numbers)]
    assert f"spectral radius {found['spectral_radius']:.6g}, homogenization {found['homogenization']:.6g}" in out

    found = json.loads(crossfeed("trajectory", eco, *weights, "--generations", 3, "--json")[1])
    errors, last = tables(crossfeed("trajectory", eco, *weights, "--generations", 3)[1])
    assert errors == by_entity("generation", found["mse"], first=0)
    assert last == by_entity("entity", found["mspe"][-1])

    options = (*weights, "--generations", 3, "--replicates", 100)
    found = json.loads(crossfeed("simulate", eco, *options, "--json")[1])
    errors, last, standard_errors = tables(crossfeed("simulate", eco, *options)[1])
    assert errors == by_entity("generation", found["mse"], first=0)
    assert last == by_entity("entity", found["mspe"][-1])
    assert standard_errors == by_entity("generation", found["mse_se"], first=0)


@pytest.mark.parametrize(("mode", "sampler"), [("moments", make_moment_sampler), ("rows", make_row_sampler)])
def test_a_simulation_has_the_mode_and_the_seed_asked_for(crossfeed, eco, mode, sampler):
    options = ("--alpha", 0.5, "--beta", 0.5, "--generations", 1, "--replicates", 50, "--mode", mode, "--json")
    found = json.loads(crossfeed("simulate", eco, *options, "--seed", 7)[1])
    drawn = simulate_on_devices(sampler(load_ecosystem(eco)), Weights(0.5, 0.5), 1, 50, jax.random.key(7))
    for name in ("mse", "mse_se", "mspe", "mspe_se"):
        np.testing.assert_allclose(found[name], getattr(drawn, name), rtol=1e-9, err_msg=name)


def assert_saved(path, ecosystem):
    saved = load_ecosystem(path)
    assert jax.tree.structure(saved) == jax.tree.structure(ecosystem)
    jax.tree.map(
        lambda found, wanted: np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-12), saved, ecosystem
    )


def test_a_random_ecosystem_has_all_that_was_asked_for(crossfeed, tmp_path):
    sizes: dict[str, Any] = {
        "entities": 2,
        "dimension": 4,
        "rank": 2,
        "rows": 3,
        "public_rows": 6,
        "noise_variance": 0.5,
    }
    options = [word for name, value in sizes.items() for word in (f"--{name.replace('_', '-')}", value)]
    crossfeed("ecosystem", "random", tmp_path / "e.npz", *options, "--seed", 5)
    assert_saved(tmp_path / "e.npz", random_gaussian(jax.random.key(5), **sizes))


def test_a_data_set_and_files_become_the_ecosystem_asked_for(crossfeed, tmp_path):
    crossfeed("ecosystem", "dataset", tmp_path / "d.npz", "--name", "iris", "--entities", 2)
    assert_saved(tmp_path / "d.npz", bundled_ecosystem("iris", 2))
    rng = np.random.default_rng(0)
    files = [tmp_path / f"{name}.csv" for name in ("one", "two", "public")]
    for file in files:
        np.savetxt(file, rng.normal(size=(9, 3)), delimiter=",", header="a,b,price", comments="")
    named = ("--private", files[0], "--private", files[1], "--public", files[2])
    crossfeed("ecosystem", "files", tmp_path / "f.npz", *named, "--target", "b")
    assert_saved(tmp_path / "f.npz", ecosystem_from_files(files[:2], files[2:], target="b"))


@pytest.mark.parametrize(
    ("command", "registry", "points"),
    [(("reproduce",), STAGES, (200, 30)), (("figures",), GALLERY, (61, 21)), (("figure", "fig2"), FIGURES, (200, 30))],
    ids=["reproduce", "figures", "figure"],
)
def test_figures_are_drawn_with_the_settings_asked_for(crossfeed, tmp_path, monkeypatch, command, registry, points):
    def refuse(request, settings):
        raise InvalidInput(f"seed {settings.seed}, {settings.points} points, {request.folder.name}")

    first = next(iter(registry))
    monkeypatch.setitem(registry, first, replace(registry[first], draw=refuse))
    seeded = ("--set", "seed=3") if command[0] == "figure" else ("--seed", 3)
    for options, said in (
        ((), f"seed 0, {points[0]} points"),
        (("--quick",), f"seed 0, {points[1]} points"),
        ((*seeded, "--set", "points=7", "--quick"), "seed 3, 7 points"),
    ):
        code, _, err = crossfeed(*command, "--out", tmp_path / "here", *options)
        assert (code, err.splitlines()[-1]) == (2, f"crossfeed: {said}, here")


@pytest.mark.long
def test_predict_draws_and_tabulates(crossfeed, eco, tmp_path):
    out = tmp_path / "new" / "folder"
    code, said, _ = crossfeed("predict", eco, "--out", out, "--quick")
    assert code == 0
    assert "best common weights" in said
    assert {path.name for path in out.iterdir()} == {f"predicted_error.{kind}" for kind in ("svg", "png", "csv")}
