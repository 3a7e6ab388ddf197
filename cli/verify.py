"""`crossfeed verify ledger`: decide the claims of the ledger."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from .folder import output_folder
from .output import print_json

if TYPE_CHECKING:
    from rich.console import Console

    from ..proofs_check.ledger import Outcome, Statement

_RESULTS = Path("results")


@dataclass(frozen=True)
class VerifyLedger:
    """Decide the claims of the paper and of this project by running code: formal, symbolic, exact or certified where possible.

    Exits with 1 if a verdict differs from the recorded one, a claim has no check, or a check accepts a mutated formula.
    Formal proofs need Coq 8.16 and MathComp; without them the other checks decide.
    """

    claims: tyro.conf.Positional[
        Annotated[tuple[str, ...], tyro.conf.arg(metavar="[CLAIM ...]", help_behavior_hint="(default: all claims)")]
    ] = ()
    """Ids of claims, or prefixes of ids (E4, lemma1); the claims that these rest on are decided too."""
    list: bool = False
    """Only print a table of the claims with their recorded verdicts."""
    quick: bool = False
    """Skip the slowest claims, and all formal proofs."""
    json: bool = False
    """Print one JSON object."""
    out: Annotated[
        Path | None, tyro.conf.arg(metavar="PATH", help_behavior_hint="(default: results if all claims are decided)")
    ] = None
    """Folder for ledger.md, ledger.json and ledger.html."""

    def check(self) -> None:
        """Refuse options that would have no effect, and claims that there are not."""
        from crossfeed.errors import InvalidInput

        from ..proofs_check.ledger import read_statements, select

        if self.quick and self.claims:
            raise InvalidInput("--quick skips slow claims: give either --quick or names of claims, not both")
        if self.list and (self.json or self.out):
            raise InvalidInput("list only prints a table: it cannot be combined with json or out")
        select(read_statements(), self.claims)

    def run(self) -> None:
        """Decide the claims, with progress on stderr, print and write the verdicts, and exit with 1 if one is not as recorded."""
        from ..proofs_check import claims as _  # noqa: F401  attaches the checks
        from ..proofs_check.ledger import CHECKS, read_statements, select
        from ..proofs_check.ledger_page import content, summary, write_ledger

        statements = select(read_statements(), self.claims)
        if self.quick:
            statements = [s for s in statements if s.id not in CHECKS or CHECKS[s.id].quick]
        if self.list:
            _print_list(statements)
            return
        whole = not self.claims and not self.quick
        out = self.out or (_RESULTS if whole else None)
        with output_folder(out) if out else nullcontext() as folder:
            outcomes = _decide(statements, formal=not self.quick)
            if self.json:
                print_json(content(outcomes))
            else:
                _print_outcomes(outcomes, summary(outcomes), self.claims)
            for path in write_ledger(folder, outcomes) if folder else []:
                print(path, file=sys.stderr)
        wrong = [outcome for outcome in outcomes if outcome.complaint]
        for outcome in wrong:
            print(f"crossfeed: {outcome.statement.id} {outcome.complaint}", file=sys.stderr)
        if wrong:
            sys.stdout.flush()
            sys.exit(1)


def _decide(statements: Sequence[Statement], formal: bool) -> Sequence[Outcome]:
    from ..proofs_check.formal_proofs import prove
    from ..proofs_check.ledger import verify
    from .progress import progress_bar

    outcomes = []
    with progress_bar() as progress:
        task = progress.add_task(statements[0].id if statements else "", total=len(statements))
        for outcome in verify(statements, prove=prove if formal else None):
            outcomes.append(outcome)
            coming = statements[len(outcomes)].id if len(outcomes) < len(statements) else "pages"
            progress.update(task, completed=len(outcomes), description=coming)
    return outcomes


def _print_list(statements: Sequence[Statement]) -> None:
    from rich.table import Table

    table = Table("claim", "where", "recorded verdict", "statement")
    for statement in statements:
        table.add_row(statement.id, statement.where, statement.verdict, " ".join(statement.statement.split()))
    _console().print(table, markup=False)


def _print_outcomes(outcomes: Sequence[Outcome], summary: str, asked: Sequence[str]) -> None:
    """Print a table of the verdicts; of the claims asked for by their ids, what they say and the evidence too."""
    from rich.table import Table

    table = Table("claim", "where", "evidence", "verdict", "mutations refuted", "seconds")
    for outcome in outcomes:
        refuted = outcome.mutations.values()
        table.add_row(
            outcome.statement.id,
            outcome.statement.where,
            outcome.kind or "none",
            outcome.verdict,
            f"{sum(refuted)} of {len(refuted)}",
            f"{outcome.seconds:.2f}",
        )
    console = _console()
    console.print(table)
    for outcome in outcomes:
        if outcome.statement.id in asked:
            statement = " ".join(outcome.statement.statement.split())
            said = f"{outcome.statement.id}: {statement}\n{outcome.verdict}: {outcome.says}"
            console.print(said, markup=False, highlight=False, soft_wrap=True)
    for outcome in outcomes:
        if outcome.formal and (outcome.formal.holds is None or outcome.statement.id in asked):
            said = f"{outcome.statement.id}, {outcome.formal.place}: {outcome.formal.says}"
            console.print(said, markup=False, highlight=False, soft_wrap=True)
    console.print(summary, markup=False, highlight=False, soft_wrap=True)


def _console() -> Console:
    from rich.console import Console

    return Console() if sys.stdout.isatty() else Console(width=160)
