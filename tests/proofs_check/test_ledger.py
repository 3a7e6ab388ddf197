"""The ledger: every quick claim decided again, every mutation refuted, and nothing can go missing unseen."""

import dataclasses
from graphlib import TopologicalSorter
from importlib import import_module
from pathlib import Path

import pytest
from crossfeed.proofs_check.formal_proofs import accepted, read_proofs
from crossfeed.proofs_check.ledger import (
    CHECKS,
    Check,
    Finding,
    Outcome,
    Statement,
    decide,
    read_statements,
    select,
    verify,
    with_formal_proof,
)
from crossfeed.proofs_check.ledger_page import content, markdown, summary
from crossfeed.proofs_check.noncommutative import all_hold

from crossfeed.errors import InvalidInput

import_module("crossfeed.proofs_check.claims")  # attaches the checks

STATEMENTS = read_statements()
QUICK = [id for id, check in CHECKS.items() if check.quick]
PAGE = Path(__file__).parents[2] / "docs" / "ledger.md"


@pytest.fixture(scope="module")
def outcomes() -> dict[str, Outcome]:
    return {outcome.statement.id: outcome for outcome in verify([s for s in STATEMENTS.values() if s.id in QUICK])}


@pytest.mark.parametrize("id", QUICK)
def test_verdict_is_the_recorded_one_and_every_mutation_is_refuted(id, outcomes):
    outcome = outcomes[id]
    assert outcome.verdict == outcome.statement.verdict, outcome.says
    assert outcome.survivors == ()
    assert outcome.complaint == ""


def test_record_and_checks_belong_together():
    assert set(STATEMENTS) == set(CHECKS)
    for statement in STATEMENTS.values():
        assert set(statement.rests_on) <= set(STATEMENTS), statement.id
        assert (statement.verdict == "false as printed") == bool(statement.printed), statement.id
        assert CHECKS[statement.id].decide.__doc__


def test_the_record_is_complete():
    wanted = {f"E{n}" for n in range(1, 14)} | {
        "eq4",
        "lemma1",
        "theoremU",
        "common.criterion",
        "commuting",
        "volume.exact",
    }
    assert wanted <= set(STATEMENTS)
    for start in ("theorem1.", "theorem2.", "theorem3.", "eq1.", "eq2.", "consensus.", "symmetric.", "baseline."):
        assert any(id.startswith(start) for id in STATEMENTS), start


def test_no_proof_is_circular():
    TopologicalSorter({id: statement.rests_on for id, statement in STATEMENTS.items()}).prepare()


STATEMENT = Statement("sum", "here", "1 + 1 = 2", "holds", "arithmetic")


def right(formula) -> Finding:
    """Adds."""
    return Finding(formula == 1 + 1, f"1 + 1 is 2, not {formula}")


def test_a_claim_without_a_check_is_unchecked():
    outcome = decide(STATEMENT, None)
    assert (outcome.verdict, outcome.complaint) == ("unchecked", "is unchecked")


def test_a_check_that_says_nothing_is_caught():
    outcome = decide(STATEMENT, Check(lambda formula: Finding(True, "fine"), "exact", 2, {"three": 3}))
    assert outcome.survivors == ("three",)
    assert "survives the mutation 'three'" in outcome.complaint


@pytest.mark.parametrize(
    ("formula", "printed", "recorded", "verdict"),
    [
        (2, {}, "holds", "holds"),
        (3, {}, "holds", "refuted"),
        (2, {"three": 3}, "false as printed", "false as printed"),
        (2, {"two": 2}, "false as printed", "holds"),
        (2, {"three": 3, "two": 2}, "false as printed", "holds"),
        (2, {"three": 3}, "holds", "false as printed"),
    ],
)
def test_verdicts(formula, printed, recorded, verdict):
    statement = dataclasses.replace(STATEMENT, verdict=recorded)
    outcome = decide(statement, Check(right, "exact", formula, {"four": 4}, printed))
    assert outcome.verdict == verdict
    assert bool(outcome.complaint) == (verdict != recorded)


def undecided_beyond(formula) -> Finding:
    """Decides 2 and 3 only."""
    return Finding({2: True, 3: False}.get(formula), f"{formula} was tried")


def test_an_undecided_mutation_is_not_refuted():
    check = Check(undecided_beyond, "searched", 2, {"three": 3, "four": 4})
    outcome = decide(STATEMENT, check)
    assert outcome.verdict == "holds"
    assert outcome.survivors == ("four",)
    assert outcome.complaint == "survives the mutation 'four'"
    assert "1 of 2 mutations refuted" in summary([outcome])
    (claim,) = content([outcome])["claims"]
    assert claim["mutations"] == {"three": "refuted", "four": "survived"}
    (refuted,) = [line for line in markdown([outcome]).splitlines() if line.startswith("- Refuted mutations:")]
    assert "three" in refuted
    assert "four" not in refuted


@pytest.mark.parametrize("printed", [{"four": 4}, {"three": 3, "four": 4}])
def test_a_printed_form_that_is_undecided_is_not_false_as_printed(printed):
    statement = dataclasses.replace(STATEMENT, verdict="false as printed")
    outcome = decide(statement, Check(undecided_beyond, "searched", 2, {"three": 3}, printed))
    assert outcome.verdict == "holds"
    assert "is recorded as false as printed" in outcome.complaint


@pytest.mark.parametrize("order", [[True, None], [None, True], [None, False], [False, None], [True, False]])
def test_a_check_of_several_steps_holds_only_if_each_does(order):
    found = all_hold(Finding(holds, str(holds)) for holds in order)
    first = next(holds for holds in order if holds is not True)
    assert found == Finding(first, str(first))


def test_a_check_of_several_steps_says_them_all():
    assert all_hold([Finding(True, "one"), Finding(True, "two"), Finding(True, "one")]) == Finding(True, "one; two")


def test_an_undecided_check_is_open_and_a_broken_one_hides_no_other():
    undecided = Check(
        lambda formula: Finding(None if formula == 2 else False, "who knows"), "searched", 2, {"three": 3}
    )
    assert decide(STATEMENT, undecided).verdict == "open"

    def divide_by_zero(formula) -> Finding:
        return Finding(1 / 0 > 0, "never said")

    broken = Check(divide_by_zero, "exact", 2, {"three": 3})
    found = list(verify([STATEMENT, STATEMENT], {"sum": broken}))
    assert [outcome.verdict for outcome in found] == ["failed"] * 2
    assert "ZeroDivisionError" in found[0].complaint


def test_selection():
    assert [s.id for s in select(STATEMENTS, ["theorem1.moments"])] == ["theorem1.moments"]
    assert {s.id for s in select(STATEMENTS, ["E1"])} == {"E1", "theorem1.covariance", "theorem1.moments", "eq4"}
    assert "lemma1.whiten" in {s.id for s in select(STATEMENTS, ["lemma1"])}
    assert list(select(STATEMENTS, [])) == list(STATEMENTS.values())
    with pytest.raises(InvalidInput, match="theorem9"):
        select(STATEMENTS, ["theorem9"])


def without_slow_evidence(page: str) -> list[str]:
    """The page's lines, but for what slow checks found and the count of verdicts that they enter."""
    lines, claim = [], ""
    for line in page.splitlines():
        claim = line.removeprefix("### ") if line.startswith("### ") else claim
        if not (line.startswith("- Found:") and claim not in QUICK):
            lines.append(line)
    return lines


def test_docs_page_is_not_stale(outcomes):
    recorded = [outcomes.get(s.id) or Outcome(s, CHECKS[s.id], s.verdict, "slow") for s in STATEMENTS.values()]
    for place, outcome in enumerate(recorded):
        if proof := read_proofs().get(outcome.statement.id):
            recorded[place] = with_formal_proof(outcome, accepted(proof))
    page = PAGE.read_text(encoding="utf-8")
    assert without_slow_evidence(page) == without_slow_evidence(markdown(recorded)), "run make ledger"
