"""Laws by name, with all that a command line or a table needs, read off their signatures and docstrings."""

import inspect
import types
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, wraps
from typing import Annotated, Any, Literal, ParamSpec, TypeVar, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray

from crossfeed.errors import InvalidInput

from .domains import Interval, checked_number

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class Axis:
    """Axis of the array that a law returns.

    Attributes:
        name: what its positions stand for.
        first: number of the first position.
    """

    name: str
    first: int


PerGeneration = Annotated[NDArray[np.float64], Axis("generation", 1)]
PerGenerationFromZero = Annotated[NDArray[np.float64], Axis("generation", 0)]
PerEntity = Annotated[NDArray[np.float64], Axis("entity", 1)]
PerGenerationAndEntity = Annotated[NDArray[np.float64], Axis("generation", 1), Axis("entity", 1)]


@dataclass(frozen=True)
class Parameter:
    """Parameter of a law.

    Attributes:
        name: its name in Python.
        type: int, float, a tuple of one of them, or a `Literal` of words.
        interval: interval of its values; None for words.
        default: its default, or `inspect.Parameter.empty`.
        meaning: what it is, from the docstring.
    """

    name: str
    type: Any
    interval: Interval | None
    default: Any
    meaning: str

    @property
    def required(self) -> bool:
        """Whether there is no default."""
        return self.default is inspect.Parameter.empty

    @property
    def range(self) -> str:
        """Values that it may take, in words."""
        if self.interval is None:
            return "one of " + ", ".join(get_args(self.type))
        several = get_origin(self.type) is tuple
        kind = "whole number" if self.type is int or get_args(self.type)[:1] == (int,) else "number"
        return f"{kind}s, each {self.interval}" if several else f"{kind}, {self.interval}"

    def checked(self, value: Any) -> Any:
        """The value, as Python numbers.

        Raises:
            InvalidInput: it lies outside the range.
        """
        if self.interval is None:
            if value not in get_args(self.type):
                raise InvalidInput(f"{self.name} is {value}, but must be {self.range}")
            return value
        if get_origin(self.type) is not tuple:
            return checked_number(self.name, value, self.interval, self.type is int)
        if isinstance(value, str) or not isinstance(value, Sequence | np.ndarray):
            raise InvalidInput(f"{self.name} is {value}, but must be a sequence of numbers")
        if not len(value):
            raise InvalidInput(f"{self.name} is empty, but needs at least one value")
        whole = get_args(self.type)[0] is int
        return tuple(checked_number(f"{self.name}[{i}]", v, self.interval, whole) for i, v in enumerate(value))


@dataclass(frozen=True)
class Law:
    """Known law: a function, and what its signature and docstring say.

    Attributes:
        function: the function, which refuses arguments outside their ranges.
    """

    function: Callable[..., Any]

    @property
    def name(self) -> str:
        """Name of the function, in words joined by hyphens."""
        return self.function.__name__.replace("_", "-")

    @property
    def what(self) -> str:
        """What it returns: the first line of the docstring."""
        return self._sections[""].partition("\n")[0].removesuffix(".")

    @property
    def formula(self) -> str:
        """Formula and assumptions: the rest of the docstring's text."""
        return self._sections[""].partition("\n")[2].strip()

    @property
    def source(self) -> str:
        """Where it comes from."""
        return " ".join(self._sections["Source"].split())

    @cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        """Its parameters, in order."""
        hints = get_type_hints(self.function, include_extras=True)
        meanings = self._meanings()
        return tuple(
            Parameter(name, *_type_and_interval(hints[name]), parameter.default, meanings[name])
            for name, parameter in inspect.signature(self.function).parameters.items()
        )

    @cached_property
    def axes(self) -> tuple[Axis, ...]:
        """Axes of what it returns; none for a single number."""
        returned = get_type_hints(self.function, include_extras=True)["return"]
        return tuple(part for part in get_args(returned) if isinstance(part, Axis))

    @cached_property
    def _sections(self) -> dict[str, str]:
        """Text of the docstring by section; the text before the first has the name ""."""
        sections, name = {"": ""}, ""
        for line in (inspect.getdoc(self.function) or "").splitlines():
            if line.endswith(":") and not line.startswith(" ") and line[:-1].isalpha():
                sections[name := line[:-1]] = ""
            else:
                sections[name] += line + "\n"
        return sections

    def _meanings(self) -> dict[str, str]:
        meanings: dict[str, str] = {}
        name = ""
        for line in inspect.cleandoc(self._sections.get("Args", "")).splitlines():
            if not line.startswith(" "):
                name, _, line = line.partition(":")
            meanings[name] = f"{meanings.get(name, '')} {line.strip()}".strip()
        return meanings


LAWS: dict[str, Law] = {}
"""All laws by name."""


def law(function: Callable[P, R]) -> Callable[P, R]:
    """Function that first checks the ranges of its arguments, and that is registered in `LAWS`.

    Args:
        function: a law, whose parameters have ranges in their annotations, and whose docstring has a section `Source`.
    """
    signature = inspect.signature(function)

    @wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        bound = signature.bind(*args, **kwargs)
        for parameter in entry.parameters:
            if parameter.name in bound.arguments:
                bound.arguments[parameter.name] = parameter.checked(bound.arguments[parameter.name])
        with np.errstate(over="ignore"):  # infinity is then the float64 of the number
            return function(*bound.args, **bound.kwargs)

    entry = Law(checked)
    LAWS[entry.name] = entry
    return checked


def _type_and_interval(hint: Any) -> tuple[Any, Interval | None]:
    if get_origin(hint) is Literal:
        return hint, None
    number, interval = get_args(hint)
    origin = get_origin(number)
    return types.GenericAlias(tuple, (*get_args(number), ...)) if origin is not None else number, interval
