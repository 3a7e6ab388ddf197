"""Files of workflows: TOML with the tables `[estimator]`, `[pool]` and `[memory]`, each with a `kind` and its settings."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from crossfeed.errors import InvalidInput
from crossfeed.reading import read_text_file
from crossfeed.toml_reader import TomlReader, parse_toml

from .estimators import GradientSteps, LeastSquares, Ridge
from .memories import Accumulate, Forget, Replace
from .pools import Network, Shared
from .workflow import Workflow


class Kind(NamedTuple):
    """A part of a workflow as a table of a file.

    Attributes:
        make: its class.
        needed: settings that must be given, with their types.
        optional: settings that may be given.
    """

    make: Callable[..., Any]
    needed: Mapping[str, type] = MappingProxyType({})
    optional: Mapping[str, type] = MappingProxyType({})


PARTS: dict[str, dict[str, Kind]] = {
    "estimator": {
        "least-squares": Kind(LeastSquares),
        "ridge": Kind(Ridge, {"penalty": float}),
        "gradient-steps": Kind(GradientSteps, {"steps": int, "rate": float}),
    },
    "pool": {
        "shared": Kind(Shared, optional={"fresh": float}),
        "network": Kind(Network, {"readers": list}, {"fresh": float}),
    },
    "memory": {
        "replace": Kind(Replace),
        "accumulate": Kind(Accumulate),
        "forget": Kind(Forget, {"rate": float}),
    },
}
"""Kinds of every part of a workflow, by the names that files use; the first is the paper's."""


def read_workflow(path: Path) -> Workflow:
    """Workflow from a TOML file.

    Args:
        path: a file with any of the tables `[estimator]`, `[pool]` and `[memory]`; the paper's part stands for a missing one.

    Raises:
        InvalidInput: the file cannot be read, or an entry is wrong; the message names file and line.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from crossfeed.theory import read_workflow
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder, "workflow.toml")
        ...     _ = file.write_text('[memory]\\nkind = "accumulate"')
        ...     print(read_workflow(file).memory)
        Accumulate()
    """
    return parse_workflow(read_text_file(path), str(path))


def parse_workflow(text: str, source: str = "workflow") -> Workflow:
    """Workflow from TOML text.

    Args:
        text: the content of a workflow file.
        source: name of the text in messages.

    Raises:
        InvalidInput: an entry is wrong.

    Example:
        >>> from crossfeed.theory import parse_workflow
        >>> workflow = parse_workflow('''
        ... [estimator]
        ... kind = "ridge"
        ... penalty = 0.1
        ... ''')
        >>> print(workflow.estimator, workflow.memory)
        Ridge(penalty=0.1) Replace()
    """
    reader = TomlReader(parse_toml(text, source), text, source)
    for table in reader.content:
        if table not in PARTS:
            reader.fail("", table, f"unknown: a workflow has the tables {', '.join(PARTS)}")
    try:
        return Workflow(**{part: make_part(reader, part) for part in PARTS})
    except InvalidInput as error:
        if str(error).startswith(source):
            raise
        raise InvalidInput(f"{source}: {error}") from error


def make_part(reader: TomlReader, part: str) -> Any:
    """A part of a workflow from its table, or the paper's if there is none.

    Raises:
        InvalidInput: an entry is wrong.
    """
    kind, settings = part_settings(reader, part)
    try:
        return PARTS[part][kind].make(**settings)
    except InvalidInput as error:
        named = next((key for key in settings if str(error).startswith(key)), None)
        if named and str(error).startswith(f"{named} "):
            reader.fail(part, named, str(error).removeprefix(f"{named} "))
        reader.fail(part, named or next(iter(settings), "kind"), f"is refused: {error}")


def part_settings(reader: TomlReader, part: str) -> tuple[str, dict[str, Any]]:
    """The kind of a part, and its settings, of which only the names have been checked and the types.

    Raises:
        InvalidInput: an entry is unknown, missing or of the wrong type.
    """
    table = reader.content.get(part, {})
    if not isinstance(table, dict):
        reader.fail("", part, "must be a table")
    kind = table.get("kind", next(iter(PARTS[part])))
    if not isinstance(kind, str) or kind not in PARTS[part]:
        reader.fail(part, "kind", f"is {kind!r}, but must be one of {', '.join(PARTS[part])}")
    if "kind" not in table and table:
        settings = {key for known in PARTS[part].values() for key in (*known.needed, *known.optional)}
        if unknown := [key for key in table if key not in settings]:
            reader.fail(part, unknown[0], f"unknown: the known keys are {', '.join(['kind', *sorted(settings)])}")
        reader.fail(part, "kind", f"is missing, but must be one of {', '.join(PARTS[part])}")
    allowed = PARTS[part][kind]
    for key, value in table.items():
        if isinstance(value, list | dict) and {**allowed.needed, **allowed.optional}.get(key) in (int, float):
            reader.fail(part, key, f"is {value!r}, but must be one number: only sweeps take lists and ranges")
    settings = reader.table(part, {"kind": str, **allowed.needed, **allowed.optional})
    settings.pop("kind", None)
    for key in allowed.needed:
        if key not in settings:
            reader.fail(part, key, f"missing: {kind} needs {', '.join(allowed.needed)}")
    return kind, settings
