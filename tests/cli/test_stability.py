"""`crossfeed stability` as a user meets it."""

import json
import sys

import jax.numpy as jnp
import numpy as np
import pytest
from crossfeed.cli.main import main
from crossfeed.theory import Weights, knowledge_bound, random_gaussian, save_ecosystem, worst_case
from jax.random import key


@pytest.fixture
def stability(monkeypatch, capsys):
    """Run the command; (exit code, stdout, stderr)."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["crossfeed", "stability", *map(str, arguments)])
        try:
            main()
            code = 0
        except SystemExit as exit_:
            code = exit_.code
        out, err = capsys.readouterr()
        return code, out, err

    return run


@pytest.fixture
def worst(tmp_path):
    """Four entities that publish on directions that they do not know, without public data."""
    path = tmp_path / "worst.npz"
    save_ecosystem(worst_case(4, 10.0), path)
    return path


def test_json_has_every_bound_and_why_one_does_not_apply(stability, tmp_path):
    path, ecosystem = tmp_path / "eco.npz", random_gaussian(key(1), entities=4, dimension=4, rank=2)
    save_ecosystem(ecosystem, path)
    code, out, err = stability(path, "--alpha", 0.3, 0.5, 0.6, 0.7, "--beta", 0.5, "--json")
    found = json.loads(out)
    assert (code, err) == (0, "")
    exact = knowledge_bound(ecosystem, Weights(jnp.array([0.3, 0.5, 0.6, 0.7]), 0.5))
    assert found["bounds"]["knowledge"]["bound"] == pytest.approx(float(exact.bound), rel=1e-10)
    np.testing.assert_allclose(found["kappa"], exact.kappa, rtol=1e-10)
    assert found["distance"]["knowledge"] == pytest.approx(float(exact.change), rel=1e-10)
    for name, entry in found["bounds"].items():
        assert entry["bound"] is None or entry["bound"] >= found["spectral_radius"] - 1e-9, name
    refused = {name: entry["verdict"] for name, entry in found["bounds"].items() if not entry["applies"]}
    assert refused["lemma1"] == "the entities do not share α < 1 and β"
    assert refused["common_prompts"] == "entities publish labels for different inputs"
    assert "knowledge" not in refused


def test_a_divergent_ecosystem_is_told_what_it_lacks(stability, worst):
    code, out, err = stability(worst, "--alpha", 0.5, "--beta", 1)
    assert (code, err) == (0, "")
    assert "spectral radius 1.45455" in out
    assert "1.5 (ν is 2)" in out
    assert "an entity publishes about directions" in out
    assert "no amount of them excludes growth" in out


def test_other_workflows_have_the_bounds_that_cover_them(stability, worst, tmp_path):
    workflow = tmp_path / "workflow.toml"
    workflow.write_text('[estimator]\nkind = "ridge"\npenalty = 0.5\n')
    code, out, _ = stability(worst, "--alpha", 0.5, "--beta", 1, "--workflow", workflow, "--json")
    bounds = json.loads(out)["bounds"]
    assert code == 0
    assert bounds["public_data"]["bound"] == pytest.approx(0.75)  # μ = α(√m - 1)/2 is the edge of 1; here twice that
    assert bounds["universal"] == {
        "bound": None,
        "verdict": "the theorem is about the paper's workflow",
        "applies": False,
    }


def test_weights_outside_their_range_are_refused(stability, worst):
    code, out, err = stability(worst, "--alpha", 1.5, "--beta", 1)
    assert (code, out) == (2, "")
    assert err == "crossfeed: alpha is 1.5, but must lie in [0, 1]\n"


@pytest.mark.parametrize(
    ("alpha", "beta", "says"),
    [
        (0, 0.5, "no entity reads the pool (α = 0)"),
        (0.5, 1, "public data: they have no weight for an entity that reads the pool"),
        (0.5, 0.5, "public data: they do not cover all that is published"),
    ],
)
def test_the_reason_is_the_true_one(stability, worst, alpha, beta, says):
    code, out, _ = stability(worst, "--alpha", alpha, "--beta", beta)
    assert code == 0
    told = ("no entity", "public data: they")
    assert next(line for line in out.splitlines() if line.startswith(told)).startswith(says)
