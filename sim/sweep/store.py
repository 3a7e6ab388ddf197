"""Store of a sweep: Zarr that xarray opens as it is, with one chunk per tile and quantity, each written whole or not at all."""

import os
import platform
import shutil
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from json import loads
from pathlib import Path
from types import EllipsisType
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
from .quantities import QUANTITIES, REASONS
from .spec import Spec

_MARK = "crossfeed_sweep"
NOT_COMPUTED = -1
"""Code of a reason in a tile that is not finished."""
_LABELS = {
    "draw": ("index of the random ecosystem", "1"),
    "dimension": ("number of features d", "1"),
    "rank": ("rank of private features", "1"),
    "entities": ("number of entities K", "1"),
    "volume": ("volume of synthetic data c", "1"),
    "dominant_share": ("share of entity 1 in the pool", "1"),
    "estimator_steps": ("gradient steps per generation", "1"),
    "estimator_rate": ("size of a gradient step", "1"),
    "estimator_penalty": ("ridge penalty", "1"),
    "pool_fresh": ("fraction of the pool labeled by people", "1"),
    "memory_rate": ("rate of forgetting", "1"),
    "mixing": ("λ, weight of private inputs among prompts", "1"),
    "misalignment": ("μ, misalignment of prompts", "1"),
    "beta": ("β, weight of private data", "1"),
    "alpha": ("α, weight of synthetic data", "1"),
    "generation": ("generation", "1"),
    "entity": ("entity", "1"),
    "task": ("task", "1"),
    "dataset": ("dataset (last: public)", "1"),
}


@dataclass(frozen=True)
class Status:
    """Progress of a sweep.

    Attributes:
        points: number of points in finished tiles.
        all_points: number of points of the whole sweep.
        tiles: number of finished tiles.
        all_tiles: number of tiles of the whole sweep.
    """

    points: int
    all_points: int
    tiles: int
    all_tiles: int


class Store:
    """Open store of a sweep; `create` makes an empty one, `open` checks that it belongs to the plan."""

    def __init__(self, path: Path, plan: Plan) -> None:
        self.path, self.plan = path, plan
        if lost := _lost(path, plan):
            raise InvalidInput(
                f"{path} lacks {', '.join(map(str, lost))}: crossfeed sweep run SPEC --out STORE --resume restores them"
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
            raise InvalidInput(f"{path} exists already: choose another name, or continue it with --resume")
        with _empty_store_beside(path, plan) as part:
            part.rename(path)

    @classmethod
    def open(cls, path: Path, plan: Plan) -> "Store":
        """Open a store to continue it; axes and array metadata that were lost are written again.

        Raises:
            InvalidInput: there is no store, it is not a sweep's, it belongs to another spec, or it cannot be written.
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
        """Whether all quantities of a tile are stored."""
        return all(map(_is_there, self._files(tile)))

    def check(self, tile: Tile) -> None:
        """Check that what is stored of a tile can be read, and remove what an interrupted write left beside it.

        Raises:
            CrossfeedError: a chunk is damaged.
        """
        for file, array in zip(self._files(tile), self._arrays.values(), strict=True):
            for leftover in file.parent.glob(f"{file.name}.*.partial"):
                leftover.unlink(missing_ok=True)
            if not _is_there(file):
                continue
            try:
                array[self.place(tile)]
            except Exception as error:  # codecs raise exceptions of many types
                raise CrossfeedError(
                    f"{file} is damaged ({error}): delete this file and resume, and it is computed again"
                ) from error

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


def read_spec_of(path: Path) -> Spec:
    """Specification that a store was created with.

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
        raise InvalidInput(
            f"{path} was made by an earlier version and does not say which ecosystem it holds: run the sweep again"
        )
    return spec


def _identity(spec: Spec) -> dict[str, Any]:
    """Settings that two specs of the same sweep share: the path of a file may differ, the ecosystem in it may not."""
    content = loads(spec.to_json())
    ecosystem = {"family": content.pop("family")} | content.pop("options")
    ecosystem.pop("path", None)
    return {"axes": content.pop("axes"), "ecosystem": ecosystem, "sweep": content}


def status_of(path: Path) -> Status:
    """Progress of a sweep, from its store.

    Args:
        path: the store of a sweep, finished or not.

    Returns:
        Numbers of finished and of all points and tiles.

    Raises:
        InvalidInput: there is no store, it is not a sweep's, or axes or array metadata are lost.
    """
    plan = Plan(read_spec_of(path))
    store = Store(path, plan)
    done = [number for number in range(plan.tiles) if store.done(plan.tile(number))]
    return Status(sum(plan.points_of(number) for number in done), plan.points, len(done), plan.tiles)


def finished_points(path: Path) -> tuple[tuple[str, ...], Bool[np.ndarray, "..."]]:
    """Mask of the points of a store that are in finished tiles.

    Args:
        path: the store of a sweep, finished or not.

    Returns:
        The names of the swept axes, and the mask over them.

    Raises:
        InvalidInput: as `status_of`.
    """
    plan = Plan(read_spec_of(path))
    store = Store(path, plan)
    finished = np.zeros([len(values) for values in plan.spec.swept.values()], dtype=bool)
    for tile in map(plan.tile, range(plan.tiles)):
        finished[store.place(tile)] = store.done(tile)
    return tuple(plan.spec.swept), finished


def _is_there(file: Path) -> bool:
    """Whether a file exists with content; a power cut can leave empty files."""
    return file.is_file() and file.stat().st_size > 0


def _lost(path: Path, plan: Plan) -> list[Path]:
    """Missing files of axes and array metadata, relative to the store."""
    axes = _axes(plan)
    files = [Path(name, "zarr.json") for name in (*axes, *plan.spec.quantities)] + [Path(name, "c/0") for name in axes]
    return [file for file in files if not _is_there(path / file)]


@contextmanager
def _empty_store_beside(path: Path, plan: Plan) -> Generator[Path]:
    """Store without tiles under a temporary name, which is removed afterwards.

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


def _flags(name: str) -> dict[str, Any]:
    """Meaning of the codes of reasons, as the CF conventions write it."""
    if name != "reason":
        return {}
    return {"flag_values": list(range(len(REASONS))), "flag_meanings": " ".join(REASONS)}


def _axes(plan: Plan) -> dict[str, np.ndarray]:
    """Coordinates of every dimension; within a point, generations are numbered from 0 and all others from 1."""
    used = {dim for name in plan.spec.quantities for dim in QUANTITIES[name].dims}
    inside = {dim: np.arange(size) + (dim != "generation") for dim, size in plan.trailing.items() if dim in used}
    return {dim: np.asarray(values) for dim, values in plan.spec.swept.items()} | inside


def _make_empty(path: Path, plan: Plan) -> None:
    spec = plan.spec
    group = zarr.create_group(
        path,
        attributes={
            "title": f"sweep over {', '.join(spec.swept) or 'one point'}, family {spec.family}",
            "missing_values": "inf: an error that has no limit; NaN: a share, efficiency or correlation that has no limit, "
            "an entity beyond K, a bound that does not apply, or a value that depends on an unknown theta",
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
        # One chunk per axis, written also if all its values are zero.
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
    rows = {"beta": plan.rows_per_tile, "alpha": len(plan.alphas)}
    for name in spec.quantities:
        quantity = QUANTITIES[name]
        group.create_array(
            name,
            shape=tuple(len(values) for values in spec.swept.values()) + plan.value_shape(name),
            chunks=tuple(rows.get(dim, 1) for dim in spec.swept) + plan.value_shape(name),
            dtype=quantity.dtype,
            fill_value=np.nan if quantity.dtype == "float64" else NOT_COMPUTED,
            compressors=[ZstdCodec(checksum=True)],
            dimension_names=tuple(spec.swept) + quantity.dims,
            attributes={"long_name": quantity.long_name, "units": quantity.units} | _flags(name),
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # consolidated metadata is an extension, which xarray reads
        zarr.consolidate_metadata(group.store)
