"""Readers of users' files, whose errors are one sentence that names the file and the line."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from crossfeed.errors import InvalidInput


def read_bytes(path: Path) -> bytes:
    """Content of a file, as bytes.

    Args:
        path: the file.

    Raises:
        InvalidInput: the file cannot be read, or is a pointer of Git LFS.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from crossfeed.reading import read_bytes
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "a.bin")
        ...     _ = path.write_bytes(b"abc")
        ...     read_bytes(path)
        b'abc'
    """
    try:
        check_regular(path)
        content = path.read_bytes()
    except OSError as error:
        raise InvalidInput(f"cannot read {path}: {error.strerror or error}") from error
    check_fetched(path, content)
    return content


def check_regular(path: Path) -> None:
    """Refuse pipes and devices, which may never end, and sockets.

    Args:
        path: a file or folder, or the name of one that is missing.

    Raises:
        InvalidInput: it is something else.

    Example:
        >>> from pathlib import Path
        >>> from crossfeed.reading import check_regular
        >>> try:
        ...     check_regular(Path("/dev/null"))
        ... except ValueError as error:
        ...     print(error)
        cannot read /dev/null: it is not a regular file
    """
    if path.exists() and not path.is_file() and not path.is_dir():
        raise InvalidInput(f"cannot read {path}: it is not a regular file")


def check_fetched(path: Path, content: bytes) -> None:
    """Refuse a pointer of Git LFS, which stands in place of a large file that has not been fetched.

    Args:
        path: the file.
        content: its content, or the beginning of it.

    Raises:
        InvalidInput: it is a pointer.

    Example:
        >>> from pathlib import Path
        >>> from crossfeed.reading import check_fetched
        >>> try:
        ...     check_fetched(Path("model.safetensors"), b"version https://git-lfs.github.com/spec/v1")
        ... except ValueError as error:
        ...     print(error)
        model.safetensors is a pointer of Git LFS: fetch the file itself with git lfs pull
    """
    if content.startswith(b"version https://git-lfs.github.com/spec/"):
        raise InvalidInput(f"{path} is a pointer of Git LFS: fetch the file itself with git lfs pull")


def read_json(path: Path) -> dict[str, Any]:
    """JSON object that a file holds.

    Args:
        path: the file.

    Raises:
        InvalidInput: the file cannot be read, or holds anything but one JSON object.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from crossfeed.reading import read_json
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "a.json")
        ...     _ = path.write_text('{"layers": 2}')
        ...     read_json(path)
        {'layers': 2}
    """
    content = read_bytes(path)
    try:
        record = json.loads(content)
    except (ValueError, RecursionError) as error:  # ValueError also where a number has thousands of digits
        raise InvalidInput(f"{path} is not JSON: {_why_not_json(error)}") from error
    if not isinstance(record, dict):
        raise InvalidInput(f"{path} does not hold a JSON object")
    return record


def read_text_file(path: Path) -> str:
    """Content of a UTF-8 text file, without a byte order mark and with `\\n` at the end of every line.

    Args:
        path: the file.

    Raises:
        InvalidInput: the file cannot be read, holds nothing but white space, or is not UTF-8.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from crossfeed.reading import read_text_file
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "a.txt")
        ...     _ = path.write_bytes("one\\r\\ntwo".encode("utf-8-sig"))
        ...     read_text_file(path)
        'one\\ntwo'
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
    """Iterator over the records of a JSON Lines file, each with its place in the file; blank lines are skipped.

    Args:
        path: the file.

    Returns:
        Pairs of "PATH line NUMBER", for messages, and the parsed record.

    Raises:
        InvalidInput: as `read_text_file`; or a line is not JSON, names a field twice, or holds an unpaired surrogate, which no
            text can hold.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from crossfeed.reading import json_lines
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "a.jsonl")
        ...     _ = path.write_text('{"text": "one"}\\n\\n{"text": "two"}\\n')
        ...     [(place.removeprefix(f"{path} "), record) for place, record in json_lines(path)]
        [('line 1', {'text': 'one'}), ('line 3', {'text': 'two'})]
    """
    for number, line in enumerate(read_text_file(path).split("\n"), 1):
        if not line.strip():
            continue
        where = f"{path} line {number}"
        try:
            record = json.loads(line, object_pairs_hook=_without_repeated_names)
            json.dumps(record, ensure_ascii=False).encode()
        except InvalidInput as error:
            raise InvalidInput(f"{where} {error}") from error
        except json.JSONDecodeError as error:
            raise InvalidInput(f"{where} is not JSON: {error.msg} (column {error.colno})") from error
        except UnicodeEncodeError as error:
            surrogate = error.object[error.start]
            raise InvalidInput(f"{where} holds \\u{ord(surrogate):04x}, an unpaired surrogate") from error
        except (ValueError, RecursionError) as error:
            raise InvalidInput(f"{where} is not JSON: {_why_not_json(error)}") from error
        yield where, record


def _without_repeated_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """JSON object of these fields, of which Python would keep the last of one name."""
    fields = dict(pairs)
    if len(fields) < len(pairs):
        names = [name for name, _ in pairs]
        raise InvalidInput(f"names {next(name for name in names if names.count(name) > 1)!r} twice")
    return fields


def _why_not_json(error: ValueError | RecursionError) -> str:
    if isinstance(error, RecursionError):
        return "brackets are nested too deeply"
    if isinstance(error, json.JSONDecodeError | UnicodeDecodeError):
        return str(error)
    return "a number has too many digits"
