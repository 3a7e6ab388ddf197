"""Reading a user's text files, with mistakes named by file and line."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..theory.failures import InvalidInput


def read_text_file(path: Path) -> str:
    """The content of a UTF-8 file, without a byte order mark.

    Raises:
        InvalidInput: the file is missing, empty or not UTF-8.
    """
    try:
        content = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InvalidInput(f"cannot read {path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise InvalidInput(f"{path} line {line} is not UTF-8 text: byte {error.object[error.start]:#x}") from error
    if not content.strip():
        raise InvalidInput(f"{path} is empty")
    return content


def json_lines(path: Path) -> Iterator[tuple[str, Any]]:
    """Every record of a JSONL file, with where it stands; blank lines are passed over.

    Raises:
        InvalidInput: as `read_text_file`, or a line is not JSON.
    """
    for number, line in enumerate(read_text_file(path).split("\n"), 1):
        if not line.strip():
            continue
        where = f"{path} line {number}"
        try:
            yield where, json.loads(line)
        except json.JSONDecodeError as error:
            raise InvalidInput(f"{where} is not JSON: {error.msg} (column {error.colno})") from error
