"""Command-line arguments: parsed by tyro, whose boxes of several lines become one sentence that points to the right help."""

import contextlib
import difflib
import io
import os
import re
import shutil
import sys
from collections.abc import Sequence
from typing import Any, get_args

import tyro

from crossfeed.errors import InvalidInput

_NARROWEST = 40
"""Columns that help is laid out for at least: tyro needs some to wrap a line."""
_RULE = "──"
_NUMBER = r"[+-]?[\d.]+(?:[eE][+-]?\d+)?"
_NUMBERS_WITH_COMMAS = re.compile(rf"'[\[(]?{_NUMBER}(?: ?[,;] ?{_NUMBER})+[\])]?'")


def parse(options: Any, arguments: Sequence[str], prog: str, description: str, config: tuple[Any, ...] = ()) -> Any:
    """Value of the type `options`, from command-line arguments.

    Args:
        options: a dataclass, or a union of dataclasses that are subcommands.
        arguments: those after the program's name.
        prog: the program's name, with the words that led to these options.
        description: text for --help.
        config: settings of tyro.

    Raises:
        InvalidInput: the arguments do not fit; the message says which, and which --help lists the right ones.
        SystemExit: help was asked for and has been printed.
    """
    path = _command(options, arguments, prog)
    if shutil.get_terminal_size().columns < _NARROWEST:
        os.environ["COLUMNS"] = str(_NARROWEST)
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            return tyro.cli(options, prog=prog, description=description, args=arguments, config=config)
    except SystemExit as ended:
        if ended.code in (0, None):
            sys.stderr.write(said.getvalue())
            raise
        raise InvalidInput(_sentence(said.getvalue(), path)) from None


def _command(options: Any, arguments: Sequence[str], prog: str) -> str:
    """Words of the command that the arguments name, after `prog`.

    Raises:
        InvalidInput: there is no such command.
    """
    for word in arguments:
        names = _subcommands(options)
        if not names or word.startswith("-"):
            break
        if word not in names:
            near = difflib.get_close_matches(word, names, n=1, cutoff=0.5)
            advice = f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}"
            raise InvalidInput(f"there is no command {f'{prog} {word}'.removeprefix('crossfeed ')}: {advice}")
        prog, options = f"{prog} {word}", names[word]
    return prog


def _subcommands(options: Any) -> dict[str, Any]:
    """Options of every subcommand by its name; empty if there are none."""
    inner = get_args(options)[0] if hasattr(options, "__metadata__") else options
    named = {}
    for one in get_args(inner):
        for mark in getattr(one, "__metadata__", ()):
            if name := getattr(mark, "name", None):
                named[name] = one
    return named


def _sentence(box: str, command: str) -> str:
    """What a box of tyro's says, as one sentence."""
    drawn = box.splitlines()
    if "╭" in box:
        lines = [line[2:-1].rstrip() for line in drawn if line.startswith("│")]
    else:  # tyro draws in ASCII where stdout knows no more: a title, a rule, and lines between blanks
        lines = [line[2:].rstrip() for line in drawn[2:]]
    lines = [re.sub("^[─-]{9,}$", _RULE, line) for line in lines]
    first = lines[: lines.index(_RULE)] if _RULE in lines else lines
    everything = " ".join(line.strip() for line in lines)
    pointer, name = f"; see {command} --help", command.removeprefix("crossfeed ")
    if first and first[0].startswith("Missing from"):
        needed = [line.strip() for line in first[1:] if re.match(r"    \S", line)]
        unknown = re.search(rf"Unrecognized options: (.*?) {_RULE}", everything)
        also = f", and does not know {unknown[1]}" if unknown else ""
        return f"{name} needs {', '.join(needed)}{also}{pointer}"
    said = " ".join(line.strip() for line in first)
    if unknown := re.match(r"Unrecognized (?:or misplaced )?options: (.*?)(?: \(applied to.*)?$", said):
        here = rf"(--\S+)(?:(?! in crossfeed ).)* in {re.escape(command)} --help"
        meant = re.search(rf"Perhaps you meant: (?:.*? )??{here}", everything)
        advice = f", did you mean {meant[1]}?" if meant else ""
        if re.fullmatch(_NUMBER, unknown[1].split()[0]):
            advice = ": the values of an option follow its name"
        return f"{name} does not know {unknown[1].strip()}{advice}{pointer}"
    if one_of := re.match(r"Expected one of \{(.*)\}", said):
        return f"{name} needs one of the commands {one_of[1]}{pointer}"
    if wrong := re.match(r"Error parsing (\S+?): (?:Could not find valid parse for arguments: )?(.*)", said):
        plain = re.sub(r"^\[(.*)\]$", r"\1", wrong[2])  # several values, as Python prints a list
        plain = re.sub(r"invalid literal for int\(\) with base 10: ('.*')", r"\1 is not a whole number", plain)
        plain = re.sub(r"Exceeds the limit .* for integer string conversion.*", "a number has too many digits", plain)
        if "whole number" not in plain and _NUMBERS_WITH_COMMAS.search(plain):
            plain += ", but several values are written with spaces between them, and decimals with a point"
        return f"{wrong[1]} cannot be read: {plain}{pointer}"
    if lacking := re.match(r"Missing value for argument '(.*?)'", said):
        return f"{lacking[1]} needs a value{pointer}"
    return f"{said.rstrip('.')}{pointer}"
