"""Files of ecosystems: `.npz` archives whose arrays have the names of the attributes of `Ecosystem`."""

import os
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np

from crossfeed.array_archive import Header, read_arrays
from crossfeed.errors import InvalidInput, naming

from .ecosystem import Dataset, Ecosystem, check_finite, check_noise_variance

_GRAMS = ("private", "public", "synthetic")
_NOISE = ("private_noise", "public_noise", "synthetic_noise")
_TRUTHS = ("private_theta", "public_theta")
_FOR_ALL = ("noise_variance", "theta")
_KNOWN = (*_GRAMS, "shares", *_FOR_ALL, *_NOISE, *_TRUTHS)


E = TypeVar("E", bound=Ecosystem)


def read_ecosystem(
    path: str | os.PathLike[str],
    ecosystem_type: Callable[..., E] = Ecosystem,
    dataset_type: Callable[..., Dataset] = Dataset,
) -> E:
    """Ecosystem read from an `.npz` archive, as `crossfeed.theory.load_ecosystem` describes.

    Args:
        path: the archive.
        ecosystem_type: what to make of it; NumPy's if not given.
        dataset_type: what to make of each kind of data.

    Raises:
        InvalidInput: the file cannot be read or is damaged, a key is missing, unknown or excludes another, or `Ecosystem` refuses
            it.
    """
    fields = read_arrays(Path(path), partial(_check_headers, path))
    try:
        _check_attributes(fields)
        return _ecosystem(fields, ecosystem_type, dataset_type)
    except InvalidInput as error:
        raise InvalidInput(f"{path}: {error}") from error


def _check_attributes(fields: dict[str, np.ndarray]) -> None:
    """Refuse noise variances and truths by the names they have in the file."""
    for name in (*_FOR_ALL, *_NOISE, *_TRUTHS):
        if name in fields:
            (check_finite if name.endswith("theta") else check_noise_variance)(name, fields[name])


def _ecosystem(
    fields: dict[str, np.ndarray], ecosystem_type: Callable[..., E], dataset_type: Callable[..., Dataset]
) -> E:
    def dataset(name: str) -> Dataset:
        noise = fields.get(f"{name}_noise", fields.get("noise_variance", np.array(1.0)))
        truth = fields.get(f"{name}_theta", fields.get("theta"))
        with naming(name):
            return dataset_type(fields[name], noise, None if name == "synthetic" else truth)

    return ecosystem_type(
        private=dataset("private"),
        public=dataset("public"),
        synthetic=dataset("synthetic"),
        shares=fields.get("shares"),
    )


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
