"""Exact errors of one ecosystem: by NumPy, which need not start and compile, or by JAX where that is faster."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .inputs import MOST_GENERATIONS, blaming, checked_count, read_inputs
from .numpy_or_jax import by_numpy_or_jax, compiled, state_size
from .output import missing_notes, print_errors, print_json, print_notes, print_table, shown

if TYPE_CHECKING:
    import numpy as np

    from crossfeed.formulas.ecosystem import Ecosystem
    from crossfeed.formulas.law import Law
    from crossfeed.formulas.shapes import Array
    from crossfeed.formulas.weights import Weights
    from crossfeed.formulas.workflow import Workflow

_PER_GENERATION = 10**5  # what calls of NumPy take, in operations
_PRODUCTS_FOR_LIMIT = 100  # of the state's matrix, for spectral radius and Stein equation


def print_limit(
    eco: Path,
    alpha: tuple[float, ...],
    beta: tuple[float, ...],
    workflow_file: Path | None = None,
    json: bool = False,
) -> None:
    """Print the errors of every entity in the limit; the arguments are those of `crossfeed limit`."""
    arguments = ecosystem, _, workflow = read_inputs(eco, alpha, beta, workflow_file)
    with blaming(workflow_file):
        operations = _operations_of_limit(ecosystem, workflow)
        by_jax = partial(compiled, _limit_errors, *arguments)
        result = _arrays(by_numpy_or_jax(lambda: _limit_errors(*arguments), by_jax, operations))
    notes = _limit_notes(int(result.pop("reason")), result.pop("biased"), float(result["spectral_radius"]), eco)
    if json:
        print_json(result | ({"notes": notes} if notes else {}))
        return
    radius, correlation = result["spectral_radius"], result["homogenization"]
    print_table(
        f"limit: spectral radius {shown(radius)}, homogenization {shown(correlation)}",
        ["entity", "MSE", "efficiency", *(f"MSPE task {m + 1}" for m in range(ecosystem.entities))],
        (
            (k + 1, result["mse"][k], result["relative_efficiency"][k], *result["mspe"][k])
            for k in range(ecosystem.entities)
        ),
    )
    print_notes(notes)


def print_trajectory(
    eco: Path,
    alpha: tuple[float, ...],
    beta: tuple[float, ...],
    generations: int,
    workflow_file: Path | None = None,
    json: bool = False,
) -> None:
    """Print the errors of every entity at generations 0..T; the arguments are those of `crossfeed trajectory`."""
    from crossfeed.formulas.trajectory import trajectory

    generations = checked_count("generations", generations, MOST_GENERATIONS, 0)
    ecosystem, weights, workflow = read_inputs(eco, alpha, beta, workflow_file)
    arguments = ecosystem, weights, generations, _errors, workflow

    def by_jax() -> dict[str, Array]:
        from ..theory import trajectory

        return compiled(trajectory, *arguments)

    with blaming(workflow_file):
        operations = _operations_of_trajectory(ecosystem, workflow, generations)
        result = _arrays(by_numpy_or_jax(lambda: trajectory(*arguments), by_jax, operations))
    notes = missing_notes(result["mse"], eco, ecosystem.public.truth is not None)
    if json:
        print_json(result | ({"notes": notes} if notes else {}))
        return
    print_errors("exact", result["mse"], result["mspe"])
    print_notes(notes)


def _arrays(found: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """NumPy's arrays in the order of their names, in which compiled programs return them."""
    import numpy as np

    return {name: np.asarray(found[name]) for name in sorted(found)}


def _operations_of_limit(ecosystem: Ecosystem, workflow: Workflow) -> int:
    """Operations that the limit and its errors take, roughly."""
    return _of_measures(ecosystem) + _PRODUCTS_FOR_LIMIT * state_size(ecosystem, workflow) ** 3


def _operations_of_trajectory(ecosystem: Ecosystem, workflow: Workflow, generations: int) -> int:
    """Operations that the errors of generations 0..T take, roughly."""
    each = _PER_GENERATION + _of_measures(ecosystem) + 2 * state_size(ecosystem, workflow) ** 3
    return (generations + 1) * each


def _of_measures(ecosystem: Ecosystem) -> int:
    return (ecosystem.entities * ecosystem.dimension) ** 2 + ecosystem.entities * ecosystem.dimension**3


def _limit_errors(ecosystem: Ecosystem, weights: Weights, workflow: Workflow) -> dict[str, Array]:
    """What `print_limit` prints, why numbers are missing, and which estimates are biased, in the arrays of NumPy or of JAX."""
    from crossfeed.formulas.biases import biased
    from crossfeed.formulas.homogenization import homogenization
    from crossfeed.formulas.limit import limit
    from crossfeed.formulas.measures import mse, mspe, relative_efficiency
    from crossfeed.formulas.reasons import reason

    law = limit(ecosystem, weights, workflow, throw=False)
    assert law.spectral_radius is not None
    return {
        "spectral_radius": law.spectral_radius,
        "converged": law.exists,
        "mse": mse(law),
        "mspe": mspe(law),
        "relative_efficiency": relative_efficiency(law),
        "homogenization": homogenization(law),
        "reason": reason(law),
        "biased": biased(law),
    }


def _limit_notes(why: int, biased: np.ndarray, radius: float, path: Path) -> list[str]:
    """Reason why numbers are missing, if any are."""
    from crossfeed.formulas.results import RESULTS

    if why == RESULTS.successful:
        return []
    if why == RESULTS.no_limit:
        return [f"there is no limit: the spectral radius is {radius:.12g}, and a limit needs a value below 1"]
    if why == RESULTS.depends_on_truth:
        return [
            f"the limit of entity {biased.argmax() + 1} is biased, so its error depends on theta, which {path} does not hold"
        ]
    return [RESULTS[why]]


def _errors(law: Law) -> dict[str, Array]:
    """What `print_trajectory` prints of one generation, in the arrays of NumPy or of JAX."""
    from crossfeed.formulas.biases import bias, bias_map_norm
    from crossfeed.formulas.measures import mse, mspe

    return {
        "mse": mse(law),
        "mspe": mspe(law),
        "bias_norm": (bias(law) ** 2).sum(-1) ** 0.5,
        "bias_map_norm": bias_map_norm(law),
    }
