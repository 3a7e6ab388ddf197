"""How K models are stacked, lie on devices, and are computed there."""

from collections.abc import Callable, Sequence
from math import gcd
from typing import TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Bool, Int, PyTree

from crossfeed.multihost import gathered

from ..data.texts import Rows
from .transformer import Transformer

_Result = TypeVar("_Result")

Batches = tuple[
    Int[Array, "entity step batch length"],
    Int[Array, "entity step batch length"],
    Bool[Array, "entity step batch length"],
]


def stack(models: Sequence[Transformer]) -> Transformer:
    """Models of one configuration as a population."""
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *models)


def select(models: Transformer, index: int) -> Transformer:
    """One model of a population."""
    return jax.tree.map(lambda leaf: leaf[index], models)


def entity_mesh(entities: int, batch: int) -> Mesh:
    """All processes' devices as a mesh of entities × data: as many as share out the entities, the rest share the batch.

    Every process has equally many in it, since `batch` is a multiple of their number.
    """
    devices = np.array(jax.devices()).reshape(jax.process_count(), -1)
    across = gcd(entities, devices.size)
    data = gcd(batch, devices.size // across)
    used = devices[:, : across * data // len(devices)].reshape(across, data)
    return Mesh(used, ("entity", "data"), axis_types=(AxisType.Auto, AxisType.Auto))


def _put(values: jax.Array | np.ndarray, sharding: NamedSharding) -> jax.Array:
    """Values that every process has, or that are shared out already, shared out like this."""
    if sharding.is_fully_addressable or (
        isinstance(values, jax.Array) and values.sharding.device_set == sharding.device_set
    ):
        return jax.device_put(values, sharding)
    here = gathered(values)  # `device_put` would send all of it to all processes, to compare
    return jax.make_array_from_callback(here.shape, sharding, here.__getitem__)


def place_models(models: Transformer, mesh: Mesh) -> Transformer:
    """Put each entity on its devices; where several share one, matrices are split by columns, and gathered as they are used."""

    def place(leaf):
        split = leaf.ndim > 2 and leaf.shape[-1] % mesh.shape["data"] == 0
        spec = ("entity", *(None,) * (leaf.ndim - 2), "data" if split else None) if leaf.ndim > 1 else ("entity",)
        return _put(leaf, NamedSharding(mesh, PartitionSpec(*spec)))

    return jax.tree.map(place, models)


def place_rows(rows: Sequence[Rows], steps: int, mesh: Mesh) -> Batches:
    """Rows of every entity as batches of its steps, on its devices."""
    sharding = NamedSharding(mesh, PartitionSpec("entity", None, "data"))

    def place(name):
        values = np.stack([getattr(own, name) for own in rows])
        return _put(values.reshape(len(rows), steps, -1, values.shape[-1]), sharding)

    return place("tokens"), place("segments"), place("counted")


def each_entity(
    function: Callable[..., _Result], models: Transformer, *data: PyTree[Array], share_data: bool = False
) -> _Result:
    """What a function makes of every entity's model and data, each with a leading entity axis.

    On CPU, every device takes its entities one after the other: what lies between the layers of one stays in the cache, and
    no entity waits for another. Elsewhere all go at once.

    Args:
        share_data: devices that have the same entities share their data out as it is placed. Else each of them takes all of
            it, so that they need not wait for each other either.
    """
    if jax.default_backend() != "cpu":
        return jax.vmap(function)(models, *data)

    def in_turn(*arguments):
        return jax.lax.map(lambda one: function(*one), arguments)

    leaf = jax.tree.leaves(models)[0]
    mesh = jax.typeof(leaf).sharding.mesh
    if "entity" in mesh.axis_names and len(leaf) % mesh.shape["entity"] == 0:
        spec = PartitionSpec("entity")
        axes = {"entity"} if share_data else set(mesh.axis_names)
        in_turn = jax.shard_map(in_turn, mesh=mesh, in_specs=spec, out_specs=spec, axis_names=axes, check_vma=False)
    return in_turn(models, *data)
