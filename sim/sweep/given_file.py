"""Ecosystems from files, with a digest by which a sweep's store recognizes the one it was made with."""

from hashlib import sha256

import jax
import numpy as np

from crossfeed.errors import InvalidInput

from ...theory.ecosystem import Ecosystem
from ...theory.ecosystem_file import load_ecosystem


def description(path: str) -> dict[str, str | int]:
    """Digest of the ecosystem's numbers, K and d, which do not depend on where its file lies.

    Raises:
        InvalidInput: the file cannot be read.
    """
    ecosystem = load_ecosystem(path)
    return {"sha256": _digest(ecosystem), "entities": ecosystem.entities, "dimension": ecosystem.dimension}


def load_described(path: str, digest: str) -> Ecosystem:
    """Ecosystem of a file that must still have this digest.

    Raises:
        InvalidInput: the file cannot be read, or its content has changed.
    """
    ecosystem = load_ecosystem(path)
    if _digest(ecosystem) != digest:
        raise InvalidInput(f"{path} has changed since the sweep began: start the command again")
    return ecosystem


def _digest(ecosystem: Ecosystem) -> str:
    content = sha256()
    leaves, structure = jax.tree.flatten(ecosystem)
    content.update(str(structure).encode())
    for leaf in leaves:
        array = np.asarray(leaf, dtype="<f8")
        content.update(f"{array.shape}".encode() + array.tobytes())
    return content.hexdigest()
