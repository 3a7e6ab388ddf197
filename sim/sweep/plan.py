"""Division of a sweep into tiles: the points of each, and how many are computed at once."""

from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np

from crossfeed.errors import InvalidInput

from ..sharding import cached_tile
from .families import given_ecosystem, largest_ecosystem
from .quantities import QUANTITIES
from .spec import Spec

_MOST_POINTS = 2**14  # per tile: small enough that progress is visible and an interruption loses little
_WORKING_COPIES = 60  # K × d × d arrays that the exact theory holds for one point


@dataclass(frozen=True)
class Tile:
    """Block of rows of the (β, α) plane of one ecosystem.

    Attributes:
        outer: index along each dimension of the store other than β and α.
        rows: slice of the values of β.
        block: index of the block within the plane.
    """

    outer: tuple[int, ...]
    rows: slice
    block: int


@dataclass(frozen=True)
class Plan:
    """Tiles of a spec, which depend on nothing else, so that a resumed sweep continues with the same ones."""

    spec: Spec

    @cached_property
    def entities(self) -> int:
        """Number of entities that arrays have room for."""
        return largest_ecosystem(self.spec)

    @cached_property
    def dimensions(self) -> tuple[int, ...]:
        """All values of d."""
        if self.spec.family == "file":
            return (self.spec.options["dimension"],)
        if self.spec.family == "dataset":
            return (given_ecosystem(self.spec).dimension,)
        return self.spec.values("dimension")

    @cached_property
    def outer(self) -> dict[str, tuple[float | int, ...]]:
        """Dimensions of the store other than β and α, of which a tile has one value each."""
        return {name: values for name, values in self.spec.swept.items() if name not in ("alpha", "beta")}

    @cached_property
    def alphas(self) -> np.ndarray:
        """Values of α, the columns of a tile."""
        return np.array(self.spec.values("alpha"), dtype=float)

    @cached_property
    def betas(self) -> np.ndarray:
        """Values of β."""
        return np.array(self.spec.values("beta"), dtype=float)

    @cached_property
    def trailing(self) -> dict[str, int]:
        """Lengths of the dimensions of a point's values."""
        size = self.entities
        return {"generation": self.spec.generations + 1, "entity": size, "task": size, "dataset": size + 1}

    def value_shape(self, name: str) -> tuple[int, ...]:
        """Shape of a quantity at one point."""
        return tuple(self.trailing[dim] for dim in QUANTITIES[name].dims)

    @cached_property
    def bytes_per_point(self) -> int:
        """Size of a point's results."""
        return 8 * sum(prod(self.value_shape(name)) for name in self.spec.quantities)

    @cached_property
    def rows_per_tile(self) -> int:
        """Number of values of β in a tile.

        Raises:
            InvalidInput: a single row, or a plane that is interpolated, needs more memory than allowed.
        """
        row = len(self.alphas) * self.bytes_per_point
        budget = self.spec.memory_mib * 2**20 // 4
        if row > budget:
            raise InvalidInput(
                f"memory_mib is {self.spec.memory_mib}, but one row of α takes {4 * row / 2**20:.0f} MiB: "
                "allow more, or ask for fewer quantities"
            )
        if self.spec.interpolate is not None:
            if row * len(self.betas) > budget:
                raise InvalidInput(
                    f"memory_mib is {self.spec.memory_mib}, but a plane of α and β that is interpolated takes "
                    f"{4 * row * len(self.betas) / 2**20:.0f} MiB: allow more, or ask for fewer quantities"
                )
            return len(self.betas)
        most = min(_MOST_POINTS, budget // self.bytes_per_point)
        return int(np.clip(most // len(self.alphas), 1, len(self.betas)))

    @cached_property
    def points_at_once(self) -> int:
        """Number of points that are computed together.

        Raises:
            InvalidInput: a single point needs more memory than allowed.
        """
        size = max(self.dimensions)
        numbers = _WORKING_COPIES * self.entities * size**2
        if any(name.startswith("monte_carlo") for name in self.spec.quantities):
            numbers += 4 * self.spec.replicates * (self.entities + 1) * size
        if 8 * numbers > self.spec.memory_mib * 2**20:
            raise InvalidInput(
                f"memory_mib is {self.spec.memory_mib}, but one point of {self.entities} entities and {size} features takes "
                f"{8 * numbers / 2**20:.0f} MiB: allow more, or ask for fewer entities, features or replicates"
            )
        fitting = self.spec.memory_mib * 2**20 // (2 * 8 * numbers)
        return max(1, min(fitting, cached_tile(self.entities, size), self.rows_per_tile * len(self.alphas)))

    @cached_property
    def blocks(self) -> int:
        """Number of blocks of rows that the (β, α) plane is cut into."""
        return -(-len(self.betas) // self.rows_per_tile)

    @cached_property
    def outer_shape(self) -> tuple[int, ...]:
        """Lengths of the dimensions in `outer`."""
        return tuple(len(values) for values in self.outer.values())

    @property
    def tiles(self) -> int:
        """Number of tiles."""
        return prod(self.outer_shape) * self.blocks

    @property
    def points(self) -> int:
        """Number of points."""
        return prod(self.outer_shape) * len(self.betas) * len(self.alphas)

    def tile(self, number: int) -> Tile:
        """Tile with this number, from 0."""
        outer, block = divmod(number, self.blocks)
        start = block * self.rows_per_tile
        rows = slice(start, min(start + self.rows_per_tile, len(self.betas)))
        return Tile(tuple(int(i) for i in np.unravel_index(outer, self.outer_shape)), rows, block)

    def points_of(self, number: int) -> int:
        """Number of points in a tile."""
        rows = self.tile(number).rows
        return (rows.stop - rows.start) * len(self.alphas)

    def parameters(self, outer: tuple[int, ...]) -> dict[str, float | int]:
        """Parameters that are fixed within a tile, from its index `outer`: one value of each but α and β."""
        fixed = {"draw": 0} | {name: value for name, value in self.spec.axes.items() if not isinstance(value, tuple)}
        chosen = {name: values[i] for (name, values), i in zip(self.outer.items(), outer, strict=True)}
        return {name: value for name, value in (fixed | chosen).items() if name not in ("alpha", "beta")}

    def chunk(self, tile: Tile) -> tuple[int, ...]:
        """Index of a tile's chunk in an array over the swept dimensions."""
        inner = {"beta": tile.block, "alpha": 0}
        return tile.outer + tuple(inner[name] for name in inner if name in self.spec.swept)
