"""Output folders."""

from pathlib import Path
from tempfile import TemporaryFile


def make_folder(path: Path) -> Path:
    """Create the folder if it is missing, and check that files can be written to it.

    Raises:
        InvalidInput: it cannot be created or written.
    """
    from crossfeed.atomic_write import why_unwritable
    from crossfeed.errors import InvalidInput

    try:
        path.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise InvalidInput(f"cannot write to the folder {path}: {why_unwritable(path, error)}") from error
    return path
