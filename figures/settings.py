"""Settings of figures: a typed record per figure, whose values stand in a TOML file beside the figure's module.

A file holds every setting at the top, and in the table `[quick]` those that a quick figure has instead.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from inspect import getfile
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

from crossfeed.errors import InvalidInput
from crossfeed.reading import read_text_file
from crossfeed.toml_reader import TomlReader, parse_toml

from .style import SERIES

Record = TypeVar("Record")


@dataclass(frozen=True)
class Within:
    """Interval that a number, or every number of a list, lies in.

    Attributes:
        least: lower end.
        most: upper end.
        shortest: least length of a list.
        longest: greatest length of a list.
    """

    least: float
    most: float
    shortest: int = 1
    longest: int = 1000


Seed = Annotated[int, Within(-(2**63), 2**63 - 1)]
Entities = Annotated[int, Within(1, 200)]
Dimension = Annotated[int, Within(1, 1000)]
Replicates = Annotated[int, Within(2, 10**7)]
Draws = Annotated[int, Within(2, 10**6)]
Generations = Annotated[int, Within(1, 10_000)]
Points = Annotated[int, Within(3, 2001)]
Weight = Annotated[float, Within(0, 1)]
InnerWeight = Annotated[float, Within(1e-6, 1 - 1e-6)]
Positive = Annotated[float, Within(1e-12, 1e12)]
WeightSeries = Annotated[tuple[float, ...], Within(0, 1, longest=SERIES)]
EntitySeries = Annotated[tuple[int, ...], Within(1, 200, longest=SERIES)]


@dataclass(frozen=True)
class Changes:
    """Settings that a user gives, from a file or one by one.

    Attributes:
        content: values by name, with a table `quick` perhaps.
        text: the text they were parsed from, whose lines messages name; empty if there is none.
        source: where they come from; messages begin with it.
    """

    content: Mapping[str, Any]
    text: str
    source: str

    @property
    def reader(self) -> TomlReader:
        """Reader whose errors name the line at fault."""
        return TomlReader(dict(self.content), self.text, self.source)


def changes_from_file(path: Path) -> Changes:
    """Settings from a user's TOML file.

    Raises:
        InvalidInput: it cannot be read, or is not TOML.
    """
    text = read_text_file(path)
    return Changes(parse_toml(text, str(path)), text, str(path))


def changes_from_words(words: Iterable[str]) -> Changes:
    """Settings from words `name=value`, in which a value is TOML, or else taken as a string.

    Raises:
        InvalidInput: a word has another form, or names a setting again.
    """
    content: dict[str, Any] = {}
    for word in words:
        name, equals, value = (part.strip() for part in word.partition("="))
        if not name.isidentifier() or not equals or not value:
            raise InvalidInput(f"set is {word!r}, but must be KEY=VALUE")
        if name in content:
            raise InvalidInput(f"set names {name} twice")
        try:
            content |= parse_toml(f"{name} = {value}", "set")
        except InvalidInput:
            content[name] = value
    return Changes(content, "", "set")


def shipped_text(record: type) -> str:
    """TOML text of the settings that the package ships for a figure."""
    return Path(getfile(record)).with_suffix(".toml").read_text(encoding="utf-8")


def read_settings(record: type[Record], quick: bool = False, changes: Iterable[Changes] = ()) -> Record:
    """Settings of a figure: those of the package, then changes one after the other, which win.

    Args:
        record: dataclass of the settings, whose TOML file stands beside its module.
        quick: put the table `[quick]` of every source on top of its other settings.
        changes: what a user gives.

    Raises:
        InvalidInput: a setting is unknown, has another type or lies outside its range, or settings do not fit each other.
    """
    text = shipped_text(record)
    shipped = Changes(parse_toml(text, record.__module__), text, record.__module__)
    values: dict[str, Any] = {}
    for source in (shipped, *changes):
        values |= _checked(record, source, quick)
    return record(**values)


def setting_names(record: type) -> tuple[str, ...]:
    """Names of all settings of a figure."""
    return tuple(field.name for field in fields(record))


def changed_words(settings: Any, shipped: Any) -> str:
    """Settings that differ from the shipped ones, as words for a figure; empty if none do."""
    before = asdict(shipped)
    return ", ".join(f"{name} = {_shown(value)}" for name, value in asdict(settings).items() if value != before[name])


def check_rank(rank: int, dimension: int) -> None:
    """Refuse private features whose rank is above their dimension.

    Raises:
        InvalidInput: it is.
    """
    if rank > dimension:
        raise InvalidInput(f"rank is {rank}, but must be at most dimension, which is {dimension}")


def _checked(record: type, changes: Changes, quick: bool) -> dict[str, Any]:
    """Values of one source, converted to the types of the record."""
    reader, kinds = changes.reader, get_type_hints(record, include_extras=True)
    known = f"the settings are {', '.join(kinds)}"
    content = dict(changes.content)
    in_table = content.pop("quick", {})
    if not isinstance(in_table, dict):
        reader.fail("", "quick", f"is {in_table!r}, but must be a table")
    values: dict[str, Any] = {}
    for table, given in (("", content), ("quick", in_table)):
        for name, value in given.items():
            if name not in kinds:
                reader.fail(table, name, f"is {value!r}, but there is no such setting: {known}")
            converted = _converted(value, kinds[name])
            if converted is None:
                reader.fail(table, name, f"is {value!r}, but must be {_wording(kinds[name])}; {known}")
            if not table or quick:
                values[name] = converted
    return values


def _converted(value: Any, kind: Any) -> Any:
    """A TOML value as this kind, in which one number may stand for a list of one; None if it does not fit."""
    limits = Within(-math.inf, math.inf)
    if get_origin(kind) is Annotated:
        kind, limits = get_args(kind)
    if kind is str:
        return value if isinstance(value, str) and value else None
    if get_origin(kind) is tuple:
        inner = Annotated[get_args(kind)[0], Within(limits.least, limits.most)]
        listed = value if isinstance(value, list) else [value]
        if not limits.shortest <= len(listed) <= limits.longest:
            return None
        converted = tuple(_converted(one, inner) for one in listed)
        return None if None in converted else converted
    allowed = (int, float) if kind is float else (kind,)
    if isinstance(value, bool) or not isinstance(value, allowed) or not limits.least <= value <= limits.most:
        return None
    return kind(value)


def _wording(kind: Any) -> str:
    """A kind of setting in words."""
    limits = None
    if get_origin(kind) is Annotated:
        kind, limits = get_args(kind)
    if kind is str:
        return "a string"
    between = f" from {limits.least:.15g} to {limits.most:.15g}" if limits else ""
    if get_origin(kind) is tuple:
        inner = get_args(kind)[0]
        what = "lists of numbers" if get_origin(inner) is tuple else "whole numbers" if inner is int else "numbers"
        length = f" of {limits.shortest} to {limits.longest}" if limits and limits.longest < 1000 else " of"
        return f"a list{length} {what}{between}"
    return f"{'a whole number' if kind is int else 'a number'}{between}"


def _shown(value: Any) -> str:
    return f"[{', '.join(map(_shown, value))}]" if isinstance(value, tuple) else str(value)
