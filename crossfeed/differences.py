"""Differences between two nested settings, as text for error messages."""

from itertools import zip_longest
from typing import Any

_SHOWN = 4


def summary(lines: list[str], separator: str = "; ") -> str:
    """One line with the first few differences, and the number of those left out.

    Args:
        lines: differences, as from `differences`.
        separator: what to put between them.

    Returns:
        The first four.

    Example:
        >>> from crossfeed.differences import summary
        >>> summary(["a is 1 there and 2 here", "b is 3 there and 4 here"])
        'a is 1 there and 2 here; b is 3 there and 4 here'
        >>> summary(list("abcdef"))
        'a; b; c; d; and 2 more'
    """
    more = [f"and {len(lines) - _SHOWN} more"] if len(lines) > _SHOWN else []
    return separator.join(lines[:_SHOWN] + more)


def differences(stored: Any, wanted: Any, source: str, name: str = "") -> list[str]:
    """Differences between stored settings and wanted ones, one phrase per value that differs.

    Args:
        stored: the settings found in a file: dicts and lists, nested, of plain values.
        wanted: the settings to compare with, of the same kind.
        source: where the wanted settings come from, as it shall be called in the text.
        name: dotted path of these settings within larger ones; empty at the top.

    Returns:
        Phrases "NAME is X there and Y in SOURCE" in the order of the keys; of lists, which values only one of them has, or else
        the first place where they differ. Empty if the settings are equal. A missing key counts as None.

    Example:
        >>> from crossfeed.differences import differences
        >>> differences({"axes": {"beta": [0.5, 0.9]}}, {"axes": {"beta": [0.5]}, "seed": 1}, "the spec")
        ['axes.beta has 0.9 there only', 'seed is None there and 1 in the spec']
    """
    if isinstance(stored, dict) and isinstance(wanted, dict):
        keys = sorted(stored.keys() | wanted.keys())
        return [
            line
            for key in keys
            for line in differences(stored.get(key), wanted.get(key), source, f"{name}.{key}".lstrip("."))
        ]
    if stored == wanted:
        return []
    if isinstance(stored, list) and isinstance(wanted, list):
        if not any(isinstance(value, dict | list) for value in stored + wanted):
            sides = {"there": _without(stored, wanted), f"in {source}": _without(wanted, stored)}
            if told := [f"{summary(values, ', ')} {where} only" for where, values in sides.items() if values]:
                return [f"{name} has {' and '.join(told)}".lstrip()]
        first = next(i for i, (a, b) in enumerate(zip_longest(stored, wanted)) if a != b)
        if first < min(len(stored), len(wanted)):
            return differences(stored[first], wanted[first], source, f"{name}[{first}]")
        return [f"{name}[{first}] is {_entry(stored, first)} there and {_entry(wanted, first)} in {source}"]
    return [f"{name} is {stored} there and {wanted} in {source}"]


def _without(values: list[Any], others: list[Any]) -> list[str]:
    """Values that are not among others, as text."""
    return [str(value) for value in values if value not in others]


def _entry(values: list[Any], index: int) -> Any:
    return values[index] if index < len(values) else "nothing"


def differing(one: Any, other: Any, name: str = "") -> dict[str, tuple[Any, Any]]:
    """Settings that differ between two nested ones, by their dotted names, with both values.

    Args:
        one: dicts of plain values, nested.
        other: the settings to compare with, of the same kind.
        name: dotted path of these settings within larger ones; empty at the top.

    Example:
        >>> from crossfeed.differences import differing
        >>> differing({"axes": {"beta": [0.5, 0.9]}, "seed": 1}, {"axes": {"beta": [0.5]}, "seed": 1})
        {'axes.beta': ([0.5, 0.9], [0.5])}
    """
    if isinstance(one, dict) and isinstance(other, dict):
        inner = (
            differing(one.get(key), other.get(key), f"{name}.{key}".lstrip("."))
            for key in sorted(one.keys() | other.keys())
        )
        return {key: values for each in inner for key, values in each.items()}
    return {} if one == other else {name: (one, other)}
