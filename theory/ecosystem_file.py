"""Files of ecosystems: `.npz` archives whose arrays have the names of the attributes of `Ecosystem`."""

import os
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from crossfeed.atomic_write import atomic_write
from crossfeed.errors import InvalidInput

from .ecosystem import Ecosystem

_REQUIRED = ("private", "public", "synthetic")
_OPTIONAL = ("shares", "noise_variance", "theta")


def load_ecosystem(path: str | os.PathLike[str]) -> Ecosystem:
    """Ecosystem read from an `.npz` archive.

    Args:
        path: archive with the arrays `private` (K, d, d), `public` (d, d) and `synthetic` (K, d, d), and optionally
            `shares` (K), equal if missing, `noise_variance`, 1 if missing, and `theta` (d).

    Raises:
        InvalidInput: the file cannot be read or is damaged, a key is missing or unknown, or `Ecosystem` refuses it.

    Example:
        >>> import tempfile
        >>> import jax.numpy as jnp
        >>> from crossfeed.theory import load_ecosystem, save_ecosystem, symmetric_ecosystem
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save_ecosystem(symmetric_ecosystem(2, jnp.eye(3)), f"{folder}/ecosystem.npz")
        ...     ecosystem = load_ecosystem(f"{folder}/ecosystem.npz")
        >>> ecosystem.entities, ecosystem.dimension
        (2, 3)
    """
    fields = _read_arrays(Path(path))
    for name in _REQUIRED:
        if name not in fields:
            raise InvalidInput(f"{path} has no key '{name}': it holds {_listing(fields)}")
    for name, value in fields.items():
        if name not in _REQUIRED + _OPTIONAL:
            raise InvalidInput(
                f"{path} has an unknown key '{name}': an ecosystem holds {_listing(_REQUIRED + _OPTIONAL)}"
            )
        if value.dtype.kind not in "fiu":
            raise InvalidInput(f"{name} in {path} holds {value.dtype}, but must hold real numbers")
        fields[name] = value.astype(float)
    private = fields["private"]
    if "shares" not in fields and private.ndim == 3 and len(private):
        fields["shares"] = np.full(len(private), 1 / len(private))
    fields.setdefault("shares", np.zeros(0))
    try:
        return Ecosystem(**fields)
    except InvalidInput as error:
        raise InvalidInput(f"{path}: {error}") from error


def save_ecosystem(ecosystem: Ecosystem, path: str | os.PathLike[str]) -> None:
    """Write an ecosystem to an `.npz` archive, completely or not at all.

    Args:
        ecosystem: the ecosystem; `load_ecosystem` gives back exactly the same numbers.
        path: the file to write or replace. Its name is used as it is, without `.npz` added.

    Raises:
        InvalidInput: the folder does not exist or cannot be written, or the disk is full.

    Example:
        >>> import tempfile
        >>> import jax.numpy as jnp
        >>> import numpy as np
        >>> from crossfeed.theory import save_ecosystem, symmetric_ecosystem
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save_ecosystem(symmetric_ecosystem(2, jnp.eye(3)), f"{folder}/ecosystem.npz")
        ...     with np.load(f"{folder}/ecosystem.npz") as archive:
        ...         sorted(archive.files)
        ['noise_variance', 'private', 'public', 'shares', 'synthetic']
    """
    arrays = {name: np.asarray(getattr(ecosystem, name)) for name in _REQUIRED + _OPTIONAL[:2]}
    if ecosystem.theta is not None:
        arrays["theta"] = np.asarray(ecosystem.theta)
    with (
        atomic_write(path) as part,
        part.open("wb") as file,
    ):  # opened here, because NumPy would add .npz to any other name
        np.savez(file, allow_pickle=False, **arrays)


def _read_arrays(path: Path) -> dict[str, np.ndarray]:
    try:
        with path.open("rb") as file:  # opened here, because NumPy leaves a damaged archive open
            archive = np.load(file, allow_pickle=False)
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise InvalidInput(f"{path} is a single array, but an ecosystem is an .npz archive with named arrays")
            return {name: np.asarray(archive[name]) for name in archive.files}
    except OSError as error:
        raise InvalidInput(f"cannot read {path}: {error.strerror or error}") from error
    except InvalidInput:
        raise
    except (ValueError, TypeError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        # NumPy's own message advises to load pickles, which would run code from the file.
        raise InvalidInput(f"{path} is damaged, or not an .npz archive of plain numbers") from error


def _listing(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "nothing"
