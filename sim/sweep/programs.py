"""Programs of a sweep: one makes what the points of a tile share, once, and another computes them."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache, lru_cache
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray, PyTree, UInt32

from crossfeed.formulas.estimators import FullRank, LeastSquares
from crossfeed.formulas.linear_algebra import RANK_TOLERANCE, has_full_rank

from ...theory.eager import QUICK
from ...theory.ecosystem import Ecosystem
from ...theory.weights import Weights
from ..sharding import over_devices
from .families import make_family, sweep_keys
from .plan import Plan, Tile
from .quantities import QUANTITIES, Point, any_errors


class Shared(NamedTuple):
    """What all points of a tile share, in NumPy's arrays.

    Attributes:
        ecosystem: the ecosystem.
        parameters: values of the axes other than α and β.
    """

    ecosystem: Ecosystem
    parameters: dict[str, Any]


Program = Callable[
    [Shared, Float[np.ndarray, "device point"], Float[np.ndarray, "device point"], UInt32[np.ndarray, "device point"]],
    dict[str, Array],
]
"""Values of quantities from what points share, their α, β and indices, for one tile per device."""


class Programs:
    """Programs for the tiles of a plan, each compiled when it is first called.

    Args:
        plan: the plan.
        quantities: names of what is computed at every point.
    """

    def __init__(self, plan: Plan, quantities: tuple[str, ...]) -> None:
        self._plan, self._quantities = plan, quantities
        options = QUICK if jax.default_backend() == "cpu" else None  # a call takes less time than optimizing would
        self._family = cache(lambda size: jax.jit(make_family(plan.spec, size), compiler_options=options))
        self._programs: dict[tuple[int, int | None, bool], Program] = {}
        self._made = lru_cache(jax.local_device_count() + 1)(self._make)

    def shared(self, tile: Tile) -> Shared:
        """What the points of a tile share."""
        return self._made(tile.outer)

    def program(self, tile: Tile) -> Program:
        """The program for a tile, the same one for all that are alike."""
        ecosystem, parameters = self.shared(tile)
        steps = int(parameters["estimator_steps"]) if "estimator_steps" in parameters else None
        kind = ecosystem.dimension, steps, self._full_rank(ecosystem)
        if kind not in self._programs:
            self._programs[kind] = self._compiled(*kind[1:])
        return self._programs[kind]

    def _make(self, outer: tuple[int, ...]) -> Shared:
        parameters = {name: np.asarray(value) for name, value in self._plan.parameters(outer).items()}
        dimension = int(parameters.get("dimension", self._plan.dimensions[0]))
        return Shared(jax.tree.map(np.asarray, self._family(dimension)(parameters)), parameters)

    def _full_rank(self, ecosystem: Ecosystem) -> bool:
        """Whether, at all points, everybody trains on public data of full rank, so that programs need not decide it."""
        least = (1 - self._plan.alphas.max()) * (1 - self._plan.betas.max())
        return bool(least > RANK_TOLERANCE and has_full_rank(np.asarray(ecosystem.public.gram)))

    def _compiled(self, steps: int | None, full_rank: bool) -> Program:
        plan, spec = self._plan, self._plan.spec

        def tile(
            shared: Shared,
            alphas: Float[Array, " point"],
            betas: Float[Array, " point"],
            indices: UInt32[Array, " point"],
        ) -> dict[str, Array]:
            workflow = spec.workflow_at(shared.parameters | ({} if steps is None else {"estimator_steps": steps}))
            if full_rank and type(workflow.estimator) is LeastSquares:
                workflow = replace(workflow, estimator=FullRank())
            errors = any_errors(self._quantities)

            def point(alpha: Float[Array, ""], beta: Float[Array, ""], index: UInt32[Array, ""]) -> dict[str, Array]:
                def key() -> PRNGKeyArray:
                    return jax.random.fold_in(sweep_keys(spec.seed)[1], index)

                weights = Weights(alpha, beta)
                at = Point(shared.ecosystem, weights, spec.generations, spec.replicates, key, workflow, errors)
                return {name: QUANTITIES[name].compute(at) for name in self._quantities}

            grouped = (values.reshape(-1, plan.points_at_once) for values in (alphas, betas, indices))
            return jax.lax.map(lambda group: jax.vmap(point)(*group), tuple(grouped))

        # One tile per device: the program of a device, and so every bit of its results, is the same for any number of devices.
        def on_device(*own: PyTree) -> PyTree:
            return jax.tree.map(lambda x: x[None], tile(*jax.tree.map(lambda x: x[0], own)))

        return jax.jit(over_devices(on_device, jax.local_devices()))
