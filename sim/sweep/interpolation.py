"""Interpolation of a fine (β, α) plane by Chebyshev polynomials on patches, from far fewer points than the plane has.

In logit α and logit β, the quantities of a sweep are smooth except where an eigenvalue overtakes another or a limit ceases to
exist. A patch is accepted if the last coefficients of every quantity are negligible, all its nodes agree on why a value is
missing, ρ stays clear of 1 on it, and the values at random points of it are those found by computing. Others are split.
Everything is a function of the arguments alone, so that an interrupted sweep ends with the same bits.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

NODES = 17
"""Chebyshev nodes of a patch along either axis."""
_MORE_NODES = 25
_LARGE = 10**5
"""Grid points of a patch from which on it has `_MORE_NODES`: in `benchmarks/fine_diagrams.py`, smooth planes are then computed at a
quarter fewer points, and that with an edge of stability at 1 % more."""
CHECKS = 4
"""Random points per patch whose values are computed and compared."""
POINTS = NODES**2 + CHECKS
"""Points at which a patch is computed, unless it has `_MORE_NODES`."""
_TAIL = 3  # last coefficients that must be negligible
_EDGE = 1e-9  # weights nearer to 0 or 1 are not interpolated: some data may be without weight there
_CLEAR_OF_ONE = 1e-9  # least distance of an interpolated ρ from 1

Evaluate = Callable[[Float[np.ndarray, " point"], Float[np.ndarray, " point"]], "Values"]
"""Values at points from their α and β."""


@dataclass(frozen=True)
class Values:
    """What is computed at points.

    Attributes:
        numbers: all numbers of a point; the first is ρ.
        reason: code of why a value is missing.
    """

    numbers: Float[np.ndarray, "point number"]
    reason: Int[np.ndarray, " point"]


@dataclass(frozen=True)
class Plane:
    """Values on the whole plane.

    Attributes:
        numbers: all numbers of a point.
        reason: code of why a value is missing.
        estimate: size of the last coefficients of the point's patch, relative to the size of the numbers; 0 where computed.
        found: largest error at the points of its patch where it was looked for, likewise.
    """

    numbers: Float[np.ndarray, "beta alpha number"]
    reason: Int[np.ndarray, "beta alpha"]
    estimate: Float[np.ndarray, "beta alpha"]
    found: Float[np.ndarray, "beta alpha"]


@dataclass(frozen=True)
class _Axis:
    """Weights strictly between 0 and 1 along an axis: their places in it by size, and their logits."""

    places: Int[np.ndarray, " value"]
    logits: Float[np.ndarray, " value"]


@dataclass(frozen=True)
class _Patch:
    """Rectangle of points, by first and last + 1 of the values of β and of α."""

    rows: tuple[int, int]
    columns: tuple[int, int]

    @property
    def points(self) -> int:
        return (self.rows[1] - self.rows[0]) * (self.columns[1] - self.columns[0])

    @property
    def nodes(self) -> int:
        """Chebyshev nodes along either axis."""
        return _MORE_NODES if self.points >= _LARGE else NODES


@dataclass(frozen=True)
class _Fit:
    """Polynomials of a patch, and how far they can be trusted along β and α."""

    coefficients: Float[np.ndarray, "node node number"]
    constant: Float[np.ndarray, " number"]  # NaN or infinite where a number is that on the whole patch, else 0
    tails: tuple[float, float]
    size: Float[np.ndarray, " number"]


def interpolated_plane(
    evaluate: Evaluate,
    alphas: Float[np.ndarray, " alpha"],
    betas: Float[np.ndarray, " beta"],
    tolerance: float,
    least_size: Float[np.ndarray, " number"],
) -> Plane:
    """Values on a plane, computed where they have to be and interpolated elsewhere.

    Args:
        evaluate: function that computes values.
        alphas: values of α, in [0, 1].
        betas: values of β, in [0, 1].
        tolerance: largest error, relative to the largest absolute value of a number at the nodes of a patch.
        least_size: of each number, what this largest absolute value is at least taken to be.
    """
    rows, columns = _inside(betas), _inside(alphas)
    shape = (len(betas), len(alphas))
    plane = Plane(
        np.full((*shape, len(least_size)), np.nan), np.zeros(shape, np.int8), np.zeros(shape), np.zeros(shape)
    )
    computed = np.ones(shape, bool)
    computed[np.ix_(rows.places, columns.places)] = False
    whole = _Patch((0, len(rows.places)), (0, len(columns.places)))
    waiting = [whole] if whole.points else []
    while waiting:
        fitted = [patch for patch in waiting if patch.points > POINTS]
        for patch in waiting:
            if patch.points <= POINTS:
                computed[_places(patch, rows, columns)] = True
        waiting = []
        if not fitted:
            break
        points = [np.concatenate([_nodes(patch, rows, columns), _checks(patch, rows, columns)]) for patch in fitted]
        values = evaluate(*_weights(np.concatenate(points)))
        ends = np.cumsum([len(own) for own in points])[:-1]
        each = map(Values, np.split(values.numbers, ends), np.split(values.reason, ends))
        for patch, at, own in zip(fitted, points, each, strict=True):
            fit = _fit(own, patch.nodes, least_size)
            if not (fit and _accept(fit, own, patch, rows, columns, at, tolerance, plane)):
                waiting += _split(patch, rows, columns, fit.tails if fit else None, tolerance)
    places = np.nonzero(computed)
    if len(places[0]):
        values = evaluate(alphas[places[1]], betas[places[0]])
        plane.numbers[places], plane.reason[places] = values.numbers, values.reason
    return plane


def _inside(weights: Float[np.ndarray, " value"]) -> _Axis:
    places = np.argsort(weights, kind="stable")
    places = places[(weights[places] > _EDGE) & (weights[places] < 1 - _EDGE)]
    inside = weights[places]
    return _Axis(places, np.log(inside / (1 - inside)))


def _weights(logits: Float[np.ndarray, "point 2"]) -> tuple[Float[np.ndarray, " point"], Float[np.ndarray, " point"]]:
    """α and β of points."""
    weights = 1 / (1 + np.exp(-logits))
    return weights[:, 1], weights[:, 0]


def _places(patch: _Patch, rows: _Axis, columns: _Axis) -> tuple[np.ndarray, ...]:
    return np.ix_(rows.places[slice(*patch.rows)], columns.places[slice(*patch.columns)])


def _middle_and_half(axis: _Axis, ends: tuple[int, int]) -> tuple[float, float]:
    low, high = axis.logits[ends[0]], axis.logits[ends[1] - 1]
    return (low + high) / 2, (high - low) / 2


def _nodes(patch: _Patch, rows: _Axis, columns: _Axis) -> Float[np.ndarray, "point 2"]:
    """Logits of β and α at the nodes, β slowest."""
    nodes = _chebyshev_nodes(patch.nodes)
    ends = (_middle_and_half(rows, patch.rows), _middle_and_half(columns, patch.columns))
    grid = np.meshgrid(*(middle + half * nodes for middle, half in ends), indexing="ij")
    return np.stack(grid, axis=-1).reshape(-1, 2)


def _checks(patch: _Patch, rows: _Axis, columns: _Axis) -> Float[np.ndarray, "point 2"]:
    """Logits of β and α at random points of the grid within a patch, which depend on the patch alone."""
    chosen = np.random.default_rng([*patch.rows, *patch.columns]).integers(
        [patch.rows[0], patch.columns[0]], [patch.rows[1], patch.columns[1]], (CHECKS, 2)
    )
    return np.stack([rows.logits[chosen[:, 0]], columns.logits[chosen[:, 1]]], axis=1)


def _chebyshev_nodes(count: int) -> Float[np.ndarray, " node"]:
    return np.cos(np.pi * (np.arange(count) + 0.5) / count)


def _fit(values: Values, nodes: int, least_size: Float[np.ndarray, " number"]) -> _Fit | None:
    """Polynomials through the values at the nodes; None if some value is missing, or for some other reason, at some points only."""
    missing = ~np.isfinite(values.numbers)
    first = values.numbers[0]
    alike = np.where(missing.any(0), (values.numbers == first) | (np.isnan(values.numbers) & np.isnan(first)), True)
    radius = values.numbers[:, 0]
    if not (alike.all() and np.isfinite(radius).all() and (values.reason == values.reason[0]).all()):
        return None
    stable = radius < 1
    if stable.any() and not stable.all():
        return None
    at_nodes = np.where(missing, 0, values.numbers)[: nodes**2].reshape(nodes, nodes, -1)
    to_coefficients = _cosines(_chebyshev_nodes(nodes), nodes).T * (2 / nodes)
    to_coefficients[0] /= 2
    coefficients = np.einsum("ij,kl,jlq->ikq", to_coefficients, to_coefficients, at_nodes, optimize=True)
    size = np.maximum(np.abs(at_nodes).max((0, 1)), least_size)
    relative = np.abs(coefficients) / np.where(size > 0, size, 1)
    tails = float(relative[-_TAIL:].max(initial=0)), float(relative[:, -_TAIL:].max(initial=0))
    return _Fit(coefficients, np.where(missing.any(0), first, 0.0), tails, size)


def _accept(
    fit: _Fit,
    values: Values,
    patch: _Patch,
    rows: _Axis,
    columns: _Axis,
    points: Float[np.ndarray, "point 2"],
    tolerance: float,
    plane: Plane,
) -> bool:
    """Write the patch to the plane, unless it is not accurate enough or the edge of stability may cross it."""
    if max(fit.tails) > tolerance:
        return False
    checks = _polynomials(fit, patch, rows, columns, points[-CHECKS:])
    error = np.abs(checks - np.where(fit.constant == 0, values.numbers[-CHECKS:], 0))
    found = float((error / np.where(fit.size > 0, fit.size, 1)).max(initial=0))
    if found > tolerance:
        return False
    vertical = _basis(rows, patch.rows, rows.logits[slice(*patch.rows)], patch.nodes)
    horizontal = _basis(columns, patch.columns, columns.logits[slice(*patch.columns)], patch.nodes)
    numbers = np.einsum("xi,ijq,yj->xyq", vertical, fit.coefficients, horizontal, optimize=True)
    margin = max(_CLEAR_OF_ONE, 10 * tolerance)
    beyond = numbers[..., 0] - 1
    if np.abs(beyond).min() < margin or ((beyond < 0) != (values.numbers[0, 0] < 1)).any():
        return False
    places = _places(patch, rows, columns)
    plane.numbers[places] = numbers + fit.constant
    plane.reason[places] = values.reason[0]
    tiny = np.finfo(float).tiny  # 0 stands for what is computed
    plane.estimate[places] = max(*fit.tails, tiny)
    plane.found[places] = max(found, tiny)
    return True


def _cosines(x: Float[np.ndarray, " point"], nodes: int) -> Float[np.ndarray, "point node"]:
    """Chebyshev polynomials of all degrees below the number of nodes."""
    return np.cos(np.arange(nodes) * np.arccos(np.clip(x, -1, 1))[:, None])


def _basis(
    axis: _Axis, ends: tuple[int, int], logits: Float[np.ndarray, " point"], nodes: int
) -> Float[np.ndarray, "point node"]:
    middle, half = _middle_and_half(axis, ends)
    return _cosines((logits - middle) / (half or 1), nodes)


def _polynomials(
    fit: _Fit, patch: _Patch, rows: _Axis, columns: _Axis, points: Float[np.ndarray, "point 2"]
) -> Float[np.ndarray, "point number"]:
    vertical = _basis(rows, patch.rows, points[:, 0], patch.nodes)
    horizontal = _basis(columns, patch.columns, points[:, 1], patch.nodes)
    return np.einsum("xi,ijq,xj->xq", vertical, fit.coefficients, horizontal, optimize=True)


def _split(
    patch: _Patch, rows: _Axis, columns: _Axis, tails: tuple[float, float] | None, tolerance: float
) -> list[_Patch]:
    """Halves of a patch along the axis whose coefficients do not decay, or quarters if that may be both."""
    cut = (True, True)
    if tails is not None and max(tails) > tolerance:
        cut = tuple(own >= max(tolerance, other / 10) for own, other in (tails, tails[::-1]))
    vertical, horizontal = (
        _halves(axis, ends) if wanted else [ends]
        for axis, ends, wanted in ((rows, patch.rows, cut[0]), (columns, patch.columns, cut[1]))
    )
    return [_Patch(above, beside) for above in vertical for beside in horizontal]


def _halves(axis: _Axis, ends: tuple[int, int]) -> list[tuple[int, int]]:
    first, last = ends
    if last - first < 2:
        return [ends]
    middle = int(np.searchsorted(axis.logits, _middle_and_half(axis, ends)[0]))
    middle = min(max(middle, first + 1), last - 1)
    return [(first, middle), (middle, last)]
