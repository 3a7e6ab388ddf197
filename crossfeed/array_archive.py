"""Archives of arrays (`.npz`): checked by their headers before anything large is read."""

import io
import math
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .errors import InvalidInput
from .reading import check_regular

_NUMBERS = "fiu"  # NumPy's kinds of real numbers
_ONE_ARRAY = b"\x93NUMPY"
_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


class Header(NamedTuple):
    """Header of an array in an archive.

    Attributes:
        info: its place in the archive.
        shape: of the array.
        dtype: type of its numbers.

    Example:
        >>> import zipfile
        >>> import numpy as np
        >>> from crossfeed.array_archive import Header
        >>> Header(zipfile.ZipInfo("theta.npy"), (3,), np.dtype(float)).shape
        (3,)
    """

    info: zipfile.ZipInfo
    shape: tuple[int, ...]
    dtype: np.dtype[Any]


def read_arrays(path: Path, check: Callable[[Mapping[str, Header]], None]) -> dict[str, np.ndarray]:
    """Arrays of real numbers in an `.npz` archive, as float64.

    Args:
        path: the archive.
        check: refuses names and shapes by raising `InvalidInput`; called with the headers by name, before any array is read.

    Raises:
        InvalidInput: the file cannot be read, is no archive of real numbers, or `check` refuses it.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> import numpy as np
        >>> from crossfeed.array_archive import read_arrays
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     np.savez(f"{folder}/numbers.npz", counts=np.arange(3))
        ...     read_arrays(Path(folder, "numbers.npz"), lambda headers: None)
        {'counts': array([0., 1., 2.])}
    """
    try:
        check_regular(path)
        with path.open("rb") as file:
            if file.read(len(_ONE_ARRAY)) == _ONE_ARRAY:
                raise InvalidInput(f"{path} is a single array, not an .npz archive with named arrays")
            with zipfile.ZipFile(file) as archive:
                members = _members(path, archive)
                for name, member in members.items():
                    if member.dtype.kind not in _NUMBERS:
                        raise InvalidInput(f"{name} in {path} holds {member.dtype}, but must hold real numbers")
                check(members)
                return {name: _array(archive, member) for name, member in members.items()}
    except InvalidInput:
        raise
    except MemoryError as error:
        raise InvalidInput(f"{path} holds more numbers than fit the memory") from error
    except OSError as error:
        raise InvalidInput(f"cannot read {path}: {error.strerror or error}") from error
    except Exception as error:  # zipfile, its decompressors and NumPy raise exceptions of many types
        # NumPy's own message may advise to load pickles, which would run code from the file.
        raise InvalidInput(f"{path} is damaged, or not an .npz archive of plain numbers") from error


def _members(path: Path, archive: zipfile.ZipFile) -> dict[str, Header]:
    members: dict[str, Header] = {}
    for info in archive.infolist():
        name = info.filename.removesuffix(".npy")
        if name in members:
            raise InvalidInput(f"{path} holds '{name}' twice")
        with archive.open(info) as content:
            read_header = _HEADERS[np.lib.format.read_magic(content)]
            shape, _, dtype = read_header(content)
            size = content.tell() + math.prod(shape) * dtype.itemsize
        if dtype.kind in _NUMBERS and size != info.file_size:
            raise InvalidInput(
                f"{path} is damaged: '{name}' says it has shape {shape}, but holds another number of bytes"
            )
        members[name] = Header(info, shape, dtype)
    return members


def _array(archive: zipfile.ZipFile, member: Header) -> np.ndarray:
    """Numbers of a member as float64."""
    content = io.BytesIO(archive.read(member.info))
    with np.errstate(over="ignore"):
        return np.lib.format.read_array(content, allow_pickle=False).astype(float)
