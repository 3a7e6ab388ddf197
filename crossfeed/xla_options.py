"""Options of XLA that the installed version knows: it refuses, or ends the process at, one that it does not know."""

from collections.abc import Mapping
from importlib.metadata import version
from typing import TypeVar

_Value = TypeVar("_Value")

_UNKNOWN_FROM = {
    "xla_backend_optimization_level": (0, 13),
    "xla_cpu_use_fusion_emitters": (0, 11, 1),
    "xla_cpu_parallel_codegen_split_count": (0, 13),
    "xla_cpu_prefer_vector_width": (0, 13),
}
"""First jaxlib without an option, or not tried with it."""


def known_options(options: Mapping[str, _Value]) -> dict[str, _Value]:
    """Those of these options, by name, that the installed jaxlib knows.

    Example:
        >>> from crossfeed.xla_options import known_options
        >>> known_options({})
        {}
    """
    installed = tuple(int(part) for part in version("jaxlib").split(".")[:3] if part.isdecimal())
    return {name: value for name, value in options.items() if installed < _UNKNOWN_FROM[name]}
