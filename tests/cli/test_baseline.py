"""`crossfeed baseline` as a user meets it."""

import json
import sys

import pytest
from crossfeed.cli.main import main
from crossfeed.theory.baselines import LAWS, pool_accumulate_shares, replace


@pytest.fixture
def baseline(monkeypatch, capsys):
    """Run the command; (exit code, stdout, stderr)."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["crossfeed", "baseline", *map(str, arguments)])
        try:
            main()
            code = 0
        except SystemExit as exit_:
            code = exit_.code
        out, err = capsys.readouterr()
        return code, out, err

    return run


def test_the_list_holds_every_law_with_its_source(baseline):
    code, out, err = baseline("--list")
    assert (code, err) == (0, "")
    for law in LAWS.values():
        assert f" {law.name} " in out
        assert law.source.partition(";")[0][:30] in out


def test_json_is_what_the_function_returns(baseline):
    code, out, err = baseline("replace", "--features", 3, "--rows", 9, "--generations", 4, "--json")
    assert (code, err) == (0, "")
    parameters = {"features": 3, "rows": 9, "generations": 4, "noise_variance": 1.0}
    assert json.loads(out) == {
        "name": "replace",
        "source": LAWS["replace"].source,
        "parameters": parameters,
        "generation": [1, 2, 3, 4],
        "values": replace(3, 9, 4).tolist(),
    }


def test_tables_number_generations_and_entities(baseline):
    _, out, _ = baseline("pool-accumulate-shares", "--shares", 0.9, 0.1, "--generations", 2)
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in out.splitlines() if line.startswith("│")]
    errors = pool_accumulate_shares([0.9, 0.1], 2)
    assert rows == [[str(t + 1), *(f"{value:.6g}" for value in row)] for t, row in enumerate(errors)]
    assert "entity 1" in out
    assert "entity 2" in out
    _, out, _ = baseline("pool-recursion-shares", "--shares", 0.9, 0.1, "--generations", 1)
    assert [line.split()[1::2] for line in out.splitlines() if line.startswith("│")] == [["0", "1"], ["1", "1.64"]]


def test_a_law_of_one_number_prints_it(baseline):
    assert baseline("subsample-limit", "--entities", 2)[1].startswith("subsample-limit: 1.99367\n")
    assert json.loads(baseline("subsample-limit", "--entities", 2, "--json")[1])["values"] == pytest.approx(
        1.993667583560
    )


def test_infinite_numbers_are_null(baseline):
    code, out, err = baseline("gaussian-replace", "--degrees-of-freedom", 1, "--generations", 2000, "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)["values"][-1] is None


@pytest.mark.parametrize("name", LAWS)
def test_help_shows_formula_source_and_options(baseline, name):
    code, out, _ = baseline(name, "--help")
    law = LAWS[name]
    assert code == 0
    words = " ".join(out.split())
    assert " ".join(law.formula.split())[:60] in words
    assert law.source in words
    for parameter in law.parameters:
        assert f"--{parameter.name.replace('_', '-')}" in out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("relpace",), "there is no law relpace: did you mean replace"),
        (("zzzz",), "there is no law zzzz: `crossfeed baseline --list` shows the names"),
        ((), "no law is named"),
        (("replace", "--features", 3, "--rows", 4, "--generations", 2), "rows is 4, but must be at least 5"),
        (("accumulate-mixed", "--weight", 1.5, "--generations", 2), "weight is 1.5, but must lie in [0, 1]"),
        (("poisson-survival", "--expected-count", "nan", "--generations", 2), "expected_count is nan"),
        (("subsample-limit", "--entities", -1), "entities is -1, but must be at least 1"),
    ],
)
def test_bad_input_ends_with_a_sentence(baseline, arguments, sentence):
    code, out, err = baseline(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith(f"crossfeed: {sentence}")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [("replace", "--features", 3), ("subsample-limit", "--entities", 2.5), ("subsample-limit", "--entitys", 2)],
)
def test_options_that_are_missing_or_unknown_are_refused(baseline, arguments):
    code, out, err = baseline(*arguments)
    assert (code, out) == (2, "")
    assert "Traceback" not in err
    assert "--entities" in err or "--rows" in err
