"""Output folders."""

from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile


@contextmanager
def output_folder(path: Path) -> Generator[Path]:
    """Context manager that creates the folder if it is missing, and checks that files can be written to it.

    When the block raises, folders that were created and are still empty are removed.

    Raises:
        InvalidInput: it cannot be created or written.
    """
    from crossfeed.atomic_write import why_unwritable
    from crossfeed.errors import InvalidInput

    created: list[Path] = []
    try:
        try:
            created += [place for place in (path, *path.parents) if not place.exists()]
            path.mkdir(parents=True, exist_ok=True)
            with TemporaryFile(dir=path):
                pass
        except OSError as error:
            raise InvalidInput(f"cannot write to the folder {path}: {why_unwritable(path, error)}") from error
        yield path
    except BaseException:
        for place in created:
            with suppress(OSError):  # one that is not empty stays
                place.rmdir()
        raise
