"""Formal proofs: Coq files are compiled, proofs of altered statements fail, and a machine without Coq is told so."""

import re
from pathlib import Path

import pytest
from crossfeed.proofs_check.coq import (
    Alteration,
    CoqError,
    Unavailable,
    examine,
    find_theorem,
    parse_error,
)
from crossfeed.proofs_check.formal_proofs import FOLDER, accepted, prove, read_proofs
from crossfeed.proofs_check.ledger import (
    Check,
    Finding,
    FormalFinding,
    Statement,
    decide,
    read_statements,
    verify,
    with_formal_proof,
)
from crossfeed.proofs_check.ledger_page import content, markdown, summary

PROOFS = read_proofs()
PAGE = Path(__file__).parents[2] / "docs" / "formal.md"
SMALL = """\
Axiom guess : 2 + 2 = 4.
Lemma helper : 1 + 1 = 2.
Proof. reflexivity. Qed.
Theorem sum (n : nat) : n + 0 + 3 = 3 + n.
Proof.
induction n as [|n H].
  reflexivity.
simpl; rewrite H; reflexivity.
Qed.
Theorem guessed : 2 + 2 = 4.
Proof. exact guess. Qed.
"""


@pytest.fixture
def small(tmp_path):
    """A small file of theorems."""
    source = tmp_path / "small.v"
    source.write_text(SMALL)
    return source


@pytest.fixture
def no_coq(monkeypatch, tmp_path):
    """A machine without Coq."""
    monkeypatch.setenv("PATH", str(tmp_path))


def test_every_proof_belongs_to_a_claim_and_alters_its_statement():
    statements = read_statements()
    for proof in PROOFS.values():
        assert proof.claim in statements
        statement = find_theorem(FOLDER / proof.file, proof.theorem).statement
        for old, new in proof.mutations.values():
            assert statement.count(old) == 1, (proof.claim, old)
            assert old != new


def test_no_file_assumes_anything():
    for source in FOLDER.glob("*.v"):
        text = re.sub(r"\(\*.*?\*\)", "", source.read_text(), flags=re.DOTALL)
        assert not re.search(r"\b(Axiom|Parameter|Conjecture|Admitted|admit|Abort)\b", text), source.name


def test_the_page_quotes_the_files():
    files = [source.read_text() for source in FOLDER.glob("*.v")]
    quoted = [
        part for block in re.findall(r"```coq\n(.*?)\n```", PAGE.read_text(), re.DOTALL) for part in block.split("\n\n")
    ]
    for part in quoted:
        assert any(part in text for text in files), part
    for proof in PROOFS.values():
        assert find_theorem(FOLDER / proof.file, proof.theorem).statement.strip() in quoted, proof.claim


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        (
            'File "./small.v", line 8, characters 15-22:\nError:\nUnable to unify "1" with\n "2".\n\n',
            CoqError(8, 'Unable to unify "1" with "2".'),
        ),
        (
            'File "./a.v", line 3, characters 0-4:\nError:  (in proof sum): Attempt to save an incomplete proof\n\n',
            CoqError(3, "(in proof sum): Attempt to save an incomplete proof"),
        ),
        ("coqc: command line broken\n", CoqError(0, "coqc: command line broken")),
    ],
)
def test_errors_of_coqc_are_parsed(printed, expected):
    assert parse_error(printed) == expected


def test_the_text_of_a_theorem(small):
    theorem = find_theorem(small, "sum")
    assert theorem.statement == "Theorem sum (n : nat) : n + 0 + 3 = 3 + n.\n"
    assert theorem.proof.startswith("Proof.\ninduction")
    assert theorem.proof.endswith("Qed.")
    assert SMALL.startswith(theorem.before + theorem.statement + theorem.proof)
    with pytest.raises(ValueError, match="no theorem su "):
        find_theorem(small, "su")


def test_a_small_file(small):
    altered = [
        Alteration("guessed", "= 4", "= 5"),
        Alteration("sum", "3 + n", "4 + n"),
        Alteration("sum", "3 + n", "1 + 2 + n"),  # the same statement in other words
        Alteration("helper", "= 2", "= 3"),
    ]
    try:
        (closed, guessed), failed = examine(small, ["sum", "guessed"], altered)
    except Unavailable as reason:
        pytest.skip(str(reason))
    assert closed == "Closed under the global context"
    assert guessed.startswith("Axioms:")
    assert failed == [True, True, False, True]
    with pytest.raises(ValueError, match="sum is not well-formed: The reference m was not found"):
        examine(small, [], [Alteration("helper", "= 2", "= 3"), Alteration("sum", "3 + n", "3 + m")])
    with pytest.raises(ValueError, match="exactly once"):
        examine(small, [], [Alteration("sum", "3", "4")])
    with pytest.raises(ValueError, match="no theorem other"):
        examine(small, ["sum", "other"])
    with pytest.raises(ValueError, match="no theorem plus_n_O"):  # of the library
        examine(small, ["plus_n_O"])


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("Proof. reflexivity. Qed.", "Proof. exact I. Qed.", 'The term "I" has type "True"'),
        ("induction n as [|n H].", "", ""),
        ("Axiom guess", "Axiome guess", "Syntax error"),
        ("Proof. exact guess. Qed.", "Proof. exact guess.", "a proof is open at its end"),
        ("Axiom guess", "Section Open.\nAxiom guess", "open at its end: Last block to end has name Open"),
        ("Axiom guess", "Module Open.\nAxiom guess", "open at its end: Last block to end has name Open"),
        ("Proof. exact guess. Qed.", "Proof. exact guess. Qed. (* no end", "does not find the end"),
    ],
)
@pytest.mark.parametrize("altered", [(), (Alteration("sum", "3 + n", "4 + n"),)], ids=["as it is", "altered"])
def test_a_file_with_an_error_is_refused_for_its_first(small, old, new, why, altered):
    assert small.read_text().count(old) == 1
    small.write_text(small.read_text().replace(old, new))
    try:
        with pytest.raises(ValueError, match=f"small.v is not accepted: .*{re.escape(why)}"):
            examine(small, ["sum"], altered)
    except Unavailable as reason:
        pytest.skip(str(reason))


SECTION = """\
Section Unused.
Variable same : 1 = 2.
Variable unused : 5 = 5.
Lemma back : 2 = 1.
Proof. symmetry; exact same. Qed.
End Unused.
Theorem ends (same : 1 = 2) : 2 + 1 = 1 + 1.
Proof.
exact (f_equal (fun n => n + 1) (back same)).
Qed.
"""


def test_lemmas_before_a_theorem_are_those_of_the_file(tmp_path):
    """Without its proof, Coq would give `back` another type, and what uses it would fail whatever it states."""
    source = tmp_path / "section.v"
    source.write_text(SECTION)
    altered = [Alteration("ends", "2 + 1", "1 + 2"), Alteration("ends", "2 + 1", "2 + 2")]
    try:
        assert examine(source, [], altered)[1] == [False, True]
    except Unavailable as reason:
        pytest.skip(str(reason))


def test_without_coq_the_check_decides(no_coq):
    finding = prove("theoremK.fit")
    assert finding is not None
    assert (finding.holds, finding.says) == (None, "coqc is not installed")
    (outcome,) = verify([STATEMENT], {"sum": CHECK}, lambda claim: FormalFinding("here", None, finding.says))
    assert (outcome.kind, outcome.verdict, outcome.complaint) == ("exact", "holds", "")
    assert "Formal proof: here. coqc is not installed." in markdown([outcome])
    assert summary([outcome]) == "1 claims: 1 holds; 1 of 1 mutations refuted."


def test_a_claim_without_a_formal_proof(no_coq):
    assert prove("E13") is None


STATEMENT = Statement("sum", "here", "1 + 1 = 2", "holds", "arithmetic")


def right(formula) -> Finding:
    """Adds."""
    return Finding(formula == 1 + 1, "added")


CHECK = Check(right, "exact", 2, {"three": 3})


def test_a_formal_proof_is_the_strongest_evidence():
    outcome = with_formal_proof(decide(STATEMENT, CHECK), FormalFinding("here", True, "closed", ("five",)))
    assert (outcome.kind, outcome.complaint) == ("formal", "")
    assert outcome.mutations == {"three": True, "formal: five": True}
    assert summary([outcome]) == "1 claims: 1 holds; 1 with a formal proof; 2 of 2 mutations refuted."
    (claim,) = content([outcome])["claims"]
    assert (claim["kind"], claim["check"], claim["formal"]["place"]) == ("formal", "exact", "here")
    page = markdown([outcome])
    assert "**holds** (formal)" in page
    assert "Check (exact): Adds." in page


@pytest.mark.parametrize(
    ("formal", "complaint"),
    [
        (FormalFinding("here", False, "line 3: no", ("five",)), "has a formal proof that fails: line 3: no"),
        (FormalFinding("here", True, "closed", ("five",), ("five",)), "survives the mutation 'formal: five'"),
    ],
)
def test_a_formal_proof_that_fails_or_proves_nothing_is_a_complaint(formal, complaint):
    outcome = with_formal_proof(decide(STATEMENT, CHECK), formal)
    assert outcome.complaint == complaint
    assert complaint.split("'")[0] in markdown([outcome]).replace("\\", "")


@pytest.mark.long
@pytest.mark.parametrize("claim", PROOFS)
def test_coq_accepts_every_proof_and_no_altered_statement(claim):
    finding = prove(claim)
    assert finding is not None
    if finding.holds is None and "takes more than" not in finding.says:
        pytest.skip(finding.says)
    assert finding == accepted(PROOFS[claim])
