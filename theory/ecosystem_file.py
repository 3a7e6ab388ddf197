"""Files of ecosystems: `.npz` archives whose arrays have the names of the attributes of `Ecosystem`."""

import io
import math
import os
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from crossfeed.atomic_write import atomic_write
from crossfeed.errors import InvalidInput, naming
from crossfeed.reading import check_regular

from .ecosystem import Dataset, Ecosystem, check_finite, check_noise_variance

_GRAMS = ("private", "public", "synthetic")
_NOISE = ("private_noise", "public_noise", "synthetic_noise")
_TRUTHS = ("private_theta", "public_theta")
_FOR_ALL = ("noise_variance", "theta")
_KNOWN = (*_GRAMS, "shares", *_FOR_ALL, *_NOISE, *_TRUTHS)
_NUMBERS = "fiu"  # NumPy's kinds of real numbers
_ONE_ARRAY = b"\x93NUMPY"
_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def load_ecosystem(path: str | os.PathLike[str]) -> Ecosystem:
    """Ecosystem read from an `.npz` archive.

    Args:
        path: archive with the Gram matrices `private` (K, d, d), `public` (d, d) and `synthetic` (K, d, d); and optionally
            `shares` (K), equal if missing; the variances of label noise, either `noise_variance` for all data, 1 if missing,
            or `private_noise` (K), `public_noise` and `synthetic_noise` (K); and the truth, either `theta` (d) for all data, or
            `private_theta` (K, d) and `public_theta` (d).

    Raises:
        InvalidInput: the file cannot be read or is damaged, a key is missing, unknown or excludes another, or `Ecosystem` refuses
            it.

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
    try:
        _check_attributes(fields)
        return _ecosystem(fields)
    except InvalidInput as error:
        raise InvalidInput(f"{path}: {error}") from error


def _check_attributes(fields: dict[str, np.ndarray]) -> None:
    """Refuse noise variances and truths by the names they have in the file."""
    for name in (*_FOR_ALL, *_NOISE, *_TRUTHS):
        if name in fields:
            (check_finite if name.endswith("theta") else check_noise_variance)(name, fields[name])


def _ecosystem(fields: dict[str, np.ndarray]) -> Ecosystem:
    def dataset(name: str) -> Dataset:
        noise = fields.get(f"{name}_noise", fields.get("noise_variance", np.array(1.0)))
        truth = fields.get(f"{name}_theta", fields.get("theta"))
        with naming(name):
            return Dataset(fields[name], noise, None if name == "synthetic" else truth)

    return Ecosystem(
        private=dataset("private"),
        public=dataset("public"),
        synthetic=dataset("synthetic"),
        shares=fields.get("shares"),
    )


def save_ecosystem(ecosystem: Ecosystem, path: str | os.PathLike[str]) -> None:
    """Write an ecosystem to an `.npz` archive, completely or not at all. Entities that are not present are left out.

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
    present = np.asarray(ecosystem.present)
    datasets = {"private": ecosystem.private, "public": ecosystem.public, "synthetic": ecosystem.synthetic}
    chosen = {name: present if name != "public" else ... for name in datasets}
    arrays = {name: np.asarray(data.gram)[chosen[name]] for name, data in datasets.items()}
    arrays["shares"] = np.asarray(ecosystem.shares)[present]
    noise = {f"{name}_noise": np.asarray(data.noise_variance)[chosen[name]] for name, data in datasets.items()}
    arrays |= _one_for_all("noise_variance", noise)
    if ecosystem.private.truth is not None and ecosystem.public.truth is not None:
        truths = {
            "private_theta": np.asarray(ecosystem.private.truth)[present],
            "public_theta": np.asarray(ecosystem.public.truth),
        }
        arrays |= _one_for_all("theta", truths)
    with (
        atomic_write(path) as part,
        part.open("wb") as file,
    ):  # opened here, because NumPy would add .npz to any other name
        np.savez(file, allow_pickle=False, **arrays)


def _one_for_all(name: str, values: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """One array where all data have the same, as in the paper; else one per kind of data."""
    one = values[next(key for key in values if key.startswith("public"))]
    same = all((value == one).all() for value in values.values())
    return {name: one} if same else values


class _Member(NamedTuple):
    """An array of an archive, by its header.

    Attributes:
        info: its place in the archive.
        shape: of the array.
        dtype: type of its numbers.
    """

    info: zipfile.ZipInfo
    shape: tuple[int, ...]
    dtype: np.dtype[Any]


def _read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Arrays of an archive, after a check of their names, types and shapes, so that nothing large is read in vain."""
    try:
        check_regular(path)
        with path.open("rb") as file:
            if file.read(len(_ONE_ARRAY)) == _ONE_ARRAY:
                raise InvalidInput(f"{path} is a single array, but an ecosystem is an .npz archive with named arrays")
            with zipfile.ZipFile(file) as archive:
                members = _members(path, archive)
                _check_members(path, members)
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


def _members(path: Path, archive: zipfile.ZipFile) -> dict[str, _Member]:
    members: dict[str, _Member] = {}
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
        members[name] = _Member(info, shape, dtype)
    return members


def _check_members(path: Path, members: Mapping[str, _Member]) -> None:
    """Refuse names, types and shapes that no ecosystem can have."""
    for name in _GRAMS:
        if name not in members:
            raise InvalidInput(f"{path} has no key '{name}': it holds {_listing(members)}")
    for name, member in members.items():
        if name not in _KNOWN:
            raise InvalidInput(f"{path} has an unknown key '{name}': an ecosystem holds {_listing(_KNOWN)}")
        if member.dtype.kind not in _NUMBERS:
            raise InvalidInput(f"{name} in {path} holds {member.dtype}, but must hold real numbers")
    for one, others in ((_FOR_ALL[0], _NOISE), (_FOR_ALL[1], _TRUTHS)):
        if one in members and (both := [name for name in others if name in members]):
            raise InvalidInput(f"{path} has the keys '{one}' and '{both[0]}': '{one}' is that of all data")
    shape = members["private"].shape
    if len(shape) != 3 or shape[1] != shape[2] or 0 in shape:
        raise InvalidInput(f"{path}: private must have shape (K, d, d) with K ≥ 1 and d ≥ 1, but has shape {shape}")
    stack, size = shape[:1], shape[1:2]
    wanted = {
        "private": shape,
        "public": shape[1:],
        "synthetic": shape,
        "shares": stack,
        "theta": size,
        "noise_variance": (),
    }
    wanted |= {"private_noise": stack, "public_noise": (), "synthetic_noise": stack}
    wanted |= {"private_theta": stack + size, "public_theta": size}
    for name, member in members.items():
        if member.shape != wanted[name]:
            raise InvalidInput(
                f"{path}: {name} must have shape {wanted[name]} where private has {shape}, but has shape {member.shape}"
            )


def _array(archive: zipfile.ZipFile, member: _Member) -> np.ndarray:
    """Numbers of a member as float64."""
    content = io.BytesIO(archive.read(member.info))
    with np.errstate(over="ignore"):
        return np.lib.format.read_array(content, allow_pickle=False).astype(float)


def _listing(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "nothing"
