"""Reading a user's files, with mistakes in one sentence that names file and line."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from crossfeed.errors import InvalidInput


def read_bytes(path: Path) -> bytes:
    """The content of a file.

    Raises:
        InvalidInput: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidInput(f"cannot read {path}: {error.strerror or error}") from error


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object.

    Raises:
        InvalidInput: the file cannot be read, or holds something else.
    """
    try:
        record = json.loads(read_bytes(path))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path} is not JSON: {error}") from error
    if not isinstance(record, dict):
        raise InvalidInput(f"{path} holds no JSON object")
    return record


def read_text_file(path: Path) -> str:
    """The content of a UTF-8 file, without a byte order mark.

    Raises:
        InvalidInput: the file is missing, empty or not UTF-8.
    """
    try:
        content = read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise InvalidInput(f"{path} line {line} is not UTF-8 text: byte {error.object[error.start]:#x}") from error
    if not content.strip():
        raise InvalidInput(f"{path} is empty")
    return content.replace("\r\n", "\n").replace("\r", "\n")


def json_lines(path: Path) -> Iterator[tuple[str, Any]]:
    """Every record of a JSONL file, with where it stands; blank lines are passed over.

    Raises:
        InvalidInput: as `read_text_file`, or a line is not JSON, or holds half a character.
    """
    for number, line in enumerate(read_text_file(path).split("\n"), 1):
        if not line.strip():
            continue
        where = f"{path} line {number}"
        try:
            record = json.loads(line)
            json.dumps(record, ensure_ascii=False).encode()
        except json.JSONDecodeError as error:
            raise InvalidInput(f"{where} is not JSON: {error.msg} (column {error.colno})") from error
        except UnicodeEncodeError as error:
            half = error.object[error.start]
            raise InvalidInput(f"{where} holds half a character: \\u{ord(half):04x} stands alone") from error
        yield where, record
