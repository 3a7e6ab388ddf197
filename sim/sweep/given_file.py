"""The ecosystem of a file, and what a sweep keeps of it so that another one cannot slip into its store."""

from hashlib import sha256

import jax
import numpy as np

from crossfeed.errors import InvalidInput

from ...theory.ecosystem import Ecosystem
from ...theory.ecosystem_file import load_ecosystem


def description(path: str) -> dict[str, str | int]:
    """What tells an ecosystem from others wherever its file lies: a digest of its numbers, K and d.

    Raises:
        InvalidInput: the file cannot be read.
    """
    ecosystem = load_ecosystem(path)
    return {"sha256": _digest(ecosystem), "entities": ecosystem.entities, "dimension": ecosystem.dimension}


def load_described(path: str, digest: str) -> Ecosystem:
    """The ecosystem of a file.

    Raises:
        InvalidInput: the file cannot be read, or has changed since it was described.
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
