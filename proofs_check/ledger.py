"""Ledger of mathematical claims: statements, the checks that decide them, and the recorded verdicts.

`statements.toml` records each statement with its verdict; the modules of `claims` attach a check to each statement by
id. A check is a function of the formula under test, so that the correct formula, the formula as printed, and mutations
of it (a changed constant, a dropped transpose, a weakened assumption) all run through the same code. A check that
cannot refute the mutations proves nothing. A claim may have a formal proof besides, which `prove` of `formal_proofs`
hands to `verify`.
"""

import difflib
import time
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from pathlib import Path
from typing import Any, Literal

from crossfeed.errors import InvalidInput

Kind = Literal["formal", "symbolic", "exact", "certified", "searched"]
Verdict = Literal["holds", "false as printed", "open", "refuted", "unchecked", "failed"]

STATEMENTS = Path(__file__).with_name("statements.toml")


@dataclass(frozen=True)
class Statement:
    """A recorded claim.

    Attributes:
        id: name of the claim, as in `crossfeed verify ledger ID`.
        where: section, theorem or equation.
        statement: the claim, in the form that should hold.
        verdict: the recorded verdict: holds, false as printed, or open.
        assumptions: conditions under which the claim is made.
        printed: the published form that fails, where the verdict is "false as printed".
        rests_on: ids of the claims that its proof uses.
        implemented_by: full name of the public function of `theory` that computes what is claimed; empty if there is none.
        family: heading under which the claim is listed.
    """

    id: str
    where: str
    statement: str
    verdict: Verdict
    family: str
    assumptions: str = ""
    printed: str = ""
    rests_on: tuple[str, ...] = ()
    implemented_by: str = ""


@dataclass(frozen=True)
class Finding:
    """Result of checking one formula.

    Attributes:
        holds: whether the formula holds; None if undecided.
        says: the evidence or a counterexample, in one sentence.
    """

    holds: bool | None
    says: str


@dataclass(frozen=True)
class Check:
    """Procedure that decides a statement.

    Attributes:
        decide: function from a formula to a finding; its docstring describes the method.
        kind: kind of evidence that it gives.
        formula: the formula in its correct form.
        mutations: altered formulas that the check must refute, by description of the change.
        printed: published forms by name, all of which must be refuted for the verdict "false as printed".
        quick: whether the check is fast enough for the test suite.
    """

    decide: Callable[[Any], Finding]
    kind: Kind
    formula: Any
    mutations: Mapping[str, Any]
    printed: Mapping[str, Any] = field(default_factory=dict)
    quick: bool = True


@dataclass(frozen=True)
class FormalFinding:
    """Result of checking a formal proof.

    Attributes:
        place: the theorem and its file.
        holds: whether the proof is accepted without axioms; None if it could not be checked here.
        says: the evidence, or why it could not be checked.
        mutations: descriptions of all changes of its statement that must make the proof fail.
        survivors: descriptions of those that did not.
    """

    place: str
    holds: bool | None
    says: str
    mutations: tuple[str, ...] = ()
    survivors: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """Result of running a check with its printed forms and mutations, and of checking the formal proof.

    Attributes:
        statement: the claim.
        check: the check that was run; None if there is none.
        verdict: the verdict found.
        says: the evidence.
        survivors: descriptions of the mutations that were not refuted.
        formal: what checking the formal proof found; None if there is none.
        complaint: why the ledger is not in order; empty if it is.
        seconds: running time.
    """

    statement: Statement
    check: Check | None
    verdict: Verdict
    says: str
    survivors: tuple[str, ...] = ()
    complaint: str = ""
    seconds: float = field(default=0.0, compare=False)
    formal: FormalFinding | None = None

    @property
    def kind(self) -> Kind | None:
        """The strongest kind of evidence that was found."""
        if self.formal and self.formal.holds:
            return "formal"
        return self.check.kind if self.check else None

    @property
    def mutations(self) -> dict[str, bool]:
        """Whether each mutation, of the check and of the formal statement where that was checked, was refuted."""
        found = {name: name not in self.survivors for name in (self.check.mutations if self.check else ())}
        if self.formal and self.formal.holds:
            found |= {f"formal: {name}": name not in self.formal.survivors for name in self.formal.mutations}
        return found


CHECKS: dict[str, Check] = {}
"""All registered checks, by id of the statement."""


def check(
    id: str,
    kind: Kind,
    formula: Any,
    *,
    mutations: Mapping[str, Any],
    printed: Mapping[str, Any] | None = None,
    quick: bool = True,
) -> Callable[[Callable[[Any], Finding]], Callable[[Any], Finding]]:
    """Decorator that registers a function of a formula as the check of the statement with this id."""

    def attach(decide: Callable[[Any], Finding]) -> Callable[[Any], Finding]:
        if id in CHECKS:
            raise ValueError(f"two checks for the claim {id}")
        if not mutations:
            raise ValueError(f"the check of {id} has no mutation that must fail")
        CHECKS[id] = Check(decide, kind, formula, mutations, printed or {}, quick)
        return decide

    return attach


def read_statements(path: Path = STATEMENTS) -> dict[str, Statement]:
    """The recorded statements by id, in the order of the file."""
    content = tomllib.loads(path.read_text(encoding="utf-8"))
    statements: dict[str, Statement] = {}
    for family in content["family"]:
        for entry in family["claim"]:
            entry["rests_on"] = tuple(entry.get("rests_on", ()))
            if entry["id"] in statements:
                raise ValueError(f"{path.name} has the claim {entry['id']} twice")
            statements[entry["id"]] = Statement(family=family["title"], **entry)
    return statements


def select(statements: Mapping[str, Statement], names: Iterable[str]) -> list[Statement]:
    """The statements named, together with all statements that they rest on; all statements if no name is given.

    A name is an id or the first dot-separated parts of ids.

    Raises:
        InvalidInput: no statement has this name.
    """
    wanted: set[str] = set() if names else set(statements)
    for name in names:
        called = {id for id in statements if id == name or id.startswith(f"{name}.")}
        if not called:
            known = {part.lower(): part for id in statements for part in accumulate(id.split("."), "{}.{}".format)}
            near = difflib.get_close_matches(name.lower(), known, n=1)
            advice = f"did you mean {known[near[0]]}?" if near else "see crossfeed verify ledger --list"
            raise InvalidInput(f"there is no claim {name!r}: {advice}")
        wanted |= called
    waiting = list(wanted)
    while waiting:
        found = set(statements[waiting.pop()].rests_on) - wanted
        wanted |= found
        waiting += found
    return [statement for id, statement in statements.items() if id in wanted]


def verify(
    statements: Sequence[Statement],
    checks: Mapping[str, Check] = CHECKS,
    prove: Callable[[str], FormalFinding | None] | None = None,
) -> Iterator[Outcome]:
    """Yield the outcome of each statement in turn, as soon as it is decided.

    Args:
        statements: what to decide.
        checks: the checks by id.
        prove: what checks the formal proof of a claim, by id; without it, formal proofs are left out.
    """
    for statement in statements:
        start = time.perf_counter()
        outcome = decide(statement, checks.get(statement.id))
        if prove and outcome.check:
            outcome = with_formal_proof(outcome, prove(statement.id))
        yield replace(outcome, seconds=time.perf_counter() - start)


def with_formal_proof(outcome: Outcome, formal: FormalFinding | None) -> Outcome:
    """The outcome of a check together with what checking the formal proof of the same claim found."""
    if formal is None:
        return outcome
    complaints = [outcome.complaint] if outcome.complaint else []
    if formal.holds is False:
        complaints.append(f"has a formal proof that fails: {formal.says}")
    complaints += [f"survives the mutation 'formal: {name}'" for name in formal.survivors]
    return replace(outcome, formal=formal, complaint="; ".join(complaints))


def decide(statement: Statement, check: Check | None) -> Outcome:
    """The outcome of one check, applied to its formula, every printed form and every mutation."""
    if check is None:
        return Outcome(statement, None, "unchecked", "no code decides this claim", complaint="is unchecked")
    try:
        found = check.decide(check.formula)
        printed = {name: check.decide(form) for name, form in check.printed.items()}
        mutants = {name: check.decide(mutation) for name, mutation in check.mutations.items()}
    except Exception as error:  # one broken check must not hide what the others say
        says = f"{type(error).__name__}: {error}"
        return Outcome(statement, check, "failed", says, complaint=f"could not be decided: {says}")
    survivors = tuple(name for name, mutant in mutants.items() if mutant.holds is not False)
    verdict = _verdict(found, printed.values())
    wrong = "; ".join(f"{name}: {form.says}" for name, form in printed.items())
    says = f"As printed: {wrong}. Corrected: {found.says}" if printed else found.says
    complaints = [f"is {verdict}, but is recorded as {statement.verdict}"] if verdict != statement.verdict else []
    complaints += [f"survives the mutation {name!r}" for name in survivors]
    return Outcome(statement, check, verdict, says, survivors, "; ".join(complaints))


def _verdict(found: Finding, printed: Iterable[Finding]) -> Verdict:
    if found.holds is None:
        return "open"
    if not found.holds:
        return "refuted"
    forms = list(printed)
    return "false as printed" if forms and all(form.holds is False for form in forms) else "holds"
