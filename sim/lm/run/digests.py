"""Digests that tell whether what a run has saved is still what it was."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import jax
import numpy as np

_SUMS = "sha256sums.txt"
_LINE = re.compile(r"[0-9a-f]{64}  [^\n]+")


def digest_of_record(record: dict[str, Any]) -> str:
    """SHA-256 of a JSON object, whatever the order of its keys and the white space of its file."""
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()


def digests_of_leaves(tree: Any) -> dict[str, str]:
    """SHA-256 of every array of a pytree, of its type and shape too, by its path in the tree."""
    digests = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        array = np.ascontiguousarray(leaf)
        digest = hashlib.sha256(f"{array.dtype.str} {np.shape(leaf)} ".encode())
        digest.update(array.view(np.uint8).data if array.size else b"")
        digests[jax.tree_util.keystr(path)] = digest.hexdigest()
    return digests


def write_sums(folder: Path) -> None:
    """Write the SHA-256 of every file below a folder to a file in it, which `sha256sum -c` reads too."""
    lines = [f"{digest}  {name}\n" for name, digest in digests_of_files(folder).items()]
    (folder / _SUMS).write_text("".join(lines), encoding="utf-8")


def has_sums(folder: Path) -> bool:
    """Whether `write_sums` has written to a folder."""
    return (folder / _SUMS).is_file()


def damaged_file(folder: Path) -> str | None:
    """First file of a folder that is not what it was when `write_sums` saw it, by its path within the folder.

    Returns:
        None if all are, or if the folder has no sums, as those of older versions.
    """
    sums = folder / _SUMS
    if not sums.is_file():
        return _SUMS if sums.exists() or sums.is_symlink() else None
    lines = sums.read_bytes().decode(errors="replace").split("\n")
    if lines.pop() or not all(map(_LINE.fullmatch, lines)):
        return _SUMS
    known = {line[66:]: line[:64] for line in lines}
    return first_difference(known, digests_of_files(folder))


def first_difference(known: dict[str, str], found: dict[str, str]) -> str | None:
    """First name, in alphabetical order, whose digests differ; None if there is none."""
    return next((name for name in sorted(known.keys() | found.keys()) if known.get(name) != found.get(name)), None)


def digests_of_files(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below a folder, by its path within it, but for what `write_sums` writes."""
    digests = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != _SUMS:
            with path.open("rb") as file:  # read in pieces, since a checkpoint may be larger than the memory left
                digests[path.relative_to(folder).as_posix()] = hashlib.file_digest(file, "sha256").hexdigest()
    return digests
