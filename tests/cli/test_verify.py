"""`crossfeed verify ledger` as a user meets it."""

import json
import sys
from importlib import import_module

import pytest
from crossfeed.cli.main import main
from crossfeed.proofs_check.ledger import CHECKS, Finding, check

import_module("crossfeed.proofs_check.claims")  # attaches the checks


@pytest.fixture
def verify(monkeypatch, capsys, tmp_path):
    """Run the command in an empty folder, without formal proofs; (exit code, stdout, stderr)."""
    monkeypatch.setattr("crossfeed.proofs_check.formal_proofs.prove", lambda claim: None)
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["crossfeed", "verify", "ledger", *map(str, arguments)])
        try:
            main()
            code = 0
        except SystemExit as exit_:
            code = exit_.code
        return (code, *capsys.readouterr())

    return run


def test_table_of_one_misprint(verify, tmp_path):
    code, out, _ = verify("E4")
    assert code == 0
    assert "false as printed" in out
    assert "\nE4: " in out  # the claim itself
    assert "\nfalse as printed: " in out  # and the evidence
    assert "eq2.limit" in out  # what the claim rests on is decided too
    assert list(tmp_path.iterdir()) == []  # a part of the ledger is written only where --out says


def test_json_and_files_agree(verify, tmp_path):
    code, out, _ = verify("E1", "--json", "--out", "ledger")
    assert code == 0
    found = json.loads(out)
    claim = {entry["id"]: entry for entry in found["claims"]}["E1"]
    assert claim["verdict"] == claim["recorded"] == "false as printed"
    assert set(claim["mutations"].values()) == {"refuted"}
    assert json.loads((tmp_path / "ledger/ledger.json").read_text())["summary"] == found["summary"]
    for kind in ("md", "html"):
        assert "last factor is transposed" in (tmp_path / f"ledger/ledger.{kind}").read_text()
    assert len(list((tmp_path / "ledger").iterdir())) == 3


def test_list_decides_nothing(verify, monkeypatch):
    monkeypatch.setattr("crossfeed.proofs_check.ledger.decide", lambda *_: pytest.fail("decided"))
    code, out, _ = verify("--list")
    assert code == 0
    assert "E13" in out
    assert "theoremU.tight" in out


def test_unknown_claim(verify):
    for name, advice in (
        ("theorem9", "did you mean theorem"),
        ("e4", "did you mean E4?"),
        ("xyz", "see crossfeed verify ledger --list"),
    ):
        code, out, err = verify(name)
        assert (code, out) == (2, "")
        assert err.startswith(f"crossfeed: there is no claim '{name}': {advice}")


def test_a_deleted_check_fails(verify, monkeypatch):
    monkeypatch.delitem(CHECKS, "E1")
    code, out, err = verify("E1")
    assert code == 1
    assert "unchecked" in out
    assert err.splitlines()[-1] == "crossfeed: E1 is unchecked"


def test_a_check_that_proves_nothing_fails(verify, monkeypatch):
    monkeypatch.delitem(CHECKS, "eq2.vec")

    @check("eq2.vec", "symbolic", 1, mutations={"anything": 2})
    def nothing(formula) -> Finding:
        """Says yes."""
        return Finding(True, "yes")

    code, _, err = verify("eq2.vec", "--json")
    assert code == 1
    assert "eq2.vec survives the mutation 'anything'" in err


def test_the_command_runs_by_its_earlier_spelling(verify, monkeypatch, capsys):
    _, expected, _ = verify("--list")
    monkeypatch.setattr(sys, "argv", ["crossfeed", "verify", "--list"])
    main()
    assert capsys.readouterr() == (expected, "note: `crossfeed verify …` is now `crossfeed verify ledger …`\n")
