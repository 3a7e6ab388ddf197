"""Files of ecosystems: `.npz` archives whose arrays have the names of the attributes of `Ecosystem`."""

import os

import jax
import numpy as np

from crossfeed.atomic_write import atomic_write
from crossfeed.errors import InvalidInput
from crossfeed.formulas.ecosystem_file import read_ecosystem

from .ecosystem import Dataset, Ecosystem


def load_ecosystem(path: str | os.PathLike[str]) -> Ecosystem:
    """Ecosystem read from an `.npz` archive.

    Args:
        path: archive with the Gram matrices `private` (K, d, d), `public` (d, d) and `synthetic` (K, d, d); and optionally
            `shares` (K), equal if missing; the variances of label noise, either `noise_variance` for all data, 1 if missing,
            or `private_noise` (K), `public_noise` and `synthetic_noise` (K); and the truth, either `theta` (d) for all data, or
            `private_theta` (K, d) and `public_theta` (d).

    Raises:
        InvalidInput: the file cannot be read or is damaged, a key is missing, unknown or excludes another, `Ecosystem` refuses it,
            or JAX computes in float32.

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
    if not jax.config.read("jax_enable_x64"):  # the file holds float64 in any case
        raise InvalidInput(
            f"{path} cannot be read while JAX computes in float32: call jax.config.update('jax_enable_x64', True) before"
        )
    return read_ecosystem(path, Ecosystem, Dataset)


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
