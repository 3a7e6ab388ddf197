"""The store of a sweep: Zarr that xarray opens without us, one chunk a tile and quantity, each written whole or not at all."""

import os
import platform
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from json import loads
from pathlib import Path
from typing import Any, cast

import numpy as np
import zarr
from jaxtyping import Bool
from zarr.codecs import ZstdCodec
from zarr.errors import BaseZarrError

from crossfeed.atomic_write import why_unwritable
from crossfeed.differences import differences, summary
from crossfeed.errors import CrossfeedError, InvalidInput

from .plan import Plan, Tile
from .quantities import QUANTITIES
from .spec import Spec

_MARK = "crossfeed_sweep"
_LABELS = {
    "draw": ("number of the random ecosystem", "1"),
    "dimension": ("number of features d", "1"),
    "rank": ("rank of private features", "1"),
    "entities": ("number of entities K", "1"),
    "volume": ("volume of synthetic data c", "1"),
    "dominant_share": ("share of entity 1 in the pool", "1"),
    "mixing": ("λ, private part of what is published about", "1"),
    "misalignment": ("misalignment of what is published about", "1"),
    "beta": ("β, weight of private data", "1"),
    "alpha": ("α, weight of synthetic data", "1"),
    "generation": ("generation", "1"),
    "entity": ("entity", "1"),
    "task": ("task", "1"),
    "dataset": ("dataset (last: public)", "1"),
}


@dataclass(frozen=True)
class Status:
    """How far a sweep is.

    Attributes:
        points: points in finished tiles.
        all_points: points of the whole sweep.
        tiles: finished tiles.
        all_tiles: tiles of the whole sweep.
    """

    points: int
    all_points: int
    tiles: int
    all_tiles: int


class Store:
    """An open store; `create` makes one, `open` checks that it belongs to the plan."""

    def __init__(self, path: Path, plan: Plan):
        self.path, self.plan = path, plan
        if lost := _lost(path, plan):
            raise InvalidInput(
                f"{path} has lost {', '.join(map(str, lost))}: crossfeed sweep run SPEC --out STORE --resume makes them anew"
            )
        group = zarr.open_group(path, mode="r+")
        # A tile of NaN is finished too, so its chunk must be there.
        self._arrays: dict[str, zarr.Array] = {
            name: cast(zarr.Array, group[name]).with_config({"write_empty_chunks": True})
            for name in plan.spec.quantities
        }

    @staticmethod
    def create(path: Path, plan: Plan) -> None:
        """Make an empty store, which appears whole.

        Raises:
            InvalidInput: something is there already, or the folder cannot be written.
        """
        if path.exists():
            raise InvalidInput(f"{path} exists already: choose another name, or continue it with --resume")
        with _empty_store_beside(path, plan) as part:
            part.rename(path)

    @classmethod
    def open(cls, path: Path, plan: Plan) -> "Store":
        """Open a store to go on with it; axes and descriptions of arrays that were lost are made anew.

        Raises:
            InvalidInput: there is none, it is not ours, it belongs to another spec, or it cannot be written.
        """
        stored, wanted = _identity(read_spec_of(path)), _identity(plan.spec)
        if changed := differences(stored, wanted, "the spec"):
            raise InvalidInput(f"{path} holds another sweep: {summary(changed)}")
        if lost := _lost(path, plan):
            with _empty_store_beside(path, plan) as part:
                for file in lost:
                    (path / file).parent.mkdir(parents=True, exist_ok=True)
                    (part / file).replace(path / file)
        return cls(path, plan)

    def done(self, tile: Tile) -> bool:
        """Whether all quantities of a tile are there."""
        return all(map(_is_there, self._files(tile)))

    def check(self, tile: Tile) -> None:
        """Read a finished tile, and remove what an interrupted write left beside it.

        Raises:
            CrossfeedError: it is damaged.
        """
        for file, array in zip(self._files(tile), self._arrays.values(), strict=True):
            for leftover in file.parent.glob(f"{file.name}.*.partial"):
                leftover.unlink(missing_ok=True)
            if not _is_there(file):
                continue
            try:
                array[self.place(tile)]
            except Exception as error:  # codecs raise errors of many types
                raise CrossfeedError(
                    f"{file} is damaged ({error}): delete this file and resume, and it is computed again"
                ) from error

    def write(self, tile: Tile, values: dict[str, np.ndarray]) -> None:
        """Write a tile, quantity by quantity.

        Raises:
            CrossfeedError: the disk is full or cannot be written; finished tiles stay.
        """
        for name, array in self._arrays.items():
            try:
                array[self.place(tile)] = values[name].reshape(self._shape(tile) + self.plan.value_shape(name))
            except OSError as error:
                raise CrossfeedError(
                    f"cannot write to {self.path}: {error.strerror or error}; finished tiles are kept, go on with --resume"
                ) from error

    def _shape(self, tile: Tile) -> tuple[int, ...]:
        lengths = {"beta": tile.rows.stop - tile.rows.start, "alpha": len(self.plan.alphas)}
        return tuple(length for name, length in lengths.items() if name in self.plan.spec.swept)

    def place(self, tile: Tile) -> tuple:
        """Index of a tile's points in an array over the swept axes, and whatever axes follow."""
        inner = {"beta": tile.rows, "alpha": slice(None)}
        return tile.outer + tuple(inner[name] for name in inner if name in self.plan.spec.swept) + (...,)

    def _files(self, tile: Tile) -> list[Path]:
        chunk = self.plan.chunk(tile)
        return [
            self.path.joinpath(name, "c", *(str(i) for i in chunk + (0,) * len(QUANTITIES[name].dims)))
            for name in self.plan.spec.quantities
        ]


def read_spec_of(path: Path) -> Spec:
    """The spec that a store was made with.

    Raises:
        InvalidInput: there is no store, or it is not a sweep's.
    """
    if not path.exists():
        raise InvalidInput(f"there is no sweep at {path}")
    try:
        content = cast(dict[str, Any], zarr.open_group(path, mode="r").attrs[_MARK])
        fields = loads(content["spec"])
        axes = {name: tuple(value) if isinstance(value, list) else value for name, value in fields.pop("axes").items()}
        spec = Spec(**fields | {"axes": axes, "quantities": tuple(fields["quantities"])})
    except (KeyError, TypeError, ValueError, OSError, BaseZarrError) as error:
        raise InvalidInput(f"{path} is not the store of a sweep") from error
    if spec.family == "file" and "sha256" not in spec.options:
        raise InvalidInput(f"{path} does not say which ecosystem it holds, as stores of earlier versions: make it anew")
    return spec


def _identity(spec: Spec) -> dict[str, Any]:
    """What makes two specs the same sweep, named as in a spec: a file may move, the ecosystem in it may not change."""
    content = loads(spec.to_json())
    ecosystem = {"family": content.pop("family")} | content.pop("options")
    ecosystem.pop("path", None)
    return {"axes": content.pop("axes"), "ecosystem": ecosystem, "sweep": content}


def status_of(path: Path) -> Status:
    """How much of a store is finished.

    Raises:
        InvalidInput: as `read_spec_of`.
    """
    plan = Plan(read_spec_of(path))
    store = Store(path, plan)
    done = [number for number in range(plan.tiles) if store.done(plan.tile(number))]
    return Status(sum(plan.points_of(number) for number in done), plan.points, len(done), plan.tiles)


def finished_points(path: Path) -> tuple[tuple[str, ...], Bool[np.ndarray, "..."]]:
    """Which points of a store are in finished tiles: the names of the swept axes, and one truth value a point.

    Raises:
        InvalidInput: as `read_spec_of`.
    """
    plan = Plan(read_spec_of(path))
    store = Store(path, plan)
    finished = np.zeros([len(values) for values in plan.spec.swept.values()], dtype=bool)
    for tile in map(plan.tile, range(plan.tiles)):
        finished[store.place(tile)] = store.done(tile)
    return tuple(plan.spec.swept), finished


def _is_there(file: Path) -> bool:
    """Whether a file has content: power cuts leave empty ones."""
    return file.is_file() and file.stat().st_size > 0


def _lost(path: Path, plan: Plan) -> list[Path]:
    """What is missing of axes and descriptions of arrays, relative to the store."""
    axes = _axes(plan)
    files = [Path(name, "zarr.json") for name in (*axes, *plan.spec.quantities)] + [Path(name, "c/0") for name in axes]
    return [file for file in files if not _is_there(path / file)]


@contextmanager
def _empty_store_beside(path: Path, plan: Plan) -> Iterator[Path]:
    """A store without a tile under a temporary name, which is removed afterwards.

    Raises:
        InvalidInput: the folder cannot be written.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        _make_empty(part, plan)
        yield part
    except OSError as error:
        raise InvalidInput(f"cannot write {path}: {why_unwritable(path, error)}") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _axes(plan: Plan) -> dict[str, np.ndarray]:
    """Values of every dimension; within a point generations count from 0, everything else from 1."""
    used = {dim for name in plan.spec.quantities for dim in QUANTITIES[name].dims}
    inside = {dim: np.arange(size) + (dim != "generation") for dim, size in plan.trailing.items() if dim in used}
    return {dim: np.asarray(values) for dim, values in plan.spec.swept.items()} | inside


def _make_empty(path: Path, plan: Plan) -> None:
    spec = plan.spec
    group = zarr.create_group(
        path,
        attributes={
            "title": f"sweep over {', '.join(spec.swept) or 'one point'}, family {spec.family}",
            "missing_values": "inf: no limit, for errors; NaN: no limit, for shares, efficiencies and correlations; "
            "no such entity; no theorem; or the value depends on theta",
            _MARK: {
                "spec": spec.to_json(),
                "seed": spec.seed,
                "versions": {name: version(name) for name in ("crossfeed", "jax", "jaxlib", "numpy", "zarr")},
                "machine": f"{platform.machine()} with {os.cpu_count()} cores, Python {platform.python_version()}",
            },
        },
    )
    for dim, values in _axes(plan).items():
        label, units = _LABELS[dim]
        # One chunk an axis, written also where all is zero.
        array = group.create_array(
            dim,
            shape=values.shape,
            chunks=values.shape,
            dtype=values.dtype,
            dimension_names=(dim,),
            attributes={"long_name": label, "units": units},
            config={"write_empty_chunks": True},
        )
        array[:] = values
    rows = {"beta": plan.rows_a_tile, "alpha": len(plan.alphas)}
    for name in spec.quantities:
        quantity = QUANTITIES[name]
        group.create_array(
            name,
            shape=tuple(len(values) for values in spec.swept.values()) + plan.value_shape(name),
            chunks=tuple(rows.get(dim, 1) for dim in spec.swept) + plan.value_shape(name),
            dtype="float64",
            fill_value=np.nan,
            compressors=[ZstdCodec(checksum=True)],
            dimension_names=tuple(spec.swept) + quantity.dims,
            attributes={"long_name": quantity.long_name, "units": quantity.units},
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # consolidated metadata is an extension, which xarray reads
        zarr.consolidate_metadata(group.store)
