"""Reading small files, with mistakes in one sentence."""

import json
from pathlib import Path
from typing import Any

from ...theory.failures import InvalidInput


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
