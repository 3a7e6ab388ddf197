"""Files that appear whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from crossfeed.errors import InvalidInput


@contextmanager
def atomic_write(path: str | os.PathLike) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it takes `path`'s place, on failure it is removed.

    Raises:
        InvalidInput: the folder does not exist or cannot be written.
    """
    path = Path(os.path.realpath(path))  # a link stays, and what it points to is replaced
    if not path.name or (path.exists() and not path.is_file()):
        raise InvalidInput(f"cannot write {path}: it is not a file")
    part = path.with_name(f".{path.stem[:100]}.{os.getpid()}.part{path.suffix}")
    try:
        yield part
        os.replace(part, path)
    except OSError as error:
        raise InvalidInput(f"cannot write {path}: {why_unwritable(path, error)}") from error
    finally:
        with suppress(OSError):
            part.unlink()


def why_unwritable(path: Path, error: OSError) -> str:
    """Why a path could not be written, in words: a file that stands where a folder should be is named."""
    if isinstance(error, FileExistsError | NotADirectoryError):
        for place in (path, *path.parents):
            if os.path.lexists(place) and not place.is_dir():
                return f"{place} is in the way, which is not a folder"
    return error.strerror or str(error)
