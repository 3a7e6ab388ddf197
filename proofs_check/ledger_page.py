"""The ledger as a page to read (Markdown, HTML) and as JSON. The pages hold no times, so that they change only with the
ledger."""

import json
import re
from collections.abc import Sequence
from itertools import groupby, pairwise
from pathlib import Path

from markdown_it import MarkdownIt

from crossfeed.atomic_write import atomic_write

from .ledger import Outcome

_INTRODUCTION = """\
Every statement of the paper (arXiv 2505.21677 v3) and of `docs/theory.md`, decided by running code. Ids that begin with E
are misprints and gaps of the paper: E1-E13 were known when the checks were written, E14 the checks found; E12 is right as
printed and is made precise. Ids that begin with B are claims of this project's own notes that the checks found false as
first stated.

`crossfeed verify ledger` decides all claims again. It fails if a verdict differs from the one recorded here, if a claim has no
check, or if a check lets a mutation of the formula pass. This page is its output (`make ledger`).

What a verdict rests on differs, and each check says which cases it decides:

- *symbolic*: algebra by SymPy, mostly with words of non-commuting letters. A letter is a matrix of any size, so the \
identity holds for every d, and for every K where a letter stands for all entities together. Where the entities are \
written out one by one it is decided for K = 1 … 4, and where generations are, up to the number named; larger K and t add \
terms of the same form, but that step is read, not computed.
- *exact*: rational arithmetic, nothing rounded. An identity is tested at random rational points, and would be wrong with \
the error probability named. An inequality or an equivalence is decided for the ecosystems drawn and for no others: there \
the proof for all is in words, or in the lines that the claim rests on.
- *certified*: ball arithmetic encloses a number, which proves the statement for the ecosystems named and no others.
- *searched*: no proof, but nothing found against it.

"""
_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #111; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h2 { margin: 2.5rem 0 0.3rem; } h3 { margin: 1.6rem 0 0.2rem; font-size: 1rem; }
p, ul { margin: 0.6rem 0; } ul { padding-left: 1.2rem; } li { margin: 0.2rem 0; }
code { background: #eee; padding: 0 0.2em; } .wrong { color: #a00; }
"""


def write_ledger(folder: Path, outcomes: Sequence[Outcome]) -> list[Path]:
    """Write `ledger.md`, `ledger.json` and `ledger.html`, each whole or not at all."""
    texts = {"md": markdown(outcomes), "json": as_json(outcomes), "html": page(outcomes)}
    paths = []
    for kind, text in texts.items():
        paths.append(folder / f"ledger.{kind}")
        with atomic_write(paths[-1]) as part:
            part.write_text(text, encoding="utf-8")
    return paths


def summary(outcomes: Sequence[Outcome]) -> str:
    """One sentence on the whole."""
    counts = {}
    for outcome in outcomes:
        counts[outcome.verdict] = counts.get(outcome.verdict, 0) + 1
    mutations = sum(len(outcome.check.mutations) for outcome in outcomes if outcome.check)
    survivors = sum(len(outcome.survivors) for outcome in outcomes)
    said = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
    return f"{len(outcomes)} claims: {said}; {mutations - survivors} of {mutations} mutations refuted."


def markdown(outcomes: Sequence[Outcome]) -> str:
    """The page `docs/ledger.md`."""
    parts = [f"# Ledger of claims\n\n{_INTRODUCTION}{summary(outcomes)}\n"]
    for family, members in groupby(outcomes, key=lambda outcome: outcome.statement.family):
        parts.append(f"\n## {family}\n\n" + "\n".join(section(outcome) for outcome in members))
    return "".join(parts)


def section(outcome: Outcome) -> str:
    """What the page says of one claim; the evidence comes last."""
    statement, check = outcome.statement, outcome.check
    lines = [f"### {statement.id}", "", f"{statement.where}. {_cell(statement.statement)}", ""]
    if statement.assumptions:
        lines.append(f"- Assumes: {_cell(statement.assumptions)}")
    if statement.printed:
        lines.append(f"- As printed: {_cell(statement.printed)}")
    lines.append(f"- Verdict: **{outcome.verdict}**" + (f" ({check.kind})" if check else ""))
    if outcome.complaint:
        lines.append(f"- **Wrong**: {_cell(outcome.complaint)}")
    if statement.rests_on:
        lines.append("- Rests on: " + ", ".join(f"[{id}](#{anchor(id)})" for id in statement.rests_on))
    if check:
        lines.append(f"- Check: {_cell(check.decide.__doc__ or '')}")
        refuted = "; ".join(name for name in check.mutations if name not in outcome.survivors)
        lines.append(f"- Refuted mutations: {_cell(refuted)}")
    lines.append(f"- Run again: `crossfeed verify ledger {statement.id}`")
    lines.append(f"- Found: {_cell(outcome.says)}")
    return "\n".join(lines) + "\n"


def anchor(id: str) -> str:
    """The anchor that Markdown gives to the heading of a claim."""
    return id.lower().replace(".", "")


def as_json(outcomes: Sequence[Outcome]) -> str:
    """Everything, for programs."""
    return json.dumps(content(outcomes), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def content(outcomes: Sequence[Outcome]) -> dict:
    """What the JSON holds."""
    return {"summary": summary(outcomes), "claims": [_entry(outcome) for outcome in outcomes]}


def page(outcomes: Sequence[Outcome]) -> str:
    """The Markdown page as one self-contained HTML file."""
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


def _entry(outcome: Outcome) -> dict:
    statement, check = outcome.statement, outcome.check
    return {
        "id": statement.id,
        "family": statement.family,
        "where": statement.where,
        "statement": statement.statement,
        "assumptions": statement.assumptions,
        "printed": statement.printed,
        "rests_on": list(statement.rests_on),
        "recorded": statement.verdict,
        "verdict": outcome.verdict,
        "kind": check.kind if check else None,
        "says": outcome.says,
        "mutations": {name: "survived" if name in outcome.survivors else "refuted" for name in check.mutations}
        if check
        else {},
        "complaint": outcome.complaint,
        "command": f"crossfeed verify ledger {statement.id}",
        "seconds": round(outcome.seconds, 3),
    }


def _cell(text: str) -> str:
    """One line, in which S_* and S~ do not begin emphasis."""
    return re.sub(r"([*_~])", r"\\\1", " ".join(text.split()))
