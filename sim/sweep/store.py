"""Store of a sweep: Zarr that xarray opens as it is, with one chunk per tile and quantity, each written whole or not at all."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import EllipsisType
from typing import Any, cast

import google_crc32c
import numpy as np
import zarr
from jaxtyping import Bool

from crossfeed.differences import differences, summary
from crossfeed.errors import CrossfeedError, InvalidInput

from .description import (
    ROOT,
    broken_files,
    describe_broken,
    empty_store_beside,
    identity,
    randomness,
    read_attributes,
    read_spec_of,
    restore,
)
from .plan import Plan, Tile
from .quantities import QUANTITIES

_CHECKSUM_BYTES = 4


@dataclass(frozen=True)
class Status:
    """Progress of a sweep.

    Attributes:
        points: number of points in finished tiles.
        all_points: number of points of the whole sweep.
        tiles: number of finished tiles.
        all_tiles: number of tiles of the whole sweep.
        damaged: chunks that fail their checksum, relative to the store; their tiles do not count as finished.
        interpolated: number of finished points that are interpolated; None where the spec has every point computed.
    """

    points: int
    all_points: int
    tiles: int
    all_tiles: int
    damaged: tuple[str, ...] = ()
    interpolated: int | None = None


class Store:
    """Open store of a sweep; `create` makes an empty one, `open` checks that it belongs to the plan."""

    def __init__(self, path: Path, plan: Plan) -> None:
        self.path, self.plan = path, plan
        if broken := broken_files(path):
            raise InvalidInput(
                f"in {path}, {describe_broken(path, broken)}: crossfeed sweep run SPEC --out STORE --resume restores "
                f"{'it' if len(broken) == 1 else 'them'}"
            )
        group = zarr.open_group(path, mode="r+")
        # A tile of NaN counts as finished only if its chunk is written.
        self._arrays: dict[str, zarr.Array[Any]] = {
            name: cast("zarr.Array[Any]", group[name]).with_config({"write_empty_chunks": True})
            for name in plan.spec.quantities
        }

    @staticmethod
    def create(path: Path, plan: Plan) -> None:
        """Create an empty store, which appears whole or not at all.

        Raises:
            InvalidInput: the path exists already, or cannot be written.
        """
        if path.exists():
            more = ", or continue it with --resume, or add to it with --extend" if (path / ROOT).is_file() else ""
            raise InvalidInput(f"{path} exists already: choose another name{more}")
        with empty_store_beside(path, plan) as part:
            part.rename(path)

    @classmethod
    def open(cls, path: Path, plan: Plan, note: Callable[[str], object]) -> "Store":
        """Open a store to continue it; attributes, axes and array metadata that were lost or damaged are written again.

        Args:
            path: the store.
            plan: what it should be the store of.
            note: called with a sentence on what was written again.

        Raises:
            InvalidInput: there is no store, it is not a sweep's, it belongs to another spec or to other random numbers, or it
                cannot be written.
        """
        restore(path, plan, note)
        if changed := differences(identity(read_spec_of(path)), identity(plan.spec), "the spec"):
            raise InvalidInput(f"{path} holds another sweep: {summary(changed)}")
        if changed := differences(read_attributes(path)["randomness"], randomness(plan.spec), "this installation"):
            raise InvalidInput(
                f"{path} was begun with other random numbers: {summary(changed)}; continue it with that version, or begin a new one"
            )
        return cls(path, plan)

    def done(self, tile: Tile) -> bool:
        """Whether all quantities of a tile are stored, sound or damaged."""
        return all(file.is_file() for file in self._files(tile))

    def interpolated(self, tile: Tile) -> int:
        """Number of points of a finished tile that are interpolated."""
        estimate = np.asarray(self._arrays["interpolation_estimate"][self.place(tile)])
        return int((estimate > 0).sum())

    def damaged(self, tile: Tile) -> list[Path]:
        """Files in the place of a tile's chunks that are not as they were written.

        Raises:
            InvalidInput: a file cannot be read.
        """
        return [file for file in self._files(tile) if os.path.lexists(file) and not _is_sound(file)]

    def clear(self, tile: Tile) -> list[Path]:
        """Remove damaged chunks of a tile, and what an interrupted write left beside them; the chunks removed.

        Raises:
            InvalidInput: a file cannot be read or removed.
        """
        damaged = self.damaged(tile)
        leftovers = [one for file in self._files(tile) for one in file.parent.glob(f"{file.name}.*.partial")]
        for file in damaged + leftovers:
            try:
                file.unlink(missing_ok=True)
            except OSError as error:
                raise InvalidInput(f"cannot remove {file}: {error.strerror or error}") from error
        return damaged

    def write(self, tile: Tile, values: dict[str, np.ndarray]) -> None:
        """Write a tile, quantity by quantity.

        Raises:
            CrossfeedError: the disk is full or cannot be written; finished tiles are kept.
        """
        for name, array in self._arrays.items():
            try:
                array[self.place(tile)] = values[name].reshape(self._shape(tile) + self.plan.value_shape(name))
            except OSError as error:
                raise CrossfeedError(
                    f"cannot write to {self.path}: {error.strerror or error}; finished tiles are kept, continue with --resume"
                ) from error

    def _shape(self, tile: Tile) -> tuple[int, ...]:
        lengths = {"beta": tile.rows.stop - tile.rows.start, "alpha": len(self.plan.alphas)}
        return tuple(length for name, length in lengths.items() if name in self.plan.spec.swept)

    def place(self, tile: Tile) -> tuple[int | slice | EllipsisType, ...]:
        """Index of a tile's points in an array over the swept axes, with any further axes after them."""
        inner = {"beta": tile.rows, "alpha": slice(None)}
        return tile.outer + tuple(inner[name] for name in inner if name in self.plan.spec.swept) + (...,)

    def _files(self, tile: Tile) -> list[Path]:
        chunk = self.plan.chunk(tile)
        return [
            self.path.joinpath(name, "c", *(str(i) for i in chunk + (0,) * len(QUANTITIES[name].dims)))
            for name in self.plan.spec.quantities
        ]


def status_of(path: Path) -> Status:
    """Progress of a sweep, from its store, whose chunks are all held against their checksums.

    Args:
        path: the store of a sweep, finished or not.

    Returns:
        Numbers of finished, of interpolated and of all points and tiles, and the damaged chunks.

    Raises:
        InvalidInput: there is no store, it is not a sweep's, or axes or array metadata are lost or damaged.
    """
    plan = Plan(read_spec_of(path))
    store = Store(path, plan)
    tiles = [plan.tile(number) for number in range(plan.tiles)]
    damaged = [store.damaged(tile) for tile in tiles]
    done = [number for number in range(plan.tiles) if store.done(tiles[number]) and not damaged[number]]
    named = tuple(str(file.relative_to(path)) for files in damaged for file in files)
    interpolated = None if plan.spec.interpolate is None else sum(store.interpolated(tiles[number]) for number in done)
    points = sum(plan.points_of(number) for number in done)
    return Status(points, plan.points, len(done), plan.tiles, named, interpolated)


def finished_points(path: Path) -> tuple[tuple[str, ...], Bool[np.ndarray, "..."]]:
    """Mask of the points of a store that are in finished tiles.

    Args:
        path: the store of a sweep, finished or not.

    Returns:
        The names of the swept axes, and the mask over them.

    Raises:
        InvalidInput: as `status_of`; or a chunk is damaged.
    """
    plan = Plan(read_spec_of(path))
    store = Store(path, plan)
    finished = np.zeros([len(values) for values in plan.spec.swept.values()], dtype=bool)
    for tile in map(plan.tile, range(plan.tiles)):
        if damaged := store.damaged(tile):
            raise InvalidInput(
                f"{damaged[0]} is damaged: crossfeed sweep run SPEC --out STORE --resume computes it again"
            )
        finished[store.place(tile)] = store.done(tile)
    return tuple(plan.spec.swept), finished


def _is_sound(file: Path) -> bool:
    """Whether a chunk is a file that ends in its checksum, that of Zarr's codec crc32c; a power cut can leave empty files.

    Raises:
        InvalidInput: it cannot be read.
    """
    if file.is_symlink() or not file.is_file():
        return False
    try:
        content = file.read_bytes()
    except OSError as error:
        raise InvalidInput(f"cannot read {file}: {error.strerror or error}") from error
    body, checksum = content[:-_CHECKSUM_BYTES], content[-_CHECKSUM_BYTES:]
    return bool(body) and google_crc32c.value(body) == int.from_bytes(checksum, "little")
