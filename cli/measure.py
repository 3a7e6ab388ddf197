"""`crossfeed measure`: homogenization of texts that one already has."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from .inputs import check_readable
from .output import print_json, print_notes, print_table

if TYPE_CHECKING:
    from ..decide import TextHomogenization


@dataclass(frozen=True)
class MeasureCommand:
    """How alike several sources write, how far they are from people, how diverse each is, and the trend over generations.

    One JSON Lines file per source. A record is a text or an object with one; `prompt` (or `question`) pairs the texts of different
    sources, and `generation` dates them.
    """

    sources: tyro.conf.Positional[
        Annotated[tuple[Path, ...], tyro.conf.arg(metavar="A.jsonl B.jsonl [...]", help_behavior_hint="(required)")]
    ]
    """Files with the texts of each source."""
    reference: Annotated[Path | None, tyro.conf.arg(metavar="HUMAN.jsonl", help_behavior_hint="(default: none)")] = None
    """Texts of people, to which distances are measured."""
    json: bool = False
    """Print one JSON object."""

    def check(self) -> None:
        """Refuse files that cannot be read, are no JSON Lines, or are given twice."""
        from crossfeed.errors import InvalidInput

        files = [*self.sources, *([] if self.reference is None else [self.reference])]
        if wrong := next((path for path in files if path.suffix.lower() == ".txt"), None):
            raise InvalidInput(f"{wrong} is plain text, but measure reads JSON Lines, one text per line")
        if twice := next((path for path in self.sources if self.sources.count(path) > 1), None):
            raise InvalidInput(f"{twice} is given twice")
        for path in files:
            check_readable(path)

    def run(self) -> None:
        """Compare the texts and print the measures."""
        from dataclasses import asdict

        from ..decide.texts import compare_texts, read_written

        reference = None if self.reference is None else read_written(self.reference)
        found = compare_texts([read_written(path) for path in self.sources], reference)
        names = [path.stem for path in self.sources]
        if len(set(names)) < len(names):
            names = [str(path) for path in self.sources]
        if self.json:
            print_json({"sources": names} | asdict(found))
            return
        _print(names, found)


def _print(names: list[str], found: TextHomogenization) -> None:
    pairs = [(k, j) for k in range(len(names)) for j in range(k + 1, len(names))]
    kind = "texts on the same prompt" if found.paired else "any two texts"
    print_table(
        f"similarity of {kind}, with 95 % intervals",
        ["source", "and", "similarity", "low", "high", "shuffled"],
        ((names[k], names[j], found.similarity[k, j], *found.interval[k, j], found.baseline[k, j]) for k, j in pairs),
    )
    distance = [] if found.distance is None else ["distance", "low", "high"]
    rows = []
    for k, name in enumerate(names):
        row = [name, found.texts[k], found.similarity[k, k], found.vendi[k], *found.distinct[k]]
        if found.distance is not None and found.distance_interval is not None:
            row += [found.distance[k], *found.distance_interval[k]]
        rows.append(row)
    print_table(
        f"each source: similarity of two of its texts, Vendi score of {found.compared} texts, distinct-n of {found.words} words",
        ["source", "texts", "within", "Vendi", "distinct-1", "distinct-2", "distinct-3", *distance],
        rows,
    )
    if len(found.generations) > 1:
        low, high = found.slope_interval
        print_table(
            f"mean similarity of two sources: {found.slope:+.3g} per generation (95 %: {low:+.3g} to {high:+.3g})",
            ["generation", "similarity"],
            zip(found.generations, found.by_generation, strict=True),
        )
    if not found.paired:
        print_notes(["texts are not paired: the sources share no prompts, or some occur twice"])
