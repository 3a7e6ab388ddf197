"""Files of ecosystems: `.npz` archives whose arrays have the names of the attributes of `Ecosystem`."""

import os
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path

import numpy as np

from crossfeed.array_archive import Header, read_arrays
from crossfeed.atomic_write import atomic_write
from crossfeed.errors import InvalidInput, naming

from .ecosystem import Dataset, Ecosystem, check_finite, check_noise_variance

_GRAMS = ("private", "public", "synthetic")
_NOISE = ("private_noise", "public_noise", "synthetic_noise")
_TRUTHS = ("private_theta", "public_theta")
_FOR_ALL = ("noise_variance", "theta")
_KNOWN = (*_GRAMS, "shares", *_FOR_ALL, *_NOISE, *_TRUTHS)


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
    fields = read_arrays(Path(path), partial(_check_headers, path))
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


def _check_headers(path: str | os.PathLike[str], headers: Mapping[str, Header]) -> None:
    """Refuse names and shapes that no ecosystem can have."""
    for name in _GRAMS:
        if name not in headers:
            raise InvalidInput(f"{path} has no key '{name}': it holds {_listing(headers)}")
    for name in headers:
        if name not in _KNOWN:
            raise InvalidInput(f"{path} has an unknown key '{name}': an ecosystem holds {_listing(_KNOWN)}")
    for one, others in ((_FOR_ALL[0], _NOISE), (_FOR_ALL[1], _TRUTHS)):
        if one in headers and (both := [name for name in others if name in headers]):
            raise InvalidInput(f"{path} has the keys '{one}' and '{both[0]}': '{one}' is that of all data")
    for several in (_NOISE, _TRUTHS):
        given = [name for name in several if name in headers]
        if given and (missing := [name for name in several if name not in headers]):
            raise InvalidInput(f"{path} has the key '{given[0]}', so it needs {_listing(missing)} too")
    shape = headers["private"].shape
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
    for name, header in headers.items():
        if header.shape != wanted[name]:
            raise InvalidInput(
                f"{path}: {name} must have shape {wanted[name]} where private has {shape}, but has shape {header.shape}"
            )


def _listing(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "nothing"
