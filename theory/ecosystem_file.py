"""Files of ecosystems: `.npz` archives whose arrays have the names of the attributes of `Ecosystem`."""

import os
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np

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
    fields = _read_arrays(Path(path))
    for name in _GRAMS:
        if name not in fields:
            raise InvalidInput(f"{path} has no key '{name}': it holds {_listing(fields)}")
    for name, value in fields.items():
        if name not in _KNOWN:
            raise InvalidInput(f"{path} has an unknown key '{name}': an ecosystem holds {_listing(_KNOWN)}")
        if value.dtype.kind not in "fiu":
            raise InvalidInput(f"{name} in {path} holds {value.dtype}, but must hold real numbers")
        fields[name] = value.astype(float)
    for one, others in ((_FOR_ALL[0], _NOISE), (_FOR_ALL[1], _TRUTHS)):
        if one in fields and (both := [name for name in others if name in fields]):
            raise InvalidInput(f"{path} has the keys '{one}' and '{both[0]}': '{one}' is that of all data")
    try:
        _check_attributes(fields)
        return _ecosystem(fields)
    except InvalidInput as error:
        raise InvalidInput(f"{path}: {error}") from error


def _check_attributes(fields: dict[str, np.ndarray]) -> None:
    """Refuse noise variances and truths by the names they have in the file."""
    stack, size = fields["private"].shape[:1], fields["private"].shape[-1:]
    if fields["private"].ndim == 3 and fields["public"].shape != (*size, *size):
        raise InvalidInput(f"public must have shape {(*size, *size)}, but has shape {fields['public'].shape}")
    shapes = {"noise_variance": (), "private_noise": stack, "public_noise": (), "synthetic_noise": stack}
    shapes |= {"theta": size, "private_theta": stack + size, "public_theta": size}
    for name, shape in shapes.items():
        if name not in fields:
            continue
        if fields[name].shape != shape:
            raise InvalidInput(f"{name} must have shape {shape}, but has shape {fields[name].shape}")
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
