"""Description of a sweep's store: attributes, axes and array metadata, all of which follow from the spec and are checksummed."""

import json
import os
import platform
import re
import shutil
import warnings
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager, suppress
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from zarr.codecs import Crc32cCodec, ZstdCodec

from crossfeed.atomic_write import why_unwritable
from crossfeed.errors import InvalidInput
from crossfeed.random_keys import GENERATOR

from .plan import Plan
from .quantities import QUANTITIES, REASONS
from .spec import Spec

NOT_COMPUTED = -1
"""Code of a reason in a tile that is not finished."""
ROOT = Path("zarr.json")
"""File of the attributes, relative to the store; it holds the digests of the other files, and one of itself."""
BEFORE = ".before"
"""Folder within a store that is being extended: the store as it was, until all that is missing has been computed."""
_MARK = "crossfeed_sweep"
_IDENTITY = "crossfeed_identity"
_DIGEST = re.compile(rb'"digest": "([0-9a-f]{64})"')
_NO_DIGEST = b'"digest": "' + b"0" * 64 + b'"'
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


def identity(spec: Spec) -> dict[str, Any]:
    """Settings that two specs of the same sweep share: the path of a file may differ, the ecosystem in it may not."""
    content = json.loads(spec.to_json())
    ecosystem = {"family": content.pop("family")} | content.pop("options")
    ecosystem.pop("path", None)
    return {"axes": content.pop("axes"), "ecosystem": ecosystem, "sweep": content}


def randomness(spec: Spec) -> dict[str, str]:
    """What decides the random numbers of a sweep besides its spec; empty if it draws none."""
    draws = spec.family == "random" or any(name.startswith("monte_carlo") for name in spec.quantities)
    return {"jax": version("jax"), "generator": GENERATOR} if draws else {}


def axes(plan: Plan) -> dict[str, np.ndarray]:
    """Coordinates of every dimension; within a point, generations are numbered from 0 and all others from 1."""
    used = {dim for name in plan.spec.quantities for dim in QUANTITIES[name].dims}
    inside = {dim: np.arange(size) + (dim != "generation") for dim, size in plan.trailing.items() if dim in used}
    return {dim: np.asarray(values) for dim, values in plan.spec.swept.items()} | inside


def read_attributes(path: Path) -> dict[str, Any]:
    """Attributes of a sweep's store: the text of its spec, seed, versions, and the digests of its files.

    Raises:
        InvalidInput: there is no store, it is not a sweep's, or its attributes are damaged.
    """
    if not path.exists():
        raise InvalidInput(f"there is no sweep at {path}")
    try:
        content = (path / ROOT).read_bytes() if (path / ROOT).is_file() else b""
    except OSError as error:
        raise InvalidInput(f"cannot read {path / ROOT}: {error.strerror or error}") from error
    if not content and (path / BEFORE).exists():
        raise InvalidInput(f"{path} was being extended when its attributes were lost: extend it again with --extend")
    if not content and any(path.glob("*/zarr.json")):
        raise InvalidInput(f"{path / ROOT} is gone: crossfeed sweep run SPEC --out STORE --resume restores it")
    if _MARK.encode() not in content:
        raise InvalidInput(f"{path} is not the store of a sweep")
    if b'"digest"' not in content and b'"files"' not in content:
        raise InvalidInput(f"{path} was made by an earlier version, without checksums: run the sweep again")
    found = _DIGEST.findall(content)
    if len(found) != 1 or sha256(_DIGEST.sub(_NO_DIGEST, content)).hexdigest().encode() != found[0]:
        if path.name == BEFORE:
            raise InvalidInput(f"{path / ROOT} is damaged, so {path.parent} cannot be extended: run the sweep again")
        raise InvalidInput(f"{path / ROOT} is damaged: crossfeed sweep run SPEC --out STORE --resume restores it")
    return json.loads(content)["attributes"][_MARK]


def read_spec_of(path: Path) -> Spec:
    """Specification that a store was created with.

    Raises:
        InvalidInput: there is no store, it is not a sweep's, or its attributes are damaged.
    """
    fields = json.loads(read_attributes(path)["spec"])
    axes = {name: tuple(value) if isinstance(value, list) else value for name, value in fields.pop("axes").items()}
    return Spec(**fields | {"axes": axes, "quantities": tuple(fields["quantities"])})


def belongs_to(path: Path, plan: Plan) -> bool:
    """Whether a store is one of this plan, as its attributes say, or the array metadata where attributes are damaged or gone."""
    try:
        return identity(read_spec_of(path)) == identity(plan.spec)
    except InvalidInput:
        return _attributes_follow_from(path, plan)


def broken_files(path: Path) -> list[Path]:
    """Files of axes and array metadata that are missing or not as they were written, relative to the store.

    Raises:
        InvalidInput: as `read_attributes`.
    """
    return [Path(name) for name, digest in read_attributes(path)["files"].items() if _digest(path / name) != digest]


def describe_broken(path: Path, broken: list[Path]) -> str:
    """Which files of a store are gone and which are damaged, as a phrase."""
    states = {name: "damaged" if os.path.lexists(path / name) else "gone" for name in broken}
    groups = {state: [str(name) for name in broken if states[name] == state] for state in ("gone", "damaged")}
    return " and ".join(
        f"{', '.join(names)} {'is' if len(names) == 1 else 'are'} {state}" for state, names in groups.items() if names
    )


def restore(path: Path, plan: Plan, note: Callable[[str], object]) -> None:
    """Write again whatever of a store's description is missing or damaged; tiles are left alone.

    Args:
        path: the store.
        plan: what it should be the store of.
        note: called with a sentence on what was written again.

    Raises:
        InvalidInput: the store is not that of the plan's spec, or cannot be written.
    """
    try:
        stored = read_attributes(path)["files"]
        broken = broken_files(path)
    except InvalidInput:
        if not _attributes_follow_from(path, plan):
            raise
        stored, broken = {}, [ROOT]
    if not broken:
        return
    with empty_store_beside(path, plan) as part:
        files = read_attributes(part)["files"]
        if not stored:
            broken = [ROOT, *(Path(name) for name in files if not (path / name).exists())]
        told = describe_broken(path, broken)
        # Another version of Zarr may write other bytes; then all of it is written anew.
        same = all(files[str(name)] == stored.get(str(name)) for name in broken if name != ROOT) and ROOT not in broken
        for name in broken if same else [*map(Path, files), ROOT]:
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (part / name).replace(path / name)
    note(f"in {path}, {told}, and written again")


def holds_another(path: Path, *plans: Plan) -> bool:
    """Whether array metadata say that a store belongs to none of these plans."""
    known = [_identity_digest(plan.spec) for plan in plans]
    names = (file.parent.name for file in path.glob("*/zarr.json"))
    return any(one not in known for one in _identities(path, names))


def _attributes_follow_from(path: Path, plan: Plan) -> bool:
    """Whether the array metadata say that the store belongs to this plan, where its attributes cannot."""
    wanted, found = _identity_digest(plan.spec), _identities(path, plan.spec.quantities)
    return bool(found) and all(one == wanted for one in found)


def _identities(path: Path, names: Iterable[str]) -> list[str]:
    """Digests of the spec that array metadata hold, where they can be read."""
    found = []
    for name in names:
        with suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
            found.append(json.loads((path / name / "zarr.json").read_bytes())["attributes"][_IDENTITY])
    return found


def _identity_digest(spec: Spec) -> str:
    return sha256(json.dumps([identity(spec), randomness(spec)], sort_keys=True).encode()).hexdigest()


def _digest(file: Path) -> str | None:
    """SHA-256 of a regular file; None if there is none."""
    try:
        return sha256(file.read_bytes()).hexdigest() if file.is_file() else None
    except OSError:
        return None


@contextmanager
def empty_store_beside(path: Path, plan: Plan) -> Generator[Path]:
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


def _make_empty(path: Path, plan: Plan) -> None:
    spec = plan.spec
    group = zarr.create_group(
        path,
        attributes={
            "title": f"sweep over {', '.join(spec.swept) or 'one point'}, family {spec.family}",
            "missing_values": "inf: an error that has no limit; NaN: a share, efficiency or correlation that has no limit, "
            "an entity beyond K, a bound that does not apply, or a value that depends on an unknown theta",
            **_interpolation(spec),
            _MARK: {
                "spec": spec.to_json(),
                "seed": spec.seed,
                "randomness": randomness(spec),
                "versions": {name: version(name) for name in ("crossfeed", "jax", "jaxlib", "numpy", "zarr")},
                "machine": f"{platform.machine()} with {os.cpu_count()} cores, Python {platform.python_version()}",
            },
        },
    )
    codecs = [ZstdCodec(), Crc32cCodec()]  # the checksum covers every byte of a chunk, the header of Zstandard too
    coordinates = axes(plan)
    for dim, values in coordinates.items():
        label, units = _LABELS[dim]
        # One chunk per axis, written also if all its values are zero.
        array = group.create_array(
            dim,
            shape=values.shape,
            chunks=values.shape,
            dtype=values.dtype,
            compressors=codecs,
            dimension_names=(dim,),
            attributes={"long_name": label, "units": units},
            config={"write_empty_chunks": True},
        )
        array[:] = values
    rows = {"beta": plan.rows_per_tile, "alpha": len(plan.alphas)}
    for name in spec.quantities:
        quantity = QUANTITIES[name]
        meaning = {"long_name": quantity.long_name, "units": quantity.units} | _flags(name)
        group.create_array(
            name,
            shape=tuple(len(values) for values in spec.swept.values()) + plan.value_shape(name),
            chunks=tuple(rows.get(dim, 1) for dim in spec.swept) + plan.value_shape(name),
            dtype=quantity.dtype,
            fill_value=np.nan if quantity.dtype == "float64" else NOT_COMPUTED,
            compressors=codecs,
            dimension_names=tuple(spec.swept) + quantity.dims,
            attributes=meaning | {_IDENTITY: _identity_digest(spec)},
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # consolidated metadata is an extension, which xarray reads
        zarr.consolidate_metadata(group.store)
    names = [
        *(f"{name}/zarr.json" for name in (*coordinates, *spec.quantities)),
        *(f"{dim}/c/0" for dim in coordinates),
    ]
    _seal(path, names)


def _seal(path: Path, names: list[str]) -> None:
    """Add the digests of these files to the attributes, and one of the attributes' own file, taken with zeros in its place."""
    root = json.loads((path / ROOT).read_bytes())
    files = {name: sha256((path / name).read_bytes()).hexdigest() for name in names}
    root["attributes"][_MARK] |= {"files": files, "digest": "0" * 64}
    content = json.dumps(root, indent=2).encode()
    digest = sha256(content).hexdigest().encode()
    (path / ROOT).write_bytes(content.replace(_NO_DIGEST, b'"digest": "' + digest + b'"'))


def _interpolation(spec: Spec) -> dict[str, Any]:
    if spec.interpolate is None:
        return {}
    return {
        "interpolation": "values are interpolated over alpha and beta to the relative tolerance "
        f"{spec.interpolate:g}; interpolation_estimate and interpolation_error say how accurately, and are 0 where a value "
        "is computed",
    }


def _flags(name: str) -> dict[str, Any]:
    """Meaning of the codes of reasons, as the CF conventions write it."""
    if name != "reason":
        return {}
    return {"flag_values": list(range(len(REASONS))), "flag_meanings": " ".join(REASONS)}
