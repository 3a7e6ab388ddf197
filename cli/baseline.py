"""`crossfeed baseline`: known laws in closed form."""

from __future__ import annotations

import dataclasses
import difflib
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from .output import print_json, print_table, shown
from .parsing import parse

if TYPE_CHECKING:
    import numpy as np

    from ..theory.baselines import Axis, Law


@dataclass(frozen=True)
class BaselineCommand:
    """Known laws in closed form: of one model, of accumulation, of Gaussian and Poisson fits, and of sharing models.

    Each law has options of its own: `crossfeed baseline NAME --help` shows them with its formula and source.
    """

    law: tyro.conf.Positional[
        Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME [OPTION ...]", help_behavior_hint="")]
    ] = ()
    """Name of a law, and its options, --json among them."""
    list: bool = False
    """Only print a table of the laws with their sources."""
    json: bool = False
    """Print one JSON object."""

    def run(self) -> None:
        """Print the table of laws, or the numbers of one."""
        from crossfeed.errors import InvalidInput

        from ..theory.baselines import LAWS

        if self.list and self.law:
            raise InvalidInput(f"list shows all laws: it cannot be combined with {' '.join(self.law)}")
        if self.list:
            _print_list(LAWS.values(), self.json)
            return
        if not self.law:
            raise InvalidInput("no law is named: `crossfeed baseline --list` shows their names")
        name, *options = self.law
        if name not in LAWS:
            near = difflib.get_close_matches(name, LAWS, cutoff=0.5)
            advice = f"did you mean {', '.join(near)}?" if near else "`crossfeed baseline --list` shows the names"
            raise InvalidInput(f"there is no law {name}: {advice}")
        _run(LAWS[name], [*options, *(["--json"] if self.json else [])])


def mark_options(arguments: Sequence[str]) -> list[str]:
    """Command-line arguments in which the options of a law are marked as belonging to it, and not to `baseline`.

    Args:
        arguments: those after the program's name.
    """
    command, rest = list(arguments[:1]), list(arguments[1:])
    named = command == ["baseline"] and rest and not rest[0].startswith("-")
    return [*command, "--", *rest] if named else list(arguments)


def _run(law: Law, arguments: list[str]) -> None:
    import numpy as np

    options = vars(_parse(law, arguments))
    as_json = options.pop("json")
    values = law.function(**options)
    if as_json:
        axes = {axis.name: _positions(axis, size) for axis, size in zip(law.axes, np.shape(values), strict=True)}
        print_json({"name": law.name, "source": law.source, "parameters": options, **axes, "values": values})
        return
    _print_values(law, values)


def _parse(law: Law, arguments: list[str]) -> Any:
    """Options of a law, from a parser that its parameters define."""
    fields: list[Any] = []
    for parameter in law.parameters:
        text = f"{parameter.meaning.removesuffix('.')}: {parameter.range}."
        kind = Annotated[parameter.type, tyro.conf.arg(help=text)]
        if parameter.required:
            fields.append((parameter.name, kind))
        else:
            fields.append((parameter.name, kind, parameter.default))
    fields.append(("json", Annotated[bool, tyro.conf.arg(help="Print one JSON object.")], False))
    return parse(
        dataclasses.make_dataclass("Options", fields),
        arguments,
        f"crossfeed baseline {law.name}",
        f"{law.what}.\n\n{law.formula}\n\nSource: {law.source}.",
        (tyro.conf.FlagCreatePairsOff,),
    )


def _print_values(law: Law, values: float | np.ndarray) -> None:
    import numpy as np

    if not law.axes:
        print(f"{law.name}: {shown(values)}")
    else:
        table = np.reshape(values, (len(np.atleast_1d(values)), -1))
        columns = [f"{axis.name} {i}" for axis in law.axes[1:] for i in _positions(axis, table.shape[1])] or ["value"]
        rows = zip(_positions(law.axes[0], len(table)), table, strict=True)
        print_table(law.name, [law.axes[0].name, *columns], ((i, *row) for i, row in rows))
    print(f"{law.what}. Source: {law.source}.")


def _positions(axis: Axis, size: int) -> list[int]:
    return list(range(axis.first, axis.first + size))


def _print_list(laws: Iterable[Law], as_json: bool) -> None:
    if as_json:
        print_json({law.name: {"what": law.what, "source": law.source} for law in laws})
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("name", "what", "source")
    for law in laws:
        table.add_row(law.name, law.what, law.source)
    console = Console() if sys.stdout.isatty() else Console(width=160)
    console.print(table, markup=False)
