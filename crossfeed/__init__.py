"""What happens when generative models train recursively on each other's outputs: exact, simulated, learned.

The public names of `crossfeed.theory` and `crossfeed.sim` are also names of `crossfeed` itself, as in
`crossfeed.limit`. They are loaded when first used, so that importing `crossfeed` is instant and sets nothing.
"""

import os
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

from .errors import CrossfeedError as CrossfeedError
from .errors import DependsOnTheta as DependsOnTheta
from .errors import InvalidInput as InvalidInput
from .errors import NoLimit as NoLimit

if TYPE_CHECKING:
    from crossfeed.sim import *  # noqa: F403
    from crossfeed.theory import *  # noqa: F403

__version__ = "0.2.0"

_ROOMS = ("theory", "sim")

# In a checkout the other packages lie beside this folder, and Python started there finds this folder before an
# installed one.
_checkout = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
if os.path.exists(os.path.join(_checkout, "pyproject.toml")):
    __path__.append(_checkout)  # noqa: F405


def __getattr__(name: str) -> object:
    if name in _ROOMS:
        return import_module(f".{name}", __name__)
    if name == "__all__":  # of `from crossfeed import *`
        return sorted({name for room in _ROOMS for name in _public(room)})
    if not name.startswith("_"):
        for room in _ROOMS:
            if name in (public := _public(room)):
                return public[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_ROOMS, *(name for room in _ROOMS for name in _public(room))})


def _public(room: str) -> dict[str, object]:
    """Public names of a package and what they stand for, without its modules."""
    names = vars(import_module(f".{room}", __name__)).items()
    return {name: value for name, value in names if not name.startswith("_") and not isinstance(value, ModuleType)}
