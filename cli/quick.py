"""Well-formed arguments of the commands that do without JAX, read without tyro, whose import takes longer than they compute.

Everything else, such as help, mistakes and other spellings, is left to tyro.
"""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any


def quick_command(arguments: Sequence[str]) -> Callable[[], None] | None:
    """What runs the command that arguments ask for; None if tyro should read them.

    Args:
        arguments: those after the program's name.
    """
    if not arguments or arguments[0] not in ("limit", "stability", "trajectory"):
        return None
    command = arguments[0]
    try:
        options = _options(arguments[1:])
        given: dict[str, Any] = {name: tuple(map(float, options.pop(f"--{name}"))) for name in ("alpha", "beta")}
        (given["eco"],) = map(Path, options.pop(""))
        if command == "trajectory":
            (given["generations"],) = map(int, options.pop("--generations"))
        if "--workflow" in options:
            (given["workflow_file"],) = map(Path, options.pop("--workflow"))
        given["json"] = "--json" in options
    except (KeyError, ValueError):
        return None
    if options.pop("--json", []) or options or not (given["alpha"] and given["beta"]):
        return None
    if command == "stability":
        from .bounds import print_stability

        return partial(print_stability, **given)
    from .exact import print_limit, print_trajectory

    return partial(print_trajectory if command == "trajectory" else print_limit, **given)


def _options(words: Sequence[str]) -> dict[str, list[str]]:
    """The words that follow each option, and under "" those before the first one.

    Raises:
        ValueError: an option is given twice, or a word may be an option or a number below zero.
    """
    options: dict[str, list[str]] = {"": []}
    current = ""
    for word in words:
        if word.startswith("--"):
            if word in options:
                raise ValueError(word)
            current = word
            options[current] = []
        elif word.startswith("-"):
            raise ValueError(word)
        else:
            options[current].append(word)
    return options
