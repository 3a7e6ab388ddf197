"""Reader of TOML settings whose errors name the line at fault."""

import re
import tomllib
from dataclasses import dataclass
from typing import Any, NoReturn

from crossfeed.errors import InvalidInput

_IN_WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a string", list: "a list"}


def parse_toml(text: str, source: str) -> dict[str, Any]:
    """Tables that a TOML text holds.

    Args:
        text: the TOML text.
        source: where it comes from, such as the name of its file; messages begin with it.

    Raises:
        InvalidInput: the text is not TOML, or a whole number has more than TOML's 64 bits.

    Example:
        >>> from crossfeed.toml_reader import parse_toml
        >>> parse_toml("[sweep]\\nseed = 1", "sweep.toml")
        {'sweep': {'seed': 1}}
    """
    try:
        content = tomllib.loads(text)
        large = _large_number(content)
    except RecursionError as error:
        raise InvalidInput(f"{source} is not TOML: brackets are nested too deeply") from error
    except ValueError as error:
        why = str(error) if isinstance(error, tomllib.TOMLDecodeError) else "a number has too many digits"
        raise InvalidInput(f"{source} is not TOML: {why}") from error
    if large is not None:
        *table, key = large
        TomlReader(content, text, source).fail(".".join(table), key, "holds a whole number of more than 64 bits")
    return content


def _large_number(content: Any) -> tuple[str, ...] | None:
    """Keys that lead to a whole number of more than 64 bits; None if there is no such number."""
    if isinstance(content, int):
        return () if not -(2**63) <= content < 2**63 else None
    if isinstance(content, dict):
        found = ((key, _large_number(value)) for key, value in content.items())
        return next(((key, *rest) for key, rest in found if rest is not None), None)
    if isinstance(content, list):
        return next((rest for rest in map(_large_number, content) if rest is not None), None)
    return None


@dataclass(frozen=True)
class TomlReader:
    """Parsed TOML settings together with their text, so that errors can name the line at fault.

    Attributes:
        content: the parsed tables, as from `parse_toml`.
        text: the TOML text they were parsed from.
        source: where it comes from, such as the name of its file; messages begin with it.

    Example:
        >>> from crossfeed.toml_reader import TomlReader, parse_toml
        >>> text = "[sweep]\\nseed = 1"
        >>> reader = TomlReader(parse_toml(text, "sweep.toml"), text, "sweep.toml")
        >>> reader.table("sweep", {"seed": int})
        {'seed': 1}
        >>> try:
        ...     reader.table("sweep", {"seed": str})
        ... except ValueError as error:
        ...     print(error)
        sweep.toml, line 2: sweep.seed is 1, but must be a string
    """

    content: dict[str, Any]
    text: str
    source: str

    def table(self, name: str, kinds: dict[str, type]) -> dict[str, Any]:
        """Copy of one table, after a check of its keys and types; empty if the table is missing.

        Args:
            name: name of the table.
            kinds: every key it may have, with the type of its value; a float may be written as a whole number.

        Raises:
            InvalidInput: it is not a table, or `check_kinds` refuses it.
        """
        table = self.content.get(name, {})
        if not isinstance(table, dict):
            self.fail("", name, "must be a table")
        self.check_kinds(name, table, kinds)
        return {key: float(value) if kinds[key] is float else value for key, value in table.items()}

    def check_kinds(self, name: str, table: dict[str, Any], kinds: dict[str, type], which: int = 0) -> None:
        """Refuse unknown keys, values of the wrong type and empty strings.

        Args:
            name: name of the table.
            table: its content.
            kinds: every key it may have, with the type of its value; a float may be written as a whole number.
            which: index of the table, from 0, within an array of tables.

        Raises:
            InvalidInput: a key or value is refused.
        """
        for key, value in table.items():
            if key not in kinds:
                self.fail(name, key, f"unknown: the known keys are {', '.join(kinds)}", which)
            wanted = (int, float) if kinds[key] is float else kinds[key]
            if not isinstance(value, wanted) or (isinstance(value, bool) and kinds[key] is not bool):
                self.fail(name, key, f"is {value!r}, but must be {_IN_WORDS[kinds[key]]}", which)
            if isinstance(value, str) and not value.strip():
                self.fail(name, key, "is empty", which)

    def fail(self, table: str, key: str, what: str, which: int = 0) -> NoReturn:
        """Raise `InvalidInput` with a message that names the source, the line, the key and what is wrong with it.

        Args:
            table: name of the table that holds the key; empty for a table or key at the top.
            key: the key at fault, or the name of a table. The message names its line if the text holds it.
            what: end of the sentence that begins with the key.
            which: index of the table, from 0, within an array of tables.

        Raises:
            InvalidInput: always.
        """
        where = f"{table}.{key}" if table else key
        line = self.line(table, key, which)
        raise InvalidInput(f"{self.source}{f', line {line}' if line else ''}: {where} {what}")

    def line(self, table: str, key: str, which: int = 0) -> int | None:
        """Number of the line, from 1, on which a key or a table stands; None if the text does not hold it.

        Args:
            table: name of the table that holds the key; empty for a table or key at the top.
            key: the key.
            which: index of the table, from 0, within an array of tables.
        """
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
