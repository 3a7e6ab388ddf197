"""What makes `crossfeed.formulas` work under JAX: its records as pytrees, and its generic functions for JAX's arrays."""

import dataclasses
from collections.abc import Callable
from typing import Any, TypeVar

import jax
from jax.core import Tracer
from jax.tree_util import GetAttrKey, register_pytree_with_keys

_F = TypeVar("_F", bound=Callable[..., Any])


def for_jax(generic: Any) -> Callable[[_F], _F]:
    """Decorator that makes a function the version of a `singledispatch` function for JAX's arrays, traced or not."""

    def register(function: _F) -> _F:
        for kind in (jax.Array, Tracer):
            generic.register(kind, function)
        return function

    return register


def register_pytree(kind: type[Any]) -> None:
    """Make a dataclass a pytree of its fields, but for those that are static; checks are for its constructor only."""
    fields = dataclasses.fields(kind)
    static = tuple(one.name for one in fields if one.metadata.get("static"))
    names = tuple(one.name for one in fields if one.name not in static)

    def flatten(value: Any) -> tuple[list[tuple[Any, Any]], tuple[Any, ...]]:
        leaves = [(GetAttrKey(name), getattr(value, name)) for name in names]
        return leaves, tuple(getattr(value, name) for name in static)

    def unflatten(fixed: tuple[Any, ...], children: Any) -> Any:
        value = object.__new__(kind)
        for name, child in zip((*names, *static), (*children, *fixed), strict=True):
            object.__setattr__(value, name, child)
        return value

    register_pytree_with_keys(kind, flatten, unflatten)
