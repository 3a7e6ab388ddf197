"""Reading TOML whose mistakes are named with their line."""

import re
import tomllib
from dataclasses import dataclass
from typing import Any, NoReturn

from crossfeed.errors import InvalidInput


def parse_toml(text: str, source: str) -> dict[str, Any]:
    """The content of a TOML text.

    Raises:
        InvalidInput: it is not TOML.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidInput(f"{source} is not TOML: {error}") from error


@dataclass(frozen=True)
class TomlReader:
    """A parsed TOML text, with what it takes to point at a line of it.

    Attributes:
        content: the parsed tables.
        text: what they were parsed from.
        source: what to call it in messages.
    """

    content: dict[str, Any]
    text: str
    source: str

    def table(self, name: str, kinds: dict[str, type]) -> dict[str, Any]:
        """A table with known keys of known types; empty if it is missing."""
        table = self.content.get(name, {})
        if not isinstance(table, dict):
            self.fail("", name, "must be a table")
        self.check_kinds(name, table, kinds)
        return dict(table)

    def check_kinds(self, name: str, table: dict[str, Any], kinds: dict[str, type], which: int = 0) -> None:
        """Refuse unknown keys, wrong types, empty texts and numbers beyond TOML's in the `which`-th table of this name."""
        for key, value in table.items():
            if key not in kinds:
                self.fail(name, key, f"unknown: there are {', '.join(kinds)}", which)
            wanted = (int, float) if kinds[key] is float else kinds[key]
            if not isinstance(value, wanted) or (isinstance(value, bool) and kinds[key] is not bool):
                self.fail(name, key, f"is {value!r}, but must be of type {kinds[key].__name__}", which)
            if isinstance(value, int) and abs(value) >= 2**63:
                self.fail(name, key, f"is {value}, but whole numbers have at most 64 bits", which)
            if isinstance(value, str) and not value.strip():
                self.fail(name, key, "is empty", which)

    def fail(self, table: str, key: str, what: str, which: int = 0) -> NoReturn:
        """Raise with the line on which the key stands, or the table, or none where it is missing."""
        where = f"{table}.{key}" if table else key
        line = self.line(table, key, which)
        raise InvalidInput(f"{self.source}{f', line {line}' if line else ''}: {where} {what}")

    def line(self, table: str, key: str, which: int = 0) -> int | None:
        """The line of a key; `which` counts tables of one name in an array of tables."""
        current, seen = "", -1
        for number, line in enumerate(self.text.splitlines(), 1):
            if header := re.match(r"\s*\[+\s*([^\]]+?)\s*\]", line):
                current = header[1].replace(" ", "").replace('"', "")
                seen += current == table
                if current in (f"{table}.{key}", key if not table else None):
                    return number
                continue
            if current == table and table and seen != which:
                continue
            named = re.match(rf"\s*(\"?{re.escape(table)}\"?\s*\.\s*)?\"?{re.escape(key)}\"?\s*[.=]", line)
            if named and (current == table or (not current and line.strip().startswith(table))):
                return number
        return None
