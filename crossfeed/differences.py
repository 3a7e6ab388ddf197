"""Saying how two settings differ."""

from itertools import zip_longest
from typing import Any

_SAID = 4


def summary(lines: list[str]) -> str:
    """The first few differences, and how many more there are."""
    more = f"; and {len(lines) - _SAID} more" if len(lines) > _SAID else ""
    return "; ".join(lines[:_SAID]) + more


def differences(stored: Any, wanted: Any, source: str, name: str = "") -> list[str]:
    """What differs between two settings made of dicts, lists and plain values, in words.

    Args:
        source: what to call the place of the wanted ones.
        name: of the value looked at, within the whole.
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
        first = next(i for i, (a, b) in enumerate(zip_longest(stored, wanted)) if a != b)
        show = lambda values: values[first] if first < len(values) else "nothing"  # noqa: E731
        return [f"{name}[{first}] is {show(stored)} there and {show(wanted)} in {source}"]
    return [f"{name} is {stored} there and {wanted} in {source}"]
