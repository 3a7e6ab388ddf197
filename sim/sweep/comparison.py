"""Comparison of two sweeps: settings that differ, and every quantity of both at the points that both have finished."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from crossfeed.differences import differing

from .description import identity, read_spec_of
from .plan import Plan
from .quantities import QUANTITIES
from .spec import AXES, Spec, digits
from .store import finished_points


@dataclass(frozen=True)
class Difference:
    """A quantity in two sweeps, at the points that both have finished.

    Attributes:
        values: number of values that are finite in both.
        first: mean of these values in the first sweep; NaN if there are none.
        second: mean of these values in the second sweep.
        largest: largest absolute difference.
        unmatched: number of values that are finite in one of the sweeps only.
    """

    values: int
    first: float
    second: float
    largest: float
    unmatched: int


@dataclass(frozen=True)
class Comparison:
    """What two sweeps have in common and what not.

    Attributes:
        settings: dotted names of the settings that differ, with their two values.
        points: number of points that both have finished.
        quantities: differences of the quantities that both hold.
    """

    settings: dict[str, tuple[Any, Any]]
    points: int
    quantities: dict[str, Difference]


def compare_sweeps(first: Path, second: Path) -> Comparison:
    """Comparison of two sweeps, finished or not, at the values that their axes share.

    Args:
        first: store of a sweep.
        second: store of another one, of any spec.

    Raises:
        InvalidInput: a store is missing, damaged or not a sweep's.
    """
    stores = [_Open(first), _Open(second)]
    specs = [store.plan.spec for store in stores]
    names = [name for name in ("draw", *AXES) if any(spec.values(name) for spec in specs)]
    places = _common(specs, names)
    finished = stores[0].at(stores[0].finished, places[0], names) & stores[1].at(stores[1].finished, places[1], names)
    both = [name for name in specs[0].quantities if name in specs[1].quantities and name != "reason"]
    found = {}
    for name in both:
        one, other = (
            store.quantity(name, place, names)[finished][(slice(None), *inside)]
            for store, place, inside in zip(stores, places, _inside(stores, name), strict=True)
        )
        found[name] = _difference(one, other)
    return Comparison(differing(identity(specs[0]), identity(specs[1])), int(finished.sum()), found)


def _difference(one: np.ndarray, other: np.ndarray) -> Difference:
    finite = np.isfinite(one), np.isfinite(other)
    shared, unmatched = finite[0] & finite[1], int((finite[0] ^ finite[1]).sum())
    if not shared.any():
        return Difference(0, np.nan, np.nan, np.nan, unmatched)
    one, other = one[shared], other[shared]
    return Difference(one.size, float(one.mean()), float(other.mean()), float(np.abs(one - other).max()), unmatched)


class _Open:
    """A store with its plan, the mask of its finished points, and its arrays with all axes in one order."""

    def __init__(self, path: Path) -> None:
        self.plan = Plan(read_spec_of(path))
        self.finished = finished_points(path)[1]
        self._group = zarr.open_group(path, mode="r")

    def quantity(self, name: str, place: list[list[int]], names: list[str]) -> np.ndarray:
        array: Any = self._group[name]
        return self.at(np.asarray(array[...]), place, names)

    def at(self, values: np.ndarray, place: list[list[int]], names: list[str]) -> np.ndarray:
        """Values at these indices along the axes of these names; a parameter that is fixed has one index."""
        for axis, (name, indices) in enumerate(zip(names, place, strict=True)):
            values = values if name in self.plan.spec.swept else np.expand_dims(values, axis)
            values = np.take(values, indices, axis)
        return values


def _common(specs: list[Spec], names: list[str]) -> list[list[list[int]]]:
    """For both sweeps, the indices along every axis of the values that they share."""
    places: list[list[list[int]]] = [[], []]
    for name in names:
        texts = [[digits(value) for value in spec.values(name)] for spec in specs]
        if not all(texts):  # a parameter that one family does not have
            texts = [each or texts[0] or texts[1] for each in texts]
            texts = [each[:1] for each in texts] if all(len(each) == 1 for each in texts) else [[], []]
        shared = [text for text in texts[0] if text in set(texts[1])]
        for place, each in zip(places, texts, strict=True):
            indices = {text: index for index, text in enumerate(each)}
            place.append([indices[text] for text in shared])
    return places


def _inside(stores: list[_Open], name: str) -> list[tuple[np.ndarray, ...]]:
    """For both sweeps, where the values of a point stand that the other one has too; the public dataset comes last."""
    sizes = [store.plan.trailing for store in stores]
    least = {dim: min(size[dim] for size in sizes) for dim in sizes[0]}
    dims = QUANTITIES[name].dims

    def indices(dim: str, size: dict[str, int]) -> np.ndarray:
        return np.arange(least[dim]) if dim != "dataset" else np.append(np.arange(least[dim] - 1), size[dim] - 1)

    return [np.ix_(*(indices(dim, size) for dim in dims)) for size in sizes]
