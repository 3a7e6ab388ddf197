"""The ledger as Markdown, HTML and JSON.

The Markdown and HTML pages contain no running times, so they change only when the ledger does.
"""

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt

from crossfeed.atomic_write import atomic_write

from .ledger import Outcome

_INTRODUCTION = """\
This page lists every statement of the paper (arXiv 2505.21677 v3) and of `docs/theory.md`, with a verdict that running
code reached. Ids that begin with E are misprints and gaps of the paper: E1-E13 were known before the checks were
written, and the checks found E14; E12 is correct as printed and is made precise. Ids that begin with B are claims from
this project's own notes that the checks found false as first stated.

`crossfeed verify ledger` decides all claims again. It fails if a verdict differs from the one recorded here, if a claim
has no check, or if a check does not refute a mutation of its formula. This page is its output (`make ledger`).

There are five kinds of evidence, the strongest first, and each check names the cases that it decides:

- *formal*: a theorem in Coq (`proofs_check/formal`), whose proof Coq's kernel accepts without axioms, for every size. \
[formal.md](formal.md) holds the statements, and says what they leave out. The claim keeps its other check, which \
decides where Coq or MathComp is missing.
- *symbolic*: computer algebra with SymPy, mostly with noncommuting symbols. Such a symbol stands for a matrix of any \
size, so an identity holds for every d, and for every K where one symbol combines all entities. Where entities are \
written out individually, the identity is decided for K = 1 … 4, and where generations are written out, up to the \
stated number. Larger K and t add terms of the same form; that step is argued, not computed.
- *exact*: rational arithmetic without rounding. An identity is tested at random rational points, and a false one \
would pass with at most the stated error probability. An inequality or an equivalence is decided only for the \
ecosystems drawn; its general proof is given in words, or by the claims that it rests on.
- *certified*: ball arithmetic with rigorous error bounds, which proves the statement for the stated ecosystems only.
- *searched*: no proof; a search for counterexamples found none.

Where a function of `crossfeed.theory` computes what a claim states, the claim names it, and a test evaluates both at random \
rational points.

"""
_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #111; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h2 { margin: 2.5rem 0 0.3rem; } h3 { margin: 1.6rem 0 0.2rem; font-size: 1rem; }
p, ul { margin: 0.6rem 0; } ul { padding-left: 1.2rem; } li { margin: 0.2rem 0; }
code { background: #eee; padding: 0 0.2em; } .wrong { color: #a00; }
"""


def write_ledger(folder: Path, outcomes: Sequence[Outcome]) -> list[Path]:
    """Write `ledger.md`, `ledger.json` and `ledger.html` atomically and return their paths."""
    texts = {"md": markdown(outcomes), "json": as_json(outcomes), "html": page(outcomes)}
    paths = []
    for kind, text in texts.items():
        paths.append(folder / f"ledger.{kind}")
        with atomic_write(paths[-1]) as part:
            part.write_text(text, encoding="utf-8")
    return paths


def summary(outcomes: Sequence[Outcome]) -> str:
    """One sentence with the number of claims per verdict and the number of refuted mutations."""
    counts = Counter(outcome.verdict for outcome in outcomes)
    refuted = [each for outcome in outcomes for each in outcome.mutations.values()]
    formal = sum(outcome.kind == "formal" for outcome in outcomes)
    said = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
    proved = f"{formal} with a formal proof; " if formal else ""
    return f"{len(outcomes)} claims: {said}; {proved}{sum(refuted)} of {len(refuted)} mutations refuted."


def markdown(outcomes: Sequence[Outcome]) -> str:
    """The ledger in Markdown, the content of `docs/ledger.md`."""
    parts = [f"# Ledger of claims\n\n{_INTRODUCTION}{summary(outcomes)}\n"]
    for family, members in groupby(outcomes, key=lambda outcome: outcome.statement.family):
        parts.append(f"\n## {family}\n\n" + "\n".join(section(outcome) for outcome in members))
    return "".join(parts)


def section(outcome: Outcome) -> str:
    """The Markdown section of one claim; the evidence comes last."""
    statement, check = outcome.statement, outcome.check
    lines = [f"### {statement.id}", "", f"{statement.where}. {_cell(statement.statement)}", ""]
    if statement.assumptions:
        lines.append(f"- Assumes: {_cell(statement.assumptions)}")
    if statement.printed:
        lines.append(f"- As printed: {_cell(statement.printed)}")
    lines.append(f"- Verdict: **{outcome.verdict}**" + (f" ({outcome.kind})" if check else ""))
    if outcome.complaint:
        lines.append(f"- **Wrong**: {_cell(outcome.complaint)}")
    if statement.rests_on:
        lines.append("- Rests on: " + ", ".join(f"[{id}](#{anchor(id)})" for id in statement.rests_on))
    if statement.implemented_by:
        lines.append(f"- Implemented by: `{statement.implemented_by}`")
    if check:
        if outcome.formal:
            lines.append(f"- Formal proof: {_cell(outcome.formal.place)}. {_cell(outcome.formal.says)}.")
        lines.append(f"- Check{f' ({check.kind})' if outcome.formal else ''}: {_cell(check.decide.__doc__ or '')}")
        refuted = "; ".join(name for name, gone in outcome.mutations.items() if gone)
        lines.append(f"- Refuted mutations: {_cell(refuted)}")
    lines.append(f"- Run again: `crossfeed verify ledger {statement.id}`")
    lines.append(f"- Found: {_cell(outcome.says)}")
    return "\n".join(lines) + "\n"


def anchor(id: str) -> str:
    """The anchor of a claim's heading, as Markdown renderers derive it."""
    return id.lower().replace(".", "")


def as_json(outcomes: Sequence[Outcome]) -> str:
    """The ledger as JSON text."""
    return json.dumps(content(outcomes), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def content(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """The content of the JSON file."""
    return {"summary": summary(outcomes), "claims": [_entry(outcome) for outcome in outcomes]}


def page(outcomes: Sequence[Outcome]) -> str:
    """The ledger as a self-contained HTML page, rendered from the Markdown."""
    parser = MarkdownIt("commonmark", {"html": False})  # what a check reports is text, also where it looks like a tag
    tokens = parser.parse(markdown(outcomes))
    for opening, heading in pairwise(tokens):
        if opening.type == "heading_open" and opening.tag == "h3":
            opening.attrSet("id", anchor(heading.content))
    body = parser.renderer.render(tokens, parser.options, {})
    body = body.replace("<strong>Wrong</strong>", '<strong class="wrong">Wrong</strong>')
    return f"""<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>crossfeed: ledger of claims</title><style>{_STYLE}</style></head>
<body>
{body}</body>
</html>
"""


def _entry(outcome: Outcome) -> dict[str, object]:
    statement, check = outcome.statement, outcome.check
    return {
        "id": statement.id,
        "family": statement.family,
        "where": statement.where,
        "statement": statement.statement,
        "assumptions": statement.assumptions,
        "printed": statement.printed,
        "rests_on": list(statement.rests_on),
        "implemented_by": statement.implemented_by,
        "recorded": statement.verdict,
        "verdict": outcome.verdict,
        "kind": outcome.kind,
        "check": check.kind if check else None,
        "formal": asdict(outcome.formal) if outcome.formal else None,
        "says": outcome.says,
        "mutations": {name: "refuted" if gone else "survived" for name, gone in outcome.mutations.items()},
        "complaint": outcome.complaint,
        "command": f"crossfeed verify ledger {statement.id}",
        "seconds": round(outcome.seconds, 3),
    }


def _cell(text: str) -> str:
    """The text on one line, with characters that would begin emphasis (S_*, S~) escaped."""
    return re.sub(r"([*_~])", r"\\\1", " ".join(text.split()))
