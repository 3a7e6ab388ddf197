"""Populations on devices: stacking models, sharding their parameters and batches, and computing over entities."""

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
"""Batches of training rows: tokens, segments, and whether the loss counts a token."""


def stack(models: Sequence[Transformer]) -> Transformer:
    """Population of models of one configuration: every parameter gets a leading entity axis."""
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *models)


def select(models: Transformer, index: int) -> Transformer:
    """Model `index` of a population."""
    return jax.tree.map(lambda leaf: leaf[index], models)


def entity_mesh(entities: int, batch: int) -> Mesh:
    """Mesh of the devices of all processes, with axes 'entity' and 'data'.

    As many devices as possible divide the entities, the others divide the batch. Every process has equally many devices in
    it, since `batch` is a multiple of the number of processes.
    """
    devices = np.array(jax.devices()).reshape(jax.process_count(), -1)
    across = gcd(entities, devices.size)
    data = gcd(batch, devices.size // across)
    used = devices[:, : across * data // len(devices)].reshape(across, data)
    return Mesh(used, ("entity", "data"), axis_types=(AxisType.Auto, AxisType.Auto))


def _put(values: jax.Array | np.ndarray, sharding: NamedSharding) -> jax.Array:
    """Array with a sharding, from values that every process has or that are sharded already."""
    if sharding.is_fully_addressable or (
        isinstance(values, jax.Array) and values.sharding.device_set == sharding.device_set
    ):
        return jax.device_put(values, sharding)
    here = gathered(values)  # `device_put` would send all values to all processes, to compare them
    return jax.make_array_from_callback(here.shape, sharding, here.__getitem__)


def place_models(models: _Result, mesh: Mesh) -> _Result:
    """Population, or the state of its optimizer, with each entity on its devices.

    Where several devices share an entity, matrices are sharded by columns, and gathered as they are used.
    """

    def place(leaf: Array | np.ndarray) -> Array:
        split = leaf.ndim > 2 and leaf.shape[-1] % mesh.shape["data"] == 0
        spec = ("entity", *(None,) * (leaf.ndim - 2), "data" if split else None) if leaf.ndim > 1 else ("entity",)
        return _put(leaf, NamedSharding(mesh, PartitionSpec(*spec)))

    return jax.tree.map(place, models)


def place_rows(rows: Sequence[Rows], steps: int, mesh: Mesh) -> Batches:
    """Batches of every entity, on its devices.

    Args:
        rows: training rows of each entity, step after step.
        steps: number of training steps.
        mesh: devices, from `entity_mesh`.
    """
    sharding = NamedSharding(mesh, PartitionSpec("entity", None, "data"))

    def place(name: str) -> Array:
        values = np.stack([getattr(one, name) for one in rows])
        return _put(values.reshape(len(rows), steps, -1, values.shape[-1]), sharding)

    return place("tokens"), place("segments"), place("counted")


def each_entity(
    function: Callable[..., _Result], models: Transformer, *data: PyTree[Array], share_data: bool = False
) -> _Result:
    """Results of a function for every entity, stacked.

    On CPU, every device computes its entities one after another, so that activations stay in the cache and no entity waits
    for another. Elsewhere all are computed at once.

    Args:
        function: function of one model and its data.
        models: a population.
        data: arrays with a leading entity axis.
        share_data: whether devices that share an entity divide its data, as it is placed. Otherwise each of them computes all
            of it, so that they need not wait for each other.
    """
    if jax.default_backend() != "cpu":
        return jax.vmap(function)(models, *data)

    def in_turn(*arguments: PyTree[Array]) -> _Result:
        return jax.lax.map(lambda one: function(*one), arguments)

    leaf = jax.tree.leaves(models)[0]
    mesh = jax.typeof(leaf).sharding.mesh
    if "entity" in mesh.axis_names and len(leaf) % mesh.shape["entity"] == 0:
        spec = PartitionSpec("entity")
        axes = {"entity"} if share_data else set(mesh.axis_names)
        in_turn = jax.shard_map(in_turn, mesh=mesh, in_specs=spec, out_specs=spec, axis_names=axes, check_vma=False)
    return in_turn(models, *data)
