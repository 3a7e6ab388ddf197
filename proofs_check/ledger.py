"""The ledger: every recorded statement, the check that decides it, and whether the two still agree.

`statements.toml` records what is claimed and with which verdict; the modules of `claims` attach a check to a statement
by its id. A check is a function of the formula under test, so that the formula as printed and mutations of it (a
changed constant, a dropped transpose, a weakened assumption) go through the very same code: a check that cannot refute
them proves nothing.
"""

import time
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from crossfeed.errors import InvalidInput

Kind = Literal["symbolic", "exact", "certified", "searched"]
Verdict = Literal["holds", "false as printed", "open", "refuted", "unchecked", "failed"]

STATEMENTS = Path(__file__).with_name("statements.toml")


@dataclass(frozen=True)
class Statement:
    """One claim as the record has it.

    Attributes:
        id: what `crossfeed verify ledger` calls it.
        where: section, theorem or equation.
        statement: what is claimed, in the form that should hold.
        verdict: the recorded one: holds, false as printed, or open.
        assumptions: under which it is claimed.
        printed: the form that fails, where the verdict is "false as printed".
        rests_on: ids of the claims that its proof uses.
        family: heading under which it stands.
    """

    id: str
    where: str
    statement: str
    verdict: Verdict
    family: str
    assumptions: str = ""
    printed: str = ""
    rests_on: tuple[str, ...] = ()


@dataclass(frozen=True)
class Finding:
    """What a check found: whether the formula holds (None: undecided), and the evidence or the witness in a
    sentence."""

    holds: bool | None
    says: str


@dataclass(frozen=True)
class Check:
    """How one statement is decided.

    Attributes:
        decide: the check, a function of the formula under test; its docstring says how it decides.
        kind: of evidence.
        formula: as it should stand.
        mutations: formulas that must be refuted, by what was changed.
        printed: forms in print by name; each must be refuted for the verdict "false as printed".
        quick: whether the test suite runs it.
    """

    decide: Callable[[Any], Finding]
    kind: Kind
    formula: Any
    mutations: Mapping[str, Any]
    printed: Mapping[str, Any] = field(default_factory=dict)
    quick: bool = True


@dataclass(frozen=True)
class Outcome:
    """What running a check showed.

    Attributes:
        statement: the claim.
        check: what decided it; None where there is none.
        verdict: what was found.
        says: the evidence.
        survivors: mutations that were not refuted.
        complaint: why the ledger cannot stand as it is, or nothing.
        seconds: it took.
    """

    statement: Statement
    check: Check | None
    verdict: Verdict
    says: str
    survivors: tuple[str, ...] = ()
    complaint: str = ""
    seconds: float = field(default=0.0, compare=False)


CHECKS: dict[str, Check] = {}
"""The checks by the id of their statement."""


def check(
    id: str,
    kind: Kind,
    formula: Any,
    *,
    mutations: Mapping[str, Any],
    printed: Mapping[str, Any] | None = None,
    quick: bool = True,
):
    """Attach the decorated function of a formula to the statement with this id."""

    def attach(decide: Callable[[Any], Finding]) -> Callable[[Any], Finding]:
        if id in CHECKS:
            raise ValueError(f"two checks for the claim {id}")
        if not mutations:
            raise ValueError(f"the check of {id} has no mutation that must fail")
        CHECKS[id] = Check(decide, kind, formula, mutations, printed or {}, quick)
        return decide

    return attach


def read_statements(path: Path = STATEMENTS) -> dict[str, Statement]:
    """The record, by id, in its own order."""
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
    """The claims with these ids, or whose ids begin with these words, and all they rest on; everything for no name.

    Raises:
        InvalidInput: no claim is called so.
    """
    wanted: set[str] = set() if names else set(statements)
    for name in names:
        called = {id for id in statements if id == name or id.startswith(f"{name}.")}
        if not called:
            raise InvalidInput(f"there is no claim {name!r}: see crossfeed verify ledger --list")
        wanted |= called
    waiting = list(wanted)
    while waiting:
        found = set(statements[waiting.pop()].rests_on) - wanted
        wanted |= found
        waiting += found
    return [statement for id, statement in statements.items() if id in wanted]


def verify(statements: Sequence[Statement], checks: Mapping[str, Check] = CHECKS) -> Iterator[Outcome]:
    """Decide claim after claim, yielding each outcome as it is there."""
    for statement in statements:
        start = time.perf_counter()
        outcome = decide(statement, checks.get(statement.id))
        yield Outcome(**{**vars(outcome), "seconds": time.perf_counter() - start})


def decide(statement: Statement, check: Check | None) -> Outcome:
    """Run one check on its formula, on every printed form and on every mutation."""
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
