"""How a sweep is cut into tiles: which points each holds, and how many are worked on at once."""

from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np

from crossfeed.errors import InvalidInput

from .families import given_ecosystem, largest_ecosystem
from .quantities import QUANTITIES
from .spec import Spec

_MOST_POINTS = 2**14  # in a tile, so that progress shows and little is lost
_MOST_AT_ONCE = 32  # beyond this the cache is full and nothing is gained
_WORKING_COPIES = 60  # matrices of the size K × d × d that the exact theory holds for one point


@dataclass(frozen=True)
class Tile:
    """A block of rows of the (β, α) plane, for one ecosystem.

    Attributes:
        outer: index along each dimension of the store other than β and α.
        rows: the values of β, as a slice.
        block: number of the block of rows.
    """

    outer: tuple[int, ...]
    rows: slice
    block: int


@dataclass(frozen=True)
class Plan:
    """The tiles of a spec; they depend on nothing else, so that a resumed sweep continues the same ones."""

    spec: Spec

    @cached_property
    def entities(self) -> int:
        """Entities that arrays have room for."""
        return largest_ecosystem(self.spec)

    @cached_property
    def dimensions(self) -> tuple[int, ...]:
        """Every value of d."""
        if self.spec.family == "file":
            return (self.spec.options["dimension"],)
        if self.spec.family == "dataset":
            return (given_ecosystem(self.spec).dimension,)
        return self.spec.values("dimension")

    @cached_property
    def outer(self) -> dict[str, tuple]:
        """Dimensions that a tile has one value of."""
        return {name: values for name, values in self.spec.swept.items() if name not in ("alpha", "beta")}

    @cached_property
    def alphas(self) -> np.ndarray:
        """Values of α, a tile's columns."""
        return np.array(self.spec.values("alpha"), dtype=float)

    @cached_property
    def betas(self) -> np.ndarray:
        """Values of β."""
        return np.array(self.spec.values("beta"), dtype=float)

    @cached_property
    def trailing(self) -> dict[str, int]:
        """Sizes of the dimensions within a point."""
        size = self.entities
        return {"generation": self.spec.generations + 1, "entity": size, "task": size, "dataset": size + 1}

    def value_shape(self, name: str) -> tuple[int, ...]:
        """Shape of a quantity at one point."""
        return tuple(self.trailing[dim] for dim in QUANTITIES[name].dims)

    @cached_property
    def bytes_a_point(self) -> int:
        """Of results."""
        return 8 * sum(prod(self.value_shape(name)) for name in self.spec.quantities)

    @cached_property
    def rows_a_tile(self) -> int:
        """Values of β in a tile.

        Raises:
            InvalidInput: a single one needs more memory than allowed.
        """
        row = len(self.alphas) * self.bytes_a_point
        budget = self.spec.memory_mib * 2**20 // 4
        if row > budget:
            raise InvalidInput(
                f"memory_mib is {self.spec.memory_mib}, but one row of α takes {4 * row / 2**20:.0f} MiB: "
                "allow more, or ask for fewer quantities"
            )
        most = min(_MOST_POINTS, budget // self.bytes_a_point)
        return int(np.clip(most // len(self.alphas), 1, len(self.betas)))

    @cached_property
    def points_at_once(self) -> int:
        """Points whose intermediate results are held at the same time.

        Raises:
            InvalidInput: a single one needs more memory than allowed.
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
        return int(np.clip(self.spec.memory_mib * 2**20 // (2 * 8 * numbers), 1, _MOST_AT_ONCE))

    @cached_property
    def blocks(self) -> int:
        """Blocks of rows that the plane is cut into."""
        return -(-len(self.betas) // self.rows_a_tile)

    @cached_property
    def outer_shape(self) -> tuple[int, ...]:
        """Lengths of the dimensions in `outer`."""
        return tuple(len(values) for values in self.outer.values())

    @property
    def tiles(self) -> int:
        """How many tiles there are."""
        return prod(self.outer_shape) * self.blocks

    @property
    def points(self) -> int:
        """How many points there are."""
        return prod(self.outer_shape) * len(self.betas) * len(self.alphas)

    def tile(self, number: int) -> Tile:
        """The tile with this number."""
        outer, block = divmod(number, self.blocks)
        start = block * self.rows_a_tile
        rows = slice(start, min(start + self.rows_a_tile, len(self.betas)))
        return Tile(tuple(int(i) for i in np.unravel_index(outer, self.outer_shape)), rows, block)

    def points_of(self, number: int) -> int:
        """Points in a tile."""
        rows = self.tile(number).rows
        return (rows.stop - rows.start) * len(self.alphas)

    def parameters(self, tile: Tile) -> dict[str, float | int]:
        """What is fixed within a tile: one value of every parameter but α and β."""
        fixed = {"draw": 0} | {name: value for name, value in self.spec.axes.items() if not isinstance(value, tuple)}
        chosen = {name: values[i] for (name, values), i in zip(self.outer.items(), tile.outer, strict=True)}
        return {name: value for name, value in (fixed | chosen).items() if name not in ("alpha", "beta")}

    def dimension_of(self, tile: Tile) -> int:
        """d of a tile: the one parameter that a compiled program cannot vary."""
        return int(self.parameters(tile).get("dimension", self.dimensions[0]))

    def chunk(self, tile: Tile) -> tuple[int, ...]:
        """Index of a tile's chunk along the swept dimensions."""
        inner = {"beta": tile.block, "alpha": 0}
        return tile.outer + tuple(inner[name] for name in inner if name in self.spec.swept)
