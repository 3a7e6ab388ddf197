"""A function of one point at many points: in tiles that fit the cache, on every device of this process at once."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, PartitionSpec
from jaxtyping import Array, Float, PyTree

from crossfeed.errors import InvalidInput

CACHED_TILE = 32
"""Points at once whose d × d matrices stay in a core's cache for the usual d, and amortize a step."""


def over_devices(function: Callable[..., PyTree], devices: Sequence[Any]) -> Callable[..., PyTree]:
    """The function of arrays whose leading axis is shared out equally over the devices, each working on its part alone."""
    return jax.shard_map(
        function,
        mesh=Mesh(np.array(devices), ("device",), axis_types=(AxisType.Auto,)),
        in_specs=PartitionSpec("device"),
        out_specs=PartitionSpec("device"),
        check_vma=False,  # the loops inside start from constants, which the check takes for replicated
    )


def sharded_vmap(function: Callable[..., PyTree], *points: PyTree, tile: int = CACHED_TILE) -> PyTree:
    """`function` at every index of the points' leading axis, its results stacked; jits and differentiates.

    Devices share the tiles, and each works through its own one by one; how many there are changes results by rounding at
    most. On a CPU, JAX sees as many devices as `jax_num_cpu_devices` says; one a core is best.

    Args:
        tile: points at once on a device.

    Raises:
        InvalidInput: no point, or leading axes of different length.
    """
    lengths = {leaf.shape[0] for leaf in jax.tree.leaves(points)}
    if len(lengths) != 1 or 0 in lengths:
        raise InvalidInput(
            f"points must be equally many, and at least one, on every leading axis, but are {sorted(lengths)}"
        )
    count = lengths.pop()
    tile = min(tile, -(-count // jax.local_device_count()))
    tiles = -(-count // tile)
    devices = jax.local_devices()[:tiles]
    # Neighbors go to different devices, so that a costly region of a grid is shared by all.
    dealt = np.arange(tiles + -tiles % len(devices)).reshape(-1, len(devices)).T.ravel()
    taken = np.minimum(dealt[:, None] * tile + np.arange(tile), count - 1)
    on_devices = over_devices(lambda own: jax.lax.map(lambda points: jax.vmap(function)(*points), own), devices)
    results = on_devices(jax.tree.map(lambda x: x[taken], points))
    order = np.argsort(dealt)
    return jax.tree.map(lambda x: x[order].reshape(-1, *x.shape[2:])[:count], results)


def sharded_grid(function: Callable[..., PyTree], *axes: Float[Array, " _"], tile: int = CACHED_TILE) -> PyTree:
    """`sharded_vmap` over all combinations of the axes' values; results lead with one axis for each of them."""
    points = (values.ravel() for values in jnp.meshgrid(*axes, indexing="ij"))
    shape = tuple(len(axis) for axis in axes)
    return jax.tree.map(lambda x: x.reshape(shape + x.shape[1:]), sharded_vmap(function, *points, tile=tile))
