"""Spectral radius and mean MSE on a grid of α and β, against loops over small matrices that numba compiles, in CPU time.

The loops are what one would write by hand for this model alone: the consensus form, inverses by Gauss-Jordan elimination,
covariances by doubling. They need the dependency group `bench`, and one core (`taskset -c 0`): the CPU time of several counts
threads of XLA that wait for each other. A fine diagram is interpolated, where the loops compute every point.
"""

# pyright: reportUntypedFunctionDecorator=false
import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numba  # pyright: ignore[reportMissingImports]
import numpy as np
from crossfeed.sim.sweep import parse_spec
from crossfeed.sim.sweep.families import make_family
from crossfeed.sim.sweep.plan import Plan
from crossfeed.theory import Ecosystem, random_gaussian
from fine_diagrams import DIAGRAM, REPEATS, TOLERANCE, compiled_and_kept, spec_of
from grids import grid
from timing import Claim, assert_agree, compiled, cpu_seconds

from crossfeed.random_keys import pinned_generator

SIZES = {(4, 4): (101, 3.0), (10, 8): (101, 1.5), (4, 15): (51, 2.0), (4, 32): (21, 1.5)}
"""For K and d, the points along each axis, and the ratio of the loops' time to ours that is to be reached."""
PAIRS = 5
Matrix = np.ndarray


@numba.njit(fastmath=True)
def product(left: Matrix, right: Matrix, out: Matrix) -> None:
    """Write the product of two matrices to a third."""
    out[:] = 0
    for i in range(len(out)):
        for k in range(len(out)):
            factor = left[i, k]
            for j in range(len(out)):
                out[i, j] += factor * right[k, j]


@numba.njit(fastmath=True)
def invert(matrix: Matrix) -> None:
    """Replace a matrix that needs no pivots by its inverse."""
    for k in range(len(matrix)):
        pivot = 1 / matrix[k, k]
        matrix[k, k] = 1.0
        matrix[k] *= pivot
        for i in range(len(matrix)):
            if i != k:
                factor = matrix[i, k]
                matrix[i, k] = 0.0
                for j in range(len(matrix)):
                    matrix[i, j] -= factor * matrix[k, j]


@numba.njit(fastmath=True)
def spectral_radius(matrix: Matrix, power: Matrix, squared: Matrix) -> float:
    """By squaring, until the power has rank one or its norm gives the radius by Gelfand's formula."""
    size = math.sqrt((matrix**2).sum())
    if size == 0:
        return 0.0
    power[:] = matrix / size
    logarithm, exponent = 0.0, 1.0
    for _ in range(45):
        product(power, power, squared)
        trace = np.trace(power)
        if math.sqrt(((squared - trace * power) ** 2).sum()) < 1e-13 * abs(trace) * math.sqrt((power**2).sum()):
            return abs((power * matrix.T).sum() / trace)
        norm = math.sqrt((squared**2).sum())
        exponent /= 2
        logarithm += exponent * math.log(norm)
        power[:] = squared / norm
    return size * math.exp(logarithm)


@numba.njit(fastmath=True)
def grid_by_loops(
    private: Matrix, public: Matrix, published: Matrix, noise: Matrix, alphas: Matrix, betas: Matrix
) -> tuple[Matrix, Matrix]:
    """Mean MSE and ρ for equal weights of all entities; noise variance 1, and public data of full rank."""
    entities, size = private.shape[:2]
    errors, radii = np.empty((len(alphas), len(betas))), np.empty((len(alphas), len(betas)))
    gains, maps = np.empty_like(private), np.empty_like(private)
    crossed = np.empty_like(private)
    feedback, resolvent = np.empty((size, size)), np.empty((size, size))
    one, two, spread = np.empty((size, size)), np.empty((size, size)), np.empty((size, size))
    pool = published.sum(0)
    for x in range(len(alphas)):
        for y in range(len(betas)):
            alpha, own, common = alphas[x], (1 - alphas[x]) * betas[y], (1 - alphas[x]) * (1 - betas[y])
            feedback[:] = 0
            for k in range(entities):
                gains[k] = own * private[k] + common * public + alpha * pool
                invert(gains[k])
                product(published[k], gains[k], maps[k])
                feedback += alpha * maps[k]
            radii[x, y] = spectral_radius(feedback, one, two)
            resolvent[:] = np.eye(size) - feedback
            invert(resolvent)
            spread[:] = noise
            power = feedback.copy()
            while np.abs(power).max() > 1e-10:
                product(power, spread, one)
                product(one, power.T.copy(), two)
                spread += two
                product(power, power, one)
                power[:] = one
            for k in range(entities):
                product(resolvent, maps[k], one)
                one *= own
                product(one, private[k], crossed[k])
                product(crossed[k], one.T.copy(), two)
                spread += two
            one[:] = common / alpha * (resolvent - np.eye(size))
            product(one, public, two)
            shared = two.copy()
            product(shared, one.T.copy(), two)
            spread += two
            total = 0.0
            for k in range(entities):
                mixed = own * crossed[k] + common * shared
                one[:] = own**2 * private[k] + common**2 * public + alpha**2 * spread + alpha * (mixed + mixed.T)
                product(gains[k], one, two)
                total += (two * gains[k]).sum()
            errors[x, y] = total / entities
    return errors, radii


def measure() -> list[Claim]:
    return [*(claim_of_grid(*size, *setting) for size, setting in SIZES.items()), *claims_of_fine_diagram()]


def gaussian(entities: int, dimension: int) -> Ecosystem:
    return random_gaussian(jax.random.key(0), entities, dimension, max(1, dimension // 3), public_rows=2 * dimension)


def loops_over(ecosystem: Ecosystem, axis: Matrix) -> Callable[[], tuple[Matrix, Matrix]]:
    """Function that computes the numbers of `grids.grid` by the loops."""
    private, public = np.asarray(ecosystem.private.gram), np.asarray(ecosystem.public.gram)
    published = np.asarray(ecosystem.shares[:, None, None] * ecosystem.synthetic.gram)
    noise = np.einsum("k,kab->ab", np.asarray(ecosystem.shares), published)
    return lambda: grid_by_loops(private, public, published, noise, axis, axis)


def claim_of_grid(entities: int, dimension: int, points: int, target: float) -> Claim:
    ecosystem = gaussian(entities, dimension)
    axis = jnp.linspace(0.01, 0.98, points)
    ours, _ = compiled(lambda axis: grid(ecosystem, axis), axis)
    theirs = loops_over(ecosystem, np.asarray(axis))
    for name, one, other in zip(("mse", "radius"), ours(axis), theirs(), strict=True):
        assert_agree(name, one, other)
    pairs = [(cpu_seconds(lambda: ours(axis)), cpu_seconds(theirs)) for _ in range(PAIRS)]
    details = {"microseconds_per_point": (np.median(pairs, axis=0) / points**2 * 1e6).tolist(), "pairs": pairs}
    ratio = float(np.median([loops / own for own, loops in pairs]))
    return Claim(
        f"grid of {points} × {points}, K = {entities}, d = {dimension}, against numba", ratio, target, details=details
    )


def claims_of_fine_diagram() -> list[Claim]:
    """The first diagram of `fine_diagrams.py`, in processes of its own before and after the compiled loops."""
    spec = spec_of(f"interpolate = {TOLERANCE}", ["spectral_radius", "mean_mse"], **DIAGRAM)
    sweep, *first = compiled_and_kept(spec)
    plan = Plan(parse_spec(spec))
    with pinned_generator():
        ecosystem = make_family(plan.spec, plan.dimensions[0])(plan.parameters(()))
    theirs = loops_over(ecosystem, sweep.alpha.to_numpy())
    results: list[tuple[Matrix, Matrix]] = []
    loops = cpu_seconds(lambda: results.append(theirs()))
    times = [first, *(compiled_and_kept(spec)[1:] for _ in range(REPEATS - 1))]
    for name, found in zip(("mean_mse", "spectral_radius"), results[0], strict=True):
        assert_agree(name, sweep[name].transpose("alpha", "beta").to_numpy(), found)
    compiling, kept = map(float, np.median(times, axis=0))
    details = {"loops_seconds": loops, "sweep_seconds_compiling_and_with_kept_programs": times}
    statement = "interpolated sweep of 1001 × 1001, K = 4, d = 15, against numba at every point"
    return [
        Claim(statement, loops / compiling, 30.0, details=details),
        Claim(f"{statement}, with kept programs", loops / kept, 30.0),
    ]
