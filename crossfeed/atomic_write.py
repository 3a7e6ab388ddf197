"""Files that are written completely or not at all."""

import os
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from crossfeed.errors import InvalidInput


@contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Generator[Path]:
    """Context manager that writes a file completely or not at all, so that no reader ever sees half of it.

    Its value is a temporary path in the same folder, with the same suffix. When the block succeeds, the file written
    there replaces `path`; when the block raises, it is removed, and what stood at `path` before stays as it was.

    Args:
        path: the file to write. A symbolic link is kept, and the file it points to is replaced.

    Raises:
        InvalidInput: `path` is not a file, its folder does not exist or cannot be written, or the disk is full.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from crossfeed.atomic_write import atomic_write
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "numbers.txt")
        ...     with atomic_write(path) as part:
        ...         _ = part.write_text("1 2 3")
        ...     path.read_text()
        '1 2 3'
    """
    path = Path(os.path.realpath(path))  # a link is kept, and the file it points to is replaced
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
    """Reason why a path could not be written, to end a sentence with.

    Args:
        path: the file that was to be written.
        error: what the operating system raised.

    Returns:
        The system's own reason, except where a file stands in place of one of the folders: then that file is named.

    Example:
        >>> import errno
        >>> from pathlib import Path
        >>> from crossfeed.atomic_write import why_unwritable
        >>> why_unwritable(Path("law.npz"), OSError(errno.ENOSPC, "No space left on device"))
        'No space left on device'
    """
    if isinstance(error, FileExistsError | NotADirectoryError):
        for place in (path, *path.parents):
            if os.path.lexists(place) and not place.is_dir():
                return f"{place} is in the way, which is not a folder"
    return error.strerror or str(error)
