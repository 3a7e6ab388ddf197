"""Output folders."""

from pathlib import Path


def make_folder(path: Path) -> Path:
    """Create the folder if it is missing.

    Raises:
        InvalidInput: it cannot be created.
    """
    from ..theory import InvalidInput

    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidInput(f"cannot make the folder {path}: {error.strerror}") from error
    return path
