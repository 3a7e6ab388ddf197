"""Programs of a sweep: one makes what the points of a tile share, once, and another computes them."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache, lru_cache
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray, PyTree, UInt32

from crossfeed.formulas.estimators import FullRankLeastSquares, LeastSquares
from crossfeed.formulas.linear_algebra import RANK_TOLERANCE, has_full_rank

from ...theory.eager import QUICK
from ...theory.ecosystem import Ecosystem
from ...theory.weights import Weights
from ..sharding import over_devices
from .families import make_family, sweep_keys
from .plan import Plan, Tile
from .quantities import QUANTITIES, Point, any_errors


class Fixed(NamedTuple):
    """What is the same at all points of a tile, in NumPy's arrays.

    Attributes:
        ecosystem: the ecosystem.
        parameters: values of the axes other than α and β.
    """

    ecosystem: Ecosystem
    parameters: dict[str, Any]


Program = Callable[
    [Fixed, Float[np.ndarray, "device point"], Float[np.ndarray, "device point"], UInt32[np.ndarray, "device point"]],
    dict[str, Array],
]
"""Values of quantities from what is fixed, α, β and indices of points, for one tile per device."""


class Programs:
    """Programs for the tiles of a plan, each compiled when it is first called.

    Args:
        plan: the plan.
        quantities: names of what is computed at every point.
    """

    def __init__(self, plan: Plan, quantities: tuple[str, ...]) -> None:
        self._plan, self._quantities = plan, quantities
        self._family, self._program = cache(self._compiled_family), cache(self._compiled)
        # One more than are computed together: which program the next tile needs is asked before these have begun.
        self._made = lru_cache(jax.local_device_count() + 1)(self._make)

    def fixed(self, tile: Tile) -> Fixed:
        """What is the same at all points of a tile."""
        return self._made(tile.outer)[0]

    def program(self, tile: Tile) -> Program:
        """The program for a tile, the same one for all that can be computed together."""
        return self._made(tile.outer)[1]

    def _make(self, outer: tuple[int, ...]) -> tuple[Fixed, Program]:
        parameters = {name: np.asarray(value) for name, value in self._plan.parameters(outer).items()}
        dimension = int(parameters.get("dimension", self._plan.dimensions[0]))
        steps = int(parameters["estimator_steps"]) if "estimator_steps" in parameters else None
        ecosystem = jax.tree.map(np.asarray, self._family(dimension)(parameters))
        return Fixed(ecosystem, parameters), self._program(dimension, steps, self._full_rank(ecosystem))

    def _compiled_family(self, dimension: int) -> Callable[[dict[str, Any]], Ecosystem]:
        family = make_family(self._plan.spec, dimension)
        if self._plan.spec.family in ("file", "dataset"):
            return family  # a program would hold all that is given as a constant
        options = QUICK if jax.default_backend() == "cpu" else None  # a call takes less time than optimizing would
        return jax.jit(family, compiler_options=options)

    def _full_rank(self, ecosystem: Ecosystem) -> bool:
        """Whether, at all points, everybody trains on public data of full rank, so that programs need not decide it."""
        least = (1 - self._plan.alphas.max()) * (1 - self._plan.betas.max())
        return bool(least > RANK_TOLERANCE and has_full_rank(np.asarray(ecosystem.public.gram)))

    def _compiled(self, dimension: int, steps: int | None, full_rank: bool) -> Program:
        """Compiled function for tiles of which these are the same, as their arrays have to have the same shapes."""
        plan, spec = self._plan, self._plan.spec

        def tile(
            fixed: Fixed,
            alphas: Float[Array, " point"],
            betas: Float[Array, " point"],
            indices: UInt32[Array, " point"],
        ) -> dict[str, Array]:
            workflow = spec.workflow_at(fixed.parameters | ({} if steps is None else {"estimator_steps": steps}))
            if full_rank and type(workflow.estimator) is LeastSquares:
                workflow = replace(workflow, estimator=FullRankLeastSquares())
            errors = any_errors(self._quantities)

            def point(alpha: Float[Array, ""], beta: Float[Array, ""], index: UInt32[Array, ""]) -> dict[str, Array]:
                def make_key() -> PRNGKeyArray:
                    return jax.random.fold_in(sweep_keys(spec.seed)[1], index)

                weights = Weights(alpha, beta)
                at = Point(fixed.ecosystem, weights, spec.generations, spec.replicates, make_key, workflow, errors)
                return {name: QUANTITIES[name].compute(at) for name in self._quantities}

            grouped = (values.reshape(-1, plan.points_at_once) for values in (alphas, betas, indices))
            return jax.lax.map(lambda group: jax.vmap(point)(*group), tuple(grouped))

        # One tile per device: the program of a device, and so every bit of its results, is the same for any number of devices.
        def on_device(*own: PyTree) -> PyTree:
            return jax.tree.map(lambda x: x[None], tile(*jax.tree.map(lambda x: x[0], own)))

        return jax.jit(over_devices(on_device, jax.local_devices()))
