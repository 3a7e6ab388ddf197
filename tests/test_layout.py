"""Imports run downwards only: cli → figures → proofs_check → sim → theory."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ["theory", "sim", "proofs_check", "figures", "cli"]


def imported_rooms(path: Path) -> set[str]:
    rooms = set()
    depth = len(path.relative_to(ROOT).parts)  # of the dots that lead out of the room
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            name = node.module or ""
            assert not name.startswith("crossfeed"), f"{path} must import relatively, not from {name}"
            if node.level == depth:
                rooms.add(name.split(".")[0])
    return rooms


@pytest.mark.parametrize("room", ROOMS)
def test_no_room_knows_the_one_above(room):
    allowed = set(ROOMS[: ROOMS.index(room)])
    files = sorted((ROOT / room).rglob("*.py"))
    assert files
    for path in files:
        assert imported_rooms(path) <= allowed, path
