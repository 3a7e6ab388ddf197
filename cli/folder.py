"""Output folders."""

from pathlib import Path
from tempfile import TemporaryFile


def make_folder(path: Path) -> Path:
    """Create the folder if it is missing, and see that files can be made in it.

    Raises:
        InvalidInput: it cannot be created or written.
    """
    from ..theory import InvalidInput
    from ..theory.whole_file import why_not

    try:
        path.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise InvalidInput(f"cannot write to the folder {path}: {why_not(path, error)}") from error
    return path
