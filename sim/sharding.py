"""Evaluation of a function at many points: in tiles that fit the cache, shared by all devices of this process."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, PartitionSpec
from jaxtyping import Array, Float, PyTree

from crossfeed.errors import InvalidInput

CACHED_TILE = 32
"""Most points evaluated at once: enough to amortize a step."""

_CACHE = 2 * 2**20  # bytes of a core's second-level cache
_CACHED_COPIES = 16  # K × d × d arrays in use at once; chosen by timing grids


def cached_tile(entities: int, dimension: int) -> int:
    """Number of points, a power of two up to `CACHED_TILE`, whose K × d × d matrices stay in a core's cache.

    Args:
        entities: K.
        dimension: d.

    Example:
        >>> from crossfeed.sim import cached_tile
        >>> cached_tile(4, 4), cached_tile(4, 64), cached_tile(100, 64)
        (32, 1, 1)
    """
    fitting = min(CACHED_TILE, _CACHE // (8 * _CACHED_COPIES * entities * dimension**2))
    return 2 ** (max(1, fitting).bit_length() - 1)


def over_devices(function: Callable[..., PyTree], devices: Sequence[Any]) -> Callable[..., PyTree]:
    """The function with its arguments' leading axis split equally over the devices, each of which works on its part alone."""
    return jax.shard_map(
        function,
        mesh=Mesh(np.array(devices), ("device",), axis_types=(AxisType.Auto,)),
        in_specs=PartitionSpec("device"),
        out_specs=PartitionSpec("device"),
        check_vma=False,  # the loops inside start from constants, which the check mistakes for replicated values
    )


def sharded_vmap(function: Callable[..., PyTree], *points: PyTree, tile: int = CACHED_TILE) -> PyTree:
    """Values of a function at every index of its arguments' leading axis, as `jax.vmap`, shared by the process's devices.

    Jits and differentiates. Devices share the tiles and work through them one by one; the number of devices changes results
    by rounding at most. On a CPU, JAX has as many devices as `jax_num_cpu_devices` says; one per core is best.

    Args:
        function: of one point, returning a pytree of arrays.
        points: pytrees of arrays with n points along the leading axis.
        tile: points evaluated at once on a device, at least 1.

    Returns:
        The results, with a leading axis of length n.

    Raises:
        InvalidInput: no points, or leading axes of different lengths.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.sim import sharded_vmap
        >>> sharded_vmap(lambda x: 2 * x, jnp.arange(3.0)).tolist()
        [0.0, 2.0, 4.0]
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
    # Neighboring tiles go to different devices, so that all share a costly region of a grid.
    dealt = np.arange(tiles + -tiles % len(devices)).reshape(-1, len(devices)).T.ravel()
    taken = np.minimum(dealt[:, None] * tile + np.arange(tile), count - 1)
    on_devices = over_devices(lambda own: jax.lax.map(lambda points: jax.vmap(function)(*points), own), devices)
    results = on_devices(jax.tree.map(lambda x: x[taken], points))
    order = np.argsort(dealt)
    return jax.tree.map(lambda x: x[order].reshape(-1, *x.shape[2:])[:count], results)


def sharded_grid(function: Callable[..., PyTree], *axes: Float[Array, " _"], tile: int = CACHED_TILE) -> PyTree:
    """Values of a function on a grid, shared by the process's devices as in `sharded_vmap`.

    Args:
        function: of as many scalars as there are axes, returning a pytree of arrays.
        axes: the values along each axis of the grid.
        tile: points evaluated at once on a device, at least 1.

    Returns:
        The results, with one leading axis per axis of the grid, in their order.

    Raises:
        InvalidInput: an axis is empty.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.sim import sharded_grid
        >>> sharded_grid(lambda x, y: x - y, jnp.array([1.0, 2.0]), jnp.array([0.0, 1.0, 2.0])).tolist()
        [[1.0, 0.0, -1.0], [2.0, 1.0, 0.0]]
    """
    points = (values.ravel() for values in jnp.meshgrid(*axes, indexing="ij"))
    shape = tuple(len(axis) for axis in axes)
    return jax.tree.map(lambda x: x.reshape(shape + x.shape[1:]), sharded_vmap(function, *points, tile=tile))
